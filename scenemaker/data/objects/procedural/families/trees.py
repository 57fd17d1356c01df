"""Trees, rocks and crystals."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.plants import leaf
from scenemaker.data.objects.procedural.materials.colour import lighter, oklch
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette, blend, plain
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import ball, circle, lathe, loft, smooth, stone, superellipse, sweep
from scenemaker.geometry.cameras import F64


@family("tree", stretch=(0.1, 0.12, 0.1))
def tree(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Broad, tall, coniferous, palm and bare trees."""
    bark, green = look.bark(), look.leaf()
    kind = pick(rng, ("broad", "broad", "broad", "fir", "fir", "poplar", "palm", "bare", "layers"))
    if kind == "broad" and chance(rng, 0.12):
        green = look.petal()  # in blossom
    if kind == "palm":
        return _palm(rng, bark, green)
    if kind == "fir":
        return _fir(rng, bark, green)
    if kind in ("poplar", "layers"):
        return _columnar(rng, bark, green, layers=kind == "layers")
    return _branching(rng, look, bark, green, bare=kind == "bare")


def _branching(rng: np.random.Generator, look: Palette, bark: Material, green: Material, *, bare: bool) -> list[Part]:
    h, thick = spread(rng, 0.3, 0.5), spread(rng, 0.03, 0.06)
    tips: list[tuple[F64, float]] = []
    parts: list[Part] = []
    depth = 4 if bare else pick(rng, (2, 3))

    def grow(start: F64, direction: F64, length: float, radius: float, level: int) -> None:
        sag = rng.normal(0, 0.12, 3) * length
        end = start + length * direction + sag * 0.5
        path = smooth([start, start + 0.5 * length * direction + sag, end], 6 if level == 0 else 4)
        section = superellipse((10, 8, 6, 5, 5)[level], 2, 2, 2)
        flare = np.linspace(1, 0.62, len(path))
        if level == 0:
            flare[0] = 1.5
        parts.append(sweep(path, radius * flare, section=section, rounded=level > 0).of(bark))
        if level >= depth - 1:
            tips.append((end, length))
            return
        forks = count(rng, 2, 4) if level == 0 else (count(rng, 2, 3) if bare else 2)
        turn = spread(rng, 0, 6.28)
        for k in range(forks):
            a, tilt = turn + 2 * np.pi * k / forks, np.radians(spread(rng, 25, 55))
            across = np.cross(direction, (0.3, 0.2, 1.0))
            across /= np.sqrt(across @ across)
            other = np.cross(direction, across)
            way = np.cos(tilt) * direction + np.sin(tilt) * (np.cos(a) * across + np.sin(a) * other) + (0, 0.12, 0)
            grow(
                end - 0.1 * length * direction,
                way / np.sqrt(way @ way),
                length * spread(rng, 0.6, 0.8),
                radius * 0.6,
                level + 1,
            )

    grow(np.zeros(3), np.array([0.0, 1.0, 0.0]), h, thick, 0)
    if bare:
        return parts
    shades = [blend(lighter(green.rgb, f), lighter(green.rgb2, f), green.pattern, 0.05, 0.5) for f in (0.88, 1.0, 1.1)]
    many = len(tips) > 5
    flat = spread(rng, 0.65, 1.0)
    for end, length in tips:
        r = length * (spread(rng, 0.6, 0.85) if many else spread(rng, 0.85, 1.25))
        crown = stone(rng, detail=2 if many else 3, rough=spread(rng, 0.08, 0.16), waves=3.0)
        up = np.clip(0.5 - 0.5 * crown.points[:, 1], 0, 1)
        crown = crown.scale(r, r * flat, r).move(*(end + np.array((0, 0.3 * r, 0))))
        parts.append((crown.shaded(up) if chance(rng, 0.7) else crown).of(pick(rng, shades)))
    if chance(rng, 0.15):
        fruit = plain(pick(rng, ((0.85, 0.2, 0.12), (0.93, 0.62, 0.15), (0.9, 0.82, 0.3))))
        for end, length in tips[:12]:
            parts.append(ball(0.05, tuple(end + rng.normal(0, 0.5, 3) * length * (1, 0.4, 1)), 8).of(fruit))
    return parts


def _fir(rng: np.random.Generator, bark: Material, green: Material) -> list[Part]:
    h, r = 1.0, spread(rng, 0.22, 0.4)
    trunk = spread(rng, 0.08, 0.22)
    parts = [lathe([(0, 0), (0.045, 0), (0.035, trunk), (0.01, 0.8), (0, 0.8)], 10).of(bark)]
    n = count(rng, 3, 7)
    lobes = count(rng, 7, 12)
    snow = plain((0.93, 0.95, 0.97)) if chance(rng, 0.15) else None
    for i in range(n):
        s = i / n
        low, wide = trunk + (h - trunk) * s * 0.92, r * (1 - 0.82 * s)
        top = low + (h - trunk) * 1.5 / n * (1 - 0.2 * s)

        def frill(t: F64, y: F64, low: float = low, top: float = top) -> F64:
            return 1 + 0.13 * np.cos(lobes * t) * (1 - (y - low) / (top - low))

        profile = [
            (0, low + 0.03),
            (0.6 * wide, low + 0.02),
            (wide, low - 0.02),
            (0.8 * wide, low + 0.12 * (top - low)),
            (0.4 * wide, low + 0.5 * (top - low)),
            (0.12 * wide, low + 0.85 * (top - low)),
            (0, top),
        ]
        tier = lathe(profile, lobes * 3, wave=frill, twist_deg=spread(rng, 0, 40)).turn("y", spread(rng, 0, 90))
        parts.append(
            tier.shaded(np.clip((tier.points[:, 1] - low) / (top - low), 0, 1)).of(blend(green.rgb2, green.rgb))
        )
        if snow is not None:
            cap = lathe(
                [
                    (0, top - 0.45 * (top - low)),
                    (0.36 * wide, top - 0.47 * (top - low)),
                    (0.12 * wide, top - 0.12 * (top - low)),
                    (0, top + 0.01),
                ],
                14,
            )
            parts.append(cap.of(snow))
    return parts


def _columnar(rng: np.random.Generator, bark: Material, green: Material, *, layers: bool) -> list[Part]:
    parts = [sweep([(0, 0, 0), (0.01, 0.3, 0), (0, 0.7, 0)], (0.045, 0.032, 0.02)).of(bark)]
    if layers:
        n, y = count(rng, 3, 5), spread(rng, 0.3, 0.42)
        for i in range(n):
            r = spread(rng, 0.16, 0.34) * (1 - 0.12 * i)
            pad = stone(rng, detail=3, rough=0.1, waves=3).scale(r, r * spread(rng, 0.3, 0.45), r)
            x, z = (spread(rng, -0.16, 0.16) for _ in range(2))
            parts.append(pad.move(x, y, z).of(green))
            parts.append(
                sweep([(0, y - 0.15, 0), (x * 0.6, y - 0.07, z * 0.6), (x, y, z)], (0.022, 0.018, 0.014)).of(bark)
            )
            y += spread(rng, 0.12, 0.2)
        return parts
    wide, tall = spread(rng, 0.12, 0.24), spread(rng, 0.65, 0.9)
    crown = stone(rng, detail=4, rough=0.09, waves=4)
    up = (crown.points[:, 1] + 1) / 2
    p = crown.points * (wide, tall / 2, wide)
    p[:, [0, 2]] *= (1.2 - 0.55 * up)[:, None]
    return [*parts, crown.bent(p + np.array((0, 0.18 + tall / 2, 0))).shaded(up).of(blend(green.rgb2, green.rgb))]


def _palm(rng: np.random.Generator, bark: Material, green: Material) -> list[Part]:
    lean, h = spread(rng, 0.0, 0.35), spread(rng, 0.6, 0.9)
    path = smooth([(0, 0, 0), (lean * 0.25, 0.4 * h, 0), (lean, h, 0)], 22)
    rings = np.linspace(0.055, 0.028, 22) * np.where(np.arange(22) % 2, 1.0, 0.86)
    parts = [sweep(path, rings, section=superellipse(12, 2, 2, 2)).of(bark)]
    n = count(rng, 7, 11)
    top = path[-1]
    for i in range(n):
        long = spread(rng, 0.3, 0.45)
        frond = leaf(rng, long, spread(rng, 0.09, 0.13), spread(rng, 0.5, 1.1), "lance", 9).turn("z", 15)
        parts.append(frond.turn("y", 360 * i / n + spread(rng, -10, 10)).move(*top.tolist()).of(green))
    for k in range(count(rng, 0, 4)):
        t = 1.7 * k
        parts.append(
            ball(0.07, (float(top[0]) + 0.05 * np.sin(t), float(top[1]) - 0.045, 0.05 * np.cos(t)), 12).of(
                plain((0.42, 0.28, 0.16))
            )
        )
    return parts


@family("rock", stretch=(0.2, 0.2, 0.2))
def rock(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Boulders, slabs, pebbles and groups, round or broken, with moss now and then."""
    of = look.stone()
    mossy = blend(of.rgb, oklch(0.55, 0.1, 125)) if chance(rng, 0.3) else None
    n = pick(rng, (1, 1, 1, 2, 3, 5))
    broken = chance(rng, 0.6)
    parts = []
    for i in range(n):
        size = 1.0 if i == 0 else spread(rng, 0.25, 0.7)
        one = stone(
            rng,
            detail=4 if n == 1 else 3,
            rough=spread(rng, 0.06, 0.3),
            cuts=count(rng, 4, 10) if broken else 0,
            waves=spread(rng, 1.0, 2.2),
        )
        one = one.of(of)
        if mossy is not None:
            one = one.shaded(np.clip(one.points[:, 1] * 2 - 0.4, 0, 1)).of(mossy)
        t, out = 2.4 * i, 0.0 if i == 0 else spread(rng, 0.7, 1.2)
        one = one.scale(size * spread(rng, 0.7, 1.3), size * spread(rng, 0.45, 1.0), size * spread(rng, 0.7, 1.2))
        one = one.turn("y", spread(rng, 0, 360))
        parts.append(one.move(out * np.sin(t), -float(one.points[:, 1].min()) - 0.05 * size, out * np.cos(t)))
    return parts


@family("crystal", stretch=(0.12, 0.12, 0.12))
def crystal(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Clusters of pointed prisms, with or without a stone below."""
    hue, parts = spread(rng, 0, 360), []
    of = blend(oklch(0.72, 0.12, hue), oklch(0.5, 0.14, hue + 20), "marble")
    n, sides = count(rng, 4, 11), pick(rng, (5, 6, 6, 8))
    for i in range(n):
        long = spread(rng, 0.35, 1.0) * (1.0 if i else 1.2)
        r = long * spread(rng, 0.09, 0.18)
        tip = spread(rng, 0.65, 0.85) * long
        ring = circle(sides, r)
        rings = np.stack(
            [
                np.stack([f * ring[:, 1], np.full(sides, y), f * ring[:, 0]], 1)
                for f, y in ((0.75, 0), (1, 0.3 * long), (0.95, tip))
            ]
        )
        one = loft(rings, end=(spread(rng, -0.3, 0.3) * r, long, 0)).shaded(np.zeros(3 * sides + 2))
        one = one.shaded(1 - one.points[:, 1] / long) if chance(rng, 0.5) else loft(rings, end=(0, long, 0))
        tilt = spread(rng, 8, 50) if i else spread(rng, 0, 10)
        parts.append(one.turn("z", -tilt).turn("y", 137.5 * i + spread(rng, -20, 20)).move(y=-0.05).of(of))
    if chance(rng, 0.6):
        parts.append(stone(rng, detail=3, rough=0.15, cuts=5).scale(0.35, 0.2, 0.35).of(look.stone()))
    return parts
