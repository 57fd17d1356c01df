"""Colours for what was hidden, from the object's own visible pixels and nothing else."""

from __future__ import annotations

import cv2
import numpy as np

from scenemaker.deocclusion.mirror import Axis
from scenemaker.scene import F32, U8, Bool

FILL_PX = 128  # longer side of the reduced picture in which colours are spread
LIGHT = 0.7  # share of the difference in smooth colour between spread and mirrored colours that counts as light
SMOOTH = 0.3  # neighbourhood for that, of the longer side
RIM_PX = 2  # of the visible part not used as a source: there the camera mixed in what lies beyond


def fill_hidden(rgb: U8, modal: Bool, added: Bool, axis: Axis | None, *, mirror_trust: float) -> U8:
    """(h, w, 3) the picture with new colours in ``added``; all other pixels are as they were.

    Args:
        rgb: (h, w, 3) the crop.
        modal: (h, w) what is seen of the object.
        added: (h, w) what gets colours.
        axis: Where the object is mirrored, if at all.
        mirror_trust: 0 to 1, how much mirrored colours count against spread ones.
    """
    rows, cols = np.flatnonzero((modal | added).any(1)), np.flatnonzero((modal | added).any(0))
    box = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
    source = _core(modal)
    colours = _spread(rgb[box], source[box])
    out = rgb.copy()
    if axis is not None and mirror_trust > 0:
        seen = axis.mirrored(source.astype(np.float32))
        image = axis.mirrored(rgb.astype(np.float32) * source[..., None]) / np.maximum(seen, 1e-3)[..., None]
        seen, image = np.where(seen > 0.5, seen, np.float32(0))[box], image[box].astype(np.float32)
        weight = mirror_trust * seen[..., None]
        light = LIGHT * (_smooth(colours, seen) - _smooth(image, seen))  # the halves are lit differently
        colours = (1 - weight) * colours + weight * (image + light)
    out[box][added[box]] = colours[added[box]].round().clip(0, 255).astype(np.uint8)
    return out


def _smooth(colours: F32, where: F32) -> F32:
    """(h, w, 3) mean colours of the neighbourhood, over ``where`` (h, w) only."""
    side = max(3, round(SMOOTH * max(where.shape)))
    total = cv2.blur(colours * where[..., None], (side, side))
    return np.asarray(total / np.maximum(cv2.blur(where, (side, side)), 1e-3)[..., None], np.float32)


def _core(modal: Bool) -> Bool:
    """The mask without its rim, as far as that leaves anything."""
    padded = np.pad(modal.astype(np.uint8), 1)
    for rim in range(RIM_PX, 0, -1):
        core = cv2.erode(padded, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))[1:-1, 1:-1] > 0
        if core.sum() > 0.3 * modal.sum():
            return core
    return modal


def _spread(rgb: U8, source: Bool) -> F32:
    """(h, w, 3) float32 colours of the source, inpainted everywhere else in a reduced picture."""
    h, w = source.shape
    scale = min(1.0, FILL_PX / max(h, w))
    size = max(1, round(w * scale)), max(1, round(h * scale))
    share = cv2.resize(source.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(rgb.astype(np.float32) * source[..., None], size, interpolation=cv2.INTER_AREA)
    small = np.asarray(small) / np.maximum(share, 1e-6)[..., None]
    known = share >= min(0.25, share.max())
    filled = cv2.inpaint(small.round().clip(0, 255).astype(np.uint8), (~known).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return np.asarray(cv2.resize(filled, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)
