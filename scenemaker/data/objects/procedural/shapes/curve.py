"""Curves and cross-sections: plain arrays of points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.geometry.cameras import F64


def smooth(points: ArrayLike, n: int = 16) -> F64:
    """(n, d) points on the Catmull-Rom curve through (m, d) points, both ends included."""
    p = np.asarray(points, np.float64)
    p = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    t = np.linspace(0, len(p) - 3, n)
    i = np.minimum(t.astype(int), len(p) - 4)
    t = (t - i)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def arc(radius: float, from_deg: float, to_deg: float, n: int = 16, plane: str = "xy") -> F64:
    """(n, 3) points of an arc about the origin, both ends included, from the plane's first axis to its second."""
    t = np.radians(np.linspace(from_deg, to_deg, n))
    out = np.zeros((n, 3))
    out[:, "xyz".index(plane[0])] = radius * np.cos(t)
    out[:, "xyz".index(plane[1])] = radius * np.sin(t)
    return out


def circle(s: int = 16, radius: float = 1.0) -> F64:
    """(s, 2) counter-clockwise."""
    t = 2 * np.pi * np.arange(s) / s
    return radius * np.stack([np.cos(t), np.sin(t)], 1)


def superellipse(s: int, width: float, height: float, power: float = 4.0) -> F64:
    """(s, 2) rounded rectangle of full width and height; 2 is an ellipse, larger is squarer."""
    c = circle(s)
    return np.sign(c) * np.abs(c) ** (2 / power) * (width / 2, height / 2)


def rectangle(width: float, height: float, bevel: float) -> F64:
    """(8, 2) rectangle with cut corners, counter-clockwise."""
    x, y = width / 2, height / 2
    i, j = x - bevel, y - bevel
    return np.array([(x, -j), (x, j), (i, y), (-i, y), (-x, j), (-x, -j), (-i, -y), (i, -y)])


def star(tips: int, outer: float, inner: float, flat: float = 0.0) -> F64:
    """(2 tips, 2) a star, or with ``flat`` > 0 (4 tips, 2) a gear whose teeth are that share of a step wide."""
    step = 2 * np.pi / tips
    if flat <= 0:
        t, r = step / 2 * np.arange(2 * tips), np.tile([outer, inner], tips)
    else:
        edges = step * flat * np.array([-0.65, -0.35, 0.35, 0.65])
        t, r = (step * np.arange(tips)[:, None] + edges).ravel(), np.tile([inner, outer, outer, inner], tips)
    return np.stack([r * np.cos(t), r * np.sin(t)], 1)
