"""Physics layouts, measured on the real meshes: what they return, how often they fail, how long they take.

    python -m benchmarks.data_physics MESHES                      60 scenes of each mode
    python -m benchmarks.data_physics MESHES --growth             seconds per scene against the number of objects
    python -m benchmarks.data_physics MESHES --parts 60           convex parts against one hull per part and CoACD

``penetration`` and ``gap`` are over the longest side (of the smaller object); a throw is one drop of all objects; raw
is what the engine leaves after one throw, before anything is refused. ``on others`` is the share of objects that rest
on another one, ``tumbled`` the share whose own y leans by more than 45 degrees, ``hidden`` the share that is covered to
more than a tenth, seen from 25 degrees. Seconds are of one core, with the parts at hand.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from scenemaker.data.layouts.decomposition import PartsConfig, convex_parts
from scenemaker.data.layouts.physics import PhysicsLayout
from scenemaker.data.penetration import gaps, scene_penetration
from scenemaker.data.solid import Solid
from scenemaker.data.types import Arrangement, DataObject, rng_for
from scenemaker.errors import PlacementError
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera, K_from_fov
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.geometry.raycast import RayCaster
from scenemaker.inputs.mesh_files import load_mesh

RAW = 1e9  # a tolerance that refuses nothing


@lru_cache(4096)
def load(path: Path) -> DataObject:
    """An object of the folder."""
    return DataObject(key=path.stem, mesh=normalise(load_mesh(path, color_space="srgb"))[0])


def draws(files: Sequence[Path], scenes: int, seed: int, count: tuple[int, int]) -> Iterator[list[DataObject]]:
    """The objects of each scene."""
    for k in range(scenes):
        rng = rng_for(seed, k, "objects")
        n = int(rng.integers(count[0], count[1] + 1))
        yield [load(files[i]) for i in rng.choice(len(files), n, replace=False)]


def worst(arrangement: Arrangement) -> tuple[float, float]:
    """Deepest penetration and largest gap, over the size of the objects."""
    scale = arrangement.scale
    deepest = scene_penetration(arrangement) / np.minimum(scale[:, None], scale)
    return float(deepest.max()), float(np.nan_to_num(gaps(arrangement) / scale, nan=np.inf).max())


def hidden(arrangement: Arrangement) -> F64:
    """(n,) share of each object's pixels that others cover, from 25 degrees above."""
    centre = (arrangement.boxes_world[:, 0].min(0) + arrangement.boxes_world[:, 1].max(0)) / 2
    low = np.radians(25)
    back = np.array([0, np.sin(low), np.cos(low)])
    R = np.stack([[1, 0, 0], [0, -np.cos(low), np.sin(low)], -back])
    T_cam_world = transforms.rigid(R, -R @ (centre + 2.5 * arrangement.size * back))
    camera = Camera(K=K_from_fov(35, 160, 120), width=160, height=120, T_cam_world=T_cam_world)
    meshes, S = [o.mesh for o in arrangement.objects], arrangement.S_world_obj
    seen = np.bincount(RayCaster(meshes, list(S)).render(camera, shade=False).index.ravel() + 1, minlength=len(S) + 1)[
        1:
    ]
    alone = [(RayCaster([m], [s]).render(camera, shade=False).index >= 0).sum() for m, s in zip(meshes, S, strict=True)]
    return 1 - seen / np.maximum(alone, 1)


def scenes_of(mode: str, files: Sequence[Path], scenes: int, seed: int, cache: Path | None) -> None:
    """Prints one row: what the layout returns; and what the engine alone leaves."""
    layout = PhysicsLayout(PhysicsLayout.Config(mode=mode), cache_dir=cache)  # type: ignore[arg-type]
    raw = PhysicsLayout(PhysicsLayout.Config(mode=mode, penetration=RAW, gap=RAW, throws=1), cache_dir=cache)  # type: ignore[arg-type]
    out: list[Arrangement] = []
    engine: list[tuple[float, float]] = []
    seconds, raw_failed, failed = 0.0, 0, 0
    for k, objects in enumerate(draws(files, scenes, seed, layout.count)):
        for o in objects:
            for one in (layout, raw):
                one.parts.get(o)
        try:
            engine.append(worst(raw.arrange(objects, rng_for(seed, k, "layout"))))
        except PlacementError:
            raw_failed += 1
        start = time.process_time()
        try:
            out.append(layout.arrange(objects, rng_for(seed, k, "layout")))
        except PlacementError:
            failed += 1
        seconds += time.process_time() - start
    depth, gap = np.array([worst(a) for a in out]).T
    raw_depth = np.array(engine)[:, 0]
    support = np.concatenate([a.support for a in out])
    lean = np.concatenate([np.degrees(np.arccos(a.R_world_obj[:, 1, 1].clip(-1, 1))) for a in out])
    cover = np.concatenate([hidden(a) for a in out])
    objects, throws = np.mean([len(a) for a in out]), np.mean([a.tries for a in out])
    print(f"{mode}: {len(out)} of {scenes} scenes, {objects:.1f} objects, {throws:.2f} throws each")
    print(f"  penetration {spread(depth)}; gap {spread(gap)}")
    print(f"  the engine alone: {raw_failed} not at rest, penetration {spread(raw_depth)}")
    print(f"  {seconds / scenes:.2f} s a scene ({scenes / seconds:.1f} a second); {failed} given up")
    print(
        f"  on others {(support >= 0).mean():.2f}, tumbled {(lean > 45).mean():.2f}, hidden {(cover > 0.1).mean():.2f}"
    )


def spread(share: F64) -> str:
    """Mean, 95 % and maximum in per cent, and how many are within one per cent."""
    m, p, x = 100 * share.mean(), 100 * np.percentile(share, 95), 100 * share.max()
    return f"mean {m:.3f} %, 95 % {p:.3f} %, max {x:.3f} %, <= 1 %: {100 * (share <= 0.01).mean():.1f} %"


def growth(files: Sequence[Path], scenes: int, seed: int, cache: Path | None) -> None:
    """Prints seconds per scene of a pile against its number of objects."""
    for n in (2, 4, 8, 16):
        layout = PhysicsLayout(PhysicsLayout.Config(mode="pile", count=(n, n)), cache_dir=cache)
        total, throws = 0.0, []
        for k, objects in enumerate(draws(files, scenes, seed, (n, n))):
            for o in objects:
                layout.parts.get(o)
            start = time.process_time()
            try:
                throws.append(layout.arrange(objects, rng_for(seed, k, "layout")).tries)
            except PlacementError:
                throws.append(layout.config.throws)
            total += time.process_time() - start
        print(f"{n:3d} objects: {total / scenes:.2f} s a scene, {total / sum(throws):.2f} s a throw", flush=True)


def component_hulls(mesh: Mesh) -> list[F64]:
    """The corners of every connected part: the cheap alternative."""
    solid = Solid(mesh)
    part = solid.parts
    return [np.unique(solid.vertices[solid.faces[part == i]].reshape(-1, 3), axis=0) for i in range(part.max() + 1)]


def coacd_hulls(mesh: Mesh) -> list[F64]:
    """The parts of CoACD at its own threshold."""
    import coacd

    coacd.set_log_level("error")
    solid = Solid(mesh)
    return [np.asarray(v) for v, _ in coacd.run_coacd(coacd.Mesh(solid.vertices, solid.faces.astype(np.int32)), seed=0)]


def parts_of(files: Sequence[Path], number: int, with_coacd: bool) -> None:
    """Prints how the ways to convex parts compare: seconds, parts, and how far hulls and surface are apart."""
    ways = {"planes (ours)": lambda m: convex_parts(m, PartsConfig()), "hull per part": component_hulls}
    if with_coacd:
        ways["CoACD"] = coacd_hulls
    for name, make in ways.items():
        rows = []
        for path in files[:: max(len(files) // number, 1)][:number]:
            mesh = load(path).mesh
            start = time.process_time()
            parts = make(mesh)
            rows.append([time.process_time() - start, len(parts), *apart(mesh, parts)])
        s, k, outside, beyond = np.array(rows).T
        print(
            f"{name:14s} {len(rows)} meshes: {s.mean():.2f} s (max {s.max():.1f}), "
            f"{k.mean():.0f} parts (max {k.max():.0f}); "
            f"surface outside of the parts: max {100 * outside.max():.2f} %; "
            f"parts beyond the object: mean {100 * beyond.mean():.1f} %, 95 % {100 * np.percentile(beyond, 95):.1f} %",
            flush=True,
        )


def apart(mesh: Mesh, parts: Sequence[F64]) -> tuple[float, float]:
    """How far a vertex is outside of all parts, and how far a part's surface is from the object, longest side 1."""
    from scipy.spatial import ConvexHull

    solid = Solid(mesh)
    outside, beyond = np.full(len(mesh.vertices), np.inf), 0.0
    for corners in parts:
        if len(corners) < 4 or np.linalg.eigvalsh(np.cov(corners.T))[0] < 1e-9:
            on = np.abs(mesh.vertices[:, None] - corners).max(2).min(1) < 1e-6  # flat: its own corners are in it
            outside[on] = np.minimum(outside[on], 0)
            continue
        hull = ConvexHull(corners, qhull_options="QJ Pp")
        signed = (mesh.vertices @ hull.equations[:, :3].T + hull.equations[:, 3]).max(1)
        outside = np.minimum(outside, signed)
        w = np.random.default_rng(0).dirichlet(np.ones(3), (len(hull.simplices), 8))
        points = np.einsum("fkc,fcd->fkd", w, corners[hull.simplices]).reshape(-1, 3)
        points = points[~solid.inside(points)]
        beyond = max(beyond, float(solid.distance(points).max(initial=0.0))) if len(points) else beyond
    return float(outside.max()), beyond


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=None, help="keeps convex parts")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--parts", type=int, default=0, help="compare ways to convex parts on so many meshes")
    parser.add_argument("--coacd", action="store_true", help="with CoACD (seconds to a minute per mesh)")
    args = parser.parse_args()
    files = sorted(args.meshes.glob("*.glb"))
    if args.parts:
        parts_of(files, args.parts, args.coacd)
    elif args.growth:
        growth(files, args.scenes, args.seed, args.cache)
    else:
        for mode in ("rest", "pile", "mixed"):
            scenes_of(mode, files, args.scenes, args.seed, args.cache)


if __name__ == "__main__":
    main()
