"""Chests, suitcases, cartons and presents."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.materials.colour import lighter
from scenemaker.data.objects.procedural.materials.palette import Palette, blend, plain
from scenemaker.data.objects.procedural.part import Part, mirrored, moved, turned
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    box,
    cushion,
    lathe,
    prism,
    smooth,
    superellipse,
    sweep,
)


@family("chest", stretch=(0.15, 0.2, 0.15))
def chest(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Treasure chests, trunks and suitcases: shut or open."""
    of, band, lock = look.wood() if chance(rng, 0.6) else look.leather(), look.metal(), look.metal()
    w, h, d = spread(rng, 0.9, 1.2), spread(rng, 0.35, 0.5), spread(rng, 0.5, 0.65)
    kind = pick(rng, ("round", "round", "flat", "suitcase"))
    if kind == "suitcase":
        return _suitcase(rng, look)
    lid_h = d * spread(rng, 0.28, 0.5) if kind == "round" else 0.1
    opened = chance(rng, 0.4)
    t = 0.035
    parts = [box((w, h, t), (0, 0, s * (d - t) / 2)).of(of) for s in (-1, 1)]
    parts += [box((t, h, d - 2 * t + 0.01), (s * (w - t) / 2, 0, 0)).of(of) for s in (-1, 1)]
    parts.append(box((w - t, t, d - t), (0, 0, 0)).of(of))
    a = np.linspace(0, np.pi, 13)
    half = np.stack([d / 2 * np.cos(a), lid_h * np.sin(a) ** (1.0 if kind == "round" else 0.35)], 1)
    lid = [prism(half, w).turn("y", 90).of(of)]
    n = count(rng, 2, 4)
    at = [-w / 2 + 0.05 + (w - 0.1) * i / (n - 1) for i in range(n)]
    lid += [prism(half * 1.03, 0.06).turn("y", 90).move(x).of(band) for x in at]
    lid.append(box((0.12, 0.06, 0.03), (0, -0.01, d / 2)).of(lock))
    angle = spread(rng, 45, 105) if opened else 0.0
    parts += [p.move(y=h).turn("x", -angle, (0, h, -d / 2)) for p in lid]
    for x in at:
        parts += [box((0.06, h, 0.02), (x, 0, s * (d / 2 + 0.004)), bevel=0.004).of(band) for s in (-1, 1)]
    parts.append(box((0.12, 0.13, 0.03), (0, h - 0.14, d / 2 + 0.004)).of(lock))
    if opened and chance(rng, 0.7):
        gold = [plain((0.88, 0.70, 0.22)), plain((0.80, 0.60, 0.18)), look.accent()]
        heap = cushion((w - 2.2 * t, h * 0.75, d - 2.2 * t), (0, t * 0.8, 0), radius=0.1)
        p = heap.points.copy()
        p[:, 1] += (
            0.14
            * np.clip(1 - (2 * p[:, 0] / w) ** 2, 0, 1)
            * np.clip(1 - (2 * p[:, 2] / d) ** 2, 0, 1)
            * (p[:, 1] > 0.5 * h)
        )
        heap = heap.bent(p)
        parts.append(heap.of(gold[1]))
        for _ in range(count(rng, 18, 36)):
            x, z = spread(rng, -0.42, 0.42) * w, spread(rng, -0.4, 0.4) * d
            y = h * 0.76 + 0.14 * (1 - (2 * x / w) ** 2) * (1 - (2 * z / d) ** 2)
            coin = (
                lathe([(0, 0), (0.04, 0), (0.04, 0.012), (0, 0.012)], 10)
                .turn("x", spread(rng, -50, 50))
                .turn("z", spread(rng, -50, 50))
            )
            parts.append((coin if chance(rng, 0.85) else ball(0.07, n=8)).move(x, y, z).of(pick(rng, gold)))
    else:
        handle = np.stack(
            [
                np.full(12, 0.0),
                h * 0.62 - 0.07 * np.sin(np.linspace(0, np.pi, 12)),
                0.1 * np.cos(np.linspace(0, np.pi, 12)),
            ],
            1,
        )
        one = sweep(handle + np.array((w / 2 + 0.02, 0, 0)), 0.016).of(band)
        parts += mirrored([one])
    return parts


def _suitcase(rng: np.random.Generator, look: Palette) -> list[Part]:
    of, trim, metal = look.leather() if chance(rng, 0.6) else look.accent(), look.leather(), look.metal()
    w, h, d = spread(rng, 0.8, 1.1), spread(rng, 0.5, 0.7), spread(rng, 0.2, 0.34)
    parts = [cushion((w, h, d * 0.48), (0, 0, s * d * 0.25), radius=0.06, puff=0.04).of(of) for s in (-1, 1)]
    t = np.linspace(0, np.pi, 14)
    parts.append(sweep(np.stack([0.13 * np.cos(t), h + 0.09 * np.sin(t) ** 0.6, 0 * t], 1), 0.022).of(trim))
    parts += [
        cushion((0.1, 0.1, d * 1.02), (a * (w / 2 - 0.045), b * (h - 0.1), 0), radius=0.02).of(trim)
        for a in (-1, 1)
        for b in (0, 1)
    ]
    parts += [box((0.06, 0.05, d * 0.2), (s * w * 0.27, h - 0.02, 0)).of(metal) for s in (-1, 1)]
    if chance(rng, 0.5):
        for x in (-0.3 * w, 0.3 * w):
            parts += [box((0.06, h + 0.03, 0.02), (x, -0.015, side * (0.49 * d + 0.012))).of(trim) for side in (-1, 1)]
            parts += [box((0.06, 0.02, d), (x, y, 0)).of(trim) for y in (-0.022, h + 0.004)]
    return [p.turn("x", -90) for p in parts] if chance(rng, 0.35) else parts


@family("box", stretch=(0.15, 0.2, 0.15))
def carton(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Cardboard boxes shut, taped or open; presents with a bow; piles."""
    card = lighter((0.72, 0.56, 0.38), spread(rng, 0.85, 1.1))
    of = blend(card, lighter(card, 0.85), "noise")
    if chance(rng, 0.4):
        return _present(rng, look)
    w, h, d = spread(rng, 0.5, 1.0), spread(rng, 0.25, 0.8), spread(rng, 0.4, 0.8)
    tape = plain((0.78, 0.68, 0.48)) if chance(rng, 0.6) else look.pale()
    if chance(rng, 0.5):
        parts, y = [], 0.0
        for _ in range(pick(rng, (1, 1, 2, 3))):
            one = [
                box((w, h, d), bevel=0.006).of(of),
                box((w * 1.002, 0.004, 0.07), (0, h - 0.002, 0), bevel=0.001).of(tape),
            ]
            one += [box((0.004, 0.12, 0.07), (s * w / 2, h - 0.12, 0), bevel=0.001).of(tape) for s in (-1, 1)]
            if chance(rng, 0.6):
                one.append(box((w * 0.3, h * 0.3, 0.004), (w * 0.2, h * 0.2, d / 2), bevel=0.001).of(look.pale()))
            parts += moved(turned(one, "y", spread(rng, -12, 12) if parts else 0.0), y=y)
            y += h
            w, h, d = w * spread(rng, 0.6, 0.95), h * spread(rng, 0.6, 1.0), d * spread(rng, 0.6, 0.95)
        return parts
    t = 0.016
    parts = [box((w, h, t), (0, 0, s * (d - t) / 2), bevel=0.003).of(of) for s in (-1, 1)]
    parts += [box((t, h, d - 2 * t + 0.004), (s * (w - t) / 2, 0, 0), bevel=0.003).of(of) for s in (-1, 1)]
    parts.append(box((w - t, t, d - t), bevel=0.003).of(of))
    for s in (-1, 1):
        flap = (
            box((w * 0.99, d * 0.48, 0.012), bevel=0.003)
            .turn("x", s * spread(rng, 20, 140))
            .move(0, h - 0.004, s * (d / 2 - 0.008))
        )
        side = (
            box((0.012, w * 0.4, d * 0.97), bevel=0.003)
            .turn("z", -s * spread(rng, 20, 140))
            .move(s * (w / 2 - 0.008), h - 0.004, 0)
        )
        parts += [flap.of(of), side.of(of)]
    return parts


def _present(rng: np.random.Generator, look: Palette) -> list[Part]:
    paper, ribbon = look.fabric(), look.accent()
    w, h, d = spread(rng, 0.5, 0.9), spread(rng, 0.3, 0.9), spread(rng, 0.5, 0.8)
    if chance(rng, 0.3):
        r, lid = w / 2, 0.14
        parts = [lathe([(0, 0), (r - 0.01, 0), (r, 0.01), (r, h - 0.05), (0, h - 0.05)], 36).of(paper)]
        parts.append(
            lathe([(0, h - lid), (r * 1.05, h - lid), (r * 1.05, h - 0.01), (r * 1.03, h), (0, h)], 36).of(
                look.accent()
            )
        )
        d = w
    else:
        parts = [box((w, h, d), bevel=0.008).of(paper)]
        if chance(rng, 0.5):
            parts.append(box((w * 1.05, 0.15, d * 1.05), (0, h - 0.145, 0), bevel=0.008).of(look.accent()))
            parts += [box((0.1, h + 0.012, d * 1.058), bevel=0.004).of(ribbon)]
        else:
            parts += [
                box((0.1, h + 0.01, d + 0.012), bevel=0.004).of(ribbon),
                box((w + 0.012, h + 0.01, 0.1), bevel=0.004).of(ribbon),
            ]
    size = spread(rng, 0.16, 0.26)
    t = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    for i in range(pick(rng, (2, 4, 6))):
        n = pick(rng, (2, 4))
        loop = np.stack(
            [
                size * (0.52 - 0.5 * np.cos(t)),
                size * 0.35 * np.sin(t) * (1 - 0.4 * np.cos(t)) + 0.25 * size * (1 - np.cos(t)),
                0 * t,
            ],
            1,
        )
        bow = sweep(loop, 1.0, section=superellipse(8, 0.09, 0.012, 3), up=(0, 0, 1), loop=True)
        parts.append(bow.turn("y", (360 / n) * i + 20 * (i // n)).move(y=h + 0.005).of(ribbon))
    parts.append(ball((0.09, 0.07, 0.09), (0, h + 0.04, 0), 12).of(ribbon))
    for s in (-1, 1):
        end = smooth([(0, h + 0.02, 0), (s * size, h + 0.03, 0.08), (s * size * 1.5, h + 0.012, 0.2)], 8)
        parts.append(sweep(end, 1.0, section=superellipse(8, 0.08, 0.01, 3), up=(0, 1, 0)).of(ribbon))
    return parts
