"""The rotations that fit one shape onto another when nothing is known of their frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from scenemaker.evaluation.measures.symmetry import closed, turns
from scenemaker.geometry.cameras import F64

COARSE = 256, 2048, 5  # source points, target points, steps of every start
FINE = 512, 8192, 12  # and of the best few
KEPT = 4
NEARLY = 0.2  # a tree may name a point that much farther than the nearest; over a cloud it makes less than 0.1 %


def fitting_rotations(source: F64, target: F64, normals: F64, *, tolerance: float, seed: int = 0) -> F64:
    """(k, 3, 3) rotations that lay one surface on another, best first.

    The source is brought to the target's mean and root mean square distance from it, then registered from 24 starts,
    the rotations of a cube about the identity. The best are followed to the end, and the identity's in any case; those
    come back whose mean nearest distance, both ways and averaged, ends within ``tolerance`` of the lowest.

    Args:
        source: (n, 3) surface points.
        target: (m, 3) surface points.
        normals: (m, 3) of the target, unit length, either side.
        tolerance: In units of the target.
        seed: Of the choice of points.
    """
    rng = np.random.default_rng(seed)
    x, order = rng.permutation(source), rng.permutation(len(target))
    x, y, normals = x - x.mean(0), target[order] - target.mean(0), normals[order]
    spread = float(np.sqrt((y**2).sum(1).mean()))
    x *= spread / max(float(np.sqrt((x**2).sum(1).mean())), 1e-12)
    starts = closed(turns(np.eye(3)[:2], [np.pi / 2, np.pi / 2]))
    if starts is None:
        raise ArithmeticError("the rotations of a cube are a group")
    coarse = _fits(x, y, normals, starts, *COARSE)
    best = sorted(range(len(starts)), key=lambda k: coarse[k][1])[:KEPT]
    again = np.stack([coarse[k][0] for k in dict.fromkeys([*best, 0])])
    fine = sorted(_fits(x, y, normals, again, *FINE), key=lambda fit: fit[1])
    return np.stack([R for R, off in fine if off <= fine[0][1] + tolerance])


def _fits(x: F64, y: F64, normals: F64, starts: F64, n: int, m: int, steps: int) -> list[tuple[F64, float]]:
    """The rotation from each start after so many steps, and the mean nearest distance both ways."""
    from scipy.spatial import KDTree

    target, back = y[:m], KDTree(x[:m])
    tree, floor = KDTree(target), float(np.mean(KDTree(target[1::2]).query(target[::2])[0])) / np.sqrt(2)
    out = []
    for start in starts:
        R, t = register(x[:n], target, normals[:m], tree, start, steps=steps, floor=floor)
        there = np.mean(tree.query(x[:m] @ R.T + t, eps=NEARLY)[0])
        out.append((R, float(there + np.mean(back.query((target - t) @ R, eps=NEARLY)[0])) / 2))
    return out


def register(
    points: F64, target: F64, normals: F64, tree: Any, R: F64, *, steps: int, floor: float, far: float = np.inf
) -> tuple[F64, F64]:
    """R (3, 3) and t (3,) that bring points (n, 3) onto a target (m, 3) with normals, from a first guess of R.

    Iterative closest points, to points and (as it slides faster along smooth surfaces) to planes: each step solves for
    the small turn w and shift v of least weighted sum of (n_k . r_k)^2 + r_k^2 / 20, r_k = x_k + w x x_k + v - q_k.

    Reference: Besl and McKay, PAMI 1992 (points); Chen and Medioni, Image and Vision Computing 1992 (planes).

    Args:
        points: Of the source.
        target: That ``tree`` (a SciPy ``KDTree``) was made of.
        normals: Of the target, unit length.
        tree: Finds the nearest of the target.
        R: Where to start.
        steps: So many.
        floor: Mean distance of the surface to its own sample: points no farther say nothing of how to slide along it.
        far: Points much farther belong to a part that the other shape lacks.
    """
    from scipy.spatial.transform import Rotation

    t, J = np.zeros(3), np.zeros((len(points), 3, 6))
    J[:, :, 3:] = np.eye(3)
    for _ in range(steps):
        x = points @ R.T + t
        found = tree.query(x, eps=NEARLY)
        d, nearest = np.asarray(found[0], np.float64), np.asarray(found[1])
        weight = (np.minimum(d / (2 * floor + 1e-12), 1) ** 2 + 1e-6) / (1 + (d / far) ** 2)
        n = normals[nearest]
        M = (n[:, :, None] * n[:, None] + 0.05 * np.eye(3)) * weight[:, None, None]  # (n, 3, 3)
        J[:, :, :3] = np.cross(x[:, None], np.eye(3))  # J w = w x x
        JM = J.swapaxes(1, 2) @ M
        A, b = (JM @ J).sum(0), (JM @ (target[nearest] - x)[..., None]).sum(0)[:, 0]
        step = np.linalg.solve(A + (1e-9 * np.trace(A) + 1e-30) * np.eye(6), b)
        T = Rotation.from_rotvec(step[:3]).as_matrix()
        R, t = T @ R, T @ t + step[3:]
    return R, t
