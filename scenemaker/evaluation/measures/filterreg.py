"""FilterReg, as SceneGen's evaluation calls it: rigid registration with a Gaussian of fixed, wide variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.evaluation.measures.permutohedral import GaussianSums
from scenemaker.evaluation.measures.points import cloud
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.registration import kabsch


@dataclass(frozen=True, eq=False, kw_only=True)
class FilterReg:
    """Where ``filterreg`` ended.

    Attributes:
        T: (4, 4) target's frame from the source's frame.
        moved: (n, 3) source points moved by it.
        iterations: Steps made.
        sigma2: Variance of the Gaussian per axis, in the points' unit squared.
    """

    T: F64
    moved: F64
    iterations: int
    sigma2: float


def filterreg(
    source: ArrayLike,
    target: ArrayLike,
    *,
    sigma2: float | None = None,
    iterations: int = 200,
    tolerance: float = 1e-4,
    min_sigma2: float = 1e-4,
) -> FilterReg:
    """Moves source points (n, 3) rigidly towards target points (m, 3), by FilterReg, point to point.

    Each step moves the source so that, in the least squares, every point x comes to the mean of the target around it,
    sum_j y_j g(x - y_j) / sum_j g(x - y_j), with g the Gaussian of variance sigma2 (``permutohedral``). Points that see
    no target are left out of a step; when all are, it ends. It ends too when the sum over the points of their distance
    to that mean, in units of sigma, changes by less than the tolerance.

    Convention: by default sigma2 is ``pair_variance`` and stays, as in SceneGen's call of probreg (``sigma2=None,
    update_sigma2=False``). That is a Gaussian as wide as the scene, so that moments are matched more than surfaces:

    - It forgives a start 45 degrees away, but a perfect copy does not stay where it is. Of three made scenes of 3 to 5
      objects (longest side 1.96, sigma 0.63) it ends 1.1 to 3.2 degrees and 0.027 to 0.043 away from the truth,
      wherever it starts; the squared Chamfer distance of resampled copies goes from 0.0002-0.0003 to 0.0008-0.0014.
    - The lattice is part of the measure. With exact Gaussians that distance differs by up to 0.0006; with both clouds
      shifted together by 0.2 it went from 0.0042 to 0.0059 in a scene of five wedges.
    - Where a corner of the lattice comes and goes with a point, the steps may circle until the last one. This happens
      to single objects of three like sides, and then small things decide: probreg, in float32, gave one object a
      squared Chamfer distance of 0.131 or 0.154 by the order of its points. Where the steps settle this float64 result
      equals probreg's (scene: to 1e-5; boxes that turn slowly: to 2e-4, among probreg's own for other orders).

    Cost: linear in points and steps, 0.3 microseconds each; 20 to 60 steps for a scene, up to 200 for an object.

    Reference: Gao and Tedrake, "FilterReg: Robust and efficient probabilistic point-set registration using Gaussian
    filter and twist parameterization", CVPR 2019; probreg 0.3.8, probreg/filterreg.py, ``RigidFilterReg`` with w = 0.

    Args:
        source: Points to move.
        target: Points that stay.
        sigma2: Variance of the Gaussian per axis.
        iterations: At most so many steps.
        tolerance: Of the sum over the points.
        min_sigma2: Least variance.

    Raises:
        InputError: A cloud without points, with NaN, or very far from the origin.
    """
    s, t = cloud(source), cloud(target)
    variance = max(pair_variance(s, t) if sigma2 is None else sigma2, min_sigma2)
    sigma = float(np.sqrt(variance))
    sums = GaussianSums(t / sigma, np.column_stack([np.ones(len(t)), t]))
    T, cost, steps = np.eye(4), np.inf, 0
    while steps < iterations:
        steps += 1
        moved = transforms.apply(T, s)
        weight, total = np.split(sums(moved / sigma), [1], axis=1)
        seen = weight[:, 0] > 0
        if not seen.any():
            break
        moved, mean = moved[seen], total[seen] / weight[seen]
        T = kabsch(moved, mean) @ T
        before, cost = cost, float(np.linalg.norm(moved - mean, axis=1).sum()) / sigma
        if abs(cost - before) < tolerance:
            break
    return FilterReg(T=T, moved=transforms.apply(T, s), iterations=steps, sigma2=variance)


def pair_variance(source: ArrayLike, target: ArrayLike) -> float:
    """Mean squared distance over all pairs of a source point (n, 3) and a target point (m, 3), over 3."""
    s, t = np.asarray(source, np.float64), np.asarray(target, np.float64)
    return float((s.var(0) + t.var(0) + (s.mean(0) - t.mean(0)) ** 2).mean())
