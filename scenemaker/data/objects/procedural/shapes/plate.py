"""Flat outlines given a thickness."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.shapes.loft import loft
from scenemaker.geometry.cameras import F64


def plate(outline: ArrayLike, height: float, *, bevel: float | None = None, top: float = 1.0) -> Part:
    """An outline (s, 2) of (x, -z), star-shaped about its middle, standing on y = 0.

    Args:
        outline: The widest section.
        height: Thickness.
        bevel: Cut off both edges; None is a tenth of the height.
        top: Size of the top over that of the bottom.
    """
    outline = np.asarray(outline, np.float64)
    x, y = outline.T
    if x @ np.roll(y, -1) < y @ np.roll(x, -1):  # clockwise
        outline = outline[::-1]
    cut = min(0.1 * height if bevel is None else bevel, 0.45 * height)
    middle = outline.mean(0)
    reach = np.sqrt(((outline - middle) ** 2).sum(1, keepdims=True))
    inset = middle + (outline - middle) * np.maximum(1 - cut / np.maximum(reach, 1e-12), 0.05)
    levels = ((inset, 0.0), (outline, cut), (outline, height - cut), (inset, height))
    rings = np.stack([_flat(middle + (o - middle) * (1 + (top - 1) * y / height), y) for o, y in levels])
    return loft(rings)


def prism(outline: ArrayLike, depth: float, *, bevel: float | None = None) -> Part:
    """As ``plate``, standing upright: an outline (s, 2) of (x, y), its thickness along z, centred on z = 0."""
    return plate(outline, depth, bevel=bevel).turn("x", 90).move(z=-depth / 2)


def holed_plate(outline: ArrayLike, hole: ArrayLike, height: float, *, bevel: float | None = None) -> Part:
    """A plate with a hole: both outlines (s, 2) of as many points, those of one angle together."""
    outer, inner = np.asarray(outline, np.float64), np.asarray(hole, np.float64)
    cut = min(0.1 * height if bevel is None else bevel, 0.45 * height)
    wide, narrow = outer, outer + (inner - outer) * 0.04
    near, far = inner, inner + (outer - inner) * 0.04
    levels = (
        (narrow, 0.0), (wide, cut), (wide, height - cut), (narrow, height),
        (far, height), (near, height - cut), (near, cut), (far, 0.0),
    )  # fmt: skip
    return loft(np.stack([_flat(o, y) for o, y in levels]), loop=True)


def _flat(outline: F64, y: float) -> F64:
    return np.stack([outline[:, 0], np.full(len(outline), y), -outline[:, 1]], 1)
