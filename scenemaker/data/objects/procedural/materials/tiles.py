"""Patterns as square tiles that repeat without a seam: how much of the second colour is where."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from scenemaker.data.objects.procedural.chance import spread
from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.geometry.cameras import F64
from scenemaker.scene import U8

Pattern = Callable[[np.random.Generator, F64, F64], F64]
"""(rng, x (1, n), y (n, 1)) -> share (n, n) of the second colour, the same at x + 1 and, but for rings and drips, at
y + 1. Grain runs along y."""


class Tiles:
    """Draws the tiles of one object."""

    def __init__(self, rng: np.random.Generator, n: int) -> None:
        """Tiles of n by n pixels."""
        self._rng, self._n = rng, n
        self._fine, self._soft = noise(rng, n, 0.4), noise(rng, n, 1.4)
        self._x, self._y = (np.arange(n) + 0.5)[None, :] / n, (np.arange(n) + 0.5)[:, None] / n

    def draw(self, material: Material, *, ramp: bool = False) -> U8:
        """(n, n, 3) sRGB. A ramp goes from the first colour (left) to the second instead of the pattern."""
        fine, soft = self._elsewhere(self._fine), self._elsewhere(self._soft)
        if ramp:
            share = self._x + 0.1 * soft
        elif material.pattern == "plain":
            share = 0.25 * soft
        else:
            share = PATTERNS[material.pattern](self._rng, self._x, self._y)
        share = share + 0.07 * fine  # nothing is of one colour only
        level = ((share - _LEVELS[0]) * (len(_LEVELS) - 1) / np.ptp(_LEVELS)).clip(0, len(_LEVELS) - 1).astype(np.intp)
        a, b = np.asarray(material.rgb), np.asarray(material.rgb2)
        colours = np.clip(a + (_LEVELS.clip(0, 1) if ramp else _LEVELS)[:, None] * (b - a), 0, 1)
        return (colours * 255 + 0.5).astype(np.uint8)[level]

    def _elsewhere(self, field: F64) -> F64:
        """Periodic noise from another place: one field serves all tiles."""
        dy, dx = self._rng.integers(self._n, size=2)
        return np.roll(field, (int(dy), int(dx)), (0, 1))


_LEVELS = np.linspace(-0.4, 1.4, 512)


def noise(rng: np.random.Generator, n: int, smoothness: float, stretch: float = 1.0) -> F64:
    """(n, n) periodic noise of deviation 1: spectrum 1 / f^smoothness, drawn out along y by ``stretch``."""
    weight = _weight(n, round(smoothness, 1), stretch)
    white = rng.standard_normal((2, *weight.shape))
    field = np.fft.irfft2((white[0] + 1j * white[1]) * weight, s=(n, n))
    return field / field.std()


@lru_cache(maxsize=64)
def _weight(n: int, smoothness: float, stretch: float) -> F64:
    fy, fx = np.fft.fftfreq(n)[:, None] * n, np.fft.rfftfreq(n)[None, :] * n
    f = np.sqrt(fx**2 + (stretch * fy) ** 2)
    f[0, 0] = np.inf
    weight = f**-smoothness
    weight.flags.writeable = False
    return weight


def _wave(t: F64) -> F64:
    return 0.5 - 0.5 * np.cos(2 * np.pi * t)


def _edge(t: F64, at: float | F64, soft: float = 0.04) -> F64:
    """0 below, 1 above, a soft step between."""
    return np.clip((t - at) / soft + 0.5, 0, 1)


def _worn(rng: np.random.Generator, x: F64, y: F64) -> F64:
    return 0.5 * noise(rng, x.shape[1], 1.3, 2.0) + 0.6 * _edge(noise(rng, x.shape[1], 1.1), 1.8, 0.5)


def _wood(rng: np.random.Generator, x: F64, y: F64) -> F64:
    n = x.shape[1]
    rings = _wave(rng.integers(3, 8) * x + spread(rng, 0.15, 0.5) * noise(rng, n, 2.0, 4.0))
    return 0.2 + 0.55 * rings**1.5 + 0.22 * noise(rng, n, 0.7, 14.0)


def _brushed(rng: np.random.Generator, x: F64, y: F64) -> F64:
    return 0.35 * noise(rng, x.shape[1], 0.5, 25.0)


def _noise(rng: np.random.Generator, x: F64, y: F64) -> F64:
    return 0.4 + 0.35 * noise(rng, x.shape[1], spread(rng, 0.7, 1.3))


def _speckle(rng: np.random.Generator, x: F64, y: F64) -> F64:
    return _edge(noise(rng, x.shape[1], 0.35), spread(rng, 1.0, 1.7), 0.5) + 0.1 * noise(rng, x.shape[1], 1.2)


def _marble(rng: np.random.Generator, x: F64, y: F64) -> F64:
    n = x.shape[1]
    veins = np.abs(np.sin(np.pi * (rng.integers(1, 4) * x + rng.integers(1, 3) * y) + 1.3 * noise(rng, n, 1.6)))
    return (1 - veins) ** spread(rng, 2.0, 5.0) + 0.12 * noise(rng, n, 1.2)


def _strata(rng: np.random.Generator, x: F64, y: F64) -> F64:
    return 0.4 + 0.4 * noise(rng, x.shape[1], 1.1, 0.12)


def _stripes(rng: np.random.Generator, x: F64, y: F64) -> F64:
    k = rng.integers(4, 11)
    stripes = _edge(_wave(k * x), spread(rng, 0.3, 0.7), 0.15)
    if rng.random() < 0.4:
        stripes = np.maximum(stripes, _edge(_wave(k * x + 0.5), 0.94, 0.06))
    return stripes + _thread(x, y)


def _rings(rng: np.random.Generator, x: F64, y: F64) -> F64:
    where = np.sort(rng.random(rng.integers(2, 6)))
    widths = rng.uniform(0.01, 0.06, len(where))
    inside = np.abs(y - where) < widths  # (n, bands)
    return np.broadcast_to(inside.any(1).astype(float)[:, None], (len(y), x.shape[1]))


def _checks(rng: np.random.Generator, x: F64, y: F64) -> F64:
    k = rng.integers(3, 8)
    a, b = _edge(_wave(k * x), 0.5, 0.1), _edge(_wave(k * y), 0.5, 0.1)
    return (a + b) / 2 if rng.random() < 0.6 else a + b - 2 * a * b


def _tartan(rng: np.random.Generator, x: F64, y: F64) -> F64:
    k, at = rng.integers(2, 5), rng.random(3)

    def bands(t: F64) -> F64:
        return 0.5 * (_wave(k * t) > 0.6) + 0.35 * (_wave(k * t + at[0]) > 0.96) + 0.25 * (_wave(k * t + at[1]) > 0.9)

    return 0.6 * (bands(x) + bands(y)) + _thread(x, y)


def _dots(rng: np.random.Generator, x: F64, y: F64) -> F64:
    k, radius = rng.integers(4, 9), spread(rng, 0.18, 0.36)
    shift = 0.5 * (np.floor(k * y) % 2) * (k % 2 == 0)
    u, v = (k * x + shift) % 1 - 0.5, (k * y) % 1 - 0.5
    return 1 - _edge(np.sqrt(u * u + v * v), radius, 0.12)


def _flowers(rng: np.random.Generator, x: F64, y: F64) -> F64:
    k, petals = rng.integers(3, 6), rng.integers(4, 8)
    u, v = (k * x) % 1 - 0.5, (k * y) % 1 - 0.5
    i, j = np.floor(k * x).astype(int) % k, np.floor(k * y).astype(int) % k
    there, turn = rng.random((k, k))[j, i], rng.uniform(0, 6, (k, k))[j, i]
    r, t = np.sqrt(u * u + v * v), np.arctan2(v, u)
    out = 1 - _edge(r, 0.32 * (0.65 + 0.35 * np.cos(petals * t + turn)), 0.06)
    return out * (there < 0.75) * _edge(r, 0.08, 0.05)


def _zigzag(rng: np.random.Generator, x: F64, y: F64) -> F64:
    k = rng.integers(4, 9)
    return _edge(_wave(rng.integers(3, 7) * y + 0.5 * np.abs(2 * ((k * x) % 1) - 1)), 0.5, 0.2)


def _weave(rng: np.random.Generator, x: F64, y: F64) -> F64:
    n = x.shape[1]
    return 0.35 + 3 * _thread(x, y) + 0.15 * noise(rng, n, 0.3, 4.0) + 0.15 * noise(rng, n, 0.3, 0.25)


def _thread(x: F64, y: F64) -> F64:
    k = x.shape[1] // 6
    return 0.12 * np.sin(2 * np.pi * k * x) * np.sin(2 * np.pi * k * y)


def _bricks(rng: np.random.Generator, x: F64, y: F64) -> F64:
    rows, n = 2 * rng.integers(7, 12), x.shape[1]
    columns = rows // 2
    row = np.floor(rows * y).astype(int) % rows
    u = columns * x + 0.5 * (row % 2)
    tone = rng.normal(0, 0.16, (rows, columns))[row, np.floor(u).astype(int) % columns]
    a, b = u % 1, (rows * y) % 1
    joint = np.maximum(_edge(np.abs(a - 0.5), 0.465, 0.03), _edge(np.abs(b - 0.5), 0.43, 0.05))
    return joint + (1 - joint) * (tone + 0.08 * noise(rng, n, 0.6))


def _planks(rng: np.random.Generator, x: F64, y: F64) -> F64:
    k = rng.integers(5, 10)
    tone = rng.normal(0.25, 0.18, k)[np.floor(k * x).astype(int) % k]
    gap = _edge(np.abs((k * x) % 1 - 0.5), 0.47, 0.03)
    return np.maximum(gap * 1.3, tone + 0.12 * noise(rng, x.shape[1], 0.7, 12.0))


def _shingles(rng: np.random.Generator, x: F64, y: F64) -> F64:
    rows = 2 * rng.integers(5, 9)
    row = np.floor(rows * y).astype(int) % rows
    u = rows * x + 0.5 * (row % 2)
    tone = rng.normal(0.2, 0.15, (rows, rows))[row, np.floor(u).astype(int) % rows]
    a, b = u % 1 - 0.5, (rows * y) % 1
    return tone + 0.6 * _edge(b + 0.5 * a * a * 4 * 0.5, 0.86, 0.15) + 0.35 * _edge(np.abs(a), 0.46, 0.05)


def _drip(rng: np.random.Generator, x: F64, y: F64) -> F64:
    k = rng.integers(3, 7)
    line = 0.45 + 0.12 * np.sin(2 * np.pi * k * x + rng.uniform(0, 6)) + 0.06 * np.sin(4 * np.pi * k * x)
    return 1 - _edge(y - line, 0.0, 0.03)


PATTERNS: dict[str, Pattern] = {
    "worn": _worn,
    "wood": _wood,
    "brushed": _brushed,
    "noise": _noise,
    "speckle": _speckle,
    "marble": _marble,
    "strata": _strata,
    "stripes": _stripes,
    "rings": _rings,
    "checks": _checks,
    "tartan": _tartan,
    "dots": _dots,
    "flowers": _flowers,
    "zigzag": _zigzag,
    "weave": _weave,
    "bricks": _bricks,
    "planks": _planks,
    "shingles": _shingles,
    "drip": _drip,
}
