"""Outlines of found regions, cut again by colour at pixel accuracy."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.perception.box_masks import stretched_lab, tidy

Bool = NDArray[np.bool_]

CORE_PX, REACH_PX = 4, 15  # how deep inside a region is surely object; how far out it may grow
ROUNDS = 2
MARGIN = 0.1  # of the region's longest side, around its box, as example of what it is not
LOST = 0.4  # a cut that keeps less of the region than this share is not believed


def polish(rgb: NDArray[np.uint8], masks: list[Bool]) -> list[Bool]:
    """The same regions (h, w) with outlines that follow the colours of the picture (h, w, 3).

    Each region is cut by itself; where two then overlap, the smaller keeps the pixels, since small things stand in
    front of large ones more often than they are holes in them.
    """
    lab = stretched_lab(rgb)
    cut = [_recut(lab, mask) for mask in masks]
    owner = np.full(rgb.shape[:2], -1)
    for k in sorted(range(len(cut)), key=lambda k: (-np.count_nonzero(cut[k]), k)):
        owner[cut[k]] = k
    return [owner == k for k in range(len(cut))]


def _recut(lab: NDArray[np.uint8], mask: Bool) -> Bool:
    h, w = mask.shape
    ys, xs = np.nonzero(mask)
    pad = max(6, round(MARGIN * max(np.ptp(ys), np.ptp(xs))))
    rows = slice(max(0, ys.min() - pad), min(h, ys.max() + pad + 1))
    cols = slice(max(0, xs.min() - pad), min(w, xs.max() + pad + 1))
    part = mask[rows, cols].astype(np.uint8)
    trimap = np.where(cv2.dilate(part, _square(REACH_PX)) > 0, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    trimap[part > 0] = cv2.GC_PR_FGD
    trimap[cv2.erode(part, _square(CORE_PX)) > 0] = cv2.GC_FGD
    if min(np.count_nonzero(trimap & 1), np.count_nonzero(~trimap & 1)) < 8:
        return mask
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    # The rectangle is not read in this mode.
    cv2.grabCut(np.ascontiguousarray(lab[rows, cols]), trimap, (0, 0, 1, 1), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = tidy((trimap & 1).astype(bool))
    if found.sum() < LOST * part.sum():
        return mask
    out = np.zeros_like(mask)
    out[rows, cols] = found
    return out


def _square(reach: int) -> NDArray[np.uint8]:
    return np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
