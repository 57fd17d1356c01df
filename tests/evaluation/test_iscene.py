"""The protocol ``iscene`` against brute force on its own alignment, and the rules around it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenemaker.errors import ConfigError
from scenemaker.evaluation.protocols import protocol
from scenemaker.evaluation.protocols.iscene import IScene, align
from scenemaker.evaluation.types import Alignment, EvalObject, EvalScene, ScenePair, mean_or_none
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh

pytestmark = pytest.mark.filterwarnings("error")

POINTS = 400


def wedge(size, centre):
    """A box with a corner pulled out, so that no turn brings it onto itself."""
    corners = np.array(list(np.ndindex(2, 2, 2)), float) - 0.5
    corners[7] *= 1.3
    faces = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]
    faces += [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    return Mesh(vertices=corners * size + centre, faces=faces)


GT = [wedge((1, 2, 0.5), (0, 1, 0)), wedge((0.5, 0.5, 0.7), (2, 0.25, 1)), wedge((0.8, 0.3, 0.8), (-1.5, 0.15, 0.5))]


def pair(gt, pred, partners=None, S_world_pred=None):
    def side(meshes):
        made = [EvalObject(id=i, name=f"o{i}", mesh=m, S_frame_obj=np.eye(4)) for i, m in enumerate(meshes)]
        return EvalScene(name="s", path=Path("s"), objects=tuple(made))

    S = np.eye(4) if S_world_pred is None else S_world_pred
    return ScenePair(
        name="s",
        gt=side(gt),
        pred=side(pred),
        partners=tuple(range(len(gt))) if partners is None else partners,
        alignment=Alignment(S_world_pred=S, kind="none", text=""),
    )


def moved(mesh, shift, turn_deg=0.0, scale=1.0):
    return mesh.transformed(transforms.similarity(transforms.axis_angle([0, 1, 0], np.radians(turn_deg)), shift, scale))


def worse():
    """A prediction with an error of its own on every object."""
    return [moved(m, d, a, s) for m, d, a, s in zip(GT, np.eye(3) * 0.2, (5, -9, 20), (1, 1.1, 0.9))]


def brute(p, g):
    """Squared Chamfer distance and F-score at 0.1 by the full distance matrix."""
    d = np.linalg.norm(p[:, None] - g[None], axis=2)
    there, back = d.min(1), d.min(0)
    a, b = (there < 0.1).mean(), (back < 0.1).mean()
    return (there**2).mean() + (back**2).mean(), 2 * a * b / (a + b) if a + b else 0.0


@pytest.mark.parametrize("scale", [False, True])
def test_numbers_are_those_of_brute_force(scale):
    made = pair(GT, worse())
    scores = IScene(points=POINTS, scale=scale)(made)
    clouds = made.clouds(POINTS)
    low, high = clouds.scene_gt.min(0), clouds.scene_gt.max(0)
    found = align(clouds.scene_pred, clouds.scene_gt, scale=scale, seed=0)

    def norm(points):
        return (points - (low + high) / 2) * 2 / (high - low).max()

    p, g = transforms.apply(found.S_norm_pred, clouds.scene_pred), norm(clouds.scene_gt)
    cd, f = brute(p, g)
    a, b = np.stack([p.min(0), p.max(0)]), np.stack([g.min(0), g.max(0)])
    common = np.prod(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]))
    iou = common / (np.prod(a[1] - a[0]) + np.prod(b[1] - b[0]) - common)
    assert scores.scene == pytest.approx({"cd_s": cd, "f_s": f, "iou_b": iou}, abs=1e-9)
    for row, one, true in zip(scores.objects, clouds.pred, clouds.gt, strict=True):
        cd, f = brute(transforms.apply(found.S_norm_pred, one), norm(true))
        assert row == pytest.approx({"cd_o": cd, "f_o": f}, abs=1e-9)


def test_a_perfect_prediction():
    scores = IScene(points=4000)(pair(GT, GT))
    assert scores.scene["cd_s"] < 5e-4 and scores.scene["f_s"] == 1 and scores.scene["iou_b"] > 0.97
    assert all(o["cd_o"] < 1e-3 and o["f_o"] == 1 for o in scores.objects)


@pytest.mark.parametrize("turn_deg", [20, 45, 128, 250])
def test_a_perfect_prediction_is_one_from_any_turn(turn_deg):
    T = transforms.rigid(transforms.axis_angle([0.1, 1, 0.05], np.radians(turn_deg)), [0.2, -0.1, 0.3])
    still, now = (IScene(points=2000)(pair(GT, GT, S_world_pred=S)) for S in (None, T))
    assert now.scene == pytest.approx(still.scene, abs=1e-4)


def test_a_shift_of_the_prediction_changes_nothing():
    T = transforms.rigid(np.eye(3), [0.2, -0.1, 0.3])
    still, now = (IScene(points=POINTS)(pair(GT, worse(), S_world_pred=S)) for S in (None, T))
    assert still.notes == now.notes == ("scene: aligned in own box",)  # whose midpoint moves along
    assert now.scene == pytest.approx(still.scene, abs=1e-5)


def test_the_better_of_two_spaces_is_taken_and_told():
    small = [moved(m, (3, 0, 1), 0, 0.5) for m in GT]  # its own box makes up for place and size
    scores = IScene(points=POINTS)(pair(GT, small))
    assert scores.notes == ("scene: aligned in own box",) and scores.scene["f_s"] > 0.99
    turned = [moved(m, (0, 0, 0), 20) for m in GT]  # its own box is larger: the size would be wrong
    scores = IScene(points=2000)(pair(GT, turned))
    assert scores.notes == ("scene: aligned in scene space",) and scores.scene["cd_s"] < 5e-4


def test_both_spaces_are_tried():
    made = pair(GT, worse()).clouds(POINTS)
    S_gt = transforms.centring(made.scene_gt)
    box = transforms.apply(S_gt, made.scene_gt)
    np.testing.assert_allclose((box.min(0) + box.max(0)) / 2, 0, atol=1e-12)
    assert np.ptp(box, axis=0).max() == pytest.approx(2)
    found = align(made.scene_pred, made.scene_gt, scale=False, seed=0)
    sizes = [np.cbrt(np.linalg.det(S[:3, :3])) for S in (S_gt, transforms.centring(made.scene_pred))]
    size = np.cbrt(np.linalg.det(found.S_norm_pred[:3, :3]))  # rigid: that of one of the spaces, unchanged
    assert size == pytest.approx(sizes["own box" in found.notes[0]], rel=1e-9)


def test_a_missing_object_has_no_row_and_leaves_the_scene():
    full, part = IScene(points=POINTS)(pair(GT, GT)), IScene(points=POINTS)(pair(GT, GT, (0, None, 2)))
    assert part.objects[1] is None and part.objects[0] is not None and part.objects[2] is not None
    assert part.scene["cd_s"] < 0.01  # object 1 has no partner, but is in the scene as an extra one
    gone = IScene(points=POINTS)(pair(GT, [GT[0], GT[2]], (0, None, 1)))
    assert gone.objects[1] is None and gone.scene["f_s"] < 0.95 < full.scene["f_s"]
    assert {m.key: m.missing for m in IScene.measures} == {
        "cd_s": None,
        "f_s": 0.0,
        "iou_b": 0.0,
        "cd_o": None,
        "f_o": 0.0,
    }


def test_nothing_predicted():
    scores = IScene(points=POINTS)(pair(GT, [], (None, None, None)))
    assert scores.scene == {"cd_s": None, "f_s": 0.0, "iou_b": 0.0}
    assert scores.objects == (None, None, None) and scores.notes == ()


def test_an_object_alone_or_in_the_scene():
    away = [GT[0], GT[1], moved(GT[2], (0, 1.2, 0))]  # right by itself, in the wrong place
    in_scene, alone = (IScene(points=3000, objects=o)(pair(GT, away)) for o in ("scene", "alone"))
    assert in_scene.scene == alone.scene
    assert alone.objects[2]["f_o"] > 0.99 > 0.01 > in_scene.objects[2]["f_o"]
    spaces = {"aligned in scene space", "aligned in own box"}
    assert [n.split(": ")[0] for n in alone.notes] == ["scene", "object 0", "object 1", "object 2"]
    assert {n.split(": ")[1] for n in alone.notes} <= spaces
    # the nearest point of the scene is never farther than the nearest of the partner
    assert in_scene.scene["cd_s"] <= mean_or_none([o["cd_o"] for o in in_scene.objects])
    assert alone.scene["cd_s"] > mean_or_none([o["cd_o"] for o in alone.objects])


FLAT = Mesh(vertices=[[0, 0, 0], [1, 0, 0], [0, 0, 2], [1, 0, 2]], faces=[[0, 1, 2], [1, 3, 2]])


@pytest.mark.parametrize("points", [1, 3, 900])
@pytest.mark.parametrize("objects", ["scene", "alone"])
def test_flat_scenes_and_few_points(points, objects):
    scores = IScene(points=points, objects=objects)(pair([FLAT], [moved(FLAT, (0.1, 0, 0))]))
    values = [*scores.scene.values(), *scores.objects[0].values()]
    assert np.isfinite(values).all() and scores.scene["iou_b"] == 0  # boxes of no volume
    if points == 900:
        assert scores.scene["f_s"] == 1


def test_the_pair_is_not_changed_and_equal_pairs_score_alike():
    made = pair(GT, worse())
    before = [c.copy() for c in (*made.clouds(POINTS).gt, *made.clouds(POINTS).pred)]
    first, again = IScene(points=POINTS)(made), IScene(points=POINTS)(replace(made))
    assert first == again
    for then, now in zip(before, (*made.clouds(POINTS).gt, *made.clouds(POINTS).pred), strict=True):
        assert (then == now).all()


def test_the_name_tells_the_settings():
    assert protocol("iscene").name == "iscene"
    assert protocol("iscene", points=20480, scale=False, objects="scene").name == "iscene"
    assert protocol("iscene", points=99, scale=True, objects="alone").name == "iscene@99+scale+alone"
    for settings, got in (
        ({"points": 0}, "points 0, objects 'scene'"),
        ({"objects": "x"}, "points 20480, objects 'x'"),
    ):
        with pytest.raises(ConfigError) as told:
            IScene(**settings)
        expected = f"expected points of 1 or more, objects scene or alone; got {got}; keep the defaults"
        assert str(told.value) == expected
