"""Poses in closed form from silhouette, point cloud and ground plane, checked by rendering: the backend ``fit``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.errors import SceneMakerError, expected
from scenemaker.geometry.mesh import Mesh
from scenemaker.pose.known_rotation import ground_ratio, place_known_rotation
from scenemaker.pose.rotation_search import SIDES, Found, PoseSearch
from scenemaker.pose.target import Agreement, Placement, Prober, Target, make_target, nearer_objects, without_specks
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

UNTRUSTED = 0.4  # mean depth error above which no pose explains the depth: the silhouette decides
WELL = 0.85  # score of a mesh that stands upright as it should
LYING = 0.6  # score that a mesh on another side must reach: one of another shape may fit anyhow, but stands
OVERTURNED = 0.15  # and how much better than upright it must be


class ClosedFormFit:
    """Fits silhouette, points and ground in closed form; searches the yaw of given meshes. No weights."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    class Config(BaseModel, frozen=True, extra="forbid"):
        n_yaws: int = Field(
            default=24, ge=4, le=360, description="Yaws tried about gravity where the rotation is unknown."
        )
        n_refined: int = Field(default=3, ge=1, le=24, description="Best yaws that are refined.")
        any_side: bool = Field(
            default=True, description="Try the mesh on its other five sides when standing upright it fits badly."
        )
        tilt: bool = Field(
            default=True, description="Let a searched rotation leave the upright by small angles, if it fits."
        )
        resolution_px: int = Field(
            default=112, ge=16, le=1024, description="Rays along the longer side of an object's box."
        )
        snap: float = Field(
            default=0.05,
            ge=0,
            le=0.5,
            description="Objects this near to the ground (in longest sides) are put on it; 0: off.",
        )
        flag_iou: float = Field(default=0.5, ge=0, le=1, description="Poses whose silhouette fits worse are flagged.")

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

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
        """One pose per geometry; nothing here is random, so that ``seed`` changes nothing."""
        return [self._estimate(instances, point_map, v, g) for v, g in zip(views, geometries, strict=True)]

    def _estimate(
        self, instances: Instances, point_map: PointMap, view: ObjectView, geometry: ObjectGeometry
    ) -> ObjectPose | ObjectFailure:
        if not (view.mask_modal | view.mask_amodal).any():
            message = expected("an object that is seen", got="an empty mask", remedy="drop it, or draw its mask")
            return ObjectFailure(id=view.id, error=message)
        try:
            return self._place(instances, point_map, view, geometry)
        except SceneMakerError as error:
            return ObjectFailure(id=view.id, error=str(error))

    def _place(
        self, instances: Instances, point_map: PointMap, view: ObjectView, geometry: ObjectGeometry
    ) -> ObjectPose:
        mesh, prober = geometry.mesh, Prober(geometry.mesh)
        if geometry.R_cam_obj is not None:
            target = make_target(
                view, instances, point_map, view.mask_amodal | view.mask_modal, self.config.resolution_px
            )
            place, found = place_known_rotation(mesh, geometry.R_cam_obj, prober, target, view)
        else:
            target, place, found = self._search(instances, point_map, view, mesh, prober)
        place, notices = self._to_ground(mesh, place, target)
        status: Status = "ok"
        if not np.isfinite(target.z_median):
            where = "the ground plane" if target.ground_cam is not None else "a guess: nothing tells it"
            status, notices = "flagged", (*notices, f"no depth was observed; its distance is from {where}")
        if found.iou < self.config.flag_iou:
            status = "flagged"
            notices = (*notices, f"its silhouette covers the mask with IoU {found.iou:.2f} only")
        return ObjectPose(
            id=view.id,
            R_cam_obj=place.R,
            t_cam_obj=place.t,
            size=place.s * mesh.extents,
            scale=float(place.s),
            status=status,
            notices=notices,
        )

    def _search(
        self, instances: Instances, point_map: PointMap, view: ObjectView, mesh: Mesh, prober: Prober
    ) -> tuple[Target, Placement, Agreement]:
        wanted = view.mask_modal if view.mask_modal.any() else view.mask_amodal
        outline = without_specks(view.mask_amodal | view.mask_modal, 0.03)
        fine = make_target(view, instances, point_map, wanted, self.config.resolution_px)
        coarse = make_target(view, instances, point_map, wanted, min(40, self.config.resolution_px))
        may_hide = (view.mask_hidden & ~view.mask_modal) | nearer_objects(view, instances, point_map, fine.z_median)
        best = self._best(PoseSearch(mesh, prober, coarse, fine, view.K, outline, may_hide))
        if np.isfinite(fine.z_median) and best[1].depth_error > UNTRUSTED:
            fine, coarse = replace(fine, depth_weight=0.1), replace(coarse, depth_weight=0.1)
            best = self._best(PoseSearch(mesh, prober, coarse, fine, view.K, outline, may_hide))
        return fine, *best

    def _best(self, search: PoseSearch) -> Found:
        best = self._refined(search, search.sweep(self.config.n_yaws))
        if not self.config.any_side or best[1].score >= WELL:
            return best
        upright_score = best[1].score
        for side in SIDES[1:]:
            ranked = search.sweep(max(4, self.config.n_yaws // 2), side=side)
            if ranked[0][1].score > best[1].score - 0.1:
                other = self._refined(search, ranked)
                believed = other[1].score >= max(LYING, upright_score + OVERTURNED)
                best = other if believed and other[1].score > best[1].score else best
        return best

    def _refined(self, search: PoseSearch, ranked: list[Found]) -> Found:
        few = [search.refine(f, rounds=6, fine=False, tilt=False) for f in ranked[: self.config.n_refined]]
        best = max(few, key=lambda f: f[1].score)
        return search.refine(best, rounds=5, fine=True, tilt=self.config.tilt)

    def _to_ground(self, mesh: Mesh, place: Placement, target: Target) -> tuple[Placement, tuple[str, ...]]:
        """Scaled about the camera until it stands, when it nearly does: the picture stays the same."""
        k = ground_ratio(mesh.vertices, place, target.ground_cam)
        if k is None:
            return place, ()
        gap = abs(k - 1) * float(np.linalg.norm(place.t)) / (place.s * float(mesh.extents.max()))
        return (place.scaled(k), ()) if gap <= self.config.snap else (place, ())
