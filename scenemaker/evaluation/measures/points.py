"""Distances between point clouds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.errors import InputError, expected
from scenemaker.geometry.cameras import F64


class Nearest(NamedTuple):
    """Distances between two clouds, from which Chamfer distances and F-scores follow.

    Attributes:
        pred_to_gt: (n,) from every predicted point to the nearest of the ground truth.
        gt_to_pred: (m,) the other way.
    """

    pred_to_gt: F64
    gt_to_pred: F64


def nearest_distances(pred: ArrayLike, gt: ArrayLike) -> Nearest:
    """Distances from each point of one cloud (n, 3) to the nearest of the other (m, 3), both ways, exact."""
    from scipy.spatial import KDTree

    p, g = _cloud(pred), _cloud(gt)
    return Nearest(KDTree(g).query(p)[0], KDTree(p).query(g)[0])


def chamfer_squared(near: Nearest) -> float:
    """Mean squared distance both ways, summed."""
    return float((near.pred_to_gt**2).mean() + (near.gt_to_pred**2).mean())


def chamfer(near: Nearest) -> float:
    """Mean distance both ways, summed."""
    return float(near.pred_to_gt.mean() + near.gt_to_pred.mean())


def fscore(near: Nearest, threshold: float) -> float:
    """Harmonic mean of precision and recall, in [0, 1]: shares of points nearer than the threshold (strictly)."""
    precision, recall = float((near.pred_to_gt < threshold).mean()), float((near.gt_to_pred < threshold).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def _cloud(points: ArrayLike) -> F64:
    p = np.asarray(points, np.float64)
    if p.ndim != 2 or p.shape[1] != 3 or not len(p) or not np.isfinite(p).all():
        got = f"shape {p.shape}" if p.ndim != 2 or p.shape[-1] != 3 or not p.size else "NaN or infinity"
        raise InputError(expected("a cloud of finite points (n, 3), n > 0", got=got, remedy="check the mesh"))
    return p
