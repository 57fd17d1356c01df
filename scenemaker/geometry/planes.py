"""The ground plane in a point map: consensus over many small samples, then a robust least-squares fit.

Convention: a plane is (n, d) with n . p + d = 0 on it, and n = up for the ground. A plane in front of the camera is
also a . p = 1 with a = -n / d, which is linear in a; for a point p on some ray, a . p is its depth over the plane's
depth on the same ray. So a . p - 1 is a relative depth error, free of units, and what depth maps err by: their noise
grows with distance. a . p < 1 is the camera's side (above the ground), a . p > 1 lies beyond it (below).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.geometry.cameras import F64

N_POINTS = 4000  # at most, of the picture; enough for hundredths of a degree on clean depth
N_SAMPLES = 500
MAX_TILT_DEG = 75.0  # of up against -y of the camera
TOLERANCE = 0.02  # relative depth error of an inlier while searching
MIN_SHARE = 0.08  # of the background's points that must lie on the ground
MAX_BELOW = 0.25  # of all points that may lie below it (a window, a mirror, noise)
MAX_STD_DEG = 2.0  # of the normal; a thin strip or a few points do not tell the tilt


@dataclass(frozen=True, eq=False, kw_only=True)
class GroundPlane:
    """A ground plane and how much speaks for it.

    Attributes:
        plane_cam: (4,) the plane (n, d), n = up, d > 0 the camera's height above it.
        share: Fraction of the background's points that lie on it.
        error: Robust relative depth error of these points.
        std_deg: Standard deviation of the normal, from the residuals.
    """

    plane_cam: F64
    share: float
    error: float
    std_deg: float

    @property
    def up_cam(self) -> F64:
        """(3,) unit vector against gravity."""
        return self.plane_cam[:3]


def find_ground(points_cam: NDArray[np.floating], background: NDArray[np.bool_] | None = None) -> GroundPlane | None:
    """The ground of a point map, or None when no plane is convincing.

    It is the plane that holds most of the background while hardly anything lies below it (so a table top loses
    against the floor), and whose up is within 75 degrees of the picture's (so walls and ceilings do not count).

    Args:
        points_cam: (H, W, 3), NaN where invalid.
        background: (H, W) pixels that may be ground; None takes all. The others (objects) must lie above it.
    """
    h, w = points_cam.shape[:2]
    step = max(int(np.ceil(np.sqrt(h * w / N_POINTS))), 1)
    grid = points_cam[step // 2 :: step, step // 2 :: step].astype(np.float64)
    rows, cols = np.nonzero(np.isfinite(grid).all(-1) & (grid[..., 2] > 0))
    points = grid[rows, cols]  # (n, 3)
    free = np.ones(len(points), bool)
    if background is not None:
        free = np.asarray(background)[step // 2 :: step, step // 2 :: step][rows, cols]
    if free.sum() < 50:
        return None
    points = points / np.median(points[:, 2])  # a well-scaled problem; undone at the end
    best: tuple[float, F64] | None = None
    for a in _candidates(points, free, np.stack([rows, cols], 1)[free]):
        for cut in (TOLERANCE, 2 * TOLERANCE):  # clean depth wants the narrow start, noisy depth the wide one
            refined = _refine(a, points[free], cut)
            if refined is not None and _is_ground(refined):
                score = float(_scores(refined[:, None], points, free, TOLERANCE)[0])
                if best is None or score > best[0]:
                    best = score, refined
    return None if best is None else _judged(best[1], points, free, float(np.median(grid[rows, cols, 2])))


def _candidates(points: F64, free: NDArray[np.bool_], pixels: NDArray[np.int64]) -> list[F64]:
    """The few best (3,) planes a . p = 1 through three points each: half of the samples wide, half local."""
    rng = np.random.default_rng(0)
    on = points[free]
    n = len(on)
    picks = rng.integers(0, n, (N_SAMPLES, 3))
    # Local triples fall on one surface far more often; they are drawn from the samples' neighbours in the picture.
    reach = max(int(np.ptp(pixels, axis=0).max() // 6), 2)
    order = np.full(pixels.max(0) + 1, -1)
    order[pixels[:, 0], pixels[:, 1]] = np.arange(n)
    local = picks[N_SAMPLES // 2 :]
    for k in (1, 2):
        near = pixels[local[:, 0]] + rng.integers(-reach, reach + 1, (len(local), 2))
        near = near.clip(0, np.array(order.shape) - 1)
        found = order[near[:, 0], near[:, 1]]
        local[:, k] = np.where(found >= 0, found, local[:, k])
    triples = on[picks]  # (s, 3, 3)
    triples = triples[np.abs(np.linalg.det(triples)) > 1e-7]
    if not len(triples):
        return []
    A: F64 = np.linalg.solve(triples, np.ones((len(triples), 3, 1)))[..., 0].astype(np.float64)  # (s, 3)
    A = A[[_is_ground(a) for a in A]]
    if not len(A):
        return []
    scores = _scores(A.T, points, free, TOLERANCE)
    return list(A[np.argsort(-scores, kind="stable")[:8]])


def _is_ground(a: ArrayLike) -> bool:
    """The plane's camera side is up: -a within ``MAX_TILT_DEG`` of -y (a ceiling's is down, a wall's sideways)."""
    a = np.asarray(a)
    return bool(a[1] > np.cos(np.radians(MAX_TILT_DEG)) * np.linalg.norm(a))


def _scores(A: F64, points: F64, free: NDArray[np.bool_], tolerance: float) -> F64:
    """(s,) share of the background on each plane A (3, s), the nearer the more (MSAC), less twice what is below."""
    ratio = points.astype(np.float32) @ A.astype(np.float32)  # (n, s)
    on = np.maximum(1 - ((ratio[free] - 1) / tolerance) ** 2, 0).mean(0)
    below = (ratio > 1 + 2 * tolerance).mean(0)
    return on - 2 * below


def _refine(a: F64, on: F64, cut: float) -> F64 | None:
    """The plane fitted to its inliers by iterated least squares, with Tukey's weight at their own scale."""
    for _ in range(12):
        residual = on @ a - 1
        near = np.abs(residual) < cut
        if near.sum() < 20:
            return None
        p, r = on[near], residual[near] / cut
        weight = (1 - r**2) ** 2
        normal = (p * weight[:, None]).T @ p
        if np.linalg.cond(normal) > 1e10:
            return None
        a = np.linalg.solve(normal, (p * weight[:, None]).sum(0))
        sigma = 1.4826 * float(np.median(np.abs(on[near] @ a - 1)))
        cut = min(cut, max(4.685 * sigma, 1e-4))
    return a


def _judged(a: F64, points: F64, free: NDArray[np.bool_], unit: float) -> GroundPlane | None:
    """The plane with its evidence, in the units of the input; None when that is too little."""
    on = points[free]
    residual = on @ a - 1
    near = np.abs(residual) < TOLERANCE
    sigma = 1.4826 * float(np.median(np.abs(residual[near]))) if near.any() else np.inf
    share = float(near.mean())
    below = float((points @ a > 1 + 2 * TOLERANCE).mean())
    if share < MIN_SHARE or below > MAX_BELOW:
        return None
    # Neighbouring residuals are alike, so n points tell less than n: taken as n / 25.
    covariance = 25 * max(sigma, 1e-4) ** 2 * np.linalg.inv(on[near].T @ on[near])
    norm = float(np.linalg.norm(a))
    across = np.eye(3) - np.outer(a, a) / norm**2
    std_deg = float(np.degrees(np.sqrt(np.linalg.eigvalsh(across @ covariance @ across)[-1]) / norm))
    if std_deg > MAX_STD_DEG:
        return None
    plane = np.append(-a / norm, unit / norm)
    return GroundPlane(plane_cam=plane, share=share, error=sigma, std_deg=std_deg)
