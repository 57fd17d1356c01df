"""Houses."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, pick, spread
from scenemaker.data.objects.procedural.materials.colour import lighter
from scenemaker.data.objects.procedural.materials.material import Colour, Material
from scenemaker.data.objects.procedural.materials.palette import Palette, blend, plain
from scenemaker.data.objects.procedural.part import Part, moved
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import box, lathe, loft, prism, rod

PANE = plain((0.33, 0.43, 0.50))


def wall(rng: np.random.Generator, look: Palette) -> Material:
    """Bricks, boards, plaster or stone."""
    kind = pick(rng, ("bricks", "bricks", "planks", "plaster", "plaster", "stone"))
    if kind == "bricks":
        base: Colour = pick(rng, ((0.62, 0.30, 0.22), (0.70, 0.44, 0.32), (0.76, 0.62, 0.48), (0.45, 0.28, 0.24)))
        return blend(base, (0.78, 0.74, 0.68), "bricks")
    if kind == "planks":
        base = look.colour() if chance(rng, 0.6) else look.wood().rgb
        return blend(base, lighter(base, 0.72), "planks", uneven=0.03)
    if kind == "stone":
        base = look.stone().rgb
        return blend(base, lighter(base, 0.6), "bricks")
    base = look.neutral() if chance(rng, 0.5) else look.colour(light=spread(rng, 0.75, 0.9))
    return blend(lighter(base, 1.05), lighter(base, 0.9), "plain")


def roofing(rng: np.random.Generator, look: Palette) -> Material:
    """Tiles, slate or thatch."""
    base: Colour = pick(
        rng,
        (
            (0.60, 0.26, 0.18),
            (0.66, 0.36, 0.22),
            (0.28, 0.30, 0.34),
            (0.38, 0.27, 0.21),
            (0.35, 0.42, 0.35),
            (0.55, 0.47, 0.30),
            look.colour(),
        ),
    )
    return blend(base, lighter(base, 0.55), "shingles")


@family("house", stretch=(0.08, 0.1, 0.08))
def house(rng: np.random.Generator, look: Palette) -> list[Part]:
    """One to three storeys under a gable, hipped, flat, shed or pointed roof, with a wing now and then."""
    walls, roof_of, frame, door_of = (
        wall(rng, look),
        roofing(rng, look),
        look.pale() if chance(rng, 0.7) else look.wood(),
        look.accent(),
    )
    w, d, floors = spread(rng, 0.8, 1.5), spread(rng, 0.7, 1.1), pick(rng, (1, 1, 2, 2, 3))
    storey = spread(rng, 0.42, 0.52)
    h = floors * storey
    parts = [box((w, h, d), bevel=0.012).of(walls), box((w + 0.06, 0.06, d + 0.06), bevel=0.012).of(look.stone())]
    kind = pick(rng, ("gable", "gable", "gable", "hip", "flat", "shed", "pyramid"))
    rise = spread(rng, 0.3, 0.6) * min(w, d)
    parts += _roof(kind, w, d, h, rise, roof_of, walls, frame)
    columns = max(1, int(w / 0.38))
    door = int(rng.integers(columns))
    for floor in range(floors):
        y = floor * storey + 0.17
        for column in range(columns):
            x = (column - (columns - 1) / 2) * w / columns
            if floor == 0 and column == door:
                parts += _door(x, d / 2, storey, frame, door_of, look)
            else:
                parts += _window(x, y, d / 2, storey, frame)
            parts += [p.turn("y", 180) for p in _window(x, y, d / 2, storey, frame)]
        for column in range(max(1, int(d / 0.45))):
            n = max(1, int(d / 0.45))
            x = (column - (n - 1) / 2) * d / n
            for side in (-90, 90):
                if chance(rng, 0.7):
                    parts += [p.turn("y", side) for p in _window(x, y, w / 2, storey, frame)]
    if kind != "flat" and chance(rng, 0.6):
        x, z = spread(rng, -0.3, 0.3) * w, -0.15 * d
        brick = blend((0.58, 0.32, 0.25), (0.75, 0.7, 0.65), "bricks")
        parts += [
            box((0.13, rise + 0.14, 0.13), (x, h, z)).of(brick),
            box((0.17, 0.04, 0.17), (x, h + rise + 0.13, z)).of(look.stone()),
        ]
    if chance(rng, 0.35):  # a wing
        ww, dd, hh = w * spread(rng, 0.4, 0.6), d * spread(rng, 0.5, 0.8), storey * pick(rng, (0.8, 1.0))
        wing = [
            box((ww, hh, dd), bevel=0.012).of(walls),
            *_roof("gable" if kind == "gable" else "hip", ww, dd, hh, rise * 0.6, roof_of, walls, frame),
        ]
        wing += _window(0, 0.15, dd / 2, storey, frame)
        parts += moved(wing, (w + ww) / 2 - 0.04, 0, (d - dd) / 2 * pick(rng, (-1, 0, 1)))
    if chance(rng, 0.3):  # a porch
        reach, x0 = 0.3, 0.0
        wide = w * spread(rng, 0.5, 1.0)
        parts += [
            rod(
                (x0 + s * (wide / 2 - 0.04), 0, d / 2 + reach - 0.04),
                (x0 + s * (wide / 2 - 0.04), storey * 0.86, d / 2 + reach - 0.04),
                0.022,
            ).of(frame)
            for s in (-1, 1)
        ]
        parts.append(box((wide, 0.05, reach), (x0, 0, d / 2 + reach / 2)).of(look.wood()))
        parts.append(
            box((wide + 0.05, 0.035, reach + 0.08), (x0, storey * 0.86, d / 2 + reach / 2))
            .turn("x", 12, (0, storey * 0.9, d / 2))
            .of(roof_of)
        )
    return parts


def _roof(
    kind: str, w: float, d: float, h: float, rise: float, of: Material, walls: Material, frame: Material
) -> list[Part]:
    over, thick = 0.07, 0.045
    if kind == "flat":
        return [
            box((w + 0.06, 0.05, d + 0.06), (0, h, 0)).of(frame),
            box((w - 0.06, 0.02, d - 0.06), (0, h + 0.045, 0)).of(of),
        ]
    if kind == "shed":
        slope = np.degrees(np.arctan2(rise * 0.6, d))
        body = prism([(-d / 2, h - 0.01), (d / 2, h - 0.01), (-d / 2, h + rise * 0.6)], w * 0.995, bevel=0.004).turn(
            "y", -90
        )
        slab = box((w + 2 * over, thick, np.hypot(d, rise * 0.6) + 2 * over)).turn("x", slope).move(y=h + rise * 0.3)
        return [body.of(walls), slab.of(of)]
    if kind in ("hip", "pyramid"):
        ridge = 0.0 if kind == "pyramid" else max(0.0, (w - d) / 2) + 0.02
        tall = rise * (1.5 if kind == "pyramid" else 1.0)
        x, z = w / 2 + over, d / 2 + over
        base = np.array([(-x, h, z), (x, h, z), (x, h, -z), (-x, h, -z)])
        top = (
            np.array(
                [
                    (-ridge, h + tall, 0.008),
                    (ridge, h + tall, 0.008),
                    (ridge, h + tall, -0.008),
                    (-ridge, h + tall, -0.008),
                ]
            )
            if ridge
            else None
        )
        lower = base - (0, thick, 0)
        if top is None:
            return [loft(np.stack([lower, base]), end=(0, h + tall, 0)).of(of)]
        return [loft(np.stack([lower, base, top])).of(of)]
    gable = prism([(-d / 2, h - 0.02), (d / 2, h - 0.02), (0, h + rise)], w, bevel=0.004).turn("y", 90).of(walls)
    slope = np.degrees(np.arctan2(rise, d / 2))
    long = np.hypot(d / 2, rise) + over
    parts = [gable]
    for side in (-1, 1):
        slab = box((w + 2 * over, thick, long), (0, 0, long / 2 - 0.01)).turn("x", slope).move(y=h + rise)
        parts.append((slab if side > 0 else slab.turn("y", 180)).of(of))
    parts.append(
        rod((-w / 2 - over, h + rise + 0.025, 0), (w / 2 + over, h + rise + 0.025, 0), 0.03, segments=8).of(of)
    )
    return parts


def _window(x: float, y: float, z: float, storey: float, frame: Material) -> list[Part]:
    w, h = 0.16, storey * 0.45
    parts = [box((w, h, 0.02), (x, y, z), bevel=0.004).of(PANE)]
    parts += [box((w + 0.04, 0.02, 0.035), (x, yy, z)).of(frame) for yy in (y - 0.015, y + h - 0.005)]
    parts += [box((0.02, h, 0.03), (x + s * w / 2, y, z)).of(frame) for s in (-1, 1)]
    parts.append(box((0.012, h, 0.026), (x, y, z)).of(frame))
    return parts


def _door(x: float, z: float, storey: float, frame: Material, of: Material, look: Palette) -> list[Part]:
    w, h = 0.19, storey * 0.76
    parts = [
        box((w + 0.05, h + 0.03, 0.03), (x, 0.02, z)).of(frame),
        box((w, h, 0.045), (x, 0.03, z), bevel=0.006).of(of),
    ]
    parts.append(
        lathe([(0, -0.012), (0.012, -0.006), (0.012, 0.006), (0, 0.012)], 8)
        .move(x + 0.07, h * 0.5, z + 0.032)
        .of(look.metal())
    )
    parts.append(box((w + 0.12, 0.05, 0.14), (x, 0, z + 0.06), bevel=0.01).of(look.stone()))
    return parts
