"""The backend ``pose-dit``: PoseDiT samples, the ray caster chooses, registration and silhouette refine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from scenemaker.cache import digest
from scenemaker.errors import ConfigError, InputError, SceneMakerError, expected
from scenemaker.geometry.mesh import Mesh
from scenemaker.pose.dit.evidence import evidence_of
from scenemaker.pose.dit.refine import gates_of, refine
from scenemaker.pose.dit.search import Ranked, rank
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
    from scenemaker.pose.dit.placer import Placer

SHIPPED = Path(__file__).parents[2] / "weights"
TRAIN = "train them with `scenemaker train pose -o out/pose`, then give weights=out/pose/weights/pose.safetensors"


class PoseDiTEstimator:
    """Samples the poses of all objects at once by PoseDiT, keeps those that the photo supports, and refines them.

    A rotation that a generator knows (``ObjectGeometry.R_cam_obj``) is not used: PoseDiT is taught to find it from
    any turn of the mesh, and the score tells whether it did.

    Attributes:
        hypotheses: Of the last photo, by object: all samples with their scores, and what was chosen.
    """

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ("torch", "safetensors")
    extra = "models"

    class Config(BaseModel, frozen=True, extra="forbid"):
        weights: str = Field(default="mini", description="A safetensors file, or the name of weights that ship.")
        dino: Path | None = Field(
            default=None, description="Weights of DINOv2 as timm publishes them, for models that look through it."
        )
        samples: int = Field(default=8, ge=1, le=256, description="Poses sampled per object.")
        steps: int = Field(default=12, ge=1, le=1000, description="Steps of the sampler.")
        solver: Literal["euler", "heun"] = Field(default="euler", description="Heun looks twice per step.")
        guidance_scale: float = Field(default=1.0, ge=0, description="Of guidance without a classifier; 1 is none.")
        search: bool = Field(default=True, description="Choose the sample that the photo supports best, not the first.")
        refine: bool = Field(default=True, description="Move it by registration and silhouette, if the score rises.")
        n_refined: int = Field(default=3, ge=1, le=256, description="Best samples that are moved before one is chosen.")
        resolution_px: int = Field(
            default=80, ge=16, le=1024, description="Rays along the longer side of an object's box."
        )
        flag_iou: float = Field(default=0.5, ge=0, le=1, description="Poses whose silhouette fits worse are flagged.")
        compile: bool = Field(default=False, description="Compile the transformer: slow at first, then faster.")

    def __init__(self, config: Config | None = None) -> None:
        """Finds the weights; they are read when they are first needed.

        Raises:
            ConfigError: Weights of that name do not ship.
            InputError: There is no such file.
        """
        self.config = config or self.Config()
        self.hypotheses: dict[int, Ranked] = {}
        self._weights, self._place = weights_path(self.config.weights), ("cpu", "float32")

    @cached_property
    def weights_revision(self) -> str:
        """What tells these weights from others."""
        return digest([self._weights, self.config.dino])

    @cached_property
    def placer(self) -> Placer:
        """The model, where it was last sent to.

        Raises:
            InputError, ConfigError: The weights cannot be used.
        """
        from scenemaker.pose.dit.placer import Placer
        from scenemaker.pose.dit.weights import load_model

        c = self.config
        placer = Placer(
            load_model(self._weights, dino=c.dino),
            samples=c.samples,
            steps=c.steps,
            solver=c.solver,
            guidance_scale=c.guidance_scale,
            compile=c.compile,
        )
        placer.to(*self._place)
        return placer

    def to(self, device: str, dtype: str) -> None:
        """Moves the model."""
        self._place = device, dtype
        if "placer" in self.__dict__:
            self.placer.to(device, dtype)

    def estimate_poses(
        self,
        photo: Photo,
        instances: Instances,
        point_map: PointMap,
        views: Sequence[ObjectView],
        geometries: Sequence[ObjectGeometry],
        *,
        seed: int,
        clouds: Mapping[int, NDArray[np.floating]] | None = None,
    ) -> list[ObjectPose | ObjectFailure]:
        """One pose per geometry; what is random about an object depends on ``seed`` and its id alone.

        ``clouds`` are observed points (n, 3) in ``cam`` of some objects by id, in place of those of their pixels.

        Raises:
            ShapeError: Photo, masks and points differ in size.
            InputError, ConfigError: The weights cannot be used.
        """
        from scenemaker.pose.dit.from_stages import pictures_of
        from scenemaker.pose.dit.placer import placements

        self.hypotheses = {}
        if not geometries:
            return []
        pictures, notices, failures = pictures_of(
            photo, instances, point_map, views, geometries, self.placer.model.config, seed=seed, clouds=clouds
        )
        results: dict[int, ObjectPose | ObjectFailure] = dict(failures)
        if pictures is not None:
            seen = [(v, g) for v, g in zip(views, geometries, strict=True) if g.id not in failures]
            (poses,) = self.placer.place([pictures], seed=seed, keys=[[g.id for _, g in seen]])
            for (view, geometry), samples in zip(seen, placements(poses), strict=True):
                told = notices.get(view.id, ())
                try:
                    results[view.id] = self._choose(view, instances, point_map, geometry.mesh, samples, told)
                except SceneMakerError as error:
                    results[view.id] = ObjectFailure(id=view.id, error=str(error))
        return [results[g.id] for g in geometries]

    def _choose(
        self,
        view: ObjectView,
        instances: Instances,
        point_map: PointMap,
        mesh: Mesh,
        samples: Sequence[Placement],
        notices: tuple[str, ...],
    ) -> ObjectPose:
        """The best of the samples of one object, refined."""
        c = self.config
        evidence = evidence_of(view, instances, point_map, mesh, resolution_px=c.resolution_px)
        ranked = rank(evidence, samples if c.search else samples[:1], n_fine=c.n_refined)
        chosen = refine(evidence, ranked, gates_of(evidence), n=c.n_refined) if c.refine else ranked[0]
        self.hypotheses[view.id] = Ranked(id=view.id, hypotheses=ranked, chosen=chosen)
        place, iou = chosen.placement, chosen.agreement.iou
        if iou < c.flag_iou:
            notices = (*notices, f"its silhouette covers the mask with IoU {iou:.2f} only")
        status: Status = "flagged" if notices else "ok"
        return ObjectPose(
            id=view.id,
            R_cam_obj=place.R,
            t_cam_obj=place.t,
            size=place.s * mesh.extents,
            scale=place.s,
            status=status,
            notices=notices,
        )


def weights_path(weights: str) -> Path:
    """The file of weights given by a path, or by the name of weights that ship.

    Raises:
        ConfigError: Weights of that name do not ship.
        InputError: There is no such file.
    """
    if not weights.isidentifier():
        if not Path(weights).is_file():
            raise InputError(expected("a file of PoseDiT's weights", got=f"no file {weights}", remedy=TRAIN))
        return Path(weights)
    path = SHIPPED / f"pose-{weights}.safetensors"
    if not path.is_file():
        raise ConfigError(expected(f"shipped weights {path.name}", got="none yet", remedy=TRAIN))
    return path
