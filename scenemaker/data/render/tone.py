"""From linear light to an 8-bit picture: exposure, a soft shoulder, sRGB. The same for every renderer."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from scenemaker.data.render.textures import Floats
from scenemaker.geometry.colour import srgb_from_linear
from scenemaker.scene import F32, U8

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear sRGB
_KEY = 0.26  # where the mean (of logarithms) of a picture comes to lie, between black 0 and white 1
_BRIGHT = 1.5  # the brightest 2 % may not start above; the shoulder keeps their drawing
_SHOULDER = 0.6  # linear below; above, light is compressed towards 1
_STEPS = 4096


def auto_exposure(radiance: Floats) -> float:
    """The factor that brings linear light (..., 3) into the range of a picture.

    As a camera does: the mean of the logarithms goes to a middle grey, unless the brightest parts would burn out.
    """
    light = radiance.reshape(-1, 3) @ _LUMINANCE
    light = light[np.isfinite(light)]
    light = light[:: max(1, len(light) // 16384)]
    top = float(np.quantile(light, 0.98)) if len(light) else 0.0
    if top <= 0:
        return 1.0
    middle = float(np.exp(np.log(np.maximum(light, 1e-3 * top)).mean()))
    return min(_KEY / middle, _BRIGHT / top)


def tone_mapped(exposed: Floats) -> Floats:
    """Display-linear light in [0, 1] of exposed light (..., 3): equal up to 0.6, then bent smoothly towards 1."""
    room = 1 - _SHOULDER
    x = np.maximum(exposed, 0)
    over = np.maximum(x - _SHOULDER, 0)
    return np.where(x > _SHOULDER, _SHOULDER + room * over / (over + room), x)


def to_srgb(display: Floats) -> U8:
    """(H, W, 3) uint8 sRGB of display-linear light in [0, 1].

    A fixed pattern of less than one step is added before rounding: smooth skies and walls show no bands.
    """
    h, w = display.shape[:2]
    root = np.sqrt(np.clip(display, 0, 1)) * (_STEPS - 1)  # finer steps in the dark
    value = _srgb_of_root()[(root + 0.5).astype(np.int32)]
    tile = dither()
    threshold = np.tile(tile, (-(-h // len(tile)), -(-w // len(tile)), 1))[:h, :w]
    return (value + threshold).astype(np.uint8)


def develop(radiance: Floats, *, exposure: float | None = None) -> U8:
    """(H, W, 3) uint8 sRGB picture of linear light; without ``exposure`` it is found by ``auto_exposure``."""
    factor = auto_exposure(radiance) if exposure is None else exposure
    return to_srgb(tone_mapped(np.nan_to_num(radiance) * np.float32(factor)))


@cache
def dither() -> F32:
    """(64, 64, 3) fixed thresholds in [0, 1), high frequencies only, each value equally often."""
    rng = np.random.default_rng(0)
    noise = rng.random((64, 64, 3))
    for _ in range(4):  # sharpen away the low frequencies, then make it uniform again
        blurred = sum(np.roll(noise, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
        order = (noise - blurred).reshape(-1, 3).argsort(0).argsort(0)
        noise = ((order + 0.5) / 4096).reshape(noise.shape)
    return noise.astype(np.float32)


@cache
def _srgb_of_root() -> NDArray[np.float32]:
    """sRGB in 0..255 of the square root of light, in 4096 steps."""
    return (srgb_from_linear((np.arange(_STEPS) / (_STEPS - 1)) ** 2) * 255).astype(np.float32)
