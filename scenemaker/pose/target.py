"""What the photo knows of one object, on a coarse grid of rays, and how well a pose agrees with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster
from scenemaker.scene import Bool, Instances, ObjectView, PointMap

ROOM = 0.3  # of the mask's box side, looked at on every side of it


@dataclass(frozen=True, eq=False, kw_only=True)
class Placement:
    """p_cam = R (s p_obj) + t."""

    R: F64
    s: float
    t: F64

    def scaled(self, k: float) -> Placement:
        """Nearer or farther with the same picture: scaled about the camera."""
        return Placement(R=self.R, s=self.s * k, t=self.t * k)

    @property
    def S(self) -> F64:
        """(4, 4) S_cam_obj."""
        return transforms.similarity(self.R, self.t, self.s)


@dataclass(frozen=True, eq=False, kw_only=True)
class Target:
    """The evidence for one object, flat over n coarse rays.

    Attributes:
        rays_cam: (n, 3) directions, z = 1.
        wanted: (n,) pixels that the object must cover.
        free: (n,) pixels where it must not be seen; the rest may hide it.
        z: (n,) observed depth of the object, NaN where unknown.
        z_front: (n,) depth of other objects, which hide what lies behind them; NaN elsewhere.
        z_median: Of its observed points; NaN without any.
        extent: Its visible size at that depth (at depth 1 without points).
        up_cam, ground_cam: As in ``PointMap``.
        depth_weight: How much its depth counts beside its silhouette.
    """

    rays_cam: NDArray[np.float32]
    wanted: Bool
    free: Bool
    z: NDArray[np.float32]
    z_front: NDArray[np.float32]
    z_median: float
    extent: float
    up_cam: F64 | None
    ground_cam: F64 | None
    depth_weight: float = 0.5

    def points_cam(self) -> F64:
        """(m, 3) observed points."""
        seen = np.isfinite(self.z)
        return self.rays_cam[seen].astype(np.float64) * self.z[seen, None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Agreement:
    """How a pose agrees with a target; ``score`` is the larger the better.

    Attributes:
        iou: Of the silhouette with the wanted pixels, unseen pixels left out.
        depth_error: Mean over covered pixels with depth, in [0, 1], 1 being ``trust`` of the extent or more.
        in_front: Share of its pixels where it stands before what hides it, or before the surface observed.
        z_ratio: Median of observed over rendered depth; NaN when nothing overlaps.
        score: All in one.
    """

    iou: float
    depth_error: float
    in_front: float
    z_ratio: float
    score: float


def make_target(view: ObjectView, instances: Instances, point_map: PointMap, wanted: Bool, max_px: int) -> Target:
    """The evidence in one view, on a grid of at most ``max_px`` rays along the longer side of the object's box."""
    u, v = _grid(wanted, max_px)
    if not _at(wanted, u, v).any():  # a hair between coarse rays
        u, v = _grid(wanted, max(wanted.shape))
    want, hidden = _at(wanted, u, v).reshape(-1), _at(view.mask_hidden & ~view.mask_modal, u, v).reshape(-1)
    z = np.where(_at(view.mask_modal, u, v), _at(view.points_cam[..., 2], u, v), np.nan).reshape(-1)
    uu, vv = np.meshgrid(u, v)
    rays = (np.stack([uu, vv, np.ones_like(uu)], -1) @ np.linalg.inv(view.K).T).reshape(-1, 3)

    u_photo, v_photo = view.origin_px[0] + u / view.scale, view.origin_px[1] + v / view.scale
    height, width = instances.labels.shape
    inside = ((v_photo >= 0) & (v_photo < height))[:, None] & ((u_photo >= 0) & (u_photo < width))
    owner = np.where(inside, _at(instances.labels, u_photo, v_photo), 0)
    z_photo = np.where((owner > 0) & (owner != view.id), _at(point_map.depth, u_photo, v_photo), np.nan)

    z_median = float(np.nanmedian(z)) if np.isfinite(z).any() else float("nan")
    span = np.ptp(rays[want, :2], axis=0) + (u[1:2] - u[:1]).sum() / np.array([view.K[0, 0], view.K[1, 1]])
    return Target(
        rays_cam=rays.astype(np.float32),
        wanted=want,
        free=~want & ~hidden,
        z=z.astype(np.float32),
        z_front=z_photo.reshape(-1).astype(np.float32),
        z_median=z_median,
        extent=max(float(np.linalg.norm(span)), 1e-6) * (z_median if np.isfinite(z_median) else 1.0),
        up_cam=view.up_cam,
        ground_cam=view.ground_cam,
    )


def _grid(wanted: Bool, max_px: int) -> tuple[F64, F64]:
    """Columns u and rows v, in pixels of the view, of a grid over the mask's box and some room around it."""
    h, w = wanted.shape
    rows, cols = np.flatnonzero(wanted.any(1)), np.flatnonzero(wanted.any(0))
    lo, hi = np.array([cols[0], rows[0]]), np.array([cols[-1] + 1, rows[-1] + 1])
    side = float((hi - lo).max())
    room, step = max(2.0, ROOM * side), max(1.0, side / max_px)
    (x0, y0), (x1, y1) = np.maximum(lo - room, 0), np.minimum(hi + room, [w, h])
    n_x, n_y = max(1, round((x1 - x0) / step)), max(1, round((y1 - y0) / step))
    return x0 + (np.arange(n_x) + 0.5) * (x1 - x0) / n_x, y0 + (np.arange(n_y) + 0.5) * (y1 - y0) / n_y


def _at(image: np.ndarray, u: F64, v: F64) -> np.ndarray:
    """(len(v), len(u)) pixels of an image in which the points lie; the nearest ones outside of it."""
    h, w = image.shape
    return image[np.ix_(np.floor(v).astype(int).clip(0, h - 1), np.floor(u).astype(int).clip(0, w - 1))]


def nearer_objects(view: ObjectView, instances: Instances, point_map: PointMap, z: float) -> Bool:
    """(h, w) bool: pixels of the view that show another object nearer than z."""
    h, w = view.mask_modal.shape
    u, v = view.origin_px[0] + (np.arange(w) + 0.5) / view.scale, view.origin_px[1] + (np.arange(h) + 0.5) / view.scale
    owner = _at(instances.labels, u, v)
    return (owner > 0) & (owner != view.id) & (_at(point_map.depth, u, v) < z)


def without_specks(mask: Bool, share: float) -> Bool:
    """The mask without those parts whose area is less than a share of its largest part's."""
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    area[0] = 0  # the background
    return (area >= max(1, share * area.max()))[np.asarray(labels, np.int64)]


class Prober:
    """Looks at one mesh in any pose: the mesh stays, the camera moves, so that the search tree is built once."""

    def __init__(self, mesh: Mesh) -> None:
        self._caster = RayCaster([mesh])

    def depth(self, target: Target, place: Placement) -> NDArray[np.float32]:
        """(n,) z of the posed mesh along the target's rays, NaN where it is missed."""
        directions = target.rays_cam @ (place.R / place.s).astype(np.float32)  # rows: R^T d / s
        hits = self._caster.cast(-(place.R.T @ place.t) / place.s, directions)
        return np.where(hits.index >= 0, hits.distance, np.float32(np.nan))


def compare(target: Target, z: NDArray[np.float32], *, trust: float = 0.1) -> Agreement:
    """How a rendered depth (n,) agrees with a target.

    Args:
        target: The evidence.
        z: (n,) rendered depth, NaN where missed.
        trust: Depth errors count up to this share of the object's extent.
    """
    drawn = np.isfinite(z)
    both = drawn & target.wanted
    limit = trust * target.extent
    with np.errstate(invalid="ignore"):
        covered, before = z > target.z_front, target.z_front - z > limit
    union = np.count_nonzero(target.wanted | (drawn & target.free & ~covered))
    iou = np.count_nonzero(both) / union if union else 0.0
    gap = (z - target.z)[both]
    gap = gap[np.isfinite(gap)]
    error = float(np.minimum(np.abs(gap) / limit, 1).mean()) if len(gap) else 0.5
    too_near = np.count_nonzero(gap < -limit) + np.count_nonzero(before & drawn & ~target.free)
    in_front = too_near / max(1, np.count_nonzero(drawn))
    ratio = float(np.median((target.z[both] / z[both])[np.isfinite(target.z[both])])) if len(gap) else float("nan")
    score = iou - target.depth_weight * (error + in_front)
    return Agreement(iou=iou, depth_error=error, in_front=in_front, z_ratio=ratio, score=score)
