"""How often an ICP brings a scene back that was turned, moved and scaled.

    python -m benchmarks.evaluation_icp --scenes 500 [--points 4096] [--tilt 30]

A scene is 3-6 procedural objects on a plane; the ground truth and the moved scene are two samples of its surfaces. The
moved one is turned by a yaw out of 360 degrees and a tilt of up to 30 about a random level axis, scaled by 0.8-1.25
(evenly by ratio; all three about the middle of the scene's footprint) and shifted by exactly 20 % of the scene size
(longest side of its box) in a random direction. The error is the mean distance of the points from their true place over
the scene size; below 1 % a scene counts as recovered.

Only asymmetric scenes count: turned about the vertical through its mean by 30, 40, ... 330 degrees, the scene is never
within a mean distance of 2 % of its size to itself (both ways, 2,000 points to all). How many were drawn is printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from scenemaker.data.layouts.plane import PlaneLayout
from scenemaker.data.objects.procedural.source import ProceduralSource
from scenemaker.data.types import rng_for
from scenemaker.errors import PlacementError
from scenemaker.evaluation.measures import rigid
from scenemaker.evaluation.measures.points import tree_of
from scenemaker.evaluation.measures.robust_icp import robust_icp
from scenemaker.evaluation.protocols.iscene import unit_box
from scenemaker.geometry import registration, transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.parallel import each

ASYMMETRIC = 0.02
RECOVERED = 0.01
Method = Callable[[F64, F64], F64]


def plain(source: F64, target: F64) -> F64:
    """MIDI's ICP, with its rotation put right."""
    return rigid.icp(source, target).T


def scaled(source: F64, target: F64) -> F64:
    """The house's trimmed ICP with a scale."""
    return registration.icp(source, target, np.eye(4), iterations=50).S


def printed(source: F64, target: F64) -> F64:
    """Robust ICP as the paper prints it."""
    return robust_icp(source, target, scale=True).S_target_source


def centred(source: F64, target: F64) -> F64:
    """Robust ICP that brings the means together first."""
    return robust_icp(source, target, scale=True, centred=True).S_target_source


def means_first(method: Method) -> Method:
    """The method after the means were brought together."""

    def run(source: F64, target: F64) -> F64:
        T = transforms.rigid(np.eye(3), target.mean(0) - source.mean(0))
        return method(transforms.apply(T, source), target) @ T

    return run


def boxes_first(method: Method) -> Method:
    """The method on clouds whose own boxes are centred and span [-1, 1], the paper's second space."""

    def run(source: F64, target: F64) -> F64:
        S_source, S_target = unit_box(source), unit_box(target)
        S = method(transforms.apply(S_source, source), transforms.apply(S_target, target))
        return transforms.invert(S_target) @ S @ S_source

    return run


METHODS: dict[str, Method] = {
    "as it comes": lambda source, target: np.eye(4),
    "plain ICP (MIDI, corrected)": plain,
    "plain ICP, means first": means_first(plain),
    "trimmed ICP with scale": scaled,
    "trimmed ICP with scale, means first": means_first(scaled),
    "robust ICP, as printed": printed,
    "robust ICP, as printed, own boxes first": boxes_first(printed),
    "robust ICP, centred=True": centred,
}


class Trial:
    """One scene under every method; None where it is symmetric or could not be placed."""

    def __init__(self, points: int, tilt_deg: float) -> None:
        self.points, self.tilt_deg = points, tilt_deg
        self.objects = ProceduralSource(textures=False)
        self.layout = PlaneLayout(PlaneLayout.Config(count=(3, 6)))

    def __call__(self, index: int) -> list[tuple[float, float]] | None:
        """(error, processor seconds) of every method."""
        rng = rng_for(0, index, "evaluation_icp")
        drawn = [self.objects.get(self.objects.draw(rng)) for _ in range(int(rng.integers(3, 7)))]
        try:
            made = self.layout.arrange(drawn, rng)
        except PlacementError:
            return None
        meshes = [o.mesh.transformed(S) for o, S in zip(made.objects, made.S_world_obj)]
        gt, other = (self.sampled(meshes, seed) for seed in (0, 1))
        size = float(np.ptp(gt, axis=0).max())
        if least_turned_distance(gt, rng) <= ASYMMETRIC * size:
            return None
        moved = transforms.apply(self.motion(rng, size), other)
        rows: list[tuple[float, float]] = []
        for method in METHODS.values():
            start = time.process_time()
            found = transforms.apply(method(moved, gt), moved)
            seconds = time.process_time() - start
            rows.append((float(np.linalg.norm(found - other, axis=1).mean()) / size, seconds))
        return rows

    def sampled(self, meshes: list[Mesh], seed: int) -> F64:
        """(n, 3) points of all objects."""
        return np.concatenate([sample_surface(m, self.points, seed=2 * i + seed)[0] for i, m in enumerate(meshes)])

    def motion(self, rng: np.random.Generator, size: float) -> F64:
        """(4, 4) that disturbs the scene."""
        yaw, way = rng.uniform(0, 2 * np.pi, 2)
        tilt = np.radians(rng.uniform(0, self.tilt_deg))
        R = transforms.axis_angle([np.cos(way), 0, np.sin(way)], tilt) @ transforms.axis_angle([0, 1, 0], yaw)
        shift = 0.2 * size * transforms.unit(rng.standard_normal(3))
        return transforms.similarity(R, shift, np.exp(rng.uniform(np.log(0.8), np.log(1.25))))


def least_turned_distance(points: F64, rng: np.random.Generator) -> float:
    """Least mean distance, over yaws of 30 to 330 degrees, of the scene (n, 3) to itself turned about its mean."""
    p = points - points.mean(0)
    tree, few, least = tree_of(p), p[rng.choice(len(p), min(2000, len(p)), replace=False)], np.inf
    for angle in np.radians(np.arange(30, 331, 10)):
        R = transforms.axis_angle([0, 1, 0], angle)
        least = min(least, float(np.mean([tree.query(few @ R)[0], tree.query(few @ R.T)[0]])))
    return least


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--points", type=int, default=4096, help="per object")
    parser.add_argument("--tilt", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    print(f"# python -m benchmarks.evaluation_icp --scenes {args.scenes} --points {args.points} --tilt {args.tilt:g}")
    rows: list[list[tuple[float, float]]] = []
    drawn, batch = 0, max(args.scenes // 5, 1)
    while len(rows) < args.scenes:
        made = each(Trial(args.points, args.tilt), range(drawn, drawn + batch), args.workers)
        rows += [row for _, row in sorted(made, key=lambda r: r[0]) if row is not None]
        drawn += batch
    table = np.array(rows[: args.scenes])  # (scenes, methods, 2)
    print(f"{args.scenes} asymmetric scenes; {len(rows)} of {drawn} drawn are\n")
    print("method                                   recovered   within 2 %   median error   seconds (processor)")
    for name, (error, seconds) in zip(METHODS, table.transpose(1, 2, 0)):
        good, near = (error < RECOVERED).mean(), (error < 0.02).mean()
        print(f"{name:40s} {good:9.1%} {near:12.1%} {np.median(error):14.2%} {seconds.mean():21.2f}")


if __name__ == "__main__":
    main()
