"""Bicycles."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, pick, spread
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part, moved
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    box,
    circle,
    ring,
    rod,
    smooth,
    superellipse,
    sweep,
)  # fmt: skip


@family("bicycle")
def bicycle(rng: np.random.Generator, look: Palette) -> list[Part]:
    """City, racing, child's and step-through bicycles."""
    frame_of, tyre, metal = look.accent(), look.dark(), look.metal()
    saddle_of = look.leather() if chance(rng, 0.5) else look.dark()
    r, base = spread(rng, 0.3, 0.36), spread(rng, 0.98, 1.1)
    thin, tube_r = spread(rng, 0.016, 0.03), spread(rng, 0.016, 0.024)
    rear, front = np.array([-base / 2, r, 0]), np.array([base / 2, r, 0])
    crank = np.array([-0.06, r - 0.05, 0])
    seat = np.array([-0.22, r + spread(rng, 0.32, 0.45), 0])
    head = np.array([base / 2 - 0.17, r + spread(rng, 0.36, 0.46), 0])
    neck = head + np.array((0.04, -0.12, 0))
    kind = pick(rng, ("diamond", "diamond", "step", "curve"))

    def bar(a: np.ndarray, b: np.ndarray, size: float = 1.0, of: Material = frame_of) -> Part:
        return rod(a, b, tube_r * size, segments=10).of(of)

    parts = [bar(crank, seat), bar(crank, neck, 1.15), bar(head + np.array((-0.012, 0.05, 0)), neck, 1.25)]
    if kind == "diamond":
        parts.append(bar(seat * (1, 1, 1) + (0.01, -0.04, 0), head))
    elif kind == "step":
        parts.append(bar(crank + 0.35 * (seat - crank), neck + np.array((0, 0.06, 0))))
    else:
        parts.append(
            sweep(smooth([crank + 0.45 * (seat - crank), (crank + neck) / 2 + (0, 0.02, 0), head], 10), tube_r).of(
                frame_of
            )
        )
    for side in (-0.045, 0.045):
        parts += [bar(rear + np.array((0, 0, side)), crank, 0.6), bar(rear + np.array((0, 0, side)), seat, 0.55)]
        parts.append(bar(front + np.array((0, 0, side)), neck + np.array((0, 0, side)), 0.6))
    parts.append(bar(neck + np.array((0, 0, -0.05)), neck + np.array((0, 0, 0.05)), 0.7))
    spokes = pick(rng, (8, 10, 12))
    for axle in (rear, front):
        one = [
            ring(r - thin, thin, 36, circle(8, thin)).turn("x", 90).of(tyre),
            ring(r - 2.2 * thin, 0.5 * thin, 36, circle(6, 0.5 * thin)).turn("x", 90).of(metal),
        ]
        one += [
            rod((0, 0, 0), (r - 2 * thin, 0, 0), 0.004, segments=4).turn("z", 360 * i / spokes).of(metal)
            for i in range(spokes)
        ]
        one.append(rod((0, 0, -0.05), (0, 0, 0.05), 0.022, segments=10).of(metal))
        parts += moved(one, *axle.tolist())
    post = seat + np.array((-0.03, 0.09, 0))
    parts.append(bar(seat, post, 0.7, metal))
    long = np.linspace(0, 1, 8)
    saddle = sweep(
        np.stack([post[0] - 0.12 + 0.26 * long, np.full(8, post[1] + 0.02), 0 * long], 1),
        np.interp(long, (0, 0.2, 0.6, 1), (0.06, 0.075, 0.035, 0.02)),
        section=superellipse(14, 2, 0.8, 2.3),
        rounded=True,
        up=(0, 1, 0),
    )
    parts.append(saddle.of(saddle_of))
    stem = head + np.array((-0.03, spread(rng, 0.08, 0.16), 0))
    parts.append(bar(head, stem, 0.7, metal))
    wide, style = spread(rng, 0.2, 0.28), pick(rng, ("flat", "drop", "cruise"))
    tips = {
        "flat": [(0.02, 0.01, wide), (-0.02, 0.0, wide * 1.1)],
        "drop": [(0.1, 0.0, wide * 0.8), (0.12, -0.1, wide * 0.85), (0.0, -0.16, wide * 0.85)],
        "cruise": [(0.05, 0.06, wide * 0.6), (-0.05, 0.08, wide), (-0.18, 0.06, wide * 1.05)],
    }[style]
    half = [stem, *(stem + np.array(t) for t in tips)]
    path = smooth([p * (1, 1, -1) for p in half[:0:-1]] + half, 22)
    parts.append(sweep(path, 0.013, section=superellipse(8, 2, 2, 2)).of(metal))
    parts += [rod(path[i], path[j], 0.02, segments=10).of(saddle_of) for i, j in ((0, 2), (-1, -3))]
    parts.append(
        ring(0.075, 0.008, 24, superellipse(6, 0.03, 0.012, 4))
        .turn("x", 90)
        .move(*(crank + np.array((0, 0, 0.045))).tolist())
        .of(metal)
    )
    turn = spread(rng, 0, 180)
    for side, angle in ((1, turn), (-1, turn + 180)):
        a = np.radians(angle)
        end = crank + np.array([0.15 * np.cos(a), 0.15 * np.sin(a), 0.07 * side])
        parts.append(rod(crank + np.array((0, 0, 0.06 * side)), end, 0.01, segments=8).of(metal))
        parts.append(box((0.08, 0.02, 0.08), (end[0], end[1] - 0.01, end[2] + 0.04 * side)).of(tyre))
    if chance(rng, 0.35):
        w = 0.26
        basket_y = stem[1] - 0.12
        wood = look.wood()
        tray = [box((0.24, 0.012, w)), *(box((0.012, 0.16, w), (s * 0.12, 0, 0)) for s in (-1, 1))]
        tray += [box((0.24, 0.16, 0.012), (0, 0, s * w / 2)) for s in (-1, 1)]
        parts += [p.move(stem[0] + 0.2, basket_y, 0).of(wood) for p in tray]
    if chance(rng, 0.4):
        for axle in (rear, front):
            a = np.radians(np.linspace(20, 170, 14))
            guard = np.stack([(r + 0.02) * np.cos(a), (r + 0.02) * np.sin(a), 0 * a], 1) + axle
            parts.append(sweep(guard, 1.0, section=superellipse(8, 0.06, 0.01, 3), up=(0, 0, 1)).of(frame_of))
    return parts
