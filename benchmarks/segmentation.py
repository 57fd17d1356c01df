"""How well boxes and `auto` find the given masks of photos.

    python benchmarks/segmentation.py --photos DIR [--cuts square 3:2 2:3] [--only NAME...]

DIR holds NAME.jpg and NAME_masks.png. Each photo is taken whole and cut to 3:2 and 2:3 about its centre (masks too).

boxes: mean IoU with the given masks, from the boxes of the masks. `plain` is OpenCV's GrabCut as its manual has it:
one rectangle, five iterations, on the whole photo at 512 pixels (larger is slower by minutes and no better).
auto: mean over the given masks of the best IoU of any region, with at most 30 regions. `plain` is Felzenszwalb's
graph-based segmentation at 384 pixels, its 30 largest regions, with the scale and least size that do best on these
very photos (scale 1000, least size 200: a choice in its favour). `ours` is the default
of `auto`. n is the number of regions, s the seconds of ours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from scenemaker.errors import NoObjectsError
from scenemaker.perception.auto import AutoSegmenter
from scenemaker.perception.masks import MaskFiles
from scenemaker.perception.prompts import PromptedSegmenter
from scenemaker.scene import Photo, Prompts

Array = np.ndarray[Any, Any]
CUTS = {"square": 1.0, "3:2": 1.5, "2:3": 2 / 3}
LEAST_PX = 64  # what a cut leaves of an object must have more pixels to be counted
COLUMNS = ("boxes plain", "ours", "s", "auto plain", "n", "ours", "n", "s")


def centre_cut(image: Array, aspect: float) -> Array:
    """The largest centred part of that width over height."""
    h, w = image.shape[:2]
    cut_w, cut_h = min(w, round(h * aspect)), min(h, round(w / aspect))
    x0, y0 = (w - cut_w) // 2, (h - cut_h) // 2
    return np.ascontiguousarray(image[y0 : y0 + cut_h, x0 : x0 + cut_w])


def photos(folder: Path, only: list[str]) -> Iterator[tuple[str, Array, Array]]:
    """Name, picture and label image of each photo."""
    for path in sorted(folder.glob("*.jpg")):
        if not only or path.stem in only:
            with Image.open(path) as image:
                rgb = np.asarray(image.convert("RGB"))
            masks = MaskFiles().segment(Photo(rgb=rgb), Prompts(masks=path.with_name(f"{path.stem}_masks.png")))
            yield path.stem, rgb, masks.labels


def box_of(mask: Array) -> tuple[float, float, float, float]:
    ys, xs = np.nonzero(mask)
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)


def iou(a: Array, b: Array) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def plain_grabcut(rgb: Array, box: tuple[float, float, float, float]) -> Array:
    """(H, W) bool of OpenCV's GrabCut with a rectangle."""
    scale = 512 / max(rgb.shape[:2])
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = (round(v * scale) for v in box)
    mask = np.zeros(small.shape[:2], np.uint8)
    rect = (x0, y0, max(1, x1 - x0), max(1, y1 - y0))
    cv2.setRNGSeed(0)
    cv2.grabCut(small, mask, rect, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_RECT)
    return cv2.resize((mask & 1).astype(np.float32), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5


def plain_felzenszwalb(rgb: Array) -> Array:
    """(H, W) labels 1..30 of the largest regions."""
    from skimage.segmentation import felzenszwalb

    scale = 384 / max(rgb.shape[:2])
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    regions = felzenszwalb(small, scale=1000, sigma=0.8, min_size=200)
    largest = np.argsort(-np.bincount(regions.reshape(-1)), kind="stable")[:30]
    ids = np.zeros(regions.max() + 1, np.uint16)
    ids[largest] = np.arange(1, len(largest) + 1)
    return cv2.resize(ids[regions], rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def best_iou(masks: list[Array], labels: Array) -> float:
    """Mean over the masks of the best IoU of any region."""
    areas = np.bincount(labels.reshape(-1))
    best = []
    for mask in masks:
        common = np.bincount(labels[mask], minlength=len(areas))
        best.append(float(max((common / (areas + mask.sum() - common))[1:], default=0.0)))
    return float(np.mean(best))


def found(rgb: Array, min_score: float) -> tuple[Array, int, float]:
    """Labels, number of regions and seconds of `auto`."""
    start = time.perf_counter()
    try:
        got = AutoSegmenter(AutoSegmenter.Config(min_score=min_score)).segment(Photo(rgb=rgb), Prompts())
    except NoObjectsError:
        return np.zeros(rgb.shape[:2], np.uint16), 0, time.perf_counter() - start
    return got.labels, len(got), time.perf_counter() - start


def measure(rgb: Array, labels: Array, min_score: float) -> list[float] | None:
    """One row of the table, or None when the cut leaves no object."""
    masks = [labels == k for k in range(1, int(labels.max()) + 1)]
    masks = [m for m in masks if m.sum() >= LEAST_PX]
    if not masks:
        return None
    boxes = tuple(box_of(m) for m in masks)
    plain = float(np.mean([iou(plain_grabcut(rgb, b), m) for b, m in zip(boxes, masks, strict=True)]))
    start = time.perf_counter()
    got = PromptedSegmenter().segment(Photo(rgb=rgb), Prompts(boxes_px=boxes))
    seconds = time.perf_counter() - start
    # By name: an object that lost every pixel to others has no id, and counts as 0.
    of_name = {item.name: got.mask(item.id) for item in got}
    nothing = np.zeros(labels.shape, bool)
    ours = float(np.mean([iou(of_name.get(f"object_{k}", nothing), m) for k, m in enumerate(masks, start=1)]))
    other = plain_felzenszwalb(rgb)
    regions, n, auto_seconds = found(rgb, min_score)
    return [plain, ours, seconds, best_iou(masks, other), int(other.max()), best_iou(masks, regions), n, auto_seconds]


def show(name: str, row: list[float]) -> None:
    cells = "".join(
        f"{value:>{max(len(column), 4) + 2}.{1 if column == 'n' else 3 if column != 's' else 2}f}"
        for column, value in zip(COLUMNS, row, strict=True)
    )
    print(f"{name:<28}{cells}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR")
    parser.add_argument("--cuts", nargs="+", choices=CUTS, default=list(CUTS))
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--min-score", type=float, default=0.5, help="of `auto`; 0 keeps up to 30 regions")
    args = parser.parse_args()
    loaded = list(photos(args.photos, args.only))
    for cut in args.cuts:
        print(f"\n{cut:<28}" + "".join(f"{c:>{max(len(c), 4) + 2}}" for c in COLUMNS))
        rows = []
        for name, rgb, labels in loaded:
            row = measure(centre_cut(rgb, CUTS[cut]), centre_cut(labels, CUTS[cut]), args.min_score)
            if row is not None:
                rows.append(row)
                show(name, row)
        show(f"mean of {len(rows)}", np.mean(rows, axis=0).tolist())


if __name__ == "__main__":
    main()
