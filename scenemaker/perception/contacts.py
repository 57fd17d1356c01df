"""Where each mask touches what it stands on, read off the lower outline of the mask.

Convention: a forward distance runs along the ground from below the camera, in camera heights (the ground is at
height 0, the camera at 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.cameras import F64
from scenemaker.perception.level import level_axes
from scenemaker.perception.silhouettes import boxes

BAND = 0.12  # of the mask's height: the part of the lower outline that may be feet
NEAREST_SHARE = 0.02  # of the free columns may be specks below the foot


@dataclass(frozen=True, eq=False, kw_only=True)
class Outline:
    """One mask and its lower outline.

    Attributes:
        id: Label.
        box: (y0, y1, x0, x1), end exclusive.
        mask: (h, w) bool within the box.
        bottom_uv: (c, 2) pixel (u, v) of the outline's lower edge in each column that has one.
        below: (c,) label found just below the outline; 0 ground, -1 outside of the photo.
        foot_forward: Distance of the ground under the nearest free foot; inf when nothing free is below the horizon.
        rests_on: Label that lies under its lowest part, 0 when it stands free.
        cut_below: The photo ends before the object does.
    """

    id: int
    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_]
    bottom_uv: F64
    below: NDArray[np.int64]
    foot_forward: float
    rests_on: int
    cut_below: bool

    @property
    def window(self) -> tuple[slice, slice]:
        """Where the mask lies in the photo."""
        y0, y1, x0, x1 = self.box
        return slice(y0, y1), slice(x0, x1)


def find_outlines(labels: NDArray[np.uint16], K: F64, up_cam: F64) -> list[Outline]:
    """The outline of every mask, in order of the ids."""
    M = level_axes(up_cam) @ np.linalg.inv(K)
    gap = max(2, round(0.006 * max(labels.shape)))
    return [_outline(labels, box, mask, M, gap) for *box, mask in boxes(labels)]


def ground_forward(uv: F64, M: F64) -> F64:
    """(n,) forward distance of the ground seen at pixels (n, 2); inf at and above the horizon."""
    rays = uv @ M[:, :2].T + M[:, 2]
    falls = rays[:, 1] < -1e-3
    return np.where(falls, rays[:, 2] / np.where(falls, -rays[:, 1], 1.0), np.inf)


def _outline(labels: NDArray[np.uint16], box: list[int], mask: NDArray[np.bool_], M: F64, gap: int) -> Outline:
    y0, y1, x0, x1 = box
    height = labels.shape[0]
    id = int(labels[y0:y1, x0:x1][mask][0])
    columns = np.flatnonzero(mask.any(0))
    bottom = y1 - mask[::-1].argmax(0)[columns]  # exclusive
    below = np.zeros(len(columns), np.int64)
    for step in range(gap - 1, -1, -1):  # the nearest label wins
        seen = labels[np.minimum(bottom + step, height - 1), x0 + columns].astype(np.int64)
        below = np.where((seen > 0) & (bottom + step < height), seen, below)
    below = np.where(bottom >= height, -1, below)
    uv = np.stack([x0 + columns + 0.5, bottom], 1).astype(np.float64)
    low = bottom >= y1 - max(2, BAND * (y1 - y0))
    free = below <= 0
    rests_on = 0
    if not (low & free).any():
        ids, counts = np.unique(below[low & ~free], return_counts=True)
        rests_on = int(ids[counts.argmax()])
    forward = np.sort(ground_forward(uv[free], M))
    foot = float(forward[int(NEAREST_SHARE * len(forward))]) if len(forward) else np.inf
    return Outline(
        id=id,
        box=(y0, y1, x0, x1),
        mask=mask,
        bottom_uv=uv,
        below=below,
        foot_forward=foot,
        rests_on=rests_on,
        cut_below=bool((below[low] < 0).mean() > 0.5),
    )
