"""The object in a box: graph cut between the box and a thin ring around it.

Reference: Rother, Kolmogorov and Blake, "GrabCut", 2004, as in OpenCV. What differs, each measured by
``benchmarks/segmentation.py``: the background is learnt from a thin ring around the box and not from the whole photo,
colours are Lab with the chroma stretched (shadows differ in L alone), and the cut runs on a small copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.perception.boxes import Box, Point

CHROMA = 2.5  # stretch of a and b against L
COLLAPSED = 0.08  # share of the box below which a cut has lost its object
WIDER = 0.08  # of the longest side, how far the ring moves out when nothing is left
LEAST_PX = 16  # a smaller box is all object
SPECK = 0.05  # parts smaller than this share of the largest are dropped
HOLE = 0.01  # closed holes smaller than this share of the mask are filled


@dataclass(frozen=True, eq=False)
class BoxMask:
    """One object in the photo's pixels.

    Attributes:
        origin: (row, column) of the mask in the photo.
        mask: (h, w) bool.
        score: Share of the outline that lies on an edge of the photo, in [0, 1].
        notice: What the user should know, or None.
    """

    origin: tuple[int, int]
    mask: NDArray[np.bool_]
    score: float
    notice: str | None = None


def mask_in_box(
    rgb: NDArray[np.uint8],
    box_px: Box,
    points_px: Sequence[Point] = (),
    *,
    working_px: int = 256,
    margin: float = 0.05,
    rounds: int = 2,
) -> BoxMask:
    """The object in a box that lies inside of the photo (H, W, 3).

    Args:
        rgb: The photo.
        box_px: (x0, y0, x1, y1).
        points_px: (x, y) known to lie on the object.
        working_px: Longest side of the copy that is cut.
        margin: Width of the ring, in longest sides of the box.
        rounds: Of colour model and cut.
    """
    height, width = rgb.shape[:2]
    x0, y0 = (int(np.floor(v + 0.25)) for v in box_px[:2])
    x1, y1 = max(x0 + 1, int(np.ceil(box_px[2] - 0.25))), max(y0 + 1, int(np.ceil(box_px[3] - 0.25)))
    mask = np.ones((y1 - y0, x1 - x0), bool)
    if mask.size < LEAST_PX:
        return BoxMask((y0, x0), mask, 0.0, "the box is too small to cut an object out: the whole box is taken")
    # A box drawn too tight shows the object in its ring, and nothing is left: then the ring is sought further out.
    for wider in (0, max(2, round(WIDER * max(x1 - x0, y1 - y0)))):
        outer = max(0, x0 - wider), max(0, y0 - wider), min(width, x1 + wider), min(height, y1 + wider)
        cut, score = _cut_out(rgb, outer, points_px, working_px, margin, rounds)
        mask = cut[y0 - outer[1] : y1 - outer[1], x0 - outer[0] : x1 - outer[0]]
        if mask.sum() >= COLLAPSED * mask.size:
            return BoxMask((y0, x0), mask, score)
    notice = "its colours are those of the background: an ellipse in the box is taken"
    return BoxMask((y0, x0), _ellipse(y1 - y0, x1 - x0), 0.0, notice)


def _cut_out(
    rgb: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    points_px: Sequence[Point],
    working_px: int,
    margin: float,
    rounds: int,
) -> tuple[NDArray[np.bool_], float]:
    """The object in a box of whole pixels, as a mask of the box, and how well its outline follows edges."""
    (x0, y0, x1, y1), (height, width) = box, rgb.shape[:2]
    ring = max(3, round(margin * max(x1 - x0, y1 - y0)))
    left, top, right, bottom = max(0, x0 - ring), max(0, y0 - ring), min(width, x1 + ring), min(height, y1 + ring)
    scale = min(1.0, working_px / max(right - left, bottom - top))
    size = max(4, round((right - left) * scale)), max(4, round((bottom - top) * scale))
    small = cv2.resize(rgb[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    sx, sy = size[0] / (right - left), size[1] / (bottom - top)
    inner = round((x0 - left) * sx), round((y0 - top) * sy), round((x1 - left) * sx), round((y1 - top) * sy)
    inside = np.zeros(size[::-1], bool)
    inside[inner[1] : max(inner[3], inner[1] + 1), inner[0] : max(inner[2], inner[0] + 1)] = True
    seeds = [(int((y - top) * sy), int((x - left) * sx)) for x, y in points_px]
    mask = _cut(stretched_lab(small), inside, seeds, rounds)
    full = cv2.resize(mask.astype(np.float32), (right - left, bottom - top), interpolation=cv2.INTER_LINEAR) > 0.5
    return full[y0 - top : y1 - top, x0 - left : x1 - left], edge_score(small, mask)


def stretched_lab(rgb: NDArray[np.integer | np.floating]) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 Lab with the chroma ``CHROMA`` times as wide about grey."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab[..., 1:] = (lab[..., 1:] - 128) * CHROMA + 128
    return np.clip(lab, 0, 255).astype(np.uint8)


def _cut(
    lab: NDArray[np.uint8], inside: NDArray[np.bool_], seeds: Sequence[tuple[int, int]], rounds: int
) -> NDArray[np.bool_]:
    """(h, w) bool object, which may be empty."""
    trimap = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    if inside.all():
        # The box is the whole photo: its frame is the only thing that may be background.
        trimap[[0, -1]] = trimap[:, [0, -1]] = cv2.GC_BGD
    reach = max(1, round(0.02 * max(lab.shape[:2])))
    for y, x in seeds:
        trimap[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = cv2.GC_FGD
    if np.count_nonzero(trimap != cv2.GC_BGD) < 8 or np.count_nonzero(trimap == cv2.GC_BGD) < 8:
        return np.zeros_like(inside)
    cv2.setRNGSeed(0)
    cv2.grabCut(lab, trimap, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)
    return tidy((trimap & 1).astype(bool))


def tidy(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without specks and pinholes."""
    n, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if n < 2:
        return mask
    area = stats[:, cv2.CC_STAT_AREA]
    kept = area >= SPECK * area[1:].max()
    kept[0] = False
    mask = kept[parts]
    n, parts, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    outer = np.unique(np.r_[parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    hole = stats[:, cv2.CC_STAT_AREA] < HOLE * mask.sum()
    hole[outer] = False
    hole[0] = False
    return mask | hole[parts]


def _ellipse(height: int, width: int) -> NDArray[np.bool_]:
    """The ellipse that touches all sides of a box."""
    v = (np.arange(height) + 0.5) / height * 2 - 1
    u = (np.arange(width) + 0.5) / width * 2 - 1
    return u**2 + v[:, None] ** 2 <= 1


def edge_score(rgb: NDArray[np.integer | np.floating], mask: NDArray[np.bool_]) -> float:
    """Share of the mask's outline with an edge of the picture under it, in [0, 1]."""
    grey = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.8)
    strength = cv2.magnitude(cv2.Scharr(grey, cv2.CV_32F, 1, 0), cv2.Scharr(grey, cv2.CV_32F, 0, 1)) / 32
    edge = cv2.dilate(strength, np.ones((3, 3))) > 4
    whole = mask.astype(np.uint8)
    outline = cv2.dilate(whole, np.ones((3, 3))) != whole
    return float(edge[outline].mean()) if outline.any() else 0.0
