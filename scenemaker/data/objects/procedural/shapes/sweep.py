"""Shapes along a line: rods, beams, tubes, leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.shapes.curve import circle, rectangle
from scenemaker.data.objects.procedural.shapes.loft import loft
from scenemaker.geometry.cameras import F64


def sweep(
    path: ArrayLike,
    radius: ArrayLike = 1.0,
    *,
    section: ArrayLike | None = None,
    loop: bool = False,
    rounded: bool = False,
    up: ArrayLike | None = None,
) -> Part:
    """A section carried along a path.

    Args:
        path: (k, 3).
        radius: One number, or (k,): scales the section.
        section: (s, 2) counter-clockwise; None is a circle of 10 points.
        loop: The path closes on itself.
        rounded: Half balls at both ends.
        up: (3,) where the section's second axis points, as far as it can; None is any direction.
    """
    path = np.asarray(path, np.float64)
    cut = circle(10) if section is None else np.asarray(section, np.float64)
    scale = np.broadcast_to(np.asarray(radius, np.float64), (len(path),))
    tangent = np.roll(path, -1, 0) - np.roll(path, 1, 0) if loop else _slope(path)
    tangent = tangent / np.maximum(_length(tangent), 1e-12)
    e1, e2 = _frames(tangent, None if up is None else np.asarray(up, np.float64), loop)
    start = end = None
    if rounded:
        ends = (0, -1)
        start, end = (path[i] + side * scale[i] * tangent[i] for i, side in zip(ends, (-1, 1)))
        more = [(path[i] + side * 0.75 * scale[i] * tangent[i])[None] for i, side in zip(ends, (-1, 1))]
        path = np.concatenate([more[0], path, more[1]])
        scale = np.concatenate([[0.66 * scale[0]], scale, [0.66 * scale[-1]]])
        e1, e2 = (np.concatenate([e[:1], e, e[-1:]]) for e in (e1, e2))
    offset = cut[None, :, :1] * e1[:, None] + cut[None, :, 1:] * e2[:, None]
    return loft(path[:, None] + scale[:, None, None] * offset, start=start, end=end, loop=loop)


def rod(a: ArrayLike, b: ArrayLike, radius: float, radius_b: float | None = None, *, segments: int = 12) -> Part:
    """A round bar from a to b, tapered if two radii are given, with bevelled ends."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    radius_b = radius if radius_b is None else radius_b
    length = float(np.sqrt(((b - a) ** 2).sum()))
    cut = min(0.2 * min(radius, radius_b), 0.3 * length) / length
    path = a + np.array([0, cut, 1 - cut, 1])[:, None] * (b - a)
    radii = (0.8 * radius, radius, radius_b, 0.8 * radius_b)
    return sweep(path, radii, section=circle(segments))


def beam(a: ArrayLike, b: ArrayLike, width: float, height: float, *, up: ArrayLike = (0.0, 1.0, 0.0)) -> Part:
    """A bevelled bar of rectangular section from a to b; ``height`` is towards ``up``."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    bevel = 0.12 * min(width, height)
    length = float(np.sqrt(((b - a) ** 2).sum()))
    cut = min(bevel / length, 0.3)
    path = a + np.array([0, cut, 1 - cut, 1])[:, None] * (b - a)
    shrink = 1 - bevel / max(width, height)
    return sweep(path, (shrink, 1, 1, shrink), section=rectangle(width, height, bevel), up=up)


def blade(
    path: ArrayLike, width: ArrayLike, thickness: float, *, up: ArrayLike = (0.0, 1.0, 0.0), fold: float = 0.0
) -> Part:
    """A leaf: a thin lens along a path (k, 3), as wide as told at each point (k,), creased along its middle.

    Args:
        path: Its midrib.
        width: (k,) full widths.
        thickness: Of the middle, full.
        up: Where its upper side looks.
        fold: How far its borders rise, as a share of the half width.
    """
    path = np.asarray(path, np.float64)
    tangent = _slope(path)
    tangent = tangent / np.maximum(_length(tangent), 1e-12)
    side, top = _frames(tangent, np.asarray(up, np.float64), False)
    half = np.asarray(width, np.float64)[:, None] / 2
    flat = (np.minimum(thickness / 2, 0.3 * half)) * top
    out = half * side
    rise = fold * half * top
    rings = np.stack([path + out + rise, path + flat, path - out + rise, path - flat], 1)
    return loft(rings)


def _slope(path: F64) -> F64:
    """(k, 3) central differences, one-sided at the ends."""
    out = np.empty_like(path)
    out[1:-1] = path[2:] - path[:-2]
    out[0], out[-1] = path[1] - path[0], path[-1] - path[-2]
    return out


def _cross(a: F64, b: F64) -> F64:
    """(k, 3) of (k, 3) or (3,); NumPy's own takes three times as long on few rows."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], -1)


def _length(d: F64) -> F64:
    return np.sqrt((d * d).sum(-1, keepdims=True))


def _frames(tangent: F64, up: F64 | None, loop: bool) -> tuple[F64, F64]:
    """Two unit axes (k, 3) across each tangent (k, 3): e1 x e2 = tangent."""
    if up is None:
        steep = np.abs(tangent @ _REFERENCES.T).max(0)
        best = int(np.argmin(steep))
        if steep[best] > 0.97 and not loop:
            return _carried(tangent)
        return _frames(tangent, _REFERENCES[best], loop)
    e1 = _cross(up, tangent)
    short = _length(e1)
    if short.min() < 1e-6:
        return _frames(tangent, None, loop)
    e1 = e1 / short
    return e1, _cross(tangent, e1)


def _carried(tangent: F64) -> tuple[F64, F64]:
    """Axes carried along without twist, for paths that turn every way."""
    first = np.eye(3)[int(np.argmin(np.abs(tangent[0])))]
    e1 = np.empty_like(tangent)
    for i, t in enumerate(tangent):
        across = first - (first @ t) * t
        first = e1[i] = across / np.sqrt(across @ across)
    return e1, np.cross(tangent, e1)


_REFERENCES = np.array(
    [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0.6, 0.8, 0], [-0.6, 0, 0.8], [0.48, -0.6, 0.64], [0.48, 0.6, -0.64]]
)
