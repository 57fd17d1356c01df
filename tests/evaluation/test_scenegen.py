"""The protocol ``scenegen`` against its public code, and the rules around it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from wedges import scene

from scenemaker.evaluation.measures.filterreg import filterreg
from scenemaker.evaluation.protocols import protocol
from scenemaker.evaluation.protocols.scenegen import SceneGen, scores_of
from scenemaker.evaluation.types import Alignment, Clouds, EvalObject, EvalScene, ScenePair
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh

pytestmark = pytest.mark.filterwarnings("error")

# SceneGen at 605d1a0, evalscene/systems/scene_system.py, SceneSystem._compute_scene_metrics and _compute_object_metrics
# on CPU with probreg 0.3.8 and one thread, the settings of scene_evaluation_scenegen.yaml, on float32 copies of
# wedges.scene(seed, objects, points). These settle. Where the steps of an object circle, the public result depends on
# the order of its points (object 0 of scene(5, 3, 2500): CD-O 0.131 or 0.154), and there is no number to equal.
PUBLISHED = {
    (0, 4, 1500): {
        "cd_s": 0.00483640004,
        "f_s": 0.94966656,
        "iou_b": [0.606297672, 0.344656408, 0.764088631, 0.418452621],
        "cd_o": [0.120943196, 0.1713067, 0.0708843023, 0.156709984],
        "f_o": [0.249625534, 0.202231243, 0.339915216, 0.153861225],
    },
    (9, 3, 2500): {
        "cd_s": 0.00344021525,
        "f_s": 0.98018527,
        "iou_b": [0.761968195, 0.600149751, 0.466409564],
        "cd_o": [0.127755836, 0.104871914, 0.163060442],
        "f_o": [0.270906091, 0.27715829, 0.193885595],
    },
}


def box(size, centre=(0, 0, 0)):
    """A closed box with a corner pulled out, so that no turn brings it onto itself."""
    corners = np.array(list(np.ndindex(2, 2, 2)), float) - 0.5
    corners[7] *= 1.3
    faces = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]
    faces += [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    return Mesh(vertices=corners * size + centre, faces=faces)


THREE = [box((1, 2, 0.5)), box((0.5, 0.5, 0.7), (2, 0, 1)), box((0.8, 0.3, 0.8), (-1.5, 1, 0.5))]


def pair(gt, pred, partners, *, scale=1.0):
    def side(meshes):
        S = transforms.similarity(np.eye(3), [3, 0, 1], scale)
        objects = [EvalObject(id=i, name=f"o{i}", mesh=m, S_frame_obj=S) for i, m in enumerate(meshes)]
        return EvalScene(name="s", path=Path("s"), objects=tuple(objects))

    alignment = Alignment(S_world_pred=np.eye(4), kind="none", text="")
    return ScenePair(name="s", gt=side(gt), pred=side(pred), partners=partners, alignment=alignment)


@pytest.mark.parametrize("case", PUBLISHED)
def test_it_equals_the_public_code(case):
    pred, gt = scene(*case)
    scores = scores_of(Clouds(gt=tuple(gt), pred=tuple(pred)))
    theirs, one_point = PUBLISHED[case], 1 / case[2]
    assert scores.scene["cd_s"] == pytest.approx(theirs["cd_s"], abs=1e-5)
    assert scores.scene["f_s"] == pytest.approx(theirs["f_s"], abs=1e-4)
    for i, found in enumerate(scores.objects):
        assert found["iou_b"] == pytest.approx(theirs["iou_b"][i], abs=1e-4)
        assert found["cd_o"] == pytest.approx(theirs["cd_o"][i], abs=1e-4)
        assert found["f_o"] == pytest.approx(theirs["f_o"][i], abs=1e-4 + one_point)  # a point on the threshold


def test_boxes_are_compared_after_the_registration_of_the_scene():
    pred, gt = scene(0, 3, 800)
    T = filterreg(pred.reshape(-1, 3), gt.reshape(-1, 3)).T
    scores = scores_of(Clouds(gt=tuple(gt), pred=tuple(pred)))
    for p, g, found in zip(transforms.apply(T, pred), gt, scores.objects, strict=True):
        low, high = np.maximum(p.min(0), g.min(0)), np.minimum(p.max(0), g.max(0))
        common = np.prod(np.clip(high - low, 0, None))
        union = np.prod(np.ptp(p, axis=0)) + np.prod(np.ptp(g, axis=0)) - common
        assert found["iou_b"] == pytest.approx(common / union, abs=1e-9)


def test_objects_are_compared_by_shape_alone():
    pred, gt = scene(0, 2, 800)
    before = scores_of(Clouds(gt=tuple(gt), pred=tuple(pred)))
    pred[0] = pred[0] * [2.0, 0.5, 3.0] + [0.1, 0.2, 0]
    after = scores_of(Clouds(gt=tuple(gt), pred=tuple(pred)))
    for key in ("cd_o", "f_o"):
        assert after.objects[0][key] == pytest.approx(before.objects[0][key], abs=1e-9)
    assert after.scene["cd_s"] > before.scene["cd_s"]


def test_the_unit_of_the_scene_does_not_count():
    one = SceneGen(points=500)(pair(THREE, THREE, (0, 1, 2)))
    other = SceneGen(points=500)(pair(THREE, THREE, (0, 1, 2), scale=7.0))
    assert one.scene["cd_s"] == pytest.approx(other.scene["cd_s"], rel=1e-3)
    assert one.objects[1]["iou_b"] == pytest.approx(other.objects[1]["iou_b"], abs=1e-3)


def test_the_longest_side_of_the_true_scene_is_brought_to_196(monkeypatch):
    seen = []
    monkeypatch.setattr("scenemaker.evaluation.protocols.scenegen.scores_of", seen.append)
    this = pair(THREE, THREE[:1], (0, None, None), scale=3.0)
    SceneGen(points=20_000)(this)
    low, high = seen[0].scene_gt.min(0), seen[0].scene_gt.max(0)
    assert (high - low).max() == pytest.approx(1.96, abs=0.01)
    np.testing.assert_allclose(low + high, 0, atol=0.02)
    scale = 1.96 / this.scene_size
    np.testing.assert_allclose(np.ptp(seen[0].pred[0], axis=0), THREE[0].extents * 3.0 * scale, atol=0.02)


def test_missing_and_extra_objects():
    scores = SceneGen(points=400)(pair(THREE, [THREE[0], THREE[2], box((0.4, 0.4, 0.9), (4, 0, 0))], (0, None, 1)))
    assert scores.objects[1] is None
    assert set(scores.objects[0]) == {"iou_b", "cd_o", "f_o"}
    whole = SceneGen(points=400)(pair(THREE, THREE, (0, 1, 2)))
    assert scores.scene["cd_s"] > whole.scene["cd_s"]
    assert scores.scene["f_s"] < whole.scene["f_s"]
    assert scores.objects[0]["cd_o"] == pytest.approx(whole.objects[0]["cd_o"], abs=1e-12)


def test_nothing_predicted():
    scores = SceneGen(points=100)(pair(THREE, [], (None, None, None)))
    assert scores.scene == {"cd_s": None, "f_s": 0.0}
    assert scores.objects == (None, None, None)


def test_only_extra_objects():
    scores = SceneGen(points=100)(pair(THREE, [box((1, 1, 1))], (None, None, None)))
    assert scores.scene["cd_s"] > 0
    assert scores.objects == (None, None, None)


def test_flat_objects():
    plate = Mesh(vertices=[[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]], faces=[[0, 1, 2], [0, 2, 3]])
    scores = SceneGen(points=300)(pair([plate], [plate], (0,)))
    assert all(np.isfinite(v) for v in scores.objects[0].values())
    assert np.isfinite(scores.scene["cd_s"])


def test_names_and_missing_values():
    assert protocol("scenegen").name == "scenegen"
    assert protocol("scenegen").points == 10240
    assert protocol("scenegen", points=500).name == "scenegen@500"
    missing = {m.key: m.missing for m in SceneGen.measures}
    assert missing == {"cd_s": None, "f_s": 0.0, "iou_b": 0.0, "cd_o": None, "f_o": 0.0}
    assert {m.pool for m in SceneGen.measures if m.level == "object"} == {"objects"}
