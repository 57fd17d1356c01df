"""Four-legged animals, as toys and figurines are."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, pick, spread
from scenemaker.data.objects.procedural.materials.colour import lighter
from scenemaker.data.objects.procedural.materials.material import Colour, Material
from scenemaker.data.objects.procedural.materials.palette import Palette, blend, plain
from scenemaker.data.objects.procedural.part import Part, moved
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    circle,
    lathe,
    lumps,
    ring,
    smooth,
    superellipse,
    sweep,
)  # fmt: skip

BLACK = plain((0.1, 0.1, 0.1))
WHITE = plain((0.95, 0.94, 0.92))
FURS: tuple[Colour, ...] = (
    (0.45, 0.30, 0.18), (0.68, 0.50, 0.30), (0.30, 0.22, 0.18), (0.80, 0.68, 0.50), (0.55, 0.53, 0.52),
    (0.88, 0.85, 0.80),
    (0.76, 0.42, 0.18), (0.20, 0.19, 0.20), (0.62, 0.36, 0.22),
)  # fmt: skip


def fur_of(rng: np.random.Generator) -> Material:
    base = lighter(pick(rng, FURS), spread(rng, 0.9, 1.1))
    other = pick(rng, (lighter(base, 0.5), lighter(base, 0.8), (0.93, 0.9, 0.85)))
    return blend(base, other, pick(rng, ("noise", "plain", "speckle", "stripes")), span=0.5)


def eyes(at: tuple[float, float, float], size: float) -> list[Part]:
    """A pair, looking along +x."""
    x, y, z = at
    return [
        p
        for s in (-1, 1)
        for p in (
            ball(size, (x, y, s * z), 10).of(WHITE),
            ball(size * 0.62, (x + size * 0.26, y, s * (z + size * 0.1)), 8).of(BLACK),
        )
    ]


@family("animal", stretch=(0.1, 0.12, 0.1))
def animal(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Four-legged: cats, dogs, horses, cows, sheep, elephants, giraffes, bears, pigs, and what lies between."""
    fur = fur_of(rng)
    long, girth = spread(rng, 0.5, 0.95), spread(rng, 0.26, 0.5)
    leg_h, leg_r = spread(rng, 0.2, 0.6), spread(rng, 0.12, 0.21) * girth
    neck_l, neck_up = pick(rng, (0.05, 0.15, 0.3, spread(rng, 0.3, 0.8))), spread(rng, 25, 80)
    head, snout = spread(rng, 0.2, 0.32), spread(rng, 0.05, 0.28)
    marks = pick(rng, ("none", "belly", "patches", "back"))
    y = leg_h + 0.42 * girth
    half = long / 2

    def coat(part: Part, rough: float = 3.0) -> Part:
        p = part.points
        if marks == "none":
            return part.of(fur)
        share = {
            "belly": np.clip((y - 0.1 * girth - p[:, 1]) * 9, 0, 1),
            "back": np.clip((p[:, 1] - y - 0.15 * girth) * 9, 0, 1),
            "patches": np.clip((lumps(rng, p, rough) - 0.15) * 9, 0, 1),
        }[marks]
        return part.shaded(share).of(fur)

    s = np.linspace(0, 1, 13)
    chest, rump = spread(rng, 0.85, 1.15), spread(rng, 0.8, 1.1)
    sag = spread(rng, -0.06, 0.06)
    path = np.stack([-half + long * s, y + sag * np.sin(np.pi * s), 0 * s], 1)
    size = girth / 2 * np.interp(s, (0, 0.15, 0.5, 0.85, 1), (0.72 * rump, rump, 0.95, chest, 0.72 * chest))
    parts = [coat(sweep(path, size, section=superellipse(18, 1.8, 2, 2.2), rounded=True, up=(0, 1, 0)))]
    up = np.radians(neck_up)
    n0 = np.array([half * 0.85, y + 0.2 * girth, 0])
    n1 = n0 + (neck_l + 0.4 * head) * np.array([np.cos(up), np.sin(up), 0]) + (0.08, 0.05, 0)
    neck = sweep(
        smooth([n0 - (0.08, 0.1, 0), n0 + 0.5 * (n1 - n0), n1], 8),
        np.linspace(0.34 * girth, 0.33 * head, 8),
        section=circle(16),
    )
    parts.append(coat(neck))
    nod = spread(rng, -25, 5)
    skull = [coat(ball((head * 1.15, head, head * 0.9), (0, 0, 0), 16))]
    muzzle = sweep(
        [
            (0.2 * head, -0.12 * head, 0),
            (0.5 * head + 0.5 * snout, -0.17 * head, 0),
            (0.5 * head + snout, -0.2 * head, 0),
        ],
        head * np.array([0.36, 0.3, 0.24]),
        section=superellipse(14, 2, 1.7, 2.4),
        rounded=True,
        up=(0, 1, 0),
    )
    skull.append(muzzle.of(fur if chance(rng, 0.6) else blend(lighter(fur.rgb, 1.3), fur.rgb)))
    skull.append(
        ball((0.1 * head, 0.16 * head, 0.24 * head), (0.5 * head + snout + 0.22 * head, -0.15 * head, 0), 10).of(BLACK)
    )
    skull += eyes((0.4 * head, 0.18 * head, 0.28 * head), 0.17 * head)
    skull += _ears(rng, head, fur)
    if chance(rng, 0.25):
        horn = look.pale()
        out, rise = spread(rng, 0.2, 0.7) * head, spread(rng, 0.4, 1.0) * head
        path = smooth(
            [
                (-0.05 * head, 0.4 * head, 0.22 * head),
                (-0.1 * head, 0.5 * head + 0.4 * rise, 0.25 * head + out),
                (0.05 * head, 0.45 * head + rise, 0.25 * head + 0.7 * out),
            ],
            9,
        )
        one = sweep(path, np.linspace(0.09, 0.015, 9) * head, section=superellipse(8, 2, 2, 2)).of(horn)
        skull += [one, one.scale(1, 1, -1)]
    if chance(rng, 0.1):  # a trunk
        path = smooth(
            [
                (0.5 * head, -0.1 * head, 0),
                (0.9 * head, -0.5 * head, 0),
                (0.95 * head, -1.2 * head, 0),
                (1.25 * head, -1.5 * head, 0),
            ],
            12,
        )
        skull.append(sweep(path, np.linspace(0.28, 0.12, 12) * head, rounded=True).of(fur))
    turn = spread(rng, -25, 25)
    parts += moved(
        [p.turn("z", nod).turn("y", turn) for p in skull], *(n1 + np.array((0.15 * head, 0.1 * head, 0))).tolist()
    )
    stride = spread(rng, 0, 0.1)
    hoof = BLACK if chance(rng, 0.5) else fur
    for x, side, phase in ((0.72, 1, 1), (0.72, -1, -1), (-0.76, 1, -1), (-0.76, -1, 1)):
        top = np.array([x * half, y - 0.05 * girth, side * 0.23 * girth])
        foot = np.array([x * half + phase * stride, 0.5 * leg_r, side * 0.25 * girth])
        knee = (top + foot) / 2 + (0.04 if x < 0 else -0.015, 0, 0)
        r = leg_r * np.interp(np.linspace(0, 1, 8), (0, 0.4, 1), (1.45, 1.0, 0.8))
        parts.append(coat(sweep(smooth([top, knee, foot], 8), r, section=circle(12))))
        parts.append(
            ball(
                (2.5 * leg_r, 1.3 * leg_r, 2.1 * leg_r), (float(foot[0]) + 0.3 * leg_r, 0.6 * leg_r, float(foot[2])), 10
            ).of(hoof)
        )
    parts += _tail(rng, np.array([-half - 0.1 * girth, y + 0.15 * girth, 0]), fur)
    if chance(rng, 0.2):
        along = np.linspace(0.15, 0.95, 9)
        mane = look.bark()
        for k in along:
            at = n0 + k * (n1 - n0)
            r = 0.34 * girth * (1 - k) + 0.33 * head * k
            parts.append(
                ball((0.1, 0.16, 0.05), (float(at[0]) - r * np.sin(up), float(at[1]) + r * np.cos(up), 0), 8).of(mane)
            )
    if chance(rng, 0.15):
        parts.append(
            ring(0.36 * head + 0.01, 0.02, 20)
            .turn("z", neck_up - 90)
            .move(*(n0 + 0.75 * (n1 - n0)).tolist())
            .of(look.accent())
        )
    return [p.turn("y", -90) for p in parts] if chance(rng, 0.5) else parts


def _ears(rng: np.random.Generator, head: float, fur: Material) -> list[Part]:
    kind = pick(rng, ("point", "round", "flap", "long"))
    if kind == "round":
        one = [ball((0.1 * head, 0.34 * head, 0.34 * head), (-0.05 * head, 0.48 * head, 0.32 * head), 12)]
    elif kind == "point":
        one = [
            lathe([(0, 0), (0.17 * head, 0), (0.1 * head, 0.25 * head), (0.01, 0.45 * head), (0, 0.46 * head)], 12)
            .scale(0.6, 1, 1)
            .turn("x", 18)
            .move(-0.05 * head, 0.32 * head, 0.24 * head)
        ]
    elif kind == "flap":
        size = spread(rng, 0.3, 0.7) * head
        one = [
            ball((0.12 * head, 1.3 * size, 0.8 * size), (0, 0, 0), 12)
            .turn("x", -25)
            .move(-0.08 * head, 0.4 * head - 0.55 * size, 0.42 * head + 0.15 * size)
        ]
    else:
        one = [
            ball((0.14 * head, 0.75 * head, 0.22 * head), (0, 0, 0), 12)
            .turn("x", 14)
            .turn("z", 12)
            .move(-0.1 * head, 0.7 * head, 0.22 * head)
        ]
    return [p.of(fur) for p in one] + [p.scale(1, 1, -1).of(fur) for p in one]


def _tail(rng: np.random.Generator, root: np.ndarray, fur: Material) -> list[Part]:
    kind = pick(rng, ("up", "down", "bushy", "stub"))
    if kind == "stub":
        return [ball(0.1, tuple(root + np.array((0.02, 0, 0))), 10).of(fur)]
    rise = spread(rng, 0.1, 0.4) * (1 if kind == "up" else -1)
    path = smooth(
        [root + np.array((0.06, 0, 0)), root + np.array((-0.12, 0.3 * rise, 0)), root + np.array((-0.2, rise, 0.03))],
        10,
    )
    size = (
        np.linspace(0.035, 0.018, 10) if kind != "bushy" else 0.09 * np.sin(np.pi * np.linspace(0.15, 0.95, 10)) + 0.01
    )
    parts = [sweep(path, size, rounded=True).of(fur)]
    if kind == "down":
        parts.append(ball((0.07, 0.14, 0.07), tuple(path[-1]), 10).of(BLACK))
    return parts
