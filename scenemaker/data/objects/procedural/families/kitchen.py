"""Bottles, teapots, pots and baskets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.vessels import wavy
from scenemaker.data.objects.procedural.materials.palette import Palette, plain
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    circle,
    lathe,
    ring,
    rod,
    smooth,
    stone,
    superellipse,
    sweep,
    tube,
    vessel,
)  # fmt: skip
from scenemaker.geometry.cameras import F64


@family("bottle", stretch=(0.0, 0.15, 0.0))
def bottle(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Wine, milk, sauce and medicine bottles, jars and flasks, with stoppers and labels."""
    glass = pick(rng, (
        plain((0.16, 0.30, 0.18)), plain((0.34, 0.20, 0.09)), plain((0.55, 0.68, 0.66)), plain((0.15, 0.22, 0.38)),
        look.plastic(), look.plastic(), look.ceramic(),
    ))  # fmt: skip
    r, shoulder = spread(rng, 0.13, 0.26), spread(rng, 0.4, 0.72)
    neck = r * spread(rng, 0.28, 0.6)
    slope = spread(rng, 0.05, 0.2)
    body = [(r * 0.92, 0), (r, 0.025), (r, 0.3), (r, shoulder)]
    if chance(rng, 0.35):
        body = [(r * 0.9, 0), (r, 0.03), (r * spread(rng, 0.78, 0.92), 0.28), (r, shoulder)]
    high = min(0.94, shoulder + slope + spread(rng, 0.05, 0.3))
    knots = [*body, (r * 0.8, shoulder + 0.35 * slope), (neck, shoulder + slope), (neck, high)]
    profile = smooth(knots, 30)
    profile[:, 1] = np.maximum.accumulate(profile[:, 1]) + np.arange(30) * 1e-6
    square = chance(rng, 0.2)

    def corners(t: F64, y: F64) -> F64:
        power = np.where(y < shoulder + 0.3 * slope, 0.9, 0.0)
        flat = 1 / np.maximum(np.abs(np.cos(t)), np.abs(np.sin(t)))
        return 1 + power * (np.minimum(flat, 1.25) - 1)

    parts = [lathe(np.concatenate([[(0, 0)], profile, [(0, high)]]), 36, wave=corners if square else None).of(glass)]
    cap = pick(rng, (look.accent(), look.metal(), look.dark()))
    kind = pick(rng, ("cap", "cap", "cork", "lip", "ball", "pump"))
    if kind == "cap":
        top = high + spread(rng, 0.03, 0.08)
        parts.append(
            lathe(
                [(0, high - 0.03), (neck * 1.12, high - 0.03), (neck * 1.12, top - 0.01), (neck, top), (0, top)], 24
            ).of(cap)
        )
    elif kind == "cork":
        parts.append(
            lathe([(0, high - 0.02), (neck * 0.75, high - 0.02), (neck * 0.85, high + 0.05), (0, high + 0.05)], 18).of(
                plain((0.72, 0.56, 0.38))
            )
        )
        parts.append(ring(neck, 0.013, 24).move(y=high - 0.012).of(glass))
    elif kind == "lip":
        parts.append(ring(neck, 0.016, 24).move(y=high - 0.012).of(glass))
    elif kind == "ball":
        parts.append(
            lathe([(0, high - 0.02), (neck * 0.7, high - 0.02), (neck * 0.6, high + 0.03), (0, high + 0.03)], 16).of(
                glass
            )
        )
        parts.append(ball(neck * 2.1, (0, high + 0.02 + neck, 0), 16).of(glass))
    else:
        parts.append(
            lathe([(0, high - 0.03), (neck * 1.1, high - 0.03), (neck * 1.1, high + 0.03), (0, high + 0.03)], 20).of(
                cap
            )
        )
        parts.append(rod((0, high, 0), (0, high + 0.09, 0), 0.014).of(cap))
        parts.append(
            sweep(
                [(-0.03, high + 0.09, 0), (0.06, high + 0.095, 0), (0.13, high + 0.075, 0)],
                (0.024, 0.02, 0.011),
                rounded=True,
            ).of(cap)
        )
    if chance(rng, 0.6):
        low, tall = spread(rng, 0.06, 0.16), spread(rng, 0.14, 0.26)
        tall = min(tall, shoulder - low - 0.05)
        if tall > 0.06:
            inside = profile[(profile[:, 1] > low) & (profile[:, 1] < low + tall)]
            ends = [(float(np.interp(y, profile[:, 1], profile[:, 0])), y) for y in (low, low + tall)]
            strip = np.array([ends[0], *inside.tolist(), ends[1]])
            outer, back = strip + np.array((0.004, 0)), strip[::-1] - (0.02, 0)
            label = look.fabric() if chance(rng, 0.4) else look.pale()
            band = np.concatenate([outer, back])
            parts.append(tube(band, 36, wave=corners if square else None).of(label))
            if chance(rng, 0.6):
                y = low + tall * spread(rng, 0.35, 0.65)
                slim = [(float(np.interp(v, profile[:, 1], profile[:, 0])) + 0.006, v) for v in (y, y + 0.25 * tall)]
                parts.append(
                    tube(
                        np.array([*slim, (slim[1][0] - 0.02, slim[1][1]), (slim[0][0] - 0.02, y)]),
                        36,
                        wave=corners if square else None,
                    ).of(look.accent())
                )
    return parts


@family("teapot", stretch=(0.0, 0.12, 0.0))
def teapot(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Round, tall or flat, with a side or a hoop handle; coffee pots and watering cans' cousins."""
    of = look.ceramic() if chance(rng, 0.75) else look.metal()
    h, r = spread(rng, 0.45, 0.85), spread(rng, 0.32, 0.45)
    top = r * spread(rng, 0.35, 0.6)
    knots = [(r * 0.6, 0), (r * 0.65, 0.02), (r, h * spread(rng, 0.3, 0.5)), (r * 0.82, h * 0.8), (top, h)]
    profile = smooth(knots, 22)
    profile[:, 1] = np.maximum.accumulate(profile[:, 1]) + np.arange(22) * 1e-6
    segments, wave, _ = wavy(rng, 0.25)
    parts = [lathe(np.concatenate([[(0, 0)], profile, [(0, h)]]), segments, wave=wave).of(of)]
    lid = smooth([(top * 1.06, h - 0.01), (top * 0.9, h + 0.05), (top * 0.4, h + 0.1), (0.04, h + 0.12)], 10)
    parts.append(lathe([(0, h - 0.01), *lid.tolist(), (0, h + 0.125)], 28).of(of))
    parts.append(ball(spread(rng, 0.08, 0.14), (0, h + 0.16, 0), 14).of(of if chance(rng, 0.6) else look.accent()))
    y = h * spread(rng, 0.3, 0.5)
    reach, rise = r + spread(rng, 0.2, 0.35), h * spread(rng, 0.85, 1.1)
    path = smooth([(r * 0.75, y, 0), (r + 0.08, y + 0.08, 0), (reach * 0.88, rise - 0.12, 0), (reach, rise, 0)], 14)
    parts.append(sweep(path, np.linspace(0.09, 0.035, 14), section=circle(14)).of(of))
    handle_of = of if chance(rng, 0.6) else look.wood()
    if chance(rng, 0.3):
        t = np.linspace(0, np.pi, 20)
        path = np.stack([r * 0.8 * np.cos(t), h * 0.8 + (0.45 + 0.1 * h) * np.sin(t), 0 * t], 1)
        parts.append(sweep(path, 0.026).of(handle_of))
    else:
        out = r + spread(rng, 0.2, 0.32)
        path = smooth(
            [(-r * 0.7, h * 0.85, 0), (-out * 0.85, h * 0.95, 0), (-out, h * 0.6, 0), (-r * 0.9, h * 0.22, 0)], 18
        )
        parts.append(sweep(path, 0.032).of(handle_of))
    return parts


@family("pot", stretch=(0.0, 0.15, 0.0))
def pot(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Saucepans, casseroles and frying pans, with or without a lid."""
    of = pick(rng, (look.metal(), look.metal(), look.accent(), look.ceramic()))
    grip = pick(rng, (look.dark(), look.wood(), of))
    kind = pick(rng, ("casserole", "saucepan", "pan", "wok"))
    r = 0.4
    h = {
        "casserole": spread(rng, 0.28, 0.6),
        "saucepan": spread(rng, 0.25, 0.42),
        "pan": spread(rng, 0.08, 0.14),
        "wok": 0.24,
    }[kind]
    low = r * ({"wok": 0.35, "pan": 0.8}.get(kind, spread(rng, 0.85, 1.0)))
    profile = smooth(
        [(low * 0.9, 0), (low, 0.03), ((low + r) / 2 + (0.06 if kind == "wok" else 0), h * 0.5), (r, h)], 14
    )
    parts = [vessel(profile, 0.018, 36).of(of), ring(r - 0.008, 0.014, 36).move(y=h).of(of)]
    y = h * 0.85
    if kind in ("casserole", "wok"):
        loop = np.stack(
            [
                r - 0.02 + 0.1 * np.sin(np.linspace(0, np.pi, 12)),
                np.full(12, y),
                0.11 * np.cos(np.linspace(0, np.pi, 12)),
            ],
            1,
        )
        one = sweep(loop, 0.02).of(grip)
        parts += [one, one.scale(-1, 1, 1)]
    else:
        long = spread(rng, 0.5, 0.8)
        path = [
            (r - 0.02, y, 0),
            (r + 0.12 * long, y + 0.02, 0),
            (r + 0.6 * long, y + 0.07, 0),
            (r + long, y + 0.08, 0),
        ]
        parts.append(sweep(path, (0.018, 0.022, 0.036, 0.03), rounded=True).of(grip))
    if kind in ("casserole", "saucepan") and chance(rng, 0.65):
        lid = smooth(
            [(r * 1.02, h + 0.005), (r * 0.98, h + 0.03), (r * 0.6, h + spread(rng, 0.06, 0.16)), (0.03, h + 0.17)], 12
        )
        lid[:, 1] = np.maximum.accumulate(lid[:, 1])
        parts.append(lathe([(0, h), *lid.tolist(), (0, float(lid[-1, 1]) + 0.002)], 36).of(of))
        parts.append(
            lathe([(0, 0), (0.03, 0), (0.025, 0.04), (0.06, 0.06), (0.05, 0.09), (0, 0.095)], 16)
            .move(y=float(lid[-1, 1]) - 0.01)
            .of(grip)
        )
    elif chance(rng, 0.5):
        level = h * spread(rng, 0.4, 0.75)
        rr = float(np.interp(level, profile[:, 1], profile[:, 0])) - 0.012
        stew = plain(pick(rng, ((0.62, 0.22, 0.10), (0.78, 0.60, 0.25), (0.40, 0.46, 0.18), (0.45, 0.28, 0.16))))
        parts.append(lathe([(0, level - 0.02), (rr, level - 0.02), (rr, level), (0, level + 0.004)], 36).of(stew))
        for _ in range(count(rng, 0, 7)):
            t, out = spread(rng, 0, 6.28), rr * 0.75 * spread(rng, 0, 1) ** 0.5
            bit = stone(rng, detail=1, rough=0.15).scale(0.05, 0.03, 0.05)
            parts.append(
                bit.move(out * np.sin(t), level, out * np.cos(t)).of(
                    pick(rng, (plain((0.85, 0.45, 0.12)), plain((0.50, 0.60, 0.2))))
                )
            )
    return parts


@family("basket", stretch=(0.0, 0.12, 0.0))
def basket(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Buckets, woven baskets and watering cans' relatives: a tapered wall with a bail or two grips."""
    woven = chance(rng, 0.5)
    of = look.wood() if woven else pick(rng, (look.metal(), look.plastic(), look.wood()))
    if woven:
        of = replace(of, pattern="zigzag" if chance(rng, 0.3) else "checks", span=0.45)
    r, h = 0.4, spread(rng, 0.35, 0.9)
    low = r * spread(rng, 0.65, 0.95)
    profile = smooth([(low * 0.95, 0), (low, 0.02), ((low + r) / 2 + spread(rng, 0, 0.06), 0.5 * h), (r, h)], 12)
    flat = spread(rng, 0.65, 1.0) if woven else 1.0
    sides = 36 if woven or chance(rng, 0.7) else 12
    parts = [vessel(profile, 0.02, sides).of(of), ring(r - 0.006, 0.024 if woven else 0.016, 40).move(y=h).of(of)]
    if not woven:
        for level in (spread(rng, 0.1, 0.3), spread(rng, 0.6, 0.85)):
            at = float(np.interp(level * h, profile[:, 1], profile[:, 0]))
            parts.append(ring(at, 0.012, 40, superellipse(8, 0.014, 0.05, 4)).move(y=level * h).of(look.metal()))
    rise = h + spread(rng, 0.25, 0.5)
    kind = pick(rng, ("bail", "bail", "grips"))
    if kind == "bail":
        t = np.linspace(0, np.pi, 22)
        path = np.stack([r * 0.99 * np.cos(t), (h - 0.04) + (rise - h) * np.sin(t), 0 * t], 1)
        lean = 0.0 if woven else pick(rng, (0.0, 35.0, 75.0))
        parts.append(
            sweep(path, 0.022 if woven else 0.012).turn("x", lean, (0, h - 0.04, 0)).of(of if woven else look.metal())
        )
    else:
        t = np.linspace(0, np.pi, 12)
        path = np.stack([r - 0.01 + 0.05 * np.sin(t), h * 0.95 + 0.1 * np.sin(t), 0.1 * np.cos(t)], 1)
        one = sweep(path, 0.02).of(of)
        parts += [one, one.scale(-1, 1, 1)]
    parts = [p.scale(1, 1, flat) for p in parts]
    if chance(rng, 0.35):
        fill = plain(pick(rng, ((0.80, 0.20, 0.15), (0.55, 0.68, 0.22), (0.90, 0.62, 0.20), (0.62, 0.45, 0.28))))
        for _ in range(count(rng, 8, 14)):
            t, out = spread(rng, 0, 6.28), 0.7 * r * spread(rng, 0, 1) ** 0.5
            size = spread(rng, 0.16, 0.24)
            parts.append(ball(size, (out * np.sin(t), h * 0.93 - 0.25 * out, flat * out * np.cos(t)), 12).of(fill))
    return parts
