"""I-Scene's robust ICP: finds a cloud that was turned, moved and scaled, where plain ICP stays in a local minimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.errors import ConfigError, expected
from scenemaker.evaluation.measures.icp_stages import Fit, point_to_plane, point_to_point, run_stage
from scenemaker.evaluation.measures.normals import normals_of
from scenemaker.evaluation.measures.points import cloud, tree_of
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64

Axis = Literal["x", "y", "z"]
AXES: dict[str, F64] = dict(zip("xyz", np.eye(3)))

VOXEL = 0.03  # v, of the longest side of both clouds' common box, as are all lengths below
TRIM = 0.2  # share of the distances, greatest first, that the pre-score leaves out
SCORED = 2000  # most points per cloud in the pre-score
KEPT = 3  # yaws that the seed ICP tries
SEED_STEPS = 10  # "short"
SCALES = (0.1, 10.0)  # "reasonable determinant": of its cube root
MAX_SHIFT = 2.0  # "translation magnitude not excessive"
YAWS_DEG = (0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class RobustIcp:
    """Where ``robust_icp`` ended.

    Attributes:
        S_target_source: (4, 4) rotation, translation and, if it was free, uniform scale; never a mirror image.
        rmse: Root mean square distance of the source points that have a neighbour, in the target's unit.
        fitness: Share of the source points that have a neighbour nearer than the threshold of the fine stage.
        notes: What did not go as planned.
    """

    S_target_source: F64
    rmse: float
    fitness: float
    notes: tuple[str, ...] = ()


def robust_icp(
    source: ArrayLike,
    target: ArrayLike,
    *,
    up: Axis = "y",
    scale: bool = False,
    centred: bool = False,
    iterations: int = 100,
    seed: int = 0,
    yaws_deg: Sequence[float] = YAWS_DEG,
) -> RobustIcp:
    """Brings a source cloud (n, 3) onto a target cloud (m, 3), from any turn about the up axis.

    1. Both clouds are normalised alike: the midpoint of their common box goes to the origin, its longest side to 1.
    2. Both are thinned to the mean of the points in each voxel of v = 0.03.
    3. The thinned source is turned about the up axis (through that origin) by every yaw, and scored by the trimmed
       Chamfer distance: mean of the least 80 % of the distances, both ways, of at most 2,000 points each.
    4. The best three yaws start a seed ICP of 10 point-to-point steps (pairs nearer than 2.5 v); the result of the
       least rmse + v (1 - fitness) goes on.
    5. Coarse: point-to-point on the thinned clouds, pairs nearer than 2.5 v, at most T_coarse = max(10, T / 2) steps.
    6. Fine: point-to-plane on all points with Tukey's weights (k = 1.5 v), pairs nearer than v, at most
       max(10, T - T_coarse) steps, rigid, on the source that the coarse stage has moved and scaled. Where the target
       has no normals it is point-to-point with 1.5 v, and a note says so.
    7. The rotation is projected onto SO(3). A result that is not finite, whose scale is outside [0.1, 10] or whose
       shift is above 2 gives way to the coarse one, and that to the identity; so does one that leaves no point of the
       source near the target. A note says so.

    A stage ends early when fitness and rmse both change by less than 1e-6. The cost grows with n log m: normals and
    fine steps look up all points.

    The turns of stage 3 share one centre only if the clouds do, so a shift beyond 2.5 v is often not undone; the paper
    feeds clouds whose boxes are centred. ``centred`` is not in the paper: the source's mean goes to the target's
    before stage 1, and that point is the origin.

    Reference: I-Scene, arXiv 2512.13683, appendix, "Robust ICP". It gives neither the threshold and steps of the seed
    ICP, nor the tolerance, nor the point that the yaws turn about, nor the bounds of the checks.

    Args:
        source: (n, 3).
        target: (m, 3).
        up: Axis of the yaws, in the frames of both clouds.
        scale: Whether a uniform scale is estimated too (stages 4 and 5).
        centred: Whether the clouds' means are brought together first.
        iterations: T.
        seed: Of the points of the pre-score.
        yaws_deg: Tried, in degrees.

    Raises:
        InputError: An empty cloud, or one with NaN.
        ConfigError: No such axis, no yaw or no iteration.
    """
    x, y = cloud(source), cloud(target)
    if up not in AXES or iterations < 1 or not len(yaws_deg):
        got = f"up {up!r}, {iterations} iterations, {len(yaws_deg)} yaws"
        raise ConfigError(expected("up x, y or z, an iteration and a yaw", got=got, remedy="keep the defaults"))
    T_first = transforms.rigid(np.eye(3), y.mean(0) - x.mean(0) if centred else np.zeros(3))
    x = transforms.apply(T_first, x)
    low, high = np.minimum(x.min(0), y.min(0)), np.maximum(x.max(0), y.max(0))
    side = float((high - low).max())
    if not side > 0:
        return RobustIcp(S_target_source=T_first, rmse=0.0, fitness=1.0, notes=("all points in one place: not turned",))
    S_norm = transforms.similarity(np.eye(3), -(y.mean(0) if centred else (low + high) / 2) / side, 1 / side)
    x, y = transforms.apply(S_norm, x), transforms.apply(S_norm, y)

    turns = [transforms.rigid(transforms.axis_angle(AXES[up], np.radians(a)), np.zeros(3)) for a in yaws_deg]
    thin_x, thin_y = voxel_means(x, VOXEL), voxel_means(y, VOXEL)
    coarse_steps = max(10, iterations // 2)
    coarse = _coarse(thin_x, thin_y, turns, scale=scale, steps=coarse_steps, seed=seed)
    notes: list[str] = []
    fit = _fine(x, y, coarse, scale=scale, steps=max(10, iterations - coarse_steps), notes=notes)
    S = transforms.invert(S_norm) @ fit.S @ S_norm @ T_first
    return RobustIcp(S_target_source=S, rmse=fit.rmse * side, fitness=fit.fitness, notes=tuple(notes))


def _coarse(x: F64, y: F64, turns: Sequence[F64], *, scale: bool, steps: int, seed: int) -> F64:
    """(4, 4) of stages 3 to 5."""
    rng = np.random.default_rng(seed)
    few_x, few_y = (p if len(p) <= SCORED else p[rng.choice(len(p), SCORED, replace=False)] for p in (x, y))
    best = np.argsort(trimmed_chamfer(few_x, few_y, turns, trim=TRIM), kind="stable")[:KEPT]
    step, threshold = point_to_point(y, scale=scale), 2.5 * VOXEL
    seeds = [run_stage(x, y, turns[i], step, threshold=threshold, iterations=SEED_STEPS) for i in best]
    start = min(seeds, key=lambda f: f.rmse + VOXEL * (1 - f.fitness) if f.fitness else np.inf)  # no pairs, no rmse
    return run_stage(x, y, start.S, step, threshold=threshold, iterations=steps).S


def _fine(x: F64, y: F64, coarse: F64, *, scale: bool, steps: int, notes: list[str]) -> Fit:
    """Stages 6 and 7; adds to the notes."""
    normals = normals_of(y)
    if np.isfinite(normals).any():
        step, threshold = point_to_plane(y, normals, tukey=1.5 * VOXEL), VOXEL
    else:
        notes.append("the target has no normals: fine stage point to point")
        step, threshold = point_to_point(y, scale=False), 1.5 * VOXEL
    moved = transforms.apply(coarse, x)
    fine = run_stage(moved, y, np.eye(4), step, threshold=threshold, iterations=steps).S @ coarse
    S = first_sane({"fine": fine, "coarse": coarse}, scale=scale, notes=notes)
    fit = run_stage(x, y, S, step, threshold=threshold, iterations=0)
    if fit.fitness == 0:
        notes.append("no point of the source came near the target: not aligned")
        return run_stage(x, y, np.eye(4), step, threshold=threshold, iterations=0)
    return fit


def voxel_means(points: F64, voxel: float) -> F64:
    """(k, 3) mean of the points (n, 3) in each cube of a grid that starts half a cube below the lowest corner."""
    cell = np.floor((points - points.min(0)) / voxel + 0.5).astype(np.int64)
    number = np.ravel_multi_index(tuple(cell.T), tuple(cell.max(0) + 1))
    _, group, count = np.unique(number, return_inverse=True, return_counts=True)
    return np.stack([np.bincount(group, c) / count for c in points.T], 1)


def trimmed_chamfer(source: F64, target: F64, turns: Sequence[F64], *, trim: float) -> F64:
    """(k,) mean of the least 1 - trim of the distances, both ways added, for each rigid (4, 4) of the source."""
    source_tree, target_tree = tree_of(source), tree_of(target)
    scores: list[float] = []
    for T in turns:
        there = target_tree.query(transforms.apply(T, source))[0]
        back = source_tree.query(transforms.apply(transforms.invert(T), target))[0]
        kept = [np.sort(d)[: max(1, round((1 - trim) * len(d)))] for d in (np.asarray(there), np.asarray(back))]
        scores.append(float(kept[0].mean() + kept[1].mean()))
    return np.array(scores)


def first_sane(candidates: dict[str, F64], *, scale: bool, notes: list[str]) -> F64:
    """The first transform (4, 4) that passes the checks of stage 7, with a true rotation; else the identity.

    Adds to the notes what was dropped.
    """
    low, high = SCALES if scale else (0.999, 1.001)
    for name, S in candidates.items():
        if not np.isfinite(S).all():
            notes.append(f"{name} result dropped: not finite")
            continue
        size, shift = float(np.cbrt(np.linalg.det(S[:3, :3]))), float(np.linalg.norm(S[:3, 3]))
        if low <= size <= high and shift <= MAX_SHIFT:
            return transforms.similarity(nearest_rotation(S[:3, :3]), S[:3, 3], size if scale else 1.0)
        notes.append(f"{name} result dropped: scale {size:.3g}, shift {shift:.3g} of the common box")
    notes.append("not moved: no result passed the checks")
    return np.eye(4)


def nearest_rotation(A: F64) -> F64:
    """(3, 3) rotation nearest to a matrix (3, 3) in the Frobenius norm, never a mirror image."""
    U, _, Vt = np.linalg.svd(A)
    return U @ np.diag([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))]) @ Vt
