"""Planes and rockets."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.wheels import GLASS, wheel
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    box,
    cushion,
    lathe,
    loft,
    prism,
    ring,
    rod,
    smooth,
    superellipse,
    sweep,
    tube,
)  # fmt: skip


@family("plane", stretch=(0.0, 0.0, 0.12))
def plane(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Propeller planes, biplanes and jets."""
    body, wing_of, dark, metal = look.accent(), look.paint(), look.dark(), look.metal()
    kind = pick(rng, ("sport", "biplane", "liner", "fighter"))
    long, r = 1.6, spread(rng, 0.11, 0.18)
    s = np.linspace(0, 1, 16)
    size = (
        r * np.interp(s, (0, 0.08, 0.3, 0.6, 1), (0.55, 0.85, 1.0, 0.85, 0.2))
        if kind != "liner"
        else r * np.interp(s, (0, 0.05, 0.12, 0.75, 1), (0.3, 0.75, 1, 1, 0.25))
    )
    lift = r * np.clip(s - 0.6, 0, 1) * 1.2
    spine = np.stack([long * (0.5 - s), 0.45 + lift, 0 * s], 1)
    parts = [sweep(spine, size, section=superellipse(20, 2, 2.2, 2.3), rounded=True, up=(0, 1, 0)).of(body)]
    span, chord = spread(rng, 0.65, 0.95), spread(rng, 0.26, 0.36)
    back = spread(rng, 0.25, 0.5) if kind in ("liner", "fighter") else spread(rng, 0.0, 0.1)

    def wing(
        root: tuple[float, float, float], half: float, chord: float, sweep_back: float, rise: float, of: Material
    ) -> list[Part]:
        k = np.linspace(0, 1, 5)
        path = np.stack([root[0] - sweep_back * k, root[1] + rise * k, root[2] + half * k], 1)
        section = np.array(
            [(0.5, 0.0), (0.3, 0.06), (-0.1, 0.06), (-0.5, 0.005), (-0.5, -0.005), (-0.1, -0.03), (0.3, -0.04)]
        )
        rings = np.stack(
            [
                np.stack([p[0] + c * section[:, 0] * chord, p[1] + c * section[:, 1] * chord, np.full(7, p[2])], 1)
                for p, c in zip(path, np.linspace(1, 0.55, 5))
            ]
        )
        one = loft(rings).of(of)
        return [one, one.scale(1, 1, -1)]

    y = 0.45 - (0.6 * r if kind != "sport" or chance(rng, 0.5) else -0.8 * r)
    at = spread(rng, 0.02, 0.18)
    parts += wing((at, y, 0.3 * r), span, chord, back, spread(rng, 0.0, 0.12), wing_of)
    if kind == "biplane":
        up = y + 2.6 * r
        parts += wing((at + 0.03, up, 0), span * 0.95, chord, back, 0.05, wing_of)
        parts += [
            rod((at, y, side * k * span), (at + 0.03, up + 0.03, side * k * span), 0.012, segments=8).of(dark)
            for side in (-1, 1)
            for k in (0.3, 0.75)
        ]
    tail_x, tail_y = -long / 2 + 0.1, 0.45 + 0.4 * r
    parts += wing((tail_x, tail_y, 0.02), 0.3, 0.2, 0.08 + back * 0.3, 0.0, wing_of)
    fin = wing((tail_x + 0.02, 0, 0), 0.3, 0.24, 0.16, 0.0, wing_of)[0]
    parts.append(fin.turn("x", -90).move(y=tail_y).of(body))
    if kind in ("sport", "biplane"):
        nose = long / 2 + 0.55 * r
        parts.append(ball((0.14, 0.1, 0.1), (nose, 0.45, 0), 12).of(metal))
        n, turn = pick(rng, (2, 3)), spread(rng, 0, 90)
        for i in range(n):
            vane = cushion((0.02, 0.27, 0.05), (0, 0.02, 0), radius=0.008)
            parts.append(vane.turn("y", 25).turn("x", 360 * i / n + turn).move(nose + 0.01, 0.45, 0).of(dark))
        parts.append(cushion((0.3, 0.18, 1.3 * r), (0.1, 0.45 + 0.75 * r, 0), radius=0.06).of(GLASS))
    else:
        parts.append(
            cushion(
                (0.34 if kind == "fighter" else 0.16, 0.14, 1.2 * r),
                (0.36 if kind == "fighter" else long / 2 - 0.12, 0.45 + 0.55 * r, 0),
                radius=0.05,
            ).of(GLASS)
        )
        if kind == "liner":
            for side in (-1, 1):
                parts += [
                    box((0.035, 0.045, 0.02), (x, 0.45 + 0.1 * r, side * r * 0.985), bevel=0.006).of(GLASS)
                    for x in np.arange(-0.4, 0.6, 0.1)
                ]
                pod = lathe(
                    [(0, -0.13), (0.04, -0.13), (0.065, 0.0), (0.06, 0.13), (0.045, 0.13), (0.03, 0.08), (0, 0.08)], 18
                ).turn("z", -90)
                parts += [
                    pod.move(at - back * k + 0.08, y - 0.06, side * (k * span)).of(metal)
                    for k in ((0.4,) if chance(rng, 0.5) else (0.35, 0.65))
                ]
        else:
            parts.append(
                lathe([(0, 0), (0.5 * r, 0), (0.6 * r, 0.1), (0, 0.1)], 16)
                .turn("z", 90)
                .move(-long / 2 + 0.06, 0.45 + 0.45 * r, 0)
                .of(dark)
            )
    if chance(rng, 0.7):
        for x, z in (
            (at + 0.12, 0.18),
            (at + 0.12, -0.18),
            (-long / 2 + 0.25 if kind != "liner" else long / 2 - 0.2, 0.0),
        ):
            small = 0.07 if z else 0.05
            parts.append(rod((x, 0.45 - 0.3 * r, z * 0.7), (x, small + 0.1, z), 0.014, segments=8).of(metal))
            parts += [p.move(x, small + 0.1, z) for p in wheel(small, 0.05, dark, metal)]
    return parts


@family("rocket", stretch=(0.0, 0.15, 0.0))
def rocket(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Toy rockets with fins, windows and boosters."""
    body, fin_of, nose_of, metal = look.paint(), look.accent(), look.accent(), look.metal()
    r, h, low = spread(rng, 0.15, 0.26), 1.5, spread(rng, 0.12, 0.25)
    belly, tip = spread(rng, 0.2, 0.55), spread(rng, 0.62, 0.78)
    knots = [(r * spread(rng, 0.55, 0.9), 0), (r, belly), (r * spread(rng, 0.7, 0.98), tip), (0.02, 1.0)]
    profile = smooth([(a, low + b * h) for a, b in knots], 26)
    cut = int(np.searchsorted(profile[:, 1], low + tip * h))
    parts = [lathe([(0, low), *profile[: cut + 1].tolist(), (0, float(profile[cut, 1]))], 28).of(body)]
    parts.append(
        lathe(
            [(0, float(profile[cut, 1])), *(profile[cut:] * (1.01, 1)).clip(0.005).tolist(), (0, low + h + 0.02)], 28
        ).of(nose_of)
    )
    parts.append(
        lathe([(0, low * 0.35), (r * 0.55, low * 0.35), (r * 0.35, low + 0.01), (0, low + 0.01)], 24).of(metal)
    )
    n = pick(rng, (3, 3, 4, 5))
    reach, tall = spread(rng, 0.15, 0.32), spread(rng, 0.35, 0.6)
    for i in range(n):
        outline = smooth(
            [
                (r * 0.7, low + 0.02),
                (r + reach * 0.7, 0.02),
                (r + reach, 0.0),
                (r + reach * 0.95, low + 0.3 * tall),
                (r * 0.92, low + tall),
            ],
            14,
        )
        parts.append(prism(outline[::1], 0.045, bevel=0.015).turn("y", 360 * i / n + 20).of(fin_of))
    for k in range(count(rng, 0, 3)):
        y = low + h * (tip - 0.12 - 0.17 * k)
        at = float(np.interp(y, profile[:, 1], profile[:, 0]))
        parts += [
            p.turn("x", 90).move(0, y, at * 0.98)
            for p in (
                ring(0.075, 0.02, 22).of(metal),
                lathe([(0, -0.02), (0.07, -0.02), (0.06, 0.012), (0, 0.018)], 18).of(GLASS),
            )
        ]
    if chance(rng, 0.5):
        for y in (0.12, 0.5):
            at = float(np.interp(low + y * h, profile[:, 1], profile[:, 0]))
            parts.append(
                tube([(at - 0.03, -0.025), (at + 0.008, -0.025), (at + 0.008, 0.025), (at - 0.03, 0.025)], 28)
                .move(y=low + y * h)
                .of(fin_of)
            )
    return parts
