"""Pictures of grounds that repeat without a seam: wood, tiles, concrete, carpet, grass, sand and the like."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.data.render.textures import Floats
from scenemaker.scene import U8

SIDE = 512  # pixels
_Random = np.random.Generator
_Span = tuple[float, float]


def noise(rng: _Random, rows: int, columns: int, *, octaves: int = 4, gain: float = 0.5) -> Floats:
    """(512, 512) smooth noise that repeats, about 0 with deviation 1.

    Args:
        rng: Its chance.
        rows, columns: Bumps of the coarsest octave; powers of two.
        octaves: Each twice as fine as the one before,
        gain: and so much weaker.
    """
    total = rng.standard_normal((rows, columns), np.float32)
    for octave in range(1, octaves):
        total = _enlarged(total, min(2 * len(total), SIDE), min(2 * total.shape[1], SIDE))
        total += np.float32(gain**octave) * rng.standard_normal(total.shape, np.float32)
    total = _enlarged(total, SIDE, SIDE)
    return (total - total.mean()) / np.float32(max(float(total.std()), 1e-6))


def _enlarged(grid: Floats, rows: int, columns: int) -> Floats:
    """(rows, columns) a grid that repeats, by cubic interpolation."""
    tall, wide = rows // grid.shape[0], columns // grid.shape[1]
    if tall == wide == 1:
        return grid
    padded = cv2.copyMakeBorder(grid, 2, 2, 2, 2, cv2.BORDER_WRAP)
    size = (padded.shape[1] * wide, padded.shape[0] * tall)
    large = np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_CUBIC), np.float32)
    return large[2 * tall : 2 * tall + rows, 2 * wide : 2 * wide + columns]


def colour(rng: _Random, hue: _Span, saturation: _Span, value: _Span) -> Floats:
    """(3,) sRGB in [0, 1]."""
    return np.array(colorsys.hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*saturation), rng.uniform(*value)), "f4")


def paint(rng: _Random, value: _Span) -> Floats:
    """(3,) sRGB of what floors and walls are painted or dyed: mostly earth, wood and grey, sometimes a soft colour."""
    kind = rng.random()
    if kind < 0.5:
        return colour(rng, (0.03, 0.14), (0.08, 0.4), value)
    if kind < 0.75:
        return colour(rng, (0.0, 1.0), (0.0, 0.08), value)
    return colour(rng, (0.0, 1.0), (0.1, 0.42), value)


def _mixed(a: Floats, b: Floats, share: NDArray[Any]) -> Floats:
    return a + (b - a) * np.clip(share, 0, 1)[..., None].astype(np.float32)


def _cells(rows: int, columns: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
    """Row and column of the cell of every pixel, and the distance to the cell's border across and along, in pixels."""
    at = np.arange(SIDE)

    def border(count: int) -> Floats:
        share = at * count / SIDE % 1
        return (np.minimum(share, 1 - share) * SIDE / count).astype(np.float32)

    return (at * rows // SIDE)[:, None], (at * columns // SIDE)[None], border(rows)[:, None], border(columns)[None]


def plain(rng: _Random) -> Floats:
    """One colour, hardly mottled: a studio's paper or a painted floor."""
    base = paint(rng, (0.35, 0.95))
    return base * (1 + rng.uniform(0.005, 0.03) * noise(rng, 4, 4, octaves=5, gain=0.7))[..., None]


def mottled(rng: _Random) -> Floats:
    """Two colours, mixed by noise."""
    a = paint(rng, (0.3, 0.9))
    b = np.clip(a * rng.uniform(0.6, 1.1) * (1 + rng.normal(0, 0.06, 3)), 0, 1).astype(np.float32)
    cells = 2 ** int(rng.integers(1, 4))
    share = 0.5 + rng.uniform(0.15, 0.4) * noise(rng, cells, cells, octaves=6, gain=rng.uniform(0.4, 0.75))
    return _mixed(a, b, share)


def planks(rng: _Random) -> Floats:
    """Wooden boards with grain, seams and ends."""
    boards = int(rng.integers(4, 9))
    base = colour(rng, (0.05, 0.1), (0.25, 0.6), (0.35, 0.85))
    dark = base * rng.uniform(0.55, 0.8) * np.array([1, 0.95, 0.88], "f4")
    grain = noise(rng, 64, 2, octaves=3, gain=0.7)
    wave = noise(rng, 8, 2, octaves=2)
    y, x = np.mgrid[:SIDE, :SIDE]
    board = y * boards // SIDE
    shift = rng.integers(0, SIDE, boards)
    at = (x + shift[board]) % SIDE
    row = np.minimum(y * boards % SIDE, SIDE - y * boards % SIDE) / boards
    rings = np.sin(6 * wave[y, at] + y * 0.35)
    share = 0.35 + 0.18 * grain[y, at] + 0.12 * rings + (rng.normal(0, 0.15, boards))[board]
    out = _mixed(base, dark, share) * (1 + rng.normal(0, 0.06, boards))[board][..., None]
    ends = np.minimum(at, SIDE - at)
    seam = np.minimum(row, ends)
    return out * np.clip(0.4 + 0.4 * seam, 0.4, 1)[..., None]


def tiles(rng: _Random) -> Floats:
    """Ceramic or stone tiles with joints."""
    count = int(rng.integers(3, 8))
    base = paint(rng, (0.4, 0.95))
    joint = colour(rng, (0.05, 0.15), (0, 0.15), (0.35, 0.75))
    row, column, across, along = _cells(count, count)
    tint = 1 + rng.normal(0, rng.uniform(0.01, 0.06), (count, count))[row, column]
    cloud = noise(rng, 8, 8, octaves=5, gain=0.6) * rng.uniform(0.01, 0.06)
    share = np.clip(np.minimum(across, along) - rng.uniform(0.8, 2.5), 0, 1)
    return _mixed(joint * np.ones((SIDE, SIDE, 1), "f4"), base * (tint + cloud)[..., None], share)


def checks(rng: _Random) -> Floats:
    """Two colours in turn."""
    count = 2 * int(rng.integers(2, 6))
    a, b = paint(rng, (0.6, 0.95)), paint(rng, (0.12, 0.55))
    row, column, _, _ = _cells(count, count)
    worn = 1 + rng.uniform(0.01, 0.05) * noise(rng, 4, 4, octaves=6, gain=0.7)
    return _mixed(a, b, (row + column) % 2) * worn[..., None]


def stripes(rng: _Random) -> Floats:
    """A woven rug: bands of a few colours, with its threads."""
    palette = np.stack([paint(rng, (0.25, 0.85)) for _ in range(3)])
    edges = np.sort(rng.integers(0, SIDE, 2 * int(rng.integers(2, 7))))
    band = np.searchsorted(edges, np.arange(SIDE)) % len(edges)
    out = palette[rng.integers(0, 3, len(edges))[band]][:, None] * np.ones((1, SIDE, 1), "f4")
    return out * _threads(rng)[..., None]


def carpet(rng: _Random) -> Floats:
    """Tufts or woven cloth of one colour."""
    base = paint(rng, (0.25, 0.8))
    worn = 1 + 0.04 * noise(rng, 4, 4, octaves=3)
    return base * (worn * _threads(rng))[..., None]


def _threads(rng: _Random) -> Floats:
    pitch = float(2 ** rng.integers(6, 8))
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE * 2 * np.pi * pitch
    weave = np.sin(x) * np.sin(y) if rng.random() < 0.5 else np.abs(np.sin(x / 2 + y / 2)) - 0.6
    return (1 + 0.07 * weave + 0.07 * noise(rng, 128, 128, octaves=3, gain=0.9)).astype(np.float32)


def concrete(rng: _Random) -> Floats:
    """Grey, cloudy, with grains and sometimes slabs."""
    base = colour(rng, (0.05, 0.65), (0.0, 0.08), (0.4, 0.8))
    out = 1 + 0.06 * noise(rng, 4, 4, octaves=6, gain=0.6) + 0.03 * noise(rng, 128, 128, octaves=3, gain=0.9)
    if rng.random() < 0.5:
        count = int(rng.integers(1, 4))
        row, column, across, along = _cells(count, count)
        out *= (1 + rng.normal(0, 0.04, (count, count)))[row, column]
        out *= np.clip(np.minimum(across, along) * 0.4 + 0.45, 0, 1)
    return base * out[..., None]


def marble(rng: _Random) -> Floats:
    """Polished stone with veins."""
    base = colour(rng, (0.0, 1.0), (0.0, 0.12), (0.2, 0.95))
    vein = np.clip(base + rng.choice([-1, 1]) * rng.uniform(0.15, 0.35), 0.05, 1)
    field = noise(rng, 4, 4, octaves=6, gain=0.55)
    share = np.exp(-(np.abs(field) * rng.uniform(5, 12))) * np.clip(0.5 + 0.5 * noise(rng, 4, 4, octaves=2), 0, 1)
    return _mixed(base, vein, share) * (1 + 0.02 * noise(rng, 4, 4))[..., None]


def grass(rng: _Random) -> Floats:
    """Lawn or moss: greens, with blades."""
    a = colour(rng, (0.2, 0.32), (0.4, 0.65), (0.3, 0.55))
    b = colour(rng, (0.15, 0.25), (0.35, 0.6), (0.15, 0.35))
    blades = noise(rng, 128, 64, octaves=3, gain=1.0)
    share = 0.45 + 0.25 * blades + 0.15 * noise(rng, 4, 4, octaves=5, gain=0.6)
    return _mixed(a, b, share)


def sand(rng: _Random) -> Floats:
    """Sand or earth, sometimes rippled."""
    base = colour(rng, (0.06, 0.12), (0.2, 0.5), (0.45, 0.9))
    relief = noise(rng, 4, 4, octaves=6, gain=0.6)
    y = np.arange(SIDE, dtype=np.float32)[:, None] / SIDE * 2 * np.pi
    ripples = np.sin(float(rng.integers(8, 20)) * y + 1.5 * relief) * rng.choice([0, 0.05])
    return base * (1 + 0.05 * relief + ripples + 0.04 * noise(rng, 256, 256, octaves=1))[..., None]


def gravel(rng: _Random) -> Floats:
    """Pebbles, each of its own shade."""
    count, margin = int(rng.integers(1200, 4000)), 64
    far_from_seed = np.full((SIDE, SIDE), 255, np.uint8)
    far_from_seed[tuple(rng.integers(0, SIDE, (2, count)))] = 0
    wide = np.pad(far_from_seed, margin, mode="wrap")
    _, owner = cv2.distanceTransformWithLabels(wide, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    owner = np.asarray(owner, np.int64)
    border = np.zeros(owner.shape, np.bool_)
    border[1:] |= owner[1:] != owner[:-1]
    border[:, 1:] |= owner[:, 1:] != owner[:, :-1]
    inner = slice(margin, margin + SIDE)
    depth = np.asarray(cv2.distanceTransform((~border).astype(np.uint8), cv2.DIST_L2, 3))[inner, inner]
    shade = (1 + rng.normal(0, 0.12, 1 << 14)).clip(0.4, 1.4)  # by place of the seed, equal across the seam
    rows, columns = np.nonzero(wide == 0)
    seed_of = np.zeros(int(owner.max()) + 1, np.int64)
    seed_of[owner[rows, columns]] = ((rows - margin) % SIDE * 31 + (columns - margin) % SIDE * 17) % len(shade)
    a = colour(rng, (0.03, 0.15), (0.0, 0.25), (0.35, 0.75))
    return a * (shade[seed_of[owner[inner, inner]]] * np.clip(0.55 + 0.15 * depth, 0.55, 1))[..., None]


# name -> (how it is drawn, side of one repetition in sizes of the scene, roughness)
KINDS: dict[str, tuple[Callable[[_Random], Floats], _Span, _Span]] = {
    "plain": (plain, (2.0, 4.0), (0.5, 1.0)),
    "mottled": (mottled, (1.5, 4.0), (0.5, 1.0)),
    "planks": (planks, (1.2, 2.5), (0.3, 0.7)),
    "tiles": (tiles, (1.0, 2.5), (0.25, 0.6)),
    "checks": (checks, (1.0, 2.5), (0.3, 0.8)),
    "stripes": (stripes, (1.0, 2.5), (0.9, 1.0)),
    "carpet": (carpet, (1.0, 2.0), (0.9, 1.0)),
    "concrete": (concrete, (1.5, 3.5), (0.6, 1.0)),
    "marble": (marble, (1.5, 3.0), (0.2, 0.5)),
    "grass": (grass, (1.0, 2.0), (0.9, 1.0)),
    "sand": (sand, (1.2, 2.5), (0.9, 1.0)),
    "gravel": (gravel, (1.2, 2.2), (0.8, 1.0)),
}


def ground_texture(kind: str, rng: _Random) -> U8:
    """(512, 512, 3) uint8 sRGB picture of a ground of some kind."""
    return (np.clip(KINDS[kind][0](rng), 0, 1) * 255 + 0.5).astype(np.uint8)
