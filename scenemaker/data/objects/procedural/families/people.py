"""Toy people and robots."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.animals import BLACK
from scenemaker.data.objects.procedural.materials.colour import oklch
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette, plain
from scenemaker.data.objects.procedural.part import Part, moved, turned
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    box,
    circle,
    cushion,
    lathe,
    ring,
    rod,
    smooth,
    superellipse,
    sweep,
)  # fmt: skip


@family("figure", stretch=(0.1, 0.08, 0.1))
def figure(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Toy people: tall or small, in trousers or a robe, with hair or a hat, in many postures."""
    skin: Material = plain(oklch(spread(rng, 0.45, 0.85), spread(rng, 0.04, 0.07), spread(rng, 45, 70)))
    shirt, trousers, hair = (
        look.fabric(),
        look.fabric(),
        plain(
            pick(rng, ((0.15, 0.1, 0.08), (0.4, 0.25, 0.12), (0.8, 0.62, 0.3), (0.55, 0.2, 0.1), (0.75, 0.74, 0.72)))
        ),
    )
    shoe = look.dark()
    head = spread(rng, 0.17, 0.34)  # the larger, the more of a toy
    leg_h, torso_h = spread(rng, 0.28, 0.5), spread(rng, 0.3, 0.4)
    w, d = spread(rng, 0.2, 0.32), spread(rng, 0.13, 0.2)
    hip = leg_h
    parts: list[Part] = []
    robe = chance(rng, 0.25)
    if robe:
        profile = smooth(
            [
                (w * 0.85, 0),
                (w * 0.7, 0.3 * leg_h),
                (w * 0.5, hip),
                (w * 0.42, hip + 0.1),
                (w * 0.5, hip + torso_h - 0.06),
                (w * 0.2, hip + torso_h),
            ],
            20,
        )
        parts.append(
            lathe(
                [(0, 0), *profile.tolist(), (0, hip + torso_h + 0.005)], 28, wave=lambda t, y: 1 + 0.05 * np.cos(9 * t)
            )
            .scale(1, 1, 0.85)
            .of(shirt)
        )
        parts.append(ring(w * 0.45, 0.014, 24).scale(1, 1, 0.85).move(y=hip + 0.09).of(trousers))
    else:
        s = np.linspace(0, 1, 8)
        trunk = np.stack([0 * s, hip - 0.02 + (torso_h + 0.02) * s, 0 * s], 1)
        wide = np.interp(s, (0, 0.35, 0.85, 1), (0.46, 0.42, 0.52, 0.3)) * 2
        parts.append(sweep(trunk, wide, section=superellipse(18, w, d, 2.6), up=(0, 0, 1)).of(shirt))
        parts.append(
            sweep(
                [(0, hip - 0.05, 0), (0, hip, 0), (0, hip + 0.04, 0)],
                (0.9, 0.97, 0.9),
                section=superellipse(18, w, d, 2.6),
                up=(0, 0, 1),
            ).of(trousers)
        )
        step = spread(rng, 0.0, 0.16)
        for side in (-1, 1):
            z = side * step
            knee = (side * w * 0.26, leg_h * 0.5, z * 0.5 + 0.02)
            foot = (side * w * 0.28, 0.05, z)
            parts.append(
                sweep(
                    smooth([(side * w * 0.22, hip, 0), knee, foot], 8), np.linspace(0.07, 0.05, 8), section=circle(12)
                ).of(trousers)
            )
            parts.append(cushion((0.1, 0.075, 0.19), (foot[0], 0, z + 0.035), radius=0.03).of(shoe))
    shoulder = hip + torso_h - 0.06
    sleeve = chance(rng, 0.6)
    for side in (-1, 1):
        lift, forth, bend = (
            np.radians(pick(rng, (12, 20, 35, 90, 150))),
            np.radians(spread(rng, -35, 50)),
            np.radians(spread(rng, 0, 70)),
        )
        arm = torso_h * 0.52
        a = np.array([side * w * 0.46, shoulder, 0])
        way = np.array([side * np.sin(lift), -np.cos(lift), np.sin(forth) * np.cos(lift)])
        elbow = a + arm * way / np.sqrt(way @ way)
        way = way + np.array([0, 0.4 * np.sin(bend), np.sin(bend)])
        hand = elbow + 0.9 * arm * way / np.sqrt(way @ way)
        path = smooth([a, elbow, hand], 10)
        if sleeve or robe:
            parts.append(sweep(path, np.linspace(0.062, 0.046, 10), section=circle(12), rounded=True).of(shirt))
        else:
            parts += [
                sweep(path[:4], np.linspace(0.064, 0.056, 4), section=circle(12)).of(shirt),
                sweep(path[3:], np.linspace(0.046, 0.04, 7), section=circle(12)).of(skin),
            ]
        parts.append(ball((0.085, 0.1, 0.085), tuple(hand), 12).of(skin))
    neck = hip + torso_h
    parts.append(rod((0, neck - 0.04, 0), (0, neck + 0.06, 0), 0.25 * head).of(skin))
    centre = neck + 0.03 + 0.5 * head
    face = [ball((head * 0.88, head, head * 0.9), (0, 0, 0), 18).of(skin)]
    face += [ball(0.12 * head, (s * 0.18 * head, 0.06 * head, 0.41 * head), 8).of(BLACK) for s in (-1, 1)]
    face.append(ball((0.12 * head, 0.14 * head, 0.14 * head), (0, -0.06 * head, 0.45 * head), 8).of(skin))
    face += [ball((0.1 * head, 0.2 * head, 0.14 * head), (s * 0.44 * head, 0, 0), 8).of(skin) for s in (-1, 1)]
    face.append(
        ball((0.26 * head, 0.045 * head, 0.06 * head), (0, -0.24 * head, 0.395 * head), 8).of(plain((0.55, 0.22, 0.2)))
    )
    style = pick(rng, ("short", "short", "long", "bun", "hat", "cap", "bald", "pointed"))
    if style in ("short", "long", "bun"):
        face.append(ball((head * 0.98, head * 0.9, head * 0.98), (0, 0.12 * head, -0.08 * head), 16).of(hair))
        if style == "long":
            face.append(
                cushion((head * 0.95, head * 1.0, head * 0.35), (0, -0.75 * head, -0.42 * head), radius=0.12 * head).of(
                    hair
                )
            )
        if style == "bun":
            face.append(ball(head * 0.42, (0, 0.55 * head, -0.2 * head), 12).of(hair))
    elif style != "bald":
        cloth = look.fabric()
        y = 0.22 * head
        if style == "hat":
            face.append(
                lathe(
                    [
                        (0, y),
                        (head * 0.85, y),
                        (head * 0.86, y + 0.03),
                        (head * 0.5, y + 0.07 * head),
                        (head * 0.45, y + 0.5 * head),
                        (0, y + 0.55 * head),
                    ],
                    26,
                ).of(cloth)
            )
        elif style == "pointed":
            face.append(
                lathe(
                    [
                        (0, y - 0.02),
                        (head * 0.52, y - 0.02),
                        (head * 0.35, y + 0.5 * head),
                        (0.02, y + 1.1 * head),
                        (0, y + 1.12 * head),
                    ],
                    22,
                ).of(cloth)
            )
        else:
            face.append(
                lathe(
                    [
                        (0, y - 0.02),
                        (head * 0.5, y - 0.02),
                        (head * 0.47, y + 0.2 * head),
                        (head * 0.25, y + 0.36 * head),
                        (0, y + 0.4 * head),
                    ],
                    22,
                ).of(cloth)
            )
            face.append(cushion((head * 0.7, 0.03, head * 0.5), (0, y - 0.02, head * 0.55), radius=0.012).of(cloth))
    if chance(rng, 0.25) and style != "long":
        face.append(ball((head * 0.6, head * 0.45, head * 0.4), (0, -0.35 * head, 0.27 * head), 12).of(hair))
    parts += moved(turned(face, "y", spread(rng, -35, 35)), y=centre)
    return parts


@family("robot", stretch=(0.12, 0.12, 0.12))
def robot(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Boxy and round toy robots on legs, wheels or tracks."""
    body_of, trim, metal, dark = look.accent(), look.accent(), look.metal(), look.dark()
    if chance(rng, 0.4):
        body_of = metal
    lit = plain(pick(rng, ((0.95, 0.85, 0.3), (0.4, 0.9, 0.95), (0.95, 0.3, 0.25))))
    w, h, d = spread(rng, 0.3, 0.5), spread(rng, 0.3, 0.5), spread(rng, 0.22, 0.34)
    base = pick(rng, ("legs", "legs", "wheels", "tracks"))
    low = spread(rng, 0.2, 0.34) if base == "legs" else 0.16
    parts: list[Part] = []
    if base == "legs":
        for s in (-1, 1):
            parts.append(rod((s * w * 0.27, 0.06, 0), (s * w * 0.27, low + 0.02, 0), 0.045).of(metal))
            parts.append(cushion((0.14, 0.09, 0.22), (s * w * 0.27, 0, 0.03), radius=0.03).of(trim))
            parts += [ring(0.048, 0.012, 16).move(s * w * 0.27, 0.1 + 0.05 * i, 0).of(dark) for i in range(2)]
    elif base == "wheels":
        wheel = lathe([(0, -0.03), (0.09, -0.03), (0.1, 0), (0.09, 0.03), (0, 0.03)], 20).turn("z", 90)
        parts += [wheel.move(s * w * 0.45, 0.1, z).of(dark) for s in (-1, 1) for z in (-0.1, 0.1)]
        parts.append(box((w * 0.8, 0.1, 0.3), (0, 0.08, 0)).of(metal))
    else:
        parts += [cushion((0.1, 0.16, 0.42), (s * w * 0.5, 0, 0), radius=0.075).of(dark) for s in (-1, 1)]
        parts.append(box((w * 0.9, 0.08, 0.2), (0, 0.09, 0)).of(metal))
    kind = pick(rng, ("box", "box", "round", "egg"))
    if kind == "box":
        parts.append(cushion((w, h, d), (0, low, 0), radius=0.04, puff=0.04).of(body_of))
    elif kind == "round":
        parts.append(
            lathe(
                [
                    (0, low),
                    (w * 0.42, low),
                    (w * 0.5, low + 0.04),
                    (w * 0.5, low + h - 0.06),
                    (w * 0.4, low + h),
                    (0, low + h),
                ],
                28,
            ).of(body_of)
        )
        d = w
    else:
        parts.append(ball((w * 1.1, h * 1.1, w), (0, low + h * 0.5, 0), 22).of(body_of))
        d = w * 0.92
    panel = box((w * 0.5, h * 0.36, 0.03), (0, low + h * 0.42, d / 2 - 0.012), bevel=0.008)
    parts.append(panel.of(trim))
    for i in range(count(rng, 2, 4)):
        parts.append(ball(0.036, ((i - 1.5) * w * 0.12, low + h * 0.55, d / 2 + 0.016), 10).of(lit if i % 2 else dark))
    parts.append(box((w * 0.36, 0.02, 0.02), (0, low + h * 0.46, d / 2 + 0.01), bevel=0.005).of(dark))
    top = low + h
    parts.append(rod((0, top - 0.03, 0), (0, top + 0.06, 0), 0.05).of(metal))
    hw, hh = w * spread(rng, 0.6, 0.95), spread(rng, 0.18, 0.3)
    y = top + 0.045
    shape = pick(rng, ("box", "box", "dome", "ball"))
    if shape == "box":
        parts.append(cushion((hw, hh, hw * 0.8), (0, y, 0), radius=0.035, puff=0.03).of(body_of))
        front = hw * 0.4
    elif shape == "dome":
        parts.append(
            lathe(
                [
                    (0, y),
                    (hw * 0.5, y),
                    (hw * 0.5, y + 0.4 * hh),
                    (hw * 0.4, y + 0.8 * hh),
                    (hw * 0.15, y + hh),
                    (0, y + hh),
                ],
                26,
            ).of(body_of)
        )
        front = hw * 0.47
    else:
        parts.append(ball((hw, hh * 1.15, hw), (0, y + hh * 0.5, 0), 20).of(body_of))
        front = hw * 0.46
    eye = pick(rng, ("two", "two", "visor", "one"))
    if eye == "visor":
        parts.append(cushion((hw * 0.72, hh * 0.25, 0.05), (0, y + hh * 0.45, front - 0.02), radius=0.02).of(lit))
    else:
        for s in (-1, 1) if eye == "two" else (0,):
            r = hh * (0.17 if eye == "two" else 0.26)
            at = front if shape == "box" else front * (0.88 if s else 1.0)
            parts += [
                p.turn("x", 90).move(s * hw * 0.23, y + hh * 0.58, at)
                for p in (
                    lathe([(0, -0.03), (r, -0.03), (r, 0.012), (0, 0.012)], 18).of(dark),
                    lathe([(0, 0), (r * 0.72, 0), (r * 0.6, 0.022), (0, 0.026)], 16).of(lit),
                )
            ]
    if chance(rng, 0.6):
        for x in pick(rng, ((0.0,), (-0.3, 0.3))):
            parts.append(rod((x * hw, y + hh - 0.02, 0), (x * hw * 1.5, y + hh + 0.12, 0), 0.01, segments=8).of(metal))
            parts.append(ball(0.045, (x * hw * 1.5, y + hh + 0.13, 0), 10).of(lit))
    for s in (-1, 1):
        swing = np.radians(spread(rng, -40, 80))
        a = np.array([s * w * 0.52, top - 0.1, 0])
        hand = a + np.array([s * 0.09, -0.26 * np.cos(swing), 0.26 * np.sin(swing)])
        elbow = (a + hand) / 2 + (s * 0.05, 0, -0.02)
        parts += [ball(0.1, tuple(a), 12).of(trim), sweep(smooth([a, elbow, hand], 8), 0.03).of(metal)]
        claw = ring(0.05, 0.018, 16).turn("x", 90).move(*hand.tolist())
        parts.append(claw.of(trim) if chance(rng, 0.5) else ball(0.1, tuple(hand), 12).of(trim))
    return parts
