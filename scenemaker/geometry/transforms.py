"""Rotations, rigid transforms and similarities.

Convention: ``T_a_b`` maps b to a: p_a = R_a_b p_b + t_a_b (column vectors, 4x4). A similarity is ``S_a_b``.
A pose places the canonical mesh: p_cam = R_cam_obj (s p_obj) + t_cam_obj.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.errors import FrameError, expected
from scenemaker.geometry.cameras import F64

GL_FROM_CV = np.diag([1.0, -1.0, -1.0])  # camera axes: glTF (y up, looks along -z) from OpenCV


def check_R(R: ArrayLike, name: str = "R") -> F64:
    """R as float64 (3, 3).

    Raises:
        FrameError: Not a rotation (orthonormal, determinant +1) within 1e-4.
    """
    out = np.asarray(R, np.float64)
    if (
        out.shape != (3, 3)
        or not np.isfinite(out).all()
        or np.abs(out @ out.T - np.eye(3)).max() > 1e-4
        or np.linalg.det(out) < 0
    ):
        raise FrameError(
            expected(f"{name} to be a rotation matrix", got=out.tolist(), remedy="give R with R R^T = 1 and det R = +1")
        )
    return out


def rigid(R: ArrayLike, t: ArrayLike) -> F64:
    """(4, 4) T from R (3, 3) and t (3,)."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, t
    return T


def similarity(R: ArrayLike, t: ArrayLike, scale: ArrayLike = 1.0) -> F64:
    """(4, 4) S: x -> R (scale * x) + t; ``scale`` is a number or one per axis of the source frame."""
    S = np.eye(4)
    S[:3, :3], S[:3, 3] = np.asarray(R, np.float64) * np.broadcast_to(np.asarray(scale, np.float64), (3,)), t
    return S


def invert(S: ArrayLike) -> F64:
    """(4, 4) inverse of a rigid transform or similarity."""
    return np.asarray(np.linalg.inv(np.asarray(S, np.float64)), np.float64)


def apply(S: ArrayLike, points: ArrayLike) -> F64:
    """(..., 3) points of frame b in frame a, for S = ``S_a_b`` or ``T_a_b``."""
    S = np.asarray(S, np.float64)
    return np.asarray(points, np.float64) @ S[:3, :3].T + S[:3, 3]


def centring(points: ArrayLike, longest: float = 2.0) -> F64:
    """(4, 4) S_centred_frame that puts the centre of the box around points at 0 and its longest side to ``longest``.

    Args:
        points: (n, 3), or any whose box is meant: the corners of boxes, the vertices of meshes. Points all in one place
            are moved and keep their scale.
        longest: Side in the centred frame.

    >>> apply(centring([[1, 1, 1], [5, 3, 1]]), [[1, 1, 1], [5, 3, 1]]).tolist()
    [[-1.0, -0.5, 0.0], [1.0, 0.5, 0.0]]
    """
    p = np.asarray(points, np.float64)
    low, high = p.min(0), p.max(0)
    side = float((high - low).max())
    scale = longest / side if side > 0 else 1.0
    return similarity(np.eye(3), -scale * (low + high) / 2, scale)


def unit(v: ArrayLike) -> F64:
    """(..., 3) of length one.

    Raises:
        FrameError: A vector of length zero.
    """
    v = np.asarray(v, np.float64)
    n = np.linalg.norm(v, axis=-1, keepdims=True)
    if not (n > 1e-12).all():
        raise FrameError(expected("a vector with a direction", got=v.tolist(), remedy="give a non-zero vector"))
    return np.asarray(v / n, np.float64)


def axis_angle(axis: ArrayLike, angle_rad: float) -> F64:
    """(3, 3) rotation about an axis (3,), right-handed (Rodrigues' formula)."""
    x, y, z = unit(axis)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle_rad) * skew + (1 - np.cos(angle_rad)) * skew @ skew


def nearest_rotation(A: ArrayLike) -> F64:
    """(3, 3) rotation, never a mirror image, of the polar decomposition of a matrix (3, 3): that without its scales.

    For det A > 0 it is the rotation nearest to A in the Frobenius norm. Of an A that mirrors it is that of -A, whose
    axes lie on the same lines; the nearest one need not, and is not unique where A scales evenly.
    """
    U, _, Vt = np.linalg.svd(np.asarray(A, np.float64))
    R = U @ Vt
    return np.asarray(R if np.linalg.det(R) > 0 else -R, np.float64)


def rotation_angle_deg(R_a: ArrayLike, R_b: ArrayLike) -> float:
    """Angle between two rotations, in degrees in [0, 180]."""
    R = np.asarray(R_a, np.float64).T @ np.asarray(R_b, np.float64)
    sine = np.linalg.norm([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]]) / 2
    return float(np.degrees(np.arctan2(sine, (np.trace(R) - 1) / 2)))


def rot6d_from_R(R: ArrayLike) -> F64:
    """(..., 6) = first column, second column of R."""
    R = np.asarray(R, np.float64)
    return np.concatenate([R[..., :, 0], R[..., :, 1]], -1)


def R_from_rot6d(rot6d: ArrayLike) -> F64:
    """(..., 3, 3) by Gram-Schmidt from two columns (Zhou et al., arXiv 1812.07035, eq. 15)."""
    r = np.asarray(rot6d, np.float64)
    a = unit(r[..., :3])
    b = r[..., 3:]
    b = unit(b - (a * b).sum(-1, keepdims=True) * a)
    return np.stack([a, b, np.cross(a, b)], -1)


def R_cam_world_from_up(up_cam: ArrayLike) -> F64:
    """(3, 3) rotation of the house's ``world`` for a photo: y is up, the optical axis' horizontal part is -z.

    Looking straight down (or up) there is no horizontal part: image up is -z.
    """
    up = unit(up_cam)
    forward = np.array([0.0, 0.0, 1.0])
    flat = forward - (forward @ up) * up
    if np.linalg.norm(flat) < 1e-6:
        image_up = np.array([0.0, -1.0, 0.0])
        flat = image_up - (image_up @ up) * up
    z = -unit(flat)
    return np.stack([np.cross(up, z), up, z], 1)
