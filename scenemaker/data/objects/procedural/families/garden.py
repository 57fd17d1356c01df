"""Spades, axes, swords and brushes."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.joinery import turned_column
from scenemaker.data.objects.procedural.families.tools import laid
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part, mirrored
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    box,
    cushion,
    loft,
    plate,
    ring,
    rod,
    smooth,
    superellipse,
    sweep,
)  # fmt: skip


@family("spade", stretch=(0.12, 0.12, 0.12))
def spade(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Spades, shovels, trowels, rakes and forks."""
    wood, steel = look.wood(), look.metal()
    if chance(rng, 0.25):
        steel = look.accent()
    kind = pick(rng, ("spade", "shovel", "rake", "fork", "trowel", "hoe"))
    long = spread(rng, 0.75, 1.1) if kind != "trowel" else spread(rng, 0.16, 0.24)
    r = 0.018 if kind != "trowel" else 0.024
    parts = [rod((0, 0, 0), (0, long, 0), r, r * 1.05).of(wood)]
    if kind in ("spade", "fork", "shovel") and chance(rng, 0.6):
        parts += [rod((-0.07, long + 0.07, 0), (0.07, long + 0.07, 0), 0.018).of(wood)]
        parts += [p.of(wood) for p in mirrored([rod((0.006, long - 0.02, 0), (0.06, long + 0.07, 0), 0.014)])]
    if kind in ("spade", "shovel", "trowel"):
        h = spread(rng, 0.26, 0.36) if kind != "trowel" else spread(rng, 0.16, 0.22)
        w = h * spread(rng, 0.6, 0.8) if kind != "trowel" else 0.09
        s = np.linspace(0, 1, 10)
        wide = {
            "spade": np.clip(1.05 - 0.12 * s, 0, 1),
            "shovel": np.sqrt(np.clip(1 - (s * 0.96) ** 3.5, 0, 1)),
            "trowel": np.sqrt(np.clip(1 - (s * 0.98) ** 2.2, 0, 1)),
        }[kind]
        dish = 0.12 * h * (s - 0.3) ** 2
        rings = []
        cut = superellipse(16, 1, 1, 6)
        for k in range(10):
            x = cut[:, 0] * w * max(wide[k], 0.06)
            z = cut[:, 1] * 0.012 + 0.5 * (x / w) ** 2 * 0.25 * w + dish[k]
            rings.append(np.stack([x, np.full(16, -h * s[k]), z], 1))
        parts.append(loft(np.array(rings)[::-1, ::-1]).of(steel))
        parts.append(rod((0, 0.12 * h, 0), (0, -0.15 * h, 0.004), r * 1.25, r * 0.9).of(steel))
    else:
        n, w = count(rng, 4, 9) if kind == "rake" else count(rng, 3, 4), spread(rng, 0.18, 0.3)
        if kind == "hoe":
            parts.append(box((w * 0.8, 0.16, 0.012), (0, -0.14, 0.06), bevel=0.003, top=0.8).turn("x", -35).of(steel))
            parts.append(sweep(smooth([(0, 0.05, 0), (0, -0.03, 0.01), (0, -0.04, 0.05)], 6), 0.015).of(steel))
        else:
            parts.append(rod((-w / 2, 0, 0), (w / 2, 0, 0), 0.014).of(steel))
            for i in range(n):
                x = -w / 2 + (i + 0.5) * w / n
                if kind == "rake":
                    path, rr = smooth([(x, 0, 0), (x, -0.015, 0.05), (x, -0.08, 0.07)], 7), 0.008
                else:
                    path, rr = smooth([(x, 0, 0), (x, -0.12, 0.02), (x, -0.28, 0.0)], 7), 0.012
                parts.append(sweep(path, rr * np.linspace(1, 0.5, 7), section=superellipse(8, 2, 2, 2)).of(steel))
            parts.append(rod((0, 0.08, 0), (0, -0.01, 0), r * 1.25).of(steel))
    return [p.turn("x", 90) for p in parts] if chance(rng, 0.5) else parts


@family("axe", stretch=(0.1, 0.1, 0.1))
def axe(rng: np.random.Generator, look: Palette) -> list[Part]:
    """One or two blades, curved or straight helve."""
    wood, steel = look.wood(), look.metal()
    long, bow = spread(rng, 0.7, 1.0), spread(rng, 0.0, 0.06)
    path = smooth([(0.0, 0, 0), (bow, 0.25 * long, 0), (-0.3 * bow, 0.7 * long, 0), (0, long, 0)], 14)
    parts = [
        sweep(
            path, np.linspace(1.1, 0.9, 14), section=superellipse(14, 0.065, 0.045, 2.6), up=(0, 0, 1), rounded=False
        ).of(wood)
    ]
    y, reach, edge = long - 0.09, spread(rng, 0.17, 0.28), spread(rng, 0.16, 0.32)
    beard = spread(rng, 0.0, 0.1)

    def bit(side: float) -> Part:
        s = np.linspace(0, 1, 8)
        rings = []
        for k in s:
            half = 0.045 + (edge / 2 - 0.045) * k**1.6
            thick = 0.03 * (1 - k) + 0.002
            curve = 0.05 * k**2
            out = reach * k
            ring_ = np.array(
                [
                    (out, half, thick),
                    (out + curve, 0, thick),
                    (out, -half - beard * k**2, thick),
                    (out, -half - beard * k**2, -thick),
                    (out + curve, 0, -thick),
                    (out, half, -thick),
                ]
            )
            rings.append(ring_)
        one = loft(np.array(rings))
        return one.scale(side, 1, 1).move(y=y)

    parts.append(bit(1).of(steel))
    parts.append(
        bit(-1).of(steel) if chance(rng, 0.35) else box((0.09, 0.1, 0.05), (-0.03, y - 0.05, 0), bevel=0.008).of(steel)
    )
    if chance(rng, 0.4):
        wrap = look.leather()
        parts += [
            ring(0.036, 0.008, 16).scale(1, 1, 0.75).move(float(path[1, 0]), 0.06 + 0.016 * i, 0).of(wrap)
            for i in range(count(rng, 4, 9))
        ]
    return laid(rng, parts)


@family("sword", stretch=(0.1, 0.1, 0.1))
def sword(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Swords, sabres and daggers."""
    steel, guard_of, grip_of = look.metal(), look.metal(), look.leather()
    long, w = pick(rng, (spread(rng, 0.7, 1.0), spread(rng, 0.3, 0.45))), spread(rng, 0.05, 0.11)
    bend = pick(rng, (0.0, 0.0, spread(rng, 0.08, 0.2)))
    s = np.linspace(0, 1, 14)
    wide = np.clip((1 - s) / spread(rng, 0.08, 0.4), 0.03, 1) ** 0.7 * (
        1 + pick(rng, (0.0, 0.0, 0.35)) * np.sin(np.pi * s) * s
    )
    groove = chance(rng, 0.4)
    rings = []
    for k in range(14):
        h, t = w / 2 * wide[k], 0.014 * (0.3 + 0.7 * wide[k])
        m = 0.5 * t if groove and 0 < k < 10 else t
        cut = [(h, 0), (0.35 * h, t), (0, m), (-0.35 * h, t), (-h, 0), (-0.35 * h, -t), (0, -m), (0.35 * h, -t)]
        rings.append([(x + bend * s[k] ** 2, long * s[k], -z) for x, z in cut])
    parts = [loft(np.array(rings)).of(steel)]
    wing = spread(rng, 0.08, 0.18) * (1 if long > 0.5 else 0.6)
    droop = spread(rng, -0.06, 0.06)
    path = smooth(
        [(-wing, droop, 0), (-wing * 0.5, 0.2 * droop, 0), (0, 0, 0), (wing * 0.5, 0.2 * droop, 0), (wing, droop, 0)],
        13,
    )
    parts.append(
        sweep(path, 0.018 * (1 + 0.4 * np.abs(np.linspace(-1, 1, 13)) ** 4), up=(0, 0, 1), rounded=True).of(guard_of)
    )
    hold = spread(rng, 0.14, 0.26)
    parts.append(turned_column(rng, 0.022, hold, 14).move(y=-hold).of(grip_of))
    size = spread(rng, 0.045, 0.07)
    pommel = pick(rng, ("ball", "disc", "block"))
    if pommel == "ball":
        parts.append(ball(size, (0, -hold - 0.01, 0), 14).of(guard_of))
    elif pommel == "disc":
        parts.append(rod((0, -hold - 0.02, -0.018), (0, -hold - 0.02, 0.018), size * 0.7, segments=24).of(guard_of))
    else:
        parts.append(box((size, size, size * 0.8), (0, -hold - size * 0.8, 0), bevel=0.01).of(guard_of))
    kind = pick(rng, ("flat", "flat", "upright"))
    return [p.turn("x", 90) for p in parts] if kind == "flat" else [p.turn("x", 180) for p in parts]


@family("brush", stretch=(0.12, 0.12, 0.12))
def brush(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Paint brushes, brooms and scrubbing brushes."""
    handle_of, band, hair = (
        look.finish(),
        look.metal(),
        pick(rng, (look.bark(), look.dark(), look.pale(), look.accent())),
    )
    kind = pick(rng, ("paint", "paint", "broom", "scrub"))
    if kind == "scrub":
        w, d = spread(rng, 0.5, 0.8), spread(rng, 0.18, 0.28)
        parts = [plate(superellipse(32, w, d, 3), 0.07, bevel=0.025).move(y=0.1).of(handle_of)]
        columns, rows, tall = count(rng, 6, 10), count(rng, 3, 5), spread(rng, 0.1, 0.24)
        parts = [p.move(y=tall - 0.1) for p in parts]
        for i in range(columns):
            for j in range(rows):
                x, z = (i - (columns - 1) / 2) * w / (columns + 1.5), (j - (rows - 1) / 2) * d / (rows + 0.6)
                if (2 * x / w) ** 4 + (2 * z / d) ** 4 < 0.8:
                    parts.append(rod((x * 1.05, 0, z * 1.08), (x, tall + 0.02, z), 0.018, 0.013, segments=6).of(hair))
        if chance(rng, 0.5):
            t = np.linspace(0, np.pi, 12)
            parts.append(
                sweep(np.stack([0.2 * np.cos(t), tall + 0.06 + 0.12 * np.sin(t), 0 * t], 1), 0.024).of(handle_of)
            )
        return parts
    long = spread(rng, 0.35, 0.6) if kind == "paint" else spread(rng, 1.0, 1.3)
    w = spread(rng, 0.09, 0.2) if kind == "paint" else spread(rng, 0.25, 0.4)
    d = spread(rng, 0.04, 0.07) if kind == "paint" else 0.09
    if kind == "paint":
        y = np.linspace(0, long, 10)
        size = np.array([0.9, 0.75, 0.45, 0.3, 0.28, 0.3, 0.33, 0.33, 0.28, 0.2])
        parts = [
            sweep(
                np.stack([0 * y, y, 0 * y], 1),
                size,
                section=superellipse(16, w, d * 1.2, 2.6),
                up=(0, 0, 1),
                rounded=False,
            ).of(handle_of)
        ]
        parts.append(cushion((w, 0.09, d), (0, -0.08, 0), radius=0.3 * d).of(band))
    else:
        parts = [
            rod((0, 0, 0), (0, long, 0), 0.014).of(handle_of),
            box((w, 0.06, d), (0, -0.05, 0), bevel=0.012).of(handle_of),
        ]
    h = spread(rng, 0.12, 0.24)
    rows, columns = (2, 9) if kind == "paint" else (3, 11)
    for i in range(columns):
        for j in range(rows):
            x, z = (i - (columns - 1) / 2) * w / columns, (j - (rows - 1) / 2) * d / rows
            flare = 0.85 if kind == "paint" else 1.2
            end = (x * flare, -0.06 - h * spread(rng, 0.92, 1.04), z * flare)
            parts.append(rod((x, -0.04, z), end, w / columns * 0.62, w / columns * 0.45, segments=6).of(hair))
    if kind == "broom":
        return parts if chance(rng, 0.5) else [p.turn("x", 90) for p in parts]
    return [p.turn("x", 90) for p in parts]
