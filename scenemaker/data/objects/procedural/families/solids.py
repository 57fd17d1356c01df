"""Plain solids and what grows out of several."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    box,
    cushion,
    lathe,
    ring,
    rod,
    smooth,
    stone,
    superellipse,
    superquadric,
    sweep,
)  # fmt: skip


def any_of(look: Palette, rng: np.random.Generator) -> Material:
    return pick(rng, (look.wood, look.plastic, look.accent, look.metal, look.stone, look.ceramic, look.fabric))()


@family("solid", stretch=(0.15, 0.15, 0.15))
def solid(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Superquadrics from pinched to boxy, tapered, bent and twisted; smooth rings; lobed balls."""
    kind = pick(rng, ("superquadric", "superquadric", "bent", "toroid", "lobes", "cushion", "turned"))
    of = any_of(look, rng)
    sides = (spread(rng, 0.4, 1), spread(rng, 0.4, 1), spread(rng, 0.4, 1))
    if kind == "toroid":
        cut = superellipse(24, spread(rng, 0.2, 0.5), spread(rng, 0.15, 0.7), pick(rng, (1.2, 2, 2, 3, 6)))
        sides_around = pick(rng, (48, 48, 6, 5, 4, 3))
        one = ring(spread(rng, 0.3, 0.5), 1.0, sides_around, cut)
        return [(one.turn("x", 90) if chance(rng, 0.4) else one).of(of)]
    if kind == "lobes":
        n, deep, m = count(rng, 3, 8), spread(rng, 0.08, 0.3), count(rng, 0, 4)
        s = np.linspace(0.03, np.pi - 0.03, 26)
        profile = np.stack(
            [
                0.5 * np.sin(s) ** spread(rng, 0.5, 1.2) * (1 + 0.15 * np.cos(m * 2 * s)),
                -0.5 * np.cos(s) * sides[1] / sides[0],
            ],
            1,
        )
        return [
            lathe(
                profile,
                n * 8,
                wave=lambda t, y: 1 + deep * np.cos(n * t),
                twist_deg=pick(rng, (0, 0, spread(rng, 40, 140))),
            ).of(of)
        ]
    if kind == "cushion":
        return [cushion(sides, radius=spread(rng, 0.05, 0.3), puff=pick(rng, (0.0, 0.2, 0.5)), steps=3).of(of)]
    if kind == "turned":
        profile = smooth([(spread(rng, 0.05, 0.5), y) for y in np.linspace(0, 1.2, count(rng, 4, 7))], 30)
        return [
            lathe(
                np.maximum(profile, (0.03, 0)),
                pick(rng, (40, 40, 5, 6, 8)),
                twist_deg=pick(rng, (0.0, 0.0, spread(rng, 20, 120))),
            ).of(of)
        ]
    one = superquadric(
        sides, pick(rng, (0.15, 0.3, 0.6, 1.0, 1.6, 2.2)), pick(rng, (0.15, 0.3, 0.6, 1.0, 1.6, 2.2)), n=32
    )
    p = one.points.copy()
    if kind == "bent":
        up = p[:, 1] / sides[1] + 0.5
        p[:, [0, 2]] *= (1 + spread(rng, -0.7, 0.5) * up)[:, None]
        angle = np.radians(spread(rng, 0, 150)) * up
        x, z = p[:, 0].copy(), p[:, 2].copy()
        p[:, 0], p[:, 2] = np.cos(angle) * x + np.sin(angle) * z, -np.sin(angle) * x + np.cos(angle) * z
        p[:, 0] += spread(rng, -0.5, 0.5) * up**2
    return [one.bent(p).of(of)]


@family("sculpture", stretch=(0.15, 0.15, 0.15))
def sculpture(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Two to seven solids grown into each other, on a plinth now and then: what has no name."""
    palette = [any_of(look, rng) for _ in range(pick(rng, (1, 1, 2, 3)))]
    n = count(rng, 2, 7)
    parts: list[Part] = []
    at, size = np.zeros(3), 0.5
    symmetric = chance(rng, 0.35)
    for _ in range(n):
        s = size * spread(rng, 0.5, 1.1)
        kind = pick(rng, ("quad", "quad", "box", "rod", "ring", "cone", "stone", "bar"))
        if kind == "quad":
            one = superquadric(
                (s, s * spread(rng, 0.5, 1.6), s * spread(rng, 0.6, 1.2)),
                pick(rng, (0.2, 0.6, 1.0)),
                pick(rng, (0.2, 0.6, 1.0)),
                n=18,
            )
        elif kind == "box":
            one = box(
                (s, s * spread(rng, 0.4, 1.4), s * spread(rng, 0.5, 1.2)),
                (0, -s / 2, 0),
                bevel=0.03 * s,
                top=pick(rng, (1.0, 0.6, 1.3)),
            )
        elif kind == "rod":
            one = rod(
                (0, -0.7 * s, 0),
                (0, 0.7 * s, 0),
                0.25 * s,
                0.25 * s * spread(rng, 0.4, 1.2),
                segments=pick(rng, (6, 20, 20)),
            )
        elif kind == "ring":
            one = ring(0.45 * s, 0.13 * s, 30)
        elif kind == "cone":
            one = lathe(
                [(0, -0.5 * s), (0.48 * s, -0.5 * s), (0.5 * s, -0.46 * s), (0.02 * s, 0.5 * s), (0, 0.51 * s)],
                pick(rng, (4, 24)),
            )
        elif kind == "stone":
            one = stone(rng, detail=2, rough=0.15, cuts=count(rng, 0, 5)).scale(0.5 * s)
        else:
            path = smooth(
                [(-0.6 * s, 0, 0), (0, spread(rng, 0, 0.6) * s, 0), (0.6 * s, 0, spread(rng, -0.4, 0.4) * s)], 14
            )
            one = sweep(path, 0.12 * s, rounded=True)
        if chance(rng, 0.6):
            one = one.turn(pick(rng, ("x", "y", "z")), pick(rng, (30, 45, 90, spread(rng, 0, 180))))
        one = one.move(*at.tolist()).of(pick(rng, palette))
        parts.append(one)
        if symmetric and abs(at[0]) > 0.05:
            parts.append(one.scale(-1, 1, 1))
        base = parts[int(rng.integers(len(parts)))]
        low, high = base.points.min(0), base.points.max(0)
        way = rng.normal(size=3) * (1, 1, 0.6)
        at = (low + high) / 2 + (high - low) * 0.42 * way / np.abs(way).max()
        size *= spread(rng, 0.75, 1.0)
    if chance(rng, 0.35):
        low = min(float(p.points[:, 1].min()) for p in parts)
        parts.append(box((0.5, 0.3, 0.5), (0, low - 0.24, 0), bevel=0.02).of(look.stone()))
    return parts
