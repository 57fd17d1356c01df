"""A box around what a single point lies on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.perception.box_masks import stretched_lab
from scenemaker.perception.boxes import Box, Point

WORKING_PX = 256
TOLERANCES = (40, 30, 22, 16, 11, 8, 5, 3)  # colour steps (of 255) that the region around the point may cross
MOST = 0.35  # share of the photo that an object may fill


def box_around(rgb: NDArray[np.uint8], point_px: Point) -> Box:
    """(x0, y0, x1, y1) of the largest region around the point that is closed against the rest of the photo.

    The region grows over colour steps below a tolerance; the tolerance falls until the region is smaller than
    ``MOST`` of the photo and does not reach two opposite sides of it.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, WORKING_PX / max(height, width))
    size = max(4, round(width * scale)), max(4, round(height * scale))
    lab = cv2.GaussianBlur(stretched_lab(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)), (0, 0), 1.0)
    sx, sy = size[0] / width, size[1] / height
    seed = min(int(point_px[0] * sx), size[0] - 1), min(int(point_px[1] * sy), size[1] - 1)
    x = y = 0
    w, h = size
    for tolerance in TOLERANCES:
        mask = np.zeros((size[1] + 2, size[0] + 2), np.uint8)
        area, _, _, (x, y, w, h) = cv2.floodFill(
            lab, mask, seed, (0, 0, 0), (tolerance,) * 3, (tolerance,) * 3, 4 | cv2.FLOODFILL_MASK_ONLY
        )
        if area <= MOST * size[0] * size[1] and w < size[0] and h < size[1]:
            break
    # A region of a few pixels says nothing of the object's size: look at the neighbourhood instead.
    least = 0.06 * max(size)
    cx, cy, w, h = x + w / 2, y + h / 2, max(w, least), max(h, least)
    pad = 0.04 * max(size)
    x0, y0, x1, y1 = cx - w / 2 - pad, cy - h / 2 - pad, cx + w / 2 + pad, cy + h / 2 + pad
    return max(0.0, x0 / sx), max(0.0, y0 / sy), min(float(width), x1 / sx), min(float(height), y1 / sy)
