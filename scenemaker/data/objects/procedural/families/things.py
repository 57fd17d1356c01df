"""Ladders, umbrellas, hats, chessmen."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.materials.palette import Palette, blend
from scenemaker.data.objects.procedural.part import Part, mirrored, turned
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    beam,
    box,
    lathe,
    plate,
    prism,
    ring,
    rod,
    smooth,
    superellipse,
    sweep,
    tube,
    vessel,
)  # fmt: skip
from scenemaker.geometry.cameras import F64


@family("ladder", stretch=(0.12, 0.05, 0.0))
def ladder(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Straight, tapered and step ladders."""
    of = pick(rng, (look.wood(), look.metal(), look.paint()))
    n, wide, step = count(rng, 4, 9), spread(rng, 0.32, 0.5), spread(rng, 0.2, 0.28)
    h, narrow = (n + 0.7) * step, spread(rng, 0.6, 1.0)
    round_rungs, steps = chance(rng, 0.5), chance(rng, 0.5)
    side = beam((wide / 2, 0, 0), (wide / 2 * narrow, h, 0), 0.035, 0.07, up=(0, 0, 1))
    parts = mirrored([side.of(of)])
    for i in range(n):
        y = (i + 0.7) * step
        x = wide / 2 * (1 + (narrow - 1) * y / h)
        rung = (
            rod((-x, y, 0), (x, y, 0), 0.02, segments=10)
            if round_rungs and not steps
            else box((2 * x, 0.03, 0.1 if steps else 0.05), (0, y, 0))
        )
        parts.append(rung.of(of))
    if not steps:
        return turned(parts, "x", pick(rng, (-12.0, -18.0, -90.0)))
    lean = spread(rng, 12, 20)
    front = [p.turn("x", -lean, (0, h, 0)) for p in parts]
    back = mirrored([beam((wide / 2 * 0.95, 0, 0), (wide / 2 * narrow * 0.95, h, 0), 0.03, 0.05, up=(0, 0, 1)).of(of)])
    back += [box((wide * 0.9, 0.04, 0.025), (0, h * k, 0)).of(of) for k in (0.2, 0.55)]
    top = box((wide * narrow + 0.06, 0.035, 0.2), (0, h - 0.01, 0)).of(look.accent() if chance(rng, 0.4) else of)
    return [*front, *(p.turn("x", lean, (0, h, 0)) for p in back), top]


@family("umbrella", stretch=(0.0, 0.12, 0.0))
def umbrella(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Open umbrellas and parasols, standing or thrown down; some with a table's foot."""
    cloth, stick, tip = look.fabric(), look.wood() if chance(rng, 0.5) else look.metal(), look.metal()
    n, r, rise = count(rng, 6, 10), spread(rng, 0.45, 0.6), spread(rng, 0.18, 0.34)
    h = spread(rng, 0.7, 1.0)
    s = np.linspace(0.03, 1, 10)
    outer = np.stack([r * np.sin(s * 1.25) / np.sin(1.25), h - rise * (1 - np.cos(s * 1.25)) / (1 - np.cos(1.25))], 1)[
        ::-1
    ]
    inner = outer[::-1] - (0.0, 0.012)

    def scallop(t: F64, y: F64) -> F64:
        return 1 - 0.09 * np.abs(np.sin(n * t / 2)) * np.clip((h - y) / rise, 0, 1)

    parts = [tube(np.concatenate([outer, inner]), n * 6, wave=scallop).of(cloth)]
    low = 0.0
    parts.append(rod((0, low + 0.06, 0), (0, h + 0.07, 0), 0.012).of(stick))
    parts.append(lathe([(0, 0), (0.028, 0), (0.01, 0.03), (0, 0.09)], 12).move(y=h - 0.005).of(tip))
    for i in range(n):
        a = 360 * i / n
        parts.append(
            rod((0, h - 0.4 * rise - 0.1, 0), (0.55 * r, h - 0.32 * rise - 0.012, 0), 0.005, segments=6)
            .turn("y", a)
            .of(tip)
        )
    if chance(rng, 0.4):
        parts.append(
            lathe([(0, 0), (0.18, 0), (0.18, 0.04), (0.03, 0.08), (0.025, 0.14), (0, 0.14)], 28).of(look.stone())
        )
        return parts
    t = np.linspace(0, np.pi, 12)
    hook = np.concatenate(
        [[(0, 0.12, 0), (0, 0.07, 0)], np.stack([0.05 - 0.05 * np.cos(t), 0.05 - 0.05 * np.sin(t), 0 * t], 1)]
    )
    parts.append(sweep(hook, 0.018, rounded=True).of(look.wood()))
    return turned(parts, "z", pick(rng, (112.0, 118.0))) if chance(rng, 0.5) else parts


@family("hat", stretch=(0.0, 0.2, 0.1))
def hat(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Top hats, straw and felt hats, caps, helmets, witches' hats and crowns."""
    cloth, band = look.fabric() if chance(rng, 0.7) else look.leather(), look.accent()
    kind = pick(rng, ("top", "felt", "straw", "bowler", "witch", "cap", "crown", "helmet"))
    if kind == "crown":
        gold, gem = look.metal(), look.accent()
        n, h = count(rng, 5, 9), spread(rng, 0.2, 0.34)
        outer = [(0.4, 0), (0.42, 0.01), (0.42, h * 0.5), (0.46, h), (0.44, h), (0.4, h * 0.5), (0.395, 0.01)]
        body = tube(outer, n * 8)
        p = body.points.copy()
        t = np.arctan2(p[:, 0], p[:, 2])
        p[:, 1] += np.where(p[:, 1] > 0.8 * h, 0.6 * h * (np.abs(((n * t / (2 * np.pi)) % 1) - 0.5) * 2) ** 1.2, 0)
        parts = [body.bent(p).of(gold), ring(0.41, 0.025, 40).move(y=0.015).of(gold)]
        for i in range(n):
            a = 360 * i / n
            parts.append(ball(0.07, (0, h * 0.3, 0.415), 10).turn("y", a + 180 / n).of(gem))
            parts.append(ball(0.06, (0, h * 1.62, 0.455), 10).turn("y", a).of(gold if chance(rng, 0.5) else gem))
        return parts
    if kind in ("cap", "helmet"):
        crown = smooth([(0.4, 0), (0.4, 0.1), (0.3, 0.26), (0.08, 0.33)], 14)
        dome = vessel(np.c_[crown[::-1][:, 0], -crown[::-1][:, 1]], 0.02, 32).scale(1, -1, 1)
        parts = [dome.scale(0.95, 1, 1.05).of(cloth if kind == "cap" else look.metal())]
        brim = plate(superellipse(24, 0.62, 0.42, 2.6), 0.025, bevel=0.008).turn("x", 8).move(0, 0.0, 0.46)
        if kind == "cap":
            return [*parts, brim.of(band if chance(rng, 0.5) else cloth), ball(0.06, (0, 0.335, 0), 10).of(band)]
        crest = look.accent()
        parts.append(ring(0.4, 0.03, 36).scale(0.95, 1, 1.05).move(y=0.015).of(look.metal()))
        if chance(rng, 0.6):
            a = np.linspace(0.15, np.pi - 0.3, 14)
            arch = np.stack([0 * a, 0.06 + 0.33 * np.sin(a), 0.42 * np.cos(a)], 1)
            parts.append(
                sweep(
                    arch,
                    np.interp(np.linspace(0, 1, 14), (0, 0.5, 1), (0.5, 1, 0.7)),
                    section=superellipse(10, 0.07, 0.2, 3),
                    up=(0, 1, 0),
                ).of(crest)
            )
        return parts
    wide = {
        "top": 0.62,
        "felt": spread(rng, 0.62, 0.75),
        "straw": spread(rng, 0.75, 1.0),
        "bowler": 0.55,
        "witch": 0.8,
    }[kind]
    if kind == "straw":
        cloth = blend((0.86, 0.72, 0.42), (0.66, 0.50, 0.24), "zigzag", span=0.4)
    h = {"top": spread(rng, 0.4, 0.6), "felt": 0.3, "straw": 0.26, "bowler": 0.3, "witch": spread(rng, 0.7, 1.0)}[kind]
    curl = spread(rng, 0.0, 0.1)
    crown = {
        "top": [(0.34, 0.03), (0.33, 0.5 * h), (0.36, 0.98 * h), (0.34, h)],
        "felt": [(0.34, 0.03), (0.32, 0.6 * h), (0.25, h), (0.1, 0.86 * h)],
        "straw": [(0.34, 0.03), (0.33, 0.85 * h), (0.3, h), (0.1, h * 1.01)],
        "bowler": [(0.34, 0.03), (0.34, 0.4 * h), (0.24, 0.88 * h), (0.06, h)],
        "witch": [(0.34, 0.03), (0.22, 0.3 * h), (0.1, 0.7 * h), (0.015, h)],
    }[kind]
    top = smooth(crown, 16)
    profile = [
        (0, 0.0),
        (0.33, -0.005),
        (wide * 0.8, 0.0),
        (wide, curl),
        (wide, curl + 0.014),
        (wide * 0.8, 0.018),
        (0.35, 0.018),
        *top.tolist(),
        (0, float(top[-1, 1]) + 0.003),
    ]
    body = lathe(profile, 40)
    oval = spread(rng, 1.0, 1.2)
    p = body.points.copy()
    if kind in ("felt", "straw"):
        t = np.arctan2(p[:, 0], p[:, 2])
        out = np.clip((np.hypot(p[:, 0], p[:, 2]) - 0.36) / (wide - 0.36), 0, 1)
        p[:, 1] += spread(rng, 0.0, 0.12) * out * -np.cos(2 * t)
    if kind == "witch":
        up = np.clip(p[:, 1] / h, 0, 1)
        p[:, 0] += spread(rng, 0, 0.25) * up**2
    ribbon = (
        tube([(0.31, 0.03), (0.345, 0.03), (0.34, 0.11), (0.31, 0.11)], 36)
        if kind != "witch"
        else tube([(0.25, 0.02), (0.345, 0.02), (0.31, 0.1), (0.25, 0.1)], 36)
    )
    return [q.scale(1, 1, oval) for q in (body.bent(p).of(cloth), ribbon.of(band))]


@family("chess piece", stretch=(0.0, 0.15, 0.0))
def chess_piece(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Pawns to kings, in wood, stone or metal."""
    of = pick(rng, (look.wood(), look.wood(), look.stone(), look.metal(), look.pale(), look.dark()))
    kind = pick(rng, ("pawn", "rook", "bishop", "queen", "king", "knight"))
    h, r = (
        {"pawn": 0.55, "rook": 0.6, "bishop": 0.8, "queen": 0.9, "king": 0.95, "knight": 0.45}[kind],
        spread(rng, 0.2, 0.27),
    )
    neck, collar = r * spread(rng, 0.3, 0.5), r * spread(rng, 0.55, 0.75)
    foot = [(r, 0), (r * 1.02, 0.05), (r * 0.8, 0.09), (r * 0.84, 0.12), (r * 0.6, 0.17)]
    stem = smooth([(r * 0.55, 0.18), (neck, 0.55 * h), (neck * spread(rng, 0.9, 1.2), h - 0.04)], 12)
    body = lathe(
        [(0, 0), *foot, *stem.tolist(), (collar, h - 0.01), (collar, h + 0.02), (neck, h + 0.04), (0, h + 0.04)], 30
    )
    parts = [body.of(of)]
    if kind == "pawn":
        parts.append(ball(r * 1.1, (0, h + r * 0.5, 0), 20).of(of))
    elif kind == "rook":
        parts.append(vessel([(neck * 1.2, h), (collar, h + 0.05), (collar * 1.1, h + 0.2)], 0.05, 30).of(of))
        n = count(rng, 4, 6)
        parts += [box((0.09, 0.06, 0.06), (0, h + 0.2, collar * 0.95)).turn("y", 360 * i / n).of(of) for i in range(n)]
    elif kind == "bishop":
        cap = lathe(smooth([(neck * 0.8, 0), (r * 0.55, 0.1), (r * 0.35, 0.22), (0.02, 0.32)], 14), 26)
        parts += [cap.move(y=h + 0.03).of(of), ball(0.07, (0, h + 0.37, 0), 12).of(of)]
    elif kind in ("queen", "king"):
        flare = lathe(
            smooth([(neck, 0), (neck * 1.1, 0.08), (r * 0.75, 0.24), (r * 0.6, 0.26), (r * 0.2, 0.3)], 16),
            30,
            wave=(lambda t, y: 1 + 0.09 * np.cos(9 * t) * np.clip(y * 6, 0, 1)) if kind == "queen" else None,
        )
        parts.append(flare.move(y=h + 0.02).of(of))
        if kind == "queen":
            parts.append(ball(0.1, (0, h + 0.35, 0), 12).of(of))
        else:
            parts += [box((0.05, 0.2, 0.05), (0, h + 0.3, 0)).of(of), box((0.16, 0.05, 0.05), (0, h + 0.38, 0)).of(of)]
    else:
        head = smooth(
            [
                (-0.14, 0),
                (0.14, 0),
                (0.16, 0.14),
                (0.1, 0.2),
                (0.24, 0.22),
                (0.26, 0.32),
                (0.1, 0.44),
                (0.03, 0.52),
                (-0.02, 0.44),
                (-0.12, 0.36),
                (-0.16, 0.2),
                (-0.14, 0),
            ],
            40,
        )[:-1]
        parts.append(prism(head, 0.17, bevel=0.05).move(0, h + 0.02, 0).of(of))
        parts += [ball(0.035, (0.12, h + 0.36, s * 0.085), 8).of(look.dark()) for s in (-1, 1)]
    return parts
