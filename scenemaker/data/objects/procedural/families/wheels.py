"""Wheels and bodies that vehicles share."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import plain
from scenemaker.data.objects.procedural.part import Part, moved
from scenemaker.data.objects.procedural.shapes import (
    lathe,
    loft,
    rod,
    tube,
)  # fmt: skip

GLASS = plain((0.24, 0.31, 0.37))
LAMP = plain((0.97, 0.93, 0.75))
TAIL = plain((0.75, 0.12, 0.10))


def wheel(r: float, width: float, tyre: Material, hub: Material, spokes: int = 0) -> list[Part]:
    """About the origin; its axle is along z."""
    w = width / 2
    rim = tube(
        [(0.62 * r, -w * 0.9), (0.9 * r, -w), (r, -0.6 * w), (r, 0.6 * w), (0.9 * r, w), (0.62 * r, w * 0.9)], 22
    )
    parts = [rim.turn("x", 90).of(tyre)]
    if spokes:
        parts += [
            rod((0, 0, 0), (0.66 * r, 0, 0), 0.06 * r, segments=4).turn("z", 360 * i / spokes).of(hub)
            for i in range(spokes)
        ]
        parts.append(rod((0, 0, -w), (0, 0, w), 0.17 * r).of(hub))
    else:
        disc = lathe(
            [
                (0, -0.7 * w),
                (0.66 * r, -0.7 * w),
                (0.66 * r, 0.7 * w),
                (0.4 * r, 0.55 * w),
                (0.15 * r, 0.95 * w),
                (0, w),
            ],
            20,
        )
        parts.append(disc.turn("x", 90).of(hub))
    return parts


def wheels(
    r: float, width: float, at: list[float], out: float, tyre: Material, hub: Material, spokes: int = 0
) -> list[Part]:
    """Pairs of wheels at each x of a vehicle that points to +x, standing on y = 0."""
    one = wheel(r, width, tyre, hub, spokes)
    both = [*moved(one, z=out), *(p.scale(1, 1, -1) for p in moved(one, z=out))]
    return [p for x in at for p in moved(both, x, r, 0)]


def hull(outline: list[tuple[float, float]], half: float, tuck: float) -> Part:
    """A body from its side view (x, y), counter-clockwise: full width below, drawn in by ``tuck`` above."""
    side = np.array(outline)
    low, high = side[:, 1].min(), side[:, 1].max()
    narrow = 1 - tuck * ((side[:, 1] - low) / (high - low)) ** 1.5
    middle = side.mean(0)
    rings = []
    for z, size in ((-1.0, 0.93), (-0.93, 1.0), (0.93, 1.0), (1.0, 0.93)):
        xy = middle + (side - middle) * size
        rings.append(np.c_[xy, half * z * narrow])
    return loft(np.array(rings))
