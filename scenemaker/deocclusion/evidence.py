"""How likely each hidden pixel belongs to an object, judged from its visible silhouette.

Three cues are added up as log odds: where a random walk ends, the mirror image, and the convex hull; nearness to
what is seen, room to the background and how compact the object looks weigh in. They are worked out on a small grid,
since a hidden outline is smooth or unknowable. The weights are fitted on made scenes
(``benchmarks/deocclusion.py --fit``).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.deocclusion.mirror import TILTS_DEG, Axis, find_axis
from scenemaker.scene import F32, Bool, ObjectView

GRID_PX = 96  # longer side of the grid
AXIS_PX = (48, 160)  # longer sides of the grids on which the axis is searched, then placed
SPECK = 0.01  # of the visible area: smaller parts are not continued
WEIGHTS = {"bias": -1.03, "walk": 2.13, "hull": 0.65, "mirror": 1.95, "far": -1.56, "room": 2.14, "compact": 1.23}


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """Cues of one view on a grid.

    Attributes:
        hidden: (gh, gw) bool, cells that are mostly hidden.
        cues: (gh, gw, 7), in the order of ``WEIGHTS``.
        axis: Mirror axis in crop pixels, or None.
    """

    hidden: Bool
    cues: F32
    axis: Axis | None

    def log_odds(self) -> F32:
        """(gh, gw) log odds of belonging to the object."""
        return self.cues @ np.array(list(WEIGHTS.values()), np.float32)


def gather(view: ObjectView) -> Evidence:
    """The evidence in one view that shows at least a pixel of its object."""
    modal, hidden, fraction, blocked = _grids(view, GRID_PX)
    if not modal.any():  # a mask thinner than the grid
        modal = fraction >= fraction.max()
        hidden &= ~modal
    specks = _specks(modal)
    modal, fraction = modal & ~specks, np.where(specks, 0, fraction)
    unit = float(fraction.sum()) ** 0.5 + 1e-6  # of length: root of the visible area
    chance = walk(np.where(hidden, 0, fraction / np.maximum(1 - blocked, 1e-3)).clip(0, 1).astype(np.float32), hidden)
    axis = _axis(view)
    hull = _hull_depth(modal)
    cues = {
        "bias": np.ones_like(chance),
        "walk": 2 * chance - 1,
        "hull": 2 * np.clip(hull / unit, -0.5, 0.5),
        "mirror": np.zeros_like(chance),
        "far": np.minimum(_distance_to(modal) / unit, 3),
        "room": np.minimum(_distance_to(~modal & ~hidden) / unit, 2),
        "compact": np.full_like(chance, modal.sum() / (modal | ((hull > 0) & ~hidden)).sum()),
    }
    if axis is not None:
        here = axis.scaled(modal.shape[1] / view.mask_modal.shape[1], modal.shape[0] / view.mask_modal.shape[0])
        image = here.mirrored(fraction)
        known = here.mirrored((~hidden).astype(np.float32), outside=1.0) > 0.5
        cues["mirror"] = np.where(known, 2 * image - 1, 0) * trust(axis)
    return Evidence(hidden=hidden, cues=np.dstack([cues[k] for k in WEIGHTS]).astype(np.float32), axis=axis)


def trust(axis: Axis) -> float:
    """How much a mirror image counts, 0 to 1: silhouettes agree on much of the object, about a nearly upright axis."""
    return float(np.clip((axis.agreement - 0.6) / 0.4, 0, 1) * np.exp(-2 * abs(axis.tilt_rad)) * axis.compared)


def walk(value: F32, hidden: Bool, *, rounds: int = 24) -> F32:
    """(h, w): chance that a random walk from a hidden pixel meets the object before the background.

    The harmonic function that is 1 on the object and 0 on the background: its half-level line joins the two ends of
    a broken outline smoothly, fills what is enclosed, and bulges only a little where nothing is seen beyond.
    Coarse to fine: each level starts from the solution at half the size.

    Args:
        value: (h, w) 1 on the object, 0 elsewhere.
        hidden: (h, w) where the walk goes on.
        rounds: Of averaging per level.
    """
    if min(value.shape) >= 8:
        size = ((value.shape[1] + 1) // 2, (value.shape[0] + 1) // 2)
        free = cv2.resize(hidden.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        fixed = cv2.resize(np.where(hidden, 0, value).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        coarse = walk((fixed / np.maximum(1 - free, 1e-6)).clip(0, 1), free > 0.5, rounds=rounds)
        value = np.where(hidden, cv2.resize(coarse, value.shape[::-1]), value)
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
    for _ in range(rounds):
        value = np.where(hidden, cv2.filter2D(value, -1, cross, borderType=cv2.BORDER_CONSTANT), value)
    return value


def _grids(view: ObjectView, longest: int) -> tuple[Bool, Bool, F32, F32]:
    """Mostly visible, mostly hidden; visible and hidden share of every cell."""
    h, w = view.mask_modal.shape
    scale = min(1.0, longest / max(h, w))
    size = max(1, round(w * scale)), max(1, round(h * scale))
    visible, blocked = (
        np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
        for mask in (view.mask_modal, view.mask_hidden & ~view.mask_modal)
    )
    hidden = blocked > 0.5
    return (visible > 0.5) & ~hidden, hidden, visible, blocked


def _specks(mask: Bool) -> Bool:
    """(h, w) parts so small that they are more likely faults of the mask than a part of the object."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] < SPECK * mask.sum()
    small[0] = False  # the background
    return small[parts] if count > 2 else np.zeros(mask.shape, bool)


def _axis(view: ObjectView) -> Axis | None:
    """The mirror axis in crop pixels: its tilt from a small grid, its position from a finer one."""
    axis, tilts_deg = None, TILTS_DEG
    for longest in AXIS_PX:
        modal, hidden, _, _ = _grids(view, longest)
        if not modal.any():
            return None
        h, w = modal.shape
        rgb = cv2.resize(np.ascontiguousarray(view.rgba[..., :3]), (w, h), interpolation=cv2.INTER_AREA)
        axis = find_axis(np.asarray(rgb, np.float32), modal, hidden, tilts_deg=tilts_deg)
        if axis is None:
            return None
        tilts_deg = (float(np.degrees(axis.tilt_rad)),)
        axis = axis.scaled(view.mask_modal.shape[1] / w, view.mask_modal.shape[0] / h)
    return axis


def _hull_depth(mask: Bool) -> F32:
    """(h, w) signed distance to the edge of the convex hull, positive inside."""
    hull = cv2.convexHull(np.argwhere(mask)[:, ::-1].astype(np.int32).reshape(-1, 1, 2))
    inside = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), hull, (1,)) > 0
    return _distance_to(~inside) - _distance_to(inside)


def _distance_to(target: Bool) -> NDArray[np.float32]:
    """(h, w) distance of every pixel to the nearest pixel of ``target``."""
    if not target.any():
        return np.full(target.shape, float(max(target.shape)), np.float32)
    return np.asarray(cv2.distanceTransform((~target).astype(np.uint8), cv2.DIST_L2, 3), np.float32)
