"""The protocol ``sam3d`` against hand-worked cases: there is no public code."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist, pdist

from scenemaker.evaluation.measures.rigid import icp
from scenemaker.evaluation.protocols import protocol
from scenemaker.evaluation.protocols.sam3d import Sam3d, diameter, thinned
from scenemaker.evaluation.types import Alignment, EvalObject, EvalScene, ScenePair
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh

pytestmark = pytest.mark.filterwarnings("error")
SHAPE, LAYOUT = ("f1", "viou", "cd", "emd", "icp_rot_deg"), ("iou_3d", "add_s", "add_s_01")


def mesh(*parts: trimesh.Trimesh) -> Mesh:
    whole = trimesh.util.concatenate(list(parts))
    return Mesh(vertices=whole.vertices, faces=whole.faces)


def cube() -> Mesh:
    return mesh(trimesh.creation.box((1, 1, 1)))


def asymmetric() -> Mesh:
    """A slab with a block on one corner: no turn brings it onto itself."""
    block = trimesh.creation.box((0.35, 0.4, 0.45))
    block.apply_translation((0.41, 0.33, 0.17))
    return mesh(trimesh.creation.box((1, 0.57, 0.31)), block)


def plate() -> Mesh:
    corners = [[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]]
    return Mesh(vertices=corners, faces=[[0, 1, 2], [0, 2, 3]])


def pair_of(gt, pred, partners=None, *, seed=0, S_world_pred=None, T_world_gt=None) -> ScenePair:
    """Both as lists of (mesh, S)."""

    def scene(items, T):
        objects = [EvalObject(id=i, name=f"o{i}", mesh=m, S_frame_obj=S) for i, (m, S) in enumerate(items, 1)]
        return EvalScene(name="s", path=Path("s"), objects=tuple(objects), T_world_frame=T)

    return ScenePair(
        name="s",
        gt=scene(gt, np.eye(4) if T_world_gt is None else T_world_gt),
        pred=scene(pred, np.eye(4)),
        partners=tuple(range(len(gt))) if partners is None else partners,
        alignment=Alignment(S_world_pred=np.eye(4) if S_world_pred is None else S_world_pred, kind="none", text=""),
        seed=seed,
    )


def score(gt, pred, *, points=4000, emd_points=128, fit_points=20_000, **rest) -> dict:
    settings = {"points": points, "emd_points": emd_points, "fit_points": fit_points}
    return Sam3d(**settings)(pair_of([gt], [pred], **rest)).objects[0]


def turned(axis, angle_deg, t=(0, 0, 0), scale=1.0):
    return transforms.similarity(transforms.axis_angle(axis, np.radians(angle_deg)), t, scale)


def moved(*t):
    return transforms.rigid(np.eye(3), t)


def test_a_perfect_prediction():
    found = score((asymmetric(), np.eye(4)), (asymmetric(), np.eye(4)), points=200_000, emd_points=512)
    assert found["f1"] > 0.99 and found["iou_3d"] == 1.0 and found["add_s_01"] == 1.0
    assert found["cd"] < 0.005 and found["add_s"] < 0.006 and found["icp_rot_deg"] < 0.1
    assert found["emd"] < 0.12  # two samplings of 512 points


def test_a_cube_moved_by_half_its_side():
    """Boxes 1 x 1 x 1, half a side apart: 0.5 / 1.5. The shape is not touched."""
    found = score((cube(), np.eye(4)), (cube(), moved(0.5, 0, 0)))
    still = score((cube(), np.eye(4)), (cube(), np.eye(4)))
    assert found["iou_3d"] == pytest.approx(1 / 3, abs=1e-6)
    assert {k: found[k] for k in SHAPE} == pytest.approx({k: still[k] for k in SHAPE}, abs=1e-6)


def test_a_cube_twice_as_large():
    """The box holds the other: 1 / 8. Normalised, the shapes are equal."""
    found = score((cube(), np.eye(4)), (cube(), turned((0, 0, 1), 0, scale=2.0)), points=100_000)
    assert found["iou_3d"] == pytest.approx(1 / 8, abs=1e-6)
    assert found["f1"] > 0.6 and found["cd"] < 0.01  # few points for a surface of 24


@pytest.mark.parametrize("angle_deg", [3.0, 30.0])
def test_icp_rot_is_the_angle_of_a_turned_object(angle_deg):
    S = turned((1, 2, 3), angle_deg, (0.3, -0.2, 0.5), 1.4)
    found = score((asymmetric(), np.eye(4)), (asymmetric(), S), points=100_000)
    assert found["icp_rot_deg"] == pytest.approx(angle_deg, abs=0.2)
    assert found["f1"] > 0.95 and found["cd"] < 0.006  # the turn costs no shape: ICP undoes it


def test_the_objects_own_frames_do_not_count():
    """The same placed shape, its file turned and stretched: nothing changes but the box that normalises it."""
    S_file = transforms.similarity(transforms.axis_angle((0, 1, 0), np.pi / 2), (0.1, 0.2, 0.3), 0.4)
    file = asymmetric().transformed(transforms.invert(S_file))
    one = score((asymmetric(), np.eye(4)), (asymmetric(), np.eye(4)))
    two = score((asymmetric(), np.eye(4)), (file, S_file))
    assert two == pytest.approx(one, abs=0.01)


def test_a_scale_per_axis_belongs_to_the_shape():
    stretched = turned((0, 0, 1), 20) @ np.diag([1.0, 2.0, 1.0, 1.0])
    baked = asymmetric().transformed(np.diag([1.0, 2.0, 1.0, 1.0]))
    found = score((baked, np.eye(4)), (asymmetric(), stretched), points=100_000)
    assert found["icp_rot_deg"] == pytest.approx(20, abs=0.2) and found["f1"] > 0.9


def test_frames_of_both_scenes_are_used():
    T_gt, S_pred = turned((0, 1, 0), 70, (1, 2, 3)), turned((1, 0, 0), -40, (0, 1, 0), 2.5)
    plain = score((asymmetric(), np.eye(4)), (asymmetric(), moved(0.1, 0, 0)))
    pred = transforms.invert(S_pred) @ T_gt @ moved(0.1, 0, 0)
    found = score((asymmetric(), np.eye(4)), (asymmetric(), pred), T_world_gt=T_gt, S_world_pred=S_pred)
    same = ("f1", "cd", "emd", "add_s", "add_s_01")
    assert {k: found[k] for k in same} == pytest.approx({k: plain[k] for k in same}, abs=2e-3)


def test_add_s_of_two_plates_is_their_distance_over_the_diagonal():
    for height, success in ((0.13, 1.0), (0.15, 0.0)):  # 0.092 and 0.106 of the diagonal
        found = score((plate(), np.eye(4)), (plate(), moved(0, height, 0)), points=20_000)
        assert found["add_s"] == pytest.approx(height / np.sqrt(2), rel=2e-3)
        assert found["add_s_01"] == success
        assert found["iou_3d"] == 0.0  # flat boxes


def test_add_s_counts_both_ways_and_the_diameter_of_the_truth():
    """A plate half as wide lies on the other: 0 one way; the other way the mean distance to it, over sqrt(2)."""
    half = np.diag([0.5, 1.0, 1.0, 1.0])
    there = score((plate(), np.eye(4)), (plate(), half), points=20_000)
    back = score((plate(), half), (plate(), np.eye(4)), points=20_000)
    distance = 0.5 * 0.125  # half of the points, on average half of 0.25 away
    assert there["add_s"] == pytest.approx(distance / (2 * np.sqrt(2)), abs=0.003)
    assert back["add_s"] * np.sqrt(1.25) == pytest.approx(there["add_s"] * np.sqrt(2), abs=0.002)


def test_shape_measures_equal_brute_force():
    rng = np.random.default_rng(1)
    p = rng.normal(size=(300, 3)) * 0.3
    g = np.concatenate([p[:150] + rng.normal(size=(150, 3)) * 0.005, rng.normal(size=(150, 3)) * 0.3])
    found = Sam3d(points=300, emd_points=300)._shape(p, g)
    fit = icp(p, g)
    d = cdist(transforms.apply(fit.T, p), g)
    precision, recall = (d.min(1) < 0.01).mean(), (d.min(0) < 0.01).mean()
    assert found["f1"] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-9)
    assert found["cd"] == pytest.approx((d.min(1).mean() + d.min(0).mean()) / 2, abs=1e-9)
    assert found["emd"] == pytest.approx(d[linear_sum_assignment(d)].mean(), abs=1e-9)
    cells = [{tuple(np.floor((x + 1) * 32).clip(0, 63)) for x in cloud} for cloud in (transforms.apply(fit.T, p), g)]
    assert found["viou"] == len(cells[0] & cells[1]) / len(cells[0] | cells[1])
    assert found["icp_rot_deg"] == pytest.approx(np.degrees(np.arccos((np.trace(fit.T[:3, :3]) - 1) / 2)), abs=1e-6)


def test_equal_clouds_are_perfect():
    p = np.random.default_rng(2).uniform(-1, 1, (500, 3))
    found = Sam3d(points=500, emd_points=500)._shape(p, p[::-1])
    assert found["f1"] == 1.0 and found["viou"] == 1.0
    assert [found[k] for k in ("cd", "emd", "icp_rot_deg")] == pytest.approx([0, 0, 0], abs=1e-6)


def test_missing_extra_and_several_objects():
    gt = [(cube(), np.eye(4)), (asymmetric(), moved(3, 0, 0)), (cube(), moved(6, 0, 0))]
    pred = [gt[2], gt[0], (cube(), moved(9, 0, 0))]
    found = Sam3d(points=500, emd_points=64)(pair_of(gt, pred, partners=(1, None, 0)))
    assert found.scene == {} and found.objects[1] is None
    assert found.objects[0]["iou_3d"] == found.objects[2]["iou_3d"] == 1.0
    none = Sam3d(points=500)(pair_of(gt[:1], [], partners=(None,)))
    assert none.objects == (None,)


def test_a_partner_without_a_mesh_is_missing():
    pair = pair_of([(cube(), np.eye(4))], [(None, None)])
    assert Sam3d(points=500)(pair).objects == (None,)


def test_what_a_missing_object_counts_as():
    missing = {m.key: m.missing for m in Sam3d.measures}
    assert missing == dict.fromkeys(("f1", "viou", "iou_3d", "add_s_01"), 0.0) | {"icp_rot_deg": 180.0} | dict.fromkeys(
        ("cd", "emd", "add_s")
    )
    assert set(missing) == {*SHAPE, *LAYOUT}


def test_equal_pairs_give_equal_scores_and_the_seed_counts():
    args = (asymmetric(), np.eye(4)), (cube(), moved(0.1, 0, 0))
    assert score(*args) == score(*args)
    assert score(*args)["cd"] != score(*args, seed=1)["cd"]


def test_the_diameter():
    box = trimesh.creation.box((1, 2, 3)).vertices
    assert diameter(box) == pytest.approx(np.sqrt(14), abs=1e-12)
    R = transforms.axis_angle((1, 2, 3), 0.4)
    assert diameter(plate().vertices @ R) == pytest.approx(np.sqrt(2), abs=1e-6)  # flat, oblique
    assert diameter(np.linspace(0, 1, 5)[:, None] * [1, 2, 2] + 7) == pytest.approx(3, abs=1e-12)  # a line
    assert diameter([[1, 2, 3], [1, 2, 3]]) == 0.0
    for seed in range(5):
        cloud = np.random.default_rng(seed).normal(size=(400, 3))
        assert diameter(cloud) == pytest.approx(pdist(cloud).max(), abs=1e-12)
    round_ = trimesh.creation.icosphere(4, 2.0).vertices  # every vertex is a corner of the hull
    assert diameter(round_) == pytest.approx(4, abs=1e-6)


def test_thinning_is_even():
    points = np.arange(30.0).reshape(10, 3)
    assert (thinned(points, 10) == points).all()
    assert thinned(points, 4)[:, 0].tolist() == [0, 6, 15, 21]
    steps = [b - a for a, b in pairwise(thinned(np.arange(1e6)[:, None], 2048)[:, 0])]
    assert max(steps) - min(steps) <= 1


def test_the_name_tells_the_settings():
    assert protocol("sam3d").name == "sam3d"
    assert protocol("sam3d", points=5000).name == "sam3d@5000"
    assert Sam3d(emd_points=512).name == "sam3d@emd512"
    assert Sam3d(points=100, fit_points=50).name == "sam3d@100@fit50"
