"""Layouts and views in numbers: boxes that meet, places tried, speed, and how much of the objects is seen.

    python -m benchmarks.data_layouts MESHES --scenes 10000

MESHES is a folder of GLB files; ``--step 4`` takes every fourth. Boxes are measured again from all vertices of every
mesh, pair by pair, by code that the layouts do not share. Times are of the processor, in one process.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from scenemaker.data.layouts.boxes import hull_points
from scenemaker.data.layouts.discs import DiscLayout
from scenemaker.data.layouts.floating import FloatingLayout
from scenemaker.data.layouts.plane import PlaneLayout
from scenemaker.data.layouts.stacking import top_of
from scenemaker.data.types import Arrangement, DataObject, Layout, rng_for
from scenemaker.data.viewpoints import Viewpoints
from scenemaker.data.visibility import drop_hidden, severe_views, visibility
from scenemaker.errors import PlacementError
from scenemaker.evaluation.bins import BINS, bin_of
from scenemaker.geometry.mesh import normalise
from scenemaker.geometry.raycast import RayCaster
from scenemaker.inputs.mesh_files import load_mesh

TOUCH = 1e-9  # two boxes that share a face, as of an object on a table, do not meet


def read_objects(folder: Path, step: int) -> list[DataObject]:
    """Every ``step``-th mesh of a folder, in ``obj``."""
    paths = sorted(folder.glob("*.glb"))[::step]
    return [DataObject(key=p.stem, mesh=normalise(load_mesh(p, color_space="srgb"))[0]) for p in paths]


def arranged(layout: Layout, objects: list[DataObject], index: int) -> Arrangement:
    """Scene ``index`` of objects drawn at random."""
    rng = rng_for(0, index, "layout")
    n = int(rng.integers(layout.count[0], layout.count[1] + 1))
    return layout.arrange([objects[i] for i in rng.integers(len(objects), size=n)], rng)


def meeting(made: Arrangement) -> tuple[int, float]:
    """How many pairs of boxes meet, and the least gap of all pairs."""
    boxes = []
    for o, S in zip(made.objects, made.S_world_obj):
        v = o.mesh.vertices.astype(np.float64) @ S[:3, :3].T + S[:3, 3]
        boxes.append((v.min(0), v.max(0)))
    count, least = 0, np.inf
    for i, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:i]:
            gap = float(np.maximum(low - other_high, other_low - high).max())
            count, least = count + (gap < -TOUCH), min(least, gap)
    return count, least


def layouts(objects: list[DataObject], scenes: int) -> None:
    """Prints the table of layouts."""
    print(
        "layout       scenes  placed  pairs that meet  least gap  off the floor  tries/object  stacked/scene  scenes/s"
    )
    tops = [o for o in objects if top_of(o.mesh).radius > 0.1]
    cases: list[tuple[str, Layout, list[DataObject]]] = [
        ("plane", PlaneLayout(), objects),
        ("discs", DiscLayout(), objects),
        ("discs, tops", DiscLayout(DiscLayout.Config(stack_probability=1, orientation={"upright": 1})), tops),
        ("floating", FloatingLayout(), objects),
    ]
    for name, layout, pool in cases:
        for o in pool:
            hull_points(o.mesh)  # once per mesh, not part of a scene's time
        done, met, least, off, tries, n, stacked, seconds = 0, 0, np.inf, 0.0, 0, 0, 0, 0.0
        for index in range(scenes):
            start = time.process_time()
            try:
                made = arranged(layout, pool, index)
            except PlacementError:
                continue
            seconds += time.process_time() - start
            count, gap = meeting(made)
            floor = np.array([0.0 if s < 0 else made.boxes_world[s, 1, 1] for s in made.support])
            if name != "floating":
                off = max(off, float(np.abs(made.boxes_world[:, 0, 1] - floor).max()))
            done, met, least, tries, n = done + 1, met + count, min(least, gap), tries + made.tries, n + len(made)
            stacked += sum(s >= 0 for s in made.support)
        print(
            f"{name:11s} {scenes:7d} {done / scenes:7.2%} {met:16d} {least:10.2g} {off:14.2g} {tries / n:13.2f} "
            f"{stacked / done:14.2f} {done / seconds:9.0f}"
        )
    print(f"{len(tops)} of {len(objects)} meshes have a flat top of radius above 0.1")


def views(objects: list[DataObject], scenes: int) -> None:
    """Prints how much is seen from random and from severe views."""
    names = [f"[{low:g}, {high:g}{']' if high == 1 else ')'}" for low, high in BINS]
    print(f"\nlayout         views    objects in {'  '.join(names)}   fully hidden  views kept by drop_hidden")
    sizes = ((512, 512), (640, 448), (448, 640))
    viewpoints = Viewpoints(Viewpoints.Config(sizes=sizes))
    cases: list[tuple[str, Layout]] = [
        ("plane", PlaneLayout()),
        ("plane, clutter", PlaneLayout(PlaneLayout.Config(count=(4, 5), spacing=(0, 0.05)))),
        ("discs", DiscLayout()),
        ("floating", FloatingLayout()),
    ]
    severe = []
    for name, layout in cases:
        fractions, kept, found, seconds = [], 0, np.zeros(len(BINS)), 0.0
        for index in range(scenes):
            made = arranged(layout, objects, index)
            meshes, S_world_obj = [o.mesh for o in made.objects], made.S_world_obj
            cameras = viewpoints.draw(made, rng_for(0, index, "viewpoints"))
            seen = visibility(meshes, S_world_obj, cameras)
            fractions.extend(seen.visible_fraction[seen.in_frame > 0])
            kept += len(drop_hidden(seen.visible_fraction))
            start = time.process_time()
            for k in range(len(BINS)):
                found[k] += severe_views(made, viewpoints, rng_for(0, index, f"severe {k}"), (k,))[0] is not None
            seconds += time.process_time() - start
        f = np.array(fractions)
        share = np.bincount([bin_of(x) for x in f[f > 0]], minlength=len(BINS)) / len(f)
        views_drawn = scenes * viewpoints.config.views
        print(
            f"{name:15s} random        {'  '.join(f'{s:8.1%}' for s in share)} {(f == 0).mean():14.1%} "
            f"{kept / views_drawn:14.1%}"
        )
        severe.append((name, found / scenes, seconds / scenes / len(BINS)))
    print(
        "\nsevere views on request: share of scenes in which a view with an object in that bin was found, of 32 tried"
    )
    for name, rate, seconds in severe:
        print(f"{name:15s}               {'  '.join(f'{r:8.1%}' for r in rate)}   {seconds * 1e3:.0f} ms per request")


def agreement(objects: list[DataObject], scenes: int) -> None:
    """Prints how far the small picture is from the full one, and what each costs."""
    print("\nvisible fraction at 64 px against 512 px: mean |difference|, 95th percentile, bias, same bin, time ratio")
    for least, what in ((0, "all objects"), (1000, "objects of at least 1,000 of 262,144 px")):
        difference, same, small_s, full_s = [], [], 0.0, 0.0
        for index in range(scenes):
            made = arranged(PlaneLayout(), objects, index)
            meshes, S = [o.mesh for o in made.objects], made.S_world_obj
            cameras = Viewpoints(Viewpoints.Config(views=4)).draw(made, rng_for(1, index, "viewpoints"))
            start = time.process_time()
            small = visibility(meshes, S, cameras).visible_fraction
            small_s += time.process_time() - start
            for v, camera in enumerate(cameras):
                start = time.process_time()
                together = RayCaster(meshes, S).render(camera, shade=False).index
                alone = [RayCaster([m], [s]).render(camera, shade=False).index == 0 for m, s in zip(meshes, S)]
                full_s += time.process_time() - start
                whole = np.array([a.sum() for a in alone])
                truth = np.array([(together == i).sum() for i in range(len(made))]) / np.maximum(whole, 1)
                on = whole > least
                difference.extend((small[v] - truth)[on])
                same.extend(bin_of(a) == bin_of(b) for a, b in zip(small[v][on], truth[on]))
        d = np.array(difference)
        print(
            f"{what:42s} {np.abs(d).mean():.3f}  {np.percentile(np.abs(d), 95):.3f}  {d.mean():+.4f}  "
            f"{np.mean(same):.1%}  1:{full_s / small_s:.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path, help="folder of GLB files")
    parser.add_argument("--scenes", type=int, default=10_000, help="scenes per layout")
    parser.add_argument("--view-scenes", type=int, default=200, help="scenes per layout whose views are measured")
    parser.add_argument("--step", type=int, default=1, help="take every n-th mesh")
    args = parser.parse_args()
    objects = read_objects(args.meshes, args.step)
    print(f"{len(objects)} meshes")
    layouts(objects, args.scenes)
    views(objects, args.view_scenes)
    agreement(objects, max(args.view_scenes // 4, 1))


if __name__ == "__main__":
    main()
