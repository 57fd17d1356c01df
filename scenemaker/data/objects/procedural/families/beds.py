"""Beds."""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.procedural.chance import chance, count, pick, spread
from scenemaker.data.objects.procedural.families.joinery import turned_column
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.palette import Palette
from scenemaker.data.objects.procedural.part import Part, mirrored, moved
from scenemaker.data.objects.procedural.registry import family
from scenemaker.data.objects.procedural.shapes import box, cushion, prism, rod


@family("bed", stretch=(0.06, 0.15, 0.06))
def bed(rng: np.random.Generator, look: Palette) -> list[Part]:
    """Single and double beds, four-posters and bunks."""
    of, sheet, cover = look.finish(), look.pale(), look.fabric()
    w, long = pick(rng, (spread(rng, 0.85, 1.05), spread(rng, 1.35, 1.8))), spread(rng, 1.9, 2.1)
    kind = pick(rng, ("plain", "plain", "plain", "plain", "posts", "bunk"))
    if kind == "bunk":
        w, up = spread(rng, 0.8, 0.95), spread(rng, 1.25, 1.5)
        post = spread(rng, 0.05, 0.08)
        x, z = w / 2 + post / 2, long / 2 + post / 2
        frame = [box((post, up + 0.45, post), (a * x, 0, b * z)).of(of) for a in (-1, 1) for b in (-1, 1)]
        low = _lying(rng, look, w, long, 0.3, of, sheet, cover)
        high = moved(_lying(rng, look, w, long, 0.3, of, sheet, look.fabric()), y=up - 0.3)
        rails = [box((0.025, 0.08, long), (s * x, up + 0.32, 0)).of(of) for s in (-1, 1)]
        ends = [box((w, 0.1, 0.03), (0, y, s * z)).of(of) for s in (-1, 1) for y in (0.2, 0.55, up - 0.1, up + 0.3)]
        ladder = [rod((x + 0.04, 0, zz), (x + 0.04, up + 0.35, zz), 0.02).of(of) for zz in (long * 0.2, long * 0.4)]
        ladder += [
            rod((x + 0.04, y, long * 0.2), (x + 0.04, y, long * 0.4), 0.015).of(of) for y in np.arange(0.25, up, 0.27)
        ]
        return [*frame, *low, *high, *rails, *ends, *ladder]
    sit = spread(rng, 0.24, 0.4)
    parts = _lying(rng, look, w, long, sit, of, sheet, cover)
    head, foot = spread(rng, 0.45, 0.85), pick(rng, (0.0, 0.0, spread(rng, 0.1, 0.35)))
    soft = look.fabric() if chance(rng, 0.3) else None
    parts += _board(rng, w, sit + head, of, soft, -long / 2 - 0.04)
    if foot:
        parts += _board(rng, w, sit + foot, of, None, long / 2 + 0.03)
    if kind == "posts":
        tall = spread(rng, 1.6, 2.0)
        x, z = w / 2 + 0.04, long / 2 + 0.04
        parts += [turned_column(rng, 0.04, tall, 12).move(a * x, 0, b * z).of(of) for a in (-1, 1) for b in (-1, 1)]
        parts += [box((0.05, 0.05, 2 * z + 0.05), (s * x, tall, 0)).of(of) for s in (-1, 1)]
        parts += [box((2 * x, 0.05, 0.05), (0, tall, s * z)).of(of) for s in (-1, 1)]
        if chance(rng, 0.5):
            parts.append(box((2 * x + 0.1, 0.02, 2 * z + 0.1), (0, tall + 0.05, 0)).of(cover))
    return parts


def _lying(
    rng: np.random.Generator,
    look: Palette,
    w: float,
    long: float,
    sit: float,
    of: Material,
    sheet: Material,
    cover: Material,
) -> list[Part]:
    """Frame, mattress, pillows and cover; the head is at -z."""
    rail = spread(rng, 0.1, 0.2)
    y = sit - rail
    parts = [box((w + 0.06, rail, long + 0.04), (0, y, 0), bevel=0.012).of(of)]
    parts += [
        box((0.06, y + 0.02, 0.06), (a * (w / 2 - 0.04), 0, b * (long / 2 - 0.06))).of(of)
        for a in (-1, 1)
        for b in (-1, 1)
    ]
    thick = spread(rng, 0.14, 0.26)
    parts.append(cushion((w, thick, long), (0, sit - 0.04, 0), radius=0.05, puff=0.05).of(sheet))
    top = sit - 0.04 + thick
    n = 2 if w > 1.2 else 1
    for i in range(n):
        x = (i - (n - 1) / 2) * w / 2
        pillow = cushion((w / n * 0.78, 0.12, 0.38), radius=0.05, puff=0.45).turn("x", spread(rng, 4, 20))
        parts.append(pillow.turn("y", spread(rng, -8, 8)).move(x, top + 0.01, -long / 2 + 0.26).of(sheet))
        if chance(rng, 0.3):
            small = cushion((w / n * 0.45, 0.1, 0.3), radius=0.04, puff=0.5).turn("x", 40)
            parts.append(small.move(x, top + 0.06, -long / 2 + 0.42).of(look.fabric()))
    reach = spread(rng, 0.35, 0.78) * long
    hang = spread(rng, 0.3, 0.9) * thick
    over = cushion(
        (w + 0.05, hang + 0.05, reach), (0, top - hang, long / 2 - reach / 2 + 0.02), radius=0.045, puff=0.08
    )
    parts.append(over.of(cover))
    if chance(rng, 0.5):
        parts.append(
            cushion((w + 0.06, 0.05, 0.22), (0, top + 0.01, long / 2 - reach + 0.06), radius=0.02, puff=0.2).of(sheet)
        )
    return parts


def _board(
    rng: np.random.Generator, w: float, tall: float, of: Material, soft: Material | None, z: float
) -> list[Part]:
    kind = pick(rng, ("panel", "arched", "bars", "slats", "stuffed", "planks"))
    w = w + 0.08
    if kind == "stuffed" and soft is not None:
        n = pick(rng, (1, 3, 4))
        return [
            cushion((w / n, tall - 0.1, 0.1), (-w / 2 + (i + 0.5) * w / n, 0.1, z), radius=0.04, puff=0.2).of(soft)
            for i in range(n)
        ]
    if kind == "arched":
        t = np.linspace(0, np.pi, 15)
        rise = tall * 0.3
        top = np.stack([w / 2 * np.cos(t), tall - rise + rise * np.sin(t)], 1)
        outline = np.concatenate([[(-w / 2, 0.1), (w / 2, 0.1)], top])
        return [prism(outline, 0.05).move(z=z).of(of)]
    if kind in ("bars", "slats"):
        post = 0.05
        parts = mirrored([box((post, tall, post), (w / 2 - post / 2, 0, z)).of(of)])
        parts += [box((w, 0.06, 0.04), (0, y, z)).of(of) for y in (tall - 0.08, tall * 0.4)]
        n = count(rng, 5, 12)
        for i in range(n):
            x = -w / 2 + (i + 1) * w / (n + 1)
            if kind == "bars":
                parts.append(rod((x, tall * 0.4, z), (x, tall - 0.05, z), 0.012, segments=8).of(of))
            else:
                parts.append(box((w / n * 0.5, tall * 0.6 - 0.05, 0.016), (x, tall * 0.4, z)).of(of))
        return parts
    if kind == "planks":
        n = count(rng, 2, 4)
        parts = mirrored([box((0.06, tall, 0.05), (w / 2 - 0.06, 0, z - 0.02)).of(of)])
        h = (tall - 0.2) / n
        return parts + [box((w, h * 0.93, 0.035), (0, 0.2 + i * h, z + 0.02)).of(of) for i in range(n)]
    return [box((w, tall - 0.08, 0.05), (0, 0.08, z), bevel=0.012).of(of)]
