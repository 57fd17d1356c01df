"""Colours as functions of the place on an object: wood, cloth, ceramics. Linear RGB, metres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Material:
    """``albedo``: (n, 3) points of the object's own frame to (n, 3) linear RGB; ``coat``: strength of the gloss."""

    albedo: Callable[[F64], F64]
    coat: float = 0.0
    roughness: float = 0.2


def srgb(code: str) -> F64:
    """(3,) linear RGB of "#rrggbb"."""
    c = np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def noise(p: F64) -> F64:
    """(n,) value noise in [0, 1] of points (n, 3), one lattice cell per unit."""
    cell = np.floor(p).astype(np.int64)
    f = p - cell
    f = f * f * (3 - 2 * f)
    out = np.zeros(len(p))
    for corner in range(8):
        bits = np.array([corner & 1, corner >> 1 & 1, corner >> 2 & 1])
        weight = np.where(bits, f, 1 - f).prod(1)
        out += weight * _hash(cell + bits)
    return out


def _hash(cell: NDArray[np.int64]) -> F64:
    h = (cell[:, 0] * 374761393 + cell[:, 1] * 668265263 + cell[:, 2] * 2147483647) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((h ^ (h >> 16)) & 0xFFFF) / 0xFFFF


def fractal(p: F64, octaves: int = 4) -> F64:
    """(n,) sum of noises of doubling frequency, about [0, 1]."""
    weights = 0.5 ** np.arange(octaves)
    return sum(w * noise(p * 2.0**i + 17 * i) for i, w in enumerate(weights)) / weights.sum()


def plain(code: str, *, mottle: float = 0.0, coat: float = 0.0, roughness: float = 0.2) -> Material:
    """One colour, slightly uneven."""
    colour = srgb(code)
    return Material(lambda p: colour * (1 + mottle * (fractal(p * 9) - 0.5))[:, None], coat, roughness)


def cloth(code: str, *, thread_m: float = 0.004) -> Material:
    """A woven cloth."""
    colour = srgb(code)

    def albedo(p: F64) -> F64:
        q = p * np.pi / thread_m
        weave = np.sin(q[:, 0] + q[:, 2]) * np.sin(q[:, 1] - q[:, 2])
        shade = 1 + 0.10 * weave + 0.35 * (fractal(p * [60, 60, 60], 2) - 0.5) + 0.25 * (fractal(p * 7) - 0.5)
        return colour * shade[:, None]

    return Material(albedo)


def wood(light: str, dark: str, axis: int, *, coat: float = 0.35) -> Material:
    """Wood whose grain runs along an axis."""
    a, b = srgb(light), srgb(dark)
    stretch = np.full(3, 14.0)
    stretch[axis] = 1.6

    def albedo(p: F64) -> F64:
        q = p * stretch
        ring = fractal(q + 3.1, 3) * 5 + 0.6 * fractal(q * 7, 2)
        streak = 0.5 + 0.5 * np.sin(2 * np.pi * ring)
        fine = fractal(p * stretch * 9, 2)
        mix = (0.65 * streak**1.5 + 0.35 * fine)[:, None]
        return a * (1 - mix) + b * mix

    return Material(albedo, coat, 0.25)


def oak_floor() -> Material:
    """Planks along z, 14 cm wide, of different tones."""
    a, b = srgb("#c79f6d"), srgb("#9a7244")

    def albedo(p: F64) -> F64:
        column = np.floor(p[:, 0] / 0.14)
        start = 1.7 * _hash(np.stack([column, column * 0, column * 0], 1).astype(np.int64))
        row = np.floor((p[:, 2] + start) / 1.6)
        plank = np.stack([column, row, column * 0], 1).astype(np.int64)
        tone = _hash(plank)
        q = np.stack([p[:, 0] * 16, tone * 40, p[:, 2] * 1.3 + tone * 9], 1)
        grain = fractal(q, 4) * 0.6 + 0.4 * fractal(q * [6, 1, 4], 2)
        mix = np.clip(0.75 * grain + 0.5 * (tone - 0.4), 0, 1)[:, None]
        edge_x = np.abs((p[:, 0] / 0.14) % 1 - 0.5) > 0.488
        edge_z = np.abs(((p[:, 2] + start) / 1.6) % 1 - 0.5) > 0.4988
        return (a * (1 - mix) + b * mix) * np.where(edge_x | edge_z, 0.45, 1.0)[:, None]

    return Material(albedo, 0.22, 0.16)


def rug(radius: float) -> Material:
    """A round woven rug with rings and a zigzag border."""
    cream, rust, blue = srgb("#e3d7c0"), srgb("#b5694a"), srgb("#54707c")

    def albedo(p: F64) -> F64:
        r = np.hypot(p[:, 0], p[:, 2]) / radius
        angle = np.arctan2(p[:, 2], p[:, 0])
        zigzag = 0.025 * np.abs((angle * 30 / np.pi) % 2 - 1)
        out = np.broadcast_to(cream, (len(p), 3)).copy()
        out[(r > 0.955)] = rust
        out[(r > 0.80 + zigzag) & (r < 0.845 + zigzag)] = blue
        out[(r > 0.885) & (r < 0.905)] = rust
        out[(r > 0.46 + zigzag) & (r < 0.49 + zigzag)] = rust
        out[(r > 0.40) & (r < 0.415)] = blue
        strand = 1 + 0.13 * np.sin(r * radius * 2 * np.pi / 0.011) * np.sin(angle * 300)
        return out * (strand * (0.80 + 0.4 * fractal(p * 40, 3)))[:, None]

    return Material(albedo)


def stripes(codes: list[str], sectors: int, *, coat: float = 0.6) -> Material:
    """A beach ball's sectors about y, with caps."""
    colours = np.stack([srgb(c) for c in codes])

    def albedo(p: F64) -> F64:
        sector = np.floor((np.arctan2(p[:, 2], p[:, 0]) / (2 * np.pi) + 0.5) * sectors).astype(int)
        out = colours[sector % len(codes)].copy()
        out[np.hypot(p[:, 0], p[:, 2]) < 0.16 * np.abs(p[:, 1])] = colours[0]
        return out

    return Material(albedo, coat, 0.12)


def foliage() -> Material:
    """Leaf green, uneven."""
    a, b = srgb("#3f7a3a"), srgb("#7aa653")

    def albedo(p: F64) -> F64:
        mix = np.clip(1.6 * fractal(p * 12, 3) - 0.4, 0, 1)[:, None]
        return a * (1 - mix) + b * mix

    return Material(albedo, 0.3, 0.35)


def glaze(base: str, band: str, low: float, high: float) -> Material:
    """Glazed clay with a band between two heights."""
    a, b = srgb(base), srgb(band)

    def albedo(p: F64) -> F64:
        wave = 0.012 * np.sin(np.arctan2(p[:, 2], p[:, 0]) * 12)
        on = ((p[:, 1] > low + wave) & (p[:, 1] < high + wave))[:, None]
        return np.where(on, b, a) * (0.92 + 0.16 * fractal(p * 25, 3))[:, None]

    return Material(albedo, 0.7, 0.18)
