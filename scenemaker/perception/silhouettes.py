"""What the masks alone tell about the pitch.

Seen from higher up, feet that are spread evenly over the ground spread over the picture's height, outlines bend and
tall things look short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.cameras import F64

MIN_AREA_PX = 24


@dataclass(frozen=True, eq=False, kw_only=True)
class Cues:
    """One scene in numbers; lengths are on the plane z = 1 (that is, tangents of angles).

    Attributes:
        count: Objects that count.
        foot_y: Mean y of the lowest points.
        foot_y_min: y of the highest foot: the horizon lies above it.
        spread: log of the feet's spread in y over that in x.
        bend: Mean over objects of the lower outline's rise over the width.
        top_bend: The same of the upper outline.
        aspect: Mean over objects of log(height / width).
    """

    count: int
    foot_y: float
    foot_y_min: float
    spread: float
    bend: float
    top_bend: float
    aspect: float


def measure(labels: NDArray[np.uint16], K: F64) -> Cues | None:
    """The cues of the masks of a picture (H, W); None without a usable mask."""
    height = len(labels)
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    feet, bends, top_bends, aspects = [], [], [], []
    for y0, y1, x0, x1, mask in boxes(labels):
        if mask.sum() < MIN_AREA_PX:
            continue
        columns = mask.any(0)
        bottom = (y1 - mask[::-1].argmax(0))[columns]
        top = (y0 + mask.argmax(0))[columns]
        across = (x1 - x0) / fx
        aspects.append(np.log((y1 - y0) / fy / across))
        if y0 > 1:
            top_bends.append((top.mean() - y0) / fy / across)
        if y1 >= height - 1:
            continue
        bends.append((y1 - bottom.mean()) / fy / across)
        low = np.flatnonzero(mask[-1])
        feet.append(((x0 + low.mean() + 0.5 - cx) / fx, (y1 - cy) / fy))
    if not aspects:
        return None
    at = np.array(feet if feet else [(0.0, (height - cy) / fy)])
    spread = np.log((at[:, 1].std() + 0.02) / (at[:, 0].std() + 0.04)) if len(at) > 1 else np.nan
    return Cues(
        count=len(feet),
        foot_y=float(at[:, 1].mean()),
        foot_y_min=float(at[:, 1].min()),
        spread=float(spread),
        bend=float(np.mean(bends)) if bends else np.nan,
        top_bend=float(np.mean(top_bends)) if top_bends else np.nan,
        aspect=float(np.mean(aspects)),
    )


def boxes(labels: NDArray[np.uint16]) -> list[tuple[int, int, int, int, NDArray[np.bool_]]]:
    """(y0, y1, x0, x1, mask within) per label, in order of the ids: two passes over the picture, then small crops."""
    height, width = labels.shape
    count = np.bincount(labels.ravel())
    ids = np.flatnonzero(count)
    dense = np.zeros(len(count), np.int64)
    dense[ids] = np.arange(len(ids))
    index = dense[labels]
    in_row = np.bincount((index * height + np.arange(height)[:, None]).ravel(), minlength=len(ids) * height)
    in_column = np.bincount((index * width + np.arange(width)).ravel(), minlength=len(ids) * width)
    rows, columns = in_row.reshape(-1, height) > 0, in_column.reshape(-1, width) > 0
    found = []
    for k, id in enumerate(ids):
        if id > 0:
            y0, y1 = int(rows[k].argmax()), height - int(rows[k, ::-1].argmax())
            x0, x1 = int(columns[k].argmax()), width - int(columns[k, ::-1].argmax())
            found.append((y0, y1, x0, x1, labels[y0:y1, x0:x1] == id))
    return found
