"""Tilt and depth of the backend ``ground-plane`` on scenes with ground truth, beside plain baselines.

    python -m benchmarks.ground_plane --scenes SCENES            folders of the scene folder format
    python -m benchmarks.ground_plane --made MADE.npz            of ``benchmarks.made_scenes``

Masks and K are given. ``tilt`` is the angle between estimated and true gravity. Depth is scaled by the median ratio
to the truth over the pixels of all objects; AbsRel = mean |z - z*| / z* over object pixels, and over all valid ones.
``fixed 30`` is the same method with the tilt set to 30 degrees, ``true tilt`` with the true one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from scenemaker.geometry.cameras import F64
from scenemaker.perception.ground_plane import GroundPlane
from scenemaker.scene import DepthPrompt, Instance, Instances, Photo

Case = tuple[str, np.ndarray, np.ndarray, np.ndarray, F64, F64]
METHODS = ("constant", "fixed 30", "ours", "true tilt")


def read_folders(root: Path) -> Iterator[Case]:
    """Name, rgb, labels, depth, K and up of every scene folder."""
    for folder in sorted(p.parent for p in root.glob("*/scene.json")):
        scene = json.loads((folder / "scene.json").read_text())
        rgb = np.asarray(Image.open(folder / "rgb.png").convert("RGB"))
        labels = np.asarray(Image.open(folder / "labels.png")).astype(np.uint16)
        depth = np.load(folder / "depth.npy")
        yield folder.name, rgb, labels, depth, np.array(scene["K"]), np.array(scene["up_cam"])


def read_made(path: Path) -> Iterator[Case]:
    """The same of made scenes."""
    from benchmarks.made_scenes import load

    for i, s in enumerate(load(path)):
        yield str(i), s.rgb, s.labels, s.depth, s.K, s.up_cam


def cut(case: Case, aspect: float) -> Case:
    """The middle of a picture in another aspect; only K's principal point moves."""
    name, rgb, labels, depth, K, up = case
    h, w = labels.shape
    new_w, new_h = (w, round(w / aspect)) if w / h < aspect else (round(h * aspect), h)
    x0, y0 = (w - new_w) // 2, (h - new_h) // 2
    rows, columns = slice(y0, y0 + new_h), slice(x0, x0 + new_w)
    K = K - np.array([[0, 0, x0], [0, 0, y0], [0, 0, 0]])
    return name, rgb[rows, columns].copy(), labels[rows, columns].copy(), depth[rows, columns], K, up


def evaluate(case: Case) -> dict[str, tuple[float, float, float]]:
    """Tilt error in degrees, AbsRel of objects and of all pixels, per method."""
    _, rgb, labels, depth, K, up = case
    instances = Instances(labels=labels, items=tuple(Instance(id=int(i), name=str(i)) for i in np.unique(labels) if i))
    pitch, roll = np.degrees(np.arcsin(-up[2])), np.degrees(np.arctan2(up[0], -up[1]))
    configs = {
        "fixed 30": GroundPlane.Config(pitch_deg=30, roll_deg=0),
        "ours": GroundPlane.Config(),
        "true tilt": GroundPlane.Config(pitch_deg=float(pitch), roll_deg=float(roll)),
    }
    valid = np.isfinite(depth) & (depth < 1e4)
    out = {"constant": (np.nan, *_abs_rel(np.ones_like(depth), depth, labels, valid))}
    for name, config in configs.items():
        found = GroundPlane(config).estimate(Photo(rgb=rgb, K=K), instances, DepthPrompt())
        off = float(np.degrees(np.arccos(np.clip(found.up_cam @ up, -1, 1))))
        out[name] = (off, *_abs_rel(found.depth, depth, labels, valid))
    return out


def _abs_rel(z: np.ndarray, truth: np.ndarray, labels: np.ndarray, valid: np.ndarray) -> tuple[float, float]:
    on = valid & (labels > 0)
    k = np.median(truth[on] / z[on])
    error = np.abs(k * z[valid] - truth[valid]) / truth[valid]
    return float(error[labels[valid] > 0].mean()), float(error.mean())


def main() -> None:
    """Prints one table per aspect."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--scenes", type=Path)
    source.add_argument("--made", type=Path)
    parser.add_argument("--each", action="store_true", help="print every scene")
    args = parser.parse_args()
    cases = list(read_folders(args.scenes) if args.scenes else read_made(args.made))
    for title, aspect in (("as they are", None), ("cut to 3:2", 1.5), ("cut to 2:3", 2 / 3)):
        start = time.perf_counter()
        rows = []
        for case in cases:
            case = cut(case, aspect) if aspect else case
            if not (case[2] > 0).any():
                continue
            rows.append(evaluate(case))
            if args.each:
                print(case[0], " ".join(f"{m}: {t:.1f} {o:.3f} {a:.3f}" for m, (t, o, a) in rows[-1].items()))
        seconds = (time.perf_counter() - start) / 3 / len(rows)
        print(f"{len(rows)} scenes, {title} ({seconds:.2f} s each)")
        print(f"  {'':12}{'tilt mean':>10}{'median':>8}{'AbsRel objects':>16}{'AbsRel all':>12}")
        for method in METHODS:
            tilts, objects, all_px = np.array([r[method] for r in rows]).T
            tilt = f"{tilts.mean():10.2f}{np.median(tilts):8.2f}"
            print(f"  {method:12}{tilt}{objects.mean():16.3f}{all_px.mean():12.3f}")


if __name__ == "__main__":
    main()
