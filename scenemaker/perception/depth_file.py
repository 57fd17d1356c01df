"""The depth backend ``file``: the user's own depth or point map, checked and brought to the photo's size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from scenemaker.errors import FrameError, InputError, ShapeError, expected
from scenemaker.geometry.cameras import F64, K_from_fov, check_K, pixel_rays
from scenemaker.geometry.intrinsics import K_from_points, projection_error_px
from scenemaker.geometry.planes import find_ground
from scenemaker.perception.depth_readers import RawDepth, in_units, read_depth
from scenemaker.perception.labels import same_aspect
from scenemaker.scene import F32, DepthPrompt, Instances, Photo, PointMap, ScaleKind


class DepthFile:
    """Your own depth (16-bit PNG in mm, NPY, NPZ, EXR, array) or point map, with K or a field of view."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    class Config(BaseModel, frozen=True, extra="forbid"):
        """Options of ``file``."""

        depth_unit_m: float = Field(
            default=0.001, gt=0, description="Metres per step of integer depth; 0.001 is millimetres."
        )
        kind: Literal["z", "distance"] = Field(
            default="z", description="Depth along the axis (z), or along the pixel's ray."
        )
        scale_kind: ScaleKind | None = Field(
            default=None, description='"metric" or "relative"; none: as the user says, else metric.'
        )
        fov_x_deg: float = Field(
            default=60.0, gt=0, lt=180, description="Horizontal field of view, when nothing tells K."
        )
        find_ground: bool = Field(default=True, description="Look for the ground plane, and so for up.")

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    def estimate(self, photo: Photo, instances: Instances, prompt: DepthPrompt) -> PointMap:
        """The user's point map, at the size of the photo.

        K is the prompt's, else the photo's, else the file's, else assumed (with a notice). A point map brings its own
        K: one that the prompt gives must fit it, and EXIF's gives way to it.

        Raises:
            InputError: No depth, nothing valid in it, a file that cannot be read.
            ShapeError: Of another aspect than the photo.
            FrameError: Points that no camera sees where they are, or another camera than the given one.
        """
        raw = self._read(prompt)
        raw = _fitted(raw, photo)
        scale_kind = self.config.scale_kind or prompt.scale_kind or "metric"
        if raw.points_cam is not None:
            points, K, notices = _with_own_K(raw.points_cam, photo, prompt)
        else:
            K, notices = self._K(raw, photo, prompt)
            points = _from_depth(np.asarray(raw.depth, np.float32), K, self.config.kind)
        if not np.isfinite(points[..., 2]).any():
            raise InputError(
                expected(
                    "depth with positive, finite values", got="none in the whole map", remedy="check its unit and file"
                )
            )
        notices = (*raw.notices, *notices)
        up_cam = ground_cam = None
        if self.config.find_ground:
            ground = find_ground(points, instances.labels == 0)
            if ground is None:
                notices = (*notices, "no ground plane was found in the depth: which way is up is not known")
            else:
                up_cam, ground_cam = ground.up_cam, ground.plane_cam
        return PointMap(
            points_cam=points, K=K, scale_kind=scale_kind, up_cam=up_cam, ground_cam=ground_cam, notices=notices
        )

    def _read(self, prompt: DepthPrompt) -> RawDepth:
        unit_m = self.config.depth_unit_m
        if prompt.points_cam is not None:
            return in_units(RawDepth(points_cam=np.asarray(prompt.points_cam)), unit_m, "the given point map")
        if prompt.depth is None:
            remedy = "give depth= or --depth, or choose another depth backend"
            raise InputError(expected("a depth map for the backend file", got="none", remedy=remedy))
        if isinstance(prompt.depth, str | Path):
            return read_depth(Path(prompt.depth), unit_m)
        array: NDArray[Any] = np.asarray(prompt.depth)
        given = RawDepth(points_cam=array) if array.ndim == 3 and array.shape[2] == 3 else RawDepth(depth=array)
        return in_units(given, unit_m, "the given depth")

    def _K(self, raw: RawDepth, photo: Photo, prompt: DepthPrompt) -> tuple[F64, tuple[str, ...]]:
        for K in (prompt.K, photo.K, raw.K):
            if K is not None:
                return check_K(K), ()
        fov = self.config.fov_x_deg
        notice = f"no K was given: a horizontal field of view of {fov:g} degrees is assumed (option fov_x_deg)"
        return K_from_fov(fov, photo.width, photo.height), (notice,)


def _fitted(raw: RawDepth, photo: Photo) -> RawDepth:
    """The map at the photo's size, each pixel from the one under its centre; its K in the photo's pixels."""
    array: Any = raw.points_cam if raw.points_cam is not None else raw.depth
    h, w = np.asarray(array).shape[:2]
    size = photo.width, photo.height
    if not same_aspect((w, h), size):
        what = f"depth of the photo's size {size[0]}x{size[1]}, or of the same aspect"
        raise ShapeError(
            expected(what, got=f"{w}x{h}", remedy="give depth of this very photo (same crop, same rotation)")
        )
    K = None if raw.K is None else _map_K(raw.K, w, h, size)
    if (w, h) == size:
        return replace(raw, K=K)
    rows = ((2 * np.arange(size[1]) + 1) * h) // (2 * size[1])
    cols = ((2 * np.arange(size[0]) + 1) * w) // (2 * size[0])
    notice = f"depth resized from {w}x{h} to {size[0]}x{size[1]} (nearest neighbour)"
    resized = np.asarray(array)[rows[:, None], cols]
    notices = (*raw.notices, notice)
    if raw.points_cam is not None:
        return replace(raw, points_cam=resized, K=K, notices=notices)
    return replace(raw, depth=resized, K=K, notices=notices)


def _map_K(K: NDArray[Any], w: int, h: int, size: tuple[int, int]) -> F64:
    """K of a map of w x h in the photo's pixels; one divided by the size (MoGe's) is told by its small numbers."""
    K = check_K(K)
    if K[0, 2] < 2 and K[1, 2] < 2 and K[0, 0] < 20 and min(w, h) > 20:
        return np.diag([size[0], size[1], 1.0]) @ K
    return np.diag([size[0] / w, size[1] / h, 1.0]) @ K


def _from_depth(depth: NDArray[np.float32], K: F64, kind: str) -> F32:
    """(H, W, 3) points; NaN where depth is not finite and positive."""
    rays = pixel_rays(K, *depth.shape)
    z = np.where(np.isfinite(depth) & (depth > 0), depth, np.nan)
    if kind == "distance":
        z = z / np.linalg.norm(rays, axis=-1)
    return (rays * z[..., None]).astype(np.float32)


def _with_own_K(points: NDArray[Any], photo: Photo, prompt: DepthPrompt) -> tuple[F32, F64, tuple[str, ...]]:
    """Points (NaN where invalid), the K they were made with, and notices."""
    points = np.asarray(points, np.float32)
    bad = ~np.isfinite(points).all(-1) | ~(points[..., 2] > 0)
    points = np.where(bad[..., None], np.float32(np.nan), points)
    if bad.all():
        return points, np.eye(3), ()
    tolerance_px = 0.01 * max(photo.width, photo.height)
    if prompt.K is not None:
        K = check_K(prompt.K)
        off_px = projection_error_px(K, points)
        if off_px > tolerance_px:
            got = f"a median of {off_px:.1f} px off them"
            remedy = "leave K out, or give the K that the points were made with"
            raise FrameError(expected("points that project onto their pixels by the given K", got=got, remedy=remedy))
        return points, K, ()
    if photo.K is not None and projection_error_px(photo.K, points) <= tolerance_px:
        return points, check_K(photo.K), ()
    K = K_from_points(points)
    what = "" if photo.K is None else ", not from the photo's EXIF, which does not fit them"
    return points, K, (f"K was found from the given points (fx = {K[0, 0]:.1f} px){what}",)
