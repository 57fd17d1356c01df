"""Bookcases, cabinets and books."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.joinery import door, drawer
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part, four_fold, mirrored
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import ball, box, lathe, loft, rod, smooth


@family("bookcase", stretch=(0.08, 0.1, 0.15))
def bookcase(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Shelves with books, bowls and boxes: closed, open, uneven or a ladder."""
    of = look.finish()
    covers = [look.accent() for _ in range(4)] + [look.paint(), look.leather()]
    columns, rows = count(rng, 1, 3), count(rng, 2, 5)
    wide, tall = spread(rng, 0.4, 0.75), spread(rng, 0.27, 0.38)
    w, h, d, t = columns * wide, rows * tall, spread(rng, 0.22, 0.34), spread(rng, 0.018, 0.032)
    foot = pick(rng, (0.0, 0.0, 0.06, 0.1))
    open_frame = chance(rng, 0.3)
    metal = look.metal() if open_frame and chance(rng, 0.5) else of
    parts = []
    if open_frame:
        post = spread(rng, 0.02, 0.035)
        parts += [
            box((post, h + foot + 0.03, post), (a * w / 2, 0, b * (d / 2 - post / 2))).of(metal)
            for a in (-1, 1)
            for b in (-1, 1)
        ]
    else:
        parts += mirrored([box((t, h + t, d), (w / 2, foot, 0)).of(of)])
        if chance(rng, 0.7):
            parts.append(box((w, h, 0.012), (0, foot, -d / 2 + 0.006)).of(of))
        if foot:
            parts += four_fold(box((0.05, foot + 0.005, 0.05), (w / 2 - 0.03, 0, d / 2 - 0.03), top=1.3).of(metal))
    walls = set()
    fill = spread(rng, 0.3, 0.95)
    uneven = chance(rng, 0.4)
    for row in range(rows + 1):
        y = foot + row * tall
        parts.append(box((w if open_frame else w - t, t, d * 0.985), (0, y, 0)).of(of))
        if row == rows:
            break
        for column in range(columns):
            x0 = -w / 2 + column * wide
            if column and not open_frame and not (uneven and chance(rng, 0.35)):
                walls.add((row, column))
                parts.append(box((t * 0.9, tall - t, d * 0.97), (x0, y + t, 0)).of(of))
            if chance(rng, fill):
                parts += _shelf_full(rng, covers, x0 + t, x0 + wide - t, y + t, tall - t, d)
    if chance(rng, 0.4):
        parts += _shelf_full(rng, covers, -w / 2 + t, -w / 2 + wide - t, foot + h + t, tall, d)
    return parts


def _shelf_full(
    rng: np.random.Generator,
    covers: list[Material],
    x0: float,
    x1: float,
    y: float,
    tall: float,
    d: float,
) -> list[Part]:
    """Things on a shelf from x0 to x1."""
    parts: list[Part] = []
    kind = pick(rng, ("books", "books", "books", "pile", "vase", "box"))
    if kind == "books":
        x, end = x0 + 0.005, x0 + (x1 - x0) * spread(rng, 0.4, 0.98)
        while x < end and len(parts) < 14:
            thick, high = spread(rng, 0.018, 0.05), spread(rng, 0.6, 0.92) * tall
            if x + thick > x1:
                break
            deep = d * spread(rng, 0.55, 0.75)
            parts.append(
                box((thick, high, deep), (x + thick / 2, y, d * 0.45 - deep / 2), bevel=0.004).of(pick(rng, covers))
            )
            x += thick + 0.002
        if parts and x + 0.1 < x1 and chance(rng, 0.6):
            book = box((0.03, 0.75 * tall, d * 0.6), (0.015, 0, 0), bevel=0.004).turn("z", spread(rng, 8, 20))
            parts.append(book.move(x + 0.25 * 0.75 * tall, y, d * 0.12).of(pick(rng, covers)))
    elif kind == "pile":
        level, x = y, (x0 + x1) / 2
        for _ in range(count(rng, 2, 5)):
            thick = spread(rng, 0.02, 0.045)
            if level + thick > y + 0.9 * tall:
                break
            book = box((spread(rng, 0.18, 0.26), thick, d * 0.65), bevel=0.004).turn("y", spread(rng, -12, 12))
            parts.append(book.move(x, level, 0).of(pick(rng, covers)))
            level += thick
    elif kind == "vase":
        r = 0.3 * min(tall, d)
        profile = smooth([(0.6 * r, 0), (r, 0.8 * r), (0.9 * r, 1.5 * r), (0.4 * r, 2.1 * r), (0.5 * r, 2.5 * r)], 14)
        parts.append(lathe(np.maximum(profile, 0), 18).move(spread(rng, x0 + r, x1 - r), y, 0).of(pick(rng, covers)))
    else:
        size = 0.55 * min(tall, x1 - x0)
        parts.append(box((size * 1.3, size, d * 0.7), ((x0 + x1) / 2, y, 0)).of(pick(rng, covers)))
    return parts


@family("cabinet", stretch=(0.1, 0.08, 0.12))
def cabinet(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Chests of drawers, sideboards, cupboards and wardrobes."""
    of = look.finish()
    front = of if chance(rng, 0.6) else look.finish()
    inset = front if chance(rng, 0.7) else look.paint()
    pull = look.metal() if chance(rng, 0.7) else of
    kind = pick(rng, ("chest", "sideboard", "wardrobe", "bedside", "dresser"))
    w, h, d = {
        "chest": (spread(rng, 0.7, 1.1), spread(rng, 0.75, 1.25), spread(rng, 0.4, 0.5)),
        "sideboard": (spread(rng, 1.2, 1.9), spread(rng, 0.55, 0.8), spread(rng, 0.4, 0.5)),
        "wardrobe": (spread(rng, 0.8, 1.5), spread(rng, 1.7, 2.1), spread(rng, 0.5, 0.62)),
        "bedside": (spread(rng, 0.38, 0.55), spread(rng, 0.42, 0.6), spread(rng, 0.35, 0.45)),
        "dresser": (spread(rng, 0.9, 1.2), spread(rng, 1.7, 2.0), spread(rng, 0.42, 0.5)),
    }[kind]
    foot = pick(rng, (0.0, 0.05, spread(rng, 0.08, 0.2)))
    low = 0.85 if kind == "dresser" else h
    parts = [box((w, low - foot, d), (0, foot, 0), bevel=0.006).of(of)]
    if foot == 0.05:
        parts.append(box((w * 0.94, 0.06, d * 0.9), (0, 0, -0.01)).of(of))
    elif foot:
        width = spread(rng, 0.035, 0.06)
        splay = spread(rng, 0, 0.04)
        x, z = w / 2 - width, d / 2 - width
        parts += four_fold(
            rod((x + splay, 0, z + splay), (x, foot + 0.01, z), width * 0.35, width * 0.6).of(
                pull if chance(rng, 0.3) else of
            )
        )
    lid = spread(rng, 0.015, 0.04)
    over = spread(rng, 0.0, 0.03)
    parts.append(box((w + 2 * over, lid, d + 2 * over), (0, low, 0), bevel=0.3 * lid).of(of))
    knobs, style = chance(rng, 0.5), pick(rng, (0, 1, 1, 2))
    y0, y1, z = foot + 0.03, low - 0.02, d / 2
    columns = {"bedside": 1, "chest": pick(rng, (1, 1, 2)), "wardrobe": pick(rng, (2, 2, 3))}.get(
        kind, pick(rng, (2, 3, 4))
    )
    each = (w - 0.04) / columns
    for column in range(columns):
        x = -w / 2 + 0.02 + (column + 0.5) * each
        drawers = {"chest": 1.0, "bedside": 0.7, "wardrobe": 0.0}.get(kind, 0.45)
        if chance(rng, drawers):
            n = count(rng, 1, 2) if kind == "bedside" else count(rng, 2, 5)
            tall = (y1 - y0) / n
            for i in range(n):
                parts += drawer((each * 0.96, tall * 0.93), (x, y0 + i * tall, z), front, pull, knobs=knobs)
        else:
            bottom = 0.0
            if kind == "wardrobe" and chance(rng, 0.5):
                bottom = 0.28
                parts += drawer((each * 0.96, bottom * 0.92), (x, y0, z), front, pull, knobs=knobs)
            tall = y1 - y0 - bottom
            parts += door(
                (each * 0.97, tall), (x, y0 + bottom, z), front, inset, pull, left=column % 2 == 0, style=style
            )
    if kind == "dresser":
        parts += _hutch(rng, look, w, low + lid, h, d, of)
    elif kind == "wardrobe" and chance(rng, 0.5):
        parts.append(box((w + 0.1, 0.06, d + 0.08), (0, h + lid, 0), bevel=0.02).of(of))
    return parts


def _hutch(
    rng: np.random.Generator, look: Palette, w: float, low: float, h: float, d: float, of: Material
) -> list[Part]:
    deep, z = d * 0.6, -d * 0.2
    parts = mirrored([box((0.025, h - low, deep), (w / 2 - 0.02, low, z)).of(of)])
    parts.append(box((w - 0.04, h - low, 0.015), (0, low, z - deep / 2)).of(of))
    parts.append(box((w + 0.05, 0.04, deep + 0.05), (0, h, z), bevel=0.015).of(of))
    n = count(rng, 1, 3)
    covers = [look.ceramic(), look.accent()]
    for i in range(n + 1):
        y = low + (h - low) * i / (n + 1)
        if i:
            parts.append(box((w - 0.05, 0.02, deep), (0, y, z)).of(of))
        if chance(rng, 0.7):
            things = count(rng, 2, 4)
            for k in range(things):
                r = 0.055
                x = -w / 2 + (k + 0.5) * w / things
                parts.append(ball((2 * r, 2 * r, 2 * r), (x, y + 0.02 + r, z), 12).of(pick(rng, covers)))
    return parts


@family("book", stretch=(0.15, 0.3, 0.15))
def book(rng: np.random.Generator, look: Palette) -> list[Part]:
    """One lying, a pile, or one open."""
    paper = look.pale()
    if chance(rng, 0.35):
        return _open_book(rng, look.accent(), paper)
    parts, level = [], 0.0
    for i in range(pick(rng, (1, 1, 2, 3, 4))):
        w, d, t = spread(rng, 0.13, 0.2), spread(rng, 0.19, 0.28), spread(rng, 0.02, 0.06)
        cover = look.accent() if chance(rng, 0.7) else look.leather()
        one = [
            box((w, 0.004, d), (0, 0, 0), bevel=0.001).of(cover),
            box((w, 0.004, d), (0, t - 0.004, 0), bevel=0.001).of(cover),
            box((w * 0.95, t - 0.006, d * 0.95), (0.0, 0.003, 0), bevel=0.001).of(paper),
            rod((-w / 2, t / 2, -d / 2), (-w / 2, t / 2, d / 2), t / 2, segments=14).scale(1, 1, 1).of(cover),
        ]
        if chance(rng, 0.6):
            band = look.paint()
            one.append(box((w * 0.6, 0.002, d * 0.12), (0.01, t - 0.0005, -d * 0.2), bevel=0.0005).of(band))
            if chance(rng, 0.5):
                one.append(box((w * 0.45, 0.002, d * 0.3), (0.01, t - 0.0005, d * 0.15), bevel=0.0005).of(band))
        yaw = spread(rng, -25, 25) if i else 0.0
        parts += [p.turn("y", yaw).move(y=level) for p in one]
        level += t
    return parts


def _open_book(rng: np.random.Generator, cover: Material, paper: Material) -> list[Part]:
    w, d, t = spread(rng, 0.14, 0.2), spread(rng, 0.2, 0.28), spread(rng, 0.012, 0.03)
    x = np.linspace(0, w, 10)
    s = x / w
    top = t * (0.35 + 0.65 * np.minimum(1, 2.2 * s) ** 0.6 - 0.45 * s**2) + 0.006
    half = np.stack([np.concatenate([x, x[::-1]]), np.concatenate([np.full(10, 0.004), top[::-1]])], 1)
    rings = np.stack([np.c_[half, np.full(20, z)] for z in np.linspace(-d / 2, d / 2, 4)])
    middle = np.array([w / 2, 0.01, 0.0])
    page = loft(rings, start=middle + np.array((0, 0, -d / 2)), end=middle + np.array((0, 0, d / 2))).of(paper)
    lid = box((w * 1.04, 0.006, d * 1.05), (w * 0.52, 0, 0), bevel=0.002).of(cover)
    return mirrored([page, lid])
