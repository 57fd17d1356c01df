"""House plants in pots."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.vessels import wavy
from scenemaker.data.objects.procedural.materials.colour import lighter
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette, blend, plain
from scenemaker.data.objects.procedural.part import Part, moved, turned
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    ball,
    blade,
    lathe,
    smooth,
    stone,
    superellipse,
    sweep,
    vessel,
)  # fmt: skip

SOIL = plain((0.25, 0.18, 0.13))


def flowerpot(rng: np.random.Generator, look: Palette, r: float) -> tuple[list[Part], float]:
    """A pot of rim radius r with soil, and the height of the soil."""
    of = look.ceramic() if chance(rng, 0.8) else pick(rng, (look.wood(), look.metal(), look.stone()))
    kind = pick(rng, ("classic", "round", "straight", "foot", "square"))
    h = r * spread(rng, 1.3, 2.0)
    knots = {
        "classic": [(0.68 * r, 0), (0.7 * r, 0.03 * h), (0.95 * r, 0.78 * h), (1.06 * r, 0.8 * h), (1.08 * r, h)],
        "round": [(0.5 * r, 0), (0.95 * r, 0.3 * h), (1.1 * r, 0.6 * h), (0.95 * r, h)],
        "straight": [(0.95 * r, 0), (r, 0.05 * h), (r, 0.5 * h), (r, h)],
        "foot": [(0.5 * r, 0), (0.45 * r, 0.08 * h), (0.4 * r, 0.15 * h), (0.95 * r, 0.5 * h), (1.05 * r, h)],
        "square": [(0.8 * r, 0), (0.82 * r, 0.02 * h), (r, 0.97 * h), (r, h)],
    }[kind]
    profile = smooth(knots, 16)
    profile[:, 1] = np.maximum.accumulate(profile[:, 1]) + np.arange(16) * 1e-6
    segments, wave, _ = (4, None, 0.0) if kind == "square" else wavy(rng, 0.25)
    soil = h * 0.88
    inside = float(np.interp(soil, profile[:, 1], profile[:, 0])) - 0.06 * r
    parts = [vessel(profile, 0.1 * r, segments, wave=wave).of(of)]
    parts.append(
        lathe(
            [(0, soil - 0.1 * h), (inside, soil - 0.1 * h), (inside, soil), (0, soil + 0.03 * h)], segments, wave=wave
        ).of(SOIL)
    )
    return parts, soil


def leaf(
    rng: np.random.Generator, length: float, width: float, droop: float, kind: str = "oval", steps: int = 7
) -> Part:
    """A leaf from the origin towards +x and up, bending down by ``droop``."""
    s = np.linspace(0, 1, steps)
    rise = spread(rng, 0.25, 0.55)
    path = np.stack([length * s * (1 - 0.25 * droop * s), length * (rise * s - droop * s**2), np.zeros(steps)], 1)
    form = {
        "oval": np.sin(np.pi * np.clip(s, 0.02, 0.985)) ** 0.8,
        "heart": np.clip(s * 6, 0.15, 1) * (1 - s**2.2) ** 0.8 + 0.02,
        "strap": np.clip(4 * s + 0.35, 0, 1) * (1 - s**5) + 0.03,
        "lance": (1 - s) ** 0.7 * np.clip(5 * s + 0.3, 0, 1) + 0.02,
    }[kind]
    return blade(path, width * form, 0.05 * width, fold=spread(rng, 0.1, 0.45))


def around(rng: np.random.Generator, i: int) -> float:
    """Angle of the i-th leaf in a spiral, in degrees."""
    return 137.5 * i + spread(rng, -12, 12)


@family("plant", stretch=(0.0, 0.12, 0.0))
def plant(rng: np.random.Generator, look: Palette) -> list[Part]:
    """House plants in pots: rosettes, broad leaves on stems, swords, palms, hanging and clipped ones."""
    r = 0.16
    pot, soil = flowerpot(rng, look, r)
    green = look.leaf()
    kind = pick(rng, ("rosette", "stems", "stems", "swords", "palm", "clipped", "bush", "hanging"))
    grow = {
        "rosette": _rosette,
        "stems": _stems,
        "swords": _swords,
        "palm": _palm,
        "clipped": _clipped,
        "bush": _bush,
        "hanging": _hanging,
    }[kind]
    tall = spread(rng, 0.8, 1.3)
    return pot + moved([p.scale(tall) for p in grow(rng, look, green)], y=soil - 0.01)


def _tones(green: Material) -> list[Material]:
    return [
        blend(lighter(green.rgb, f), lighter(green.rgb2, f), green.pattern, 0.08, green.span) for f in (0.85, 1.0, 1.15)
    ]


def _rosette(rng: np.random.Generator, look: Palette, green: Material) -> list[Part]:
    n, tones = count(rng, 10, 24), _tones(green)
    kind, thick = pick(rng, ("lance", "oval", "strap")), spread(rng, 0.05, 0.1)
    parts = []
    for i in range(n):
        up = i / n
        one = leaf(rng, spread(rng, 0.3, 0.45) * (1 - 0.35 * up), thick, spread(rng, 0.1, 0.5) * (1 - up), kind)
        parts.append(one.turn("z", 10 + 55 * up).turn("y", around(rng, i)).of(pick(rng, tones)))
    return parts


def _stems(rng: np.random.Generator, look: Palette, green: Material) -> list[Part]:
    stem_of = look.bark() if chance(rng, 0.4) else blend(green.rgb2, green.rgb)
    kind, tones = pick(rng, ("oval", "heart", "heart", "lance")), _tones(green)
    size = spread(rng, 0.12, 0.26)
    trunk = chance(rng, 0.4)
    parts = []
    if trunk:  # leaves along one or two stems
        for _ in range(count(rng, 1, 3)):
            h, lean, turn = spread(rng, 0.4, 0.75), spread(rng, 0.0, 0.16), spread(rng, 0, 360)
            path = smooth([(0, 0, 0), (0.3 * lean, 0.4 * h, 0.03), (lean, h, 0)], 10)
            parts.append(sweep(path, np.linspace(0.016, 0.007, 10), rounded=True).turn("y", turn).of(stem_of))
            n = count(rng, 7, 14)
            for i in range(n):
                s = 0.25 + 0.75 * (i + 1) / n
                x, y, z = (float(np.interp(s, np.linspace(0, 1, 10), path[:, a])) for a in range(3))
                one = leaf(
                    rng, size * spread(rng, 0.75, 1.1) * (1.25 - 0.5 * s), size * 0.5, spread(rng, 0.3, 0.9), kind
                )
                parts.append(one.turn("y", around(rng, i)).move(x, y, z).turn("y", turn).of(pick(rng, tones)))
        return parts
    n = count(rng, 7, 15)
    for i in range(n):
        h, out = spread(rng, 0.25, 0.6), spread(rng, 0.05, 0.25)
        path = smooth([(0, 0, 0), (0.3 * out, 0.55 * h, 0), (out, h, 0)], 7)
        stem = sweep(path, np.linspace(0.007, 0.004, 7)).of(stem_of)
        one = (
            leaf(rng, size, size * spread(rng, 0.55, 0.8), spread(rng, 0.5, 1.0), kind)
            .move(out, h, 0)
            .of(pick(rng, tones))
        )
        parts += turned([stem, one], "y", around(rng, i))
    return parts


def _swords(rng: np.random.Generator, look: Palette, green: Material) -> list[Part]:
    parts, tones = [], _tones(green)
    n, wide = count(rng, 7, 16), spread(rng, 0.03, 0.08)
    for i in range(n):
        h, lean = spread(rng, 0.3, 0.75), spread(rng, 0.0, 0.16)
        s = np.linspace(0, 1, 8)
        path = np.stack([0.03 + lean * s**2, h * s, 0.012 * np.sin(6 * s)], 1)
        width = wide * np.clip(1.1 - s**3, 0.05, 1) * np.clip(0.6 + s, 0, 1)
        parts.append(
            blade(path, width, 0.012, up=(-1, 0.2, 0), fold=0.25).turn("y", around(rng, i)).of(pick(rng, tones))
        )
    return parts


def _palm(rng: np.random.Generator, look: Palette, green: Material) -> list[Part]:
    h, tones = spread(rng, 0.1, 0.5), _tones(green)
    parts = [sweep([(0, 0, 0), (0.01, h / 2, 0), (0, h, 0)], (0.03, 0.024, 0.02)).of(look.bark())] if h > 0.2 else []
    h = h if parts else 0.0
    n = count(rng, 6, 11)
    feathered = chance(rng, 0.5)
    for i in range(n):
        long, droop = spread(rng, 0.35, 0.55), spread(rng, 0.3, 0.9)
        steps = 9
        s = np.linspace(0, 1, steps)
        path = np.stack([long * s * (1 - 0.2 * droop * s), long * (0.9 * s - droop * s**2), 0 * s], 1)
        frond = []
        if feathered:
            frond.append(sweep(path, np.linspace(0.006, 0.002, steps), section=superellipse(6, 2, 2, 2)))
            for k in range(2, steps):
                for side in (-1, 1):
                    w = 0.16 * np.sin(np.pi * (0.15 + 0.8 * s[k]))
                    out = path[k] + np.linspace(0, 1, 4)[:, None] * np.array([0.06, -0.03, side * w])
                    frond.append(blade(out, 0.028 * np.array([0.7, 1, 0.8, 0.1]), 0.003, up=(0, 1, 0)))
        else:
            frond.append(blade(path, 0.09 * np.sin(np.pi * np.clip(s, 0.03, 0.97)), 0.006, fold=0.5))
        parts += [p.turn("y", around(rng, i)).move(y=h).of(tones[i % 3]) for p in frond]
    return parts


def _clipped(rng: np.random.Generator, look: Palette, green: Material) -> list[Part]:
    h = spread(rng, 0.1, 0.4)
    parts = [sweep([(0, 0, 0), (0.006, h / 2, 0), (0, h + 0.1, 0)], 0.015).of(look.bark())]
    kind = pick(rng, ("ball", "balls", "cone"))
    if kind == "cone":
        tall = spread(rng, 0.45, 0.7)
        cone = stone(rng, detail=3, rough=0.05, waves=5).scale(0.2, 1, 0.2)
        p = cone.points.copy()
        up = (p[:, 1] + 1) / 2
        p[:, [0, 2]] *= (1.35 - 1.2 * up)[:, None]
        p[:, 1] = up * tall
        return [*parts, cone.bent(p).move(y=h * 0.6).of(green)]
    for i in range(2 if kind == "balls" else 1):
        r = 0.2 - 0.06 * i
        parts.append(stone(rng, detail=3, rough=0.05, waves=5).scale(r).move(y=h + 0.12 + 0.36 * i).of(green))
        if i:
            parts.append(sweep([(0, h, 0), (0, h + 0.3, 0), (0, h + 0.5, 0)], 0.012).of(look.bark()))
    return parts


def _bush(rng: np.random.Generator, look: Palette, green: Material) -> list[Part]:
    parts, tones = [], _tones(green)
    n, kind = count(rng, 30, 60), pick(rng, ("oval", "heart", "lance"))
    r = spread(rng, 0.17, 0.27)
    parts.append(stone(rng, detail=2, rough=0.12).scale(0.72 * r).move(y=0.75 * r).of(tones[0]))
    flowers = look.petal() if chance(rng, 0.4) else None
    for i in range(n):
        up = 1 - 1.5 * (i + 0.5) / n  # from the top to below the middle
        flat = float(np.sqrt(max(1 - up * up, 0)))
        size = spread(rng, 0.09, 0.15)
        one = leaf(rng, size, size * 0.5, spread(rng, 0.2, 0.8), kind, 5).turn("z", np.degrees(np.arcsin(up)) * 0.7)
        t = np.radians(around(rng, i))
        at = 0.65 * r * np.array([flat * np.cos(t), up, -flat * np.sin(t)])
        parts.append(one.turn("y", float(np.degrees(t))).move(*(at + np.array((0, 0.75 * r, 0)))).of(pick(rng, tones)))
        if flowers is not None and i % 4 == 0:
            out = 1.15 * r * np.array([flat * np.cos(t), up, -flat * np.sin(t)]) + (0, 0.75 * r, 0)
            parts.append(ball((0.05, 0.04, 0.05), tuple(out), 8).of(flowers))
    return parts


def _hanging(rng: np.random.Generator, look: Palette, green: Material) -> list[Part]:
    parts, tones = [], _tones(green)
    n = count(rng, 7, 12)
    for i in range(n):
        out, drop = spread(rng, 0.17, 0.24), spread(rng, 0.05, 0.3)
        path = smooth([(0, 0, 0), (0.08, 0.12, 0), (out, 0.03, 0), (out * 1.08, -drop, 0)], 12)
        vine = [sweep(path, 0.004, section=superellipse(6, 2, 2, 2)).of(tones[0])]
        for k in range(2, 12, 2):
            size = spread(rng, 0.06, 0.1)
            one = leaf(rng, size, size * 0.75, 0.9, "heart", 5).turn("y", spread(rng, -80, 80))
            vine.append(one.move(*path[k].tolist()).of(pick(rng, tones)))
        parts += turned(vine, "y", 360 * i / n + spread(rng, -10, 10))
    return parts
