"""Sums of Gaussians in time linear in the points, by the permutohedral lattice.

Points are lifted from 3D into the plane sum = 0 of 4D, which a lattice cuts into equal tetrahedra. Every target gives
its value to the corners of its own (splat), the corners share with their neighbours (blur), and every query reads
from the corners of its own (slice). That is a Gaussian of unit variance up to a constant factor, but a coarse one: the
cells are about as wide as the Gaussian, so where the origin lies shows in the result.

Reference: Adams, Baek and Davis, "Fast high-dimensional filtering using the permutohedral lattice", Eurographics
2010, section 3. As in the code that probreg builds on (Kraehenbuehl's, 2013), only corners exist that a target or a
query touches; what would pass through others is lost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, expected
from scenemaker.geometry.cameras import F64

I64 = NDArray[np.int64]

FARTHEST = 1e5  # standard deviations from the origin; beyond, corners could share a number
_LIFT = np.array([[1, 1, 1], [-1, 1, 1], [0, -2, 1], [0, 0, -3]]) / np.sqrt([2, 6, 12])  # columns: a basis of the plane
_AXES = np.array([1 << 42, 1 << 21, 1], np.int64)  # a corner is told by three of its coordinates, here as one number
_ALL = int(_AXES.sum())
_STEPS = [4 * int(axis) - _ALL for axis in _AXES] + [-_ALL]  # to the next corner along each of the four axes


class Located(NamedTuple):
    """Where points lie in the lattice.

    Attributes:
        corners: (4, n) the corners of each point's tetrahedron, as numbers.
        weights: (4, n) barycentric, summing to 1.
    """

    corners: I64
    weights: F64


def locate(points: F64, *, blur: bool) -> Located:
    """The tetrahedra of points (n, 3), in units of the Gaussian's standard deviation.

    Args:
        points: At most ``FARTHEST`` from the origin along every axis.
        blur: Whether a blur follows, which adds to the variance; else the cells are twice as wide.
    """
    lifted = _LIFT @ (4 * np.sqrt(2 / 3 if blur else 1 / 6) * points.T)  # (4, n); section 3.1: the variance is 1
    cell = np.rint(lifted / 4)
    rest = lifted - 4 * cell
    rank = np.zeros(rest.shape, np.int64)  # place in descending order; of two equal ones the first comes first
    for a in range(3):
        for b in range(a + 1, 4):
            less = rest[a] < rest[b]
            rank[a] += less
            rank[b] += ~less
    rank += cell.sum(0).astype(np.int64)  # rounding may leave the plane: go to the nearest corner that is in it
    wrap = (rank < 0).astype(np.int64) - (rank > 3)
    rank, cell, rest = rank + 4 * wrap, cell + wrap, rest - 4 * wrap
    ordered = np.empty_like(rest)
    np.put_along_axis(ordered, rank, rest / 4, 0)  # descending
    weights = np.concatenate([1 + ordered[3:] - ordered[:1], (ordered[:3] - ordered[1:])[::-1]])
    origin = 4 * (_AXES @ cell[:3].astype(np.int64))  # (n,)
    corners = np.stack([origin + k * _ALL - 4 * (_AXES @ (rank[:3] > 3 - k)) for k in range(4)])
    return Located(corners, weights)


class GaussianSums:
    """Sums over targets y_j of v_j exp(-|x - y_j|^2 / 2), up to a constant factor, at any queries x."""

    def __init__(self, targets: F64, values: F64, *, crowded: float = 0.015) -> None:
        """Takes the targets (m, 3), in units of the Gaussian's standard deviation, with their values (m, k).

        Args:
            targets: Points.
            values: What is summed.
            crowded: With more corners than this share of the targets the cells are small for them, and nothing is
                blurred (probreg's rule and number).

        Raises:
            InputError: A target too far from the origin.
        """
        self._targets, self._values, self._crowded = _near(targets), values, crowded
        self._splats: dict[bool, tuple[I64, F64]] = {}

    def __call__(self, queries: F64) -> F64:
        """(n, k) sums at queries (n, 3); all queries of a call share one lattice.

        Raises:
            InputError: A query too far from the origin.
        """
        sums, at = self._blurred(_near(queries)) or self._plain(queries)
        return np.einsum("an,ank->nk", at.weights, sums[at.corners])

    def _blurred(self, queries: F64) -> tuple[F64, Located] | None:
        """Sums at all corners, and at which of them each query reads; None where the lattice is crowded."""
        at, (theirs, given) = locate(queries, blur=True), self._splat(True)
        corners = np.union1d(theirs, at.corners)
        if len(corners) > self._crowded * len(self._targets):
            return None
        sums = np.zeros((len(corners) + 1, given.shape[1]))  # the last row stands for corners that do not exist
        sums[np.searchsorted(corners, theirs)] = given
        for step in _STEPS:
            sums[:-1] += (sums[_place(corners, corners + step)] + sums[_place(corners, corners - step)]) / 2
        return sums, at._replace(corners=np.searchsorted(corners, at.corners))

    def _plain(self, queries: F64) -> tuple[F64, Located]:
        at, (theirs, given) = locate(queries, blur=False), self._splat(False)
        sums = np.concatenate([given, np.zeros((1, given.shape[1]))])
        return sums, at._replace(corners=_place(theirs, at.corners))

    def _splat(self, blur: bool) -> tuple[I64, F64]:
        """The corners that targets touch, ascending, and the values (corners, k) they got."""
        if blur not in self._splats:
            at = locate(self._targets, blur=blur)
            corners, place = np.unique(at.corners, return_inverse=True)
            parts = at.weights[:, :, None] * self._values  # (4, m, k)
            given = [np.bincount(place.reshape(-1), p.reshape(-1), len(corners)) for p in np.moveaxis(parts, 2, 0)]
            self._splats[blur] = (corners, np.stack(given, 1, dtype=np.float64))
        return self._splats[blur]


def _place(corners: I64, wanted: I64) -> I64:
    """Place of each wanted corner among ascending ones; -1 where it is not there."""
    place = np.searchsorted(corners, wanted).clip(max=len(corners) - 1)
    return np.where(corners[place] == wanted, place, -1)


def _near(points: F64) -> F64:
    farthest = float(np.abs(points).max(initial=0))
    if farthest > FARTHEST:
        what = f"points within {FARTHEST:.0e} standard deviations of the origin"
        raise InputError(expected(what, got=f"{farthest:.3g}", remedy="centre the clouds, or widen the Gaussian"))
    return points
