"""The axis about which the visible part of an object is most nearly its own mirror image.

For one direction of the axis the picture is turned until the axis is upright; then all positions of it are compared
at once, because the overlap with the own mirror image is a correlation along the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.scene import F32, Bool

TILTS_DEG = (0.0, -6.0, 6.0, -12.0, 12.0, -18.0, 18.0, -25.0, 25.0)
MIN_COMPARED = 0.35  # of the visible area: less than this says nothing about symmetry
COLOUR_WORTH = 0.005  # of agreement, per grey level of difference


@dataclass(frozen=True, eq=False, kw_only=True)
class Axis:
    """A mirror axis.

    Attributes:
        A: (2, 3) affine map of a pixel (u, v) to its mirror image; its own inverse.
        agreement: IoU of the visible silhouette with its mirror image, where both are known.
        colour_error: RMS difference of what is seen on both sides, in grey levels.
        compared: Visible area on which the halves could be compared, over the whole visible area; at most 1.
        tilt_rad: Of the axis against the vertical.
    """

    A: NDArray[np.float64]
    agreement: float
    colour_error: float
    compared: float
    tilt_rad: float

    @property
    def score(self) -> float:
        """How nearly the object is symmetric, at most 1; upright axes first."""
        return self.agreement - COLOUR_WORTH * self.colour_error - 0.1 * abs(self.tilt_rad)

    def scaled(self, x: float, y: float) -> Axis:
        """The axis in a picture resized by ``x`` and ``y``."""
        S = np.diag([x, y])
        return replace(self, A=np.column_stack([S @ self.A[:, :2] @ np.linalg.inv(S), S @ self.A[:, 2]]))

    def mirrored(self, values: F32, *, outside: float = 0.0) -> F32:
        """The mirror image of (h, w) or (h, w, c <= 4) values."""
        h, w = values.shape[:2]
        return _warp(values, self.A, (w, h), outside)


def find_axis(rgb: F32, modal: Bool, hidden: Bool, *, tilts_deg: Sequence[float] = TILTS_DEG) -> Axis | None:
    """The best nearly upright axis of one view, or None when too little of the object can be compared.

    Args:
        rgb: (h, w, 3) grey levels 0 to 255.
        modal: (h, w), what is seen of the object.
        hidden: (h, w), where it may continue unseen.
        tilts_deg: Directions of the axis against the vertical to try.
    """
    rows, cols = np.flatnonzero(modal.any(1)), np.flatnonzero(modal.any(0))
    corner = np.array([cols[0], rows[0]], np.float64)
    half = np.array([cols[-1] + 1 - cols[0], rows[-1] + 1 - rows[0]]) / 2
    n = 2 * int(np.ceil(np.hypot(*half))) + 2  # holds the visible part at any turn
    seen = np.concatenate([modal[..., None], rgb * modal[..., None]], 2).astype(np.float32)
    unknown = hidden.astype(np.float32)
    best: Axis | None = None
    for tilt_rad in np.radians(tilts_deg):
        c, s = np.cos(tilt_rad), np.sin(tilt_rad)
        R = np.array([[c, s], [-s, c]])  # turns the axis upright
        shift = n / 2 - R @ (corner + half)
        turn = np.column_stack([R, shift])
        wide = np.column_stack([R, np.add(shift, (n, 0))])  # a mirror image may fall beyond the square
        found = _best_position(_warp(seen, turn, (n, n)), _warp(unknown, wide, (3 * n, n)))
        if found is None:
            continue
        position, agreement, colour_error, compared = found
        flip = R.T @ np.diag([-1.0, 1.0]) @ R  # about the axis through ``point``
        point = R.T @ (np.array([position, n / 2]) - shift)
        axis = Axis(
            A=np.column_stack([flip, point - flip @ point]),
            agreement=agreement,
            colour_error=colour_error,
            compared=compared,
            tilt_rad=float(tilt_rad),
        )
        if best is None or axis.score > best.score + 1e-6:
            best = axis
    return best


def _best_position(seen: F32, unknown: F32) -> tuple[float, float, float, float] | None:
    """(x of the upright axis, agreement, colour error, compared) for turned maps (n, n, 4) and (n, 3 n)."""
    n = seen.shape[1]
    area = float(seen[..., 0].sum())
    spectrum = np.fft.rfft(np.moveaxis(seen, -1, 0), 2 * n, axis=2)  # (4, n, n + 1): covered, red, green, blue
    beyond = np.fft.rfft(seen[..., 0], 4 * n, axis=1) * np.fft.rfft(unknown, 4 * n, axis=1)
    unsure = np.fft.irfft(beyond.sum(0), 4 * n)[n : 3 * n - 1]
    energy = np.fft.rfft((seen[..., 1:] ** 2).sum(-1), 2 * n, axis=1)
    covered = spectrum[0]
    # sum over x of a(x) b(2 position - x) for all positions at once
    products = np.stack([(covered**2).sum(0), (energy * covered).sum(0), (spectrum[1:] ** 2).sum((0, 1))])
    both, squares, cross = np.fft.irfft(products, 2 * n, axis=1)[:, : 2 * n - 1]
    compared = area - unsure  # what is mirrored out of the picture falls on known background
    either = np.maximum(2 * compared - both, 1e-6)
    agreement = (both / either).clip(0, 1)
    colour_error = np.sqrt(np.maximum(2 * (squares - cross), 0) / 3 / np.maximum(both, 1e-6))
    usable = (compared >= MIN_COMPARED * area) & (both > 0.05 * area)
    if area <= 0 or not usable.any():
        return None
    k = int(np.where(usable, agreement - COLOUR_WORTH * colour_error, -np.inf).argmax())
    return (k + 1) / 2, float(agreement[k]), float(colour_error[k]), float(min(compared[k] / area, 1.0))


def _warp(values: F32, A: NDArray[np.float64], size: tuple[int, int], outside: float = 0.0) -> F32:
    """The picture whose pixel A (u, v) shows (u, v) of ``values``, of size (w, h)."""
    for_cv2 = np.column_stack([A[:, :2], A[:, :2] @ [0.5, 0.5] + A[:, 2] - 0.5])  # its pixel centres are whole numbers
    return np.asarray(cv2.warpAffine(values, for_cv2, size, borderValue=(outside,) * 4), np.float32)
