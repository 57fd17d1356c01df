"""Clocks and screens."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.materials.palette import Palette, blend, plain
from scenemaker.data.objects.procedural.part import Part, four_fold, moved, turned
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    beam,
    box,
    circle,
    cushion,
    lathe,
    plate,
    prism,
    ring,
    rod,
    superellipse,
    sweep,
)  # fmt: skip


@family("clock", stretch=(0.0, 0.0, 0.35))
def clock(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Wall, alarm, mantel and grandfather clocks, at any hour."""
    case, face, hand = look.finish(), look.pale(), look.dark()
    r, metal = spread(rng, 0.24, 0.34), look.metal()

    def dial(r: float) -> list[Part]:
        """Looks along +z from the origin."""
        parts = [lathe([(0, -0.02), (r, -0.02), (r, 0.0), (0, 0.0)], 36).of(face)]
        marks = pick(rng, (4, 12, 12))
        for i in range(marks):
            long = 0.14 * r if i % 3 == 0 else 0.08 * r
            mark = box((0.035 * r, 0.012, long), (0, -0.006, -0.84 * r), bevel=0.002)
            parts.append(mark.turn("y", 360 * i / marks).of(hand))
        hour, minute = spread(rng, 0, 12), spread(rng, 0, 60)
        for angle, long, w in ((-30 * hour, 0.5, 0.07), (-6 * minute, 0.75, 0.05)):
            parts.append(beam((0, 0.012, 0.1 * r), (0, 0.012, -long * r), w * r, 0.012).turn("y", angle).of(hand))
        parts.append(lathe([(0, 0), (0.06 * r, 0), (0.05 * r, 0.022), (0, 0.024)], 14).of(metal))
        return [p.turn("x", 90) for p in parts]

    kind = pick(rng, ("wall", "alarm", "mantel", "grandfather"))
    if kind == "wall":
        rays = count(rng, 6, 16)
        outline = pick(
            rng,
            (
                circle(40, spread(rng, 1.08, 1.5) * r),
                superellipse(40, 2.4 * r, 2.4 * r, 6),
                circle(count(rng, 5, 10), 1.4 * r),
                circle(60, 1.3 * r) * (1 + 0.08 * np.cos(rays * 2 * np.pi * np.arange(60) / 60))[:, None],
            ),
        )
        return [
            prism(outline, 0.09).of(case),
            *moved(dial(r), z=0.052),
            ring(1.02 * r, 0.022, 40).turn("x", 90).move(z=0.05).of(metal),
        ]
    if kind == "alarm":
        body = plain(look.colour())
        drum = lathe(
            [(0, -0.12), (1.0 * r, -0.12), (1.1 * r, -0.08), (1.1 * r, 0.08), (1.0 * r, 0.1), (0, 0.1)], 36
        ).turn("x", 90)
        parts = [drum.of(body), *moved(dial(0.95 * r), z=0.108)]
        b, tilt, foot = spread(rng, 0.28, 0.5) * r, spread(rng, 24, 40), spread(rng, 1.15, 1.5) * r
        for s in (-1, 1):
            bell = lathe([(0, 0), (b, 0), (0.9 * b, 0.3 * b), (0.4 * b, 0.65 * b), (0, 0.7 * b)], 22)
            parts += [
                bell.move(y=1.12 * r).turn("z", -s * tilt).of(metal),
                rod((0, 0.9 * r, 0), (0, 1.15 * r, 0), 0.02).turn("z", -s * tilt).of(metal),
            ]
            parts.append(rod((s * 0.62 * foot, -foot, 0), (s * 0.6 * r, -0.8 * r, 0), 0.03).of(metal))
        t = np.linspace(0, np.pi, 14)
        return [
            *parts,
            sweep(np.stack([0.3 * r * np.cos(t), 1.35 * r + 0.3 * r * np.sin(t), 0 * t], 1), 0.02).of(metal),
        ]
    if kind == "mantel":
        t = np.linspace(0, np.pi, 15)
        flat = spread(rng, 0.4, 1.3)
        w, rise = spread(rng, 1.15, 1.9) * r, spread(rng, 0.6, 1.1) * r
        arch = np.stack([w * np.cos(t), 1.5 * r - rise + rise * np.sin(t) ** flat], 1)
        body = prism(np.concatenate([[(-w, -r), (w, -r)], arch]), 0.26)
        base = box((2 * w + 0.4 * r, 0.07, 0.34), (0, -r - 0.06, 0), bevel=0.02)
        return [
            body.of(case),
            base.of(case),
            *moved(dial(0.9 * r), 0, 0.2 * r, 0.135),
            ring(0.93 * r, 0.02, 36).turn("x", 90).move(0, 0.2 * r, 0.132).of(metal),
        ]
    w, d, h = 0.62, 0.36, spread(rng, 1.0, 1.4)
    parts = [
        box((w, 0.3, d), bevel=0.02).of(case),
        box((w * 0.76, h, d * 0.8), (0, 0.28, 0), bevel=0.012).of(case),
        box((w, 0.62, d), (0, 0.26 + h, 0), bevel=0.02).of(case),
    ]
    parts.append(prism([(-w / 2 - 0.04, 0), (w / 2 + 0.04, 0), (0, 0.2)], d + 0.04).move(y=0.88 + h - 0.01).of(case))
    parts += moved(dial(0.26), 0, 0.57 + h, d / 2 + 0.015)
    glass = box((w * 0.5, h * 0.8, 0.02), (0, 0.28 + 0.1 * h, d * 0.4), bevel=0.004).of(look.dark())
    swing = spread(rng, -7, 7)
    weight = [
        rod((0, 0.0, 0), (0, -0.6 * h, 0), 0.012),
        lathe([(0, -0.012), (0.09, 0), (0, 0.012)], 20).turn("x", 90).move(y=-0.6 * h),
    ]
    return [*parts, glass, *(p.turn("z", swing).move(0, 0.24 + 0.88 * h, d * 0.4 + 0.03).of(metal) for p in weight)]


@family("computer", stretch=(0.1, 0.08, 0.1))
def computer(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Laptops, monitors with keyboards, old tube sets and televisions."""
    body, dark = look.metal() if chance(rng, 0.5) else look.plastic(), look.dark()
    screen = blend(
        look.colour(light=0.6), look.colour(light=0.35), pick(rng, ("noise", "marble", "stripes", "checks")), span=1.2
    )
    kind = pick(rng, ("laptop", "laptop", "monitor", "tube", "radio"))
    keys_of = look.pale() if chance(rng, 0.4) else dark
    w, d = spread(rng, 0.85, 1.0), spread(rng, 0.55, 0.68)

    def keyboard(w: float, d: float) -> list[Part]:
        key = (w / 11 * 0.84, 0.012, d / 5 * 0.84)
        at = [((i - 5) * w / 11, 0, (j - 2) * d / 5) for j in range(4) for i in range(11)]
        parts = [box(key, where, bevel=0.003).of(keys_of) for where in at]
        return [*parts, box((w * 0.45, 0.012, d / 5 * 0.84), (0, 0, 2 * d / 5), bevel=0.003).of(keys_of)]

    if kind == "laptop":
        parts = [
            plate(superellipse(32, w, d, 12), 0.035, bevel=0.01).of(body),
            *moved(keyboard(w * 0.9, d * 0.52), 0, 0.033, -0.06),
        ]
        parts.append(box((w * 0.26, 0.004, d * 0.26), (0, 0.034, d * 0.3), bevel=0.001).of(dark))
        lid = [
            plate(superellipse(32, w, d, 12), 0.025, bevel=0.008).of(body),
            box((w * 0.93, 0.006, d * 0.86), (0, 0.022, 0), bevel=0.002).of(screen),
        ]
        tilt = spread(rng, 60, 88)
        return parts + [p.move(z=-d / 2).turn("x", tilt).move(0, 0.03, -d / 2 + 0.01) for p in lid]
    if kind == "monitor":
        h = w * spread(rng, 0.52, 0.68)
        lift, deep = spread(rng, 0.12, 0.28), 0.05
        parts = [
            cushion((w, h, deep), (0, lift, 0), radius=0.018).of(body),
            box((w * 0.95, h * 0.9, 0.012), (0, lift + 0.06 * h, deep / 2 - 0.004), bevel=0.003).of(screen),
        ]
        parts = turned(parts, "x", -spread(rng, 0, 8), (0, lift, 0))
        parts += [
            box((0.1, lift + 0.3 * h, 0.03), (0, 0, -0.06)).of(body),
            plate(superellipse(28, 0.4, 0.28, 4), 0.02).move(z=-0.05).of(body),
        ]
        if chance(rng, 0.7):
            board = [box((0.7, 0.025, 0.26), bevel=0.008).of(body), *moved(keyboard(0.64, 0.22), 0, 0.02, 0)]
            parts += moved(board, 0, 0, 0.34)
            if chance(rng, 0.6):
                parts.append(ball((0.08, 0.06, 0.13), (0.45, 0.02, 0.34), 14).of(body))
        return parts
    h = w * spread(rng, 0.68, 0.85)
    case = look.wood() if chance(rng, 0.5) else body
    deep = spread(rng, 0.35, 0.6)
    if kind == "radio":
        h *= 0.6
        parts = [cushion((w, h, deep * 0.6), (0, 0.04, 0), radius=spread(rng, 0.03, 0.12)).of(case)]
        z = deep * 0.3
        parts.append(
            box((w * 0.45, h * 0.6, 0.02), (-w * 0.2, 0.04 + 0.2 * h, z - 0.006), bevel=0.004).of(look.fabric())
        )
        parts += [
            lathe([(0, 0), (0.07, 0), (0.06, 0.05), (0, 0.05)], 20)
            .turn("x", 90)
            .move(w * x, 0.04 + h * 0.32, z - 0.005)
            .of(dark)
            for x in (0.14, 0.34)
        ]
        parts.append(
            box((w * 0.32, h * 0.24, 0.02), (w * 0.24, 0.04 + 0.58 * h, z - 0.006), bevel=0.004).of(look.pale())
        )
        if chance(rng, 0.6):
            parts.append(
                rod((w * 0.4, h, -0.05), (w * spread(rng, 0.1, 0.8), h + 0.55, -0.05), 0.009, segments=8).of(
                    look.metal()
                )
            )
        return parts
    parts = [
        cushion((w, h, deep * 0.45), (0, 0.06, 0), radius=0.05).of(case),
        box((w * 0.7, h * 0.75, deep), (0, 0.06 + h * 0.1, -deep * 0.55), top=0.9).of(dark),
    ]
    glass = cushion((w * 0.66, h * 0.76, 0.08), (-w * 0.1, 0.06 + 0.12 * h, deep * 0.2), radius=0.03, puff=0.25)
    parts.append(glass.of(screen))
    parts += [
        lathe([(0, 0), (0.045, 0), (0.038, 0.035), (0, 0.038)], 18)
        .turn("x", 90)
        .move(w * 0.37, 0.06 + h * y, deep * 0.215)
        .of(look.metal())
        for y in (0.75, 0.58)
    ]
    parts += [
        box((w * 0.14, 0.012, 0.01), (w * 0.37, 0.06 + h * (0.15 + 0.05 * i), deep * 0.222), bevel=0.002).of(dark)
        for i in range(5)
    ]
    if chance(rng, 0.6):
        parts += [
            rod((0, 0.05 + h, -0.1), (s * 0.32, h + 0.5, -0.12), 0.008, segments=8).of(look.metal()) for s in (-1, 1)
        ]
    if chance(rng, 0.6):
        parts += four_fold(
            rod((w * 0.4, -0.28, deep * 0.24), (w * 0.34, 0.08, deep * 0.14), 0.018, 0.028).of(look.wood())
        )
    return parts
