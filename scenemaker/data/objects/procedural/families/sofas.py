"""Sofas and armchairs: stuffed."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, pick, spread
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part, four_fold, mirrored
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import ball, box, circle, cushion, rod, sweep


@family("sofa", stretch=(0.06, 0.08, 0.08))
def sofa(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Two to four seats, now and then with a corner."""
    return _stuffed(rng, look, pick(rng, (2, 2, 3, 3, 4)))


@family("armchair", stretch=(0.1, 0.1, 0.1))
def armchair(rng: np.random.Generator, look: Palette) -> list[Part]:
    """One seat; also wing chairs and shells."""
    return _stuffed(rng, look, 1)


def _stuffed(rng: np.random.Generator, look: Palette, seats: int) -> list[Part]:
    cloth = look.fabric() if chance(rng, 0.75) else look.leather()
    other = look.fabric()
    each, depth = spread(rng, 0.52, 0.72), spread(rng, 0.55, 0.7)
    w = each * seats
    feet, low, seat_h = spread(rng, 0.03, 0.16), spread(rng, 0.16, 0.24), spread(rng, 0.13, 0.2)
    back_h, back_d = spread(rng, 0.38, 0.62), spread(rng, 0.14, 0.24)
    puff = spread(rng, 0.08, 0.3)
    base, sit = feet + low, feet + low + seat_h
    whole = w
    parts: list[Part] = []
    arms = pick(rng, ("box", "box", "rolled", "slim", "flared", "none"))
    thick = {"box": spread(rng, 0.13, 0.22), "rolled": 0.17, "slim": 0.08, "flared": 0.14, "none": 0.0}[arms]
    arm_h = sit + spread(rng, 0.08, 0.2)
    if thick:
        whole = w + 2 * thick
        parts += [p.of(cloth) for p in mirrored(_arm(arms, w / 2, thick, feet, arm_h, depth + back_d))]
    z0 = -back_d / 2
    parts.append(
        cushion((whole - 0.02 if not thick else w + 0.04, low, depth + back_d * 0.9), (0, feet, z0), radius=0.03).of(
            cloth
        )
    )
    lean = spread(rng, 4, 14)
    tufted = chance(rng, 0.2)
    back_full = cushion((w + 0.04, sit - feet + back_h * 0.9 - 0.02, back_d), (0, feet + 0.02, 0), radius=0.3 * back_d)
    parts.append(back_full.turn("x", -lean * 0.5, (0, sit, 0)).move(z=-depth / 2 - back_d * 0.5).of(cloth))
    corner = seats > 1 and chance(rng, 0.3)
    for i in range(seats):
        x = -w / 2 + (i + 0.5) * each
        far = depth * spread(rng, 0.7, 1.0) if corner and i == 0 else 0.0
        seat = cushion(
            (each * 0.985, seat_h, depth * 0.99 + far), (x, base, far / 2 + 0.02), radius=0.4 * seat_h, puff=puff
        )
        parts.append(seat.of(cloth))
        if far:
            parts.append(cushion((each, low, far + 0.05), (x, feet, depth / 2 + far / 2), radius=0.03).of(cloth))
        pad = cushion((each * 0.97, back_h, back_d * 0.9), radius=0.4 * back_d, puff=puff * 1.2)
        parts.append(pad.turn("x", -lean).move(x, sit - 0.03, -depth / 2 + back_d * 0.35).of(cloth))
        if tufted:
            for u in (-0.25, 0.25):
                parts.append(ball(0.02, (x + u * each, sit + back_h * 0.55, -depth / 2 + back_d * 0.75), 8).of(other))
    if seats == 1 and chance(rng, 0.3):  # a wing chair
        wing = cushion((0.09, back_h * 0.85, back_d + 0.22), radius=0.03).move(
            w / 2 + 0.02, sit + 0.1, -depth / 2 + 0.02
        )
        parts += [p.of(cloth) for p in mirrored([wing])]
    if chance(rng, 0.5):
        for _ in range(pick(rng, (1, 1, 2)) if seats > 1 else 1):
            size, x = spread(rng, 0.3, 0.42), spread(rng, -0.42, 0.42) * w if seats > 1 else 0.0
            pillow = cushion((size, size, 0.09), radius=0.04, puff=0.55)
            tilt = spread(rng, 12, 28)
            pillow = pillow.turn("z", spread(rng, -15, 15), (0, size / 2, 0)).turn("x", -tilt)
            parts.append(pillow.move(x, sit + 0.01, -depth / 2 + back_d * 0.9 + 0.1).of(other))
    foot_of = look.wood() if chance(rng, 0.6) else look.metal()
    x, z = whole / 2 - 0.07, (depth + back_d) / 2 - 0.08
    if chance(rng, 0.6):
        foot = rod((x + 0.02, 0, z + 0.02), (x, feet + 0.02, z), 0.014, 0.026)
    else:
        foot = box((0.05, feet + 0.02, 0.05), (x, 0, z), top=1.3)
    return parts + [p.move(z=z0).of(foot_of) for p in four_fold(foot)]


def _arm(kind: str, x: float, thick: float, feet: float, top: float, depth: float) -> list[Part]:
    z = -depth * 0.1
    if kind == "rolled":
        front = depth / 2 + z
        body = cushion((thick * 0.75, top - feet - 0.04, depth), (x + thick * 0.45, feet, z), radius=0.03)
        roll = sweep([(x + thick * 0.52, top - 0.05, front + 0.01), (x + thick * 0.52, top - 0.05, front - depth)],
                     thick * 0.52, section=circle(18), rounded=False)  # fmt: skip
        return [body, roll]
    body = cushion((thick, top - feet, depth), (x + thick / 2, feet, z), radius=0.28 * thick, puff=0.06)
    if kind == "flared":
        p = body.points.copy()
        p[:, 0] += 0.12 * ((p[:, 1] - feet) / (top - feet)) ** 2
        body = body.bent(p)
    return [body]
