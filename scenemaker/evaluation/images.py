"""Pictures and masks against their ground truth.

Convention: pictures are (h, w, 3) uint8 RGB, masks (h, w) bool. With a mask only its pixels count; a mask without
pixels is an error, for then there is nothing to measure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.errors import InputError, ShapeError, expected
from scenemaker.geometry.cameras import F64

Bool = NDArray[np.bool_]

PEAK = 255.0
WINDOW = 11  # pixels across the Gaussian window of SSIM
SIGMA_PX = 1.5


def psnr(a: ArrayLike, b: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Peak signal-to-noise ratio in dB: 10 log10(255^2 / mean squared difference); infinite for equal pictures.

    Raises:
        ShapeError: Pictures or mask of unequal size, or of another dtype.
        InputError: A mask without pixels.
    """
    a, b = _pictures(a, b)
    keep = _mask(mask, a.shape[:2])
    error = float(np.mean((a[keep] - b[keep]) ** 2))
    return float(10 * np.log10(PEAK**2 / error)) if error > 0 else float("inf")


def ssim(a: ArrayLike, b: ArrayLike, mask: ArrayLike | None = None) -> float:
    """Structural similarity, at most 1: mean over the channels and over all whole windows, or over a mask's pixels.

    Without a mask the outer 5 pixels, whose windows reach over the edge, do not count, as in the paper's code. With
    one they do, over mirrored pixels, so that an object at the edge has a value.

    Reference: Wang et al., "Image quality assessment: from error visibility to structural similarity", TIP 2004,
    eq. 13-16, with its 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03.

    Raises:
        ShapeError: Pictures or mask of unequal size, of another dtype, or smaller than the window.
        InputError: A mask without pixels.
    """
    a, b = _pictures(a, b)
    if min(a.shape[:2]) < WINDOW:
        remedy = "give larger pictures"
        raise ShapeError(expected(f"pictures of at least {WINDOW}x{WINDOW} pixels", got=_size(a.shape), remedy=remedy))
    values = _ssim_map(a, b)  # (h, w, 3)
    edge = WINDOW // 2
    if mask is None:
        return float(values[edge:-edge, edge:-edge].mean())
    return float(values[_mask(mask, a.shape[:2])].mean())


def mask_iou(a: ArrayLike, b: ArrayLike) -> float:
    """Common pixels over the pixels of either; 1 where both are empty, for they agree.

    Raises:
        ShapeError: Masks of unequal size, or of another dtype.
    """
    a = _bool(a)
    b = _bool(b, a.shape)
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def rgb8(picture: ArrayLike) -> NDArray[np.uint8]:
    """The picture (h, w, 3) uint8, checked.

    Raises:
        ShapeError: Another shape or dtype.
    """
    x: NDArray[Any] = np.asarray(picture)
    if x.ndim != 3 or x.shape[2] != 3 or x.dtype != np.uint8 or not x.size:
        got, remedy = f"{x.dtype} {x.shape}", "convert it to 8-bit RGB"
        raise ShapeError(expected("a picture (h, w, 3) uint8", got=got, remedy=remedy))
    return x


def _ssim_map(a: F64, b: F64) -> F64:
    """(h, w, 3) structural similarity of the windows around each pixel."""
    import cv2

    at = np.arange(WINDOW) - WINDOW // 2
    window = np.exp(-(at**2) / (2 * SIGMA_PX**2))
    window /= window.sum()

    def mean(x: F64) -> F64:
        return np.asarray(cv2.sepFilter2D(x, cv2.CV_64F, window, window, borderType=cv2.BORDER_REFLECT), np.float64)

    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, covariance = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return alike / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))


def _pictures(a: ArrayLike, b: ArrayLike) -> tuple[F64, F64]:
    a, b = rgb8(a), rgb8(b)
    if a.shape != b.shape:
        got = f"{_size(a.shape)} and {_size(b.shape)}"
        raise ShapeError(expected("two pictures of one size", got=got, remedy="resize one to the other"))
    return a.astype(np.float64), b.astype(np.float64)


def _mask(mask: ArrayLike | None, shape: tuple[int, ...]) -> Bool:
    """(h, w), all True when None."""
    if mask is None:
        return np.ones(shape, bool)
    keep = _bool(mask, shape)
    if not keep.any():
        raise InputError(expected("a mask with at least one pixel", got="an empty mask", remedy="leave the object out"))
    return keep


def _bool(mask: ArrayLike, shape: tuple[int, ...] | None = None) -> Bool:
    m: NDArray[Any] = np.asarray(mask)
    if m.dtype != np.bool_ or m.ndim != 2:
        got = f"{m.dtype} {m.shape}"
        raise ShapeError(expected("a mask (h, w) of bool", got=got, remedy="compare it with a threshold first"))
    if shape is not None and m.shape != shape:
        raise ShapeError(expected(f"a mask of {_size(shape)}", got=_size(m.shape), remedy="resize it"))
    return m


def _size(shape: tuple[int, ...]) -> str:
    """Width and height, as people write them: 640x480."""
    return f"{shape[1]}x{shape[0]}"
