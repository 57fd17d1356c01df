"""Masks and depth made worse in known amounts, to see what a system makes of them.

Level 1 is a good perception system's error, each further level is three times the one before:

| kind | level 1 |
|---|---|
| masks-eroded, masks-dilated | by 1 % of the longer side of each mask's box; masks stay disjoint |
| masks-broken | each mask loses a band through its middle that holds 5 % of it, and falls apart |
| depth-scaled | all depth times exp(0.05) or exp(-0.05) |
| depth-noisy | every pixel times 1 + 1 % noise, and times 1 + a smooth field of 0.5 % |
| depth-holes | 5 % of the pixels lost, in patches |
| both | eroded or dilated by chance per object, noisy, with holes |
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import ConfigError, expected

KINDS = ("masks-eroded", "masks-dilated", "masks-broken", "depth-scaled", "depth-noisy", "depth-holes", "both")
SMOOTH = 1 / 16  # of the longer side of the picture: width of the smooth field and of the patches
Labels = NDArray[np.integer[Any]]
Depth = NDArray[np.float32]


def perturb(
    labels: Labels, depth: Depth, kind: str, level: int, *, name: str = "", seed: int = 0
) -> tuple[Labels, Depth]:
    """Label image (H, W) and depth (H, W) made worse; the inputs stay as they are.

    Args:
        labels: 0 background, else the id of an object.
        depth: z, NaN where unknown.
        kind: One of ``KINDS``.
        level: 1, 2, ...: the amounts of level 1 times 3^(level - 1).
        name: Of the scene: each has noise, signs and patches of its own, the same at every level.
        seed: Of all that is random.

    Raises:
        ConfigError: No such kind, or a level below 1.
    """
    if kind not in KINDS or level < 1:
        remedy = f"choose one of {', '.join(KINDS)}, and a level from 1"
        raise ConfigError(expected("a perturbation", got=f"{kind!r} at level {level}", remedy=remedy))
    rng, times = np.random.default_rng([seed, KINDS.index(kind), *name.encode()]), 3.0 ** (level - 1)
    if kind == "masks-broken":
        return _broken(labels, 0.05 * times, rng), depth.copy()
    if kind.startswith("masks"):
        return _resized(
            labels, {int(i): -times if kind == "masks-eroded" else times for i in _ids(labels)}
        ), depth.copy()
    if kind == "depth-scaled":
        return labels.copy(), (depth * np.exp(rng.choice([-0.05, 0.05]) * times)).astype(np.float32)
    if kind == "depth-noisy":
        return labels.copy(), _noisy(depth, times, rng)
    if kind == "depth-holes":
        return labels.copy(), _holed(depth, 0.05 * times, rng)
    signs = {int(i): float(rng.choice([-times, times])) for i in _ids(labels)}
    return _resized(labels, signs), _holed(_noisy(depth, times, rng), 0.05 * times, rng)


def _ids(labels: Labels) -> Labels:
    return np.unique(labels[labels > 0])


def _resized(labels: Labels, percent: dict[int, float]) -> Labels:
    """Every mask grown (above 0) or shrunk by a percentage of the longer side of its box, at least by a pixel.

    Growing masks take background only, so that no object hides another that it did not hide.
    """
    import cv2

    out = labels.copy()
    for id, amount in percent.items():
        mask = labels == id
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        r = max(1, round(abs(amount) / 100 * max(np.ptp(rows) + 1, np.ptp(columns) + 1)))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1))
        if amount > 0:
            grown = cv2.dilate(mask.astype(np.uint8), kernel) > 0
            out[grown & (labels == 0) & (out == 0)] = id
        else:
            out[mask & (cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_REPLICATE) == 0)] = 0
    return out


def _broken(labels: Labels, share: float, rng: np.random.Generator) -> Labels:
    out = labels.copy()
    for id in _ids(labels):
        y, x = np.nonzero(labels == id)
        angle = rng.uniform(0, np.pi)
        across = x * np.cos(angle) + y * np.sin(angle)
        far = np.abs(across - np.median(across))
        lost = far <= np.quantile(far, min(share, 0.9))
        out[y[lost], x[lost]] = 0
    return out


def _noisy(depth: Depth, times: float, rng: np.random.Generator) -> Depth:
    field = 1 + 0.005 * times * _smooth(depth.shape, rng)
    return (depth * field * (1 + 0.01 * times * rng.standard_normal(depth.shape))).astype(np.float32)


def _holed(depth: Depth, share: float, rng: np.random.Generator) -> Depth:
    field = _smooth(depth.shape, rng)
    return np.where(field <= np.quantile(field, min(share, 0.9)), np.nan, depth).astype(np.float32)


def _smooth(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """A random field (H, W) of mean 0 and standard deviation 1, as smooth as ``SMOOTH`` says."""
    import cv2

    sigma = SMOOTH * max(shape)
    field = cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return (field - field.mean()) / max(float(field.std()), 1e-12)
