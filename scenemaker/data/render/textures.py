"""Textures in linear light, looked up bilinearly at a level that fits the pixel."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.colour import linear_from_srgb
from scenemaker.scene import F32

Floats = NDArray[np.floating[Any]]  # float32 all through: NumPy's types lose it on the way


@cache
def linear_table() -> F32:
    """(256,) linear light of 8-bit sRGB."""
    return linear_from_srgb(np.arange(256) / 255).astype(np.float32)


def pyramid(image: F32) -> list[F32]:
    """The image and its halves down to one pixel, each the mean of the one before."""
    levels = [np.ascontiguousarray(image)]
    while max(levels[-1].shape[:2]) > 1:
        h, w = levels[-1].shape[:2]
        size = (max(w // 2, 1), max(h // 2, 1))
        levels.append(np.asarray(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA), np.float32))
    return levels


def remap(image: F32, x: NDArray[Any], y: NDArray[Any], border: int) -> F32:
    """(n, 3) bilinear values at pixel positions (n,), where the centre of the first pixel is (0, 0)."""
    n = len(x)
    if not n:
        return np.empty((0, image.shape[2]), np.float32)
    width = 4096  # cv2 takes maps of at most 32767 a side
    rows = -(-n // width)
    if rows > 1:
        pad = rows * width - n
        x, y = np.pad(x, (0, pad)), np.pad(y, (0, pad))
    shape = (rows, -1)
    out = cv2.remap(
        image,
        np.ascontiguousarray(x, np.float32).reshape(shape),
        np.ascontiguousarray(y, np.float32).reshape(shape),
        cv2.INTER_LINEAR,
        borderMode=border,
    )
    return np.asarray(out, np.float32).reshape(-1, image.shape[2])[:n]


def look_up(levels: list[F32], uv: Floats, footprint: Floats, *, repeat: bool) -> F32:
    """(n, 3) colours at uv (2, n) in textures of unit side, v down.

    Args:
        levels: Of ``pyramid``.
        uv: Of the points.
        footprint: (n,) side of a pixel's foot in uv; the two nearest levels are mixed.
        repeat: Tiles the texture; else the border goes on.
    """
    border = cv2.BORDER_WRAP if repeat else cv2.BORDER_REPLICATE
    if repeat:
        uv = uv - np.floor(uv)
    level = np.log2(np.maximum(footprint * max(levels[0].shape[:2]), 1)).clip(0, len(levels) - 1)
    base = level.astype(np.int32)
    out = np.empty((uv.shape[1], 3), np.float32)
    for k in range(len(levels)):
        on = np.flatnonzero(base == k)
        if not len(on):
            continue
        mix = (level[on] - k)[:, None]
        at = uv.take(on, 1)

        def sample(image: F32, at: Floats = at) -> F32:
            side = np.array([[image.shape[1]], [image.shape[0]]], np.float32)
            x, y = at * side - np.float32(0.5)
            return remap(image, x, y, border)

        fine = sample(levels[k])
        out[on] = fine if k + 1 == len(levels) else fine + mix * (sample(levels[k + 1]) - fine)
    return out
