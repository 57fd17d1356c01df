"""Lamps and candles."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.joinery import turned_column
from scenemaker.data.objects.procedural.families.vessels import wavy
from scenemaker.data.objects.procedural.materials.palette import Palette, plain
from scenemaker.data.objects.procedural.part import Part, moved, turned
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import ball, box, lathe, rod, smooth, sweep, tube, vessel


@family("lamp", stretch=(0.0, 0.12, 0.0))
def lamp(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Table, floor, arc, tripod and desk lamps."""
    kind = pick(rng, ("table", "table", "table", "floor", "tripod", "arc", "desk", "desk"))
    draw = {"table": _table, "floor": _floor, "tripod": _floor, "arc": _arc, "desk": _desk}[kind]
    return draw(rng, look, kind == "tripod") if kind in ("floor", "tripod") else draw(rng, look)


def _shade(rng: np.random.Generator, look: Palette, size: float) -> list[Part]:
    """Hangs with its rim at y = 0; ``size`` is its diameter."""
    of, r = look.fabric() if chance(rng, 0.6) else look.pale(), size / 2
    kind = pick(rng, ("cone", "cone", "drum", "bell", "dome", "globe", "pleated", "square"))
    if kind == "globe":
        return [ball(size * 0.9, (0, r * 0.8, 0), 24).of(look.pale())]
    h = size * spread(rng, 0.5, 0.9)
    top = {"cone": spread(rng, 0.35, 0.65), "drum": spread(rng, 0.88, 1.0), "dome": 0.15, "bell": 0.4}.get(kind, 0.6)
    knots = [(r, 0), (r * (1 + top) / 2, h / 2), (r * top, h)]
    if kind == "bell":
        knots = [(r, 0), (r * 0.72, 0.25 * h), (r * 0.5, 0.65 * h), (r * top, h)]
    if kind == "dome":
        h *= 0.75
        knots = [(r, 0), (r * 0.93, 0.4 * h), (r * 0.6, 0.82 * h), (r * top, h)]
    profile = smooth(knots, 12)
    wall = 0.02 * size
    cone = np.concatenate([profile, profile[::-1] - (wall, 0)])  # open below and above
    n, wave = (
        (56, lambda t, y: 1 + 0.03 * np.cos(28 * t)) if kind == "pleated" else (4 if kind == "square" else 32, None)
    )
    bulb = plain((0.98, 0.95, 0.85))
    return [
        tube(cone, n, wave=wave).turn("y", 45).of(of),
        ball(0.28 * size, (0, 0.4 * h, 0), 12).of(bulb),
        rod((0, 0.5 * h, 0), (0, h * 0.98, 0), 0.03 * size).of(look.metal()),
    ]


def _table(rng: np.random.Generator, look: Palette) -> list[Part]:
    of = pick(rng, (look.ceramic(), look.ceramic(), look.metal(), look.wood(), look.stone()))
    h, r = spread(rng, 0.22, 0.42), spread(rng, 0.06, 0.13)
    kind = pick(rng, ("body", "body", "column", "stack", "box"))
    parts: list[Part] = []
    if kind == "body":
        knots = [
            (r * 0.7, 0),
            (r * 0.72, 0.02 * h),
            *((r * spread(rng, 0.45, 1.25), h * y) for y in (0.25, 0.5, 0.75)),
            (r * 0.25, h),
        ]
        segments, wave, twist = wavy(rng)
        profile = smooth(knots, 20)
        profile[:, 1] = np.maximum.accumulate(profile[:, 1])
        parts.append(
            lathe(
                [(0, 0), *np.maximum(profile, (0.01, 0)).tolist(), (0, h + 0.001)], segments, wave=wave, twist_deg=twist
            ).of(of)
        )
    elif kind == "column":
        parts += [
            turned_column(rng, r * 0.35, h).of(of),
            lathe([(0, 0), (r, 0), (r, 0.02), (r * 0.3, 0.04), (0, 0.04)], 28).of(of),
        ]
    elif kind == "stack":
        n, y = count(rng, 2, 4), 0.0
        for i in range(n):
            size = h / n * (1.15 - 0.12 * i)
            parts.append(ball((size * 1.1, size, size * 1.1), (0, y + size * 0.48, 0), 20).of(of))
            y += size * 0.92
        h = y
    else:
        parts.append(box((r * 1.3, h, r * 1.3), bevel=0.012, top=spread(rng, 0.6, 1.1)).of(of))
    size = spread(rng, 2.2, 3.4) * max(r, 0.09)
    stem = look.metal()
    neck = spread(rng, 0.03, 0.08)
    parts.append(rod((0, h - 0.02, 0), (0, h + neck + 0.1, 0), 0.012).of(stem))
    return parts + moved(_shade(rng, look, size), y=h + neck)


def _floor(rng: np.random.Generator, look: Palette, tripod: bool) -> list[Part]:
    h, size = spread(rng, 1.1, 1.5), spread(rng, 0.32, 0.55)
    of = look.wood() if tripod and chance(rng, 0.6) else look.metal()
    parts = moved(_shade(rng, look, size), y=h)
    parts.append(rod((0, h - 0.1 if tripod else 0.01, 0), (0, h + 0.12, 0), 0.014).of(of))
    if tripod:
        out, r = spread(rng, 0.24, 0.36), spread(rng, 0.012, 0.02)
        for i in range(3):
            parts.append(rod((out, 0, 0), (0.015, h - 0.06, 0), r * 0.8, r).turn("y", 120 * i + 30).of(of))
        parts.append(lathe([(0, h - 0.1), (0.05, h - 0.1), (0.05, h - 0.04), (0, h - 0.04)], 16).of(look.metal()))
    else:
        r = spread(rng, 0.12, 0.19)
        parts.append(lathe([(0, 0), (r, 0), (r, 0.015), (r * 0.8, 0.03), (0.03, 0.045), (0, 0.045)], 32).of(of))
        if chance(rng, 0.3):
            parts.append(
                lathe([(0, h * 0.45), (0.18, h * 0.45), (0.18, h * 0.45 + 0.02), (0, h * 0.45 + 0.02)], 28).of(
                    look.wood()
                )
            )
    return parts


def _arc(rng: np.random.Generator, look: Palette) -> list[Part]:
    of, base = look.metal(), pick(rng, (look.stone(), look.metal()))
    h, reach, size = spread(rng, 1.4, 1.8), spread(rng, 0.6, 1.0), spread(rng, 0.3, 0.42)
    path = smooth(
        [(0, 0.03, 0), (0.02, 0.6 * h, 0), (0.3 * reach, 0.95 * h, 0), (0.75 * reach, h, 0), (reach, 0.88 * h, 0)], 26
    )
    foot = (
        lathe([(0, 0), (0.17, 0), (0.17, 0.05), (0, 0.06)], 32)
        if chance(rng, 0.6)
        else box((0.3, 0.07, 0.24), bevel=0.01)
    )
    end = path[-1]
    return [
        foot.of(base),
        sweep(path, 0.014, rounded=True).of(of),
        *moved(_shade(rng, look, size), end[0], end[1] - size * 0.75, 0),
    ]


def _desk(rng: np.random.Generator, look: Palette) -> list[Part]:
    of = look.plastic() if chance(rng, 0.6) else look.metal()
    joint = look.metal()
    r = spread(rng, 0.08, 0.12)
    foot = lathe([(0, 0), (r, 0), (r, 0.015), (r * 0.85, 0.025), (0, 0.03)], 32)
    if chance(rng, 0.3):
        foot = box((2 * r, 0.03, spread(rng, 1.1, 2.0) * r), bevel=0.006)
    parts = [foot.of(of)]
    lean, bend = np.radians(spread(rng, 5, 35)), np.radians(spread(rng, 20, 60))
    a, b = spread(rng, 0.2, 0.3), spread(rng, 0.2, 0.3)
    p0 = np.array([0, 0.025, 0])
    p1 = p0 + a * np.array([-np.sin(lean), np.cos(lean), 0])
    p2 = p1 + b * np.array([np.cos(bend), np.sin(bend), 0])
    twin = chance(rng, 0.5)
    for u, v in ((p0, p1), (p1, p2)):
        shifts = (-0.014, 0.014) if twin else (0.0,)
        parts += [
            rod(u + np.array((0, 0, z)), v + np.array((0, 0, z)), 0.006 if twin else 0.009, segments=10).of(
                joint if twin else of
            )
            for z in shifts
        ]
    parts += [ball(0.034, tuple(p), 12).of(joint) for p in (p1, p2)]
    size, long = spread(rng, 0.05, 0.085), spread(rng, 1.2, 2.2)
    form = pick(rng, ((0.9, 0.45, 0.35), (0.99, 0.98, 0.96), (0.98, 0.8, 0.3), (0.75, 0.5, 0.25)))
    head = smooth([(size * k, -size * long * t) for k, t in zip((1.0, *form), (0, 0.3, 0.75, 1))][::-1], 14)
    hood = [vessel(head + np.array((0, size * long)), 0.006, 28).scale(1, -1, 1).of(of)]
    hood.append(ball(size * 0.9, (0, -size * long * 0.75, 0), 12).of(plain((0.98, 0.95, 0.85))))
    tilt = spread(rng, 5, 40)
    return parts + moved(turned(hood, "z", tilt), *p2.tolist())


@family("candle", stretch=(0.0, 0.15, 0.0))
def candle(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Candlesticks with one to five arms, pillar candles, lanterns."""
    wax, of, wick = look.pale() if chance(rng, 0.6) else look.accent(), look.metal(), look.dark()
    flame = plain((0.98, 0.72, 0.25))

    def burning(r: float, h: float) -> list[Part]:
        parts = [
            lathe([(0, 0), (r, 0), (r, h * 0.97), (r * 0.85, h), (r * 0.3, h - 0.15 * r), (0, h - 0.2 * r)], 18).of(
                wax
            ),
            rod((0, h - 0.3 * r, 0), (0.05 * r, h + 0.5 * r, 0), 0.07 * r + 0.002, segments=6).of(wick),
        ]
        if chance(rng, 0.5):
            fire = lathe(smooth([(0.002, 0), (0.3 * r, 0.5 * r), (0.2 * r, 1.2 * r), (0.002, 2 * r)], 10), 10)
            parts.append(fire.move(y=h + 0.3 * r).of(flame))
        return parts

    kind = pick(rng, ("stick", "arms", "pillars", "lantern"))
    if kind == "pillars":
        parts = [lathe([(0, -0.02), (0.2, -0.02), (0.22, 0.0), (0, 0.0)], 32).of(of)]
        n = count(rng, 1, 4)
        for i in range(n):
            t = 2 * np.pi * i / n
            out = 0.1 if n > 1 else 0.0
            parts += moved(
                burning(spread(rng, 0.045, 0.07), spread(rng, 0.1, 0.32)), out * np.sin(t), 0, out * np.cos(t)
            )
        return parts
    if kind == "lantern":
        w, h = spread(rng, 0.16, 0.24), spread(rng, 0.26, 0.4)
        parts = [box((w * 1.2, 0.03, w * 1.2)).of(of), box((w * 1.2, 0.03, w * 1.2), (0, h, 0)).of(of)]
        parts += [box((0.018, h, 0.018), (a * w / 2, 0.01, b * w / 2)).of(of) for a in (-1, 1) for b in (-1, 1)]
        parts.append(
            lathe([(w * 0.75, h + 0.03), (w * 0.25, h + 0.03 + 0.4 * w), (0.2 * w, h + 0.05 + 0.4 * w)], 4)
            .turn("y", 45)
            .of(of)
        )
        t = np.linspace(0, np.pi, 14)
        parts.append(
            sweep(np.stack([0.25 * w * np.cos(t), h + 0.05 + 0.4 * w + 0.3 * w * np.sin(t), 0 * t], 1), 0.008).of(of)
        )
        return parts + moved(burning(w * 0.2, h * spread(rng, 0.35, 0.6)), y=0.03)
    h = spread(rng, 0.25, 0.5)
    stem_of = of if chance(rng, 0.7) else look.wood()
    parts = [
        turned_column(rng, 0.03, h).of(stem_of),
        lathe([(0, 0), (0.12, 0), (0.12, 0.015), (0.04, 0.05), (0, 0.05)], 28).of(stem_of),
    ]
    ends = [(0.0, 0.0)]
    if kind == "arms":
        n, reach = pick(rng, (2, 2, 3, 4)), spread(rng, 0.14, 0.22)
        for i in range(n):
            t = 2 * np.pi * i / n
            x, z = reach * np.sin(t), reach * np.cos(t)
            path = smooth([(0, h * 0.6, 0), (x * 0.5, h * 0.5, z * 0.5), (x, h * 0.65, z), (x, h, z)], 14)
            parts.append(sweep(path, 0.011).of(stem_of))
            ends.append((x, z))
    for x, z in ends:
        parts.append(
            lathe([(0, h - 0.005), (0.02, h - 0.005), (0.055, h + 0.015), (0.05, h + 0.02), (0, h + 0.015)], 20)
            .move(x, 0, z)
            .of(stem_of)
        )
        parts += moved(burning(0.022, spread(rng, 0.1, 0.2)), x, h + 0.012, z)
    return parts
