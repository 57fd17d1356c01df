"""How well does `auto` find the objects of photos, beside plain Felzenszwalb?

    python benchmarks/segmentation_auto.py --photos DIR [--cuts square 3:2 2:3]

DIR holds NAME.jpg and NAME_masks.png. The score of a photo is the mean over its masks of the best IoU with any of at
most 30 regions, at the photo's size. Felzenszwalb runs at 256 px (sigma 0.8, at least 100 px, the 30 largest regions)
with the scale that is best over the set. The weights of `auto` were fitted on every other photo ("fitted"); the ones
in between ("unseen") are reported apart.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from photos import CUTS, centre_cut
from skimage.segmentation import felzenszwalb

from scenemaker.errors import NoObjectsError
from scenemaker.inputs import load_photo
from scenemaker.perception.auto import AutoSegmenter
from scenemaker.perception.masks import MaskFiles
from scenemaker.scene import Photo, Prompts

MOST = 30
SCALES = (100, 300, 600, 1200)
Labels = NDArray[Any]


def best_ious(truth: Labels, found: Labels) -> list[float]:
    """Per mask of truth (values from 1), the best IoU with a region of found (values from 1)."""
    t, f = int(truth.max()) + 1, int(found.max()) + 1
    table = np.bincount((truth.astype(np.int64) * f + found).ravel(), minlength=t * f).reshape(t, f)
    union = table.sum(1, keepdims=True) + table.sum(0, keepdims=True) - table
    iou = np.where(union > 0, table / np.maximum(union, 1), 0)
    iou[:, 0] = 0
    return [float(iou[k].max()) for k in range(1, t) if table[k].sum()]


def plain(rgb: NDArray[np.uint8], scale: int) -> Labels:
    """The largest regions of Felzenszwalb, at the photo's size."""
    h, w = rgb.shape[:2]
    k = 256 / max(h, w)
    small = cv2.resize(rgb, (round(w * k), round(h * k)), interpolation=cv2.INTER_AREA)
    regions = felzenszwalb(small, scale=scale, sigma=0.8, min_size=100)
    largest = np.argsort(-np.bincount(regions.ravel()))[:MOST]
    lut = np.zeros(int(regions.max()) + 1, np.uint16)
    lut[largest] = np.arange(1, len(largest) + 1)
    return cv2.resize(lut[regions], (w, h), interpolation=cv2.INTER_NEAREST)


def ours(rgb: NDArray[np.uint8]) -> tuple[Labels, int, float]:
    """Labels, number of regions and seconds."""
    started = time.perf_counter()
    try:
        found = AutoSegmenter(AutoSegmenter.Config(max_regions=MOST)).segment(Photo(rgb=rgb), Prompts())
    except NoObjectsError:
        return np.zeros(rgb.shape[:2], np.uint16), 0, time.perf_counter() - started
    return found.labels, len(found), time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--cuts", nargs="+", choices=CUTS, default=list(CUTS))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    for cut in args.cuts:
        rows = []
        for k, path in enumerate(sorted(args.photos.glob("*.jpg"))):
            photo = load_photo(path)
            truth = MaskFiles().segment(photo, Prompts(masks=path.with_name(f"{path.stem}_masks.png"))).labels
            rgb = np.ascontiguousarray(centre_cut(photo.rgb, CUTS[cut]))
            truth = centre_cut(truth, CUTS[cut])
            labels, n, seconds = ours(rgb)
            felz = {scale: best_ious(truth, plain(rgb, scale)) for scale in SCALES}
            rows.append((path.stem, k % 2 == 0, felz, best_ious(truth, labels), n, seconds))
        scale = max(SCALES, key=lambda s: np.mean([v for row in rows for v in row[2][s]]))
        print(f"\n{cut}: Felzenszwalb at scale {scale}\n{'photo':32s}  masks  felz  auto  regions  seconds")
        for name, fitted, felz, auto, n, seconds in rows:
            f, a = (np.mean(v) if v else np.nan for v in (felz[scale], auto))
            mark = "fitted" if fitted else "unseen"
            print(f"{name[:24]:24s} {mark:7s}  {len(auto):5d}  {f:.3f}  {a:.3f}  {n:6d}   {seconds:.2f}")
        for mark, chosen in (
            ("all", rows),
            ("fitted", [r for r in rows if r[1]]),
            ("unseen", [r for r in rows if not r[1]]),
        ):
            f, a = (np.mean([v for r in chosen for v in values(r, scale)]) for values in (_felz, _auto))
            n, seconds = np.mean([r[4] for r in chosen]), np.mean([r[5] for r in chosen])
            print(f"mean {mark:27s}  {sum(len(r[3]) for r in chosen):5d}  {f:.3f}  {a:.3f}  {n:6.1f}   {seconds:.2f}")


def _felz(row: Any, scale: int) -> list[float]:
    return row[2][scale]


def _auto(row: Any, scale: int) -> list[float]:
    return row[3]


if __name__ == "__main__":
    main()
