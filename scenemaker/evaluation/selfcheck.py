"""Scores of a scene that need no ground truth: does it look like the photo, and could it stand in the world?

The scene is rendered once from the photo's camera with all objects in it, so that objects hide each other as they do
in the photo, and compared with the visible masks, the point map and the colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scenemaker.evaluation.contacts import Overlap, overlaps, supports
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.raycast import RayCaster, Rendering
from scenemaker.scene import Instances, Photo, PlacedObject, PointMap

MAX_PX = 640  # longer side of the rendering that is compared: every second pixel of a photo of 1024


@dataclass(frozen=True, kw_only=True)
class ObjectScores:
    """Scores of one object; None where they cannot be told.

    Attributes:
        id: Of the object.
        status: "ok", "flagged" or "skipped".
        mask_iou: Of the rendered visible part with the visible mask; 0 when skipped.
        depth_error: Median |z_rendered - z_observed| / z_observed where both show it.
        colour_error: Mean absolute difference from the photo inside its mask, of 255.
        floating: Height of its lowest point above the ground over its own height; below 0 it is sunk in.
        floating_distance: That height in scene units (metres where the scene is metric).
        support: "ground", the id of the object it stands on, or None (held by nothing, or gravity unknown).
    """

    id: int
    status: str
    mask_iou: float
    depth_error: float | None
    colour_error: float | None
    floating: float | None
    floating_distance: float | None
    support: int | str | None


@dataclass(frozen=True, kw_only=True)
class SceneScores:
    """Scores of a scene.

    Attributes:
        mask_iou: Mean over all objects; skipped ones count as 0.
        coverage: Share of the pixels under the masks where the rendering shows an object, whichever.
        depth_error: Mean of the objects' that have one.
        colour_error: Mean absolute difference from the photo inside the masks, of 255; where the rendering is empty
            its white counts.
        colour_error_covered: The same where the rendering shows an object.
        floating: Largest distance of an object that neither ground nor another object holds, as a share of its
            height; None without ground.
        floating_distance: The same in scene units.
        penetration: Largest overlap, as a share of the smaller volume.
        penetration_volume: Of all overlaps together, in cubic scene units.
        penetrations: Pairs of objects that overlap.
        skipped: Ids of objects that are not in the scene.
        objects: One entry per instance, in order.
        width_px, height_px: Of the rendering that was compared.
    """

    mask_iou: float
    coverage: float
    depth_error: float | None
    colour_error: float
    colour_error_covered: float | None
    floating: float | None
    floating_distance: float | None
    penetration: float
    penetration_volume: float
    penetrations: tuple[Overlap, ...]
    skipped: tuple[int, ...]
    objects: tuple[ObjectScores, ...]
    width_px: int
    height_px: int

    def to_dict(self) -> dict[str, Any]:
        """The scores as JSON values."""
        return asdict(self)


def check_scene(
    objects: Sequence[PlacedObject],
    photo: Photo,
    instances: Instances,
    point_map: PointMap,
    *,
    max_px: int = MAX_PX,
) -> SceneScores:
    """Scores of placed objects against the photo they come from.

    Args:
        objects: Of the scene; an instance without a placed object counts as skipped.
        photo: Upright and in sRGB.
        instances: Visible masks.
        point_map: Observed points, gravity and ground, in the units of the poses.
        max_px: Longer side of the rendering at most.
    """
    placed = [o for o in objects if o.mesh is not None and o.pose is not None]
    step = -(-max(photo.width, photo.height) // max_px)
    camera, every = every_nth_pixel(Camera(K=point_map.K, width=photo.width, height=photo.height), step)
    caster = scene_caster(placed)
    seen = _Seen(photo, instances, point_map, camera, every, caster.render(camera))
    up_cam, ground_cam = point_map.up_cam, point_map.ground_cam
    held = supports(caster, up_cam, ground_cam)
    pairs = overlaps(caster.meshes, [o.id for o in placed], up_cam)
    index = {o.id: n for n, o in enumerate(placed)}
    scores = []
    for item in instances:
        n = index.get(item.id)
        if n is None:
            none = {"depth_error": None, "floating": None, "floating_distance": None, "support": None}
            scores.append(
                ObjectScores(
                    id=item.id, status="skipped", mask_iou=0.0, colour_error=seen.colour_error(item.id), **none
                )
            )
            continue
        support = held[n]
        distance, share = floating(caster.meshes[n].vertices, ground_cam)
        scores.append(
            ObjectScores(
                id=item.id,
                status=placed[n].status,
                mask_iou=seen.mask_iou(item.id, n),
                depth_error=seen.depth_error(item.id, n),
                colour_error=seen.colour_error(item.id),
                floating=share,
                floating_distance=distance,
                support=placed[support].id if isinstance(support, int) else support,
            )
        )
    return _summary(scores, pairs, seen)


def photo_camera(photo: Photo, point_map: PointMap, max_px: int) -> Camera:
    """The photo's camera at the origin of ``cam``, with at most ``max_px`` pixels along the longer side."""
    scale = min(1.0, max_px / max(photo.width, photo.height))
    full = Camera(K=point_map.K, width=photo.width, height=photo.height)
    return full.resized(max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))


def every_nth_pixel(camera: Camera, step: int) -> tuple[Camera, slice]:
    """The camera that takes every ``step``-th pixel of every ``step``-th row, and the slice of rows and columns.

    Its pixel centres are pixel centres of the original, so that what is compared is not half a pixel apart.
    """
    first = min(step // 2, camera.width - 1, camera.height - 1)
    shift = 0.5 - (first + 0.5) / step
    S = np.array([[1 / step, 0, shift], [0, 1 / step, shift], [0, 0, 1]])
    width, height = -(-(camera.width - first) // step), -(-(camera.height - first) // step)
    small = Camera(K=S @ camera.K, width=width, height=height, T_cam_world=camera.T_cam_world)
    return small, slice(first, None, step)


def scene_caster(placed: Sequence[PlacedObject]) -> RayCaster:
    """A ray caster over placed objects in ``cam``, in their order."""
    return RayCaster([o.mesh for o in placed if o.mesh is not None], [o.S_cam_obj for o in placed])


def floating(
    vertices_cam: np.ndarray[Any, Any], ground_cam: np.ndarray[Any, Any] | None
) -> tuple[float | None, float | None]:
    """Height of the lowest vertex over the ground, in scene units and as a share of the object's height.

    Below 0 it is sunk in; None without a ground.
    """
    if ground_cam is None:
        return None, None
    height = vertices_cam.astype(np.float64) @ transforms.unit(ground_cam[:3])
    height += ground_cam[3] / np.linalg.norm(ground_cam[:3])
    return float(height.min()), float(height.min() / max(np.ptp(height), 1e-9))


class _Seen:
    """The photo and the rendering at one size, pixel by pixel."""

    def __init__(
        self,
        photo: Photo,
        instances: Instances,
        point_map: PointMap,
        camera: Camera,
        every: slice,
        rendering: Rendering,
    ) -> None:
        self.labels = instances.labels[every, every]
        self.depth = point_map.depth[every, every]
        rgb = photo.rgb[every, every]
        self.camera, self.rendering = camera, rendering
        difference = np.abs(rendering.rgb.astype(np.int16) - rgb.astype(np.int16))
        self.difference = difference.mean(2, dtype=np.float32)  # (H, W)

    def mask_iou(self, id: int, n: int) -> float:
        mask, shown = self.labels == id, self.rendering.index == n
        union = int((mask | shown).sum())
        return float((mask & shown).sum() / union) if union else 0.0

    def depth_error(self, id: int, n: int) -> float | None:
        both = (self.labels == id) & (self.rendering.index == n) & np.isfinite(self.depth) & (self.depth > 0)
        if not both.any():
            return None
        z = self.depth[both].astype(np.float64)
        return float(np.median(np.abs(self.rendering.depth[both] - z) / z))

    def colour_error(self, id: int) -> float | None:
        mask = self.labels == id
        return float(self.difference[mask].mean(dtype=np.float64)) if mask.any() else None


def _summary(scores: Sequence[ObjectScores], pairs: tuple[Overlap, ...], seen: _Seen) -> SceneScores:
    on = seen.labels > 0
    covered = on & (seen.rendering.index >= 0)
    depth_errors = [s.depth_error for s in scores if s.depth_error is not None]
    loose = [s for s in scores if s.floating is not None and s.support is None]
    has_ground = any(s.floating is not None for s in scores)
    return SceneScores(
        mask_iou=float(np.mean([s.mask_iou for s in scores])) if scores else 0.0,
        coverage=float(covered.sum() / on.sum()) if on.any() else 0.0,
        depth_error=float(np.mean(depth_errors)) if depth_errors else None,
        colour_error=float(seen.difference[on].mean(dtype=np.float64)) if on.any() else 0.0,
        colour_error_covered=float(seen.difference[covered].mean(dtype=np.float64)) if covered.any() else None,
        floating=max((abs(s.floating or 0) for s in loose), default=0.0) if has_ground else None,
        floating_distance=max((abs(s.floating_distance or 0) for s in loose), default=0.0) if has_ground else None,
        penetration=max((p.share for p in pairs), default=0.0),
        penetration_volume=sum(p.volume for p in pairs),
        penetrations=pairs,
        skipped=tuple(s.id for s in scores if s.status == "skipped"),
        objects=tuple(scores),
        width_px=seen.camera.width,
        height_px=seen.camera.height,
    )


__all__ = ["ObjectScores", "SceneScores", "check_scene", "every_nth_pixel", "floating", "photo_camera", "scene_caster"]
