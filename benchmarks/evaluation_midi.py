"""What does `midi` cost, how does it grow, what did the published form cost, and how far off is `midi-fast`?

    python -m benchmarks.evaluation_midi --meshes MESHES --workers 2

MESHES is a folder of GLB files. A prediction is the ground truth with every object turned, moved and resized by a
normally distributed error, sampled anew. Times are of the whole protocol on clouds that are sampled already.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scenemaker.evaluation.measures.rigid import icp
from scenemaker.evaluation.protocols.midi import Midi, MidiFast, S_unit_world
from scenemaker.evaluation.types import Alignment, EvalObject, EvalScene, ScenePair
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.inputs.mesh_files import load_mesh

ERRORS = {"perfect": (0.0, 0.0), "small (1 deg, 1 %)": (1.0, 0.01), "typical (5 deg, 5 %)": (5.0, 0.05)}
COARSE = (15.0, 0.15)
CHUNK = 2048  # of the published F-score


def load(folder: Path) -> list[Mesh]:
    """All meshes of a folder, each in [-0.5, 0.5]^3."""
    return [normalise(load_mesh(path, color_space="srgb"))[0] for path in sorted(folder.rglob("*.glb"))]


def make_pair(meshes: list[Mesh], objects: int, error: tuple[float, float], seed: int) -> ScenePair:
    """A scene of objects side by side, and a prediction with an error of (degrees, share of the size)."""
    rng = np.random.default_rng(seed)
    deg, share = error
    across = int(np.ceil(np.sqrt(objects)))
    gt, pred = [], []
    for i, k in enumerate(rng.permutation(len(meshes))[np.arange(objects) % len(meshes)]):
        place, size = np.array([1.1 * (i % across), 0, 1.1 * (i // across)]), rng.uniform(0.6, 1)
        S = transforms.similarity(transforms.axis_angle([0, 1, 0], rng.uniform(0, 2 * np.pi)), place, size)
        R = transforms.axis_angle(rng.normal(size=3), np.radians(deg * abs(rng.normal())))
        off = transforms.similarity(R, share * rng.normal(size=3), np.exp(share * rng.normal()))
        for out, placement in ((gt, S), (pred, S @ off)):
            out.append(EvalObject(id=i, name=str(i), mesh=meshes[k], S_frame_obj=placement))
    return ScenePair(
        name=str(seed),
        gt=EvalScene(name="gt", path=Path(), objects=tuple(gt)),
        pred=EvalScene(name="pred", path=Path(), objects=tuple(pred)),
        partners=tuple(range(objects)),
        alignment=Alignment(S_world_pred=np.eye(4), kind="none", text=""),
        seed=seed,
    )


def seconds(run: Callable[[], object], repeat: int = 3) -> float:
    """The best of some runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def five_objects(meshes: list[Mesh], workers: int) -> None:
    """Prints the cost of five objects, by error."""
    print(f"five objects, 20,480 points each, {workers} threads (goal: midi in 4 s on two cores)")
    print(f"  {'prediction':<22}{'sampling':>10}{'midi':>8}{'midi-fast':>11}{'scene ICP':>11}{'steps':>7}")
    for name, error in ERRORS.items():
        pair = make_pair(meshes, 5, error, 0)
        sampling = seconds(lambda pair=pair: pair.clouds(20480), 1)
        clouds = pair.clouds(20480).transformed(S_unit_world(pair))
        whole = seconds(lambda pair=pair: Midi(workers=workers)(pair))
        fast = seconds(lambda pair=pair: MidiFast(workers=workers)(pair))
        scene = seconds(lambda c=clouds: icp(c.scene_pred, c.scene_gt, workers=workers))
        steps = icp(clouds.scene_pred, clouds.scene_gt).iterations
        print(f"  {name:<22}{sampling:>8.2f} s{whole:>6.2f} s{fast:>9.2f} s{scene:>9.2f} s{steps:>7}")


def growth(meshes: list[Mesh], workers: int) -> None:
    """Prints the cost by points and by objects, at a typical error."""
    error = ERRORS["typical (5 deg, 5 %)"]
    print("growth (typical error, seconds of midi)")
    for points in (5_000, 10_000, 20_000, 40_000):
        pair = make_pair(meshes, 5, error, 0)
        pair.clouds(points)
        took = seconds(lambda n=points, p=pair: Midi(points=n, workers=workers)(p))
        print(f"   5 objects x {points:>6} points: {took:.2f}")
    for objects in (1, 5, 10, 20):
        pair = make_pair(meshes, objects, error, 0)
        pair.clouds(20480)
        took = seconds(lambda p=pair: Midi(workers=workers)(p), 1)
        print(f"  {objects:>2} objects x  20480 points: {took:.2f}")


def published(meshes: list[Mesh], workers: int, part: int = 5) -> None:
    """Prints what the published form of the nearest neighbours costs on this machine, and the ratio.

    It compares all points with all points (``torch.cdist`` in chunks of 2,048) once in every step of ICP, twice for
    the Chamfer distance and twice for the F-score. One such comparison is timed on a part of the chunks.
    """
    import torch

    torch.set_num_threads(workers)
    pair = make_pair(meshes, 5, ERRORS["typical (5 deg, 5 %)"], 0)
    clouds = pair.clouds(20480).transformed(S_unit_world(pair))
    pred, gt = (torch.from_numpy(c).float() for c in (clouds.scene_pred, clouds.scene_gt))
    chunks = torch.split(pred, CHUNK)[:: max(len(pred) // CHUNK // part, 1)]
    once = seconds(lambda: [torch.cdist(c[None], gt[None]).min(dim=2) for c in chunks], 1)
    once *= len(pred) / sum(map(len, chunks))
    steps = icp(clouds.scene_pred, clouds.scene_gt).iterations
    ours = seconds(lambda: Midi(workers=workers)(pair))
    total = once * (steps + 4)
    print("published form (torch.cdist, chunks of 2,048), five objects, typical error, scene level alone")
    print(f"  one comparison {once:.1f} s, measured on {len(chunks)} of {-(-len(pred) // CHUNK)} chunks")
    print(
        f"  {steps} steps of ICP and 4 more: {total:.0f} s; midi, its objects too: {ours:.2f} s; {total / ours:.0f} x"
    )


def deviation(meshes: list[Mesh], workers: int, scenes: int) -> None:
    """Prints how far midi-fast is from midi over scenes and errors."""
    print(f"midi-fast against midi, {scenes} scenes of 2 to 6 objects per error: median and largest difference")
    for name, error in {**ERRORS, "coarse (15 deg, 15 %)": COARSE}.items():
        rows = []
        for seed in range(scenes):
            pair = make_pair(meshes, 2 + seed % 5, error, seed)
            full, fast = (_means(p(pair)) for p in (Midi(workers=workers), MidiFast(workers=workers)))
            rows.append({k: fast[k] / full[k] - 1 if k.startswith("cd") else fast[k] - full[k] for k in full})
        cells = []
        for key in rows[0]:
            off = np.abs([r[key] for r in rows])
            unit, by = ("%", 100) if key.startswith("cd") else ("", 1)
            cells.append(f"{key} {by * np.median(off):.2g}{unit} / {by * off.max():.2g}{unit}")
        print(f"  {name:<22}{', '.join(cells)}")


def _means(scores) -> dict[str, float]:
    keys = scores.objects[0]
    return {**scores.scene, **{k: float(np.mean([o[k] for o in scores.objects])) for k in keys}}


def main() -> None:
    """Runs all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meshes", type=Path, required=True, help="folder of GLB files")
    parser.add_argument("--workers", type=int, default=2, help="threads")
    parser.add_argument("--scenes", type=int, default=20, help="scenes per error for midi-fast")
    args = parser.parse_args()
    meshes = load(args.meshes)
    five_objects(meshes, args.workers)
    growth(meshes, args.workers)
    published(meshes, args.workers)
    deviation(meshes, args.workers, args.scenes)


if __name__ == "__main__":
    main()
