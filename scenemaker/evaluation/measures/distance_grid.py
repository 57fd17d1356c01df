"""Rough distances to a cloud, many at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.cameras import F64


class DistanceGrid:
    """Distances to a cloud about the origin, to half a cell of a cube of cells.

    >>> float(DistanceGrid(np.zeros((1, 3)), 1, 32)(np.array([0.5, 0, 0])).round(1))
    0.5
    """

    def __init__(self, points: F64, reach: float, cells: int) -> None:
        """Grids a cloud (n, 3) within ``reach`` of the origin along every axis, ``cells`` to a side."""
        from scipy.ndimage import distance_transform_edt

        self._reach, self._cells = reach, cells
        free = np.ones(cells**3, np.bool_)
        free[self._cell(points)] = False
        away = distance_transform_edt(free.reshape((cells,) * 3))
        self._away = np.asarray(away, np.float64).reshape(-1) * (2 * reach / cells)

    def __call__(self, points: F64) -> F64:
        """(...) distances of points (..., 3); those outside count as on the rim."""
        return self._away[self._cell(points)]

    def _cell(self, points: F64) -> NDArray[np.int64]:
        i = ((points / self._reach + 1) * (self._cells / 2)).astype(np.int64).clip(0, self._cells - 1)
        return (i[..., 0] * self._cells + i[..., 1]) * self._cells + i[..., 2]
