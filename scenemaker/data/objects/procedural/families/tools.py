"""Hammers, screwdrivers, wrenches, keys, scissors: they lie or stand as they are."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    box,
    circle,
    holed_plate,
    lathe,
    loft,
    ring,
    rod,
    smooth,
    superellipse,
    sweep,
)  # fmt: skip


def laid(rng: np.random.Generator, parts: list[Part], likely: float = 0.6) -> list[Part]:
    """A long upright thing laid on its side, or left standing."""
    return [p.turn("z", 90) for p in parts] if chance(rng, likely) else parts


def _grip(long: float, r: float, of: Material) -> Part:
    """A handle from y = 0 up, oval, swelling at its end."""
    y = np.linspace(0, long, 9)
    swell = np.array([0.9, 1.15, 1.1, 1, 0.95, 0.92, 0.9, 0.88, 0.86])
    path = np.stack([0 * y, y, 0 * y], 1)
    return sweep(path, r * swell, section=superellipse(14, 2.0, 1.5, 2.4), rounded=True).of(of)


@family("hammer", stretch=(0.08, 0.12, 0.12))
def hammer(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Claw, ball, sledge and wooden hammers."""
    handle_of = look.wood() if chance(rng, 0.6) else look.plastic()
    steel = look.metal()
    long, r = spread(rng, 0.7, 1.0), spread(rng, 0.028, 0.04)
    kind = pick(rng, ("claw", "claw", "ball", "sledge", "mallet"))
    parts = [_grip(long, r, handle_of)]
    y = long - 0.02
    if kind == "mallet":
        size = spread(rng, 0.09, 0.14)
        head = pick(rng, (look.wood(), look.dark()))
        if chance(rng, 0.5):
            parts.append(rod((-0.19, y, 0), (0.19, y, 0), size, segments=24).of(head))
        else:
            parts.append(box((0.36, 1.7 * size, 1.3 * size), (0, y - 0.85 * size, 0), bevel=0.02).of(head))
    elif kind == "sledge":
        w = spread(rng, 0.065, 0.1)
        parts.append(
            sweep(
                [(-0.17, y, 0), (-0.15, y, 0), (0.15, y, 0), (0.17, y, 0)],
                w * np.array([0.75, 1, 1, 0.75]),
                section=circle(8),
                up=(0, 1, 0),
            ).of(steel)
        )
    else:
        w = spread(rng, 0.045, 0.06)
        profile = [
            (0, 0),
            (w, 0),
            (w * 1.05, 0.015),
            (w, 0.045),
            (w * 0.6, 0.07),
            (w * 0.62, 0.12),
            (w * 0.9, 0.16),
            (0, 0.16),
        ]
        parts.append(lathe(profile, 20).turn("z", 90).move(0.2, y, 0).of(steel))
        parts.append(box((0.13, 2 * w, 1.7 * w), (0.0, y - w, 0), bevel=0.012).of(steel))
        if kind == "ball":
            parts += [rod((-0.04, y, 0), (-0.12, y, 0), 0.6 * w).of(steel), ball(1.9 * w, (-0.14, y, 0), 16).of(steel)]
        else:
            for side in (-1, 1):
                path = smooth(
                    [
                        (-0.03, y, side * 0.3 * w),
                        (-0.12, y + 0.012, side * 0.45 * w),
                        (-0.22, y - 0.06, side * 0.8 * w),
                    ],
                    9,
                )
                parts.append(
                    sweep(
                        path, np.linspace(1, 0.25, 9), section=superellipse(10, 0.75 * w, 1.3 * w, 4), up=(0, 1, 0)
                    ).of(steel)
                )
    return laid(rng, parts)


@family("screwdriver", stretch=(0.12, 0.12, 0.1))
def screwdriver(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Slim to stubby, fluted or round grips."""
    grip, steel, band = look.accent(), look.metal(), look.dark()
    long, r = spread(rng, 0.3, 0.48), spread(rng, 0.06, 0.095)
    flutes = pick(rng, (0, 6, 6, 8))
    profile = smooth(
        [
            (r * 0.5, 0),
            (r * 0.9, 0.02),
            (r, 0.25 * long),
            (r * 0.92, 0.6 * long),
            (r * 0.6, 0.8 * long),
            (r * 0.75, 0.93 * long),
            (r * 0.6, long),
        ],
        20,
    )
    wave = (lambda t, y: 1 - 0.1 * np.abs(np.sin(flutes * t / 2)) * (y < 0.7 * long)) if flutes else None
    parts = [lathe([(0, -0.005), *profile.tolist(), (0, long + 0.005)], max(flutes, 6) * 4, wave=wave).of(grip)]
    shaft, thin = spread(rng, 0.3, 0.7), spread(rng, 0.016, 0.026)
    parts.append(rod((0, long - 0.02, 0), (0, long + shaft, 0), thin).of(steel))
    if chance(rng, 0.4):
        parts.append(ring(r * 0.9, 0.014, 24).move(y=0.12 * long).of(band))
    tip = long + shaft
    if chance(rng, 0.5):
        parts.append(
            box((2.6 * thin, 0.07, 0.8 * thin), (0, tip - 0.02, 0), bevel=0.003, top=(0.85, 1.0, 0.4)).of(steel)
        )
    else:
        parts.append(
            lathe(
                [
                    (0, tip - 0.01),
                    (thin * 1.05, tip - 0.01),
                    (thin, tip + 0.01),
                    (0.25 * thin, tip + 0.05),
                    (0, tip + 0.055),
                ],
                8,
                wave=lambda t, y: 1 + 0.15 * np.cos(4 * t),
            ).of(steel)
        )
    return laid(rng, parts, 0.75)


@family("wrench", stretch=(0.12, 0.15, 0.1))
def wrench(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Open jaws, rings, both, or adjustable; lying flat."""
    steel = look.metal() if chance(rng, 0.8) else look.accent()
    long, thick, w = spread(rng, 0.6, 0.9), spread(rng, 0.035, 0.06), spread(rng, 0.05, 0.08)
    parts = [
        sweep(
            [(-long / 2, 0, 0), (-long / 2 + 0.1, 0, 0), (long / 2 - 0.1, 0, 0), (long / 2, 0, 0)],
            (1.1, 0.9, 0.9, 1.1),
            section=superellipse(14, w, thick * 0.8, 4),
            up=(0, 1, 0),
        ).of(steel)
    ]
    kinds = pick(rng, (("open", "ring"), ("open", "open"), ("ring", "ring"), ("open", "hole"), ("pipe", "hole")))
    for side, kind in zip((-1, 1), kinds):
        r = w * spread(rng, 1.25, 1.7)
        x = side * (long / 2 + 0.8 * r)
        if kind == "ring":
            outer = circle(36, r)
            n = 6
            hole = (
                superellipse(36, 1.25 * r, 1.25 * r, 2)
                * (1 + 0.06 * np.cos(n * 2 * np.pi * np.arange(36) / 36))[:, None]
            )
            parts.append(holed_plate(outer, hole, thick).move(x, -thick / 2, 0).of(steel))
        elif kind == "hole":
            parts.append(ring(0.75 * w, thick * 0.45, 28).move(side * (long / 2 + 0.5 * w), 0, 0).of(steel))
        else:
            gap = spread(rng, 38, 60)
            t = np.radians(np.linspace(gap, 360 - gap, 26))
            tilt = np.radians(pick(rng, (0, 15, 22)))
            way = tilt if side > 0 else np.pi - tilt
            path = np.stack([0.82 * r * np.cos(t + way), 0 * t, -0.82 * r * np.sin(t + way)], 1) + np.array((x, 0, 0))
            size = 1.0 + 0.25 * np.abs(np.linspace(-1, 1, 26)) ** 4
            parts.append(sweep(path, size, section=superellipse(10, 0.55 * r, thick, 5), up=(0, 1, 0)).of(steel))
            if kind == "pipe":
                parts.append(
                    rod((x - side * 0.5 * r, 0, -0.9 * r), (x - side * 0.5 * r, 0, 0.9 * r), 0.3 * w, segments=14).of(
                        look.dark()
                    )
                )
    return [p.turn("x", 90) for p in parts] if chance(rng, 0.15) else parts


@family("key", stretch=(0.15, 0.2, 0.1))
def key(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Old keys with a ring, a clover or a heart for a bow; lying."""
    of = look.metal()
    r, thick, long = spread(rng, 0.12, 0.18), spread(rng, 0.02, 0.035), spread(rng, 0.5, 0.75)
    kind = pick(rng, ("ring", "clover", "plate", "oval"))
    parts: list[Part] = []
    if kind in ("ring", "oval"):
        parts.append(ring(r, thick, 32).scale(1, 1, 0.75 if kind == "oval" else 1.0))
    elif kind == "clover":
        for i in range(3):
            a = 2 * np.pi * i / 3 + np.pi / 3
            parts.append(ring(0.5 * r, thick * 0.9, 24).move(-0.5 * r * np.cos(a) * 1.1, 0, 0.55 * r * np.sin(a)))
    else:
        t = 2 * np.pi * np.arange(40) / 40
        outline = circle(40, r) * (1 + 0.12 * np.cos(count(rng, 3, 6) * t))[:, None]
        parts.append(holed_plate(outline, circle(40, 0.4 * r), 1.6 * thick).move(y=-0.8 * thick))
    parts.append(rod((r * 0.8, 0, 0), (r + long, 0, 0), thick * 0.95))
    collar = ring(thick * 1.1, thick * 0.5, 18).turn("z", 90)
    parts += [collar.move(x) for x in (r + 0.06, r + 0.6 * long)]
    for i in range(count(rng, 2, 4)):
        w, deep = spread(rng, 0.035, 0.06), spread(rng, 0.07, 0.16)
        parts.append(box((w, thick, deep), (r + long - 0.03 - 0.065 * i, -thick / 2, deep / 2)))
    return [p.of(of) for p in parts]


@family("scissors", stretch=(0.1, 0.2, 0.1))
def scissors(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Open by any angle; lying."""
    steel, grip = look.metal(), look.accent() if chance(rng, 0.7) else look.metal()
    angle, long = spread(rng, 4, 32), spread(rng, 0.45, 0.75)
    r, w = spread(rng, 0.1, 0.15), spread(rng, 0.05, 0.08)
    big = pick(rng, (1.0, 1.0, 1.3))  # a tailor's have one large eye
    cut = pick(rng, (circle(10, 0.026), superellipse(12, 0.03, 0.07, 3), superellipse(8, 0.06, 0.03, 4)))
    parts: list[Part] = []
    if chance(rng, 0.25):  # a spring between the handles
        t = np.linspace(0, 1, 10)
        bow_path = np.stack([-0.3 - 0.06 * np.sin(np.pi * t), 0 * t, 0.09 * (2 * t - 1)], 1)
        parts.append(sweep(bow_path, 0.008, section=circle(6)).of(steel))
    for side in (-1, 1):
        s = np.linspace(0, 1, 8)
        half = w * np.clip((1 - s) ** 0.6, 0.06, 1)
        rings = [
            [
                (-0.12 + (long + 0.12) * k, y, z)
                for y, z in ((-0.009, h), (0.009, h), (0.009, -0.3 * h), (-0.009, -0.3 * h))
            ][::-1]
            for k, h in zip(s, half)
        ]
        blade = loft(np.array(rings)).scale(1, 1, side).of(steel)
        path = smooth([(-0.1, 0, 0), (-0.25, 0, -0.02), (-0.38, 0, -0.07)], 7)
        shank = sweep(path, 0.024).scale(1, 1, side).of(grip)
        bow = (
            ring(r * (big if side > 0 else 1.0), 0.026, 28, cut)
            .scale(1.25, 1, 0.9)
            .move(-0.36 - r, 0, -side * 0.12)
            .of(grip)
        )
        parts += [p.turn("y", side * angle / 2).move(y=0.01 * side) for p in (blade, shank, bow)]
    parts.append(rod((0, -0.024, 0), (0, 0.024, 0), 0.025, segments=16).of(steel))
    return parts
