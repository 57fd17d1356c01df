"""Speed of the fast renderer with full ground truth: views a second, how it grows, and where the time goes.

    python -m benchmarks.data_render MESHES [--processes 2] [--scenes 24]

MESHES is a folder of GLB files that may be trained on, with sRGB vertex colours. Every process runs on one thread.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from scenemaker.data.render.fast import FastConfig, FastRenderer
from scenemaker.data.render.shading import Stage
from scenemaker.data.render.surfaces import surface_of
from scenemaker.data.render.surroundings import draw_world
from scenemaker.data.types import GROUND, Arrangement, DataObject, World, rng_for
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, K_from_fov
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.inputs.mesh_files import load_mesh

PARTS = {  # part -> functions whose time, all they call included, is its own
    "primary rays": ("primary",),
    "surface points": ("points",),
    "lamp shadows": ("_lamp_share",),
    "ambient": ("_ambient_share",),
    "shading": ("lit",),
    "smooth edges (with their points and shading)": ("with_smooth_edges",),
    "truth beyond the rays": ("ground_truth",),
    "tone, noise, 8 bit": ("auto_exposure", "to_srgb", "tone_mapped", "augmented"),
}


def arrangement(meshes: Sequence[Mesh], rng: np.random.Generator, count: int) -> Arrangement:
    """Objects side by side on the ground."""
    discs: list[tuple[np.ndarray, float]] = []
    R, t, scale, objects = [], [], [], []
    for k in range(count):
        mesh = meshes[int(rng.integers(len(meshes)))]
        s = rng.uniform(0.5, 1.2)
        radius = float(np.linalg.norm(mesh.extents[[0, 2]])) / 2 * s
        spot, spread = np.zeros(2), 0.3
        while any(np.hypot(*(spot - o)) < 0.8 * (radius + r) for o, r in discs):
            spot, spread = rng.normal(0, spread, 2), spread * 1.05
        discs.append((spot, radius))
        objects.append(DataObject(key=str(k), mesh=mesh))
        R.append(transforms.axis_angle([0, 1, 0], rng.uniform(0, 2 * np.pi)))
        t.append([spot[0], s * mesh.extents[1] / 2, spot[1]])
        scale.append(s)
    return Arrangement(
        objects=tuple(objects),
        R_world_obj=np.stack(R),
        t_world_obj=np.array(t),
        scale=np.array(scale),
        support=(GROUND,) * count,
        layout="benchmark",
    )


def cameras(scene: Arrangement, rng: np.random.Generator, count: int, size: int) -> list[Camera]:
    """From 15 to 60 degrees above, all objects in the picture."""
    lo, hi = scene.boxes_world[:, 0].min(0), scene.boxes_world[:, 1].max(0)
    centre, out = (lo + hi) / 2, []
    K = K_from_fov(45, size, size)
    for _ in range(count):
        up, around = np.radians(rng.uniform(15, 60)), rng.uniform(0, 2 * np.pi)
        z = -np.array([np.cos(up) * np.sin(around), np.sin(up), np.cos(up) * np.cos(around)])
        x = transforms.unit(np.cross(z, [0, 1, 0]))
        R = np.stack([x, np.cross(z, x), z])
        corners = np.array([[a, b, c] for a in (lo[0], hi[0]) for b in (lo[1], hi[1]) for c in (lo[2], hi[2])]) - centre
        p = corners @ R.T
        distance = float((np.abs(p[:, :2]) * (K[0, 0] / (size / 2) / 0.9) - p[:, 2:]).max())
        place = centre - z * distance
        out.append(Camera(K=K, width=size, height=size, T_cam_world=transforms.rigid(R, -R @ place)))
    return out


Job = tuple[World, list[Camera]]


def jobs(meshes: Sequence[Mesh], scenes: int, views: int, *, count: int | None = None, size: int = 256) -> list[Job]:
    """Worlds of 2 to 5 objects, or ``count``, with their cameras."""
    made = []
    for i in range(scenes):
        rng = rng_for(0, i, "benchmark")
        scene = arrangement(meshes, rng, count or int(rng.integers(2, 6)))
        made.append((draw_world(scene, rng_for(0, i, "world")), cameras(scene, rng, views, size)))
    return made


def seconds(todo: Sequence[Job], quality: str = "fast") -> float:
    """Time to render all, after the first has warmed the process up; a view of it all, and no more, per camera."""
    renderer = FastRenderer(FastConfig(quality=quality))  # type: ignore[arg-type]
    renderer.render(todo[0][0], todo[0][1][:1])
    start = time.perf_counter()
    for world, views in todo:
        renderer.render(world, views)
    return time.perf_counter() - start


_meshes: list[Mesh] = []


def _load(folder: str, limit: int) -> None:
    files = sorted(Path(folder).glob("*.glb"))
    chosen = files[:: max(1, len(files) // limit)][:limit]
    _meshes[:] = [normalise(load_mesh(f, color_space="srgb"))[0] for f in chosen]


def _work(share: int, shares: int, scenes: int, views: int, size: int) -> float:
    return seconds(jobs(_meshes, scenes, views, size=size)[share::shares])


def rate(folder: Path, processes: int, scenes: int, views: int, size: int = 256) -> float:
    """Views a second of several processes at once."""
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_load, initargs=(str(folder), 200)
    ) as pool:
        took = [pool.submit(_work, k, processes, scenes, views, size) for k in range(processes)]
        return scenes * views / max(f.result() for f in took)


def shares(todo: Sequence[Job]) -> dict[str, float]:
    """Share of the time by part, by the profiler."""
    profile = cProfile.Profile(time.process_time)
    renderer = FastRenderer()
    profile.enable()
    for world, views in todo:
        renderer.render(world, views)
    profile.disable()
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]

    def total(functions: Sequence[str]) -> float:
        return sum(v[3] for (file, _, name), v in stats.items() if name in functions and "render" in file)

    whole = total(("render",))
    out = {part: total(names) / whole for part, names in PARTS.items()}
    near = "smooth edges (with their points and shading)"
    inside = sum(  # points and shading of edges are counted there
        callers[3]
        for (file, _, name), v in stats.items()
        if name in ("points", "lit") and "render" in file
        for (_, _, caller), callers in v[4].items()
        if caller in ("with_smooth_edges", "_lit_near")
    )
    out["surface points"] += out["shading"] - inside / whole
    del out["shading"]
    out["points and shading of pixel centres"] = out.pop("surface points")
    out["the rest"] = 1 - sum(out.values())
    return {near if k == near else k: v for k, v in out.items()}


def faces_of(mesh: Mesh, rounds: int) -> Mesh:
    """Every face cut into four, so many times."""
    import trimesh

    loaded = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    for _ in range(rounds):
        loaded = loaded.subdivide()
    return Mesh(vertices=loaded.vertices, faces=loaded.faces)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("meshes", type=Path)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # for the processes to come
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--scenes", type=int, default=24)
    args = parser.parse_args()
    print(f"python -m benchmarks.data_render {args.meshes.name} --processes {args.processes} --scenes {args.scenes}")
    print(f"\n256 x 256, 2-5 objects, full ground truth, {args.processes} processes of one thread")
    for views in (1, 4, 20):
        scenes = args.scenes if views < 20 else max(args.processes, args.scenes // 4)
        print(f"  {views:3} views a scene: {rate(args.meshes, args.processes, scenes, views):6.1f} views/s")
    _load(str(args.meshes), 200)
    few = max(2, args.scenes // 4)
    print("\nms per view, 4 views a scene, one process")
    base = jobs(_meshes, few, 4)
    print(f"  quality fast {1e3 * seconds(base) / few / 4:8.1f}   good {1e3 * seconds(base, 'good') / few / 4:8.1f}")
    for count in (2, 4, 8, 12):
        print(f"  {count:4} objects {1e3 * seconds(jobs(_meshes, few, 4, count=count)) / few / 4:8.1f}")
    for size in (128, 256, 512, 1024):
        took = seconds(jobs(_meshes, 2, 2, size=size)) / 4
        print(f"  {size:4} x {size:<4} {1e3 * took:8.1f}   {1e9 * took / size**2:6.0f} ns a pixel")
    for rounds in (0, 2, 4):
        many = [faces_of(m, rounds) for m in _meshes[:2]]
        todo = jobs(many, 2, 4, count=2)
        start = time.perf_counter()
        for world, _ in todo:
            _ = Stage(world).caster.everything
        trees, start = time.perf_counter() - start, time.perf_counter()
        for mesh in many:
            _ = surface_of(mesh).normals_by_corner
        normals, faces = time.perf_counter() - start, sum(len(m.faces) for m in many) // 2
        print(f"  {faces:8} faces each {1e3 * seconds(todo) / 8:8.1f}", end="")
        print(f"; once a scene: trees {1e3 * trees / 2:.1f}; once a mesh: normals {1e3 * normals / 2:.1f}")
    print("\nshare of the time, 4 views a scene")
    for part, share in shares(base).items():
        print(f"  {part:45} {share:6.1%}")


if __name__ == "__main__":
    main()
