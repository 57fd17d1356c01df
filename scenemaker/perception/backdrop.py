"""Where the floor ends: the forward distance of an upright backdrop behind everything."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.cameras import F64
from scenemaker.perception.level import level_axes

FAR_OVER_OBJECTS = 4.0  # without a seen end, the floor goes this many times as far as the objects
LEAST_OVER_OBJECTS = 1.15
FARTHEST = 30.0  # camera heights; beyond it, the horizon cannot be told from the floor's end
SHARE_OF_COLUMNS = 0.5  # of the background that must show the edge
WORK_SIDE_PX = 384


def backdrop_forward(
    rgb: NDArray[np.uint8], labels: NDArray[np.uint16], K: F64, up_cam: F64, objects_forward: float
) -> float:
    """Forward distance of the backdrop in camera heights.

    A wall across the view meets the floor in a level straight line; it is looked for behind the farthest object, as
    the row (of the level picture) in which most of the background changes brightness the same way.

    Args:
        rgb: (H, W, 3).
        labels: (H, W), 0 where background.
        K: (3, 3).
        up_cam: (3,).
        objects_forward: Forward distance of the farthest thing that stands on the floor.
    """
    least = LEAST_OVER_OBJECTS * objects_forward
    seen = _floor_end(rgb, labels, K, up_cam, least)
    if seen is not None:
        return seen
    return min(max(FAR_OVER_OBJECTS * objects_forward, least), max(FARTHEST, least))


def _floor_end(rgb: NDArray[np.uint8], labels: NDArray[np.uint16], K: F64, up_cam: F64, least: float) -> float | None:
    k = min(1.0, WORK_SIDE_PX / max(labels.shape))
    size = max(1, round(labels.shape[1] * k)), max(1, round(labels.shape[0] * k))
    grey = cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT)
    K = np.diag([size[0] / labels.shape[1], size[1] / labels.shape[0], 1.0]) @ K
    M = level_axes(up_cam) @ np.linalg.inv(K)
    u = np.arange(size[0]) + 0.5
    distances = np.geomspace(max(least, 0.2), FARTHEST, 96) if least < FARTHEST else np.zeros(0)
    # pixel row v(u) in which the floor lies at forward distance D: (forward + D up) . M (u, v, 1) = 0
    rows = np.stack([-((a := M[2] + D * M[1])[0] * u + a[2]) / a[1] for D in distances]) if len(distances) else None
    if rows is None or size[1] < 8:
        return None
    soft = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    step = np.zeros_like(soft)
    step[2:-2] = soft[4:] - soft[:-4]
    free = cv2.dilate((small > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    at = np.floor(rows).astype(np.int64)
    inside = (at >= 3) & (at < size[1] - 3)
    at = at.clip(0, size[1] - 1)
    columns = np.arange(size[0])[None, :]
    use = inside & free[at, columns]
    value = step[at, columns]
    noise = 3.0 * float(np.median(np.abs(step[free]))) + 2.0 if free.any() else np.inf
    count = use.sum(1)
    share = np.maximum(((value > noise) & use).sum(1), ((value < -noise) & use).sum(1)) / np.maximum(count, 1)
    share[count < 0.25 * size[0]] = 0
    if share.max() < SHARE_OF_COLUMNS:
        return None
    strength = np.abs((value * use).sum(1)) / np.maximum(count, 1)  # an edge is seen in a few rows: take its middle
    return float(distances[np.where(share >= share.max() - 0.05, strength, 0).argmax()])
