"""Few rays per pixel, shared with the neighbours: patterns that differ from pixel to pixel, and their average.

The pixels of an 8 x 8 tile take different members of one well spread set of samples. The filter then averages over
8 x 8 pixels of the same surface with weights under which every member counts equally, so that on a flat surface the
noise cancels exactly (interleaved sampling, Keller & Heidrich 2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from scenemaker.scene import F32

TILE = 8
_SAME_NORMAL = 0.95  # cosine within which neighbours share their light
_SHORT, _LONG = ((1, 1.0), (2, 0.5)), ((4, 0.5),)  # (distance in pixels, weight): 4 x 4, then on to 8 x 8


@cache
def disc_samples(count: int) -> F32:
    """(64, count, 2) points in the unit disc: 64 sets, one per pixel of a tile, that are well spread together.

    A spiral of equal areas; each set takes points from all radii.
    """
    n = TILE * TILE * count
    i = np.arange(n)
    radius, angle = np.sqrt((i + 0.5) / n), i * np.pi * (3 - np.sqrt(5))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return points.reshape(count, TILE * TILE, 2).transpose(1, 0, 2).astype(np.float32)


@cache
def _ranks() -> NDArray[np.int64]:
    """(8, 8) 0..63, so spread that near numbers lie far apart (Bayer's matrix)."""
    ranks = np.zeros((1, 1), np.int64)
    while len(ranks) < TILE:
        ranks = np.block([[4 * ranks, 4 * ranks + 2], [4 * ranks + 3, 4 * ranks + 1]])
    return ranks


def cells(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) which of the 64 sets the pixels at rows and columns (n,) take."""
    return _ranks()[rows % TILE, columns % TILE]


@dataclass(frozen=True, eq=False, kw_only=True)
class Guide:
    """Tells which pixels belong to one smooth surface.

    Attributes:
        index: (H, W) int32 object.
        normal: (3, H, W) shading normals.
        offset: (H, W) distance of the surface's plane from the origin.
        tolerance: How far two planes may lie apart.
    """

    index: NDArray[np.int32]
    normal: F32
    offset: F32
    tolerance: float

    def same(self, axis: int, step: int) -> F32:
        """1 where a pixel and the one ``step`` further along ``axis`` lie on one surface, else 0."""
        here, there = _shifted(axis, step)
        cosine = _dot(self.normal[:, *here], self.normal[:, *there])
        same = (self.index[here] == self.index[there]) & (cosine > _SAME_NORMAL)
        same &= np.abs(self.offset[here] - self.offset[there]) < self.tolerance
        return same.astype(np.float32)


def smooth(field: F32, guide: Guide, *, wide: bool) -> F32:
    """(c, H, W) the field averaged over the neighbours on the same surface: 4 x 4 pixels, or 8 x 8 if ``wide``."""
    for passes in (_SHORT, _LONG) if wide else (_SHORT,):
        for axis in (1, 0):
            total, weight = field.copy(), np.ones(field.shape[1:], np.float32)
            for step, share in passes:
                here, there = _shifted(axis, step)
                w = guide.same(axis, step) * np.float32(share)
                weight[here] += w
                weight[there] += w
                total[:, *here] += w * field[:, *there]
                total[:, *there] += w * field[:, *here]
            field = total / weight
    return field


def _shifted(axis: int, step: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    before, after = slice(None, -step), slice(step, None)
    return ((slice(None), before), (slice(None), after)) if axis else ((before,), (after,))


def _dot(a: F32, b: F32) -> F32:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
