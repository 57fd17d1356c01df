"""The last stage: poses and meshes become one scene, which is checked, drawn and written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scenemaker.config import ComposeConfig
from scenemaker.editable import Scene, T_cam_world_of_photo, known_scale
from scenemaker.errors import NoObjectsError, expected
from scenemaker.geometry.cameras import Camera
from scenemaker.pipelines.steps import Artefact, StageInfo
from scenemaker.scene import (
    Instances,
    ObjectGeometry,
    ObjectPose,
    ObjectView,
    Photo,
    PlacedObject,
    PointMap,
    by_id,
)


@dataclass(frozen=True, eq=False)
class ComposeInput:
    """All that the earlier stages made."""

    photo: Artefact[Photo]
    instances: Artefact[Instances]
    point_map: Artefact[PointMap]
    views: Artefact[list[ObjectView]]
    geometries: Artefact[list[ObjectGeometry]]
    poses: Artefact[list[ObjectPose]]
    cut: Callable[[], list[ObjectView]]
    began: float
    config: ComposeConfig
    known_size: dict[int, float]
    infos: Sequence[StageInfo]
    facts: dict[str, str]


def compose_scene(given: ComposeInput) -> Scene:
    """The scene: placed objects, skipped ones with their reason, ground and backdrop, in metres where that is known."""
    from scenemaker.deocclusion.views import paste_amodal

    photo, instances, point_map = given.photo.value, given.instances.value, given.point_map.value
    background = {}
    if given.config.background != "none":
        from scenemaker.export.background import make_background

        background = dict(make_background(photo, instances, point_map, kind=given.config.background))
    objects = place_objects(given)
    if not any(o.pose is not None for o in objects):
        reasons = "; ".join(f"object {o.id}: {' '.join(o.notices)}" for o in objects[:5])
        raise NoObjectsError(expected("at least one object that could be placed", got=reasons, remedy="see --debug"))
    scene = Scene(
        rgb=photo.rgb,
        labels=instances.labels,
        depth=point_map.depth,
        camera=Camera(
            K=point_map.K,
            width=photo.width,
            height=photo.height,
            T_cam_world=T_cam_world_of_photo(point_map.up_cam, point_map.ground_cam),
        ),
        objects={o.id: o for o in objects},
        up_cam=point_map.up_cam,
        ground_cam=point_map.ground_cam,
        scale_kind=point_map.scale_kind,
        background=background,
        amodal=paste_amodal(given.views.value, photo.height, photo.width),
        run={"notices": notices(given)},
    )
    if given.known_size:
        k = known_scale(objects, given.known_size)
        if scene.scale_kind == "metric":
            scene.run["notices"].append(f"depth was metric already: the known size scales it by {k:.3g}")
        scene = scene.scaled(k, "metric")
        scene.run["known_scale"] = k
    return scene


def place_objects(given: ComposeInput) -> list[PlacedObject]:
    """One entry per instance; what failed on the way is there as skipped, with the reason."""
    geometries, poses = by_id(given.geometries.value), by_id(given.poses.value)
    reasons = {
        f.id: f"{a.info.stage}: {f.error}" for a in (given.views, given.geometries, given.poses) for f in a.failures
    }
    placed = []
    for item in given.instances.value:
        geometry, pose = geometries.get(item.id), poses.get(item.id)
        name = {"id": item.id, "name": item.name, "label": item.label}
        if geometry is None or pose is None:
            why = reasons.get(item.id, "left out of an earlier stage by hand")
            placed.append(PlacedObject(**name, mesh=None, pose=None, status="skipped", notices=(why,)))
        else:
            told = (*geometry.notices, *pose.notices)
            placed.append(
                PlacedObject(
                    **name,
                    mesh=geometry.mesh,
                    pose=pose,
                    status=pose.status,
                    S_obj_mesh=geometry.S_obj_mesh,
                    notices=told,
                )
            )
    return placed


def notices(given: ComposeInput) -> list[str]:
    """What the user should know about the whole run."""
    parts = (given.photo.value.notices, given.instances.value.notices, given.point_map.value.notices)
    told = [n for part in parts for n in part]
    if given.point_map.value.up_cam is None:
        told.append("gravity is unknown: `world` is the camera's frame, y up")
    told += [f"{i.stage}: result edited by hand" for i in given.infos if i.origin == "edited by hand"]
    return told


def finish(scene: Scene, given: ComposeInput, folder: Path) -> None:
    """Checks the scene against the photo, and writes the scene folder with its report."""
    from scenemaker.evaluation.selfcheck import check_scene
    from scenemaker.export.folder import write_scene_files

    point_map = _rescaled(given.point_map.value, scene)
    scores = check_scene(list(scene.objects.values()), given.photo.value, given.instances.value, point_map)
    scene.run["scores"] = scores.to_dict()
    write_scene_files(scene, folder)
    if given.config.report:
        from scenemaker.viewer.report import ReportData, scene_figures, write_pictures, write_report

        data = ReportData(
            title=given.photo.value.name,
            photo=given.photo.value,
            instances=given.instances.value,
            point_map=point_map,
            cut=given.cut(),
            completed=given.views.value,
            objects=list(scene.objects.values()),
            background=scene.background,
            scores=scores,
            stages=[*given.infos, _so_far(given)],
            notices=scene.run["notices"],
            facts=given.facts,
        )
        figures = scene_figures(data)
        write_pictures(folder / "pictures", figures)
        write_report(folder / "report.html", data, figures)


def _so_far(given: ComposeInput) -> StageInfo:
    """The row of this stage in its own report: what it took until the pictures are drawn."""
    seconds, last = time.perf_counter() - given.began, given.infos[-1]
    return replace(last, stage="compose", backend="so far", origin="computed", seconds=seconds, licence="Apache-2.0")


def load_composed(folder: Path) -> Scene:
    """Reads a composed scene back."""
    from scenemaker.export.folder import load_scene

    return load_scene(folder)


def _rescaled(point_map: PointMap, scene: Scene) -> PointMap:
    """The point map in the scene's units, after a known size has set them."""
    k = np.float32(scene.run.get("known_scale", 1.0))
    if k == 1:
        return point_map
    points = point_map.points_cam * k
    return replace(point_map, points_cam=points, ground_cam=scene.ground_cam, scale_kind=scene.scale_kind)
