"""The pinhole camera of the house.

Convention: frame ``cam`` is OpenCV (x right, y down, z forward). Pixel (u, v) is (right, down) and the centre of
the top-left pixel is (0.5, 0.5), so that resizing by s multiplies the first two rows of K by s, exactly.
With K = [[100, 0, 50], [0, 100, 25], [0, 0, 1]] the point (1, 1, 2) m falls on pixel (100, 75).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.errors import FrameError, expected

F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Camera:
    """A pinhole camera: K in pixels, image size, and where it stands.

    Attributes:
        K: (3, 3) intrinsics in pixels.
        width, height: Image size in pixels.
        T_cam_world: (4, 4) extrinsics; the identity puts the camera at the origin of the frame it looks at.
    """

    K: F64
    width: int
    height: int
    T_cam_world: F64 = field(default_factory=lambda: np.eye(4))

    def __post_init__(self) -> None:
        object.__setattr__(self, "K", check_K(self.K))
        object.__setattr__(self, "T_cam_world", np.asarray(self.T_cam_world, np.float64))

    def resized(self, width: int, height: int) -> Camera:
        """The same camera with another image size."""
        S = np.diag([width / self.width, height / self.height, 1.0])
        return Camera(K=S @ self.K, width=width, height=height, T_cam_world=self.T_cam_world)

    def rays_cam(self) -> F64:
        """(H, W, 3) directions of the pixel centres in ``cam``, scaled to z = 1."""
        return pixel_rays(self.K, self.height, self.width)

    @property
    def centre_world(self) -> F64:
        """(3,) camera centre in ``world``."""
        return -self.T_cam_world[:3, :3].T @ self.T_cam_world[:3, 3]


def check_K(K: ArrayLike) -> F64:
    """K as float64 (3, 3).

    Raises:
        FrameError: Not 3x3, not finite, no positive focal length, or last row not (0, 0, 1).
    """
    out = np.asarray(K, np.float64)
    remedy = "give [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels"
    if out.shape != (3, 3):
        raise FrameError(expected("intrinsics K of shape (3, 3)", got=f"shape {out.shape}", remedy=remedy))
    if not np.isfinite(out).all() or out[0, 0] <= 0 or out[1, 1] <= 0 or not np.allclose(out[2], [0, 0, 1]):
        raise FrameError(expected("invertible intrinsics K", got=np.round(out, 6).tolist(), remedy=remedy))
    return out


def K_from_fov(fov_x_deg: float, width: int, height: int) -> F64:
    """(3, 3) K of a camera with square pixels, centred, from its horizontal field of view.

    >>> K_from_fov(90, 200, 100)[0].tolist()
    [100.0, 0.0, 100.0]
    """
    if not 0 < fov_x_deg < 180:
        raise FrameError(expected("a field of view in (0, 180) degrees", got=fov_x_deg, remedy="give 60, say"))
    f_px = width / 2 / np.tan(np.radians(fov_x_deg) / 2)
    f_px = float(np.round(f_px, 9))
    return np.array([[f_px, 0, width / 2], [0, f_px, height / 2], [0, 0, 1]], np.float64)


def pixel_rays(K: ArrayLike, height: int, width: int) -> F64:
    """(H, W, 3) directions through the pixel centres, in ``cam``, scaled to z = 1."""
    Kinv = np.linalg.inv(check_K(K))
    u, v = np.arange(width) + 0.5, np.arange(height) + 0.5
    x = Kinv[0, 0] * u[None, :] + Kinv[0, 1] * v[:, None] + Kinv[0, 2]  # (H, W)
    y = np.broadcast_to((Kinv[1, 1] * v + Kinv[1, 2])[:, None], x.shape)  # (H, W)
    return np.stack([x, y, np.ones_like(x)], -1)


def project(K: ArrayLike, points_cam: ArrayLike) -> F64:
    """(..., 2) pixels (u, v) of points (..., 3) in ``cam``; NaN where z <= 0.

    >>> project([[100, 0, 50], [0, 100, 25], [0, 0, 1]], [1, 1, 2]).tolist()
    [100.0, 75.0]
    """
    p = np.asarray(points_cam, np.float64)
    K = check_K(K)
    z = np.where(p[..., 2] > 0, p[..., 2], np.nan)
    x, y = p[..., 0] / z, p[..., 1] / z
    return np.stack([K[0, 0] * x + K[0, 1] * y + K[0, 2], K[1, 1] * y + K[1, 2]], -1)


def unproject(K: ArrayLike, depth: ArrayLike) -> F64:
    """(H, W, 3) points in ``cam`` of a depth map (H, W) of z; NaN stays NaN."""
    z = np.asarray(depth, np.float64)
    return pixel_rays(K, *z.shape) * z[..., None]
