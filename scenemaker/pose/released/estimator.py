"""SceneMaker's published pose weights as they were released: the backend ``pose-dit-released``.

What is kept of the release and what is not: see the text of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from scenemaker.errors import InputError, ShapeError, expected
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.pose.dit.evidence import evidence_of
from scenemaker.pose.target import Placement
from scenemaker.scene import (
    Instances,
    ObjectFailure,
    ObjectGeometry,
    ObjectPose,
    ObjectView,
    Photo,
    PointMap,
    Status,
)

if TYPE_CHECKING:
    from scenemaker.pose.dit.types import Poses
    from scenemaker.pose.released.config import ReleasedConfig
    from scenemaker.pose.released.model import ReleasedModel
    from scenemaker.pose.released.recipe import PictureRecipe, SeenObject


class ReleasedPoseEstimator:
    """SceneMaker's published pose weights, their mistakes included; needs the files of their checkpoint."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ("torch", "timm", "yaml", "safetensors")
    extra = "models"

    class Config(BaseModel, frozen=True, extra="forbid"):
        weights: Path = Field(
            description="Folder of the published checkpoint (config.yaml beside model.safetensors, .bin or .ckpt)."
        )
        steps: int | None = Field(default=None, ge=1, description="Of the sampler; by default those of config.yaml.")
        guidance_scale: float | None = Field(default=None, description="1 is none; by default that of config.yaml.")
        frame: Literal["config", "camera", "gravity"] = Field(
            default="config",
            description="Axes of what the weights find: the camera's, or levelled with gravity; by config.yaml, which "
            "for the published open-set weights may be wrong.",
        )
        flag_iou: float = Field(default=0.5, ge=0, le=1, description="Poses whose silhouette fits worse are flagged.")
        cache: bool = Field(
            default=True,
            description="Keys and values of conditions are kept for all steps: faster; 0.37 GB per object in float32.",
        )

    def __init__(self, config: Config) -> None:
        self.config = config
        self._model: ReleasedModel | None = None

    @property
    def weights_revision(self) -> str:
        """What tells the checkpoint from others."""
        from scenemaker.pose.released.checkpoint import revision

        return revision(self.config.weights)

    @property
    def model(self) -> ReleasedModel:
        """The model, loaded at first use."""
        if self._model is None:
            from scenemaker.pose.released.checkpoint import load_released

            self._model = load_released(self.config.weights)
        return self._model

    def to(self, device: str, dtype: str) -> None:
        """Moves the model."""
        import torch

        self.model.to(device, getattr(torch, dtype))

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
        """One pose per geometry; what is random about an object depends on ``seed`` and its id alone.

        Raises:
            ShapeError: Photo, masks and points differ in size.
            InputError, ConfigError: The checkpoint cannot be used.
        """
        _check_sizes(photo, instances, point_map)
        if not geometries:
            return []
        from scenemaker.pose.released.recipe import PictureRecipe

        recipe = PictureRecipe(photo.rgb, point_map.points_cam, self.model.config)
        seen: dict[int, SeenObject] = {}
        failed: dict[int, ObjectFailure] = {}
        for slot, (view, geometry) in enumerate(zip(views, geometries, strict=True)):
            try:
                seen[view.id] = self._seen(recipe, instances, view.id, geometry.mesh, slot, seed)
            except InputError as error:
                failed[view.id] = ObjectFailure(id=view.id, error=str(error))
        found = self._poses(recipe, point_map, seen, seed) if seen else {}
        meshes = {g.id: g.mesh for g in geometries}
        notes = self._scene_notes(len(geometries))
        return [
            self._pose(v, instances, point_map, meshes[v.id], found[v.id], seen[v.id], notes)
            if v.id in found
            else failed[v.id]
            for v in views
        ]

    def _seen(
        self, recipe: PictureRecipe, instances: Instances, id: int, mesh: Mesh, slot: int, seed: int
    ) -> SeenObject:
        """What the weights are given of one object.

        Raises:
            InputError: It cannot be used.
        """
        own_seed = int(np.random.SeedSequence((seed, id)).generate_state(1)[0])
        surface = _surface(mesh, recipe.config.shape.n_samples, own_seed)
        return recipe.object(instances.mask(id), surface, slot=slot, rng=np.random.default_rng(own_seed))

    def _poses(
        self, recipe: PictureRecipe, point_map: PointMap, seen: dict[int, SeenObject], seed: int
    ) -> dict[int, tuple[Any, Any, float]]:
        """R, t and s in ``cam`` by id."""
        import torch

        from scenemaker.pose.dit.sampler import noise_for
        from scenemaker.pose.released.inputs import decode
        from scenemaker.pose.released.recipe import SeenPicture, join
        from scenemaker.pose.released.sampler import sample

        up = np.zeros(3) if point_map.up_cam is None else point_map.up_cam
        picture = SeenPicture(square=recipe.square(), objects=tuple(seen.values()), up=up)
        device = self.model.pose_emb.weight.device
        inputs = join([picture], recipe.config, levelled=self._levelled(recipe.config)).to(device)
        ids = list(seen)
        with torch.no_grad():
            encoded = self.model.encode(inputs, seed, ids)
            x = sample(
                self.model,
                encoded,
                noise_for(seed, ids, 1)[:, 0],
                steps=self.config.steps,
                guidance_scale=self.config.guidance_scale,
                cache=self.config.cache,
            )  # (N, 10)
        poses: Poses = decode(x.double().cpu(), inputs.to("cpu"))
        R, t, s = poses.R.numpy(), poses.t.numpy(), poses.s.tolist()
        return {id: (R[i], t[i], s[i]) for i, id in enumerate(ids)}

    def _levelled(self, config: ReleasedConfig) -> bool:
        return config.only_use_pitch if self.config.frame == "config" else self.config.frame == "gravity"

    def _scene_notes(self, count: int) -> tuple[str, ...]:
        most = self.model.config.max_objs
        if count <= most:
            return ()
        return (f"the weights were trained on at most {most} objects; this scene has {count}, all placed together",)

    def _pose(
        self,
        view: ObjectView,
        instances: Instances,
        point_map: PointMap,
        mesh: Mesh,
        found: tuple[Any, Any, float],
        seen: SeenObject,
        notes: tuple[str, ...],
    ) -> ObjectPose | ObjectFailure:
        R, t, s = found
        if not (np.isfinite(R).all() and np.isfinite(t).all() and np.isfinite(s)):
            remedy = "use float32, or another checkpoint"
            return ObjectFailure(id=view.id, error=expected("a finite pose", got="NaN or infinity", remedy=remedy))
        wanted, doubts = self.model.config.cloud_points, []
        if len(seen.cloud) <= wanted:
            doubts.append(f"only {len(seen.cloud)} of its points are known; the release drops objects up to {wanted}")
        iou = evidence_of(view, instances, point_map, mesh).judge(Placement(R=R, s=float(s), t=t)).iou
        if t[2] <= 0:
            doubts.append("it was put behind the camera")
        elif iou < self.config.flag_iou:
            doubts.append(f"its silhouette covers the mask with IoU {iou:.2f} only")
        if self._levelled(self.model.config) and point_map.up_cam is None:
            doubts.append("its rotation is levelled with gravity, whose direction is not known here")
        status: Status = "flagged" if doubts else "ok"
        return ObjectPose(
            id=view.id,
            R_cam_obj=R,
            t_cam_obj=t,
            size=s * mesh.extents,
            scale=float(s),
            status=status,
            notices=(*notes, *doubts),
        )


def _surface(mesh: Mesh, count: int, seed: int) -> NDArray[np.float64]:
    """(count, 6) points spread over the mesh by area, and the normals of their faces.

    Raises:
        InputError: A mesh without area.
    """
    points, face = sample_surface(mesh, count, seed=seed)  # (count, 3), (count,)
    a, b, c = np.moveaxis(mesh.triangles[face], 1, 0)  # (count, 3) each
    normal = np.cross(b - a, c - a)  # (count, 3)
    length = np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)  # (count, 1)
    return np.concatenate([points, normal / length], 1)


def _check_sizes(photo: Photo, instances: Instances, point_map: PointMap) -> None:
    size = (photo.height, photo.width)
    for name, got in (("masks", instances.labels.shape), ("points", point_map.points_cam.shape[:2])):
        if got != size:
            raise ShapeError(expected(f"{name} of {size}", got=got, remedy="give the photo's size"))
