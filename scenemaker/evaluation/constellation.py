"""First guesses of a similarity from how the objects stand to each other; missing and extra objects do no harm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenemaker.geometry.cameras import F64

LARGEST = 8  # objects of each side that are looked at
SAME_SIZE = np.log(1.6)  # sizes that differ by more are not of one object
SAME_SLOPE = 0.3  # difference of the sines of two lines' slopes


def two_object_guesses(
    target: Sequence[F64], source: Sequence[F64], allowed: np.ndarray, rotations: Sequence[F64], count: int
) -> list[F64]:
    """The best (4, 4) similarities of the target from the source that bring two objects of one onto two of the other.

    Two objects give the scale by their distance and, with up known, the turn about it. A guess is good when many
    objects of both sides, by centre and size, find their like.

    Args:
        target, source: Points (p, 3) of every object; the target is y up.
        allowed: (n, m) bool, whether a target object may be a source object.
        rotations: (3, 3) that make the source y up; each is tried.
        count: At most so many.
    """
    C, L, rows = _objects(target)
    c, size, columns = _objects(source)
    may = allowed[np.ix_(rows, columns)]
    i, j = np.triu_indices(len(C), 1)
    a, b = (k.ravel() for k in np.nonzero(~np.eye(len(c), dtype=bool)))
    pair, other = (k.ravel() for k in np.meshgrid(np.arange(len(i)), np.arange(len(a)), indexing="ij"))
    i, j, a, b = i[pair], j[pair], a[other], b[other]
    keep = may[i, a] & may[j, b]
    i, j, a, b = i[keep], j[keep], a[keep], b[keep]
    v, w = C[j] - C[i], c[b] - c[a]
    v_long, w_long = np.linalg.norm(v, axis=1), np.linalg.norm(w, axis=1)
    found: list[F64] = []
    for R in rotations:
        turned = w @ R.T
        with np.errstate(divide="ignore", invalid="ignore"):
            s = v_long / w_long
            growth = np.abs([np.log(s * size[a] / L[i]), np.log(s * size[b] / L[j])]).max(0)
            slopes = np.abs(v[:, 1] / v_long - turned[:, 1] / w_long)
        good = (growth < SAME_SIZE) & (slopes < SAME_SLOPE)  # false for NaN
        yaw = np.arctan2(turned[:, 2], turned[:, 0]) - np.arctan2(v[:, 2], v[:, 0])
        S = _similarities(yaw[good], R, s[good], (C[i] + C[j])[good] / 2, (c[a] + c[b])[good] / 2)
        found.append(S)
    guesses = np.concatenate(found) if found else np.zeros((0, 4, 4))
    best = np.argsort(_misfits(guesses, C, L, c, size, may), kind="stable")[:count]
    return list(guesses[best])


def _objects(clouds: Sequence[F64]) -> tuple[F64, F64, np.ndarray]:
    """Centres (k, 3), sizes (k,) and places (k,) of the largest."""
    centres = np.array([p.mean(0) for p in clouds])
    sizes = np.array([np.sqrt(((p - m) ** 2).sum(1).mean()) for p, m in zip(clouds, centres, strict=True)])
    places = np.sort(np.argsort(-sizes, kind="stable")[:LARGEST])
    return centres[places], np.maximum(sizes[places], 1e-12), places


def _similarities(yaw_rad: F64, R: F64, s: F64, there: F64, here: F64) -> F64:
    """(k, 4, 4) that turn by R, then about y, scale, and bring the points ``here`` (k, 3) to ``there``."""
    cos, sin, zero = np.cos(yaw_rad), np.sin(yaw_rad), np.zeros(len(yaw_rad))
    turn = np.stack([cos, zero, sin, zero, zero + 1, zero, -sin, zero, cos], 1).reshape(-1, 3, 3)
    S = np.tile(np.eye(4), (len(yaw_rad), 1, 1))
    S[:, :3, :3] = s[:, None, None] * (turn @ R)
    S[:, :3, 3] = there - np.einsum("kij,kj->ki", S[:, :3, :3], here)
    return S


def _misfits(S: F64, C: F64, L: F64, c: F64, size: F64, may: np.ndarray) -> F64:
    """(k,) mean over the objects of both sides of how far off the best like is, in its size; 1 is far."""
    moved = np.einsum("kij,mj->kmi", S[:, :3, :3], c) + S[:, None, :3, 3]
    scale = np.cbrt(np.linalg.det(S[:, :3, :3]))
    away = np.linalg.norm(C[None, :, None] - moved[:, None], axis=-1) / (2 * L[None, :, None])
    larger = np.abs(np.log(scale[:, None, None] * size[None, None] / L[None, :, None]))
    miss = np.where(may, np.minimum(away + larger, 1.0), 1.0)  # (k, n, m)
    return miss.min(2).mean(1) + miss.min(1).mean(1)
