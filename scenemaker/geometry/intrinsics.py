"""The camera that a point map was made with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import FrameError, expected
from scenemaker.geometry.cameras import F64, check_K, project

_N_POINTS = 20000
_REMEDY = "give points in OpenCV axes (x right, y down, z forward) that lie on the rays of their pixels"


def K_from_points(points_cam: NDArray[np.floating]) -> F64:
    """(3, 3) K, without skew, that projects each point of a map (H, W, 3) onto its own pixel.

    Least squares of u = fx x/z + cx and of v = fy y/z + cy over the pixel centres, with Tukey's weight, so that a
    few wrong points do not matter.

    Raises:
        FrameError: No pinhole camera explains the points (other axes, or not one point per pixel).
    """
    uv, points = _sample(points_cam)
    if len(points) < 20:
        raise FrameError(expected("at least 20 valid points in the point map", got=len(points), remedy=_REMEDY))
    fx, cx, error_u = _line(points[:, 0] / points[:, 2], uv[:, 0])
    fy, cy, error_v = _line(points[:, 1] / points[:, 2], uv[:, 1])
    h, w = points_cam.shape[:2]
    if not (fx > 0 and fy > 0):
        got = f"focal lengths {fx:.4g} and {fy:.4g} px: an axis is turned round"
        raise FrameError(expected("a point map of a pinhole camera", got=got, remedy=_REMEDY))
    if max(error_u, error_v) > 0.02 * max(h, w):
        got = f"points {max(error_u, error_v):.1f} px off their pixels"
        raise FrameError(expected("a point map of a pinhole camera", got=got, remedy=_REMEDY))
    return check_K([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def projection_error_px(K: F64, points_cam: NDArray[np.floating]) -> float:
    """Median distance between the projection of each point of a map (H, W, 3) and its own pixel's centre."""
    uv, points = _sample(points_cam)
    if not len(points):
        return 0.0
    return float(np.median(np.linalg.norm(project(K, points) - uv, axis=1)))


def _sample(points_cam: NDArray[np.floating]) -> tuple[F64, F64]:
    """Pixel centres (n, 2) and points (n, 3) of valid pixels on a grid."""
    h, w = points_cam.shape[:2]
    step = max(int(np.sqrt(h * w / _N_POINTS)), 1)
    grid = np.asarray(points_cam[::step, ::step], np.float64)
    rows, cols = np.nonzero(np.isfinite(grid).all(-1) & (grid[..., 2] > 0))
    return np.stack([cols * step + 0.5, rows * step + 0.5], 1).astype(np.float64), grid[rows, cols]


def _line(x: F64, y: F64) -> tuple[float, float, float]:
    """Robust slope and intercept of y = a x + b, and the median absolute residual."""
    weight = np.ones_like(x)
    a = b = 0.0
    residual = np.zeros_like(x)
    for _ in range(10):
        mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
        spread = np.average((x - mean_x) ** 2, weights=weight)
        if spread < 1e-12:
            raise FrameError(expected("a point map with an extent", got="all points on one line", remedy=_REMEDY))
        a = float(np.average((x - mean_x) * (y - mean_y), weights=weight) / spread)
        b = float(mean_y - a * mean_x)
        residual = np.abs(y - a * x - b)
        scale = max(4.685 * 1.4826 * float(np.median(residual)), 1e-6)
        weight = np.where(residual < scale, (1 - (residual / scale) ** 2) ** 2, 0.0)
    return a, b, float(np.median(residual))


__all__ = ["K_from_points", "projection_error_px"]
