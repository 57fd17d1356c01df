"""Closed forms that bring one shape onto another: point pairs, point clouds, silhouettes.

Every function returns or takes the similarity x -> R (s x) + t of ``transforms.similarity``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.errors import InputError, ShapeError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, check_K


def umeyama(
    source: ArrayLike,
    target: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    scale: bool = True,
    axis: ArrayLike | None = None,
) -> F64:
    """(4, 4) S_target_source of least squared error over point pairs, in closed form.

    Reference: Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 1991, eq. 40-42; without scale it is Kabsch's rotation.

    Args:
        source: (n, 3) points.
        target: (n, 3) points; pair i is source[i], target[i].
        weights: (n,) not negative; equal when None.
        scale: Whether the scale is free; else it is 1.
        axis: (3,) in the target's frame: the rotation turns about this axis only.

    Raises:
        ShapeError: Sources and targets do not pair up.
        InputError: No pair has weight.
    """
    x, y = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if x.shape != y.shape or x.ndim != 2 or x.shape[1] != 3:
        raise ShapeError(expected("pairs of points (n, 3)", got=f"{x.shape} and {y.shape}", remedy="pair them up"))
    w = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    if not w.sum() > 0:
        raise InputError(expected("at least one pair with weight", got=f"{len(x)} pairs", remedy="give more points"))
    w = w / w.sum()
    mean_x, mean_y = w @ x, w @ y
    x, y = x - mean_x, y - mean_y
    if axis is None:
        U, _, Vt = np.linalg.svd((y * w[:, None]).T @ x)
        D = np.diag([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])  # no mirror image
        R = U @ D @ Vt
    else:
        a = transforms.unit(axis)
        sine = w @ (np.cross(x, y) @ a)
        cosine = w @ ((x * y).sum(1) - (x @ a) * (y @ a))
        R = transforms.axis_angle(a, float(np.arctan2(sine, cosine)))
    s = 1.0
    if scale:
        spread = w @ (x * x).sum(1)
        s = float(w @ (y * (x @ R.T)).sum(1) / spread) if spread > 0 else 1.0
        s = s if s > 0 else 1.0  # all pairs in one point, or at odds: the scale is not seen
    return transforms.similarity(R, mean_y - s * (R @ mean_x), s)


def kabsch(source: ArrayLike, target: ArrayLike, weights: ArrayLike | None = None) -> F64:
    """(4, 4) rigid T_target_source of least squared error over point pairs; see ``umeyama``."""
    return umeyama(source, target, weights, scale=False)


def scale_of(S: ArrayLike) -> float:
    """The uniform scale of a similarity (4, 4)."""
    return float(np.cbrt(np.linalg.det(np.asarray(S, np.float64)[:3, :3])))


def split(S: ArrayLike) -> tuple[float, F64, F64]:
    """Scale s, rotation (3, 3) and translation (3,) of a similarity (4, 4) of uniform scale."""
    S = np.asarray(S, np.float64)
    s = scale_of(S)
    return s, S[:3, :3] / s, S[:3, 3].copy()


@dataclass(frozen=True, eq=False, kw_only=True)
class IcpResult:
    """Where ``icp`` ended.

    Attributes:
        S: (4, 4) observed frame from model frame.
        error: Root mean square distance of the kept pairs, in the observed frame's unit.
        iterations: Steps made.
    """

    S: F64
    error: float
    iterations: int


def icp(
    model: ArrayLike,
    observed: ArrayLike,
    S_init: ArrayLike,
    *,
    keep: float = 0.8,
    scale: bool = True,
    axis: ArrayLike | None = None,
    iterations: int = 20,
    tolerance: float = 1e-4,
) -> IcpResult:
    """Moves a model onto observed points: each observed point finds its nearest model point (trimmed ICP).

    The observed points may show only a part of the model. Errors are measured among the observed points, whose
    spread is fixed, so that a free scale cannot shrink them away.

    Reference: Besl and McKay, "A method for registration of 3-D shapes", PAMI 1992; trimming as in Chetverikov et
    al., "The trimmed iterative closest point algorithm", ICPR 2002; scale by ``umeyama``.

    Args:
        model: (m, 3) surface points in the model frame.
        observed: (n, 3) points in the observed frame.
        S_init: (4, 4) first guess of the observed frame from the model frame.
        keep: Share of the pairs, nearest first, that count.
        scale: Whether the scale is free.
        axis: (3,) in the observed frame: rotate about this axis only.
        iterations: At most so many steps.
        tolerance: Stops when the error changes by less than this share of itself.

    Raises:
        InputError: Fewer than three observed points or no model point.
    """
    from scipy.spatial import KDTree

    model, observed = np.asarray(model, np.float64), np.asarray(observed, np.float64)
    if len(observed) < 3 or not len(model):
        got = f"{len(observed)} observed, {len(model)} model points"
        raise InputError(expected("at least 3 observed points and a model", got=got, remedy="give more points"))
    tree = KDTree(model)
    n_keep = max(3, round(keep * len(observed)))
    S, error, step = np.asarray(S_init, np.float64), np.inf, 0
    for step in range(1, iterations + 1):
        found = tree.query(transforms.apply(transforms.invert(S), observed))
        distance, nearest = np.asarray(found[0], np.float64), np.asarray(found[1], np.int64)
        near = np.argpartition(distance, n_keep - 1)[:n_keep]
        before, error = error, float(np.sqrt((distance[near] ** 2).mean())) * scale_of(S)
        if step > 1 and before - error <= tolerance * before:
            break
        S = umeyama(transforms.apply(S, model[nearest[near]]), observed[near], scale=scale, axis=axis) @ S
    return IcpResult(S=S, error=error, iterations=step)


def circle(n: int) -> F64:
    """(n, 2) unit vectors evenly around the circle, from +x."""
    angle = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def mask_support(mask: NDArray[np.bool_], K: ArrayLike, directions: ArrayLike) -> tuple[F64, F64]:
    """How far a mask reaches in some directions (k, 2) of the plane z = 1, and the points that reach so far.

    Pixels count as squares: the outline of a sampled shape lies, on average, on the edges of its pixels.

    Returns:
        support: (k,) largest n . (x, y) over the mask.
        corners_px: (k, 2) pixel corners (u, v) where it is reached.

    Raises:
        InputError: An empty mask.
    """
    rows = np.flatnonzero(mask.any(1))
    if not len(rows):
        raise InputError(expected("a mask with at least one pixel", got="an empty mask", remedy="drop the object"))
    left = mask[rows].argmax(1)
    right = mask.shape[1] - mask[rows, ::-1].argmax(1)
    u = np.concatenate([left, left, right, right])
    v = np.concatenate([rows, rows + 1, rows, rows + 1])
    corners = np.stack([u, v], 1).astype(np.float64)
    Kinv = np.linalg.inv(check_K(K))
    reach = (corners @ Kinv[:2, :2].T + Kinv[:2, 2]) @ np.asarray(directions, np.float64).T  # (n, k)
    best = reach.argmax(0)
    return reach[best, np.arange(reach.shape[1])], corners[best]


def fit_silhouette(
    points: ArrayLike,
    support: ArrayLike,
    directions: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    scale: float | None = None,
    iterations: int = 8,
) -> tuple[float, F64]:
    """Scale s and translation t, with t_z = 1, under which points reach as far in the image as a mask does.

    The point that reaches farthest in direction n must lie on the line n . (x, y) = h z, an equation linear in
    (s, t_x, t_y); which point that is, is found anew in each iteration. What a picture cannot tell, the common
    scale of s and t, stays free: multiply both.

    Args:
        points: (n, 3) of the shape, already rotated into ``cam``'s axes.
        support: (k,) of ``mask_support``.
        directions: (k, 2) unit vectors.
        weights: (k,) how far each direction is trusted; equal when None.
        scale: A known s (at t_z = 1); solved for when None.
        iterations: At most so many.

    Raises:
        InputError: Points of no extent.
    """
    p, h, n = np.asarray(points, np.float64), np.asarray(support, np.float64), np.asarray(directions, np.float64)
    trust = np.ones(len(h)) if weights is None else np.asarray(weights, np.float64)
    across = float(np.max(np.ptp(p[:, :2], axis=0)))
    if not across > 0:
        raise InputError(expected("a shape with an extent", got="all points on one ray", remedy="check the mesh"))
    width = max(float(np.ptp(h[:, None] * n, axis=0).max()), 1e-9)
    s_max = 0.9 / max(float(-p[:, 2].min()), 1e-9)  # every point stays in front of the camera
    s, t = _from_box(p, h, n, trust, s_max)
    s = s if scale is None else min(scale, s_max)
    for _ in range(iterations):
        z = np.maximum(s * p[:, 2] + 1, 0.05)
        xy = (s * p[:, :2] + t[:2]) / z[:, None]
        far = (xy @ n.T).argmax(0)  # (k,)
        lever = (p[far, :2] * n).sum(1) - h * p[far, 2]
        A, b = np.column_stack([lever, n]) / z[far, None], h / z[far]
        miss = np.abs(b - A @ np.array([s, t[0], t[1]]))
        robust = 1 / (1 + (miss / (0.005 * width)) ** 2)  # Cauchy: specks pull little
        w = np.sqrt(trust * robust)
        if scale is None:
            x = np.linalg.lstsq(A * w[:, None], b * w, rcond=None)[0]
        else:
            x = np.array([s, *np.linalg.lstsq(A[:, 1:] * w[:, None], (b - A[:, 0] * s) * w, rcond=None)[0]])
        s_new = float(np.clip(x[0], s / 3, min(3 * s, s_max)))
        done = abs(s_new - s) < 1e-6 * s and np.abs(x[1:] - t[:2]).max() < 1e-7
        s, t = s_new, np.array([x[1], x[2], 1.0])
        if done:
            break
    return s, t


def _from_box(p: F64, h: F64, n: F64, trust: F64, s_max: float) -> tuple[float, F64]:
    """First guess under weak perspective: same mean width and centre over all directions."""
    w = np.sqrt(trust)[:, None]
    A = np.column_stack([(p[:, :2] @ n.T).max(0), n])
    s, t_x, t_y = np.linalg.lstsq(A * w, h * w[:, 0], rcond=None)[0]
    return float(np.clip(s, 1e-9, s_max)), np.array([t_x, t_y, 1.0])
