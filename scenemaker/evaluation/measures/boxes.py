"""Overlap of boxes: along the axes of a frame, or each along its own.

An oriented box is the (4, 4) map of the unit cube [-0.5, 0.5]^3 onto it, so that its columns are its three sides and
its centre; ``aligned`` boxes are (2, 3), lowest and highest corner.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.errors import InputError, ShapeError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64

TRIPLES = np.array(list(combinations(range(12), 3)))  # (220, 3): a corner lies on three of the twelve sides
EXACT = 1e-9  # of the unit cube: rounding


def aligned_box_iou(a: ArrayLike, b: ArrayLike) -> float:
    """IoU of two boxes along the axes, each (2, 3): lowest and highest corner; 0 where both are empty."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    common = float(np.prod(np.clip(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]), 0, None)))
    union = float(np.prod(a[1] - a[0]) + np.prod(b[1] - b[0])) - common
    return common / union if union > 0 else 0.0


def bounds_of(points: ArrayLike) -> F64:
    """(2, 3) lowest and highest corner of points (n, 3)."""
    p = np.asarray(points, np.float64)
    return np.stack([p.min(0), p.max(0)])


def box_along(points: ArrayLike, R: ArrayLike) -> F64:
    """(4, 4) smallest box of points (n, 3) with its sides along the columns of R (3, 3)."""
    R = np.asarray(R, np.float64)
    lo, hi = bounds_of(np.asarray(points, np.float64) @ R)
    return transforms.similarity(R, R @ (lo + hi) / 2, hi - lo)


def oriented_box_iou(S_a: ArrayLike, S_b: ArrayLike) -> float:
    """IoU of two boxes, each the (4, 4) affine map of the unit cube onto it, in [0, 1]; exact but for rounding.

    In the frame where the first is the unit cube, the corners of the common part are those points where three of the
    twelve sides meet that lie within all of them; its volume is that of their hull. Flat boxes have no volume: 0.

    >>> shifted = np.eye(4)
    >>> shifted[0, 3] = 0.5
    >>> round(oriented_box_iou(np.eye(4), shifted), 6)
    0.333333

    Raises:
        ShapeError: Not (4, 4).
        InputError: NaN or infinity.
    """
    a, b = _box(S_a), _box(S_b)
    volumes = np.abs(np.linalg.det(a[:3, :3])), np.abs(np.linalg.det(b[:3, :3]))
    longest = max(np.abs(a[:3, :3]).max(), np.abs(b[:3, :3]).max())
    if min(volumes) <= 1e-12 * longest**3:
        return 0.0
    common = _common_volume(transforms.invert(a) @ b) * volumes[0]
    common = min(common, *volumes)
    return float(common / (volumes[0] + volumes[1] - common))


def _box(S: ArrayLike) -> F64:
    S = np.asarray(S, np.float64)
    remedy = "give the map of the unit cube onto the box"
    if S.shape != (4, 4):
        raise ShapeError(expected("a box (4, 4)", got=f"shape {S.shape}", remedy=remedy))
    if not np.isfinite(S).all():
        raise InputError(expected("a box of finite numbers", got="NaN or infinity", remedy=remedy))
    return S


def _common_volume(S_cube_b: F64) -> float:
    """Volume common to the unit cube and its image under S."""
    from scipy.spatial import ConvexHull

    A_b = np.linalg.inv(S_cube_b[:3, :3])  # |A_b (x - c)| <= 0.5 within the image
    length = np.linalg.norm(A_b, axis=1, keepdims=True)
    n = np.concatenate([np.eye(3), A_b / length])
    n = np.concatenate([n, -n])  # (12, 3) outward normals; n x <= h within
    half = np.concatenate([np.full(3, 0.5), 0.5 / length[:, 0]])
    centre = np.concatenate([np.zeros(3), n[3:6] @ S_cube_b[:3, 3]])
    h = np.concatenate([half + centre, half - centre])
    corners, sides = n[TRIPLES], h[TRIPLES]  # (220, 3, 3), (220, 3)
    meet = np.abs(np.linalg.det(corners)) > EXACT  # else two of the three are parallel
    x = np.linalg.solve(corners[meet], sides[meet][..., None])[..., 0]
    x = x[(x @ n.T <= h + EXACT).all(1)]
    if len(x) < 4 or np.linalg.svd(x - x.mean(0), compute_uv=False)[2] < EXACT * len(x):
        return 0.0  # apart, or they touch
    return float(ConvexHull(x).volume)
