"""How much of each object a camera sees, measured quickly before anything is rendered, and views chosen by it.

Every object is cast at alone, in its own frame, by the rays that can meet it: that gives its whole outline, and the
nearest object along each ray is the one that is seen. Search trees belong to meshes and are kept for as long as the
meshes live, so that neither a new pose nor a new scene builds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.data.layouts.boxes import hull_points
from scenemaker.data.types import Arrangement
from scenemaker.data.viewpoints import Viewpoints, has_ground
from scenemaker.errors import InputError, expected
from scenemaker.evaluation.bins import BINS, bin_of
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera, project
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.geometry.raycast import RayCaster

LEAST_PX = 12  # of the small picture that an object must show to count as seen
LEAST_DEG = 3.0  # elevation of a view over a ground that lines objects up
MIDDLE = (0.2, 0.8)  # of a box: through which the line of sight of such a view goes
SURFACE_POINTS = 512  # that tell which share of an object is inside the picture
_casters: WeakKeyDictionary[Mesh, RayCaster] = WeakKeyDictionary()
_surfaces: WeakKeyDictionary[Mesh, F64] = WeakKeyDictionary()


class Visibility(NamedTuple):
    """What each of v cameras sees of each of n objects.

    Attributes:
        visible_fraction: (v, n) visible over whole pixels inside the picture; 0 for an object that is outside.
        in_frame: (v, n) share of the object's surface that projects into the picture.
        visible_px: (v, n) visible pixels of the small picture.
    """

    visible_fraction: F64
    in_frame: F64
    visible_px: NDArray[np.int64]


def visibility(
    meshes: Sequence[Mesh], S_world_obj: F64, cameras: Sequence[Camera], *, resolution: int = 64
) -> Visibility:
    """What each camera sees of posed meshes, on pictures whose longer side is ``resolution`` pixels.

    Args:
        meshes: The n meshes in ``obj``.
        S_world_obj: (n, 4, 4) similarities.
        cameras: At any resolution.
        resolution: Pixels of the longer side that are looked at.
    """
    shape = (len(cameras), len(meshes))
    fraction, in_frame, visible_px = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64)
    for v, camera in enumerate(cameras):
        zoom = resolution / max(camera.width, camera.height)
        small = camera.resized(max(round(camera.width * zoom), 1), max(round(camera.height * zoom), 1))
        whole, seen = _count(meshes, S_world_obj, small)
        fraction[v], visible_px[v] = seen / np.maximum(whole, 1), seen
        in_frame[v] = [share_in_frame(m, S, camera) for m, S in zip(meshes, S_world_obj, strict=True)]
    return Visibility(visible_fraction=fraction, in_frame=in_frame, visible_px=visible_px)


def _count(meshes: Sequence[Mesh], S_world_obj: F64, camera: Camera) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) pixels of every object alone, and of what is seen of it."""
    rays_world = camera.rays_cam() @ camera.T_cam_world[:3, :3]  # (H, W, 3), z = 1 in the camera: lengths are depths
    nearest = np.full(rays_world.shape[:2], np.inf, np.float32)
    owner = np.full(nearest.shape, -1)
    whole = np.zeros(len(meshes), np.int64)
    for i, (mesh, S) in enumerate(zip(meshes, S_world_obj, strict=True)):
        rows, columns = outline_box(mesh, S, camera)
        rays = rays_world[rows, columns]
        if not rays.size:
            continue
        S_obj_world = transforms.invert(S)
        centre_obj = transforms.apply(S_obj_world, camera.centre_world)
        hits = _caster(mesh).cast(centre_obj, rays.reshape(-1, 3) @ S_obj_world[:3, :3].T)
        depth = hits.distance.reshape(rays.shape[:2])
        whole[i] = np.isfinite(depth).sum()
        nearer = depth < nearest[rows, columns]
        nearest[rows, columns][nearer] = depth[nearer]
        owner[rows, columns][nearer] = i
    return whole, np.bincount(owner[owner >= 0], minlength=len(meshes))


def outline_box(mesh: Mesh, S_world_obj: F64, camera: Camera) -> tuple[slice, slice]:
    """Rows and columns of the picture outside of which no ray meets the mesh."""
    p_cam = transforms.apply(camera.T_cam_world @ S_world_obj, hull_points(mesh))
    if not (p_cam[:, 2] > 0).all():
        return slice(0, camera.height), slice(0, camera.width)  # it reaches behind the camera: no outline
    pixels = project(camera.K, p_cam)
    limit = [camera.width, camera.height]
    low = np.clip(np.floor(pixels.min(0)), 0, limit).astype(int)
    high = np.clip(np.ceil(pixels.max(0)), 0, limit).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def share_in_frame(mesh: Mesh, S_world_obj: F64, camera: Camera) -> float:
    """Share of the surface of a posed mesh that projects into the picture, hidden or not."""
    if mesh not in _surfaces:
        _surfaces[mesh] = sample_surface(mesh, SURFACE_POINTS)[0]
    pixels = project(camera.K, transforms.apply(camera.T_cam_world @ S_world_obj, _surfaces[mesh]))
    inside = (pixels >= 0).all(1) & (pixels < [camera.width, camera.height]).all(1)  # NaN behind the camera is neither
    return float(inside.mean())


def _caster(mesh: Mesh) -> RayCaster:
    if mesh not in _casters:
        _casters[mesh] = RayCaster([mesh])
    return _casters[mesh]


def drop_hidden(visible_fraction: ArrayLike) -> NDArray[np.int64]:
    """Indices (k,) of the views, of fractions (v, n), in which every object is seen.

    Reference: I-Scene, arXiv 2512.13683, appendix 8: "in some view some object is fully occluded and not visible, we
    discard this render view". An object that is outside of the picture is not visible either.
    """
    return np.flatnonzero((np.asarray(visible_fraction) > 0).all(1))


def severe_views(
    arrangement: Arrangement,
    viewpoints: Viewpoints,
    rng: np.random.Generator,
    want: Sequence[int] = (0,),
    *,
    candidates: int = 32,
    resolution: int = 64,
) -> list[Camera | None]:
    """For each wanted bin a view in which some object falls into it and is still seen; None where none was found.

    Candidates look along the line from a point in the box of one object to a point in the box of another, so that the
    second stands before the first; lens, framing and picture size are those of the viewpoints, the elevation is not.
    No view is given twice. A scene of one object has nothing to line up.

    Args:
        arrangement: The scene.
        viewpoints: How random views are framed.
        rng: Source of randomness.
        want: Indices into ``BINS``, such as (0, 0, 1) for three views.
        candidates: Views that are looked at, all together.
        resolution: Of the measurement, see ``visibility``.
    """
    if not all(0 <= b < len(BINS) for b in want):
        raise InputError(expected(f"bins in 0..{len(BINS) - 1}", got=tuple(want), remedy="see BINS"))
    chosen: list[Camera | None] = [None] * len(want)
    if len(arrangement) < 2:
        return chosen
    meshes, S_world_obj = [o.mesh for o in arrangement.objects], arrangement.S_world_obj
    for _ in range(candidates):
        camera = _lined_up(arrangement, viewpoints, rng)
        if camera is None:
            continue
        seen = visibility(meshes, S_world_obj, [camera], resolution=resolution)
        bins = {bin_of(f) for f, px in zip(seen.visible_fraction[0], seen.visible_px[0], strict=True) if px >= LEAST_PX}
        for k, wanted in enumerate(want):
            if chosen[k] is None and wanted in bins:
                chosen[k] = camera
                break
        if None not in chosen:
            break
    return chosen


def _lined_up(arrangement: Arrangement, viewpoints: Viewpoints, rng: np.random.Generator) -> Camera | None:
    """A view from the line through points of two objects, or None where it would look from too low."""
    hidden, before = rng.choice(len(arrangement), 2, replace=False)
    boxes, inside = arrangement.boxes_world, rng.uniform(*MIDDLE, (2, 3))
    p_hidden = boxes[hidden, 0] + inside[0] * np.ptp(boxes[hidden], axis=0)
    p_before = boxes[before, 0] + inside[1] * np.ptp(boxes[before], axis=0)
    # The camera stands where the line leaves the sphere about the scene on which framed views are, roughly.
    config, middle = viewpoints.config, (boxes[:, 0].min(0) + boxes[:, 1].max(0)) / 2
    tangent = np.mean(config.fill) * np.tan(np.radians(np.mean(config.fov_deg)) / 2)
    start, way = p_hidden - middle, transforms.unit(p_before - p_hidden)
    radius = max(arrangement.size / (2 * float(tangent)), float(np.linalg.norm(start)))
    along = float(start @ way)
    x, y, z = start + (np.sqrt(along**2 - start @ start + radius**2) - along) * way
    elevation_deg, azimuth_deg = np.degrees(np.arctan2(y, np.hypot(x, z))), np.degrees(np.arctan2(x, z))
    if has_ground(arrangement) and elevation_deg < LEAST_DEG:
        elevation_deg = LEAST_DEG
    return viewpoints.towards(arrangement, float(elevation_deg), float(azimuth_deg), rng)
