"""Pieces that furniture shares: legs, columns, drawers, knobs."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.shapes import box, lathe, rod, smooth


def leg(
    rng: np.random.Generator, at: tuple[float, float], height: float, width: float, splay: float | None = None
) -> Part:
    """One leg under the corner (x, z), both positive: square, tapered, round, splayed or turned."""
    kind = pick(rng, ("square", "tapered", "tapered", "round", "splayed", "turned"))
    x, z = at
    if splay is not None or kind == "splayed":
        out = spread(rng, 0.02, 0.16) * height if splay is None else splay
        return rod((x + out * 0.7, 0, z + out * 0.7), (x, height, z), width * 0.28, width * 0.46)
    if kind == "square":
        return box((width, height, width), (x, 0, z))
    if kind == "tapered":
        return box((width * spread(rng, 0.5, 0.7), height, width * 0.6), (x, 0, z), top=1.6)
    if kind == "round":
        return rod((x, 0, z), (x, height, z), width * 0.4, width * 0.5, segments=14)
    return turned_column(rng, width * 0.42, height, segments=14).move(x, 0, z)


def turned_column(rng: np.random.Generator, radius: float, height: float, segments: int = 20) -> Part:
    """A column as from a wood turner: beads, hollows and swellings."""
    n = count(rng, 3, 6)
    y = np.linspace(0, 1, n + 2)
    r = np.array([1.15, *(spread(rng, 0.55, 1.3) for _ in range(n)), 1.1])
    profile = smooth(np.stack([r * radius, y * height], 1), 4 * n + 6)
    profile[:, 0] = np.maximum(profile[:, 0], 0.4 * radius)
    if chance(rng, 0.5):
        i = count(rng, 2, len(profile) - 3)
        profile[i : i + 2, 0] *= 1.3
    profile[:, 1] = np.clip(profile[:, 1], 0, height)
    return lathe(profile, segments)


def knob_profile(radius: float) -> list[tuple[float, float]]:
    """Of a round knob of depth 2 radii, to turn about its axis."""
    r = radius
    return [
        (0, 0),
        (0.5 * r, 0),
        (0.4 * r, 0.7 * r),
        (r, 1.1 * r),
        (0.95 * r, 1.6 * r),
        (0.5 * r, 1.95 * r),
        (0, 2 * r),
    ]


def knob(radius: float, at: tuple[float, float, float]) -> Part:
    """A round knob that sticks out towards +z."""
    return lathe(knob_profile(radius), 12).turn("x", 90).move(*at)


def handle(width: float, at: tuple[float, float, float], *, upright: bool = False) -> list[Part]:
    """A bar handle towards +z about a point."""
    r, out = 0.035 * width + 0.003, 0.12 * width + 0.012
    half = width / 2
    bar = rod((-half, 0, out), (half, 0, out), r, segments=8)
    posts = [rod((s * half * 0.8, 0, -0.01), (s * half * 0.8, 0, out), r, segments=8) for s in (-1, 1)]
    parts = [bar, *posts]
    if upright:
        parts = [p.turn("z", 90) for p in parts]
    return [p.move(*at) for p in parts]


def drawer(
    size: tuple[float, float],
    at: tuple[float, float, float],
    of: Material,
    pull: Material,
    *,
    knobs: bool,
    lip: float = 0.018,
) -> list[Part]:
    """The front of a drawer, wide and tall, its bottom middle at a point, with knobs or a bar."""
    w, h = size
    x, y, z = at
    front = z + lip
    parts = [box((w, h, 2 * lip), (x, y, z), bevel=0.3 * lip).of(of)]
    size_of_pull = 0.08 * min(w, 2 * h) + 0.004
    if knobs:
        where = (-0.25, 0.25) if w > 2.2 * h else (0.0,)
        return parts + [knob(size_of_pull * 0.9, (x + k * w, y + h / 2, front - 0.003)).of(pull) for k in where]
    return parts + [p.of(pull) for p in handle(0.3 * w, (x, y + h / 2, front))]


def door(
    size: tuple[float, float],
    at: tuple[float, float, float],
    of: Material,
    inset: Material,
    pull: Material,
    *,
    left: bool,
    style: int,
) -> list[Part]:
    """A cupboard door: plain, framed or with two fields; its bottom middle at a point, its pull away from the hinge."""
    w, h = size
    x, y, z = at
    d = 0.02
    parts = [box((w, h, 2 * d), (x, y, z), bevel=0.005).of(of)]
    side = 1 if left else -1
    if style:
        rim, fields = 0.14 * min(w, h), style
        tall = (h - rim * (fields + 1)) / fields
        for i in range(fields):
            base = y + rim + i * (tall + rim)
            parts.append(box((w - 2 * rim, tall, 0.012), (x, base, z + d), bevel=0.005).of(inset))
    reach = x + side * w * 0.43
    return [*parts, *(p.of(pull) for p in handle(0.1 + 0.1 * h, (reach, y + h * 0.5, z + d), upright=True))]
