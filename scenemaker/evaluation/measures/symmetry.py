"""Groups of rotations under which an object looks the same, and errors of rotation up to them.

``symmetry_search`` finds the group of a mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64

MAX_ORDER = 24  # of a finite turn about one axis
LARGEST = 60  # elements of a finite group: the icosahedron's (the flips and turns of order 24 are 48)
SPIRAL = 1.533751168755204288118041413  # the root of s^4 = s + 4
SAME_DEG = 6.0  # different elements of one group are 15 degrees or more apart


@dataclass(frozen=True, eq=False, kw_only=True)
class Symmetries:
    """The group of rotations that leave a shape as it is; they act in the frame of its mesh.

    Attributes:
        rotations: (G, 3, 3) finite elements, the identity first. With an ``axis``: one for each of its two ends that
            may point up.
        axis: (3,) unit vector of a solid of revolution, any turn about which is a symmetry; else None.
        ball: Every rotation is a symmetry.
    """

    rotations: F64
    axis: F64 | None = None
    ball: bool = False

    @property
    def name(self) -> str:
        """The group: "none", "C4" (turns), "D4" (and flips), "T", "O", "I" (solids), "revolution", "ball" ..."""
        if self.ball:
            return "ball"
        if self.axis is not None:
            return "revolution" if len(self.rotations) == 1 else "revolution, flip"
        n = len(self.rotations)
        if n == 1:
            return "none"
        order = round(360 / angles_deg(self.rotations[1:], np.eye(3)).min())
        return f"C{n}" if n == order else {12: "T", 24: "O", 60: "I"}[n] if order < n / 2 else f"D{order}"


def nearest_equivalent(R_pred: ArrayLike, R_gt: ArrayLike, symmetries: Symmetries) -> F64:
    """(3, 3) the one nearest to R_gt among the rotations that look the same as R_pred: R_pred g, for all symmetries g.

    With a = ``axis``, the turns Q R_a(phi) are those that take a to Q a; the smallest of them turns about a x Q a.
    """
    R_gt = np.asarray(R_gt, np.float64)
    if symmetries.ball:
        return R_gt
    Q = R_gt.T @ np.asarray(R_pred, np.float64) @ symmetries.rotations  # (G, 3, 3) in the frame of the mesh
    if symmetries.axis is not None:
        Q = np.stack([_from_to(symmetries.axis, q @ symmetries.axis) for q in Q])
    return R_gt @ Q[int(angles_deg(Q, np.eye(3)).argmin())]


def rotation_error_deg(R_pred: ArrayLike, R_gt: ArrayLike, symmetries: Symmetries) -> float:
    """Angle between two rotations up to the symmetries of the ground truth, min over g of angle(R_pred^T R_gt g).

    Both are R_frame_obj of one and the same mesh; in degrees in [0, 180]. In closed form for axes and balls.

    >>> quarter = Symmetries(rotations=turns([0, 1, 0], np.arange(4) * np.pi / 2))
    >>> round(rotation_error_deg(turns([0, 1, 0], np.radians([100]))[0], np.eye(3), quarter), 6)
    10.0
    """
    return transforms.rotation_angle_deg(nearest_equivalent(R_pred, R_gt, symmetries), R_gt)


def _from_to(a: F64, b: F64) -> F64:
    """(3, 3) the smallest rotation that takes a unit vector to another."""
    across = np.cross(a, b)
    angle = float(np.arctan2(np.linalg.norm(across), a @ b))
    if np.linalg.norm(across) < 1e-9:  # the same direction, or the opposite: half a turn about anything across
        across = np.cross(a, np.eye(3)[np.abs(a).argmin()])
    return transforms.axis_angle(across, angle)


def turns(axes: ArrayLike, angles_rad: ArrayLike) -> F64:
    """(..., 3, 3) rotations about unit axes (..., 3) by angles (...), broadcast (Rodrigues' formula)."""
    a, angle = np.asarray(axes, np.float64), np.asarray(angles_rad, np.float64)[..., None, None]
    skew = np.cross(np.eye(3), a[..., None, :])  # (..., 3, 3): row i is e_i x a
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew


def angles_deg(R_a: F64, R_b: F64) -> F64:
    """(...) angles between rotations (..., 3, 3), broadcast; good to 1e-6 degrees above 0.01."""
    cosine = ((R_a * R_b).sum((-1, -2)) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def evenly(n: int) -> F64:
    """(n, 3, 3) rotations spread evenly over all of them.

    Reference: Alexa, "Super-Fibonacci spirals: fast, low-discrepancy sampling of SO(3)", CVPR 2022, algorithm 1.
    """
    from scipy.spatial.transform import Rotation

    k = np.arange(n) + 0.5
    r, above = np.sqrt(k / n), np.sqrt(1 - k / n)
    a, b = 2 * np.pi * k / np.sqrt(2), 2 * np.pi * k / SPIRAL
    quaternions = np.stack([r * np.sin(a), r * np.cos(a), above * np.sin(b), above * np.cos(b)], 1)
    return Rotation.from_quat(quaternions).as_matrix()


def closed(R: F64) -> F64 | None:
    """(G, 3, 3) the finite group that rotations (k, 3, 3), each a little off, generate; None where there is none.

    All products are taken; those that nearly agree become one. Then every element is replaced by the mean of all
    quotients that should equal it, g_k = mean over j of (g_k g_j) g_j^-1 with the product read from the table of the
    group, which makes the table true.

    Reference: Grove, Karcher and Ruh, "Group actions and curvature", Inventiones 1974 (almost homomorphisms of compact
    groups lie near homomorphisms; the iteration converges quadratically).
    """
    group, grown = np.eye(3)[None], 0
    while grown < len(group) <= LARGEST:
        for product in group[grown] @ R:
            if angles_deg(group, product).min() > SAME_DEG:
                group = np.concatenate([group, product[None]])
        grown += 1
    if len(group) > LARGEST:
        return None
    flat = group.reshape(-1, 9)
    table = (group[:, None] @ group[None]).reshape(-1, 9) @ flat.T  # (G G, G): traces, 3 where equal
    table = table.argmax(1).reshape(len(group), -1)
    if (np.sort(table, 1) != np.arange(len(group))).any():
        return None  # not a group: every row of its table has each element once
    for _ in range(6):
        U, _, Vt = np.linalg.svd(np.einsum("kjab,jcb->kac", group[table], group))
        group = U @ Vt
    off = angles_deg(group[:, None] @ group[None], group[table]).max()
    step = angles_deg(group[1:], np.eye(3)).min(initial=180)
    return group if off < 1e-3 and step > 360 / MAX_ORDER - 0.1 else None
