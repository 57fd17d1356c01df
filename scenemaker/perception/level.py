"""The camera's attitude: which way is up in ``cam``, and what a ray does in level axes.

Convention: ``pitch`` is how far the optical axis looks down, ``roll`` how far the picture's up leans to the right.
Pitch 90 degrees looks straight down. At pitch 30, roll 0: up_cam = (0, -0.866, -0.5).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.geometry.cameras import F64

F32 = NDArray[np.float32]


def up_cam_of(pitch_rad: ArrayLike, roll_rad: ArrayLike = 0.0) -> F64:
    """(..., 3) unit vectors against gravity in ``cam``.

    >>> up_cam_of(0.0).round(3).tolist()
    [0.0, -1.0, -0.0]
    """
    pitch, roll = np.broadcast_arrays(np.asarray(pitch_rad, np.float64), np.asarray(roll_rad, np.float64))
    flat = np.cos(pitch)
    return np.stack([np.sin(roll) * flat, -np.cos(roll) * flat, -np.sin(pitch)], -1)


def level_axes(up_cam: ArrayLike) -> F64:
    """(3, 3) rows right, up, forward of the level frame, in ``cam``; forward is the optical axis' horizontal part.

    Looking straight down, forward is the picture's up.
    """
    up = np.asarray(up_cam, np.float64)
    forward = np.array([0.0, 0.0, 1.0]) - up[2] * up
    if np.linalg.norm(forward) < 1e-6:
        forward = np.array([0.0, -1.0, 0.0]) + up[1] * up
    forward = forward / np.linalg.norm(forward)
    right = np.asarray(np.cross(forward, up), np.float64)
    return np.stack([right, up, forward])


def level_rays(K: ArrayLike, up_cam: ArrayLike, height: int, width: int) -> tuple[F32, F32, F32]:
    """Right, up and forward parts, each (H, W) float32, of the rays through the pixel centres scaled to z = 1."""
    M = level_axes(up_cam) @ np.linalg.inv(np.asarray(K, np.float64))
    u, v = np.arange(width) + 0.5, np.arange(height) + 0.5
    parts = [((m[0] * u)[None, :].astype(np.float32) + (m[1] * v + m[2])[:, None].astype(np.float32)) for m in M]
    return parts[0], parts[1], parts[2]
