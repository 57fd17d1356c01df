"""Distances between batches of point clouds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from scenemaker.errors import InputError, ShapeError, expected
from scenemaker.evaluation.batched.neighbours import nearest_index
from scenemaker.evaluation.batched.precision import full_precision

Lengths = Tensor | Sequence[int] | None


class Nearest(NamedTuple):
    """Distances between two batches of clouds, from which the measures follow; 0 in the padding.

    Attributes:
        squared_pred_to_gt: (b, n) squared distance from every predicted point to the nearest of the ground truth.
        squared_gt_to_pred: (b, m) the other way.
        gt_of_pred: (b, n) int64, index of the ground-truth point nearest to every predicted one.
        pred_of_gt: (b, m) int64, the other way.
        pred_lengths: (b,) int64, how many predicted points count.
        gt_lengths: (b,) int64, how many of the ground truth count.
    """

    squared_pred_to_gt: Tensor
    squared_gt_to_pred: Tensor
    gt_of_pred: Tensor
    pred_of_gt: Tensor
    pred_lengths: Tensor
    gt_lengths: Tensor

    @property
    def pred_to_gt(self) -> Tensor:
        """(b, n) distance from every predicted point to the nearest of the ground truth."""
        return root(self.squared_pred_to_gt)

    @property
    def gt_to_pred(self) -> Tensor:
        """(b, m) the other way."""
        return root(self.squared_gt_to_pred)


@full_precision
def nearest(pred: Tensor, gt: Tensor, *, pred_lengths: Lengths = None, gt_lengths: Lengths = None) -> Nearest:
    """Distances from each point of one cloud (b, n, 3) to the nearest of the other (b, m, 3), both ways, exact.

    Differentiable: which point is the nearest is taken as given, as in every Chamfer loss.

    Args:
        pred: (b, n, 3) predicted points.
        gt: (b, m, 3) points of the ground truth.
        pred_lengths: (b,) how many predicted points count, the first ones; all when None.
        gt_lengths: (b,) the same of the ground truth.

    Raises:
        ShapeError: Clouds or lengths of other shapes, or of unequal dtype or device.
        InputError: A length out of range, or NaN among the points that count.
    """
    p, g, n, m = clouds(pred, gt, pred_lengths, gt_lengths)
    gt_of_pred, pred_of_gt = nearest_index(p, g, n, m), nearest_index(g, p, m, n)
    to_gt = (p - pick(g, gt_of_pred)).square().sum(-1)  # (b, n)
    to_pred = (g - pick(p, pred_of_gt)).square().sum(-1)  # (b, m)
    return Nearest(
        squared_pred_to_gt=torch.where(inside(n, to_gt), to_gt, 0),
        squared_gt_to_pred=torch.where(inside(m, to_pred), to_pred, 0),
        gt_of_pred=gt_of_pred,
        pred_of_gt=pred_of_gt,
        pred_lengths=n,
        gt_lengths=m,
    )


def chamfer_squared(near: Nearest) -> Tensor:
    """(b,) mean squared distance both ways, summed."""
    return near.squared_pred_to_gt.sum(1) / near.pred_lengths + near.squared_gt_to_pred.sum(1) / near.gt_lengths


def chamfer(near: Nearest) -> Tensor:
    """(b,) mean distance both ways, summed; the gradient of a distance of 0 is 0."""
    return near.pred_to_gt.sum(1) / near.pred_lengths + near.gt_to_pred.sum(1) / near.gt_lengths


def fscore(near: Nearest, threshold: float) -> Tensor:
    """(b,) harmonic mean of precision and recall, in [0, 1]: shares of points nearer than the threshold (strictly).

    It has no gradient.
    """
    precision = _share_below(threshold, near.pred_to_gt, near.pred_lengths)
    recall = _share_below(threshold, near.gt_to_pred, near.gt_lengths)
    total = precision + recall
    return torch.where(total > 0, 2 * precision * recall / torch.where(total > 0, total, 1), 0)


def add_s(near: Nearest) -> Tensor:
    """(b,) ADD-S both ways: (mean_P d(p, G) + mean_G d(g, P)) / 2, in the unit of the points, over nothing.

    The protocol ``layout`` divides it by the longest side of the true object's box along its own axes, ``sam3d`` by the
    diameter of the true object. PoseCNN's own is one way, of one model in two poses.

    Reference: Xiang et al., "PoseCNN", RSS 2018, eq. 6; SAM 3D, arXiv 2511.16624, appendix D.3.2.
    """
    return chamfer(near) / 2


@full_precision
def emd(pred: Tensor, gt: Tensor, *, lengths: Lengths = None) -> Tensor:
    """(b,) mean distance of matched points (b, n, 3), for the one-to-one match that makes it least; exact.

    The match is found on the CPU by SciPy (time grows with n cubed) and taken as given for the gradient.

    Args:
        pred: (b, n, 3) predicted points.
        gt: (b, n, 3) points of the ground truth.
        lengths: (b,) how many points of both count; all when None.

    Raises:
        ShapeError: Clouds of unequal size, or as in ``nearest``.
        InputError: As in ``nearest``.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    p, g, n, _ = clouds(pred, gt, lengths, lengths)
    if p.shape != g.shape:
        got = f"{p.shape[1]} and {g.shape[1]}"
        raise ShapeError(expected("two clouds of equally many points", got=got, remedy="sample both alike"))
    match = torch.zeros(p.shape[:2], dtype=torch.int64)
    for b, k in enumerate(n.tolist()):
        cost = cdist(p[b, :k].detach().double().cpu().numpy(), g[b, :k].detach().double().cpu().numpy())
        match[b, :k] = torch.from_numpy(linear_sum_assignment(cost)[1])
    squared = (p - pick(g, match.to(p.device))).square().sum(-1)  # (b, n)
    return root(torch.where(inside(n, squared), squared, 0)).sum(1) / n


def clouds(a: Tensor, b: Tensor, a_lengths: Lengths, b_lengths: Lengths) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Both clouds with zeros in the padding, and both lengths (b,) int64; checked."""
    for x in (a, b):
        if x.ndim != 3 or x.shape[-1] != 3 or not x.numel() or not x.is_floating_point():
            got, remedy = f"{x.dtype} {tuple(x.shape)}", "stack the clouds and give their lengths"
            raise ShapeError(expected("clouds of points (b, n, 3) of a float dtype", got=got, remedy=remedy))
    kinds = [f"a batch of {len(x)} in {x.dtype} on {x.device}" for x in (a, b)]
    if kinds[0] != kinds[1]:
        remedy = "bring both to one batch size, dtype and device"
        raise ShapeError(expected("two alike batches of clouds", got=" and ".join(kinds), remedy=remedy))
    n, m = _lengths(a, a_lengths), _lengths(b, b_lengths)
    return _filled(a, n), _filled(b, m), n, m


def pick(points: Tensor, index: Tensor) -> Tensor:
    """(b, n, 3), of points (b, m, 3) those at an index (b, n)."""
    return points.gather(1, index[..., None].expand(-1, -1, 3))


def inside(lengths: Tensor, like: Tensor) -> Tensor:
    """(b, n) bool, True where a point counts, for values (b, n) of the points."""
    return torch.arange(like.shape[1], device=like.device) < lengths[:, None]


def root(squared: Tensor) -> Tensor:
    """Square root whose gradient at 0 is 0, not infinite."""
    positive = squared > 0
    return torch.where(positive, torch.where(positive, squared, 1).sqrt(), 0)


def _lengths(points: Tensor, lengths: Lengths) -> Tensor:
    size, most = points.shape[0], points.shape[1]
    if lengths is None:
        return torch.full((size,), most, dtype=torch.int64, device=points.device)
    n = torch.as_tensor(lengths, dtype=torch.int64, device=points.device)
    if n.shape != (size,):
        remedy = "give one number of points for each cloud"
        raise ShapeError(expected(f"lengths ({size},)", got=f"shape {tuple(n.shape)}", remedy=remedy))
    if bool(((n < 1) | (n > most)).any()):
        got, remedy = n.tolist(), "leave empty clouds out"
        raise InputError(expected(f"lengths from 1 to {most}", got=got, remedy=remedy))
    return n


def _filled(points: Tensor, lengths: Tensor) -> Tensor:
    filled = torch.where(inside(lengths, points)[..., None], points, 0)
    if not bool(filled.isfinite().all()):
        raise InputError(expected("clouds of finite points", got="NaN or infinity", remedy="check the meshes"))
    return filled


def _share_below(threshold: float, distances: Tensor, lengths: Tensor) -> Tensor:
    """(b,) of the distances (b, n) that count."""
    below = (distances < threshold) & inside(lengths, distances)
    return below.sum(1).to(distances.dtype) / lengths
