"""Trains."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.wheels import GLASS, LAMP, wheels
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    beam,
    box,
    circle,
    cushion,
    lathe,
    prism,
    ring,
    rod,
)  # fmt: skip


@family("train", stretch=(0.0, 0.0, 0.12))
def train(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Steam locomotives with a waggon now and then."""
    body, cab_of, iron, brass = look.accent(), look.accent(), look.dark(), look.metal()
    wheel_of = look.accent() if chance(rng, 0.5) else iron
    r, long = spread(rng, 0.22, 0.3), spread(rng, 0.8, 1.2)
    base, small = 0.32, spread(rng, 0.13, 0.17)
    parts = [box((long + 0.7, 0.1, 0.56), (-0.1, base - 0.06, 0)).of(iron)]
    parts.append(
        lathe(
            [
                (0, -long / 2),
                (r, -long / 2),
                (r, long / 2 - 0.03),
                (0.85 * r, long / 2),
                (0.3 * r, long / 2 + 0.04),
                (0, long / 2 + 0.05),
            ],
            28,
        )
        .turn("z", -90)
        .move(0.12, base + r + 0.03, 0)
        .of(body)
    )
    hoop = ring(r, 0.014, 28, circle(6, 0.014)).turn("z", 90).move(0.12, base + r + 0.03, 0).of(brass)
    parts += [hoop.move(a * long) for a in (-0.2, 0.15, 0.42)]
    y = base + 2 * r
    funnel = spread(rng, 0.2, 0.4)
    top = pick(rng, (1.0, 1.6, 2.2))
    parts.append(
        lathe(
            [
                (0, y - 0.05),
                (0.09, y - 0.05),
                (0.08, y + 0.05),
                (0.07, y + 0.6 * funnel),
                (0.08 * top, y + funnel),
                (0.06 * top, y + funnel + 0.02),
                (0, y + funnel),
            ],
            20,
        )
        .move(0.12 + 0.36 * long)
        .of(iron)
    )
    for k in range(count(rng, 1, 2)):
        parts.append(
            lathe([(0, y - 0.04), (0.09, y - 0.04), (0.09, y + 0.07), (0.05, y + 0.12), (0, y + 0.13)], 18)
            .move(0.12 + (0.08 - 0.25 * k) * long)
            .of(brass)
        )
    cx = 0.12 - long / 2 - 0.2
    tall = 2 * r + spread(rng, 0.15, 0.3)
    parts.append(box((0.42, tall, 0.6), (cx, base + 0.03, 0), bevel=0.015).of(cab_of))
    parts.append(cushion((0.54, 0.06, 0.72), (cx, base + tall + 0.02, 0), radius=0.025).of(iron))
    parts += [box((0.22, 0.2, 0.02), (cx, base + tall - 0.27, s * 0.3), bevel=0.006).of(GLASS) for s in (-1, 1)]
    parts.append(
        prism([(-0.28, 0), (0.28, 0), (0.2, 0.16), (-0.2, 0.16)], 0.1)
        .turn("y", 90)
        .move(long / 2 + 0.3, 0.06, 0)
        .of(iron)
    )
    parts.append(ball((0.08, 0.12, 0.12), (0.12 + long / 2 + 0.06, base + r + 0.05, 0), 12).of(LAMP))
    n = count(rng, 2, 3)
    spokes = pick(rng, (0, 6, 8))
    big = 0.24
    parts += wheels(
        big,
        0.08,
        [cx + 0.06 + 0.5 * i for i in range(2)],
        0.31,
        wheel_of,
        iron if wheel_of is not iron else brass,
        spokes,
    )
    parts += wheels(small, 0.07, [0.12 + long / 2 - 0.05 - 0.32 * i for i in range(n - 1)], 0.3, wheel_of, iron)
    parts += [beam((cx + 0.06, big, s * 0.37), (cx + 0.56, big, s * 0.37), 0.03, 0.05).of(brass) for s in (-1, 1)]
    if chance(rng, 0.4):
        x = cx - 0.75
        load = [
            box((0.8, 0.08, 0.56), (x, base - 0.05, 0)).of(iron),
            box((0.76, 0.34, 0.58), (x, base + 0.03, 0), top=1.06).of(cab_of),
        ]
        load += [
            ball((0.22, 0.14, 0.22), (x - 0.24 + 0.16 * i, base + 0.38, 0.13 * (-1) ** i), 8).of(iron) for i in range(4)
        ]
        parts += load + wheels(small, 0.07, [x - 0.22, x + 0.22], 0.29, wheel_of, iron)
        parts.append(rod((x + 0.38, base, 0), (cx - 0.18, base, 0), 0.03).of(iron))
    return parts
