"""Gears, stars, knots, toy blocks and balls."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.solids import any_of
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette, blend, plain
from scenemaker.data.objects.procedural.part import Part
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    box,
    circle,
    holed_plate,
    lathe,
    lumps,
    plate,
    prism,
    ring,
    rod,
    star,
    superellipse,
    superquadric,
    sweep,
    tube,
    wedge,
)  # fmt: skip


@family("gear")
def gear(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Toothed wheels with bores and spokes; trains of two; lying or standing."""
    of, other = (look.metal(), look.metal()) if chance(rng, 0.6) else (look.plastic(), look.accent())

    def wheel(r: float, teeth: int, thick: float, material: Material) -> list[Part]:
        deep = r * spread(rng, 0.1, 0.22)
        outer = star(teeth, r, r - deep, 0.66)
        t = np.arctan2(outer[:, 1], outer[:, 0])
        kind = pick(rng, ("bore", "bore", "spokes", "hub"))
        rim = r - 2.2 * deep if kind == "spokes" else r * spread(rng, 0.15, 0.4)
        hole = rim * np.stack([np.cos(t), np.sin(t)], 1)
        parts = [holed_plate(outer, hole, thick).of(material)]
        if kind == "spokes":
            hub = r * spread(rng, 0.2, 0.3)
            spokes = count(rng, 3, 6)
            parts.append(
                holed_plate(circle(28, hub), circle(28, 0.45 * hub), thick * 1.4).move(y=-0.2 * thick).of(material)
            )
            for i in range(spokes):
                bar = box((rim - 0.6 * hub, thick * 0.7, 0.3 * hub), ((rim + 0.7 * hub) / 2, 0.15 * thick, 0))
                parts.append(bar.turn("y", 360 * i / spokes).of(material))
        elif kind == "hub":
            parts.append(
                holed_plate(circle(28, rim * 1.5), circle(28, rim * 0.95), thick * 1.8)
                .move(y=-0.4 * thick)
                .of(material)
            )
        return parts

    teeth, thick = count(rng, 8, 24), spread(rng, 0.08, 0.3)
    parts = wheel(0.5, teeth, thick, of)
    if chance(rng, 0.4):
        more = count(rng, 7, teeth)
        r = 0.5 * more / teeth
        way = spread(rng, 0, 360)
        parts += [p.move(0.5 + r - 0.07).turn("y", way) for p in wheel(r, more, thick, other)]
    if chance(rng, 0.25):
        parts.append(rod((0, -0.3, 0), (0, thick + 0.3, 0), 0.12, segments=20).of(other))
    return [p.turn("x", 90) for p in parts] if chance(rng, 0.45) else parts


@family("star", stretch=(0.08, 0.08, 0.08))
def star_shape(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Stars, hearts, moons, crosses and letters' cousins, cut from a plate; with a hole or a stand."""
    of = any_of(look, rng)
    thick = spread(rng, 0.1, 0.3)
    kind = pick(rng, ("star", "star", "flower", "heart", "moon", "polygon", "spiky", "cross"))
    t = 2 * np.pi * np.arange(60) / 60
    if kind == "star":
        outline = star(count(rng, 4, 9), 0.5, spread(rng, 0.18, 0.36))
    elif kind == "flower":
        outline = circle(60, 0.4) * (1 + spread(rng, 0.1, 0.3) * np.cos(count(rng, 3, 9) * t))[:, None]
    elif kind == "heart":
        outline = (
            np.stack([16 * np.sin(t) ** 3, 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)], 1)[
                ::-1
            ]
            / 33
        )
    elif kind == "moon":
        half = spread(rng, 95, 150)
        profile = circle(18, 1.0) * (0.1, 0.5 * thick)
        a = np.linspace(-half, half, 30)
        size = np.cos(np.radians(a) * 85 / half) ** 0.6 + 0.03
        path = np.stack([0.4 * np.cos(np.radians(a)), 0.4 * np.sin(np.radians(a)), 0 * a], 1)
        return [sweep(path, size, section=profile * (1.4, 1), up=(0, 0, 1)).of(of)]
    elif kind == "polygon":
        outline = circle(count(rng, 3, 8), 0.5)
    elif kind == "spiky":
        rays = count(rng, 5, 12)
        parts = [ball(0.5, n=20).of(of)]
        other = any_of(look, rng) if chance(rng, 0.4) else of
        for i in range(rays * 2):
            y = 1 - 2 * (i + 0.5) / (rays * 2)
            spike = lathe([(0, 0), (0.1, 0), (0.01, 0.4), (0, 0.41)], 10).move(y=0.2)
            parts.append(spike.turn("z", -float(np.degrees(np.arccos(y)))).turn("y", 137.5 * i).of(other))
        return parts
    else:
        w = spread(rng, 0.12, 0.2)
        arm = [
            (0.5, -w),
            (0.5, w),
            (w, w),
            (w, 0.5),
            (-w, 0.5),
            (-w, w),
            (-0.5, w),
            (-0.5, -w),
            (-w, -w),
            (-w, -0.5),
            (w, -0.5),
            (w, -w),
        ]
        outline = np.array(arm)
    bevel = thick * pick(rng, (0.1, 0.25, 0.42))
    if len(outline) < 24:  # straight sides of several points
        after = np.roll(outline, -1, 0)
        outline = (outline[:, None] + np.arange(4)[:, None] / 4 * (after - outline)[:, None]).reshape(-1, 2)
    if chance(rng, 0.3) and kind in ("star", "flower", "polygon"):
        a = np.arctan2(outline[:, 1], outline[:, 0])
        r = float(np.sqrt((outline**2).sum(1)).min()) * spread(rng, 0.4, 0.8)
        hole = r * np.stack([np.cos(a), np.sin(a)], 1) if chance(rng, 0.6) else outline * spread(rng, 0.5, 0.75)
        parts = [holed_plate(outline, hole, thick, bevel=bevel).of(of)]
    else:
        parts = [plate(outline, thick, bevel=bevel).of(of)]
    if chance(rng, 0.55):
        parts = [p.turn("x", 90).turn("z", 90 if kind in ("star", "polygon") else 0) for p in parts]
        if chance(rng, 0.5):
            low = min(float(p.points[:, 1].min()) for p in parts)
            z = float(np.mean([p.points[:, 2].mean() for p in parts]))
            parts.append(box((0.34, 0.1, 0.3), (0, low - 0.07, z), bevel=0.015).of(look.wood()))
    return parts


@family("knot", stretch=(0.15, 0.25, 0.15))
def knot(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Torus knots, linked rings, springs and coils."""
    of = any_of(look, rng)
    kind = pick(rng, ("knot", "knot", "spring", "links", "coil"))
    if kind == "knot":
        p, q = pick(rng, ((2, 3), (3, 2), (2, 5), (3, 4), (4, 3), (3, 5)))
        n = 120
        t = 2 * np.pi * np.arange(n) / n
        r = 0.36 + 0.16 * np.cos(q * t)
        path = np.stack([r * np.cos(p * t), 0.16 * np.sin(q * t) * spread(rng, 0.8, 1.6), r * np.sin(p * t)], 1)
        one = sweep(
            path,
            spread(rng, 0.045, 0.085),
            loop=True,
            section=pick(rng, (circle(10), superellipse(12, 2, 2, 5))),
            up=(0, 1, 0),
        )
        return [(one.turn("x", 90) if chance(rng, 0.5) else one).of(of)]
    if kind == "links":
        n, parts = count(rng, 2, 6), []
        other = any_of(look, rng)
        thin, r = spread(rng, 0.035, 0.06), spread(rng, 0.16, 0.24)
        for i in range(n):
            link = ring(r, thin, 28).scale(1.3, 1, 0.9).move(i * (1.3 * 2 * r - 2.6 * thin - 0.08))
            parts.append(link.turn("x", 90 * (i % 2) + 12).of(of if i % 2 else other))
        return parts
    turns = count(rng, 3, 7)
    n = turns * 18
    t = np.linspace(0, 2 * np.pi * turns, n)
    if kind == "spring":
        r, h = spread(rng, 0.2, 0.35), spread(rng, 0.5, 1.1)
        grow = np.linspace(1, pick(rng, (1.0, 1.0, 0.4)), n)
        path = np.stack([r * grow * np.cos(t), h * t / t[-1], -r * grow * np.sin(t)], 1)
        return [sweep(path, min(0.05, 0.32 * h / turns), section=circle(9), up=(0, 1, 0), rounded=True).of(of)]
    r = np.linspace(0.1, 0.5, n)
    path = np.stack([r * np.cos(t), 0.4 * spread(rng, 0, 1) * (0.5 - r) + 0 * t, -r * np.sin(t)], 1)
    return [sweep(path, 0.4 / turns * 0.46, section=circle(10), up=(0, 1, 0), rounded=True).of(of)]


@family("blocks", stretch=(0.0, 0.08, 0.0))
def blocks(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Toy bricks built into towers, gates and castles; stacking rings."""
    paints = [look.accent() for _ in range(4)] + [look.wood()]
    if chance(rng, 0.25):
        parts = [
            lathe([(0, 0), (0.4, 0), (0.4, 0.05), (0.1, 0.08), (0, 0.08)], 32).of(paints[4]),
            rod((0, 0.04, 0), (0, 1.02, 0), 0.06).of(paints[4]),
        ]
        n = count(rng, 4, 7)
        y = 0.08
        for i in range(n):
            thick = 0.86 / n
            parts.append(
                ring(0.36 * (1 - 0.6 * i / n) - 0.06 + 0.07, thick / 2, 32).move(y=y + thick / 2).of(paints[i % 4])
            )
            y += thick
        parts.append(ball(0.16, (0, 1.04, 0), 16).of(paints[0]))
        return parts
    u, parts = 0.25, []
    heights: dict[int, float] = {}
    roofed: set[int] = set()
    for _ in range(count(rng, 6, 16)):
        i, wide = int(rng.integers(-2, 3)), pick(rng, (1, 1, 1, 2))
        columns = [i + k for k in range(wide)]
        y = max(heights.get(c, 0.0) for c in columns)
        if roofed & set(columns):
            continue
        x = (i + (wide - 1) / 2) * u
        of = pick(rng, paints)
        kind = pick(rng, ("cube", "cube", "cylinder", "roof", "arch")) if wide == 1 or y == 0 else "plank"
        if wide == 2 and kind != "arch":
            kind = pick(rng, ("plank", "cube"))
        tall = u
        if kind == "cube":
            parts.append(box((u * wide * 0.98, u, u * 0.98), (x, y, 0), bevel=0.015).of(of))
        elif kind == "plank":
            tall = u / 2
            parts.append(box((u * wide * 0.98, tall, u * 0.98), (x, y, 0), bevel=0.012).of(of))
        elif kind == "cylinder":
            parts.append(rod((x, y, 0), (x, y + u, 0), u * 0.46, segments=24).of(of))
        elif kind == "roof":
            parts.append(prism([(-0.49 * u, 0), (0.49 * u, 0), (0, u * 0.8)], u * 0.96).move(x, y, 0).of(of))
            roofed.add(i)
        else:
            w, d = u * wide, u * 0.98
            arch = wedge([(0.3 * w, -d / 2), (0.5 * w, -d / 2), (0.5 * w, d / 2), (0.3 * w, d / 2)], -90, 90, 14)
            parts.append(arch.turn("x", -90).scale(0.98, 1, 1).move(x, y, 0).of(of))
            tall = 0.5 * w
        for c in columns:
            heights[c] = y + tall
    return parts


@family("ball")
def toy_ball(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Footballs, beach balls, basketballs, tennis and striped balls, globes on a stand."""
    kind = pick(rng, ("panels", "beach", "basket", "patched", "plain", "globe"))
    a, b = look.accent(), look.pale()
    if kind == "beach":
        n = pick(rng, (6, 8))
        kinds = [a, b, look.accent(), look.accent()]
        profile = [(0.5 * np.sin(s), -0.5 * np.cos(s)) for s in np.linspace(0.04, np.pi - 0.04, 16)]
        return [
            wedge([*profile, (0.004, 0.499), (0.004, -0.499)], 360 * i / n, 360 * (i + 1) / n, 6)
            .turn("z", 18)
            .of(kinds[i % (2 if n == 6 else 4)])
            for i in range(n)
        ]
    if kind == "basket":
        skin = plain(pick(rng, ((0.80, 0.40, 0.16), (0.85, 0.8, 0.3), (0.75, 0.25, 0.2))))
        seam = look.dark()
        parts = [
            ball(1.0, n=36).of(skin),
            *(ring(0.497, 0.009, 48).turn("x", x).turn("z", z).of(seam) for x, z in ((0, 0), (90, 0), (90, 90))),
        ]
        t = 2 * np.pi * np.arange(60) / 60
        curve = np.stack([np.cos(t) * 0.8, 0.62 * np.sin(2 * t) * 0.5 + 0 * t, np.sin(t) * 0.8], 1)
        curve *= 0.497 / np.sqrt((curve**2).sum(1, keepdims=True))
        parts.append(sweep(curve, 0.009, loop=True, section=circle(8)).of(seam))
        return [p.turn("x", 25).turn("z", 20) for p in parts]
    if kind == "panels":
        parts = [ball(1.0, n=36).of(b)]
        g = (1 + 5**0.5) / 2
        for x, y, z in (
            [(0, s * 1, t * g) for s in (-1, 1) for t in (-1, 1)]
            + [(s * 1, t * g, 0) for s in (-1, 1) for t in (-1, 1)]
            + [(t * g, 0, s * 1) for s in (-1, 1) for t in (-1, 1)]
        ):
            way = np.array([x, y, z]) / np.hypot(1, g)
            patch = lathe([(0, 0.40), (0.185, 0.43), (0.19, 0.479), (0.1, 0.502), (0, 0.508)], 5)
            tilt = float(np.degrees(np.arccos(np.clip(way[1], -1, 1))))
            parts.append(
                patch.turn("x", tilt)
                .turn("y", float(np.degrees(np.arctan2(way[0], way[2]))))
                .of(look.dark() if len(parts) == 1 else parts[1].material)
            )
        return parts
    if kind == "globe":
        sea = ball(0.8, (0, 0.62, 0), 34)
        land = np.clip((lumps(rng, sea.points, 3.5) - 0.1) * 12, 0, 1)
        brass = look.metal()
        bow = np.radians(np.linspace(-115, 115, 26))
        path = np.stack([0.45 * np.cos(bow), 0.62 + 0.45 * np.sin(bow), 0 * bow], 1)
        stand = [
            sweep(path, 0.022).turn("z", 20, (0, 0.62, 0)).of(brass),
            lathe([(0, 0), (0.26, 0), (0.24, 0.03), (0.06, 0.07), (0.04, 0.2), (0, 0.2)], 30).of(look.wood()),
        ]
        return [sea.shaded(land).of(blend((0.30, 0.52, 0.70), (0.55, 0.60, 0.32))), *stand]
    if kind == "patched":
        return [
            ball(1.0, n=36).of(look.fabric()),
            tube([(0.49, -0.04), (0.503, -0.04), (0.503, 0.04), (0.49, 0.04)], 48).turn("x", spread(rng, 0, 90)).of(a),
        ]
    return [superquadric((1, 1, 1), n=36).of(look.ceramic() if chance(rng, 0.5) else look.wood())]
