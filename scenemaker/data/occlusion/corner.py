"""Right-angle border crops: the object runs out of the picture at one side, or at two that meet."""

from __future__ import annotations

import numpy as np

from scenemaker.data.occlusion.severity import box, calibrated
from scenemaker.scene import Bool

TWO_SIDES = 0.5  # probability


def corner(amodal: Bool, rng: np.random.Generator, severity: float) -> Bool:
    """(H, W) pixels beyond the border of the photo that would have cut the object.

    Straight cuts along rows and columns; what lies beyond one of them is gone over its whole length.

    Reference: SceneMaker 3.2.1, "right-angle cropping for image borders".

    Args:
        amodal: (H, W) the whole object.
        rng: Draws the sides and their proportion.
        severity: Share of the object to remove.
    """
    h, w = amodal.shape
    x0, y0, x1, y1 = box(amodal)
    depth = np.array([1.0, rng.uniform(0.25, 1.0) if rng.random() < TWO_SIDES else 0.0])  # at t = 1, of the box
    depth_x, depth_y = rng.permutation(depth)
    right, bottom = rng.random(2) < 0.5

    def beyond(t: float) -> Bool:
        cut_x, cut_y = round(t * depth_x * (x1 - x0)), round(t * depth_y * (y1 - y0))
        removed = np.zeros((h, w), bool)
        if cut_x:
            removed[:, x1 - cut_x :] = right
            removed[:, : x0 + cut_x] |= not right
        if cut_y:
            removed[y1 - cut_y :] |= bottom
            removed[: y0 + cut_y] |= not bottom
        return removed

    return calibrated(beyond, amodal, severity)
