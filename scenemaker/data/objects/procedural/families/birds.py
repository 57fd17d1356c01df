"""Birds and fish."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.animals import FURS, eyes
from scenemaker.data.objects.procedural.families.plants import leaf
from scenemaker.data.objects.procedural.materials.colour import lighter
from scenemaker.data.objects.procedural.materials.palette import Palette, blend, plain
from scenemaker.data.objects.procedural.part import Part, moved
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    blade,
    circle,
    loft,
    lumps,
    prism,
    smooth,
    superellipse,
    sweep,
)  # fmt: skip


@family("bird", stretch=(0.1, 0.12, 0.1))
def bird(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Songbirds, ducks, owls, flamingos and penguins."""
    body_of, wing_of, beak_of = (
        look.accent(),
        look.accent(),
        plain(pick(rng, ((0.93, 0.65, 0.15), (0.25, 0.22, 0.2), (0.85, 0.4, 0.15)))),
    )
    if chance(rng, 0.4):
        base = pick(rng, FURS)
        body_of, wing_of = plain(base), plain(lighter(base, 0.65))
    belly = blend(body_of.rgb, (0.94, 0.92, 0.86))
    upright, leg_h = spread(rng, 5, 75), pick(rng, (0.06, 0.15, spread(rng, 0.3, 0.8)))
    long, girth = spread(rng, 0.55, 0.8), spread(rng, 0.3, 0.48)
    neck, head = pick(rng, (0.0, 0.0, spread(rng, 0.15, 0.6))), spread(rng, 0.2, 0.34)
    s = np.linspace(0, 1, 12)
    size = girth / 2 * np.sin(np.pi * np.clip(s * 0.92 + 0.06, 0, 1)) ** 0.7
    path = np.stack([long * (s - 0.5), 0 * s, 0 * s], 1)
    trunk = sweep(path, size, section=superellipse(18, 2, 1.9, 2), rounded=True, up=(0, 1, 0))
    trunk = trunk.shaded(np.clip((-trunk.points[:, 1] + 0.25 * trunk.points[:, 0]) * 8, 0, 1)).of(belly)
    body = [trunk]
    wing_l = long * spread(rng, 0.55, 0.85)
    wing_t = np.linspace(0, 1, 8)
    for side in (-1, 1):
        line = np.stack(
            [
                0.2 * long - wing_l * wing_t,
                0.08 * girth - 0.12 * wing_t * girth,
                side * (0.47 * girth * (1 - 0.35 * wing_t**2) + 0.005),
            ],
            1,
        )
        body.append(
            blade(
                line,
                girth * 0.75 * np.sin(np.pi * np.clip(0.12 + 0.86 * wing_t, 0, 1)) ** 0.8,
                0.05,
                up=(0, 0, side),
                fold=-0.1,
            ).of(wing_of)
        )
    tail = [
        leaf(rng, long * 0.45, 0.12, 0.2, "strap", 5)
        .turn("y", 180 + a)
        .turn("z", 8)
        .move(-0.42 * long, 0.02, 0)
        .of(wing_of)
        for a in np.linspace(-spread(rng, 6, 30), spread(rng, 6, 30), count(rng, 2, 6)).tolist()
    ]
    body += tail
    lift = leg_h + 0.3 * girth + 0.3 * long * np.sin(np.radians(upright))
    body = moved([p.turn("z", upright) for p in body], y=lift)
    a = np.radians(upright)
    shoulder = np.array([0.38 * long * np.cos(a), lift + 0.38 * long * np.sin(a), 0])
    top = shoulder + np.array([0.1 + 0.25 * neck, 0.28 * head + neck, 0])
    if neck:
        bend = smooth(
            [
                shoulder - (0.05, 0.05, 0),
                shoulder + np.array((0.12, 0.35 * neck, 0)),
                top - (0.08, 0.25 * neck, 0),
                top,
            ],
            12,
        )
        body.append(sweep(bend, np.linspace(0.24 * girth, 0.26 * head, 12), section=circle(14)).of(body_of))
    face = [ball((head, head * 0.95, head * 0.92), (0, 0, 0), 16).of(body_of if chance(rng, 0.7) else wing_of)]
    face += eyes((0.3 * head, 0.12 * head, 0.33 * head), 0.17 * head)
    bill, flat = spread(rng, 0.12, 0.4), pick(rng, (0.5, 1.0, 1.0))
    hook = spread(rng, 0.0, 0.1)
    beak = sweep(
        smooth(
            [
                (0.4 * head, -0.03 * head, 0),
                (0.5 * head + 0.5 * bill, -0.03 * head, 0),
                (0.5 * head + bill, -0.03 * head - hook, 0),
            ],
            7,
        ),
        head * np.linspace(0.22, 0.04, 7),
        section=superellipse(10, 2, 2 * flat, 2),
        up=(0, 1, 0),
    )
    face.append(beak.of(beak_of))
    if chance(rng, 0.3):
        face += [
            blade(
                [(0, 0.4 * head, 0), (-0.1 * head, 0.62 * head, 0), (-0.25 * head + 0.1 * k, 0.8 * head, 0)],
                np.array([0.08, 0.1, 0.02]),
                0.02,
                up=(0, 0, 1),
            ).of(wing_of)
            for k in range(count(rng, 1, 4))
        ]
    body += moved(face, *(top + np.array((0.05 * head, 0.15 * head, 0))).tolist())
    for side in (-1, 1):
        z = side * 0.2 * girth
        hip = (0.02, lift - 0.3 * girth, z)
        body.append(
            sweep(
                [hip, (-0.02, (lift - 0.3 * girth) * 0.5, z), (0.0, 0.015, z)], 0.016, section=superellipse(8, 2, 2, 2)
            ).of(beak_of)
        )
        body += [
            sweep([(0, 0.015, z), (0.1, 0.012, z + 0.05 * k)], (0.018, 0.01), section=superellipse(6, 2, 2, 2)).of(
                beak_of
            )
            for k in (-1, 0, 1)
        ]
    return body


@family("fish", stretch=(0.12, 0.12, 0.12))
def fish(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Slim to round, with fins and tails of many kinds."""
    base, other = look.colour(chroma=0.13), look.colour(chroma=0.13)
    of = blend(
        base,
        pick(rng, (other, (0.94, 0.92, 0.88), lighter(base, 0.5))),
        pick(rng, ("shingles", "stripes", "plain", "dots")),
        span=0.5,
    )
    fin_of = plain(other)
    high, wide = spread(rng, 0.2, 0.6), spread(rng, 0.12, 0.34)
    s = np.linspace(0, 1, 18)
    peak = spread(rng, 0.25, 0.45)
    form = np.interp(s, (0, peak * 0.4, peak, 0.75, 0.92, 1), (0.12, 0.68, 1.0, 0.55, 0.17, 0.13))
    form = np.convolve(np.pad(form, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    ring_ = superellipse(18, 1, 1, 2)
    rings = np.stack(
        [
            np.stack([np.full(18, 0.5 - x), ring_[:, 1] * high * f, -ring_[:, 0] * wide * f**0.8], 1)
            for x, f in zip(s, form)
        ]
    )
    body = loft(rings[::-1])
    if chance(rng, 0.6):
        p = body.points
        kind = pick(rng, ("bands", "back", "spots"))
        share = {
            "bands": (np.sin(p[:, 0] * spread(rng, 12, 26)) > 0.2).astype(float),
            "back": np.clip(p[:, 1] / high * 4 + 0.3, 0, 1),
            "spots": np.clip((lumps(rng, p, 6) - 0.3) * 6, 0, 1),
        }[kind]
        body = body.shaded(share)
    parts = [body.of(of)]

    def fin(points: list[tuple[float, float]], z: float = 0.0) -> Part:
        return prism(smooth([*points, points[0]], 17)[:-1], 0.02, bevel=0.006).move(z=z)

    fork, tail = spread(rng, 0.05, 0.25), spread(rng, 0.16, 0.34)
    kind = pick(rng, ("forked", "forked", "fan", "long", "pointed"))
    outline = np.array(
        {
            "forked": [
                (-0.47, 0.03),
                (-0.47 - tail, tail),
                (-0.47 - tail + fork, 0.0),
                (-0.47 - tail, -tail),
                (-0.47, -0.03),
            ],
            "pointed": [
                (-0.46, 0.05),
                (-0.5 - 0.5 * tail, 0.6 * tail),
                (-0.5 - 1.3 * tail, 0),
                (-0.5 - 0.5 * tail, -0.6 * tail),
                (-0.46, -0.05),
            ],
            "fan": [
                (-0.47, 0.03),
                (-0.5 - 0.7 * tail, tail),
                (-0.5 - tail, 0.5 * tail),
                (-0.5 - 0.9 * tail, 0.0),
                (-0.5 - tail, -0.5 * tail),
                (-0.5 - 0.7 * tail, -tail),
                (-0.47, -0.03),
            ],
            "long": [
                (-0.47, 0.04),
                (-0.6, 0.5 * tail),
                (-0.5 - 1.2 * tail, 0.8 * tail),
                (-0.5 - 1.7 * tail, 0.4 * tail),
                (-0.5 - tail, 0.0),
                (-0.6, -0.5 * tail),
                (-0.47, -0.04),
            ],
        }[kind]
    )
    if kind in ("fan", "long"):
        outline = smooth(outline, 20)
    parts.append(prism(outline, 0.022, bevel=0.007).of(fin_of))
    back = spread(rng, 0.1, 0.28)
    top = high * 0.45
    parts.append(
        fin(
            [
                (0.2, top * 0.7),
                (0.05, top + back * 0.8),
                (-0.2, top * 0.6 + back),
                (-0.18, top * 0.55),
                (0.0, top * 0.7),
            ]
        ).of(fin_of)
    )
    if chance(rng, 0.7):
        parts.append(
            fin(
                [
                    (-0.02, -top * 0.7),
                    (-0.1, -top * 0.6),
                    (-0.2, -top * 0.5),
                    (-0.16, -top * 0.7 - back * 0.6),
                    (-0.08, -top * 0.8 - 0.3 * back),
                ]
            ).of(fin_of)
        )
    for i in range(pick(rng, (0, 0, 0, 3, 5))):  # small fins before the tail
        x = -0.28 - 0.045 * i
        for side in (-1, 1):
            at = float(np.interp(0.5 - x, s, form)) * high / 2
            tip = prism([(x, 0.8 * at), (x - 0.05, at + 0.035), (x - 0.035, 0.8 * at)], 0.014)
            parts.append(tip.scale(1, side, 1).of(fin_of))
    if chance(rng, 0.2):  # barbels
        for side in (-1, 1):
            path = smooth([(0.47, -0.04, side * 0.03), (0.5, -0.12, side * 0.08), (0.46, -0.2, side * 0.12)], 8)
            parts.append(sweep(path, np.linspace(0.01, 0.003, 8), section=superellipse(6, 2, 2, 2)).of(fin_of))
    size = spread(rng, 0.12, 0.22)
    for side in (-1, 1):
        one = leaf(rng, size, size * 0.7, 0.5, "heart", 5).turn("y", 180 - side * 35).turn("x", side * 20)
        parts.append(one.move(0.17, -0.1 * high, side * wide * 0.46).of(fin_of))
    eye = 0.05 + 0.06 * high
    parts += eyes((0.32, 0.1 * high, wide * 0.31), eye)
    parts.append(ball((0.05, 0.035, 0.12 * wide + 0.05), (0.495, -0.03, 0), 10).of(fin_of))
    return parts
