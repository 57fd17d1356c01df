"""Boxes as they are made: with bevelled edges, or rounded and stuffed."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from scenemaker.data.objects.procedural.part import I32, Part
from scenemaker.geometry.cameras import F64

Size = tuple[float, float, float]


def box(size: Size, at: Size = (0.0, 0.0, 0.0), *, bevel: float | None = None, top: Size | float = 1.0) -> Part:
    """A box with bevelled edges standing on a point; 44 faces.

    Args:
        size: Full sides.
        at: Middle of its bottom.
        bevel: Width cut off the edges; None is 8 % of the shortest side.
        top: Size of the top over that of the bottom: one number, or x and z (the middle of the three is not used).
    """
    half = np.asarray(size, np.float64) / 2
    cut = min(0.08 * 2 * half.min() if bevel is None else bevel, 0.45 * 2 * half.min())
    signs, full, faces, vertex_point, vertex_axis = _bevelled()
    points = signs * np.where(full, half, half - cut)
    uv = _box_uv(points, half, vertex_point, vertex_axis)
    points[:, 1] += half[1]
    if top != 1.0:
        tx, tz = (top, top) if isinstance(top, (int, float)) else (top[0], top[2])
        up = points[:, 1] / (2 * half[1])
        points[:, 0] *= 1 + (tx - 1) * up
        points[:, 2] *= 1 + (tz - 1) * up
    return Part(points=points + at, at=vertex_point, uv=uv, faces=faces)


def cushion(
    size: Size, at: Size = (0.0, 0.0, 0.0), *, radius: float | None = None, puff: float = 0.0, steps: int = 2
) -> Part:
    """A rounded box standing on a point, its faces swollen by ``puff`` (a share of the shortest side).

    Args:
        size: Full sides, before swelling.
        at: Middle of its bottom.
        radius: Of the rounded edges; None is 30 % of the shortest side.
        puff: How far the middle of each face comes out.
        steps: Of the rounding; 300 faces with 2.
    """
    half = np.asarray(size, np.float64) / 2
    shortest = 2 * half.min()
    r = min(0.3 * shortest if radius is None else radius, 0.49 * shortest)
    middle = 3 if puff else 1
    grid, faces, vertex_point, vertex_axis = _cube(2 * steps + middle)
    bend = r * np.tan(np.radians(45 * np.arange(1, steps + 1) / steps))
    line = np.arange(middle + 1) / middle * 2 - 1  # the flat middle
    inner = half - r
    coordinate = np.stack([np.concatenate([-h - bend[::-1], h * line, h + bend]) for h in inner])  # (3, n + 1)
    p = np.stack([coordinate[a, grid[:, a]] for a in range(3)], 1)
    core = np.clip(p, -inner, inner)
    out = p - core
    points = core + r * out / np.sqrt((out * out).sum(1, keepdims=True))
    uv = _box_uv(points, half, vertex_point, vertex_axis)
    if puff:
        t = points / half
        swell = 1 - np.clip(t * t, 0, 1)
        points = points + puff * shortest * t * np.stack(
            [swell[:, 1] * swell[:, 2], swell[:, 0] * swell[:, 2], swell[:, 0] * swell[:, 1]], 1
        )
    points[:, 1] += half[1]
    return Part(points=points + at, at=vertex_point, uv=uv, faces=faces)


def _box_uv(points: F64, half: F64, vertex_point: I32, vertex_axis: I32) -> F64:
    """(k, 2) each face seen from its front; v is along the grain, which is the longest side of the box."""
    order = np.argsort(-half, kind="stable")
    in_face = [[int(a) for a in order if a != n] for n in range(3)]
    uv_axes = np.array(in_face)[:, ::-1]
    axes = uv_axes[vertex_axis]  # (k, 2)
    return np.take_along_axis(points[vertex_point], axes, 1)


@lru_cache(maxsize=1)
def _bevelled() -> tuple[F64, np.ndarray, I32, I32, I32]:
    """Corners as signs, the axis in which each is full, faces, and vertices as (point, axis of their chart)."""
    corners: list[tuple[int, ...]] = list(product((-1, 1), repeat=3))
    points = [(c, a) for c in corners for a in range(3)]
    index = {p: i for i, p in enumerate(points)}
    polygons: list[tuple[list[int], int]] = []
    for a, side in product(range(3), (-1, 1)):
        b, c = (a + 1) % 3, (a + 2) % 3
        loop = []
        for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            corner = [0, 0, 0]
            corner[a], corner[b], corner[c] = side, u, v
            loop.append(index[tuple(corner), a])
        polygons.append((loop, a))
    for a, s, t in product(range(3), (-1, 1), (-1, 1)):  # the edge along axis a
        b, c = (a + 1) % 3, (a + 2) % 3
        ends = []
        for along in (-1, 1):
            corner = [0, 0, 0]
            corner[a], corner[b], corner[c] = along, s, t
            ends.append(tuple(corner))
        polygons.append(([index[ends[0], b], index[ends[1], b], index[ends[1], c], index[ends[0], c]], b))
    polygons += [([index[c, 0], index[c, 1], index[c, 2]], 0) for c in corners]
    signs = np.array([c for c, _ in points], np.float64)
    full = np.array([[k == a for k in range(3)] for _, a in points])
    where = signs * np.where(full, 1.0, 0.8)
    vertices: dict[tuple[int, int], int] = {}
    faces = []
    for loop, axis in polygons:
        p = where[loop]
        if np.cross(p[1] - p[0], p[2] - p[0]) @ p.mean(0) < 0:
            loop = loop[::-1]
        v = [vertices.setdefault((i, axis), len(vertices)) for i in loop]
        faces += [(v[0], v[i], v[i + 1]) for i in range(1, len(v) - 1)]
    table = np.array(list(vertices), np.int32)
    return signs, full, np.array(faces, np.int32), table[:, 0].copy(), table[:, 1].copy()


@lru_cache(maxsize=16)
def _cube(n: int) -> tuple[I32, I32, I32, I32]:
    """Surface of a cube of n cells a side: grid places (p, 3), faces, and vertices as (point, axis of their chart)."""
    places: dict[tuple[int, ...], int] = {}
    vertex_point, vertex_axis, faces = [], [], []
    for axis, side in product(range(3), (0, n)):
        b, c = (axis + 1) % 3, (axis + 2) % 3
        first = len(vertex_point)
        for i, j in product(range(n + 1), repeat=2):
            place = [0, 0, 0]
            place[axis], place[b], place[c] = side, i, j
            vertex_point.append(places.setdefault(tuple(place), len(places)))
            vertex_axis.append(axis)
        for i, j in product(range(n), repeat=2):
            v = first + i * (n + 1) + j
            quad = [v, v + n + 1, v + n + 2, v + 1]
            quad = quad if side else quad[::-1]
            faces += [(quad[0], quad[1], quad[2]), (quad[0], quad[2], quad[3])]
    return (
        np.array(list(places), np.int32),
        np.array(faces, np.int32),
        np.array(vertex_point, np.int32),
        np.array(vertex_axis, np.int32),
    )
