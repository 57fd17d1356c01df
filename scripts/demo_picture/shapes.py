"""Procedural surfaces as (vertices, faces): boxes with round edges, turned and swept shapes, leaves. Metres, y up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Surface = tuple[F64, NDArray[np.int32]]


def grid(f: Callable[[F64, F64], F64], n_u: int, n_v: int) -> Surface:
    """A surface p = f(u, v) over [0, 1] x [0, 1]; its outside is du x dv."""
    u, v = np.meshgrid(np.linspace(0, 1, n_u + 1), np.linspace(0, 1, n_v + 1), indexing="ij")
    vertices = f(u.ravel(), v.ravel())
    i = (np.arange(n_u)[:, None] * (n_v + 1) + np.arange(n_v)).ravel()
    a, b, c, d = i, i + n_v + 1, i + n_v + 2, i + 1
    return vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)


def join(*surfaces: Surface) -> Surface:
    """Several surfaces as one."""
    offsets = np.cumsum([0, *(len(v) for v, _ in surfaces)])
    return (
        np.concatenate([v for v, _ in surfaces]),
        np.concatenate([f + o for (_, f), o in zip(surfaces, offsets, strict=False)]).astype(np.int32),
    )


def moved(surface: Surface, t: tuple[float, float, float] = (0, 0, 0), R: F64 | None = None) -> Surface:
    """The surface turned by R, then shifted by t."""
    v, f = surface
    return (v if R is None else v @ R.T) + np.asarray(t, np.float64), f


def turn(axis: str, degrees: float) -> F64:
    """(3, 3) right-handed rotation about "x", "y" or "z"."""
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    R = np.eye(3)
    R[j, j], R[j, k], R[k, j], R[k, k] = c, -s, s, c
    return R


def rounded_box(size: tuple[float, float, float], radius: float, *, puff: float = 0.0, n: int = 28) -> Surface:
    """A box centred at the origin whose edges are round; ``puff`` lets its faces swell like a cushion's."""
    half = np.asarray(size) / 2
    inner = half - radius

    def face(axis: int, sign: float) -> Surface:
        def f(u: F64, v: F64) -> F64:
            s, t = -np.cos(np.pi * u), -np.cos(np.pi * v)  # dense near the edges
            q = np.empty((len(u), 3))
            j, k = (axis + 1) % 3, (axis + 2) % 3
            q[:, axis], q[:, j], q[:, k] = sign * half[axis], s * half[j] * sign, t * half[k]
            core = np.clip(q, -inner, inner)
            out = q - core
            out /= np.linalg.norm(out, axis=1, keepdims=True)
            swell = puff * np.prod(1 - (core / half) ** 2 * 0.95, axis=1, keepdims=True)
            return core + (radius + swell) * out

        return grid(f, n, n)

    return join(*(face(axis, sign) for axis in range(3) for sign in (-1.0, 1.0)))


def lathe(profile: list[tuple[float, float]], n: int = 96, *, smooth: int = 0) -> Surface:
    """The solid that a profile of (radius, height), listed upwards, sweeps about y; ``smooth`` rounds it."""
    points = np.asarray(profile, np.float64)
    for _ in range(smooth):  # Chaikin's corner cutting, ends kept
        a, b = points[:-1], points[1:]
        cut = np.stack([0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b], 1).reshape(-1, 2)
        points = np.concatenate([points[:1], cut, points[-1:]])
    at = np.linspace(0, 1, len(points))

    def f(u: F64, v: F64) -> F64:
        r, y = np.interp(u, at, points[:, 0]), np.interp(u, at, points[:, 1])
        return np.stack([r * np.cos(2 * np.pi * v), y, r * np.sin(2 * np.pi * v)], 1)

    return grid(f, len(points) - 1, n)


def ball(radius: float, n: int = 96) -> Surface:
    """A sphere at the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, n // 2 + 1)
    return lathe([(radius * np.cos(a), radius * np.sin(a)) for a in angle], n)


def pouf(radius: float, height: float, ribs: int = 26) -> Surface:
    """A knitted floor cushion: a flat ball with twisted ribs, standing on y = 0."""

    def f(u: F64, v: F64) -> F64:
        lat, lon = (u - 0.5) * np.pi, 2 * np.pi * v
        flat = np.sign(np.sin(lat)) * np.abs(np.sin(lat)) ** 0.72
        wide = np.cos(lat) ** 0.62
        rib = np.abs(np.sin(ribs / 2 * lon + 2.2 * lat)) ** 0.7
        stitch = 0.25 * np.sin(46 * lat + 6 * rib)
        r = radius * (wide - 0.045 * wide**0.5 * (1 - rib) + 0.006 * stitch * wide)
        y = height / 2 * (1 + flat * (1 - 0.10 * np.exp(-((wide / 0.22) ** 2))))
        return np.stack([r * np.cos(lon), y, r * np.sin(lon)], 1)

    return grid(f, 180, 620)


def tube(path: F64, radius: tuple[float, float], n: int = 20) -> Surface:
    """A round bar along a path (k, 3), its radius going from the first to the second number."""
    at = np.linspace(0, 1, len(path))
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.cross(tangent, [0.31, 0.17, 0.93])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(tangent, side)

    def f(u: F64, v: F64) -> F64:
        def along(x: F64) -> F64:
            return np.stack([np.interp(u, at, x[:, i]) for i in range(3)], 1)

        r = np.interp(u, [0, 1], radius)[:, None]
        a = 2 * np.pi * v[:, None]
        return along(path) + r * (np.cos(a) * along(side) + np.sin(a) * along(other))

    return grid(f, len(path) - 1, n)


def leaf(length: float, width: float, droop: float) -> Surface:
    """A broad leaf from the origin along +z, bending down, folded at its midrib."""

    def f(u: F64, v: F64) -> F64:
        outline = width * np.sin(np.pi * u**0.8) ** 0.8 * (1 - 0.25 * u)
        x = (v - 0.5) * outline
        y = 0.35 * np.abs(x) - droop * length * u**2 + 0.012 * np.sin(9 * np.pi * u) * np.abs(v - 0.5)
        return np.stack([x, y, length * u * (1 - 0.15 * droop * u)], 1)

    return grid(f, 36, 16)
