"""Guitars and drums."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part, mirrored, moved
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    box,
    circle,
    lathe,
    prism,
    ring,
    rod,
    smooth,
    superellipse,
    sweep,
)  # fmt: skip


@family("guitar", stretch=(0.08, 0.12, 0.25))
def guitar(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Guitars, ukuleles, violins and banjos; lying or standing."""
    top_of, side_of, dark, metal = look.wood(), look.wood(), look.dark(), look.metal()
    if chance(rng, 0.3):
        top_of = side_of = look.accent()
    waist, upper = spread(rng, 0.62, 0.85), spread(rng, 0.72, 0.92)
    w, long, deep = spread(rng, 0.17, 0.22), 0.46, spread(rng, 0.05, 0.11)
    banjo = chance(rng, 0.15)
    if banjo:
        outline = circle(44, 0.2) + np.array((0, 0.2))
        top_of = look.pale()
    else:
        half = smooth(
            [
                (0.0, 0.0),
                (0.6 * w, 0.015),
                (w, 0.13),
                (waist * w, 0.27),
                (upper * w, 0.38),
                (0.5 * upper * w, 0.45),
                (0.0, long),
            ],
            22,
        )
        half[:, 0] = np.maximum(half[:, 0], 0)
        outline = np.concatenate([half, half[-2:0:-1] * (-1, 1)])
        if chance(rng, 0.25):  # a cutaway
            hit = (outline[:, 0] > 0.02) & (outline[:, 1] > 0.36)
            outline[hit, 0] *= 0.7
    parts = [
        prism(outline, deep, bevel=0.012).of(side_of),
        prism(outline * 0.97 + (0, 0.007), 0.012, bevel=0.003).move(z=deep / 2).of(top_of),
    ]
    z, end = deep / 2 + 0.008, long + spread(rng, 0.32, 0.45)
    if not banjo:
        parts.append(
            lathe([(0, 0), (0.055, 0), (0.055, 0.003), (0, 0.003)], 24).turn("x", 90).move(0, 0.31, z - 0.001).of(dark)
        )
    parts.append(box((0.05, end - long + 0.13, 0.03), (0, long - 0.13, z + 0.002), bevel=0.008).of(dark))
    parts.append(box((0.042, end - long, 0.03), (0, long - 0.01, z - 0.022), bevel=0.008).of(side_of))
    parts.append(
        prism([(-0.03, 0), (0.03, 0), (0.045, 0.15), (0.0, 0.165), (-0.045, 0.15)], 0.02)
        .turn("x", -10)
        .move(0, end - 0.005, z - 0.008)
        .of(side_of)
    )
    for i in range(3):
        y = end + 0.035 + 0.042 * i
        peg = rod((0.03, y, z - 0.012), (0.07, y, z - 0.016), 0.009, segments=8).of(metal)
        parts += mirrored([peg])
    bridge = 0.12
    parts.append(box((0.12, 0.02, 0.02), (0, bridge, z - 0.002), bevel=0.004).of(dark))
    strings = pick(rng, (4, 5, 6))
    for i in range(strings):
        x = (i - (strings - 1) / 2) * 0.034 / (strings - 1)
        parts.append(rod((x * 1.8, bridge + 0.01, z + 0.022), (x, end, z + 0.022), 0.0016, segments=4).of(metal))
    for i in range(8):
        y = end - (end - bridge) * (1 - 2 ** (-(i + 1) / 6.5))
        parts.append(box((0.05, 0.004, 0.004), (0, y, z + 0.031), bevel=0.001).of(metal))
    return [p.turn("x", -90) for p in parts] if chance(rng, 0.5) else parts


@family("drum", stretch=(0.0, 0.25, 0.0))
def drum(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Snare, tom, bongos and djembes, with sticks."""
    shell, skin, metal = look.accent() if chance(rng, 0.6) else look.wood(), look.pale(), look.metal()
    kind = pick(rng, ("snare", "snare", "tom", "djembe", "bongos"))
    parts: list[Part] = []
    top = 0.0
    if kind == "djembe":
        waist, base = spread(rng, 0.1, 0.18), spread(rng, 0.16, 0.26)
        bend = spread(rng, 0.25, 0.5)
        profile = smooth([(base, 0), (waist, bend), (waist * 1.05, bend + 0.12), (0.3, 0.75), (0.32, 0.95)], 20)
        n = count(rng, 8, 14)
        parts = [
            lathe([(0, 0), *profile.tolist(), (0, 0.95)], 30).of(shell),
            lathe([(0, 0.94), (0.3, 0.94), (0.3, 0.965), (0, 0.97)], 30).of(skin),
        ]
        parts += [ring(r, 0.014, 30).move(y=y).of(metal) for r, y in ((0.325, 0.93), (0.26, 0.66))]
        parts += [
            rod((0.33, 0.92, 0), (0.27, 0.66, 0), 0.007, segments=6).turn("y", 360 * i / n).of(skin) for i in range(n)
        ]
        return parts
    for k in range(2 if kind == "bongos" else 1):
        r, h = (0.3, spread(rng, 0.2, 0.5)) if kind != "bongos" else (0.2 + 0.06 * k, 0.3)
        low = 0.0 if kind != "tom" else 0.3
        one = [lathe([(0, low), (r * 0.98, low), (r, low + 0.02), (r, low + h), (0, low + h)], 36).of(shell)]
        one += [
            lathe([(0, y), (r * 0.99, y), (r * 0.99, y + 0.02), (0, y + 0.022)], 36).of(skin)
            for y in (low + h - 0.003,)
        ]
        one += [
            ring(r + 0.012, 0.018, 36, superellipse(8, 0.036, 0.05, 4)).move(y=y).of(metal)
            for y in (low + 0.02, low + h - 0.015)
        ]
        n = count(rng, 6, 10)
        if kind != "bongos":
            one += [
                rod((r + 0.02, low + 0.03, 0), (r + 0.02, low + h - 0.03, 0), 0.011, segments=8)
                .turn("y", 360 * i / n)
                .of(metal)
                for i in range(n)
            ]
        if kind == "tom":
            one += [
                rod((r + 0.03, 0, 0), (r + 0.025, low + 0.6 * h, 0), 0.014).turn("y", 120 * i + 30).of(metal)
                for i in range(3)
            ]
        top = low + h
        parts += moved(one, (k - 0.5) * 0.5 if kind == "bongos" else 0.0)
    if kind == "bongos":
        parts.append(box((0.12, 0.08, 0.1), (-0.02, 0.12, 0)).of(shell))
    elif chance(rng, 0.6):
        for s in (-1, 1):
            stick = sweep(
                [(0, 0, -0.28), (0, 0, 0.1), (0, 0, 0.2), (0, 0, 0.23)], (0.016, 0.013, 0.009, 0.014), rounded=True
            )
            parts.append(stick.turn("y", s * spread(rng, 10, 40)).move(s * 0.08, top + 0.04, 0.05).of(look.wood()))
    return parts
