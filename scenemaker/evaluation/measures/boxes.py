"""Overlap of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def aligned_box_iou(a: ArrayLike, b: ArrayLike) -> float:
    """IoU of two boxes along the axes, each (2, 3): lowest and highest corner; 0 where both are empty."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    common = float(np.prod(np.clip(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]), 0, None)))
    union = float(np.prod(a[1] - a[0]) + np.prod(b[1] - b[0])) - common
    return common / union if union > 0 else 0.0


def bounds_of(points: ArrayLike) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(2, 3) lowest and highest corner of points (n, 3)."""
    p = np.asarray(points, np.float64)
    return np.stack([p.min(0), p.max(0)])
