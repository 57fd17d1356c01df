"""Scores without ground truth and picture measures, on scenes whose every score is known beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenemaker.editable import Scene
from scenemaker.evaluation.types import Alignment, EvalObject, EvalScene, ScenePair
from scenemaker.evaluation.unsupervised import picture_scores, score_scene
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh
from scenemaker.testing import box_mesh, make_sample


def made(n: int) -> EvalScene:
    sample = make_sample(n, width=160, height=112)
    scene = sample.scene
    scene.amodal.update(sample.amodal)
    return as_eval(scene)


def as_eval(scene: Scene) -> EvalScene:
    objects = tuple(
        EvalObject(id=o.id, name=o.name, mesh=o.mesh, S_frame_obj=o.S_cam_obj if o.mesh is not None else None)
        for o in scene.objects.values()
    )
    T_world_cam = transforms.invert(scene.camera.T_cam_world)
    return EvalScene(name="s", path=Path("s"), objects=objects, frame="cam", T_world_frame=T_world_cam, scene=scene)


def pair_of(gt: EvalScene, pred: EvalScene, partners: tuple[int | None, ...]) -> ScenePair:
    alignment = Alignment(S_world_pred=gt.T_world_frame, kind="none", text="same camera")
    return ScenePair(name="s", gt=gt, pred=pred, partners=partners, alignment=alignment)


def file_of(*boxes: tuple[tuple[float, float, float], float]) -> EvalScene:
    """A bare file of cubes (centre, side), y up."""
    cube = box_mesh((1, 1, 1), (200, 90, 60))
    placed = [transforms.similarity(np.eye(3), centre, side) for centre, side in boxes]
    objects = tuple(EvalObject(id=i, name=f"{i}", mesh=cube, S_frame_obj=S) for i, S in enumerate(placed, start=1))
    return EvalScene(name="f", path=Path("f.glb"), objects=objects)


def test_a_scene_folder_is_compared_with_its_own_picture_masks_and_depth() -> None:
    scores = score_scene(made(3))
    assert scores["mask_iou"] > 0.999 and scores["depth_error"] < 1e-5 and scores["skipped"] == []
    assert scores["penetration_volume"] == 0 and abs(scores["floating_distance"]) < 1e-4


def test_a_bare_file_tells_contacts_over_its_lowest_point() -> None:
    scene = file_of(((0, 0.5, 0), 1.0), ((0, 1.25, 0), 0.5), ((3, 1.0, 0), 1.0), ((0.4, 0.4, 0.45), 0.4))
    scores = score_scene(scene)
    assert scores["ground"] == "lowest point"
    assert [o["support"] for o in scores["objects"]][:3] == ["ground", 1, None]
    assert scores["floating"] == pytest.approx(0.5, abs=1e-5) and scores["floating_distance"] == pytest.approx(
        0.5, abs=1e-5
    )
    (overlap,) = scores["penetrations"]
    common = 0.3 * 0.4 * 0.25  # x: 0.2 to 0.5; y whole; z: 0.25 to 0.5
    assert (overlap["a"], overlap["b"]) == (1, 4) and overlap["volume"] == pytest.approx(common, rel=0.1)
    assert scores["penetration_volume"] == overlap["volume"] and scores["skipped"] == []


def test_a_failed_object_of_a_bare_file_is_listed() -> None:
    scene = file_of(((0, 0.5, 0), 1.0))
    lost = EvalObject(id=9, name="lost", mesh=None, S_frame_obj=None, status="skipped")
    assert score_scene(replace(scene, objects=(*scene.objects, lost)))["skipped"] == [9]


def test_the_ground_truth_beside_itself_is_perfect() -> None:
    gt = made(3)
    scores = picture_scores(pair_of(gt, gt, (0, 1, 2)))
    assert scores is not None
    assert scores["mask_iou"] == scores["amodal_iou"] == scores["ssim"] == 1 and scores["depth_error"] == 0
    assert scores["psnr"] == 100


def test_a_missing_object_counts_as_zero_and_the_others_are_unharmed() -> None:
    gt = made(3)
    scores = picture_scores(pair_of(gt, replace(gt, objects=gt.objects[:2]), (0, 1, None)))
    assert scores is not None
    assert scores["amodal_iou"] == pytest.approx(2 / 3, abs=1e-6) and scores["psnr"] < 40


def test_a_shift_along_the_ray_is_seen_by_depth_alone() -> None:
    gt = made(1)
    item = gt.objects[0]
    assert item.S_frame_obj is not None
    far = replace(item, S_frame_obj=transforms.similarity(np.eye(3), np.zeros(3), 1.1) @ item.S_frame_obj)
    scores = picture_scores(pair_of(gt, replace(gt, objects=(far,)), (0,)))
    assert scores is not None
    assert scores["mask_iou"] > 0.999 and scores["depth_error"] == pytest.approx(0.1, abs=1e-4)


def test_a_bare_file_as_ground_truth_has_no_pictures() -> None:
    scene = file_of(((0, 0.5, 0), 1.0))
    assert picture_scores(pair_of(scene, scene, (0,))) is None
    assert isinstance(scene.objects[0].mesh, Mesh)
