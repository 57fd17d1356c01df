"""The one thing wanted from EXIF besides the orientation: the focal length in pixels.

Convention: the 35 mm equivalent is by the diagonal: f_px = f35_mm / 43.27 mm * diagonal_px, where 43.27 mm is the
diagonal of a 36 x 24 mm frame. A phone's 26 mm on 4000 x 3000 px gives f = 26 / 43.27 * 5000 = 3004.6 px.
Else f_px = f_mm * (pixels per mm on the sensor), scaled when the file was resized after it was taken.
Reference: CIPA DC-008 (Exif 2.32), tags FocalLengthIn35mmFilm, FocalLength and FocalPlaneXResolution.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scenemaker.geometry.cameras import F64

DIAGONAL_35MM = math.hypot(36.0, 24.0)
_FOCAL_LENGTH, _FOCAL_35MM = 0x920A, 0xA405
_PLANE_X, _PLANE_Y, _PLANE_UNIT = 0xA20E, 0xA20F, 0xA210
_WIDTH, _HEIGHT = 0xA002, 0xA003
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # inch, cm, mm, um; the standard's default is inch
_F_RANGE = (0.15, 60.0)  # of a believable focal length over the longer side: 147 to 1 degrees


def focal_px(tags: Mapping[int, Any], width: int, height: int) -> tuple[tuple[float, float] | None, str | None]:
    """(fx, fy) in pixels of the picture as stored (before its orientation is applied), and a notice.

    Args:
        tags: The EXIF sub-directory.
        width, height: Size as stored.

    Returns:
        The focal lengths, or None when the file does not tell them; and why they were not used, if they were not.
    """
    taken = _number(tags.get(_WIDTH)), _number(tags.get(_HEIGHT))
    if all(taken):
        long, short = max(taken), min(taken)
        if abs(long * min(width, height) - short * max(width, height)) > 0.02 * long * min(width, height):
            return None, (
                f"the focal length in EXIF was not used: the picture was cropped after it was taken "
                f"({taken[0]:.0f}x{taken[1]:.0f} px then, {width}x{height} px now)"
            )
    f_35mm = _number(tags.get(_FOCAL_35MM))
    if f_35mm:
        f_px = f_35mm / DIAGONAL_35MM * math.hypot(width, height)
        return _believable((f_px, f_px), width, height)
    f_mm, per_unit_x = _number(tags.get(_FOCAL_LENGTH)), _number(tags.get(_PLANE_X))
    if not f_mm or not per_unit_x:
        return None, None
    per_unit_y = _number(tags.get(_PLANE_Y)) or per_unit_x
    unit_mm = _UNIT_MM.get(int(_number(tags.get(_PLANE_UNIT)) or 2), 25.4)
    resized = max(width, height) / max(taken) if all(taken) else 1.0
    return _believable((f_mm * per_unit_x / unit_mm * resized, f_mm * per_unit_y / unit_mm * resized), width, height)


def K_from_focal(focal: tuple[float, float], width: int, height: int, orientation: int) -> F64:
    """(3, 3) K of the upright picture; the principal point is its centre.

    Args:
        focal: (fx, fy) in pixels, as stored.
        width, height: Size of the upright picture.
        orientation: EXIF orientation, 1 to 8; 5 to 8 swap the axes.
    """
    fx, fy = focal if orientation < 5 else focal[::-1]
    return np.array([[fx, 0, width / 2], [0, fy, height / 2], [0, 0, 1]], np.float64)


def _number(value: Any) -> float:
    """A positive finite number, else 0: EXIF writes 0 and 0/0 for "unknown"."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def _believable(focal: tuple[float, float], width: int, height: int) -> tuple[tuple[float, float] | None, str | None]:
    if all(_F_RANGE[0] <= f / max(width, height) <= _F_RANGE[1] for f in focal):
        return focal, None
    return None, f"the focal length in EXIF was not used: {focal[0]:.0f} px on {width}x{height} px is not believable"
