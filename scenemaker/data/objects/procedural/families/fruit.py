"""Fruit and vegetables."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.plants import leaf
from scenemaker.data.objects.procedural.materials.colour import lighter
from scenemaker.data.objects.procedural.materials.material import Colour
from scenemaker.data.objects.procedural.materials.palette import Palette, blend, plain
from scenemaker.data.objects.procedural.part import Part, moved, turned
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    blade,
    lathe,
    lumps,
    rod,
    smooth,
    superellipse,
    sweep,
)  # fmt: skip
from scenemaker.geometry.cameras import F64

STALK = plain((0.36, 0.27, 0.14))
GREEN = plain((0.36, 0.55, 0.20))


@family("apple", stretch=(0.0, 0.12, 0.0))
def apple(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Whole apples in their colours, with stalk and leaf, one bitten or a few."""
    pairs: tuple[tuple[Colour, Colour], ...] = (
        ((0.76, 0.13, 0.11), (0.86, 0.62, 0.22)), ((0.55, 0.70, 0.20), (0.72, 0.78, 0.36)),
        ((0.88, 0.72, 0.28), (0.80, 0.30, 0.16)), ((0.60, 0.08, 0.12), (0.72, 0.20, 0.16)),
    )  # fmt: skip
    parts: list[Part] = []
    n = pick(rng, (1, 1, 1, 2, 3))
    of = blend(*pick(rng, pairs))
    tall, lobes, deep = spread(rng, 0.82, 1.08), pick(rng, (5, 5, 4)), spread(rng, 0.0, 0.045)
    for i in range(n):
        knots = [(0.04, 0.1), (0.2, 0.0), (0.4, 0.18), (0.5, 0.5), (0.46, 0.76), (0.28, 0.93), (0.13, 0.9), (0.03, 0.8)]
        profile = smooth(np.array(knots) * (1, tall), 24)
        body = lathe(
            [(0, 0.12 * tall), *np.maximum(profile, (0.02, 0)).tolist(), (0, 0.79 * tall)],
            30,
            wave=lambda t, y: 1 + deep * np.cos(lobes * t) * (1.1 - y),
        )
        one = [body.shaded(0.5 + 0.5 * lumps(rng, body.points, 1.6)).of(of)]
        one.append(
            sweep([(0, 0.78 * tall, 0), (0.02, 0.92 * tall, 0), (0.07, 1.06 * tall, 0)], (0.02, 0.018, 0.026)).of(STALK)
        )
        if chance(rng, 0.5):
            one.append(leaf(rng, 0.35, 0.16, 0.5).turn("y", spread(rng, 0, 360)).move(0.03, 0.93 * tall, 0).of(GREEN))
        t = 2.1 * i
        out = 0.62 if n > 1 else 0.0
        parts += moved(one, out * np.sin(t), 0, out * np.cos(t))
    return parts


@family("pear", stretch=(0.0, 0.08, 0.0))
def pear(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Pears, slim to round, upright or lying."""
    of = blend(
        pick(rng, ((0.72, 0.74, 0.28), (0.80, 0.68, 0.30), (0.55, 0.62, 0.25))),
        pick(rng, ((0.70, 0.40, 0.20), (0.60, 0.50, 0.22), (0.75, 0.30, 0.22))),
        "speckle",
    )
    neck, waist, tall = spread(rng, 0.14, 0.24), spread(rng, 0.2, 0.34), spread(rng, 1.1, 1.5)
    knots = [(0.03, 0.06), (0.2, 0.0), (0.42, 0.22), (0.43, 0.42), (waist, 0.68), (neck, 0.9), (0.04, 1.0)]
    profile = smooth(knots, 24) * (1, tall)
    n = pick(rng, (1, 1, 1, 2, 3))
    parts: list[Part] = []
    for i in range(n):
        body = lathe([(0, 0.07), *np.maximum(profile, (0.02, 0)).tolist(), (0, tall)], 28)
        side, lean = lumps(rng, body.points, 1.5), spread(rng, -0.12, 0.12)
        p = body.points.copy()
        p[:, 0] += lean * (p[:, 1] / tall) ** 2
        path = [(lean * 0.95, tall - 0.04, 0), (lean + 0.03, tall + 0.1, 0), (lean + 0.1, tall + 0.2, 0)]
        one = [body.bent(p).shaded(0.35 + 0.5 * side).of(of), sweep(path, (0.024, 0.018, 0.026)).of(STALK)]
        for _ in range(pick(rng, (0, 1, 2))):
            green = leaf(rng, 0.36, 0.16, 0.6).turn("y", spread(rng, 0, 360))
            one.append(green.move(lean + 0.02, tall + 0.06, 0).of(GREEN))
        if chance(rng, 0.25):  # lies on its side
            one = moved(turned(one, "z", -82), -0.6 * tall, 0.43, 0)
        out = 0.0 if n == 1 else 0.75
        parts += turned(moved(one, z=out), "y", 360 * i / n + spread(rng, -15, 15))
    return parts


@family("banana", stretch=(0.08, 0.08, 0.08))
def banana(rng: np.random.Generator, look: Palette) -> list[Part]:
    """One to six, green to spotted."""
    n = pick(rng, (1, 2, 3, 4, 5, 6))
    ripe = pick(rng, ((0.93, 0.79, 0.22), (0.90, 0.74, 0.20), (0.72, 0.76, 0.25)))
    of, tip = blend(ripe, (0.42, 0.30, 0.12), "speckle"), plain((0.30, 0.24, 0.12))
    bend, sides = spread(rng, 70, 130), pick(rng, (5, 5, 6))
    section = np.repeat(superellipse(sides, 2, 2, 2), 1, 0)
    section = np.concatenate([np.linspace(section[i], section[(i + 1) % sides], 3)[:2] * (1, 1) for i in range(sides)])
    section *= (1 / np.sqrt((section**2).sum(1, keepdims=True))) ** 0.6
    parts = []
    for i in range(n):
        t = np.radians(np.linspace(-bend / 2, bend / 2, 15)) * spread(rng, 0.9, 1.1)
        s = np.linspace(0, 1, 15)
        path = np.stack([np.sin(t), 1 - np.cos(t), 0 * t], 1)
        radius = 0.145 * np.clip(np.minimum((s / 0.22) ** 0.6, ((1 - s) / 0.14) ** 0.6), 0.3, 1.0)
        radius[:2] = 0.05
        one = sweep(path, radius, section=section, up=(0, 0, 1))
        ends = np.clip(np.abs(one.points[:, 0] / np.abs(one.points[:, 0]).max()) ** 9 * 1.1 - 0.2, 0, 1)
        speck = np.clip(lumps(rng, one.points, 5) - 0.75, 0, 1)
        group = [one.shaded(np.maximum(ends, speck)).of(of), ball(0.08, tuple(path[-1]), 8).of(tip)]
        anchor = tuple(path[0])
        yaw = (i - (n - 1) / 2) * 15
        parts += [p.turn("y", yaw, anchor).turn("x", 6 * (i - (n - 1) / 2), anchor) for p in group]
    t = -np.radians(bend / 2)
    root = np.array([np.sin(t), 1 - np.cos(t), 0])
    parts.append(
        rod(
            root + np.array((-0.1, 0.07, 0)), root + np.array((0.03, -0.01, 0)), 0.05 + 0.008 * n, 0.04 + 0.02 * (n > 2)
        ).of(tip if n > 1 else of)
    )
    return [p.turn("x", -75) for p in parts] if n == 1 and chance(rng, 0.6) else parts


@family("pumpkin", stretch=(0.0, 0.1, 0.0))
def pumpkin(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Pumpkins and squashes: flat, round, tall, two-coloured."""
    colours: tuple[tuple[Colour, Colour], ...] = (
        ((0.88, 0.46, 0.10), (0.72, 0.32, 0.07)), ((0.82, 0.36, 0.10), (0.40, 0.42, 0.18)),
        ((0.33, 0.44, 0.24), (0.62, 0.60, 0.30)),
        ((0.88, 0.82, 0.66), (0.76, 0.66, 0.44)), ((0.62, 0.68, 0.64), (0.44, 0.52, 0.48)),
        ((0.90, 0.66, 0.22), (0.70, 0.42, 0.12)),
    )  # fmt: skip
    of = blend(*pick(rng, colours))
    ribs, depth, tall = count(rng, 7, 13), spread(rng, 0.05, 0.16), spread(rng, 0.5, 1.25)
    knots = [
        (0.05, 0.08),
        (0.25, 0.0),
        (0.46, 0.2),
        (spread(rng, 0.48, 0.56), 0.5),
        (spread(rng, 0.36, 0.48), 0.8),
        (0.2, 0.97),
        (0.05, 0.88),
    ]
    profile = smooth(np.array(knots) * (1, tall), 22)

    def lobes(t: F64, y: F64) -> F64:
        return 1 - depth * (1 - np.abs(np.sin(ribs * t / 2)) ** 0.8)

    body = lathe([(0, 0.09 * tall), *np.maximum(profile, (0.03, 0)).tolist(), (0, 0.86 * tall)], ribs * 6, wave=lobes)
    t = np.arctan2(body.points[:, 0], body.points[:, 2])
    groove = 1 - np.abs(np.sin(ribs * t / 2))
    bend = spread(rng, -0.2, 0.2)
    top = 0.86 * tall
    stalk = sweep(
        smooth([(0, top, 0), (0.02 + bend * 0.2, top + 0.12, 0), (bend, top + 0.24, 0)], 7),
        np.array([1.7, 1.2, 1, 0.9, 0.85, 0.9, 1.0]) * 0.05,
        section=superellipse(6, 2, 2, 2),
    )
    parts = [body.shaded(groove**1.5).of(of), stalk.of(plain((0.42, 0.44, 0.22)))]
    if chance(rng, 0.25):
        parts.append(
            leaf(rng, 0.45, 0.35, 0.7, "heart").turn("y", spread(rng, 0, 360)).move(0, top + 0.02, 0).of(GREEN)
        )
    return parts


@family("carrot", stretch=(0.1, 0.1, 0.1))
def carrot(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Carrots, radishes and beets with their leaves, lying."""
    kind = pick(rng, ("carrot", "carrot", "bunch", "short"))
    skin: Colour = pick(rng, ((0.90, 0.46, 0.12), (0.90, 0.46, 0.12), (0.55, 0.20, 0.35), (0.90, 0.80, 0.60)))
    colour = blend(skin, lighter(skin, 0.78), "strata")
    green, parts = look.leaf(), []
    for i in range(count(rng, 3, 5) if kind == "bunch" else 1):
        long, r = (
            (spread(rng, 0.8, 1.1), spread(rng, 0.09, 0.15))
            if kind != "short"
            else (spread(rng, 0.4, 0.55), spread(rng, 0.16, 0.22))
        )
        knots = [
            (0.008, 0),
            (0.35 * r, 0.2 * long),
            (0.75 * r, 0.6 * long),
            (r, 0.92 * long),
            (0.8 * r, 0.985 * long),
            (0.3 * r, long),
        ]
        profile = smooth(knots, 26)
        profile[2:-3:3, 0] *= 0.94
        root = lathe([(0, -0.005), *np.maximum(profile, (0.004, 0)).tolist(), (0, long)], 18)
        p = root.points.copy()
        p[:, 0] += spread(rng, -0.06, 0.06) * np.sin(3 * p[:, 1])
        one = [root.bent(p).of(colour)]
        for k in range(count(rng, 4, 8) if kind != "bunch" else 3):
            path = smooth([(0, 0, 0), (0.03, 0.2, 0), (spread(rng, 0.06, 0.2), spread(rng, 0.35, 0.5), 0)], 8)
            frond = [sweep(path, 0.009, section=superellipse(6, 2, 2, 2))]
            for m in (4, 6):
                for side in (-1, 1):
                    out = path[m] + np.linspace(0, 1, 3)[:, None] * np.array([0.03, 0.05, side * 0.07 * (1.2 - m / 9)])
                    frond.append(blade_of(out, 0.035))
            one += [q.turn("y", 360 * k / 6).move(y=long - 0.01).of(green) for q in frond]
        parts += [q.turn("z", 90).turn("y", spread(rng, -14, 14)).move(0, 0.95 * r, (i - 1) * 0.24) for q in one]
    return parts


def blade_of(path: F64, width: float) -> Part:
    """A leaflet along a path of three points."""
    return blade(path, width * np.array([0.4, 1.0, 0.1]), 0.004)
