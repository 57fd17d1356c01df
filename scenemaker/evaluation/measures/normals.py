"""Normals of a point cloud, from the neighbours of each point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.evaluation.measures.points import tree_of
from scenemaker.geometry.cameras import F64

NEIGHBOURS = 20
BATCH = 16384  # points at a time: 16384 * 20 neighbours of 3 numbers are 8 MiB


def normals_of(points: ArrayLike, *, neighbours: int = NEIGHBOURS) -> F64:
    """(n, 3) unit normals: the least spread direction of each point and its nearest neighbours; NaN where none is.

    The sign is arbitrary. There is no normal where the neighbours lie in one point or on one line. The cost grows
    with n log n.

    Reference: Hoppe et al., "Surface reconstruction from unorganized points", SIGGRAPH 1992, section 3.1.

    Args:
        points: (n, 3).
        neighbours: How many, the point itself included; all of a smaller cloud.
    """
    p = np.asarray(points, np.float64)
    k = min(neighbours, len(p))
    normals = np.full(p.shape, np.nan)
    if k < 3:
        return normals
    tree = tree_of(p)
    for start in range(0, len(p), BATCH):
        rows = slice(start, start + BATCH)
        near = p[np.asarray(tree.query(p[rows], k=k)[1], np.int64)]  # (b, k, 3)
        near = near - near.mean(1, keepdims=True)
        spread, axes = np.linalg.eigh(near.transpose(0, 2, 1) @ near)  # ascending
        flat = spread[:, 1] > 1e-9 * spread[:, 2]  # the second axis is there: not a line, not a point
        normals[rows] = np.where(flat[:, None], axes[:, :, 0], np.nan)
    return normals
