"""Sums on the permutohedral lattice, point by point: the plain twin of ``measures.permutohedral``."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

import numpy as np


def lift(point, blur):
    """Adams et al. 2010, section 3.1: into the plane sum = 0 along an orthonormal basis, scaled to unit variance."""
    scale = 4 * np.sqrt(2 / 3) if blur else 4 * np.sqrt(1 / 6)
    basis = [[1, -1, 0, 0], [1, 1, -2, 0], [1, 1, 1, -3]]
    return scale * sum(x * np.array(b) / np.linalg.norm(b) for x, b in zip(point, basis, strict=True))


@lru_cache(maxsize=10_000)
def tetrahedron(y):
    """{corner: weight} of a point in the plane, by looking through the nearest corners whose coordinates are 4 k."""
    y = np.array(y)
    for ups in np.ndindex(2, 2, 2, 2):
        zero = 4 * (np.floor(y / 4) + ups)
        d = y - zero
        if zero.sum() or np.ptp(d) > 4:
            continue
        rising = np.argsort(d)
        corners = [zero]
        for axis in rising[:3]:  # the next corner: one step up along all axes, but three down along this one
            corners.append(corners[-1] + 1 - 4 * np.eye(4)[axis])
        steps = np.diff(d[rising]) / 4
        weights = [1 - steps.sum(), *steps]
        if not np.allclose(weights @ np.array(corners), y):
            raise AssertionError("the weights do not bring the point back")
        return {tuple(c.astype(int)): w for c, w in zip(corners, weights, strict=True)}
    raise AssertionError("no tetrahedron holds the point")


def slow_sums(queries, targets, values, blur):
    held = defaultdict(lambda: np.zeros(values.shape[1]))
    for target, value in zip(targets, values, strict=True):
        for corner, weight in tetrahedron(tuple(lift(target, blur))).items():
            held[corner] += weight * value
    cells = [tetrahedron(tuple(lift(q, blur))) for q in queries]
    exist = {*held, *(c for cell in cells for c in cell)}
    for axis in range(4) if blur else ():
        step = -np.ones(4, int) + 4 * np.eye(4, dtype=int)[axis]
        old, held = held, defaultdict(lambda: np.zeros(values.shape[1]))
        for c in exist:
            sides = [tuple(np.array(c) + step), tuple(np.array(c) - step)]
            held[c] = old[c] + sum((old[s] for s in sides if s in exist), np.zeros(values.shape[1])) / 2
    return np.array([sum(w * held[c] for c, w in cell.items()) for cell in cells])
