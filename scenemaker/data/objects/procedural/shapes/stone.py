"""Uneven balls: rocks, bushes, clods."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from scenemaker.data.objects.procedural.part import I32, Part
from scenemaker.geometry.cameras import F64


def stone(rng: np.random.Generator, *, detail: int = 3, rough: float = 0.2, cuts: int = 0, waves: float = 2.0) -> Part:
    """A ball of about radius 1, displaced by smooth noise and cut flat by random planes.

    Args:
        rng: Its form.
        detail: Subdivisions: 20 * 4^detail faces.
        rough: Size of the bumps.
        cuts: Planes that cut it.
        waves: How many bumps fit on the radius, about.
    """
    n, faces, vertex_point, vertex_axis = _icosphere(detail)
    points = n * (1 + rough * lumps(rng, n, waves))[:, None]
    for _ in range(cuts):
        axis = rng.normal(size=3)
        axis /= np.sqrt(axis @ axis)
        beyond = np.maximum(points @ axis - rng.uniform(0.55, 0.85), 0)
        points = points - 0.97 * beyond[:, None] * axis
    axes = np.array([[2, 1], [0, 2], [0, 1]])[vertex_axis]
    return Part(points=points, at=vertex_point, uv=np.take_along_axis(points[vertex_point], axes, 1), faces=faces)


def lumps(rng: np.random.Generator, points: F64, waves: float, octaves: int = 3) -> F64:
    """(n,) smooth noise of about [-1, 1] at points (n, 3): a few plane waves per octave."""
    total = np.zeros(len(points))
    for octave in range(octaves):
        k = rng.normal(size=(3, 4)) * waves * 1.9**octave
        total += np.sin(points @ k + rng.uniform(0, 2 * np.pi, 4)).sum(1) * 0.55**octave / 3
    return total


@lru_cache(maxsize=5)
def _icosphere(detail: int) -> tuple[F64, I32, I32, I32]:
    """Unit points, faces, and vertices as (point, axis of their chart)."""
    g = (1 + 5**0.5) / 2
    p = [(-1, g, 0), (1, g, 0), (-1, -g, 0), (1, -g, 0), (0, -1, g), (0, 1, g), (0, -1, -g), (0, 1, -g),
         (g, 0, -1), (g, 0, 1), (-g, 0, -1), (-g, 0, 1)]  # fmt: skip
    f = [(0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11), (1, 5, 9), (5, 11, 4), (11, 10, 2), (10, 7, 6),
         (7, 1, 8), (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8), (3, 8, 9), (4, 9, 5), (2, 4, 11), (6, 2, 10),
         (8, 6, 7), (9, 8, 1)]  # fmt: skip
    points = np.array(p, np.float64)
    faces = np.array(f)
    for _ in range(detail):
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        unique, which = np.unique(edges, axis=0, return_inverse=True)
        ab, bc, ca = which.reshape(3, -1) + len(points)
        points = np.concatenate([points, points[unique].mean(1)])
        a, b, c = faces.T
        faces = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))])
    points /= np.sqrt((points * points).sum(1, keepdims=True))
    axis = np.abs(points[faces].mean(1)).argmax(1)
    corner = faces * 3 + axis[:, None]
    unique, which = np.unique(corner, return_inverse=True)
    return (
        points,
        which.reshape(-1, 3).astype(np.int32),
        (unique // 3).astype(np.int32),
        (unique % 3).astype(np.int32),
    )
