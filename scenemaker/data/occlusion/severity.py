"""Occlusion of an asked severity: the share of an object's pixels that is removed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scenemaker.errors import PlacementError, expected
from scenemaker.scene import Bool

CLOSE = 0.002  # an error of the share that is not worth another step
STEPS = 16


def removed_share(amodal: Bool, removed: Bool) -> float:
    """Share of the object's pixels that are removed.

    >>> removed_share(np.array([[True, True, False]]), np.array([[False, True, True]]))
    0.5
    """
    return float(np.count_nonzero(amodal & removed) / max(np.count_nonzero(amodal), 1))


def largest_piece_px(visible: Bool) -> int:
    """Pixels of the largest connected piece (pixels that touch at an edge or a corner)."""
    import cv2

    stats = cv2.connectedComponentsWithStats(visible.astype(np.uint8), connectivity=8)[2]
    return int(stats[1:, cv2.CC_STAT_AREA].max(initial=0))


def box(mask: Bool) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the pixels set, upper ends exclusive.

    Raises:
        PlacementError: There is none.
    """
    x, y = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(x):
        raise PlacementError(expected("an object to occlude", got="an empty mask", remedy="give another target"))
    return int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1


def calibrated(family: Callable[[float], Bool], amodal: Bool, severity: float) -> Bool:
    """The mask of a family that removes the share nearest to ``severity``, by bisection.

    Args:
        family: From t in [0, 1] to removed pixels (H, W); t = 0 removes nothing of the object and t = 1 at least
            ``severity``. Between them the share need not grow everywhere: some crossing is found.
        amodal: (H, W) the whole object.
        severity: Asked share.
    """
    low, high = 0.0, 1.0
    best, error = family(1.0), np.inf
    for _ in range(STEPS):
        t = (low + high) / 2
        mask = family(t)
        share = removed_share(amodal, mask)
        if abs(share - severity) < error:
            best, error = mask, abs(share - severity)
        if error <= CLOSE:
            break
        low, high = (t, high) if share < severity else (low, t)
    return best


def occlude(
    draw: Callable[[], Bool],
    amodal: Bool,
    severity: float,
    *,
    min_visible_px: int = 64,
    tolerance: float = 0.03,
    tries: int = 8,
) -> Bool:
    """(H, W) removed pixels, by a pattern that hits the asked share and leaves enough to see.

    Args:
        draw: Draws the pattern once, calibrated to ``severity``.
        amodal: (H, W) the whole object.
        severity: Asked share in (0, 1]; 1 is not reached, since something stays visible.
        min_visible_px: Pixels of the largest visible piece at least.
        tolerance: How far the share may be off.
        tries: Drawings; the first good one is taken.

    Raises:
        PlacementError: None was good.
    """
    got = "no drawing"
    for _ in range(tries):
        try:
            removed = draw()
        except PlacementError as error:
            got = str(error)
            continue
        share, piece = removed_share(amodal, removed), largest_piece_px(amodal & ~removed)
        if abs(share - severity) <= tolerance and piece >= min_visible_px:
            return removed
        got = f"{share:.1%} with {piece} px to see"
    what = f"{severity:.1%} of an object of {np.count_nonzero(amodal)} px removed and {min_visible_px} px to see"
    raise PlacementError(expected(what, got=got, remedy="ask for less severity, larger objects or fewer visible px"))
