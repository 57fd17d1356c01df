"""Tiny backends, one per role: quick and honest toys for tests of pipelines, the cache and the CLI.

Each counts its calls in ``calls`` and fails on the objects of ``fail_ids`` when told to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.editable import Scene
from scenemaker.errors import NoObjectsError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, K_from_fov, unproject
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.scene import (
    DepthPrompt,
    Instance,
    Instances,
    ObjectFailure,
    ObjectGeometry,
    ObjectPose,
    ObjectView,
    Photo,
    PlacedObject,
    PointMap,
    Prompts,
)
from scenemaker.testing.samples import box_mesh


class _Fails(BaseModel, frozen=True, extra="forbid"):
    fail_ids: tuple[int, ...] = Field(default=(), description="Ids of objects to fail on.")


def _failure(id: int) -> ObjectFailure:
    return ObjectFailure(id=id, error=f"object {id} is in fail_ids")


class TinySegmenter:
    """Given masks or boxes as they are, else connected bright regions."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    class Config(BaseModel, frozen=True, extra="forbid"):
        threshold: int = Field(
            default=128, ge=0, le=255, description="Grey value from which a pixel belongs to an object."
        )
        min_area_px: int = Field(default=16, ge=1, description="Smaller regions are dropped.")

    def __init__(self, config: Config | None = None) -> None:
        self.config, self.calls = config or self.Config(), 0

    def segment(self, photo: Photo, prompts: Prompts) -> Instances:
        """One instance per mask, per box, or per bright region."""
        self.calls += 1
        if prompts.masks is not None:
            labels = _labels(prompts.masks)
        elif prompts.boxes_px:
            labels = np.zeros(photo.rgb.shape[:2], np.uint16)
            for id, box in enumerate(prompts.boxes_px, start=1):
                x0, y0, x1, y1 = (round(b) for b in box)
                labels[max(y0, 0) : y1, max(x0, 0) : x1] = id
        else:
            labels = self._bright(photo)
        items = tuple(Instance(id=int(i), name=f"object_{i}") for i in np.unique(labels) if i)
        if not items:
            raise NoObjectsError(expected("a bright region", got="none", remedy="lower threshold"))
        return Instances(labels=labels, items=items)

    def _bright(self, photo: Photo) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
        import cv2

        bright = (photo.rgb.mean(-1) >= self.config.threshold).astype(np.uint8)
        count, regions, stats, _ = cv2.connectedComponentsWithStats(bright)
        large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= self.config.min_area_px]
        lookup = np.zeros(count, np.uint16)
        lookup[large] = np.arange(1, len(large) + 1)
        return lookup[regions]


def _labels(masks: object) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    if isinstance(masks, (str, Path)):
        from PIL import Image

        with Image.open(masks) as image:
            return np.asarray(image).astype(np.uint16)
    array = np.asarray(masks)
    if array.ndim == 2:
        return array.astype(np.uint16)
    return (array.astype(np.uint16) * np.arange(1, len(array) + 1, dtype=np.uint16)[:, None, None]).max(0)


class TinyDepth:
    """A wall that faces the camera, on a level floor; a given depth is taken as it is."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    class Config(BaseModel, frozen=True, extra="forbid"):
        depth: float = Field(default=3.0, gt=0, description="Distance of the wall.")
        fov_x_deg: float = Field(
            default=60.0, gt=0, lt=180, description="Horizontal field of view when K is not given."
        )

    def __init__(self, config: Config | None = None) -> None:
        self.config, self.calls = config or self.Config(), 0

    def estimate(self, photo: Photo, instances: Instances, prompt: DepthPrompt) -> PointMap:
        """The wall at z = depth; the floor lies 1 below the camera."""
        self.calls += 1
        K = prompt.K if prompt.K is not None else photo.K
        if K is None:
            K = K_from_fov(self.config.fov_x_deg, photo.width, photo.height)
        given = prompt.depth if isinstance(prompt.depth, np.ndarray) else None
        z = np.full(photo.rgb.shape[:2], self.config.depth) if given is None else given.astype(np.float64)
        up = np.array([0.0, -1.0, 0.0])
        return PointMap(
            points_cam=unproject(K, z).astype(np.float32),
            K=np.asarray(K, np.float64),
            scale_kind=prompt.scale_kind or "relative",
            up_cam=up,
            ground_cam=np.array([*up, 1.0]),
        )


class TinyDeoccluder:
    """Gives every view back as it is."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()
    Config = _Fails

    def __init__(self, config: _Fails | None = None) -> None:
        self.config, self.calls = config or self.Config(), 0

    def deocclude(self, views: Sequence[ObjectView], *, seed: int) -> list[ObjectView | ObjectFailure]:
        """The views."""
        self.calls += 1
        return [_failure(v.id) if v.id in self.config.fail_ids else v for v in views]


class TinyGenerator:
    """A box of the silhouette's proportions, in about the mean colour of the view."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()
    closed = True

    class Config(_Fails, frozen=True, extra="forbid"):
        thickness: float = Field(default=0.5, gt=0, le=10, description="Depth of the box over its smaller side.")
        noise: int = Field(default=8, ge=0, le=64, description="Random shift of the colour, drawn by the seed.")

    def __init__(self, config: Config | None = None) -> None:
        self.config, self.calls = config or self.Config(), 0

    def generate(self, views: Sequence[ObjectView], *, seed: int) -> list[ObjectGeometry | ObjectFailure]:
        """One box per view, facing the camera."""
        self.calls += 1
        return [self._one(view, seed) for view in views]

    def _one(self, view: ObjectView, seed: int) -> ObjectGeometry | ObjectFailure:
        mask = view.mask_amodal
        if view.id in self.config.fail_ids:
            return _failure(view.id)
        if not mask.any():
            return ObjectFailure(id=view.id, error=expected("a visible object", got="an empty mask", remedy="drop it"))
        shift = np.random.default_rng([seed, view.id]).integers(-self.config.noise, self.config.noise + 1, 3)
        r, g, b = (view.rgba[mask][:, :3].mean(0).round() + shift).clip(0, 255).astype(int)
        high, wide = float(np.ptp(np.flatnonzero(mask.any(1)))) + 1, float(np.ptp(np.flatnonzero(mask.any(0)))) + 1
        box = box_mesh((wide, high, self.config.thickness * min(wide, high)), (int(r), int(g), int(b)))
        return ObjectGeometry(id=view.id, mesh=normalise(box)[0], R_cam_obj=transforms.GL_FROM_CV.copy())


class TinyModel(TinyGenerator):
    """``TinyGenerator`` that is moved between devices like a model; ``moves`` tells where it was put."""

    def __init__(self, config: TinyGenerator.Config | None = None) -> None:
        super().__init__(config)
        self.moves: list[tuple[str, str]] = []

    def to(self, device: str, dtype: str) -> None:
        """Notes the move."""
        self.moves.append((device, dtype))


class TinyPose:
    """Fits height and centre of each mesh to its silhouette, at the median depth of its points."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()
    Config = _Fails

    def __init__(self, config: _Fails | None = None) -> None:
        self.config, self.calls = config or self.Config(), 0

    def estimate_poses(
        self,
        photo: Photo,
        instances: Instances,
        point_map: PointMap,
        views: Sequence[ObjectView],
        geometries: Sequence[ObjectGeometry],
        *,
        seed: int,
    ) -> list[ObjectPose | ObjectFailure]:
        """One pose per geometry, facing the camera when the geometry does not know better."""
        self.calls += 1
        return [self._one(v, g) for v, g in zip(views, geometries, strict=True)]

    def _one(self, view: ObjectView, geometry: ObjectGeometry) -> ObjectPose | ObjectFailure:
        if view.id in self.config.fail_ids:
            return _failure(view.id)
        z = view.points_cam[..., 2][view.mask_modal]
        if not np.isfinite(z).any():
            return ObjectFailure(id=view.id, error=expected("observed points", got="none", remedy="give depth"))
        R = transforms.GL_FROM_CV if geometry.R_cam_obj is None else geometry.R_cam_obj
        s, t = place_on_mask(view.mask_amodal, view.K, float(np.nanmedian(z)), geometry.mesh, R)
        return ObjectPose(id=view.id, R_cam_obj=R, t_cam_obj=t, size=s * geometry.mesh.extents, scale=s)


class TinySceneGenerator:
    """A box per mask at a fixed distance."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    class Config(_Fails, frozen=True, extra="forbid"):
        depth: float = Field(default=3.0, gt=0, description="Distance of all boxes.")

    def __init__(self, config: Config | None = None) -> None:
        self.config, self.calls = config or self.Config(), 0

    def generate_scene(self, photo: Photo, instances: Instances, *, seed: int) -> list[PlacedObject | ObjectFailure]:
        """One box per instance, facing the camera."""
        self.calls += 1
        K = photo.K if photo.K is not None else K_from_fov(60, photo.width, photo.height)
        return [self._one(photo, instances.mask(i.id), i, K) for i in instances]

    def _one(self, photo: Photo, mask: np.ndarray, item: Instance, K: F64) -> PlacedObject | ObjectFailure:
        if item.id in self.config.fail_ids:
            return _failure(item.id)
        if not mask.any():
            return ObjectFailure(id=item.id, error=expected("a visible object", got="an empty mask", remedy="drop it"))
        r, g, b = photo.rgb[mask].mean(0).round().astype(int)
        high, wide = float(np.ptp(np.flatnonzero(mask.any(1)))) + 1, float(np.ptp(np.flatnonzero(mask.any(0)))) + 1
        mesh = normalise(box_mesh((wide, high, min(wide, high)), (int(r), int(g), int(b))))[0]
        s, t = place_on_mask(mask, K, self.config.depth, mesh, transforms.GL_FROM_CV)
        pose = ObjectPose(id=item.id, R_cam_obj=transforms.GL_FROM_CV, t_cam_obj=t, size=s * mesh.extents, scale=s)
        return PlacedObject(id=item.id, name=item.name, mesh=mesh, pose=pose)


class TinyRefiner:
    """Puts every object on the ground, when the ground is known."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.calls = 0

    def refine(self, scene: Scene) -> Scene:
        """The scene with every lowest point on the ground."""
        self.calls += 1
        if scene.ground_cam is None:
            return scene
        n, d = scene.ground_cam[:3], float(scene.ground_cam[3])
        objects = dict(scene.objects)
        for o in scene.placed:
            if o.mesh is not None and o.pose is not None:
                gap = float((transforms.apply(o.S_cam_obj, o.mesh.vertices) @ n).min()) + d
                objects[o.id] = replace(o, pose=replace(o.pose, t_cam_obj=o.pose.t_cam_obj - gap * n))
        return replace(scene, objects=objects)


def place_on_mask(mask: np.ndarray, K: F64, z: float, mesh: Mesh, R_cam_obj: F64) -> tuple[float, F64]:
    """Uniform scale and translation that give a mesh the height and centre of a mask at depth z."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    u, v = (cols[0] + cols[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2
    turned = mesh.vertices @ R_cam_obj.T
    s = float((rows[-1] - rows[0] + 1) * z / K[1, 1] / np.ptp(turned[:, 1]))
    return s, z * (np.linalg.inv(K) @ np.array([u, v, 1.0], np.float64))
