"""Motions that bring point pairs, or clouds, onto each other."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scenemaker.errors import InputError, ShapeError, expected
from scenemaker.evaluation.batched.clouds import Lengths, clouds, inside, pick
from scenemaker.evaluation.batched.neighbours import nearest_index
from scenemaker.evaluation.batched.precision import full_precision


class Rigid(NamedTuple):
    """x -> R x + t, target's frame from the source's."""

    R: Tensor  # (..., 3, 3)
    t: Tensor  # (..., 3)

    @full_precision
    def __call__(self, points: Tensor) -> Tensor:
        """(..., n, 3) points moved."""
        return points @ self.R.mT + self.t[..., None, :]


class Similarity(NamedTuple):
    """x -> scale R x + t, target's frame from the source's."""

    scale: Tensor  # (...)
    R: Tensor  # (..., 3, 3)
    t: Tensor  # (..., 3)

    @full_precision
    def __call__(self, points: Tensor) -> Tensor:
        """(..., n, 3) points moved."""
        return self.scale[..., None, None] * (points @ self.R.mT) + self.t[..., None, :]


class Icp(NamedTuple):
    """Where ``icp`` ended."""

    T: Tensor  # (b, 4, 4) target's frame from the source's
    moved: Tensor  # (b, n, 3) source points moved by it, 0 in the padding
    iterations: Tensor  # (b,) int64, steps made


@full_precision
def kabsch(source: Tensor, target: Tensor, weights: Tensor | None = None) -> Rigid:
    """The rigid motion of least squared error over point pairs, never a mirror image.

    Differentiable where the rotation is unique; the gradient grows without bound towards clouds for which it is not
    (all points on a line, say).

    Reference: Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976; see
    ``geometry.registration.umeyama``.

    Args:
        source: (..., n, 3) points.
        target: (..., n, 3) points; pair i is source[i], target[i].
        weights: (..., n) not negative; equal when None.

    Raises:
        ShapeError: Sources, targets and weights do not pair up.
        InputError: Pairs without weight.
    """
    _, R, t = _fit(source, target, weights, free_scale=False)
    return Rigid(R, t)


@full_precision
def similarity(source: Tensor, target: Tensor, weights: Tensor | None = None) -> Similarity:
    """The similarity of least squared error over point pairs; arguments, gradient and errors as in ``kabsch``.

    Where the scale is not seen (all source or all target points in one place) it is 1.

    Reference: Umeyama, PAMI 1991, eq. 40-42.
    """
    return _fit(source, target, weights, free_scale=True)


@full_precision
def icp(
    source: Tensor,
    target: Tensor,
    *,
    iterations: int = 50,
    tolerance: float = 1e-5,
    source_lengths: Lengths = None,
    target_lengths: Lengths = None,
) -> Icp:
    """Moves each source cloud rigidly onto its target; each stops by itself. The NumPy one is ``measures.rigid.icp``.

    In each step every source point finds its nearest target point and the motion of least squared error over these
    pairs is applied. A cloud stops when the mean distance of its pairs after the motion changes by less than the
    tolerance. The motion found is a constant to the gradient; ``moved`` follows the source points.

    Reference: Besl and McKay, "A method for registration of 3-D shapes", PAMI 1992.

    Args:
        source: (b, n, 3) points to move.
        target: (b, m, 3) points that stay.
        iterations: At most so many steps.
        tolerance: In the unit of the points.
        source_lengths: (b,) how many source points count, the first ones; all when None.
        target_lengths: (b,) the same of the target.

    Raises:
        ShapeError: As in ``nearest``.
        InputError: As in ``nearest``.
    """
    points, fixed, n, m = clouds(source, target, source_lengths, target_lengths)
    valid = inside(n, points)  # (b, n)
    T, steps = _search(points.detach(), fixed.detach(), valid, n, m, iterations, tolerance)
    moved = Rigid(T[:, :3, :3], T[:, :3, 3])(points)
    return Icp(T=T, moved=torch.where(valid[..., None], moved, 0), iterations=steps)


def _search(
    points: Tensor, fixed: Tensor, valid: Tensor, n: Tensor, m: Tensor, iterations: int, tolerance: float
) -> tuple[Tensor, Tensor]:
    """(b, 4, 4) motions and (b,) steps; clouds that have stopped are left out of the work."""
    size = len(points)
    T = torch.eye(4, dtype=points.dtype, device=points.device).repeat(size, 1, 1)
    steps = torch.zeros(size, dtype=torch.int64, device=points.device)
    going = torch.arange(size, device=points.device)
    before = points.new_full((size,), torch.inf)
    for _ in range(iterations):
        pairs = pick(fixed, nearest_index(points, fixed, n, m))  # (g, n, 3)
        motion = kabsch(points, pairs, valid.to(points.dtype))
        points = motion(points)
        error = ((points - pairs).norm(dim=-1) * valid).sum(1) / n  # (g,)
        T[going, :3] = motion.R @ T[going, :3]
        T[going, :3, 3] += motion.t
        steps[going] += 1
        go = (before - error).abs() >= tolerance
        if not bool(go.any()):
            break
        going, points, fixed, valid, n, m, before = (x[go] for x in (going, points, fixed, valid, n, m, error))
    return T, steps


def _fit(source: Tensor, target: Tensor, weights: Tensor | None, *, free_scale: bool) -> Similarity:
    _check_pairs(source, target, weights)
    w = torch.ones_like(source[..., 0]) if weights is None else weights.to(source.dtype)
    total = w.sum(-1, keepdim=True)
    if not bool((total > 0).all()):
        raise InputError(expected("at least one pair with weight", got="none", remedy="give more points"))
    w = (w / total)[..., None]  # (..., n, 1)
    mean_x, mean_y = (w * source).sum(-2), (w * target).sum(-2)  # (..., 3)
    x, y = source - mean_x[..., None, :], target - mean_y[..., None, :]
    U, _, Vt = torch.linalg.svd((w * y).mT @ x)  # (..., 3, 3)
    sign = torch.linalg.det(U @ Vt).detach().sign()  # -1 where it would be a mirror image
    R = torch.cat([U[..., :2], U[..., 2:] * sign[..., None, None]], -1) @ Vt
    scale = _scale(x @ R.mT, x, y, w) if free_scale else torch.ones_like(sign)
    t = mean_y - scale[..., None] * (R @ mean_x[..., None])[..., 0]
    return Similarity(scale, R, t)


def _scale(turned: Tensor, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
    spread = (w * x * x).sum((-2, -1))  # (...)
    common = (w * y * turned).sum((-2, -1))
    seen = common > 0  # it is never below
    return torch.where(seen, common / torch.where(seen, spread, 1), 1)


def _check_pairs(source: Tensor, target: Tensor, weights: Tensor | None) -> None:
    if source.shape != target.shape or source.ndim < 2 or source.shape[-1] != 3 or not source.is_floating_point():
        got = f"{tuple(source.shape)} and {tuple(target.shape)}"
        raise ShapeError(expected("pairs of points (..., n, 3) of a float dtype", got=got, remedy="pair them up"))
    if weights is not None and weights.shape != source.shape[:-1]:
        got, remedy = f"shape {tuple(weights.shape)}", "give one for each pair"
        raise ShapeError(expected(f"weights {tuple(source.shape[:-1])}", got=got, remedy=remedy))
