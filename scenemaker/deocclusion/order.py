"""Who hides whom, decided where two masks meet.

Whole-object depths say little: a cup is nearer than the far half of its table and farther than the near half. At
their common edge the question is local: which side is nearer there, whose outline runs on past the end of the edge
(at a T-junction the hiding outline is the bar), and who is enclosed by the other (a cushion by its chair).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.scene import F32, Bool

REACH = 0.004  # of the longer photo side: masks that are nearer than this meet
# Log odds that the second object hides the first, per cue; fitted on made scenes with exact and with guessed depth
# (``benchmarks/deocclusion.py --fit``).
WEIGHTS = {"depth": 1.0, "bar": 2.4, "enclosed": 2.9}
SURE = 0.2  # log odds above which one object is said to hide the other
DEPTH_STEP = 0.02  # relative depth difference that counts as clear


@dataclass(frozen=True, eq=False, kw_only=True)
class Meeting:
    """Where the masks of two objects (positions i < j in the list of ids) meet.

    Attributes:
        first, second: Positions of the two objects.
        at_first, at_second: (k,) flat pixel indices, just inside of the one and of the other.
        shared_px: Length of the common edge.
    """

    first: int
    second: int
    at_first: NDArray[np.int64]
    at_second: NDArray[np.int64]
    shared_px: int


def reach_px(height: int, width: int) -> int:
    """How far apart two masks may lie and still meet; masks as users have them leave slivers."""
    return max(2, round(REACH * max(height, width)))


def meetings(index: NDArray[np.int32], reach: int) -> tuple[list[Meeting], NDArray[np.int64]]:
    """All pairs of masks that meet, and the length (n,) of every outline, of an index image (H, W; -1 is none)."""
    height, width = index.shape
    count = int(index.max(initial=-1)) + 1
    flat = np.arange(height * width).reshape(height, width)
    outline = np.zeros(count + 1, np.int64)
    found: list[NDArray[np.int64]] = []
    for dy, dx in ((0, 1), (1, 0), (0, reach), (reach, 0)):
        a, b = index[: height - dy, : width - dx], index[dy:, dx:]
        differ = a != b
        if dy + dx == 1:
            outline += np.bincount(a[differ] + 1, minlength=count + 1) + np.bincount(b[differ] + 1, minlength=count + 1)
        differ &= (a >= 0) & (b >= 0)
        at_a = flat[: height - dy, : width - dx][differ]
        at_b = at_a + dy * width + dx
        swap = a[differ] > b[differ]
        adjacent = np.full(len(at_a), dy + dx == 1)
        found.append(np.stack([np.where(swap, at_b, at_a), np.where(swap, at_a, at_b), adjacent]))
    at_first, at_second, adjacent = np.concatenate(found, 1)
    flat_index = index.ravel()
    key = flat_index[at_first].astype(np.int64) * count + flat_index[at_second]
    order = np.argsort(key, kind="stable")
    pairs, starts = np.unique(key[order], return_index=True)
    out = []
    for pair, at in zip(pairs.tolist(), np.split(order, starts[1:])):
        shared = max(int(adjacent[at].sum()), len(at) // 4)
        out.append(
            Meeting(
                first=pair // count,
                second=pair % count,
                at_first=at_first[at],
                at_second=at_second[at],
                shared_px=shared,
            )
        )
    return out, outline[1:]


def cues(
    meeting: Meeting, index: NDArray[np.int32], depth: F32, outline: NDArray[np.int64], area: NDArray[np.int64]
) -> dict[str, float]:
    """What speaks for the second object hiding the first (negative: for the first hiding the second), each in [-1, 1].

    ``depth``: it is nearer at the common edge. ``bar``: its outline runs on where the edge ends. ``enclosed``: more of
    its outline is common.
    """
    i, j = meeting.first, meeting.second
    z_i, z_j = depth.ravel()[meeting.at_first], depth.ravel()[meeting.at_second]
    known = np.isfinite(z_i) & np.isfinite(z_j)
    nearer = np.tanh(np.log(z_i[known] / z_j[known]) / DEPTH_STEP).mean() if known.any() else 0.0
    return {
        "depth": float(nearer),
        "bar": _bar(meeting, index, int(area[i] + area[j])),
        "enclosed": min(meeting.shared_px / outline[j], 1.0) - min(meeting.shared_px / outline[i], 1.0),
    }


def _bar(meeting: Meeting, index: NDArray[np.int32], area: int) -> float:
    """At the ends of the common edge: by how much more of the surroundings the second object covers than the first."""
    import cv2

    height, width = index.shape
    radius = min(3 + round(0.06 * area**0.5), 40)
    step = max(1, len(meeting.at_first) // 400)
    y, x = np.divmod(np.concatenate([meeting.at_first[::step], meeting.at_second[::step]]), width)
    top, left = max(int(y.min()) - radius, 0), max(int(x.min()) - radius, 0)
    crop = index[top : min(int(y.max()) + radius + 1, height), left : min(int(x.max()) + radius + 1, width)]
    window = (2 * radius + 1, 2 * radius + 1)
    # the photo's border is mirrored: it is no end of an edge
    share_i, share_j = (
        cv2.blur((crop == k).astype(np.float32), window, borderType=cv2.BORDER_REFLECT)[y - top, x - left]
        for k in (meeting.first, meeting.second)
    )
    end = 1 - share_i - share_j > 0.15
    return float((share_j - share_i)[end].mean()) if end.any() else 0.0


def log_odds(cues: dict[str, float]) -> float:
    """Log odds that the second object hides the first."""
    return sum(WEIGHTS[name] * value for name, value in cues.items())


def who_hides_whom(
    index: NDArray[np.int32], depth: F32, median_depth: F32, area: NDArray[np.int64], reach: int
) -> tuple[Bool, Bool]:
    """(n, n) bool twice: [i, j] j touches i and hides part of it; and, i may continue behind j.

    The second also holds what is in front of the touching ones, and nearer objects elsewhere in the picture.

    Args:
        index: (H, W) position of each pixel's object, -1 for none.
        depth: (H, W) z, NaN where unknown.
        median_depth: (n,) of the objects.
        area: (n,) pixels of the objects.
        reach: Masks nearer than this meet, in pixels.
    """
    n = len(area)
    hidden_by, touching = np.zeros((n, n), bool), np.eye(n, dtype=bool)
    met, outline = meetings(index, reach)
    for meeting in met:
        i, j = meeting.first, meeting.second
        touching[i, j] = touching[j, i] = True
        score = log_odds(cues(meeting, index, depth, outline, area))
        hidden_by[i, j], hidden_by[j, i] = score > SURE, score < -SURE
    behind = hidden_by.copy()
    while True:  # what hides the hider hides what lies behind it, too
        more = behind | ((behind.astype(np.float32) @ hidden_by.astype(np.float32) > 0) & ~touching)
        if (more == behind).all():
            break
        behind = more
    with np.errstate(invalid="ignore"):
        behind |= ~touching & (median_depth[None, :] < median_depth[:, None])
    return hidden_by, behind
