"""The tiny backends: counters, failures on order, moves, and that the seed counts."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from scenemaker.errors import NoObjectsError
from scenemaker.geometry.raycast import render
from scenemaker.scene import ObjectFailure, ObjectGeometry, Photo, Prompts
from scenemaker.testing import (
    TinyDeoccluder,
    TinyGenerator,
    TinyModel,
    TinyPose,
    TinyRefiner,
    TinySceneGenerator,
    TinySegmenter,
    make_sample,
)

SAMPLE = make_sample(3)


def test_bright_regions() -> None:
    rgb = np.zeros((40, 70, 3), np.uint8)
    rgb[5:15, 8:20], rgb[20:35, 40:60], rgb[2, 2] = 200, 255, 255
    found = TinySegmenter().segment(Photo(rgb=rgb), Prompts())
    assert [i.id for i in found] == [1, 2]
    assert [int(found.mask(i.id).sum()) for i in found] == [120, 300]
    with pytest.raises(NoObjectsError, match="expected a bright region; got none; lower threshold"):
        TinySegmenter().segment(Photo(rgb=rgb // 4), Prompts())


def test_masks_of_every_kind(tmp_path) -> None:
    labels = SAMPLE.instances.labels
    Image.fromarray(labels.astype(np.uint8)).save(tmp_path / "masks.png")
    stack = np.stack([labels == i for i in SAMPLE.ids])
    for masks in (labels, stack, tmp_path / "masks.png"):
        got = TinySegmenter().segment(SAMPLE.photo, Prompts(masks=masks))
        assert np.array_equal(got.labels, labels)


@pytest.mark.parametrize("backend", [TinyDeoccluder, TinyGenerator])
def test_fails_on_order(backend: type) -> None:
    maker = backend(backend.Config(fail_ids=(2,)))
    verb = maker.deocclude if backend is TinyDeoccluder else maker.generate
    got = verb(SAMPLE.views_cut, seed=0)
    assert [r.id for r in got] == [1, 2, 3]
    assert [r.id for r in got if isinstance(r, ObjectFailure)] == [2]
    assert got[1].error == "object 2 is in fail_ids"
    verb(SAMPLE.views_cut, seed=0)
    assert maker.calls == 2


def test_poses_and_scenes_fail_on_order() -> None:
    s = SAMPLE
    pose = TinyPose(TinyPose.Config(fail_ids=(1, 3)))
    got = pose.estimate_poses(s.photo, s.instances, s.point_map, s.views_whole, s.geometries, seed=0)
    assert [isinstance(r, ObjectFailure) for r in got] == [True, False, True]
    placed = TinySceneGenerator(TinySceneGenerator.Config(fail_ids=(3,))).generate_scene(s.photo, s.instances, seed=0)
    assert [isinstance(r, ObjectFailure) for r in placed] == [False, False, True]


def test_the_seed_counts() -> None:
    def colours(seed: int) -> list[list[int]]:
        made = TinyGenerator().generate(SAMPLE.views_whole, seed=seed)
        return [g.mesh.colors[0].tolist() for g in made if isinstance(g, ObjectGeometry) and g.mesh.colors is not None]

    assert colours(1) == colours(1) != colours(2)


def test_moves_are_noted() -> None:
    model = TinyModel()
    model.to("cuda:1", "float16")
    model.to("cpu", "float16")
    assert model.moves == [("cuda:1", "float16"), ("cpu", "float16")]


def test_boxes_cover_their_masks() -> None:
    s = SAMPLE
    made = [g for g in TinyGenerator().generate(s.views_whole, seed=0) if isinstance(g, ObjectGeometry)]
    poses = TinyPose().estimate_poses(s.photo, s.instances, s.point_map, s.views_whole, made, seed=0)
    for g, pose in zip(made, poses, strict=True):
        assert not isinstance(pose, ObjectFailure)
        seen = render([g.mesh], [pose.S_cam_obj(g.mesh.extents)], camera()).index == 0
        truth = s.amodal[g.id]
        assert (seen & truth).sum() / (seen | truth).sum() > 0.6


def camera():
    from scenemaker import Camera

    return Camera(K=SAMPLE.point_map.K, width=SAMPLE.photo.width, height=SAMPLE.photo.height)


def test_refiner_grounds_what_floats() -> None:
    scene = SAMPLE.scene
    scene.move(1, by=(0, 0.4, 0))
    refined = TinyRefiner().refine(scene)
    assert abs(refined._lowest(refined.objects[1]) - SAMPLE.scene._lowest(SAMPLE.scene.objects[1])) < 1e-5
