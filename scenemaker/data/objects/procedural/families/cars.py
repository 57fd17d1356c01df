"""Cars and lorries, as toys are."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.wheels import GLASS, LAMP, TAIL, hull, wheels
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part, moved
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    box,
    cushion,
    lathe,
    loft,
    ring,
    rod,
    smooth,
    superellipse,
    sweep,
)  # fmt: skip


@family("car", stretch=(0.0, 0.0, 0.12))
def car(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Saloons, hatchbacks, vans, pick-ups, jeeps and racers."""
    body_of = look.accent() if chance(rng, 0.75) else look.paint()
    tyre, hub, trim = look.dark(), look.metal(), look.dark()
    kind = pick(rng, ("saloon", "hatch", "van", "pickup", "jeep", "beetle", "bus", "racer"))
    long = {"bus": spread(rng, 2.1, 2.9), "van": spread(rng, 1.7, 2.2)}.get(kind, spread(rng, 1.6, 2.1))
    half = spread(rng, 0.34, 0.46)
    r = spread(rng, 0.15, 0.23) if kind != "jeep" else 0.26
    floor = 0.7 * r
    x = long / 2
    deck = floor + spread(rng, 0.24, 0.32)
    parts: list[Part] = []
    if kind == "racer":
        return _racer(rng, look, body_of, tyre, hub)
    lower = [
        (-x, floor),
        (x, floor),
        (x, floor + 0.55 * (deck - floor)),
        (x - 0.05, deck - 0.03),
        (-x + 0.03, deck),
        (-x, deck - 0.06),
    ]
    cabin_h = spread(rng, 0.24, 0.32)
    c0, c1 = {
        "saloon": (-0.5, 0.3),
        "hatch": (-0.9, 0.3),
        "van": (-0.97, 0.72),
        "pickup": (-0.15, 0.45),
        "jeep": (-0.85, 0.25),
        "beetle": (-0.75, 0.45),
        "bus": (-0.97, 0.97),
    }[kind]
    c0, c1 = c0 * x, c1 * x
    slope = {"van": 0.22, "bus": 0.05, "jeep": 0.08}.get(kind, spread(rng, 0.16, 0.28))
    back = {"saloon": 0.2, "beetle": 0.3, "pickup": 0.04}.get(kind, 0.06)
    if kind in ("van", "bus"):
        cabin_h = spread(rng, 0.42, 0.62)
    roof = deck + cabin_h
    if kind == "beetle":
        parts.append(
            cushion((long, deck - floor, 2 * half), (0, floor, 0), radius=0.14, puff=0.25, steps=3).of(body_of)
        )
        parts.append(
            cushion(
                (c1 - c0, 1.8 * cabin_h, 1.7 * half),
                ((c0 + c1) / 2, deck - 0.9 * cabin_h, 0),
                radius=0.2,
                puff=0.25,
                steps=3,
            ).of(body_of)
        )
    else:
        parts.append(hull(lower, half, 0.05).of(body_of))
        parts.append(
            hull(
                [
                    (c0, deck - 0.02),
                    (c1 + slope, deck - 0.02),
                    (c1, roof - 0.02),
                    (c1 - 0.04, roof),
                    (c0 + back + 0.03, roof),
                    (c0 + back, roof - 0.02),
                ],
                half * 0.96,
                0.16,
            ).of(body_of)
        )
    inner = half * (0.965 if kind != "beetle" else 0.9)
    window = [
        (c0 + 0.06 + back * 0.3, deck + 0.02),
        (c1 + slope * 0.72, deck + 0.02),
        (c1 - 0.05, roof - 0.05),
        (c0 + back + 0.07, roof - 0.05),
    ]
    glass = np.array(window)
    low, high = deck - 0.02, roof
    narrow = 1 - 0.16 * ((glass[:, 1] - low) / (high - low)) ** 1.5 if kind != "beetle" else np.ones(4)
    cut = 1 if kind == "pickup" else (count(rng, 4, 6) if kind == "bus" else 2)
    for i in range(cut):
        part_of = glass.copy()
        left = glass[[0, 3]] + (glass[[1, 2]] - glass[[0, 3]]) * (i / cut + 0.012)
        right = glass[[0, 3]] + (glass[[1, 2]] - glass[[0, 3]]) * ((i + 1) / cut - 0.012)
        part_of[[0, 3]], part_of[[1, 2]] = left, right
        rings = [np.c_[part_of, s * (inner + 0.008) * narrow] for s in (-1, 1)]
        parts.append(loft(np.array(rings)).of(GLASS))
    front_w = inner * (0.8 if kind != "beetle" else 0.62)
    tilt = np.degrees(np.arctan2(slope, cabin_h))
    height = np.hypot(slope, cabin_h) * 0.78
    pane = (
        box((0.03, height, 2 * front_w), bevel=0.008, top=(1.0, 1.0, 0.88))
        .turn("z", tilt)
        .move(c1 + slope * 0.9, deck + 0.03, 0)
    )
    if kind != "beetle":
        parts.append(pane.of(GLASS))
        rear = box((0.03, np.hypot(back, cabin_h) * 0.75, 2 * front_w * 0.95), bevel=0.008).turn(
            "z", -np.degrees(np.arctan2(back, cabin_h))
        )
        parts.append(rear.move(c0 + back * 0.1 + 0.005, deck + 0.05, 0).of(GLASS))
    if kind == "pickup":
        parts += [
            box((c0 + x, 0.14, 0.04), ((c0 - x) / 2, deck - 0.02, s * (half - 0.04))).of(body_of) for s in (-1, 1)
        ]
        parts.append(box((0.04, 0.14, 2 * half - 0.06), (-x + 0.03, deck - 0.02, 0)).of(body_of))
    if kind == "jeep":
        parts += [
            p.turn("z", 90).move(-x - 0.06, deck, 0)
            for p in [lathe([(0.1, -0.06), (r, -0.06), (r, 0.06), (0.1, 0.06)], 24).of(tyre)]
        ]
    bumper = look.metal() if chance(rng, 0.5) else trim
    parts += [cushion((0.07, 0.09, 2 * half * 0.98), (s * x, floor + 0.01, 0), radius=0.03).of(bumper) for s in (-1, 1)]
    y = floor + 0.6 * (deck - floor)
    parts += [ball((0.05, 0.1, 0.13), (x - 0.01, y, s * half * 0.66), 12).of(LAMP) for s in (-1, 1)]
    parts += [box((0.02, 0.07, 0.12), (-x - 0.002, y - 0.03, s * half * 0.7), bevel=0.006).of(TAIL) for s in (-1, 1)]
    if chance(rng, 0.35):
        parts += [
            rod(
                (c0 + 0.15, roof + 0.05, s * half * 0.6), (c1 - 0.1, roof + 0.05, s * half * 0.6), 0.012, segments=8
            ).of(trim)
            for s in (-1, 1)
        ]
        if chance(rng, 0.6):
            parts.append(box((0.5, 0.16, 0.42), ((c0 + c1) / 2, roof + 0.05, 0), bevel=0.02).of(look.leather()))
        parts += [
            rod((a, roof - 0.02, s * half * 0.6), (a, roof + 0.05, s * half * 0.6), 0.012, segments=8).of(trim)
            for s in (-1, 1)
            for a in (c0 + 0.2, c1 - 0.15)
        ]
    elif chance(rng, 0.12):
        parts.append(box((0.12, 0.07, 0.4), ((c0 + c1) / 2, roof, 0), bevel=0.02).of(look.accent()))
    return parts + wheels(r, 0.15, [-0.6 * x, 0.62 * x], half - 0.03, tyre, hub)


def _racer(rng: np.random.Generator, look: Palette, of: Material, tyre: Material, hub: Material) -> list[Part]:
    """One seat, open wheels; of today with wings, or an old cigar."""
    trim, second = look.dark(), look.accent()
    long, wide = spread(rng, 0.85, 1.15), spread(rng, 0.3, 0.46)
    front, rear = spread(rng, 0.14, 0.2), spread(rng, 0.16, 0.25)
    y = spread(rng, 0.18, 0.28)
    old = chance(rng, 0.4)
    s = np.linspace(0, 1, 14)
    body = np.stack([long * (2 * s - 1), y + 0.03 * np.sin(np.pi * s), 0 * s], 1)
    thick = np.interp(s, (0, 0.45, 0.75, 1), (0.12, 0.17, 0.13, 0.1 if old else 0.04)) * spread(rng, 0.85, 1.2)
    section = superellipse(20, 2.2, 2.0 if old else 1.6, 2 if old else 3.5)
    seat = spread(rng, -0.35, 0.05)
    parts = [sweep(body, thick, section=section, rounded=old, up=(0, 1, 0)).of(of)]
    parts.append(ball((0.2, 0.22, 0.2), (seat, y + 0.22, 0), 14).of(second))
    if chance(rng, 0.6):
        parts.append(cushion((0.3, 0.18, 0.16), (seat - 0.28, y + 0.05, 0), radius=0.06).of(of))
    if old:
        parts.append(ring(0.1, 0.025, 24).turn("z", 90).move(long + 0.01, y, 0).of(trim))
        parts += [rod((-0.1, y - 0.02, s_ * 0.2), (-long, y - 0.06, s_ * 0.2), 0.025).of(hub) for s_ in (-1, 1)]
    else:
        flap = spread(rng, 0.14, 0.24)
        parts.append(box((flap, 0.02, 2 * wide), (long - 0.04, y - 0.08, 0)).of(of))
        high, span = y + spread(rng, 0.25, 0.42), wide * spread(rng, 0.65, 0.9)
        parts.append(box((flap * 0.9, 0.025, 2 * span), (-long + 0.05, high, 0)).of(of))
        parts += [box((flap, high - y, 0.02), (-long + 0.05, y, s_ * span)).of(trim) for s_ in (-1, 1)]
        if chance(rng, 0.6):
            parts += [cushion((0.7, 0.16, 0.16), (-0.12, y - 0.1, s_ * 0.2), radius=0.05).of(second) for s_ in (-1, 1)]
    back, fore = -long * spread(rng, 0.6, 0.75), long * spread(rng, 0.55, 0.72)
    for x, r in ((back, rear), (fore, front)):
        parts.append(rod((x, r, -wide), (x, r, wide), 0.025).of(trim))
        parts += wheels(r, spread(rng, 0.1, 0.22), [x], wide, tyre, hub, pick(rng, (0, 0, 8)) if old else 0)
    return parts


@family("lorry", stretch=(0.0, 0.0, 0.1))
def lorry(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Box lorries, tippers, tankers, log carriers and cranes."""
    cab_of, load_of, tyre, hub, frame = look.accent(), look.paint(), look.dark(), look.metal(), look.dark()
    r, half = spread(rng, 0.18, 0.22), 0.4
    long, y = spread(rng, 1.2, 1.9), 0.3
    cab_h, cab_l = spread(rng, 0.6, 0.85), spread(rng, 0.42, 0.6)
    x0 = long / 2
    parts = [box((long + cab_l + 0.1, 0.1, 0.5), (cab_l / 2, y - 0.1, 0)).of(frame)]
    nose = spread(rng, 0.0, 0.4) if chance(rng, 0.4) else 0.0
    slant = spread(rng, 0.0, 0.12)
    parts.append(
        hull(
            [
                (x0 + 0.04, y),
                (x0 + cab_l, y),
                (x0 + cab_l, y + 0.5 * cab_h),
                (x0 + cab_l - slant, y + cab_h),
                (x0 + 0.04, y + cab_h),
            ],
            half,
            0.04,
        ).of(cab_of)
    )
    if nose:
        parts.append(
            cushion((nose + 0.1, 0.45 * cab_h, 1.7 * half), (x0 + cab_l + nose / 2 - 0.05, y, 0), radius=0.05).of(
                cab_of
            )
        )
    front = x0 + cab_l
    parts.append(
        box((0.03, 0.36 * cab_h, 1.65 * half), (front - 0.6 * slant, y + 0.54 * cab_h, 0), bevel=0.008)
        .turn("z", np.degrees(np.arctan2(slant, 0.5 * cab_h)), (front, y + 0.54 * cab_h, 0))
        .of(GLASS)
    )
    parts += [
        box((0.55 * cab_l, 0.34 * cab_h, 0.02), (x0 + 0.5 * cab_l, y + 0.55 * cab_h, s * half * 0.975), bevel=0.006).of(
            GLASS
        )
        for s in (-1, 1)
    ]
    parts += [ball((0.05, 0.11, 0.13), (front + nose, y + 0.13, s * half * 0.65), 12).of(LAMP) for s in (-1, 1)]
    parts.append(box((0.06, 0.12, 2 * half), (front + nose, y - 0.1, 0), bevel=0.015).of(frame))
    if chance(rng, 0.4):
        parts += [
            rod((x0 - 0.01, y, s * half * 0.8), (x0 - 0.01, y + cab_h + 0.2, s * half * 0.8), 0.025).of(look.metal())
            for s in (-1, 1)
        ]
    kind = pick(rng, ("box", "tipper", "tanker", "logs", "flat", "mixer"))
    h = spread(rng, 0.6, 1.0)
    if kind == "box":
        parts.append(box((long, h, 2 * half), (0, y, 0), bevel=0.02).of(load_of))
        if chance(rng, 0.6):
            parts += [
                box((long * 0.7, 0.2 * h, 0.01), (0, y + 0.4 * h, s * half), bevel=0.002).of(look.accent())
                for s in (-1, 1)
            ]
    elif kind == "tipper":
        tray = [
            box((long, 0.05, 2 * half)),
            *(box((long, 0.3, 0.05), (0, 0.03, s * (half - 0.025))) for s in (-1, 1)),
            *(box((0.05, 0.3, 2 * half), (s * (long / 2 - 0.025), 0.03, 0)) for s in (-1, 1)),
        ]
        heap = lathe(
            smooth([(0.33, 0.1), (0.28, 0.25), (0.1, 0.4), (0.02, 0.42)], 8),
            16,
            wave=lambda t, v: 1 + 0.1 * np.cos(5 * t),
        ).scale(long * 1.3, 1, 1)
        group = [p.of(load_of) for p in tray] + ([heap.of(look.stone())] if chance(rng, 0.6) else [])
        parts += moved(group, y=y + 0.01)
    elif kind == "tanker":
        tank = lathe(
            [
                (0, -long / 2),
                (0.28, -long / 2 + 0.01),
                (0.36, -long / 2 + 0.08),
                (0.36, long / 2 - 0.08),
                (0.28, long / 2 - 0.01),
                (0, long / 2),
            ],
            28,
        )
        parts.append(tank.turn("z", 90).move(y=y + 0.38).of(look.metal() if chance(rng, 0.5) else load_of))
        parts += [ring(0.36, 0.02, 28).turn("z", 90).move(a * long, y + 0.38, 0).of(frame) for a in (-0.3, 0.0, 0.3)]
        parts.append(rod((0, y + 0.7, 0), (0, y + 0.8, 0), 0.12, segments=18).of(frame))
    elif kind == "logs":
        wood = look.bark()
        rows = count(rng, 2, 3)
        for row in range(rows):
            n = 4 - row
            for i in range(n):
                z = (i - (n - 1) / 2) * 0.2
                parts.append(
                    rod(
                        (-long / 2 * spread(rng, 0.9, 1.0), y + 0.1 + 0.17 * row, z),
                        (long / 2 * 0.95, y + 0.1 + 0.17 * row, z),
                        0.1,
                        segments=12,
                    ).of(wood)
                )
        parts += [box((0.05, 0.5, 0.05), (a * long, y, s * 0.42)).of(frame) for a in (-0.35, 0.35) for s in (-1, 1)]
    elif kind == "mixer":
        drum = lathe(
            smooth([(0.1, -0.55), (0.25, -0.45), (0.4, -0.1), (0.38, 0.2), (0.18, 0.6), (0.16, 0.65)], 18), 28
        ).turn("z", 68)
        parts.append(drum.scale(long / 1.4, 1, 1).move(0, y + 0.42, 0).of(load_of))
        parts += [box((0.08, 0.3, 0.5), (a * long, y - 0.02, 0)).of(frame) for a in (-0.3, 0.25)]
    else:
        parts.append(box((long, 0.06, 2 * half), (0, y, 0)).of(look.wood()))
        for i in range(count(rng, 1, 4)):
            s = spread(rng, 0.25, 0.4)
            parts.append(
                box((s, s * 0.9, s * 1.2), (-long / 2 + 0.25 + i * 0.42, y + 0.06, spread(rng, -0.1, 0.1))).of(
                    look.wood()
                )
            )
    at = [x0 + 0.55 * cab_l, -0.3 * long] + ([-0.3 * long - 2.15 * r] if chance(rng, 0.5) else [])
    return parts + wheels(r, 0.16, at, half - 0.05, tyre, hub)
