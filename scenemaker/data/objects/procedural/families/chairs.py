"""Chairs."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.joinery import leg
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part, four_fold, mirrored, turned
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import (
    beam,
    box,
    circle,
    cushion,
    lathe,
    plate,
    ring,
    rod,
    smooth,
    superellipse,
    sweep,
)  # fmt: skip


@family("chair", stretch=(0.08, 0.12, 0.08))
def chair(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Kitchen, office, garden and cantilever chairs; backs of slats, rungs, spindles, a panel or a cushion."""
    frame = look.finish()
    soft = look.fabric() if chance(rng, 0.7) else look.leather()
    w, d, h = spread(rng, 0.4, 0.52), spread(rng, 0.4, 0.5), spread(rng, 0.42, 0.5)
    base = pick(rng, ("legs", "legs", "legs", "swivel", "sled", "splayed", "pedestal"))
    if base in ("swivel", "pedestal", "sled"):
        frame = pick(rng, (look.plastic(), look.metal(), frame))
    seat_of = frame if chance(rng, 0.5) else soft
    parts = _seat(rng, w, d, h, seat_of, soft=seat_of is soft)
    metal = look.metal()
    if base in ("legs", "splayed"):
        parts += _chair_legs(rng, w, d, h, frame, splayed=base == "splayed")
    else:
        draw = {"swivel": _swivel, "sled": _sled, "pedestal": _tulip}[base]
        parts += draw(rng, w, d, h, frame if base == "pedestal" else metal, look.dark())
    tall = spread(rng, 0.32, 0.6)
    lean = spread(rng, 3, 14)
    parts += [p.turn("x", -lean).move(y=h, z=-d / 2 + 0.02) for p in _back(rng, w, tall, frame, soft)]
    if chance(rng, 0.35):
        parts += _arms(rng, w, d, h, frame)
    return parts


def _seat(rng: np.random.Generator, w: float, d: float, h: float, of: Material, *, soft: bool) -> list[Part]:
    thick = spread(rng, 0.025, 0.05)
    if soft:
        under = box((w * 0.96, 0.03, d * 0.96), (0, h - 0.05, 0)).of(of)
        return [under, cushion((w, 0.07, d), (0, h - 0.045, 0), radius=0.03, puff=0.25).of(of)]
    kind = pick(rng, ("square", "rounded", "rounded", "round", "slats"))
    if kind == "square":
        return [box((w, thick, d), (0, h - thick, 0), bevel=0.3 * thick, top=(1.0, 1.0, 1.0)).of(of)]
    if kind == "rounded":
        return [plate(superellipse(32, w, d, 4.5), thick, bevel=0.3 * thick).move(y=h - thick).of(of)]
    if kind == "round":
        return [plate(circle(32, (w + d) / 4), thick, bevel=0.3 * thick).move(y=h - thick).of(of)]
    n = count(rng, 4, 7)
    rails = [box((0.03, 0.04, d), (s * w * 0.42, h - 0.06, 0)).of(of) for s in (-1, 1)]
    return rails + [box((w, 0.02, d / n * 0.82), (0, h - 0.02, -d / 2 + (i + 0.5) * d / n)).of(of) for i in range(n)]


def _chair_legs(rng: np.random.Generator, w: float, d: float, h: float, of: Material, *, splayed: bool) -> list[Part]:
    width = spread(rng, 0.028, 0.05)
    x, z = w / 2 - width * 0.7, d / 2 - width * 0.7
    splay = spread(rng, 0.03, 0.09) if splayed else None
    if splayed:
        x, z = x * 0.85, z * 0.85
    parts = four_fold(leg(rng, (x, z), h - 0.02, width, splay))
    low, r = spread(rng, 0.12, 0.25), width * 0.28
    out = (splay or 0.0) * 0.7 * (1 - low / h)
    x, z = x + out, z + out
    kind = pick(rng, ("none", "sides", "h", "ring", "apron"))
    if kind in ("sides", "h", "ring"):
        parts += [rod((s * x, low, -z), (s * x, low, z), r) for s in (-1, 1)]
    if kind == "h":
        parts.append(rod((-x, low, 0), (x, low, 0), r))
    if kind == "ring":
        parts += [rod((-x, low + 0.03, s * z), (x, low + 0.03, s * z), r) for s in (-1, 1)]
    if kind == "apron" and not splayed:
        tall = spread(rng, 0.04, 0.07)
        parts += [box((2 * x, tall, width * 0.5), (0, h - 0.02 - tall, s * z)) for s in (-1, 1)]
        parts += [box((width * 0.5, tall, 2 * z), (s * x, h - 0.02 - tall, 0)) for s in (-1, 1)]
    return [p.of(of) for p in parts]


def _swivel(rng: np.random.Generator, w: float, d: float, h: float, metal: Material, dark: Material) -> list[Part]:
    n, reach = pick(rng, (4, 5, 5)), spread(rng, 0.26, 0.33)
    column = lathe(
        [(0, 0.08), (0.035, 0.08), (0.035, 0.25), (0.02, 0.25), (0.02, h - 0.06), (0.05, h - 0.04), (0, h - 0.04)], 16
    )
    parts = [column.of(metal)]
    castors = chance(rng, 0.75)
    for i in range(n):
        arm = [
            sweep([(0, 0.12, 0), (0.5 * reach, 0.1, 0), (reach, 0.065, 0)], (0.028, 0.024, 0.018), rounded=True).of(
                metal
            )
        ]
        if castors:
            arm.append(ring(0.016, 0.016, 14, circle(8, 0.016)).turn("x", 90).move(reach, 0.032, 0).of(dark))
        else:
            arm.append(lathe([(0, 0), (0.025, 0), (0.025, 0.02), (0.01, 0.06), (0, 0.06)], 12).move(reach).of(dark))
        parts += turned(arm, "y", 360 * i / n + 20)
    return parts


def _sled(rng: np.random.Generator, w: float, d: float, h: float, metal: Material, dark: Material) -> list[Part]:
    x, z, r, c = w / 2 - 0.02, d / 2, spread(rng, 0.01, 0.016), 0.05
    side = [(x, h - r, -z + 0.03), (x, h - r, z - c), (x, h - c, z), (x, c, z * 0.96), (x, r, z - c), (x, r, -z + c)]
    path = [*side, (x - c, r, -z), (-x + c, r, -z), *((-a, b, e) for a, b, e in side[::-1])]
    return [sweep(path, r, rounded=True).of(metal)]


def _tulip(rng: np.random.Generator, w: float, d: float, h: float, of: Material, dark: Material) -> list[Part]:
    r = spread(rng, 0.2, 0.26)
    profile = smooth([(r, 0.0), (r * 0.95, 0.012), (r * 0.35, 0.05), (0.028, 0.18), (0.026, 0.3), (0.07, h - 0.03)], 18)
    return [lathe(np.clip(profile, 0.005, None) - (0, 0.005), 28).of(of)]


def _back(rng: np.random.Generator, w: float, tall: float, of: Material, soft: Material) -> list[Part]:
    """Stands on y = 0 at z = 0."""
    kind = pick(rng, ("slats", "rungs", "spindles", "panel", "cushion", "hoop", "shell", "cross"))
    post = spread(rng, 0.028, 0.042)
    x = w / 2 - post / 2
    bow = spread(rng, 0.0, 0.06)  # how far the middle lies behind the posts

    def behind(at: float) -> float:
        return -bow * (1 - (at / x) ** 2)

    def rung(y: float, height: float, thin: float = 0.018) -> Part:
        at = np.linspace(-x, x, 9)
        path = np.stack([at, np.full(9, y), [behind(float(a)) for a in at]], 1)
        return sweep(path, 1.0, section=superellipse(12, height, thin, 5), up=(0, 0, 1)).of(of)

    posts = mirrored([box((post, tall, post), (x, 0, 0), top=0.8).of(of)])
    if kind == "shell":
        bend = cushion((w * 1.02, tall, 0.035), radius=0.017, puff=0.05, steps=2)
        p = bend.points.copy()
        p[:, 2] += 0.5 * (p[:, 0] / w) ** 2 * spread(rng, 0.2, 0.7) - 0.02
        p[:, 0] *= 1 - 0.25 * (p[:, 1] / tall) ** 3
        return [bend.bent(p).of(of if chance(rng, 0.6) else soft)]
    if kind == "cushion":
        pad = cushion((w * 0.95, tall * 0.72, 0.07), (0, tall * 0.28, 0), radius=0.03, puff=0.35).of(soft)
        return [pad, *mirrored([rod((w * 0.22, -0.02, -0.01), (w * 0.22, tall * 0.5, -0.01), 0.014).of(of)])]
    if kind == "panel":
        return [*posts, box((2 * x, tall * 0.7, 0.018), (0, tall * 0.25, 0)).of(of), rung(tall, 0.05)]
    if kind == "hoop":
        t = np.linspace(0, np.pi, 19)
        hoop = np.stack([x * np.cos(t), tall * np.sin(t) ** 0.6, np.zeros(19)], 1)
        n = count(rng, 3, 7)
        at = np.linspace(-0.7, 0.7, n) * x
        rods = [
            rod((a, 0, 0), (a * 1.1, tall * (1 - (a * 1.1 / x) ** 2) ** 0.3 * 0.99, 0), 0.008, segments=8) for a in at
        ]
        return [p.of(of) for p in (sweep(hoop, 0.015, rounded=True), *rods)]
    if kind == "rungs":
        n, height = count(rng, 2, 5), spread(rng, 0.03, 0.06)
        return [*posts, *(rung(tall * (0.3 + 0.68 * (i + 0.5) / n), height) for i in range(n))]
    top = rung(tall * 0.95, spread(rng, 0.05, 0.1))
    low = rung(tall * spread(rng, 0.1, 0.3), 0.035)
    base = float(low.points[:, 1].mean())
    if kind == "cross":
        ends = ((-x, base, 0), (x, tall * 0.92, 0)), ((x, base, 0), (-x, tall * 0.92, 0))
        return [*posts, top, low, *(beam(a, b, 0.03, 0.014, up=(0, 0, 1)).of(of) for a, b in ends)]
    n = count(rng, 3, 6) if kind == "slats" else count(rng, 5, 9)
    at = [(-x + (i + 1) * 2 * x / (n + 1)) for i in range(n)]
    if kind == "slats":
        wide = 2 * x / (n + 1) * spread(rng, 0.35, 0.7)
        bars = [box((wide, tall * 0.93 - base, 0.012), (a, base, behind(a))).of(of) for a in at]
    else:
        bars = [rod((a, base, behind(a)), (a, tall * 0.94, behind(a)), 0.008, segments=8).of(of) for a in at]
    return [*posts, top, low, *bars]


def _arms(rng: np.random.Generator, w: float, d: float, h: float, of: Material) -> list[Part]:
    up, r = spread(rng, 0.17, 0.24), spread(rng, 0.012, 0.02)
    x, z = w / 2 + r, d / 2 - spread(rng, 0.04, 0.12)
    if chance(rng, 0.5):
        side = [
            rod((x, h - 0.03, z), (x, h + up, z), r),
            box((0.05, 0.022, d * 0.85), (x, h + up, z - d * 0.4), bevel=0.006),
        ]
    else:
        path = smooth([(x, h - 0.03, z * 0.7), (x, h + up * 0.7, z), (x, h + up, z * 0.6), (x, h + up, -d / 2)], 14)
        side = [sweep(path, r * 1.1, rounded=True)]
    return [p.of(of) for p in mirrored(side)]
