"""Pictures against their ground truth."""

from __future__ import annotations

import torch
from torch import Tensor

from scenemaker.errors import InputError, ShapeError, expected
from scenemaker.evaluation.batched.precision import full_precision


@full_precision
def psnr(a: Tensor, b: Tensor, mask: Tensor | None = None, *, peak: float = 1.0) -> Tensor:
    """(...) peak signal-to-noise ratio in dB of pictures (..., c, h, w); infinite, without gradient, for equal ones.

    Args:
        a: (..., c, h, w) pictures with values in [0, peak].
        b: (..., c, h, w) pictures.
        mask: (..., h, w) bool, the pixels that count; all when None.
        peak: The largest value.

    Raises:
        ShapeError: Pictures or masks of unequal shape, or not of a float dtype.
        InputError: A mask without pixels.
    """
    if a.shape != b.shape or a.ndim < 3 or not (a.is_floating_point() and b.is_floating_point()):
        got, remedy = f"{a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)}", "convert and resize them"
        raise ShapeError(expected("two pictures (..., c, h, w) of a float dtype and one size", got=got, remedy=remedy))
    difference, values = a - b, a.shape[-3] * a.shape[-2] * a.shape[-1]
    if mask is not None:
        values = a.shape[-3] * _pixels(mask, a)
        difference = torch.where(mask[..., None, :, :], difference, 0)
    error = difference.square().sum((-3, -2, -1)) / values  # (...)
    differ = error > 0
    return torch.where(differ, 10 * torch.log10(peak**2 / torch.where(differ, error, 1)), torch.inf)


def _pixels(mask: Tensor, pictures: Tensor) -> Tensor:
    shape = pictures.shape[:-3] + pictures.shape[-2:]
    if mask.dtype != torch.bool or mask.shape != shape:
        got, remedy = f"{mask.dtype} {tuple(mask.shape)}", "give one for each picture"
        raise ShapeError(expected(f"a mask {tuple(shape)} of bool", got=got, remedy=remedy))
    pixels = mask.sum((-2, -1))  # (...)
    if not bool((pixels > 0).all()):
        raise InputError(expected("a mask with at least one pixel", got="an empty mask", remedy="leave the object out"))
    return pixels
