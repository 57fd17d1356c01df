"""Crates and barrels."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.materials.palette import Palette, plain
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    beam,
    box,
    lathe,
    prism,
    ring,
    rod,
    tube,
)


@family("crate", stretch=(0.1, 0.15, 0.1))
def crate(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Of boards: closed, open, braced, with fruit."""
    of = look.wood() if chance(rng, 0.85) else look.paint()
    edge = of if chance(rng, 0.5) else look.wood()
    w, h, d = spread(rng, 0.7, 1.2), spread(rng, 0.4, 0.9), spread(rng, 0.6, 0.9)
    n, t = count(rng, 2, 5), 0.03
    gap = pick(rng, (0.98, 0.9, 0.72))
    parts: list[Part] = []
    for i in range(n):
        y, tall = i * h / n, h / n * gap
        parts += [box((w, tall, t), (0, y, s * (d / 2 - t / 2)), bevel=0.006).of(of) for s in (-1, 1)]
        parts += [box((t, tall, d - 2 * t), (s * (w / 2 - t / 2), y, 0), bevel=0.006).of(of) for s in (-1, 1)]
    parts.append(box((w - t, t, d - t), (0, 0.01, 0)).of(of))
    post = 0.07
    outside = chance(rng, 0.6)
    k = 1 if outside else -1
    for a in (-1, 1):
        for b in (-1, 1):
            parts.append(box((post, h, 0.03), (a * (w / 2 - post / 2), 0, b * (d / 2 + k * 0.014))).of(edge))
            if outside:
                parts.append(box((0.03, h, post), (a * (w / 2 + 0.014), 0, b * (d / 2 - post / 2 + 0.014))).of(edge))
    if chance(rng, 0.5):
        parts += [
            beam(
                (-w / 2 + 0.08, 0.05, s * (d / 2 + 0.012)),
                (w / 2 - 0.08, h - 0.05, s * (d / 2 + 0.012)),
                0.024,
                0.08,
                up=(0, 0, 1),
            ).of(edge)
            for s in (-1, 1)
        ]
    top = pick(rng, ("open", "open", "lid", "fruit"))
    if top == "lid":
        boards = count(rng, 3, 6)
        parts += [
            box((w + 0.03, t, d / boards * 0.94), (0, h, -d / 2 + (i + 0.5) * d / boards), bevel=0.006).of(of)
            for i in range(boards)
        ]
    elif top == "fruit":
        fruit = plain(
            pick(rng, ((0.8, 0.18, 0.12), (0.93, 0.58, 0.12), (0.5, 0.66, 0.2), (0.6, 0.42, 0.25), (0.9, 0.82, 0.3)))
        )
        size = spread(rng, 0.14, 0.2)
        parts.append(box((w - 2 * t, h * 0.55, d - 2 * t), (0, 0.03, 0)).of(plain((0.35, 0.25, 0.16))))
        nx, nz = int((w - 2 * t) / size), int((d - 2 * t) / size)
        for i in range(nx):
            for j in range(nz):
                x, z = ((i + 0.5) / nx - 0.5) * (w - 2 * t), ((j + 0.5) / nz - 0.5) * (d - 2 * t)
                parts.append(ball(size, (x, h * 0.62 + spread(rng, -0.02, 0.09), z), 8).of(fruit))
    return parts


@family("barrel")
def barrel(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Casks of staves, oil drums, tuns with a tap; upright or lying."""
    drum = chance(rng, 0.3)
    of, hoop = (look.accent(), look.accent()) if drum else (look.wood(), look.metal())
    h, r, belly = 1.0, spread(rng, 0.26, 0.36), 0.0 if drum else spread(rng, 0.04, 0.12)
    n = count(rng, 12, 20)
    s = np.linspace(0, 1, 13)
    side = np.stack([r + belly * np.sin(np.pi * s), s * h], 1)
    inset = 0.05
    profile = [
        (0, inset),
        (r * 0.88, inset),
        (r * 0.9, 0),
        *side.tolist(),
        (r * 0.9, h),
        (r * 0.88, h - inset),
        (0, h - inset),
    ]
    wave = None if drum else (lambda t, y: 1 - 0.025 * (np.abs(np.sin(n * t / 2)) < 0.3))
    parts = [lathe(profile, 36 if drum else 3 * n, wave=wave).of(of)]
    levels = pick(rng, ((0.06, 0.3, 0.7, 0.94), (0.1, 0.25, 0.75, 0.9), (0.04, 0.35, 0.65, 0.96)))
    for k in levels:
        at = float(np.interp(k, s, side[:, 0]))
        if drum:
            parts.append(ring(at, 0.016, 36).move(y=k * h).of(hoop if chance(rng, 0.3) else of))
        else:
            w = 0.028
            at0, at1 = (float(np.interp(k + a, s, side[:, 0])) for a in (-w, w))
            parts.append(
                tube([(at0 - 0.03, -w), (at0 + 0.01, -w), (at1 + 0.01, w), (at1 - 0.03, w)], 36).move(y=k * h).of(hoop)
            )
    if drum:
        parts.append(
            rod((r * 0.55, h - inset - 0.01, 0), (r * 0.55, h - inset + 0.03, 0), 0.05, segments=14).of(look.metal())
        )
    elif chance(rng, 0.3):
        parts.append(rod((0, 0.15, r), (0, 0.15, r + belly + 0.12), 0.03).of(look.metal()))
        parts.append(rod((0, 0.15, r + belly + 0.07), (0, 0.24, r + belly + 0.07), 0.016).of(look.metal()))
    if chance(rng, 0.3):
        lying = [p.turn("z", 90).move(h / 2, r + belly, 0) for p in parts]
        if chance(rng, 0.6):
            frame = look.wood()
            lying += [
                prism(
                    [(-0.4, -0.06), (0.4, -0.06), (0.4, 0.12), (0.2, 0.03), (0.0, 0.0), (-0.2, 0.03), (-0.4, 0.12)],
                    0.07,
                )
                .turn("y", 90)
                .move(x)
                .of(frame)
                for x in (-0.28, 0.28)
            ]
        return lying
    return parts
