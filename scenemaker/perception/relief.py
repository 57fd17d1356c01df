"""The visible surface of an upright solid that fills a mask and stands at a given distance.

The solid has half-round horizontal slices as wide as the mask, a flat top where the camera looks down on it, and
never sinks into what it stands on. The three shape constants are averages over solids of many kinds: those of least
depth error on the scenes of ``benchmarks/made_scenes.py``.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
ROUNDNESS = 0.4  # depth of the half-round front over its half width
DEPTH_OVER_WIDTH = 1.0  # of the footprint
LEAST_HEIGHT = 0.28  # share of the mask's height on the ground that is not top
NEAR = 0.05  # forward part of a ray, or z, below which the camera looks onto its own feet


def surface_depth(
    mask: NDArray[np.bool_], rays: tuple[F32, F32, F32], *, foot_forward: float, base_height: float
) -> F32:
    """(h, w) z of a solid's surface inside a mask; what it holds outside is of no meaning.

    Args:
        mask: (h, w), at least one pixel.
        rays: Right, up and forward parts (h, w) of the pixels' rays scaled to z = 1, in level axes.
        foot_forward: Forward distance of the nearest point of its foot, camera heights.
        base_height: Height of what it stands on, camera heights.
    """
    right, up, forward = rays
    slope = up / np.maximum(forward, NEAR)  # rise per unit of forward distance
    on_slope, on_right = slope[mask], right[mask]
    lowest, highest = float(on_slope.min()), float(on_slope.max())
    foot_z = _foot_z(mask, up, forward, foot_forward, base_height)
    depth_extent = DEPTH_OVER_WIDTH * float(np.ptp(on_right)) * foot_z
    if highest < 0:  # seen from above: top and foot share the mask's height between them
        ground_extent = (1 - base_height) / -highest - foot_forward
        depth_extent = min(depth_extent, (1 - LEAST_HEIGHT) * max(ground_extent, 1e-3 * foot_z))
    top_height = 1 + (foot_forward + depth_extent * (highest < 0)) * highest
    foot = on_slope <= lowest + 0.2 * (highest - lowest)
    axis_forward = foot_forward + ROUNDNESS * float(np.ptp(on_right[foot])) * foot_z / 2
    centre, half = _profile(mask, right)
    across = np.clip((right - centre) / half, -1, 1)
    front = axis_forward - ROUNDNESS * half * foot_z * np.sqrt(1 - across**2)
    front = np.maximum(front, foot_forward - 0.25 * foot_z)
    z = np.where(forward > NEAR, front / np.maximum(forward, NEAR), 0.0)
    falls = up < -1e-4
    fall = np.where(falls, -up, 1.0)
    if top_height < 1:
        # a top is no deeper than the solid is wide there: ears and chair backs grow no wings
        deepest = (axis_forward + 2 * half * foot_z) / np.maximum(forward, NEAR)
        z = np.where(falls, np.maximum(z, np.minimum((1 - top_height) / fall, deepest)), z)
    if base_height < 1:
        z = np.where(falls, np.minimum(z, (1 - base_height) / fall), z)
    return np.maximum(z, 0.3 * foot_z).astype(np.float32)


def _foot_z(mask: NDArray[np.bool_], up: F32, forward: F32, foot_forward: float, base_height: float) -> float:
    """z of the foot: from the fall to what it stands on where the camera looks down, else from the distance."""
    row = int(np.flatnonzero(mask.any(1))[-1])
    column = int(mask[row].argmax())
    by_distance = foot_forward / max(float(forward[row, column]), NEAR)
    if not np.isfinite(base_height) or base_height >= 1 or up[row, column] > -1e-3:
        return max(by_distance, NEAR)
    by_fall = (1 - base_height) / -float(up[row, column])
    return max(by_fall if foot_forward <= 0 else min(by_fall, by_distance), NEAR)


def _profile(mask: NDArray[np.bool_], right: F32) -> tuple[F32, F32]:
    """(h, 1) centre and half width of the mask per row, smoothed along the rows."""
    h, w = mask.shape
    rows = np.arange(h)
    seen = mask.any(1)
    first, last = mask.argmax(1), w - 1 - mask[:, ::-1].argmax(1)
    pixel = abs(float(right[0, -1] - right[0, 0])) / max(w - 1, 1) if w > 1 else 1e-4
    a, b = right[rows, first] - pixel / 2, right[rows, last] + pixel / 2
    known = np.flatnonzero(seen)
    a, b = np.interp(rows, known, a[known]), np.interp(rows, known, b[known])
    size = 2 * int(0.06 * h) + 1
    ends = np.stack([a, b], 1).astype(np.float32)
    ends = cv2.blur(ends, (1, size), borderType=cv2.BORDER_REPLICATE).reshape(h, 2)
    return ends.mean(1, keepdims=True), np.maximum(np.ptp(ends, axis=1, keepdims=True) / 2, pixel / 2)
