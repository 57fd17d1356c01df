"""Cacti, flowers and mushrooms."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.plants import flowerpot, leaf
from scenemaker.data.objects.procedural.families.vessels import wavy
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette, plain
from scenemaker.data.objects.procedural.part import Part, moved, turned
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    lathe,
    ring,
    smooth,
    stone,
    superellipse,
    superquadric,
    sweep,
    vessel,
)  # fmt: skip
from scenemaker.geometry.cameras import F64


@family("cactus", stretch=(0.0, 0.1, 0.0))
def cactus(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Ribbed columns with arms, barrels, and pads, in pots."""
    r = 0.16
    pot, soil = flowerpot(rng, look, r)
    green, flower = look.leaf(), look.petal()
    ribs, depth = count(rng, 7, 12), spread(rng, 0.06, 0.14)
    kind = pick(rng, ("column", "column", "barrel", "pads", "group"))
    parts: list[Part] = []

    def flutes(t: F64, y: F64) -> F64:
        return 1 + depth * np.cos(ribs * t)

    def column(radius: float, h: float) -> Part:
        y = np.linspace(0, 1, 12)
        profile = np.stack(
            [radius * np.sqrt(np.clip(1 - np.maximum(0, (y * h - (h - radius)) / radius) ** 2, 0, 1)), y * h], 1
        )
        profile[0, 0] *= 0.85
        return lathe(profile, ribs * 4, wave=flutes)

    def bloom(at: tuple[float, float, float], size: float) -> list[Part]:
        petals = [leaf(rng, size, size * 0.45, 0.1, "oval", 4).turn("z", 35).turn("y", 72 * i) for i in range(5)]
        return [p.move(*at).of(flower) for p in petals]

    if kind == "barrel":
        h = 2 * r * spread(rng, 0.75, 1.2)
        parts.append(superquadric((1.9 * r, h, 1.9 * r), n=8).move(y=h * 0.42).of(green))
        y = np.linspace(-1, 1, 14)
        profile = np.stack([0.95 * r * np.sqrt(1 - np.clip(y, -0.98, 0.995) ** 2), (y + 0.85) * h / 2], 1)
        parts = [lathe(profile, ribs * 4, wave=flutes).of(green)]
        parts += bloom((0, h * 0.9, 0), 0.09) if chance(rng, 0.6) else []
    elif kind == "pads":
        stack = [((0.0, 0.0, 0.0), 0.0, 0.3)]
        for _ in range(count(rng, 2, 6)):
            (x, y, z), lean, size = pick(rng, stack)
            angle = lean + spread(rng, -55, 55)
            top = (
                x - 0.85 * size * np.sin(np.radians(lean)),
                y + 0.85 * size * np.cos(np.radians(lean)),
                z + spread(rng, -0.03, 0.03),
            )
            stack.append((top, angle, size * spread(rng, 0.65, 0.9)))
        for (x, y, z), lean, size in stack:
            pad = superquadric((0.7 * size, size, 0.16 * size), n=18).move(y=size / 2)
            parts.append(pad.turn("z", lean).move(x, y, z).of(green))
            if chance(rng, 0.3):
                parts.append(
                    ball(0.05, (x - size * np.sin(np.radians(lean)), y + size * np.cos(np.radians(lean)), z), 10).of(
                        flower
                    )
                )
    elif kind == "group":
        for i in range(count(rng, 3, 6)):
            out = 0.5 * r if i else 0.0
            t = 2 * np.pi * i / 5
            parts.append(
                column(spread(rng, 0.04, 0.065), spread(rng, 0.12, 0.36))
                .move(out * np.sin(t), -0.01, out * np.cos(t))
                .of(green)
            )
    else:
        h, radius = spread(rng, 0.4, 0.7), spread(rng, 0.06, 0.09)
        parts.append(column(radius, h).move(y=-0.02).of(green))
        for i in range(count(rng, 0, 3)):
            y, out, rise = h * spread(rng, 0.25, 0.55), radius + spread(rng, 0.08, 0.14), spread(rng, 0.12, 0.25)
            path = smooth([(0, y, 0), (out * 0.75, y + 0.01, 0), (out, y + 0.06, 0), (out, y + rise, 0)], 14)
            n = ribs * 2
            section = (1 + 0.12 * np.cos(np.pi * np.arange(n)))[:, None] * superellipse(n, 2, 2, 2)
            arm = sweep(path, radius * 0.62, section=section, rounded=True)
            parts.append(arm.turn("y", 360 * i / 3 + spread(rng, -30, 30)).of(green))
        if chance(rng, 0.4):
            parts += bloom((0, h - 0.03, 0), 0.08)
    return pot + moved(parts, y=soil)


@family("flower", stretch=(0.0, 0.12, 0.0))
def flower(rng: np.random.Generator, look: Palette) -> list[Part]:
    """A flower or a bunch: in a vase, in a pot or bare, with cups, daisies, bells or balls."""
    bloom, heart, green = (
        look.petal(),
        plain(pick(rng, ((0.95, 0.75, 0.2), (0.4, 0.26, 0.12), (0.85, 0.85, 0.4)))),
        look.leaf(),
    )
    second = look.petal()
    where = pick(rng, ("pot", "vase", "bare"))
    parts: list[Part] = []
    base, room = 0.0, 0.06
    if where == "pot":
        parts, base = flowerpot(rng, look, 0.13)
    elif where == "vase":
        r, h = spread(rng, 0.07, 0.1), spread(rng, 0.22, 0.36)
        knots = [(0.7 * r, 0), (r * spread(rng, 0.8, 1.3), 0.35 * h), (0.5 * r, 0.8 * h), (0.65 * r, h)]
        segments, wave, _ = wavy(rng)
        profile = smooth(knots, 12)
        profile[:, 1] = np.maximum.accumulate(profile[:, 1]) + np.arange(12) * 1e-6
        parts = [vessel(profile, 0.01, segments, wave=wave).of(look.ceramic())]
        base, room = 0.5 * h, 0.25 * r
    n = count(rng, 1, 5)
    kind = pick(rng, ("daisy", "daisy", "tulip", "ball", "sun", "bell"))
    petals, size = count(rng, 5, 12), spread(rng, 0.08, 0.14) * (1.2 if n == 1 else 0.9)
    for i in range(n):
        t, h = 2 * np.pi * i / n + spread(rng, -0.3, 0.3), spread(rng, 0.35, 0.6)
        out = spread(rng, 0.05, 0.22) if n > 1 else 0.02
        start, mid, end = (
            (room * 0.5, base, 0),
            (0.4 * out + room * 0.5, base + 0.6 * h, 0),
            (out + room * 0.5, base + h, 0),
        )
        path = smooth([start, mid, end], 9)
        stem = [sweep(path, 0.007, section=superellipse(8, 2, 2, 2)).of(green)]
        head = _head(rng, kind, petals, size, bloom if i % 2 else second, heart)
        lean = spread(rng, 10, 55) if kind in ("daisy", "sun") else spread(rng, 0, 25)
        stem += moved(turned(head, "z", -lean), *path[-1].tolist())
        for _ in range(count(rng, 0, 2)):
            k = count(rng, 3, 6)
            one = leaf(rng, spread(rng, 0.1, 0.2), 0.05, 0.6, "lance", 6).turn("y", spread(rng, 0, 360))
            stem.append(one.move(*path[k].tolist()).of(green))
        parts += turned(stem, "y", float(np.degrees(t)))
    return parts


def _head(rng: np.random.Generator, kind: str, petals: int, size: float, of: Material, heart: Material) -> list[Part]:
    """Looks up from the origin."""
    if kind in ("daisy", "sun"):
        n = petals if kind == "daisy" else min(2 * petals, 16)
        wide = 2.6 * size / n + 0.01
        parts = [
            leaf(rng, size, wide, 0.3, "strap" if kind == "daisy" else "oval", 5).turn("y", 360 * i / n).of(of)
            for i in range(n)
        ]
        r = size * (0.32 if kind == "daisy" else 0.5)
        return [*parts, ball((2 * r, r, 2 * r), (0, 0.01, 0), 12).of(heart)]
    if kind == "ball":
        return [stone(rng, detail=2, rough=0.12, waves=7).scale(size * 0.6).move(y=size * 0.4).of(of)]
    h = size * 1.2
    if kind == "bell":
        profile = smooth([(0.15 * h, 0), (0.35 * h, 0.25 * h), (0.4 * h, 0.6 * h), (0.65 * h, h)], 8)
        return [
            vessel(profile, 0.015 * h, 24, wave=lambda t, y: 1 + 0.12 * np.cos(5 * t) * (y / h) ** 2).of(of),
            ball(0.2 * h, (0, 0.6 * h, 0), 8).of(heart),
        ]
    cup = vessel(
        smooth([(0.12 * h, 0), (0.42 * h, 0.25 * h), (0.4 * h, 0.6 * h), (0.3 * h, h)], 12),
        0.04 * h,
        24,
        wave=lambda t, y: 1 + 0.1 * np.cos(3 * t),
    )
    p = cup.points.copy()
    p[:, 1] *= 1 + 0.12 * np.cos(3 * np.arctan2(p[:, 0], p[:, 2])) * (p[:, 1] > 0.8 * h)
    return [cup.bent(p).of(of)]


@family("mushroom", stretch=(0.0, 0.2, 0.0))
def mushroom(rng: np.random.Generator, look: Palette) -> list[Part]:
    """One or a group: domed, pointed, flat or cupped caps, dotted now and then."""
    stalk = look.pale()
    cap = plain(
        pick(
            rng,
            (
                (0.75, 0.14, 0.10),
                (0.62, 0.40, 0.22),
                (0.85, 0.62, 0.35),
                (0.90, 0.86, 0.78),
                (0.50, 0.30, 0.40),
                (0.83, 0.50, 0.20),
            ),
        )
    )
    dots, parts = chance(rng, 0.45), []
    n = pick(rng, (1, 1, 2, 3, 4, 5))
    kind = pick(rng, ("dome", "dome", "flat", "cone", "cup"))
    for i in range(n):
        s = 1.0 if i == 0 else spread(rng, 0.3, 0.7)
        h, r, stem = s * spread(rng, 0.5, 0.9), s * spread(rng, 0.3, 0.5), s * spread(rng, 0.07, 0.14)
        tall = r * {"dome": 0.75, "flat": 0.35, "cone": 1.4, "cup": 0.3}[kind]
        lean = spread(rng, -0.1, 0.1) * s
        path = smooth([(0, 0, 0), (lean * 0.3, h * 0.5, 0), (lean, h, 0)], 9)
        parts_one = [
            sweep(
                path,
                stem * np.array([1.5, 1.35, 1.1, 1, 0.95, 0.92, 0.9, 0.9, 0.95]),
                section=superellipse(16, 2, 2, 2),
            ).of(stalk)
        ]
        power = {"dome": 0.5, "flat": 0.4, "cone": 1.0, "cup": 0.5}[kind]
        x = np.linspace(0, 1, 9)
        top = [(r * (1 - t), tall * (1 - (1 - t) ** (1 / power)) if kind != "cone" else tall * t) for t in x]
        if kind == "cup":
            top = [(r, 0.06 * r), (r * 0.93, 0.28 * r), (r * 0.6, 0.2 * r), (r * 0.3, 0.08 * r), (0.0, 0.05 * r)]
        under = [(0, -0.02 * r), (0.6 * r, -0.05 * r), (0.93 * r, -0.08 * r), (r * 1.0, -0.03 * r)]
        parts_one.append(lathe(np.array(under + top[0 if kind == "cup" else 1 :]), 28).move(lean, h, 0).of(cap))
        if dots and kind != "cup":
            for k in range(count(rng, 7, 13) if n < 3 else 6):
                a, q = 2.4 * k, 0.1 + 0.8 * ((k + 0.5) / 14) ** 0.5
                y = tall * (1 - q ** (1 / power)) if kind != "cone" else tall * (1 - q)
                size = s * spread(rng, 0.04, 0.09)
                parts_one.append(
                    ball((size, size * 0.6, size), (lean + r * q * np.sin(a), h + y, r * q * np.cos(a)), 8).of(stalk)
                )
        if chance(rng, 0.3):
            parts_one.append(ring(stem * 1.25, stem * 0.25, 16).move(lean * 0.8, h * 0.75, 0).of(stalk))
        t = 2.4 * i
        out = 0.0 if i == 0 else spread(rng, 0.3, 0.5)
        parts += moved(turned(parts_one, "z", spread(rng, -8, 8) if i else 0), out * np.sin(t), 0, out * np.cos(t))
    return parts
