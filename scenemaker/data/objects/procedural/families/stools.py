"""Stools and benches."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.joinery import leg, turned_column
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part, four_fold, mirrored
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    beam,
    box,
    circle,
    cushion,
    lathe,
    plate,
    ring,
    rod,
    superellipse,
)  # fmt: skip


@family("stool", stretch=(0.0, 0.12, 0.0))
def stool(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Three or four legs, or a column; milk stools to bar stools."""
    of, h, r = look.finish(), pick(rng, (spread(rng, 0.25, 0.5), spread(rng, 0.6, 0.8))), spread(rng, 0.15, 0.22)
    soft, metal = pick(rng, (look.fabric(), look.leather())), look.metal()
    square = chance(rng, 0.3)
    outline = superellipse(32, 2 * r, 2 * r * spread(rng, 0.8, 1), 5) if square else circle(32, r)
    parts = [plate(outline, 0.035, bevel=0.012).move(y=h - 0.035).of(of)]
    if chance(rng, 0.45):
        pad = (
            cushion((2 * r, 0.08, 2 * r), (0, h - 0.01, 0), radius=0.035, puff=0.2)
            if square
            else lathe(
                [
                    (0, h - 0.01),
                    (r * 0.95, h - 0.01),
                    (r * 1.03, h + 0.025),
                    (r * 0.9, h + 0.06),
                    (r * 0.5, h + 0.075),
                    (0, h + 0.08),
                ],
                32,
            )
        )
        parts.append(pad.of(soft))
    if chance(rng, 0.3):
        parts.append(turned_column(rng, 0.03, h - 0.03).of(metal))
        parts.append(lathe([(0, 0), (r * 1.1, 0), (r * 1.1, 0.012), (0.05, 0.045), (0, 0.045)], 32).of(metal))
        if h > 0.55:
            parts.append(ring(r * 0.75, 0.01).move(y=h * 0.35).of(metal))
            parts.append(rod((-r * 0.75, h * 0.35, 0), (r * 0.75, h * 0.35, 0), 0.008).of(metal))
        return parts
    n = 4 if square else pick(rng, (3, 3, 4))
    out, inner, thick = spread(rng, 0.85, 1.25) * r, r * 0.65, spread(rng, 0.013, 0.024)
    legs_of = metal if chance(rng, 0.3) else of
    turn = 45
    one = rod((out, 0, 0), (inner, h - 0.02, 0), thick * 0.7, thick).of(legs_of)
    parts += [one.turn("y", 360 * i / n + turn) for i in range(n)]
    if h > 0.4:
        level = h * spread(rng, 0.25, 0.45)
        at = out + (inner - out) * level / h
        if chance(rng, 0.5):
            parts.append(ring(at, thick * 0.55).move(y=level).of(legs_of))
        else:
            for i in range(n):
                a, b = np.radians(360 * i / n + turn), np.radians(360 * (i + 1) / n + turn)
                y = level + 0.04 * (i % 2)
                ends = [(at * np.cos(t), y, -at * np.sin(t)) for t in (a, b)]
                parts.append(rod(ends[0], ends[1], thick * 0.5).of(legs_of))
    return parts


@family("bench", stretch=(0.08, 0.1, 0.1))
def bench(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Garden and hall benches, with and without a back."""
    of, side_of = look.finish(), look.finish()
    if chance(rng, 0.4):
        side_of = look.metal() if chance(rng, 0.6) else look.stone()
    w, d, h = spread(rng, 0.9, 1.8), spread(rng, 0.32, 0.48), spread(rng, 0.4, 0.48)
    n = pick(rng, (1, 3, 4, 5, 6))
    parts = [
        box((w, 0.035, d / n * (0.86 if n > 1 else 1)), (0, h - 0.035, -d / 2 + (i + 0.5) * d / n)).of(of)
        for i in range(n)
    ]
    x = w / 2 - spread(rng, 0.04, 0.2)
    kind = pick(rng, ("legs", "panels", "frames", "blocks"))
    y = h - 0.035
    if kind == "legs":
        width = spread(rng, 0.04, 0.07)
        parts += [p.of(side_of) for p in four_fold(leg(rng, (x, d / 2 - width), y, width))]
        parts += [box((2 * x, 0.06, 0.025), (0, y - 0.06, s * (d / 2 - width))).of(side_of) for s in (-1, 1)]
    elif kind == "panels":
        parts += [p.of(side_of) for p in mirrored([box((0.05, y, d * 0.9), (x, 0, 0), top=(1.0, 1.0, 0.8))])]
        parts.append(beam((-x, y * 0.4, 0), (x, y * 0.4, 0), 0.03, 0.1).of(side_of))
    elif kind == "frames":
        r = spread(rng, 0.014, 0.024)
        side = [
            rod((x, 0, -d / 2), (x, y, -d / 2 + 0.03), r), rod((x, 0, d / 2), (x, y, d / 2 - 0.03), r),
            rod((x, y - r, -d / 2), (x, y - r, d / 2), r),
        ]  # fmt: skip
        parts += [p.of(side_of) for p in mirrored(side)]
    else:
        parts += [
            p.of(side_of) for p in mirrored([box((spread(rng, 0.12, 0.3), y, d * 0.95), (x - 0.05, 0, 0), bevel=0.015)])
        ]
    if chance(rng, 0.55):
        tall, lean = spread(rng, 0.3, 0.5), spread(rng, 6, 16)
        back = mirrored([box((0.045, tall + 0.1, 0.03), (x, -0.1, 0)).of(side_of)])
        rows = count(rng, 2, 4)
        if chance(rng, 0.6):
            back += [
                box((w, tall * 0.75 / rows * 0.8, 0.022), (0, tall * (0.25 + 0.75 * i / rows), 0.025)).of(of)
                for i in range(rows)
            ]
        else:
            back += [box((w, 0.06, 0.03), (0, tall - 0.06, 0.01)).of(of), box((w, 0.05, 0.03), (0, 0.06, 0.01)).of(of)]
            slats = count(rng, 7, 15)
            back += [
                box((w / slats * 0.4, tall - 0.12, 0.014), (-w / 2 + (i + 0.5) * w / slats, 0.08, 0.01)).of(of)
                for i in range(slats)
            ]
        parts += [p.turn("x", -lean).move(y=h, z=-d / 2 + 0.01) for p in back]
        if chance(rng, 0.5):
            side = [
                box((0.05, 0.025, d * 0.95), (x, h + 0.2, 0.01)),
                box((0.04, 0.22, 0.04), (x, h - 0.02, d / 2 - 0.05)),
            ]
            parts += [p.of(side_of) for p in mirrored(side)]
    return parts
