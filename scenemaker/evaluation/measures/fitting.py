"""The rotations that fit one shape onto another when nothing is known of their frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.evaluation.measures.symmetry import closed, turns
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.registration import kabsch

COARSE = 256, 2048, 6  # source points, target points, steps of every start
FINE = 768, 8192, 20  # and of the best few
KEPT = 5


def fitting_rotations(source: ArrayLike, target: ArrayLike, *, tolerance: float, seed: int = 0) -> F64:
    """(k, 3, 3) rotations that lay one surface on another, of point clouds (n, 3) and (m, 3), best first.

    The source is brought to the target's mean and root mean square distance from it, then registered by iterative
    closest points (Besl and McKay, PAMI 1992) from 24 starts, the rotations of a cube about the identity. The best are
    followed to the end, and the identity's in any case; those come back whose mean nearest distance, both ways and
    averaged, ends within ``tolerance`` (in units of the target) of the lowest.
    """
    rng = np.random.default_rng(seed)
    x, y = (rng.permutation(np.asarray(cloud, np.float64)) for cloud in (source, target))
    x, y = x - x.mean(0), y - y.mean(0)
    spread = float(np.sqrt((y**2).sum(1).mean()))
    x *= spread / max(float(np.sqrt((x**2).sum(1).mean())), 1e-12)
    starts = closed(turns(np.eye(3)[:2], [np.pi / 2, np.pi / 2]))
    if starts is None:
        raise ArithmeticError("the rotations of a cube are a group")
    coarse = [_icp(x, y, R, *COARSE) for R in starts]
    best = sorted(range(len(starts)), key=lambda k: coarse[k][1])[:KEPT]
    fine = [_icp(x, y, coarse[k][0], *FINE) for k in dict.fromkeys([*best, 0])]
    lowest = min(off for _, off in fine)
    return np.stack([R for R, off in sorted(fine, key=lambda fit: fit[1]) if off <= lowest + tolerance])


def _icp(x: F64, y: F64, R: F64, n: int, m: int, steps: int) -> tuple[F64, float]:
    """The rotation after so many steps, and the mean nearest distance both ways."""
    from scipy.spatial import KDTree

    few, target, t = x[:n], y[:m], np.zeros(3)
    tree = KDTree(target)
    for _ in range(steps):
        moved = few @ R.T + t
        T = kabsch(moved, target[np.asarray(tree.query(moved, eps=0.1)[1])])
        R, t = T[:3, :3] @ R, T[:3, :3] @ t + T[:3, 3]
    there = tree.query(x[:m] @ R.T + t, eps=0.1)[0]
    back = KDTree(x[:m]).query((target - t) @ R, eps=0.1)[0]
    return R, float((np.mean(there) + np.mean(back)) / 2)
