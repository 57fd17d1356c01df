"""Ground truth of a view by Embree rays through the exact pixel centres.

Every object is cast alone, in its own ``obj`` frame and only inside the box that it covers in the picture; the
nearest hit of all is what is seen. So amodal masks cost nothing more, the search tree of a mesh serves every scene it
stands in, and what is seen of an object is always part of what it covers.

Convention: rays have z_cam = 1, so that the distance along a ray is ``depth``. Where a surface lies in the ground to
within 1e-5 of its depth, the object is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.data.render.surfaces import Surface, surface_of
from scenemaker.data.types import GROUND, NOTHING, World
from scenemaker.errors import FrameError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera, project
from scenemaker.geometry.raycast import RayCaster
from scenemaker.scene import F32, Bool

_NEAR = 1e-6  # share of an object's distance within which its box counts as behind the camera
_TIE = 1e-5


@dataclass(frozen=True, eq=False, kw_only=True)
class Hits:
    """What n rays met first.

    Attributes:
        index: (n,) int32, the object, ``GROUND`` or ``NOTHING``.
        face: (n,) int32, face of the object's mesh; -1 elsewhere.
        bary: (n, 2) float32, weights of the face's second and third corner.
        distance: (n,) float32, in lengths of the ray's direction; inf where nothing.
    """

    index: NDArray[np.int32]
    face: NDArray[np.int32]
    bary: F32
    distance: F32


@dataclass(frozen=True, eq=False, kw_only=True)
class Primary:
    """What a camera sees through its pixel centres.

    Attributes:
        hits: Row by row.
        amodal: (n, H, W).
        directions: (H W, 3) float32 of the rays in ``world``, with z_cam = 1.
    """

    hits: Hits
    amodal: Bool
    directions: F32


@dataclass(frozen=True, eq=False, kw_only=True)
class Truth:
    """Everything of ``View`` but its colours; see there."""

    labels: NDArray[np.uint16]
    depth: F32
    normals_cam: F32
    amodal: Bool
    in_frame: F64


class WorldCaster:
    """Casts rays at a world: make one and use it for all views."""

    def __init__(self, world: World) -> None:
        """Prepares the meshes; what only shadows need is made when it is asked for.

        Raises:
            FrameError: A similarity that squeezes its object flat.
        """
        self.world = world
        self.surfaces: list[Surface] = [surface_of(m) for m in world.meshes]
        S = np.asarray(world.S_world_obj, np.float64).reshape(-1, 4, 4)
        self.M_world_obj, self.t_world_obj = S[:, :3, :3], S[:, :3, 3]
        if not (np.abs(np.linalg.det(self.M_world_obj)) > 1e-30).all():
            flat = int(np.argmin(np.abs(np.linalg.det(self.M_world_obj))))
            raise FrameError(
                expected("S_world_obj that can be inverted", got=f"object {flat} of no size", remedy="check its scale")
            )
        self.M_obj_world = np.asarray(np.linalg.inv(self.M_world_obj), np.float64)

    @cached_property
    def everything(self) -> RayCaster:
        """All objects together, in ``world``."""
        return RayCaster(self.world.meshes, list(self.world.S_world_obj))

    @cached_property
    def size(self) -> float:
        """Longest side of the box of all objects in ``world``; 1 without any."""
        if not self.surfaces:
            return 1.0
        boxes = [s.corners @ M.T + t for s, M, t in zip(self.surfaces, self.M_world_obj, self.t_world_obj)]
        return float(np.ptp(np.concatenate(boxes), axis=0).max())

    def primary(self, camera: Camera) -> Primary:
        """What is seen through the pixel centres, and what each object would cover alone."""
        h, w = camera.height, camera.width
        rays = rays_from_pixels(camera)
        distance = np.full((h, w), np.inf, np.float32)
        index = np.full((h, w), NOTHING, np.int32)
        face = np.full((h, w), -1, np.int32)
        bary = np.zeros((h, w, 2), np.float32)
        amodal = np.zeros((len(self.surfaces), h, w), np.bool_)
        for i, surface in enumerate(self.surfaces):
            box = self._box_px(i, camera)
            if box is None:
                continue
            part = (slice(box[1], box[3]), slice(box[0], box[2]))
            directions = pixel_directions(self.M_obj_world[i] @ rays, *box)
            origin = self.M_obj_world[i] @ (camera.centre_world - self.t_world_obj[i])
            hits = surface.caster.cast(origin, directions.reshape(-1, 3))
            met = (hits.index >= 0).reshape(amodal[i][part].shape)
            amodal[i][part] = met
            t = hits.distance.reshape(met.shape)
            nearer = t < distance[part]
            distance[part][nearer] = t[nearer]
            index[part][nearer] = i
            face[part][nearer] = hits.face.reshape(met.shape)[nearer]
            bary[part][nearer] = hits.bary.reshape(*met.shape, 2)[nearer]
        directions = pixel_directions(rays, 0, 0, w, h, np.float64).reshape(-1, 3)
        flat = Hits(index=index.ravel(), face=face.ravel(), bary=bary.reshape(-1, 2), distance=distance.ravel())
        hits = _with_ground(flat, self._ground(camera.centre_world, directions))
        return Primary(hits=hits, amodal=amodal, directions=directions.astype(np.float32))

    def nearest(self, origins: F32, directions: F32) -> Hits:
        """First hits of rays (n, 3) in ``world``, ground included."""
        hits = self.everything.cast(origins, directions)
        index = np.where(hits.index < 0, np.int32(NOTHING), hits.index)
        flat = Hits(index=index, face=hits.face, bary=hits.bary, distance=hits.distance)
        return _with_ground(flat, self._ground(origins, directions))

    def blocked(self, origins: F32, directions: F32, reach: float) -> Bool:
        """(n,) whether anything, ground included, lies nearer than ``reach`` on rays (n, 3) in ``world``."""
        met = self.everything.occluded(origins, directions, reach=reach)
        if self.world.ground is None or not len(met) or min(origins[:, 1].min(), directions[:, 1].min()) > 0:
            return met
        return met | (self._ground(origins, directions) < reach)

    def _ground(self, origins: ArrayLike, directions: F32 | F64) -> F32:
        """(n,) float32 distance to the ground's disc, inf where a ray misses it."""
        n = len(directions)
        if self.world.ground is None:
            return np.full(n, np.inf, np.float32)
        o = np.broadcast_to(np.asarray(origins), (n, 3))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            t = -o[:, 1] / directions[:, 1]
            x, z = o[:, 0] + t * directions[:, 0], o[:, 2] + t * directions[:, 2]
            inside = (t > 0) & (x * x + z * z <= self.world.ground.radius**2)
        return np.where(inside, t, np.inf).astype(np.float32)

    def _box_px(self, i: int, camera: Camera) -> tuple[int, int, int, int] | None:
        """Pixels (left, top, right, bottom; the last two excluded) whose centres object i may cover, or None.

        An object that reaches behind the camera may cover any pixel.
        """
        R, t = camera.T_cam_world[:3, :3], camera.T_cam_world[:3, 3]
        corners = self.surfaces[i].corners @ self.M_world_obj[i].T + self.t_world_obj[i]
        p_cam = corners @ R.T + t
        if (p_cam[:, 2] <= 0).all():
            return None
        if (p_cam[:, 2] <= _NEAR * np.abs(p_cam).max()).any():
            return 0, 0, camera.width, camera.height
        uv = project(camera.K, p_cam)
        edge = np.array([camera.width, camera.height])
        lo = np.clip(np.floor(uv.min(0) - 1), 0, edge).astype(int)
        hi = np.clip(np.ceil(uv.max(0) + 1), 0, edge).astype(int)
        return None if (lo >= hi).any() else (int(lo[0]), int(lo[1]), int(hi[0]), int(hi[1]))


def ground_truth(caster: WorldCaster, camera: Camera, primary: Primary | None = None) -> Truth:
    """The truth of one view.

    Args:
        caster: Of the world.
        camera: What sees it.
        primary: Of ``caster.primary(camera)``, when it is at hand.
    """
    primary = primary or caster.primary(camera)
    hits = primary.hits
    h, w = camera.height, camera.width
    R_cam_world = camera.T_cam_world[:3, :3]
    normals = np.full((h * w, 3), np.nan, np.float32)
    for i, surface in enumerate(caster.surfaces):
        on = np.flatnonzero(hits.index == i)
        if len(on):  # normals turn by the inverse transpose
            n = turned(surface.face_normals.take(hits.face[on], 0), caster.M_obj_world[i].T)
            away = dot(n.T, primary.directions.take(on, 0).T)
            n /= -np.copysign(np.sqrt(dot(n.T, n.T)), away)[:, None]
            normals[on] = turned(n, R_cam_world)
    on = hits.index == GROUND
    normals[on] = R_cam_world[:, 1] * (1 if camera.centre_world[1] >= 0 else -1)
    return Truth(
        labels=np.maximum(hits.index + 1, 0).astype(np.uint16).reshape(h, w),
        depth=np.where(np.isfinite(hits.distance), hits.distance, np.float32(np.nan)).reshape(h, w),
        normals_cam=normals.reshape(h, w, 3),
        amodal=primary.amodal,
        in_frame=in_frame(caster, camera),
    )


def in_frame(caster: WorldCaster, camera: Camera) -> F64:
    """(n,) share of each object's surface points that project into the picture."""
    shares = np.zeros(len(caster.surfaces))
    for i, (surface, S) in enumerate(zip(caster.surfaces, caster.world.S_world_obj)):
        uv = project(camera.K, transforms.apply(camera.T_cam_world @ S, surface.points))
        inside = (uv >= 0).all(1) & (uv < [camera.width, camera.height]).all(1)  # NaN is not inside
        shares[i] = inside.mean()
    return shares


def rays_from_pixels(camera: Camera) -> F64:
    """(3, 3) M: the ray through pixel position (u, v) has the direction M (u, v, 1) in ``world``, with z_cam = 1."""
    return camera.T_cam_world[:3, :3].T @ np.linalg.inv(camera.K)


def pixel_directions(
    M: F64, left: int, top: int, right: int, bottom: int, dtype: type[np.floating] = np.float32
) -> NDArray[np.floating]:
    """(rows, columns, 3) directions M (u, v, 1) of the pixel centres of a part of the picture, summed in float64."""
    u, v = np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5
    out = np.empty((len(v), len(u), 3), dtype)
    np.add((v[:, None] * M[:, 1] + M[:, 2])[:, None], u[:, None] * M[:, 0], out=out, casting="same_kind")
    return out


def turned(vectors: F32, M: F64) -> F32:
    """(n, 3) M v for every row v: without BLAS, whose threads take longer to start than to finish."""
    return cv2.transform(vectors[None], M)[0]


def dot(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """(n,) scalar products of columns (3, n); faster than a sum over the short axis."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _with_ground(hits: Hits, ground: F32) -> Hits:
    nearer = ground < hits.distance * np.float32(1 - _TIE)
    return Hits(
        index=np.where(nearer, np.int32(GROUND), hits.index),
        face=np.where(nearer, np.int32(-1), hits.face),
        bary=hits.bary,
        distance=np.where(nearer, ground, hits.distance),
    )
