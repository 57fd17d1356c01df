"""Towers and fences."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.houses import roofing, wall
from scenemaker.data.objects.procedural.materials.palette import Palette, plain
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import beam, box, cushion, lathe, prism, ring, rod


@family("tower", stretch=(0.0, 0.12, 0.0))
def tower(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Castle towers, lighthouses, windmills and water towers."""
    kind = pick(rng, ("castle", "castle", "lighthouse", "windmill", "water"))
    r, h, sides = spread(rng, 0.24, 0.36), spread(rng, 0.9, 1.5), pick(rng, (32, 32, 8, 6, 4))
    walls, roof_of, trim = wall(rng, look), roofing(rng, look), look.wood()
    parts: list[Part] = []
    if kind == "water":
        wood = look.wood() if chance(rng, 0.5) else look.metal()
        legs = pick(rng, (3, 4, 6))
        for i in range(legs):
            a, b = 2 * np.pi * i / legs, 2 * np.pi * (i + 1) / legs
            foot = [np.array([1.2 * r * np.sin(t), 0, 1.2 * r * np.cos(t)]) for t in (a, b)]
            head = [np.array([0.8 * r * np.sin(t), h, 0.8 * r * np.cos(t)]) for t in (a, b)]
            parts += [
                rod(foot[0], head[0], 0.03).of(wood),
                rod(foot[0] * 0.9 + head[0] * 0.1, foot[1] * 0.35 + head[1] * 0.65, 0.013, segments=8).of(wood),
            ]
        tall = spread(rng, 0.4, 0.65)
        parts.append(
            lathe([(0, h), (r, h), (r * 1.03, h + tall / 2), (r, h + tall), (0, h + tall)], 24).of(look.wood())
        )
        parts += [ring(r * 1.02, 0.012, 28).move(y=h + tall * k).of(look.metal()) for k in (0.15, 0.5, 0.85)]
        parts.append(
            lathe([(0, h + tall), (1.1 * r, h + tall), (0.05, h + tall + 0.6 * r), (0, h + tall + 0.62 * r)], 24).of(
                roof_of
            )
        )
        return parts
    top = r * (spread(rng, 0.6, 0.8) if kind != "castle" else spread(rng, 0.9, 1.0))
    body = lathe([(0, 0), (r * 1.08, 0), (r * 1.06, 0.08), (r, 0.1), (top, h), (0, h)], sides)
    if kind == "lighthouse":
        n = count(rng, 4, 7)
        a, b = look.pale(), look.accent()
        for i in range(n):
            y0, y1 = h * i / n, h * (i + 1) / n
            r0, r1 = (r + (top - r) * y / h for y in (y0, y1))
            parts.append(
                lathe([(0, y0), (r0, y0), (r1, y1 + 0.001 * i), (0, y1 + 0.001 * i)], sides).of(a if i % 2 else b)
            )
        parts.append(lathe([(0, h), (1.25 * top, h), (1.3 * top, h + 0.05), (0, h + 0.05)], 28).of(look.dark()))
        parts.append(ring(1.22 * top, 0.012, 28).move(y=h + 0.16).of(look.dark()))
        parts += [
            rod((1.22 * top, h + 0.04, 0), (1.22 * top, h + 0.16, 0), 0.009, segments=6)
            .turn("y", 30 * i)
            .of(look.dark())
            for i in range(12)
        ]
        parts.append(
            lathe([(0, h + 0.04), (0.65 * top, h + 0.04), (0.65 * top, h + 0.28), (0, h + 0.28)], 10).of(
                plain((0.95, 0.88, 0.6))
            )
        )
        parts.append(
            lathe(
                [(0, h + 0.27), (0.85 * top, h + 0.27), (0.5 * top, h + 0.38), (0.05, h + 0.46), (0, h + 0.47)], 24
            ).of(b)
        )
    else:
        parts.append(body.of(walls))
    if kind == "windmill":
        parts.append(
            lathe(
                [(0, h - 0.01), (1.12 * top, h - 0.01), (1.0 * top, h + 0.1), (0.6 * top, h + 0.24), (0, h + 0.3)], 24
            ).of(roof_of)
        )
        z, n = top + 0.08, pick(rng, (4, 4, 4, 6))
        parts.append(rod((0, h + 0.06, 0), (0, h + 0.06, z + 0.05), 0.035).of(trim))
        long, turn, cloth = h * spread(rng, 0.55, 0.8), spread(rng, 0, 90), look.pale()
        for i in range(n):
            sail = [
                box((0.03, long, 0.025)).of(trim),
                *(
                    box((0.16, 0.014, 0.014), (0.075, k * long, 0.012)).of(trim)
                    for k in (0.25, 0.4, 0.55, 0.7, 0.85, 0.97)
                ),
            ]
            sail.append(box((0.15, long * 0.76, 0.006), (0.085, 0.23 * long, 0), bevel=0.002).of(cloth))
            parts += [p.turn("z", 360 * i / n + turn).move(0, h + 0.06, z + 0.03) for p in sail]
    elif kind == "castle":
        wide = top * spread(rng, 1.15, 1.3)
        tall = spread(rng, 0.14, 0.22)
        parts.append(
            lathe([(0, h - 0.12), (top, h - 0.12), (wide, h), (wide, h + 0.6 * tall), (0, h + 0.6 * tall)], sides).of(
                walls
            )
        )
        n = sides if sides < 10 else 10
        if chance(rng, 0.6):
            for i in range(n):
                merlon = box(
                    (1.5 * wide / n * 1.7, tall * 0.7, 0.09),
                    (0, h + 0.55 * tall, wide * (0.93 if sides > 10 else 0.93 * np.cos(np.pi / sides) + 0.02)),
                )
                parts.append(merlon.turn("y", 360 * (i + 0.5) / n).of(walls))
        if chance(rng, 0.55):
            point = spread(rng, 0.5, 1.0)
            y = h + 0.6 * tall - 0.01
            parts.append(
                lathe(
                    [
                        (0, y),
                        (wide * 1.02, y),
                        (wide * 0.55, y + 0.42 * point),
                        (0.012, y + point),
                        (0, y + point + 0.005),
                    ],
                    sides,
                ).of(roof_of)
            )
            if chance(rng, 0.6):
                parts.append(rod((0, y + point - 0.05, 0), (0, y + point + 0.22, 0), 0.01, segments=6).of(trim))
                parts.append(
                    prism([(0, 0), (0.2, 0.05), (0, 0.1)], 0.012).move(0, y + point + 0.11, 0).of(look.accent())
                )
    dark = plain((0.16, 0.15, 0.16))
    flat = np.cos(np.pi / sides) if sides < 10 else 1.0
    half_turn = 180 / sides if sides < 10 else 0.0
    for i in range(count(rng, 2, 5)):
        y = h * (0.25 + 0.16 * i)
        at = (r + (top - r) * y / h) * flat
        slot = box((0.06, 0.14, 0.04), (0, y, at - 0.008)).of(dark)
        parts.append(slot.turn("y", half_turn + (360 / sides if sides < 10 else 70) * i))
    door = cushion((0.18, 0.28, 0.05), (0, 0, r * 1.03 * flat - 0.01), radius=0.02).of(trim)
    return [*parts, door.turn("y", half_turn)]


@family("fence", stretch=(0.1, 0.2, 0.0))
def fence(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Pickets, rails, wicker, iron bars, gates."""
    of = look.finish()
    n, h = count(rng, 5, 12), spread(rng, 0.5, 0.9)
    kind = pick(rng, ("picket", "picket", "rails", "iron", "boards", "cross"))
    long = 1.6
    parts: list[Part] = []
    if kind in ("picket", "boards"):
        step = long / n
        w, d = step * (0.55 if kind == "picket" else 0.93), 0.03
        top = pick(rng, ("point", "flat", "round"))
        wave = spread(rng, -0.15, 0.15)
        for i in range(n):
            x = -long / 2 + (i + 0.5) * step
            tall = h * (1 + wave * np.cos(2 * np.pi * (i + 0.5) / n))
            if top == "flat":
                parts.append(box((w, tall, d), (x, 0, 0)).of(of))
            else:
                tip = [(w / 2, tall - 0.6 * w), (0, tall), (-w / 2, tall - 0.6 * w)]
                if top == "round":
                    t = np.linspace(0, np.pi, 7)
                    tip = np.stack([w / 2 * np.cos(t), tall - w / 2 + w / 2 * np.sin(t)], 1).tolist()
                parts.append(prism([(-w / 2, 0), (w / 2, 0), *tip], d, bevel=0.004).move(x).of(of))
        parts += [box((long, 0.06, 0.03), (0, y * h, -0.03)).of(of) for y in (0.22, 0.68)]
        return parts
    posts = count(rng, 2, 4)
    post_of = of if kind != "iron" else look.dark()
    for i in range(posts):
        x = -long / 2 + i * long / (posts - 1)
        parts.append(
            (
                rod((x, 0, 0), (x, h * 1.1, 0), 0.04)
                if kind == "rails" and chance(rng, 0.7)
                else box((0.08, h * 1.1, 0.08), (x, 0, 0))
            ).of(post_of)
        )
        if kind == "iron" or chance(rng, 0.3):
            parts.append(
                lathe([(0, 0), (0.05, 0), (0.03, 0.03), (0.05, 0.07), (0, 0.12)], 12)
                .move(x, h * 1.1 - 0.005, 0)
                .of(post_of)
            )
    if kind == "rails":
        rows = count(rng, 2, 4)
        for i in range(rows):
            y = h * (0.25 + 0.7 * i / (rows - 1) if rows > 1 else 0.5)
            parts.append(
                rod(
                    (-long / 2 - 0.06, y + spread(rng, -0.02, 0.02), 0.02),
                    (long / 2 + 0.06, y + spread(rng, -0.02, 0.02), 0.02),
                    0.028,
                ).of(of)
            )
    elif kind == "iron":
        bars = count(rng, 9, 16)
        for i in range(bars):
            x = -long / 2 + (i + 0.5) * long / bars
            parts.append(rod((x, 0.04, 0), (x, h, 0), 0.012, segments=8).of(post_of))
            parts.append(lathe([(0, 0), (0.022, 0.01), (0.026, 0.03), (0, 0.1)], 8).move(x, h - 0.01, 0).of(post_of))
        parts += [box((long, 0.03, 0.025), (0, y * h, 0)).of(post_of) for y in (0.12, 0.85)]
    else:
        for i in range(posts - 1):
            x0, x1 = (-long / 2 + k * long / (posts - 1) for k in (i, i + 1))
            parts += [
                beam((x0, 0.12 * h, z), (x1, 0.95 * h, z), 0.03, 0.06, up=(0, 0, 1)).of(of)
                if s > 0
                else beam((x0, 0.95 * h, z), (x1, 0.12 * h, z), 0.03, 0.06, up=(0, 0, 1)).of(of)
                for s, z in ((1, 0.012), (-1, -0.012))
            ]
        parts += [box((long, 0.05, 0.04), (0, y * h, 0)).of(of) for y in (0.08, 0.95)]
    return parts
