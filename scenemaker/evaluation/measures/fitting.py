"""The rotations that fit one shape onto another when nothing is known of their frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scenemaker.evaluation.measures.distance_grid import DistanceGrid
from scenemaker.evaluation.measures.symmetry import angles_deg, evenly
from scenemaker.geometry.cameras import F64

Move = tuple[F64, F64]  # R (3, 3), t (3,)

STARTS, CELLS, ROUGH = 768, 32, 256  # rotations to look at, cells along a grid, points
PROMISING = 24
COARSE = 256, 2048, 5  # source points, target points, steps of every start
FINE = 512, 8192, 12  # and of the best few
LAST = 2048, 8  # source points and steps against all of the target
KEPT = 5
NEARLY = 0.2  # a tree may name a point that much farther than the nearest; over a cloud it makes less than 0.1 %
BASIN_DEG = 20.0  # fits nearer to each other than this are one
WORSE = 0.01  # of the root mean square distance from the mean: too much for LAST to make up for
CHECKED = 2048  # points of either cloud that nothing was fitted to
SIGMAS = 2.0  # of resampling noise


def fitting_rotations(source: F64, target: F64, normals: F64, *, seed: int = 0) -> F64:
    """(k, 3, 3) rotations that lay one surface on another, best first.

    The source is brought to the target's mean and root mean square distance from it. Of 768 rotations, about 20
    degrees apart, the two dozen that fit best on a grid of distances are registered, and the identity; the best of
    those are followed to the end, the identity in any case. The one of the lowest mean nearest distance, both ways and
    averaged, comes back, and with it those more than 20 degrees from it that fit as well: whose distances, at points
    that took no part in fitting, are on average no larger than resampling explains, i.e. by two standard errors of the
    differences point by point.

    Args:
        source: (n, 3) surface points.
        target: (m, 3) surface points. Clouds drawn alike from one mesh in two poses meet exactly.
        normals: (m, 3) of the target, unit length, either side.
        seed: Of the choice of points.
    """
    order = np.random.default_rng(seed).permutation(max(len(source), len(target)))  # one order: alike stays alike
    x, mine, theirs = source - source.mean(0), order[order < len(source)], order[order < len(target)]
    x, y, normals = x[mine], (target - target.mean(0))[theirs], normals[theirs]
    spread = float(np.sqrt((y**2).sum(1).mean()))
    x *= spread / max(float(np.sqrt((x**2).sum(1).mean())), 1e-12)
    starts = np.concatenate([np.eye(3)[None], _promising(x, y)])
    n, m, steps = COARSE
    coarse = _Clouds(x[:m], y[:m], normals, fitted=n)
    moves = [coarse.register(R, steps) for R in starts]
    kept = _apart([R for R, _ in moves], [coarse.distances(*move, x[:m], y[:m]).mean() for move in moves])[:KEPT]
    n, m, steps = FINE
    fine = _Clouds(x[:m], y[:m], normals, fitted=n)
    moves = [fine.register(moves[k][0], steps) for k in dict.fromkeys([*kept, 0])]
    c = min(CHECKED, len(x) // 4, len(y) // 4)
    n, steps = LAST
    whole = _Clouds(x[:-c], y[:-c], normals, fitted=n)
    off = np.array([whole.distances(*move, x[-c:], y[-c:]).mean() for move in moves])
    kept = [k for k in _apart([R for R, _ in moves], off) if off[k] <= off.min() + WORSE * spread]
    moves = [whole.register(moves[k][0], steps, t=moves[k][1]) for k in kept]
    R = np.stack([R for R, _ in moves])
    d = np.stack([whole.distances(*move, x[-c:], y[-c:]) for move in moves])  # (k, 2, c)
    best = int(d.mean((1, 2)).argmin())
    more = d - d[best]
    noise = np.sqrt(more.var(2).sum(1) / c) / 2  # of the mean of ``more``
    ties = (more.mean((1, 2)) <= SIGMAS * noise) & (angles_deg(R, R[best]) > BASIN_DEG)
    return np.concatenate([R[best : best + 1], R[ties]])


def _promising(x: F64, y: F64) -> F64:
    """(k, 3, 3) rotations of x (n, 3) about the origin that come near to y (m, 3), well apart from each other."""
    R = evenly(STARTS)
    reach = 1.001 * float(max(np.linalg.norm(x, axis=1).max(), np.linalg.norm(y, axis=1).max(), 1e-12))
    there, back = x[:ROUGH] @ R.swapaxes(1, 2), y[:ROUGH] @ R
    off = DistanceGrid(y, reach, CELLS)(there).mean(1) + DistanceGrid(x, reach, CELLS)(back).mean(1)
    return R[_apart(R, off)[:PROMISING]]


def _apart(R: Sequence[F64] | F64, off: Sequence[float] | F64) -> list[int]:
    """Which rotations (k, 3, 3) are the best of those around them, by what they are off (k,), best first."""
    R = np.asarray(R)
    left, chosen = np.argsort(off, kind="stable"), list[int]()
    while len(left):
        chosen.append(int(left[0]))
        left = left[angles_deg(R[left], R[left[0]]) > BASIN_DEG]
    return chosen


class _Clouds:
    """Two clouds to register, and the trees over both."""

    def __init__(self, x: F64, y: F64, normals: F64, *, fitted: int) -> None:
        from scipy.spatial import KDTree

        self.points, self.y, self.normals = x[:fitted], y, normals[: len(y)]
        self.tree, self.back = KDTree(y), KDTree(x)
        self.floor = float(np.mean(KDTree(y[1::2]).query(y[::2])[0])) / np.sqrt(2)

    def register(self, R: F64, steps: int, t: F64 | None = None) -> Move:
        """R (3, 3) and t (3,) after so many steps from a first guess."""
        return register(self.points, self.y, self.normals, self.tree, R, t=t, steps=steps, floor=self.floor)

    def distances(self, R: F64, t: F64, x: F64, y: F64) -> F64:
        """(2, c) distance of moved points x (n, 3) to the target, and of points y (m, 3) to the moved source."""
        c = min(len(x), len(y))
        there = self.tree.query(x[:c] @ R.T + t, eps=NEARLY)[0]
        return np.stack([there, self.back.query((y[:c] - t) @ R, eps=NEARLY)[0]])


def register(
    points: F64,
    target: F64,
    normals: F64,
    tree: Any,
    R: F64,
    *,
    steps: int,
    floor: float,
    far: float = np.inf,
    t: F64 | None = None,
) -> Move:
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
        t: Where to start; at none.
    """
    from scipy.spatial.transform import Rotation

    shift = np.zeros(3) if t is None else t
    J = np.zeros((len(points), 3, 6))
    J[:, :, 3:] = np.eye(3)
    for _ in range(steps):
        x = points @ R.T + shift
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
        R, shift = T @ R, T @ shift + step[3:]
    return R, shift
