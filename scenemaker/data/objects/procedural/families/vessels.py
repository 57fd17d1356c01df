"""Vases, bowls and cups: turned and thrown."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.materials.palette import Palette, plain
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    lathe,
    smooth,
    superellipse,
    sweep,
    vessel,
)  # fmt: skip
from scenemaker.data.objects.procedural.shapes.lathe import Wave
from scenemaker.geometry.cameras import F64


def wavy(rng: np.random.Generator, likely: float = 0.35) -> tuple[int, Wave | None, float]:
    """Segments, wave and twist of a vessel: round, many-sided, fluted or twisted."""
    if not chance(rng, likely):
        return 32, None, 0.0
    kind = pick(rng, ("sides", "flutes", "twist", "lobes"))
    if kind == "sides":
        return count(rng, 5, 9), None, pick(rng, (0.0, 0.0, spread(rng, 20, 70)))
    lobes = count(rng, 3, 6) if kind == "lobes" else count(rng, 8, 14)
    depth = 0.07 if kind == "lobes" else 0.035

    def wave(t: F64, y: F64) -> F64:
        return 1 + depth * np.cos(lobes * t)

    return min(56, lobes * 6 if kind == "lobes" else lobes * 4), wave, spread(rng, 30, 110) if kind == "twist" else 0.0


@family("vase", stretch=(0.0, 0.25, 0.0))
def vase(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Of any profile, round, many-sided or fluted; with handles now and then."""
    of = look.ceramic() if chance(rng, 0.85) else look.metal()
    h = 1.0
    kind = pick(rng, ("amphora", "bottle", "trumpet", "gourd", "cylinder", "free", "moon"))
    s = spread(rng, 0.8, 1.25)
    knots = {
        "amphora": [(0.14, 0), (0.17, 0.05), (0.3, 0.45), (0.33, 0.62), (0.15, 0.85), (0.14, 0.93), (0.2, 1)],
        "bottle": [(0.24, 0), (0.3, 0.12), (0.29, 0.35), (0.12, 0.6), (0.08, 0.8), (0.09, 0.95), (0.12, 1)],
        "trumpet": [(0.2, 0), (0.12, 0.1), (0.1, 0.3), (0.14, 0.65), (0.24, 0.9), (0.32, 1)],
        "gourd": [(0.2, 0), (0.32, 0.18), (0.28, 0.4), (0.15, 0.52), (0.2, 0.7), (0.14, 0.88), (0.1, 1)],
        "cylinder": [(0.2, 0), (0.22, 0.03), (0.22, 0.5), (0.22, 0.97), (0.22, 1)],
        "moon": [(0.18, 0), (0.36, 0.25), (0.4, 0.45), (0.33, 0.7), (0.16, 0.86), (0.17, 1)],
        "free": [
            (spread(rng, 0.12, 0.26), 0),
            *((spread(rng, 0.1, 0.34), y) for y in (0.22, 0.45, 0.68, 0.86)),
            (spread(rng, 0.1, 0.25), 1),
        ],
    }[kind]
    profile = smooth([(r * s * spread(rng, 0.92, 1.08), y * h) for r, y in knots], 26)
    profile[:, 0] = np.maximum(profile[:, 0], 0.06)
    profile[:, 1] = np.maximum.accumulate(profile[:, 1]) + np.arange(26) * 1e-6
    segments, wave, twist = wavy(rng)
    parts = [vessel(profile, 0.022, segments, wave=wave, twist_deg=twist).of(of)]
    if chance(rng, 0.3):
        y0, y1 = spread(rng, 0.4, 0.6), spread(rng, 0.82, 0.94)
        r0, r1 = (float(np.interp(y, profile[:, 1], profile[:, 0])) for y in (y0, y1))
        out = max(r0, r1) + spread(rng, 0.06, 0.16)
        path = smooth(
            [
                (r0 * 0.97, y0, 0),
                (out * 0.95, y0 + 0.35 * (y1 - y0), 0),
                (out * 0.85, y1 + 0.02, 0),
                (r1 * 0.97, y1, 0),
            ],
            16,
        )
        one = sweep(path, spread(rng, 0.018, 0.03)).of(of)
        parts += [one] if chance(rng, 0.25) else [one, one.scale(-1, 1, 1)]
    return parts


@family("bowl", stretch=(0.0, 0.2, 0.0))
def bowl(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Bowls and dishes, flat to deep, empty or with fruit."""
    of = pick(rng, (look.ceramic(), look.ceramic(), look.wood(), look.metal()))
    r, h = 0.5, spread(rng, 0.15, 0.55)
    belly = spread(rng, 0.45, 0.8)
    foot = spread(rng, 0.35, 0.6)
    knots = [
        (foot * r, 0),
        (foot * r, 0.035),
        (belly * r + 0.08, 0.3 * h + 0.02),
        (0.93 * r, 0.7 * h),
        (r * spread(rng, 0.9, 1.05), h),
    ]
    segments, wave, _ = wavy(rng, 0.3)
    profile = smooth(knots, 20)
    profile[:, 1] = np.maximum.accumulate(profile[:, 1]) + np.arange(20) * 1e-6
    parts = [vessel(profile, 0.025, segments, wave=wave).of(of)]
    if chance(rng, 0.4) and h > 0.2:
        fruits = [
            plain(c)
            for c in (
                (0.80, 0.16, 0.12),
                (0.93, 0.60, 0.13),
                (0.55, 0.70, 0.20),
                (0.90, 0.80, 0.25),
                (0.42, 0.12, 0.25),
            )
        ]
        size, n = spread(rng, 0.2, 0.26), count(rng, 3, 6)
        kinds = [pick(rng, fruits) for _ in range(2)]
        for i in range(n):
            t = 2 * np.pi * i / n + spread(rng, -0.2, 0.2)
            out = 0.24 if n > 3 else 0.15
            parts.append(
                ball((size, size * 0.93, size), (out * np.sin(t), h * 0.45 + 0.12, out * np.cos(t)), 16).of(
                    pick(rng, kinds)
                )
            )
        parts.append(ball(size, (0, h * 0.45 + 0.26, 0), 16).of(pick(rng, kinds)))
    return parts


@family("cup", stretch=(0.0, 0.12, 0.0))
def cup(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Mugs, tea cups with saucers, beakers and goblets."""
    of = look.ceramic()
    kind = pick(rng, ("mug", "mug", "tea", "tea", "beaker", "goblet"))
    if kind == "goblet":
        of = pick(rng, (look.metal(), look.ceramic()))
        b, c = spread(rng, 0.16, 0.28), spread(rng, 0.35, 0.5)
        profile = smooth(
            [
                (0.2, 0),
                (0.19, 0.02),
                (0.04, 0.07),
                (0.03, c * 0.7),
                (0.06, c),
                (b, c + 0.15),
                (b * 1.05, 0.75),
                (b * spread(rng, 0.8, 1.1), 1),
            ],
            30,
        )
        profile[:, 1] = np.maximum.accumulate(profile[:, 1]) + np.arange(30) * 1e-6
        return [_on_a_stem(np.maximum(profile, (0.02, 0)), c).of(of)]
    h = spread(rng, 0.85, 1.1) if kind != "tea" else spread(rng, 0.5, 0.65)
    low, high = (
        (spread(rng, 0.3, 0.42), spread(rng, 0.36, 0.46))
        if kind != "tea"
        else (spread(rng, 0.2, 0.28), spread(rng, 0.45, 0.52))
    )
    belly = spread(rng, -0.03, 0.08) if kind != "tea" else spread(rng, 0.04, 0.1)
    profile = smooth(
        [(low * 0.93, 0), (low, 0.03), ((low + high) / 2 + belly, h * 0.5), (high, h * 0.93), (high, h)], 18
    )
    segments, wave, twist = wavy(rng, 0.2)
    parts = [vessel(profile, 0.03, segments, wave=wave, twist_deg=twist).of(of)]
    if kind != "beaker":
        y0, y1 = h * spread(rng, 0.15, 0.3), h * spread(rng, 0.75, 0.9)
        r0, r1 = (float(np.interp(y, profile[:, 1], profile[:, 0])) - 0.02 for y in (y0, y1))
        out = max(r0, r1) + spread(rng, 0.18, 0.3)
        if chance(rng, 0.25):
            path = np.array(
                [
                    (r1, y1, 0),
                    (out - 0.03, y1, 0),
                    (out, y1 - 0.03, 0),
                    (out, y0 + 0.03, 0),
                    (out - 0.03, y0, 0),
                    (r0, y0, 0),
                ]
            )
        else:
            path = smooth(
                [
                    (r1, y1, 0),
                    (out * 0.93, y1 + 0.02, 0),
                    (out, (y0 + y1) / 2, 0),
                    (out * 0.86, y0 + 0.03, 0),
                    (r0, y0, 0),
                ],
                18,
            )
        handle_of = of if chance(rng, 0.8) else look.accent()
        parts.append(
            sweep(path, 1.0, section=superellipse(10, spread(rng, 0.05, 0.09), 0.05, 2.5), up=(0, 0, 1)).of(handle_of)
        )
    if chance(rng, 0.6):
        level = h * spread(rng, 0.6, 0.88)
        r = float(np.interp(level, profile[:, 1], profile[:, 0])) - 0.02
        if wave is None and segments == 32:
            drink = plain(pick(rng, ((0.24, 0.14, 0.08), (0.55, 0.33, 0.12), (0.50, 0.34, 0.22), (0.85, 0.82, 0.76))))
            parts.append(lathe([(0, level - 0.02), (r, level - 0.02), (r, level), (0, level)], 32).of(drink))
    if kind == "tea" and chance(rng, 0.7):
        r = high * spread(rng, 1.45, 1.75)
        dish = smooth([(r * 0.55, -0.05), (r * 0.75, -0.03), (r, 0.05)], 10)
        parts.append(vessel(dish, 0.022, 36).of(of))
    return parts


def _on_a_stem(profile: F64, floor: float) -> Part:
    """A goblet: hollow above ``floor`` only."""
    wall = 0.02
    inner = profile[profile[:, 1] > floor + 0.04] - (wall, 0)
    inner = inner[inner[:, 0] > 0.01]
    whole = np.concatenate([profile, [profile[-1] + (-wall / 2, wall / 2)], inner[::-1], [(0, floor + 0.03)]])
    return lathe(whole, 32)
