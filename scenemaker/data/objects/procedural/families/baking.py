"""Bread, cakes, doughnuts and ice cream."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.materials.palette import Palette, blend, plain
from scenemaker.data.objects.procedural.part import Part, moved
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    box,
    lathe,
    lumps,
    plate,
    ring,
    rod,
    smooth,
    stone,
    superellipse,
    superquadric,
    sweep,
    vessel,
    wedge,
)  # fmt: skip


@family("bread", stretch=(0.15, 0.2, 0.15))
def bread(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Loaves, baguettes, rolls, pretzels, toast."""
    crust = blend((0.70, 0.44, 0.20), (0.90, 0.74, 0.48), "noise")
    kind = pick(rng, ("loaf", "round", "baguette", "toast", "rolls", "pretzel", "plait"))
    if kind == "pretzel":
        half = [
            (-0.42, 0.16, 0.7),
            (-0.15, 0.22, 0.3),
            (0.12, 0.1, -0.05),
            (0.4, 0, -0.42),
            (0.76, 0, -0.46),
            (0.97, 0, -0.05),
            (0.82, 0, 0.45),
            (0.42, 0, 0.8),
        ]
        knots = np.array([*half, (0.0, 0.0, 0.88), *((-x, 0.5 * y, z) for x, y, z in half[::-1])])
        path = smooth(knots, 64)
        thick = spread(rng, 0.11, 0.16) * (0.55 + 0.75 * np.sin(np.pi * np.linspace(0, 1, 64)) ** 2)
        one = sweep(path, thick, section=superellipse(12, 2, 2, 2), rounded=True, up=(0, 1, 0))
        return [one.shaded(0.15 + 0.25 * lumps(rng, one.points, 2)).of(crust)]
    if kind == "plait":
        t, parts = np.linspace(0, 1, 40), []
        for k in range(3):
            a = 2 * np.pi * (2.2 * t + k / 3)
            path = np.stack(
                [2.2 * (t - 0.5), 0.28 + 0.12 * np.sin(2 * a), 0.26 * np.sin(a) * np.sin(np.pi * (0.12 + 0.76 * t))], 1
            )
            one = sweep(path, 0.24 * np.sin(np.pi * (0.1 + 0.8 * t)) ** 0.6, rounded=True)
            parts.append(one.shaded(0.2 + 0.3 * lumps(rng, one.points, 2)).of(crust))
        return parts
    if kind == "toast":
        parts = []
        for i in range(count(rng, 1, 4)):
            t = np.linspace(0, np.pi, 9)
            arch = np.stack([0.5 * np.cos(t) * (1 + 0.06 * np.sin(t)), 0.8 + 0.2 * np.sin(t) ** 0.7], 1)
            outline = np.concatenate([[(-0.42, 0.03), (-0.4, 0), (0.4, 0), (0.42, 0.03)], arch]) - (0, 0.5)
            slab = plate(outline, 0.14, bevel=0.03).of(plain((0.70, 0.46, 0.22)))
            crumb = plate(outline * 0.9, 0.15, bevel=0.01).of(blend((0.93, 0.82, 0.60), (0.82, 0.64, 0.38), "noise"))
            parts += [p.turn("y", spread(rng, -20, 20)).move(y=0.15 * i) for p in (slab, crumb)]
        return parts
    if kind == "rolls":
        parts = []
        n = count(rng, 1, 4)
        for i in range(n):
            one = superquadric((1, spread(rng, 0.5, 0.7), spread(rng, 0.7, 1.0)), n=22)
            t = 2 * np.pi * i / n
            one = one.shaded(0.6 - 0.9 * one.points[:, 1] + 0.1 * lumps(rng, one.points, 2)).of(crust)
            parts.append(
                one.turn("y", spread(rng, 0, 180)).move(0.62 * (n > 1) * np.sin(t), 0, 0.62 * (n > 1) * np.cos(t))
            )
        return parts
    sides = {"loaf": (1.0, 0.55, 0.5), "round": (1.0, spread(rng, 0.4, 0.6), 1.0), "baguette": (1.6, 0.2, 0.26)}[kind]
    power = 0.55 if kind == "loaf" else 0.9
    one = superquadric(sides, 0.8, power, n=36)
    p = one.points.copy()
    p[:, 1] = np.where(p[:, 1] < 0, p[:, 1] * 0.5, p[:, 1])
    cuts = count(rng, 3, 6)
    wave = np.sin(cuts * np.pi * (p[:, 0] / sides[0] + 0.25 * p[:, 2] / sides[2]) * (1.0 if kind != "round" else 1.6))
    dent = np.clip(np.abs(wave) * 4, 0, 1)
    top = np.clip(p[:, 1] / sides[1] * 3, 0, 1)
    p[:, 1] -= 0.1 * sides[1] * (1 - dent) * top
    return [one.bent(p).shaded((1 - dent) * top * 0.9 + 0.15 * lumps(rng, p, 2)).of(crust)]


@family("cake", stretch=(0.0, 0.15, 0.0))
def cake(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Whole, cut or one slice; layers, icing, tiers, cherries and candles."""
    sponge = blend(
        pick(rng, ((0.88, 0.70, 0.42), (0.40, 0.24, 0.15), (0.80, 0.45, 0.40), (0.93, 0.86, 0.68))),
        (0.60, 0.42, 0.25),
        "noise",
    )
    icing = plain(
        pick(rng, ((0.96, 0.92, 0.86), (0.93, 0.66, 0.72), (0.36, 0.21, 0.14), (0.72, 0.85, 0.80), (0.95, 0.88, 0.60)))
    )
    berry, cream = plain(pick(rng, ((0.75, 0.1, 0.15), (0.3, 0.15, 0.35), (0.9, 0.5, 0.15)))), plain((0.97, 0.94, 0.88))
    tiers = pick(rng, (1, 1, 1, 1, 2, 3))
    whole = 360.0 if tiers > 1 else pick(rng, (360.0, 360.0, 300.0, 270.0, 45.0, 50.0))
    parts: list[Part] = []
    y, r = 0.0, 0.5
    if whole > 100 and chance(rng, 0.7):
        parts.append(lathe([(0, -0.04), (0.3, -0.04), (0.62, -0.02), (0.62, 0.0), (0, 0.0)], 40).of(look.ceramic()))
    for tier in range(tiers):
        h = spread(rng, 0.22, 0.4) * (0.8 if tiers > 1 else 1)
        layers = count(rng, 1, 3)
        steps = 32 if whole > 100 else 10
        each = h / layers
        for k in range(layers):
            parts.append(_slab(r * 0.985, y + k * each, y + (k + 0.82) * each, whole, steps).of(sponge))
            parts.append(
                _slab(r * 0.99, y + (k + 0.8) * each, y + (k + 1.0) * each + 0.001, whole, steps).of(
                    cream if k < layers - 1 else icing
                )
            )
        if chance(rng, 0.6):  # icing runs down the side
            n = count(rng, 8, 13)
            for i in range(n):
                a = np.radians(whole * (i + 0.5) / n)
                long = h * spread(rng, 0.2, 0.6)
                drop = ball((0.09, long, 0.05), (0, y + h - long * 0.35, r * 0.985), 8)
                parts.append(drop.turn("y", float(np.degrees(a))).of(icing))
        top = y + h
        deco = pick(rng, ("cherries", "blobs", "candles", "none")) if tier == tiers - 1 else "blobs"
        n = count(rng, 5, 10) if whole > 100 else 1
        for i in range(n):
            a, out = np.radians(whole * (i + 0.5) / n), r * 0.72
            at = (out * np.sin(a), top, out * np.cos(a))
            if deco in ("cherries", "blobs"):
                puff = lathe(
                    [(0, -0.01), (0.055, -0.01), (0.06, 0.02), (0.03, 0.06), (0, 0.08)],
                    12,
                    wave=lambda t, yy: 1 + 0.12 * np.cos(6 * t),
                )
                parts.append(puff.move(*at).of(cream))
                if deco == "cherries":
                    parts.append(ball(0.08, (at[0], top + 0.09, at[2]), 12).of(berry))
            elif deco == "candles" and whole > 300:
                parts.append(
                    rod(
                        (at[0] * 0.7, top - 0.01, at[2] * 0.7), (at[0] * 0.7, top + 0.2, at[2] * 0.7), 0.014, segments=8
                    ).of(look.accent())
                )
                parts.append(
                    ball((0.024, 0.05, 0.024), (at[0] * 0.7, top + 0.22, at[2] * 0.7), 8).of(plain((0.98, 0.75, 0.3)))
                )
        y, r = top, r * 0.68
    return parts


def _slab(r: float, y0: float, y1: float, angle: float, steps: int) -> Part:
    """A disc, or a sector of it."""
    b = 0.25 * min(0.05, y1 - y0)
    if angle >= 360:
        return lathe([(0, y0), (r - b, y0), (r, y0 + b), (r, y1 - b), (r - b, y1), (0, y1)], steps)
    return wedge([(0.002, y0), (r - b, y0), (r, y0 + b), (r, y1 - b), (r - b, y1), (0.002, y1)], 0, angle, steps)


@family("doughnut", stretch=(0.0, 0.2, 0.0))
def doughnut(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Rings with icing and sprinkles, alone or stacked."""
    dough = blend((0.78, 0.53, 0.27), (0.90, 0.72, 0.45))
    parts: list[Part] = []
    y = 0.0
    for _ in range(pick(rng, (1, 1, 1, 2, 3))):
        r, thick = spread(rng, 0.3, 0.38), spread(rng, 0.13, 0.19)
        icing = pick(
            rng, (plain((0.92, 0.55, 0.65)), plain((0.34, 0.19, 0.12)), plain((0.96, 0.93, 0.88)), look.accent())
        )
        body = ring(r, thick, 32, superellipse(12, 2 * thick, 1.7 * thick, 2.3)).move(y=y + 0.85 * thick)
        one = [body.shaded(1 - np.abs(body.points[:, 1] - y - 0.85 * thick) / thick * 1.5).of(dough)]
        if chance(rng, 0.8):
            n, turn = count(rng, 5, 9), spread(rng, 0, 6)
            glaze = ring(r, thick, 40, superellipse(14, 2.08 * thick, 1.78 * thick, 2.3))
            p = glaze.points.copy()
            a = np.arctan2(p[:, 0], p[:, 2])
            low = 0.12 * thick * np.sin(n * a + turn) - 0.05 * thick
            under = p[:, 1] < low
            out = np.sqrt(p[:, 0] ** 2 + p[:, 2] ** 2)
            pull = np.where(under, (r + (out - r) * 0.86) / out, 1.0)  # what is below the edge hides in the dough
            p[:, 0], p[:, 2] = p[:, 0] * pull, p[:, 2] * pull
            p[:, 1] = np.maximum(p[:, 1], low)
            one.append(glaze.bent(p).move(y=y + 0.88 * thick).of(icing))
            if chance(rng, 0.6):
                bits = [look.accent() for _ in range(3)]
                for _ in range(count(rng, 10, 22)):
                    a, b = spread(rng, 0, 6.28), spread(rng, -1.0, 1.0)
                    out = r + 1.03 * thick * np.sin(b)
                    at = (out * np.sin(a), y + 0.88 * thick + 0.9 * thick * np.cos(b), out * np.cos(a))
                    bit = rod((-0.028, 0, 0), (0.028, 0, 0), 0.01, segments=5).turn("y", spread(rng, 0, 180)).move(*at)
                    parts.append(bit.of(pick(rng, bits)))
        shift = (spread(rng, -0.05, 0.05), spread(rng, -0.05, 0.05)) if y else (0.0, 0.0)
        parts += moved(one, shift[0], 0, shift[1])
        y += 1.6 * thick
    return parts


@family("ice cream", stretch=(0.0, 0.15, 0.0))
def ice_cream(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Scoops in a cone or a dish."""
    wafer = blend((0.85, 0.63, 0.35), (0.66, 0.42, 0.20), "checks", span=0.5)
    tastes = [
        plain(c)
        for c in (
            (0.96, 0.90, 0.78),
            (0.40, 0.24, 0.16),
            (0.93, 0.66, 0.70),
            (0.72, 0.87, 0.72),
            (0.95, 0.78, 0.35),
            (0.60, 0.42, 0.62),
        )
    ]
    n, r = count(rng, 1, 3), spread(rng, 0.2, 0.26)
    cone = chance(rng, 0.65)
    parts: list[Part] = []
    at = [(0.0, 0.0, 0.0)]
    if cone:
        h = spread(rng, 0.6, 0.85)
        parts.append(vessel([(0.02, 0), (0.04, 0.02), (r * 0.95, h * 0.95), (r * 0.98, h)], 0.02, 24).of(wafer))
        at = [(0.0, h + r * (0.35 + 1.1 * i), 0.0) for i in range(n)]
    else:
        profile = smooth([(0.22, 0), (0.2, 0.02), (0.05, 0.06), (0.06, 0.14), (0.3, 0.26), (0.42, 0.42)], 20)
        parts.append(
            lathe([(0, 0), *np.maximum(profile, (0.03, 0)).tolist(), (0.39, 0.41), (0.25, 0.28), (0, 0.25)], 32).of(
                look.ceramic()
            )
        )
        at = [(0.17 * np.sin(2.1 * i) * (n > 1), 0.46 + 0.05 * i, 0.17 * np.cos(2.1 * i) * (n > 1)) for i in range(n)]
    for x, y, z in at:
        taste = pick(rng, tastes)
        scoop = stone(rng, detail=3, rough=0.04, waves=5).scale(r, r * 0.92, r).move(x, y, z)
        skirt = ring(r * 0.88, r * 0.2, 30).move(x, y - 0.3 * r, z)
        p = skirt.points.copy()
        p[:, 1] += 0.04 * np.sin(7 * np.arctan2(p[:, 0] - x, p[:, 2] - z))
        parts += [scoop.of(taste), skirt.bent(p).of(taste)]
    x, y, z = at[-1]
    if chance(rng, 0.4):
        parts.append(ball(0.1, (x, y + r * 0.98, z), 12).of(plain((0.75, 0.08, 0.12))))
    if chance(rng, 0.4):
        stick = rod((x + 0.05, y, z), (x + 0.2, y + r + 0.25, z + 0.05), 0.035, segments=12)
        parts.append(
            stick.of(wafer) if chance(rng, 0.5) else box((0.2, 0.26, 0.02), (x + 0.1, y + 0.5 * r, z)).of(wafer)
        )
    return [p.turn("z", -78) for p in parts] if cone and chance(rng, 0.4) else parts
