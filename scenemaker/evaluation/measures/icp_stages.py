"""One stage of a registration: pairs within a threshold, a step from them, again; as Open3D runs and rates it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenemaker.evaluation.measures.points import tree_of
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.registration import umeyama

CONVERGED = 1e-6  # change of fitness and of rmse at which a stage stops, Open3D's default

Step = Callable[[F64, NDArray[np.intp]], F64]
"""(4, 4) that moves source points (m, 3) to the target points of the given indices (m,)."""


class Fit(NamedTuple):
    """A transform and how well it fits.

    Attributes:
        S: (4, 4) target from source.
        rmse: Root mean square distance of the source points with a neighbour; 0 where none has one.
        fitness: Share of the source points with a neighbour nearer than the threshold.
    """

    S: F64
    rmse: float
    fitness: float


def run_stage(source: F64, target: F64, S: F64, step: Step, *, threshold: float, iterations: int) -> Fit:
    """Steps from S (4, 4) until neither fitness nor rmse changes by 1e-6, or the iterations are spent.

    Reference: Open3D, ``registration_icp``: fitness, rmse and the two tolerances are its own.

    Args:
        source: (n, 3).
        target: (m, 3).
        S: First guess.
        step: What one step does with the pairs.
        threshold: Pairs are nearer than this.
        iterations: At most so many steps; with none the first guess is rated.
    """
    tree = tree_of(target)

    def pairs(S: F64) -> tuple[Fit, F64, NDArray[np.intp]]:
        moved = transforms.apply(S, source)
        distance, index = map(np.asarray, tree.query(moved, distance_upper_bound=threshold))
        near = np.isfinite(distance)
        rmse = float(np.sqrt((distance[near] ** 2).mean())) if near.any() else 0.0
        return Fit(S, rmse, float(near.mean())), moved[near], index[near]

    fit, points, index = pairs(S)
    for _ in range(iterations):
        if not len(index):
            break
        before = fit
        fit, points, index = pairs(step(points, index) @ fit.S)
        if abs(fit.fitness - before.fitness) < CONVERGED and abs(fit.rmse - before.rmse) < CONVERGED:
            break
    return fit


def point_to_point(target: F64, *, scale: bool) -> Step:
    """Steps of least squared distance to the target's points, rigid or with a uniform scale, in closed form."""

    def step(points: F64, index: NDArray[np.intp]) -> F64:
        return umeyama(points, target[index], scale=scale)

    return step


def point_to_plane(target: F64, normals: F64, *, tukey: float) -> Step:
    """Rigid Gauss-Newton steps on the distances r to the target's tangent planes, weighed by (1 - (r / tukey)^2)^2.

    Pairs whose target has no normal (NaN) do not count. A motion that no plane hinders, as sliding along one plane,
    is not made.

    Reference: Chen and Medioni, "Object modelling by registration of multiple range images", 1992; the weights are
    those of Tukey's biweight, 0 from r = tukey on, as Open3D's ``TukeyLoss``; so is the order of the three small turns.
    """

    def step(points: F64, index: NDArray[np.intp]) -> F64:
        known = np.isfinite(normals[index, 0])
        p, q, n = points[known], target[index[known]], normals[index[known]]
        r = np.einsum("ij,ij->i", p - q, n)
        w = np.where(np.abs(r) < tukey, (1 - (r / tukey) ** 2) ** 2, 0.0)
        J = np.concatenate([np.cross(p, n), n], 1)  # (m, 6): turn, shift
        weighed = J * w[:, None]
        change = np.linalg.lstsq(weighed.T @ J, -weighed.T @ r, rcond=1e-9)[0]
        Rx, Ry, Rz = (transforms.axis_angle(axis, angle) for axis, angle in zip(np.eye(3), change[:3]))
        return transforms.rigid(Rz @ Ry @ Rx, change[3:])

    return step
