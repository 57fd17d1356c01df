"""Observed points as the reference prepares them: of a larger picture, without stray ones, normalised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.cameras import F64
from scenemaker.scene import Bool

NEIGHBOURS, SPREADS = 15, 2.0
FILL = 0.95


def resized_points(points_cam: NDArray[np.floating], own: Bool, width: int, height: int) -> F64:
    """(height, width, 3) points of one object in a picture of another size, NaN where none of its points is near.

    Bilinear among its own points alone, so that no point lies between it and what is behind it.
    """
    import cv2

    if own.shape == (height, width):
        return np.where(own[..., None], points_cam, np.nan).astype(np.float64)
    weight = cv2.resize(own.astype(np.float64), (width, height), interpolation=cv2.INTER_LINEAR)
    filled = np.where(own[..., None], points_cam, 0.0).astype(np.float64)
    total = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight[..., None] > 1e-6, total / weight[..., None], np.nan)


def without_outliers(points: F64, *, neighbours: int = NEIGHBOURS, spreads: float = SPREADS) -> F64:
    """The points (n, 3) whose neighbours are about as near as those of the others.

    Of every point the mean distance to its ``neighbours`` nearest is taken, itself among them; points for which it is
    more than ``spreads`` standard deviations above the mean over all points are left out, and so are those for which
    it is 0. As Open3D's ``remove_statistical_outlier``.
    """
    from scipy.spatial import KDTree

    if len(points) < 2:
        return points[:0]
    distance, _ = KDTree(points).query(points, k=min(neighbours, len(points)))
    mean = np.asarray(distance, np.float64).mean(1)  # (n,)
    near = mean > 0
    if near.sum() < 2:
        return points[:0]
    limit = mean[near].mean() + spreads * mean[near].std(ddof=1)
    return points[near & (mean < limit)]


def normalised(points: F64) -> tuple[F64, F64, float]:
    """Points (n, 3) about the centre (3,) of their box, over their reach in x and y, times 0.95; centre and reach."""
    centre = (points.max(0) + points.min(0)) / 2
    reach = float(np.abs(points[:, :2] - centre[:2]).max())
    return (points - centre) / reach * FILL, centre, reach
