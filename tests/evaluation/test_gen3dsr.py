"""The protocol ``gen3dsr`` against its public code, closed forms of cut surfaces, and the rules around it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import KDTree
from wedges import scene

from scenemaker.editable import Scene
from scenemaker.evaluation.measures.clipping import area, cut, frustum_normals, joined
from scenemaker.evaluation.measures.points import nearest_distances
from scenemaker.evaluation.pairing import make_pair
from scenemaker.evaluation.protocols import protocol
from scenemaker.evaluation.protocols.gen3dsr import Gen3dsr, scores_of
from scenemaker.evaluation.reading import read_scene
from scenemaker.evaluation.types import Alignment, EvalObject, EvalScene, ScenePair
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, project
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.testing.samples import make_sample

pytestmark = pytest.mark.filterwarnings("error")

# Gen3DSR at 83e7943, src/eval_front.py, compute_metrics_meshes with open3d 0.20, its samples replaced by
# wedges.scene(seed, objects, points) times a scale.
PUBLISHED = [
    (
        (0, 4, 1500, 1.0),
        [0.09713470179, 63.46309942, 1.174940398, 0.0, 61.2, 1.166666667, 0.0, 65.9, 1.183333333, 0.0],
    ),
    (
        (2, 3, 2000, 1.0),
        [0.04618419657, 93.46623821, 6.040275362, 0.0, 93.66666667, 5.95, 0.0, 93.26666667, 6.133333333, 0.0],
    ),
    (
        (2, 3, 2000, 0.02),
        [0.0009236839314, 99.9999995, 99.9999995, 60.98639786, 100, 100, 63.51666667, 100, 100, 58.65],
    ),
]
K = np.array([[200.0, 0, 150], [0, 210, 90], [0, 0, 1]])
CAMERA = Camera(K=K, width=320, height=200)
KEYS = ["cd", *(f"{k}_{t}" for k in ("f1", "p", "r") for t in (0.1, 0.01, 0.001))]
NO_CAMERA = "the ground truth has no camera: nothing is cut"
NO_METRES = "the ground truth may not be in metres, as the thresholds are"


def plate(width, height, centre):
    """A rectangle that faces a camera that looks along z."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * [width / 2, height / 2, 0] + centre
    return Mesh(vertices=corners, faces=[[0, 1, 2], [0, 2, 3]])


def soup(size):
    """Random triangles around (0.2, -0.1, 3), as public code cut them: first those of size 1, then those of size 3."""
    rng = np.random.default_rng(5)
    for spread in range(1, size + 1, 2):
        v, f = rng.normal(0, 1, (40, 3)) * spread + [0.2, -0.1, 3], rng.integers(0, 40, (120, 3))
    return Mesh(vertices=v, faces=f[(f[:, 0] != f[:, 1]) & (f[:, 1] != f[:, 2]) & (f[:, 0] != f[:, 2])])


def in_front(camera=CAMERA, scale_kind="metric"):
    shape = (camera.height, camera.width)
    return Scene(
        rgb=np.zeros((*shape, 3), np.uint8),
        labels=np.zeros(shape, np.int32),
        depth=np.full(shape, np.nan, np.float32),
        camera=camera,
        objects={},
        scale_kind=scale_kind,
    )


def pair(gt, pred, partners=None, *, scene=None, seed=0):
    def side(meshes, scene=None):
        objects = [EvalObject(id=i, name=f"o{i}", mesh=m, S_frame_obj=np.eye(4)) for i, m in enumerate(meshes)]
        return EvalScene(name="s", path=Path("s"), objects=tuple(objects), scene=scene)

    alignment = Alignment(S_world_pred=np.eye(4), kind="none", text="")
    partners = tuple(range(len(gt))) if partners is None else partners
    return ScenePair(name="s", gt=side(gt, scene), pred=side(pred), partners=partners, alignment=alignment, seed=seed)


def measure(*args, points=4000, **rest):
    return Gen3dsr(points=points)(pair(*args, **rest))


@pytest.mark.parametrize(("case", "values"), PUBLISHED)
def test_it_equals_the_public_code(case, values):
    pred, gt = (x.reshape(-1, 3) * case[3] for x in scene(*case[:3]))
    found = scores_of(nearest_distances(pred, gt))
    assert set(found) == set(KEYS)
    for key, value in zip(KEYS, values, strict=True):
        assert found[key] == pytest.approx(value, abs=1e-6)


# util.compute_frustum_planes(K, 200, 320) and trimesh 5.2 slice_plane by each: area, and mean of the surface.
@pytest.mark.parametrize(
    ("size", "kept", "centre"),
    [
        (1, 154.92409415114957, [5.86640439e-04, 4.48541008e-02, 2.68447701]),
        (3, 549.2238877117372, [0.42774899, 0.57668421, 3.9696209]),
    ],
)
def test_it_cuts_as_the_public_code_does(size, kept, centre):
    seen = cut(soup(size), np.zeros(3), frustum_normals(CAMERA))
    assert area(seen) == pytest.approx(kept, rel=1e-6)
    t = seen.triangles
    weight = np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1)
    np.testing.assert_allclose(weight @ t.mean(1) / weight.sum(), centre, rtol=0, atol=1e-5)


def test_a_plate_is_cut_to_the_picture():
    for z in (0.01, 2.0, 300.0):
        seen = cut(plate(10 * z, 8 * z, (0, 0, z)), np.zeros(3), frustum_normals(CAMERA))
        assert area(seen) == pytest.approx(320 * z / 200 * 200 * z / 210, rel=1e-5)
        np.testing.assert_allclose(seen.bounds[0], [-150 * z / 200, -90 * z / 210, z], rtol=1e-5)
        np.testing.assert_allclose(seen.bounds[1], [170 * z / 200, 110 * z / 210, z], rtol=1e-5)


def test_half_of_a_plate_is_left():
    """Its left half is out of the picture, whose left side is at x = -0.75 z."""
    seen = cut(plate(0.4, 0.2, (-1.5, 0, 2)), np.zeros(3), frustum_normals(CAMERA))
    assert area(seen) == pytest.approx(0.04, rel=1e-6)


def test_a_small_face_is_kept_where_its_pixel_is_in_the_picture():
    T_cam_world = transforms.rigid(transforms.axis_angle([1, -2, 0.5], 1.1), [0.3, -1, 2])
    camera = replace(CAMERA, T_cam_world=T_cam_world)
    rng = np.random.default_rng(0)
    at_cam = rng.normal(0, 3, (1500, 3))
    at = transforms.apply(transforms.invert(T_cam_world), at_cam)
    corners = at[:, None] + 1e-4 * rng.normal(size=(1500, 3, 3))
    mesh = Mesh(vertices=corners.reshape(-1, 3), faces=np.arange(4500).reshape(-1, 3))
    seen = cut(mesh, camera.centre_world, frustum_normals(camera))
    u, v = project(K, at_cam).T
    inside = (u > 0) & (u < 320) & (v > 0) & (v < 200)  # False where NaN: behind the camera
    sure = ~((np.abs(u) < 1) | (np.abs(u - 320) < 1) | (np.abs(v) < 1) | (np.abs(v - 200) < 1))
    near = KDTree(seen.triangles.mean(1)).query(at)[0] < 3e-4
    assert 100 < inside.sum() < 1400
    np.testing.assert_array_equal(near[sure], inside[sure])


def test_nothing_in_front_is_none_and_all_in_front_is_all():
    normals = frustum_normals(CAMERA)
    assert cut(plate(1, 1, (0, 0, -2)), np.zeros(3), normals) is None
    assert cut(plate(1, 1, (50, 0, 2)), np.zeros(3), normals) is None
    assert area(cut(plate(0.1, 0.1, (0, 0, 2)), np.zeros(3), normals)) == pytest.approx(0.01, rel=1e-6)


def test_joined_keeps_all_faces_and_welds_nothing():
    a, b = plate(1, 2, (0, 0, 1)), plate(3, 1, (1, 0, 2))
    both = joined([a, b])
    np.testing.assert_array_equal(both.triangles, np.concatenate([a.triangles, b.triangles]))
    assert area(both) == pytest.approx(5.0, rel=1e-6)


def test_parallel_plates_are_as_far_as_they_stand():
    """With points r apart on both, a distance d reads as the mean of sqrt(d^2 + r^2)."""
    for d, f1 in [(0.05, (100, 0, 0)), (0.2, (0, 0, 0))]:
        scores = measure([plate(1, 1, (0, 0, 2))], [plate(1, 1, (0, 0, 2 + d))], points=20_000)
        assert d < scores.scene["cd"] < d + 2e-4
        for t, expected in zip((0.1, 0.01, 0.001), f1, strict=True):
            assert scores.scene[f"f1_{t}"] == pytest.approx(expected, abs=1e-9)
        assert scores.objects == ({},)
        assert scores.notes == (NO_CAMERA, NO_METRES)


def test_points_are_spread_over_the_union_by_area():
    big, small, far = plate(3, 3, (0, 0, 2)), plate(1, 1, (9, 0, 2)), plate(1, 2, (-9, 0, 2))
    missing = measure([big, small], [big], (0, None))
    assert missing.scene["r_0.1"] == pytest.approx(90, abs=0.05)
    assert missing.scene["p_0.1"] == 100
    assert missing.scene["f1_0.1"] == pytest.approx(2 * 90 / 1.9, abs=0.05)
    assert missing.objects == ({}, None)
    extra = measure([big], [big, far])
    assert extra.scene["p_0.1"] == pytest.approx(900 / 11, abs=0.05)
    assert extra.scene["r_0.1"] == 100


def test_what_is_out_of_the_picture_does_not_count():
    gt = plate(0.4, 0.2, (-1.5, 0, 2))  # half of it is out of the picture
    far = plate(5, 5, (40, 0, 2))
    whole = measure([gt], [gt, far])
    seen = measure([gt], [gt, far], scene=in_front())
    assert whole.scene["p_0.1"] < 1
    assert whole.notes == (NO_CAMERA, NO_METRES)
    assert seen.scene["p_0.01"] == seen.scene["r_0.01"] == 100
    assert seen.notes == ("50.0 % of the ground truth's surface is out of the picture and was cut away",)


def test_units_that_are_not_known_are_said():
    inside = plate(0.1, 0.1, (0, 0, 2))
    assert measure([inside], [inside], scene=in_front()).notes == ()
    assert measure([inside], [inside], scene=in_front(scale_kind="relative")).notes == (NO_METRES,)


def test_nothing_predicted():
    inside = plate(0.1, 0.1, (0, 0, 2))
    worst = {key: None if key == "cd" else 0.0 for key in KEYS}
    none = measure([inside], [], (None,), scene=in_front())
    away = measure([inside], [plate(1, 1, (0, 0, -2))], scene=in_front())
    assert none.scene == away.scene == worst
    assert none.objects == (None,)
    assert away.objects == ({},)
    assert none.notes == away.notes == ("nothing of the prediction is in the picture",)


def test_nothing_true_in_view_is_not_measured():
    inside, behind = plate(0.1, 0.1, (0, 0, 2)), plate(1, 1, (0, 0, -2))
    scores = measure([behind], [inside], scene=in_front())
    assert scores.scene == dict.fromkeys(KEYS)
    assert scores.notes == ("nothing of the ground truth is in the picture: not measured",)


def test_faces_without_area_count_as_nothing():
    line = Mesh(vertices=[[0, 0, 2], [0.1, 0, 2], [0.2, 0, 2]], faces=[[0, 1, 2]])
    inside = plate(0.1, 0.1, (0, 0, 2))
    for scene_ in (None, in_front()):
        assert measure([inside], [line], scene=scene_).scene["f1_0.1"] == 0
        assert measure([line], [inside], scene=scene_).scene["cd"] is None


def test_a_scene_folder_is_cut_by_its_own_camera(tmp_path):
    sample = make_sample(2).scene
    sample.move(1, (-1.5, 0, 0), frame="cam")  # half out of the picture
    truth = read_scene(sample.save(tmp_path / "truth"))
    same = make_pair(truth, truth)
    scores = Gen3dsr(points=4000)(same)
    assert scores.scene["f1_0.1"] == 100
    points, _ = sample_surface(joined(same.gt_meshes), 20_000)
    camera = sample.camera
    u, v = project(camera.K, transforms.apply(camera.T_cam_world, points)).T
    away = 100 * (1 - np.mean((u > 0) & (u < camera.width) & (v > 0) & (v < camera.height)))
    assert 5 < away < 95
    assert float(scores.notes[0].split()[0]) == pytest.approx(away, abs=0.5)


def test_equal_inputs_give_equal_scores_and_the_seed_counts():
    meshes = [plate(1, 1, (0, 0, 2)), plate(0.5, 1, (0.2, 0, 3))]
    assert measure(meshes, meshes) == measure(meshes, meshes)
    assert measure(meshes, meshes).scene["cd"] != measure(meshes, meshes, seed=1).scene["cd"]
    assert Gen3dsr(points=4000, workers=2)(pair(meshes, meshes)) == measure(meshes, meshes)


def test_names_and_missing_values():
    assert protocol("gen3dsr").name == "gen3dsr"
    assert protocol("gen3dsr").points == 1_000_000
    assert protocol("gen3dsr", points=100_000).name == "gen3dsr@100000"
    assert [m.key for m in Gen3dsr.measures] == KEYS
    assert {m.key: m.missing for m in Gen3dsr.measures} == {key: None if key == "cd" else 0.0 for key in KEYS}
    assert {m.level for m in Gen3dsr.measures} == {"scene"}
    assert len({m.text for m in Gen3dsr.measures}) == len(KEYS)
