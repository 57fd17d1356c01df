"""Do the fast renderer and Blender Cycles see the same, and what does each cost?

    python -m benchmarks.data_cycles MESHES -n 20

MESHES is a folder of GLB files. Scenes are SceneMaker's (2-5 objects on a plane) in drawn surroundings. Depth and masks
of Cycles are its own, at the pixel centres; those of the fast renderer are the ground truth that both give.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from scenemaker.data.layouts.plane import PlaneLayout
from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.render.cycles import CyclesConfig, CyclesPasses, CyclesRenderer
from scenemaker.data.render.fast import FastConfig, FastRenderer
from scenemaker.data.render.surroundings import draw_world
from scenemaker.data.render.tone import auto_exposure, develop
from scenemaker.data.types import Arrangement, View, World, rng_for
from scenemaker.data.viewpoints import Viewpoints
from scenemaker.errors import PlacementError
from scenemaker.geometry.cameras import Camera

FAR = 20
SIZES = ((256, 176), (176, 256), (300, 128))


def draw(source: FolderSource, index: int, views: int, sizes: tuple[tuple[int, int], ...]):
    """Scene ``index``: arrangement, world and cameras."""
    layout, viewpoints = PlaneLayout(), Viewpoints(Viewpoints.Config(views=views, sizes=sizes))
    rng = rng_for(0, index, "agreement")
    while True:
        objects = [source.get(source.draw(rng)) for _ in range(rng.integers(2, 6))]
        try:
            arrangement = layout.arrange(objects, rng)
            cameras = viewpoints.draw(arrangement, rng)
        except PlacementError:
            continue
        return arrangement, draw_world(arrangement, rng), cameras


def compare(view: View, passes: CyclesPasses, arrangement: Arrangement) -> tuple[np.ndarray, list[tuple[float, int]]]:
    """(H, W) where both find the same depth, and (IoU, pixels of the union) of every object that either sees."""
    both = np.isfinite(view.depth) & np.isfinite(passes.depth)
    off = np.abs(np.where(both, view.depth - passes.depth, 0))
    agree = np.where(both, off <= 1e-3 * arrangement.size, np.isnan(view.depth) & np.isnan(passes.depth))
    ious = []
    for i in range(len(arrangement)):
        one, two = view.labels == i + 1, passes.labels == i + 1
        union = int((one | two).sum())
        if union:
            ious.append((float((one & two).sum()) / union, union))
    return agree, ious


def agreement(source: FolderSource, n: int, fast: FastRenderer, cycles: CyclesRenderer) -> None:
    """Prints how far depth and masks of the two agree."""
    pixels = wrong = far = 0
    ious: list[tuple[float, int]] = []
    for index in range(n):
        arrangement, world, cameras = draw(source, index, 3, SIZES)
        for view, passes in zip(fast.render(world, cameras), cycles.passes(world, cameras), strict=True):
            agree, found = compare(view, passes, arrangement)
            pixels, wrong = pixels + agree.size, wrong + int((~agree).sum())
            far += int((~agree & (view.depth > FAR * arrangement.size)).sum())
            ious += found
    values, unions = (np.array(a) for a in zip(*ious, strict=True))
    large = values[unions >= 100]
    print(f"scenes {n}, views {3 * n} of {', '.join(f'{w}x{h}' for w, h in SIZES)}, pixels {pixels}")
    print(f"depth within 1e-3 of scene size: {100 * (1 - wrong / pixels):.4f} % of pixels (goal 99.5)")
    print(f"  of the other {wrong} pixels, {far} are ground beyond {FAR} scene sizes, at the end of float32's digits")
    print(f"mask IoU of {len(values)} objects: mean {values.mean():.5f} (goal 0.995), worst {values.min():.4f}")
    print(f"  of the {len(large)} with >= 100 pixels: mean {large.mean():.5f}, worst {large.min():.4f}")


def light(source: FolderSource, n: int, cycles: CyclesRenderer, sheet: Path | None) -> None:
    """Prints how far the light of the two agrees; pictures side by side go to ``sheet``."""
    good = FastRenderer(FastConfig(quality="good", noise=0))
    ratios: dict[str, list[float]] = {"ground": [], "objects": []}
    off, rows = [], []
    for index in range(n):
        _, world, cameras = draw(source, index, 1, ((300, 200),))
        view, ours = good.render(world, cameras)[0], good.radiance(world, cameras[0])
        theirs = cycles.radiance(world, cameras)[0]
        for name, mask in (("ground", (view.labels == 0) & np.isfinite(view.depth)), ("objects", view.labels > 0)):
            if mask.sum() >= 100:
                ratios[name].append(float(theirs[mask].mean() / ours[mask].mean()))
        picture = develop(theirs, exposure=auto_exposure(ours))
        off.append(float(np.abs(picture.astype(float) - view.rgb).mean()))
        rows.append(np.concatenate([view.rgb, picture], 1))
    for name, values in ratios.items():
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
        print(f"light of {name}, Cycles over fast: median {middle:.3f}, 10-90 % {low:.3f}-{high:.3f}")
    print(f"pictures at one exposure: mean difference {np.mean(off):.1f} of 255")
    if sheet is not None:
        rows += [np.full_like(rows[0], 255)] * (-len(rows) % 2)
        pairs = [np.concatenate(rows[i : i + 2], 1) for i in range(0, len(rows), 2)]
        cv2.imwrite(str(sheet), np.concatenate(pairs)[..., ::-1])


def cost(source: FolderSource, n: int, cycles: CyclesRenderer) -> None:
    """Prints seconds per view at 256x256 and their ratio."""
    scenes: list[tuple[World, list[Camera]]] = [draw(source, i, 20, ((256, 256),))[1:] for i in range(n)]
    fast = FastRenderer()
    seconds = []
    for renderer in (fast, cycles):
        renderer.render(scenes[0][0], scenes[0][1][:1])  # start Blender, load libraries
        start = time.perf_counter()
        for world, cameras in scenes:
            renderer.render(world, cameras)
        seconds.append((time.perf_counter() - start) / n / 20)
    print(f"seconds per view at 256x256, {n} scenes of 20 views: fast {seconds[0]:.4f}, Cycles at 64 samples", end=" ")
    print(f"{seconds[1]:.3f}; fast is {seconds[1] / seconds[0]:.0f} times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path, help="folder of GLB files")
    parser.add_argument("-n", type=int, default=20, help="scenes")
    parser.add_argument("--timed", type=int, default=3, help="scenes of 20 views that are timed")
    parser.add_argument("--sheet", type=Path, help="PNG of fast and Cycles pictures side by side")
    args = parser.parse_args()
    source = FolderSource(args.meshes, color_space="srgb")
    with CyclesRenderer(CyclesConfig(samples=64)) as cycles:
        agreement(source, args.n, FastRenderer(), cycles)
        light(source, min(args.n, 8), cycles, args.sheet)
        if args.timed:
            cost(source, args.timed, cycles)


if __name__ == "__main__":
    main()
