"""Nearest neighbours of points that move a little at a time, exact, without asking for all of them anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenemaker.evaluation.measures.points import tree_of
from scenemaker.geometry.cameras import F64


class MovingNearest:
    """The nearest target of every point, kept up to date while the points move.

    A point that was asked for at a, its nearest target at the distance d1 and its second nearest at d2, and that is
    now at p: every target but the first is at least d2 - |p - a| away (triangle inequality). While the first is nearer
    than that, it is still the nearest. Only the other points are asked for again, so that the last steps of a
    registration cost little.
    """

    def __init__(self, target: F64, *, workers: int = 1) -> None:
        """Args:
        target: (m, 3) points that stay.
        workers: Threads.
        """
        self.target = target
        self._tree = tree_of(target)
        self._workers = workers
        self._anchor = np.zeros((0, 3))  # (n, 3) where each point was when it was last asked for
        self._nearest = np.zeros(0, np.intp)  # (n,) its nearest target
        self._others = np.zeros(0)  # (n,) d2, the distance to all other targets at the least

    def __call__(self, points: F64) -> NDArray[np.intp]:
        """(n,) index of the target nearest to each point (n, 3); the same points in the same order each time."""
        if len(self._anchor) != len(points):
            self._anchor = np.empty_like(points)
            self._nearest, self._others = np.empty(len(points), np.intp), np.empty(len(points))
            self._ask(points, np.arange(len(points)))
            return self._nearest
        moved = _lengths(points - self._anchor)
        now = _lengths(points - self.target[self._nearest])
        self._ask(points, np.flatnonzero(now + moved >= (1 - 1e-12) * self._others))  # a hair for rounding
        return self._nearest

    def _ask(self, points: F64, which: NDArray[np.intp]) -> None:
        if not len(which):
            return
        p = points[which]
        distances, indices = map(np.asarray, self._tree.query(p, k=2, workers=self._workers))
        self._anchor[which], self._nearest[which] = p, indices[:, 0]
        self._others[which] = distances[:, 1]  # infinite where there is one target only


def _lengths(v: F64) -> F64:
    return np.sqrt(np.einsum("ij,ij->i", v, v))
