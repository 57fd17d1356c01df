"""Boats."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.wheels import GLASS
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    box,
    cushion,
    loft,
    prism,
    ring,
    rod,
    superellipse,
    sweep,
)  # fmt: skip


@family("boat", stretch=(0.08, 0.08, 0.12))
def boat(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Rowing, sailing, fishing and motor boats."""
    hull_of = look.accent() if chance(rng, 0.5) else look.wood()
    deck_of, trim = look.wood(), look.paint()
    long, half, deep = 1.8, spread(rng, 0.28, 0.42), spread(rng, 0.28, 0.4)
    kind = pick(rng, ("sail", "sail", "fishing", "motor", "row"))
    s = np.linspace(0, 1, 15)
    transom = spread(rng, 0.35, 0.85)
    wide = half * np.interp(s, (0, 0.35, 0.7, 1), (transom, 1.0, 0.85, 0.02)) ** 0.9
    sheer = 0.16 * (s - 0.35) ** 2 + spread(rng, 0.0, 0.14) * s**3
    keel = deep * 0.9 * np.clip((s - 0.75) / 0.25, 0, 1) ** 2
    a = np.linspace(0, np.pi, 11)
    outer, open_ = [], kind == "row"
    for k in range(15):
        u = -np.cos(a)
        v = np.sin(a) ** 0.75
        y = deep + sheer[k] - (deep + sheer[k] - keel[k]) * v
        line = np.stack([np.full(11, long * (s[k] - 0.5)), y, wide[k] * u], 1)
        if open_:
            inset = max(1 - 0.035 / max(wide[k], 0.06), 0.3)
            y_in = deep + sheer[k] - (deep + sheer[k] - keel[k] - 0.05) * v * (0.92 if 0 < k < 14 else 0.0)
            inner = np.stack([np.full(11, long * (s[k] - 0.5) * 0.975), y_in, wide[k] * u * inset], 1)
            line = np.concatenate([line, inner[::-1]])
        outer.append(line[::-1])
    parts = [loft(np.array(outer)).of(hull_of)]
    rail = np.stack([long * (s - 0.5), deep + sheer, wide], 1)
    parts += [sweep(rail * (1, 1, side), 0.016, section=superellipse(8, 2, 2, 2)).of(trim) for side in (-1, 1)]
    y = deep
    if kind == "row":
        parts += [
            box((0.14, 0.025, 2 * float(np.interp(k, s, wide)) * 0.9), (long * (k - 0.5), deep * 0.68, 0)).of(deck_of)
            for k in (0.2, 0.45, 0.68)
        ]
        if chance(rng, 0.7):
            for side in (-1, 1):
                oar = [
                    rod((0, 0, 0.1 * side), (0, 0, 0.85 * side), 0.016, segments=8),
                    box((0.09, 0.014, 0.24), (0, -0.007, 0.95 * side), bevel=0.004),
                ]
                parts += [
                    p.turn("x", 8 * side)
                    .turn("y", spread(rng, -30, 30))
                    .move(-0.1, deep + 0.06, 0.05 * side)
                    .of(deck_of)
                    for p in oar
                ]
        return parts
    if kind == "sail":
        tall = spread(rng, 1.3, 1.8)
        mast = spread(rng, 0.02, 0.2)
        cloth = look.pale() if chance(rng, 0.6) else look.fabric()
        parts.append(rod((mast, y - 0.1, 0), (mast, y + tall, 0), 0.022, 0.014).of(deck_of))
        boom = spread(rng, 0.6, 0.8)
        parts.append(rod((mast, y + 0.14, 0), (mast - boom, y + 0.14, 0.05), 0.014).of(deck_of))
        parts.append(
            _sail((mast - 0.015, y + 0.16), (mast - boom, y + 0.17), (mast - 0.015, y + tall * 0.97), 0.14).of(cloth)
        )
        if chance(rng, 0.7):
            parts.append(
                _sail((mast + 0.02, y + 0.2), (long * 0.47, y + 0.22), (mast + 0.02, y + tall * 0.8), -0.1).of(cloth)
            )
        if chance(rng, 0.5):
            parts.append(cushion((0.5, 0.14, half), (-0.35, y, 0), radius=0.04).of(trim))
        if chance(rng, 0.4):
            parts.append(prism([(0, 0), (0.2, 0.05), (0, 0.1)], 0.01).move(mast, y + tall - 0.02, 0).of(look.accent()))
        return parts
    cx, tall = spread(rng, -0.35, 0.1), spread(rng, 0.35, 0.6) if kind == "fishing" else spread(rng, 0.22, 0.32)
    size = spread(rng, 0.4, 0.6)
    parts.append(box((size, tall, half * 1.2), (cx, y - 0.02, 0), bevel=0.02, top=(0.85, 1.0, 0.92)).of(trim))
    parts.append(cushion((size * 1.05, 0.05, half * 1.35), (cx, y + tall - 0.03, 0), radius=0.02).of(look.accent()))
    parts += [
        box(
            (size * 0.24, tall * 0.35, 0.02), (cx + k * size * 0.2, y + tall * 0.5, side * half * 0.575), bevel=0.005
        ).of(GLASS)
        for k in (-1, 1)
        for side in (-1, 1)
    ]
    parts.append(box((0.02, tall * 0.35, half * 0.9), (cx + size * 0.455, y + tall * 0.5, 0), bevel=0.005).of(GLASS))
    if kind == "fishing":
        parts.append(rod((cx + 0.05, y + tall, 0), (cx + 0.05, y + tall + 0.5, 0), 0.016).of(deck_of))
        parts.append(rod((cx - 0.12, y + tall, 0), (cx - 0.12, y + tall + 0.2, 0), 0.06, segments=16).of(look.accent()))
        for i in range(count(rng, 1, 3)):
            parts += [
                p.move(0.2 + 0.28 * i, deep + 0.06, side * half * np.interp(0.62 + 0.15 * i, s, wide / half))
                for p in [ring(0.07, 0.026, 20).turn("x", 90).of(look.accent())]
                for side in (-1, 1)
            ]
    return parts


def _sail(foot: tuple[float, float], clew: tuple[float, float], head: tuple[float, float], belly: float) -> Part:
    """A triangle of cloth that bulges towards z."""
    rings = []
    for k in np.linspace(0, 0.985, 10):
        a = np.array(foot) + k * (np.array(head) - foot)
        b = np.array(clew) + k * (np.array(head) - clew)
        u = np.linspace(0, 1, 8)[:, None]
        xy = a + u * (b - a)
        z = belly * np.sin(np.pi * u[:, 0]) ** 0.8 * (1 - k) * (0.4 + k)
        front, back = np.c_[xy, z + 0.006], np.c_[xy[::-1], z[::-1] - 0.006]
        rings.append(np.concatenate([front, back]))
    out = np.array(rings)
    return loft(out[:, ::-1] if clew[0] < foot[0] else out)
