"""How well `symmetry` completes hidden silhouettes and colours, beside no completion, the convex hull and inpainting.

    python -m benchmarks.deocclusion --scenes SCENES            scene folders with ground truth
    python -m benchmarks.deocclusion --meshes VAL --count 180   made pictures: in front, on top, cut by the border
    python -m benchmarks.deocclusion --meshes TRAIN --count 360 --seed 2 --fit

A completion counts as worse when it loses more than 0.005 of IoU against the visible mask, much worse from 0.05 on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.occlusion_cases import Case, load_meshes, make_cases
from scenemaker.deocclusion import evidence, order
from scenemaker.deocclusion.symmetry import SymmetryDeoccluder
from scenemaker.deocclusion.views import cut_views
from scenemaker.scene import Bool, Instance, Instances, ObjectView, Photo, PointMap


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """One cut object: its view, and the whole object in the pixels of the view (colours when known)."""

    kind: str
    view: ObjectView
    whole: Bool
    colours: np.ndarray | None = None


def scene_samples(folder: Path) -> Iterator[Sample]:
    """Objects of scene folders that are seen to less than 95 %; only what lies inside of the photo is known."""
    for path in sorted(p.parent for p in folder.glob("*/scene.json")):
        about = json.loads((path / "scene.json").read_text())
        labels = np.asarray(Image.open(path / "labels.png")).astype(np.uint16)
        amodal = np.load(path / "amodal.npz")["amodal"]
        K, up_cam = np.array(about["K"]), np.array(about["up_cam"])
        point_map = PointMap.from_depth(np.load(path / "depth.npy"), K, up_cam=up_cam, scale_kind="metric")
        items = [Instance(id=i + 1, name=o["name"]) for i, o in enumerate(about["objects"]) if (labels == i + 1).any()]
        photo = Photo(rgb=np.asarray(Image.open(path / "rgb.png").convert("RGB")))
        for view in cut_views(photo, Instances(labels=labels, items=tuple(items)), point_map):
            whole = amodal[view.id - 1]
            if (labels == view.id).sum() < 0.95 * whole.sum():
                yield Sample(kind=f"scene {path.name}", view=view, whole=_into(view, whole))


def made_samples(cases: Iterable[Case]) -> Iterator[Sample]:
    """The object in question of every made picture."""
    for case in cases:
        views = cut_views(case.photo, case.instances, case.point_map)
        view = next(v for v in views if v.id == 1)
        whole, colours = case.truth(view)
        yield Sample(kind=case.kind, view=view, whole=whole, colours=colours)


def _into(view: ObjectView, mask: Bool) -> Bool:
    (x0, y0), (h, w) = view.origin_px, view.mask_modal.shape
    u = np.floor(x0 + (np.arange(w) + 0.5) / view.scale).astype(int)
    v = np.floor(y0 + (np.arange(h) + 0.5) / view.scale).astype(int)
    inside = ((v >= 0) & (v < mask.shape[0]))[:, None] & ((u >= 0) & (u < mask.shape[1]))[None, :]
    return mask[np.ix_(v.clip(0, mask.shape[0] - 1), u.clip(0, mask.shape[1] - 1))] & inside


def iou(a: Bool, b: Bool) -> float:
    """Intersection over union."""
    return float((a & b).sum() / max((a | b).sum(), 1))


def in_hull(view: ObjectView) -> Bool:
    """Baseline: the hidden part of the convex hull of what is seen."""
    hull = cv2.convexHull(np.argwhere(view.mask_modal)[:, ::-1].astype(np.int32).reshape(-1, 1, 2))
    inside = cv2.fillConvexPoly(np.zeros(view.mask_modal.shape, np.uint8), hull, (1,)) > 0
    return view.mask_modal | (inside & view.mask_hidden)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Of uint8 colours (n, 3)."""
    mse = max(float(((a.astype(np.float64) - b) ** 2).mean()), 1e-3)
    return 10 * np.log10(255**2 / mse)


def plain_inpaint(view: ObjectView, hidden: Bool) -> np.ndarray:
    """Baseline: cv2.inpaint of the truly hidden part in the photo."""
    return cv2.inpaint(np.ascontiguousarray(view.rgba[..., :3]), hidden.astype(np.uint8), 3, cv2.INPAINT_TELEA)


def report(samples: list[Sample]) -> None:
    """Prints the table."""
    started = time.perf_counter()
    done = SymmetryDeoccluder().deocclude([s.view for s in samples], seed=0)
    seconds = time.perf_counter() - started
    rows = []
    for sample, result in zip(samples, done):
        assert isinstance(result, ObjectView)
        base = iou(sample.view.mask_modal, sample.whole)
        row = [base, iou(in_hull(sample.view), sample.whole), iou(result.mask_amodal, sample.whole)]
        hidden = sample.whole & ~sample.view.mask_modal
        both = hidden & result.mask_amodal
        if sample.colours is not None and both.sum() > 20:
            inpainted = plain_inpaint(sample.view, hidden & sample.view.mask_hidden)
            row += [psnr(inpainted[both], sample.colours[both]), psnr(result.rgba[both][:, :3], sample.colours[both])]
        else:
            row += [np.nan, np.nan]
        rows.append(row)
    table = np.array(rows)
    kinds = np.array([s.kind for s in samples])
    print(f"{'':14}{'n':>4}{'visible':>9}{'hull':>7}{'symmetry':>9}{'worse':>7}{'much':>6}   PSNR cv2 / symmetry")
    for kind in [*sorted(set(kinds)), "all"]:
        of = (kinds == kind) | (kind == "all")
        lost = table[of, 0] - table[of, 2]
        colours = np.nanmean(table[of, 3:], 0) if np.isfinite(table[of, 3]).any() else (np.nan, np.nan)
        print(
            f"{kind:14}{of.sum():4}{table[of, 0].mean():9.3f}{table[of, 1].mean():7.3f}{table[of, 2].mean():9.3f}"
            f"{(lost > 0.005).mean():7.1%}{(lost > 0.05).mean():6.1%}   {colours[0]:.2f} / {colours[1]:.2f} dB"
        )
    cut = np.array([bool(s.view.cut_by or s.view.cut_sides) for s in samples])
    print(f"found to be cut: {cut.mean():.1%}; {1e3 * seconds / len(samples):.1f} ms per view")


def logistic(X: np.ndarray, y: np.ndarray, weight: np.ndarray, ridge: float = 1e-4) -> np.ndarray:
    """Weights (k,) of a logistic regression of chances y (n,) on cues X (n, k)."""
    b = np.zeros(X.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-X @ b))
        b -= np.linalg.solve(
            (X * (weight * p * (1 - p))[:, None]).T @ X + ridge * np.eye(len(b)), X.T @ (weight * (p - y)) + ridge * b
        )
    return b


def fit_evidence(samples: list[Sample]) -> dict[str, float]:
    """Weights of the cues for hidden pixels; every object counts alike."""
    X, y, weight = [], [], []
    for sample in samples:
        if not (sample.view.cut_by or sample.view.cut_sides):
            continue
        found = evidence.gather(sample.view)
        truth = cv2.resize(sample.whole.astype(np.float32), found.hidden.shape[::-1], interpolation=cv2.INTER_AREA)
        X.append(found.cues[found.hidden])
        y.append(truth[found.hidden])
        weight.append(np.full(len(y[-1]), 1 / max(truth.sum(), 1)))
    w = np.concatenate(weight)
    fitted = logistic(np.concatenate(X).astype(np.float64), np.concatenate(y), w / w.sum())
    return dict(zip(evidence.WEIGHTS, fitted.round(2).tolist()))


def fit_order(cases: list[Case]) -> dict[str, float]:
    """Weights of the cues for who hides whom, with exact depth and with the guess of `ground-plane`."""
    from scenemaker.perception.ground_plane import GroundPlane
    from scenemaker.scene import DepthPrompt

    X = []
    for case in cases:
        labels = case.instances.labels
        if len(case.instances) < 2:
            continue
        index, area = labels.astype(np.int32) - 1, np.bincount(labels.ravel(), minlength=3)[1:]
        met, outline = order.meetings(index, order.reach_px(*labels.shape))
        guessed = GroundPlane().estimate(case.photo, case.instances, DepthPrompt())
        for meeting in met:
            X += [
                [order.cues(meeting, index, depth, outline, area)[k] for k in order.WEIGHTS]
                for depth in (case.point_map.depth, guessed.depth)
            ]
    cues = np.array(X)
    print(f"order: right in {(cues @ list(order.WEIGHTS.values()) > 0).mean():.1%} of {len(cues)}")
    fitted = logistic(cues, np.ones(len(cues)), np.full(len(cues), 1 / len(cues)), ridge=0.01)
    return dict(zip(order.WEIGHTS, fitted.round(2).tolist()))


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path)
    parser.add_argument("--meshes", type=Path)
    parser.add_argument("--count", type=int, default=180)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--fit", action="store_true", help="print the weights fitted to the made pictures")
    args = parser.parse_args()
    if args.scenes:
        report(list(scene_samples(args.scenes)))
    if args.meshes:
        cases = list(make_cases(load_meshes(args.meshes), args.count, seed=args.seed))
        samples = list(made_samples(cases))
        report(samples)
        if args.fit:
            print("evidence", fit_evidence(samples))
            print("order", fit_order(cases))


if __name__ == "__main__":
    main()
