"""Tables and desks."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.joinery import drawer, leg, turned_column
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part, four_fold, mirrored
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import beam, box, circle, lathe, plate, rod, superellipse, sweep


@family("table", stretch=(0.06, 0.1, 0.06))
def table(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Dining, coffee, side and bar tables on legs, trestles, a pedestal or panels."""
    top_of, base_of = look.finish(), look.finish()
    if chance(rng, 0.5):
        base_of = top_of
    height = pick(
        rng, (spread(rng, 0.68, 0.78), spread(rng, 0.68, 0.78), spread(rng, 0.35, 0.5), spread(rng, 0.9, 1.1))
    )
    long = spread(rng, 0.7, 1.9) if height < 0.85 else spread(rng, 0.5, 1.2)
    kind = pick(rng, ("square", "square", "square", "round", "oval", "many-sided"))
    deep = long * spread(rng, 0.45, 0.75) if kind in ("square", "oval") else (long := min(long, 1.2))
    thick = spread(rng, 0.02, 0.06)
    top = _top(rng, kind, long, deep, thick).move(y=height - thick).of(top_of)
    base = pick(rng, ("legs", "legs", "legs", "pedestal", "trestle", "panels", "sled"))
    if kind != "square" and base in ("trestle", "panels", "sled"):
        base = pick(rng, ("pedestal", "legs"))
    draw = {"legs": _legs, "pedestal": _pedestal, "trestle": _trestle, "panels": _panels, "sled": _sled}[base]
    reach = 0.68 if kind != "square" else 1.0  # legs of a round top stand on a smaller square
    return [top, *draw(rng, look, base_of, long * reach, deep * reach, height - thick)]


def _top(rng: np.random.Generator, kind: str, long: float, deep: float, thick: float) -> Part:
    bevel = thick * pick(rng, (0.1, 0.25, 0.4))
    if kind == "square":
        if chance(rng, 0.3):
            return plate(superellipse(40, long, deep, spread(rng, 5, 10)), thick, bevel=bevel)
        return box((long, thick, deep), bevel=bevel)
    if kind == "oval":
        return plate(superellipse(40, long, deep, 2.3), thick, bevel=bevel)
    sides = 40 if kind == "round" else count(rng, 5, 8)
    return plate(circle(sides, long / 2), thick, bevel=bevel)


def _legs(rng: np.random.Generator, look: Palette, of: Material, long: float, deep: float, height: float) -> list[Part]:
    width = spread(rng, 0.035, 0.09) * (0.8 + 0.3 * height)
    inset = spread(rng, 0.01, 0.08)
    x, z = (max(side / 2 - inset - width / 2, 0.15 * side) for side in (long, deep))
    metal = look.metal() if chance(rng, 0.2) else of
    parts = four_fold(leg(rng, (x, z), height, width).of(metal))
    if chance(rng, 0.65):  # apron
        tall, thin = spread(rng, 0.05, 0.12), 0.4 * width
        parts += [box((2 * x, tall, thin), (0, height - tall, s * z)).of(of) for s in (-1, 1)]
        parts += [box((thin, tall, 2 * z), (s * x, height - tall, 0)).of(of) for s in (-1, 1)]
        if chance(rng, 0.45):
            n, face = count(rng, 1, 3), look.metal()
            knobs = chance(rng, 0.6)
            for i in range(n):
                w = 2 * x / n * 0.9
                at = (-x + (i + 0.5) * 2 * x / n, height - tall * 0.95, z)
                parts += drawer((w, tall * 0.85), at, of, face, knobs=knobs)
    low = spread(rng, 0.12, 0.35) * height
    extra = pick(rng, ("none", "none", "shelf", "stretchers", "ring"))
    if extra == "shelf":
        parts.append(box((2 * x + width, 0.025, 2 * z + width), (0, low, 0)).of(of))
    elif extra == "stretchers":
        parts += [rod((s * x, low, -z), (s * x, low, z), width * 0.28).of(metal) for s in (-1, 1)]
        parts.append(rod((-x, low, 0), (x, low, 0), width * 0.28).of(metal))
    elif extra == "ring":
        for a, b in (((x, z), (-x, z)), ((-x, z), (-x, -z)), ((-x, -z), (x, -z)), ((x, -z), (x, z))):
            parts.append(rod((a[0], low, a[1]), (b[0], low, b[1]), width * 0.28).of(metal))
    return parts


def _pedestal(
    rng: np.random.Generator, look: Palette, of: Material, long: float, deep: float, height: float
) -> list[Part]:
    radius = spread(rng, 0.03, 0.1) * min(1, deep / 0.8)
    spread_of_feet = spread(rng, 0.5, 0.8) * deep / 2 + radius
    parts = [turned_column(rng, radius, height).of(of)]
    feet = pick(rng, (0, 0, 3, 4, 5))
    if feet == 0:
        parts.append(lathe([(0, 0), (spread_of_feet, 0), (spread_of_feet, 0.02), (radius, 0.06), (0, 0.06)], 36).of(of))
        return parts
    drop = spread(rng, 0.15, 0.3) * height
    for i in range(feet):
        path = [
            (0, drop, 0),
            (0.35 * spread_of_feet, drop * 0.85, 0),
            (0.8 * spread_of_feet, 0.05, 0),
            (spread_of_feet * 1.05, 0.02, 0),
        ]
        foot = sweep(path, np.array([1.2, 1.1, 0.7, 0.6]) * 0.035, rounded=True)
        parts.append(foot.turn("y", 360 * i / feet + 45).of(of))
    return parts


def _trestle(
    rng: np.random.Generator, look: Palette, of: Material, long: float, deep: float, height: float
) -> list[Part]:
    w = spread(rng, 0.05, 0.09)
    x, z = long * spread(rng, 0.3, 0.42), deep * 0.4
    if chance(rng, 0.5):  # crossed
        side = [beam((x, 0, -z), (x, height, z), w, w * 0.7), beam((x, 0, z), (x, height, -z), w * 0.96, w * 0.72)]
        bar = height / 2
    else:
        side = [beam((x, 0, s * z), (x, height, s * z * 0.35), w, w * 0.7) for s in (-1, 1)]
        bar = height * spread(rng, 0.25, 0.5)
        side.append(box((w * 0.8, w, 2 * z), (x, bar - w / 2, 0)))
    side.append(box((w * 1.1, w * 0.8, 2 * z), (x, height - w * 0.8, 0)))
    return [p.of(of) for p in (*mirrored(side), beam((-x, bar, 0), (x, bar, 0), w * 0.8, w))]


def _panels(
    rng: np.random.Generator, look: Palette, of: Material, long: float, deep: float, height: float
) -> list[Part]:
    thin, x = spread(rng, 0.03, 0.07), long / 2 * spread(rng, 0.75, 0.95)
    parts = mirrored([box((thin, height, deep * spread(rng, 0.8, 0.97)), (x, 0, 0)).of(of)])
    if chance(rng, 0.5):
        parts.append(box((2 * x, height * spread(rng, 0.2, 0.5), thin * 0.7), (0, height * 0.4, -deep * 0.3)).of(of))
    if chance(rng, 0.4):
        n, w, face = count(rng, 2, 4), long * spread(rng, 0.25, 0.4), look.metal()
        tall = height * 0.94 / n
        at = x - thin / 2 - w / 2
        parts.append(box((w, height * 0.95, deep * 0.85), (at, height * 0.05, 0)).of(of))
        for i in range(n):
            parts += drawer(
                (w * 0.92, tall * 0.9), (at, height * 0.06 + i * tall, deep * 0.425), of, face, knobs=chance(rng, 0.5)
            )
    return parts


def _sled(rng: np.random.Generator, look: Palette, of: Material, long: float, deep: float, height: float) -> list[Part]:
    metal, w = look.metal(), spread(rng, 0.012, 0.03)
    x, z = long / 2 * spread(rng, 0.7, 0.92), deep * 0.44
    cut = 0.05
    frame = [(x, w, -z + cut), (x, w, z - cut), (x, w + cut, z), (x, height - cut, z), (x, height - w, z - cut),
             (x, height - w, -z + cut), (x, height - cut, -z), (x, w + cut, -z)]  # fmt: skip
    parts = mirrored([sweep(frame, w, loop=True, up=(1, 0, 0)).of(metal)])
    if chance(rng, 0.5):
        parts.append(rod((-x, w, 0), (x, w, 0), w * 0.9).of(metal))
    return parts
