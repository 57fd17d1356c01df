"""Predictions in other frames come home, and the text says from where."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_scene import box

from scenemaker.errors import ConfigError
from scenemaker.evaluation.alignment import align_scenes
from scenemaker.evaluation.reading import read_scene
from scenemaker.evaluation.scene_icp import CAP, SceneIcp
from scenemaker.evaluation.types import EvalObject, EvalScene
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh
from scenemaker.testing import make_sample

IDENTITY = (0, 1, 2)
IN_WORLD = np.eye(4)
# the file's frame from a y-up world
AXES = {
    "z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "-y": np.diag([1.0, -1.0, -1.0]),
    "-z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "x": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
    "-x": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> EvalScene:
    return read_scene(make_sample(3).scene.save(tmp_path_factory.mktemp("made") / "made"))


def chair(scale: float) -> Mesh:
    """No two of its views are alike: a seat, a back and one leg."""
    parts = [box((1, 0.1, 0.8)), box((0.1, 0.7, 0.8)), box((0.1, 0.5, 0.1))]
    shifts = [(0, 0, 0), (-0.45, 0.4, 0), (0.3, -0.3, 0.2)]
    vertices = np.concatenate([p.vertices + s for p, s in zip(parts, shifts, strict=True)]) * scale
    return Mesh(vertices=vertices, faces=np.concatenate([p.faces + 8 * k for k, p in enumerate(parts)]))


def placed(id, mesh, at, yaw_deg=0.0) -> EvalObject:
    S = transforms.rigid(transforms.axis_angle([0, 1, 0], np.radians(yaw_deg)), at)
    return EvalObject(id=id, name=f"object_{id}", mesh=mesh, S_frame_obj=S)


def room() -> EvalScene:
    """A bare y-up file without symmetry."""
    meshes = [chair(1.0), box((0.4, 0.9, 0.6)), chair(0.5), box((1.2, 0.2, 0.7))]
    spots = [((0, 0.5, 0), 20), ((1.5, 0.45, -1), 70), ((-1.2, 0.3, 0.8), -110), ((0.7, 0.1, 1.9), 5)]
    objects = [placed(k + 1, mesh, *spot) for k, (mesh, spot) in enumerate(zip(meshes, spots, strict=True))]
    return EvalScene(name="room", path=Path("room.glb"), objects=tuple(objects))


def as_file(scene: EvalScene, S_file_world=IN_WORLD) -> EvalScene:
    """The scene as a file in another frame, its meshes baked."""
    S = S_file_world @ scene.T_world_frame
    objects = []
    for o in scene.objects:
        assert o.mesh is not None and o.S_frame_obj is not None
        objects.append(replace(o, mesh=o.mesh.transformed(S @ o.S_frame_obj), S_frame_obj=np.eye(4)))
    return EvalScene(name="file", path=Path("file.glb"), objects=tuple(objects))


def points(scene: EvalScene, S) -> np.ndarray:
    return np.concatenate([transforms.apply(S @ o.S_frame_obj, o.mesh.vertices) for o in scene.objects if o.placed])


def error(gt: EvalScene, pred: EvalScene, S_world_pred, S_file_world=IN_WORLD) -> float:
    """Mean distance of the predicted points from where they belong, in scene sizes."""
    away = points(pred, S_world_pred) - points(pred, transforms.invert(S_file_world))
    return float(np.linalg.norm(away, axis=1).mean() / np.ptp(points(gt, gt.T_world_frame), axis=0).max())


def relative(scene: EvalScene, k: float) -> EvalScene:
    """The scene folder when its depth is k times the truth, and relative."""
    assert scene.scene is not None
    S = transforms.similarity(np.eye(3), np.zeros(3), k)
    objects = tuple(replace(o, S_frame_obj=S @ o.S_frame_obj) for o in scene.objects)
    T = transforms.invert(scene.T_world_frame)
    T[:3, 3] *= k
    return replace(scene, objects=objects, scene=scene.scene.scaled(k, "relative"), T_world_frame=transforms.invert(T))


# Scene folders


def metric(scene: EvalScene) -> EvalScene:
    assert scene.scene is not None
    return replace(scene, scene=scene.scene.scaled(1.0, "metric"))


def turned(scene: EvalScene, place: int, angle_deg: float) -> EvalScene:
    """The scene with one object turned about up, about the middle of its box."""
    o, up_cam = scene.objects[place], scene.T_world_frame[1, :3]
    assert o.mesh is not None and o.S_frame_obj is not None
    middle = transforms.apply(o.S_frame_obj, o.mesh.bounds).mean(0)
    R = transforms.axis_angle(up_cam, np.radians(angle_deg))
    new = replace(o, S_frame_obj=transforms.rigid(R, middle - R @ middle) @ o.S_frame_obj)
    return replace(scene, objects=(*scene.objects[:place], new, *scene.objects[place + 1 :]))


def from_elsewhere(scene: EvalScene, angle_deg: float) -> EvalScene:
    """The same world, seen by a camera that went round its middle."""
    corners = points(scene, scene.T_world_frame)
    middle, R = (corners.min(0) + corners.max(0)) / 2, transforms.axis_angle([0, 1, 0], np.radians(angle_deg))
    T_world_cam = transforms.rigid(R, middle - R @ middle) @ scene.T_world_frame
    T_new_old = transforms.invert(T_world_cam) @ scene.T_world_frame
    objects = tuple(replace(o, S_frame_obj=T_new_old @ o.S_frame_obj) for o in scene.objects)
    return replace(scene, objects=objects, T_world_frame=T_world_cam)


def with_camera(scene: EvalScene, **changes) -> EvalScene:
    assert scene.scene is not None
    camera = replace(scene.scene.camera, **changes)
    return replace(scene, scene=replace(scene.scene, camera=camera))


def angles_deg(gt: EvalScene, pred: EvalScene, S_world_pred) -> list[float]:
    """Of every object from its own ground truth."""
    out = []
    for a, b in zip(gt.objects, pred.objects, strict=True):
        A, B = (S[:3, :3] for S in (gt.T_world_frame @ a.S_frame_obj, S_world_pred @ b.S_frame_obj))
        A, B = (M / np.cbrt(np.linalg.det(M)) for M in (A, B))
        out.append(float(transforms.rotation_angle_deg(A, B)))
    return out


def test_metric_scenes_of_one_K_are_left_alone(folder):
    for pred in (folder, turned(folder, 0, 25), turned(replace(folder, objects=folder.objects[:1]), 0, 90)):
        found = align_scenes(folder, pred)
        assert (found.kind, found.text) == ("none", "same K, metric")
        np.testing.assert_array_equal(found.S_world_pred, folder.T_world_frame)


@pytest.mark.parametrize("partners", [IDENTITY, None])
@pytest.mark.parametrize("k", [0.3, 1.0, 3.7])
def test_a_relative_prediction_gets_its_scale(folder, k, partners):
    found = align_scenes(folder, relative(folder, k), partners=partners)
    told = f"same K, scale {1 / k:.4g} about the camera, error 0.00% of the scene"
    assert (found.kind, found.text) == ("scale", told)
    np.testing.assert_allclose(found.S_world_pred @ np.diag([k, k, k, 1]), folder.T_world_frame, atol=1e-6)


def test_the_ground_truth_may_be_the_relative_one(folder):
    found = align_scenes(relative(folder, 2.0), folder, partners=IDENTITY)
    assert found.text == "same K, scale 2 about the camera, error 0.00% of the scene"


@pytest.mark.parametrize("k", [1.0, 1.16])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_errors_of_pose_are_not_aligned_away(folder, n, k):
    gt = replace(folder, objects=folder.objects[:n])
    pred = turned(relative(gt, k), n - 1, 25)
    for partners in (IDENTITY[:n], None):
        found = align_scenes(gt, pred, partners=partners)
        np.testing.assert_allclose(angles_deg(gt, pred, found.S_world_pred), [0.0] * (n - 1) + [25.0], atol=1e-6)
        scale = np.cbrt(np.linalg.det(found.S_world_pred[:3, :3]))
        assert found.kind == "scale" and scale * k == pytest.approx(1, abs=0.01)
        assert found.text.startswith(f"same K, scale {scale:.4g} about the camera, error ")


@pytest.mark.parametrize("angle_deg", [20, 180])
def test_cameras_that_stand_elsewhere_are_told(folder, angle_deg):
    seen = metric(from_elsewhere(folder, angle_deg))
    for partners in (IDENTITY, None):
        found = align_scenes(folder, seen, partners=partners)
        told = "same K, cameras stand elsewhere: worlds compared, "
        assert (found.kind, found.text) == ("none", told + "metric")
        assert error(folder, seen, found.S_world_pred, transforms.invert(seen.T_world_frame)) < 1e-9
        pred = relative(seen, 2.0)
        found = align_scenes(folder, pred, partners=partners)
        scale = "scale 0.5 about the world's origin, error 0.00% of the scene"
        assert (found.kind, found.text) == ("scale", told + scale)
        np.testing.assert_allclose(angles_deg(folder, pred, found.S_world_pred), 0, atol=1e-4)


def test_a_bad_prediction_of_the_same_camera_stays_in_it(folder):
    """Its world is no better, so the cameras are not said to stand elsewhere."""
    objects = tuple(
        replace(o, S_frame_obj=transforms.rigid(np.eye(3), shift) @ o.S_frame_obj)
        for o, shift in zip(folder.objects, np.eye(3), strict=True)
    )
    tilted = transforms.rigid(transforms.axis_angle([1, 0, 0], 0.3), [0, 0, 0]) @ folder.T_world_frame
    pred = replace(folder, objects=objects, T_world_frame=tilted)
    found = align_scenes(folder, pred, partners=IDENTITY)
    assert (found.kind, found.text) == ("none", "same K, metric")
    found = align_scenes(folder, relative(pred, 2.0), partners=IDENTITY)
    assert found.text.startswith("same K, scale 0.") and "about the camera" in found.text


def test_scale_alone_is_about_the_camera(folder):
    pred = relative(folder, 2.5)
    bent = list(pred.objects)
    bent[0] = replace(bent[0], S_frame_obj=transforms.rigid(np.eye(3), [0, 0, 0.4]) @ bent[0].S_frame_obj)
    found = align_scenes(folder, replace(pred, objects=tuple(bent)), "scale", partners=IDENTITY)
    assert found.kind == "scale"
    T = found.S_world_pred.copy()
    T[:3, :3] *= 2.5
    np.testing.assert_allclose(T, folder.T_world_frame, atol=0.03)
    np.testing.assert_array_equal(T[:3, 3], folder.T_world_frame[:3, 3])  # the camera stays in its place
    np.testing.assert_allclose(T[:3, :3] / np.cbrt(np.linalg.det(T[:3, :3])), folder.T_world_frame[:3, :3], atol=1e-12)


def test_rigid_does_not_scale(folder):
    found = align_scenes(folder, relative(folder, 1.1), "rigid", partners=IDENTITY)
    assert found.kind == "rigid" and "scale" not in found.text
    assert np.linalg.det(found.S_world_pred[:3, :3]) == pytest.approx(1)


def test_other_cameras_get_a_similarity(folder):
    camera = folder.scene.camera
    other = with_camera(folder, K=camera.K * np.array([[1.2, 1, 1], [1, 1.2, 1], [1, 1, 1]]))
    found = align_scenes(folder, other, partners=IDENTITY)
    f = camera.K[0, 0]
    told = f"cameras differ (focal length {1.2 * f:.0f} px, not {f:.0f}), similarity, scale 1, error 0.00% of the scene"
    assert (found.kind, found.text) == ("similarity", told)
    cut = with_camera(folder, height=96)
    told = "pictures differ (192x96, not 192x128), similarity, scale 1, error 0.00% of the scene"
    assert align_scenes(folder, cut, partners=IDENTITY).text == told
    half = camera.resized(96, 64)
    resized = replace(folder, scene=replace(folder.scene, camera=half, scale_kind="metric"))
    assert align_scenes(folder, resized, partners=IDENTITY).text == "same K, metric"


@pytest.mark.parametrize("align", ["rigid", "similarity"])
def test_a_free_alignment_starts_from_the_worlds_too(folder, align):
    """From the cameras alone a scene seen from behind is not brought home."""
    pred = from_elsewhere(folder, 180)
    pred = metric(relative(pred, 3.0)) if align == "similarity" else pred
    found = align_scenes(folder, pred, align, partners=IDENTITY)
    assert found.kind == align and found.text.startswith(f"same K, {align}, ")
    np.testing.assert_allclose(angles_deg(folder, pred, found.S_world_pred), 0, atol=1e-4)


# Files


def test_a_file_in_the_same_frame_stays(folder):
    pred = as_file(folder)
    found = align_scenes(folder, pred)
    assert (found.kind, found.text) == ("similarity", "similarity, scale 1, error 0.00% of the scene")
    np.testing.assert_array_equal(found.S_world_pred, np.eye(4))


def ring(n: int) -> EvalScene:
    """Equal chairs in a circle: each turn by a share of it fits."""
    angles = 2 * np.pi * np.arange(n) / n
    chairs = [placed(k + 1, chair(0.5), (np.cos(a), 0, np.sin(a)), -np.degrees(a)) for k, a in enumerate(angles)]
    return EvalScene(name="ring", path=Path("ring.glb"), objects=tuple(chairs))


def jolted(scene: EvalScene, noise: float, seed: int) -> EvalScene:
    """Every object somewhere else."""
    shifts = np.random.default_rng(seed).normal(size=(len(scene.objects), 3)) * noise
    objects = [
        replace(o, S_frame_obj=transforms.rigid(np.eye(3), d) @ o.S_frame_obj)
        for o, d in zip(scene.objects, shifts, strict=True)
    ]
    return replace(scene, objects=tuple(objects))


def turn_deg(S) -> float:
    return float(transforms.rotation_angle_deg(S[:3, :3] / np.cbrt(np.linalg.det(S[:3, :3])), np.eye(3)))


@pytest.mark.parametrize("noise", [0.0, 0.002, 0.03])
def test_files_have_one_freedom_however_good_they_are(noise):
    gt = jolted(ring(6), 0.01, 1)
    found = align_scenes(gt, jolted(gt, noise, 51))  # with the last noise it fits a little better turned by 180 degrees
    assert found.kind == "similarity" and found.text.startswith("similarity, scale ")
    assert turn_deg(found.S_world_pred) < 3
    assert np.array_equal(found.S_world_pred, np.eye(4)) == (noise == 0)


def test_of_many_equal_turns_a_file_keeps_its_own():
    """Of another scale, so that it does not fit as it is."""
    gt = ring(16)
    S = np.diag([1.05, 1.05, 1.05, 1])
    found = align_scenes(gt, as_file(gt, S))
    assert error(gt, as_file(gt, S), found.S_world_pred, S) < 1e-3


def test_a_small_error_of_scale_is_aligned_like_a_large_one():
    gt = room()
    for k in (1.001, 1.02, 2.0):
        S = np.diag([k, k, k, 1])
        found = align_scenes(gt, as_file(gt, S))
        assert found.text == f"similarity, scale {1 / k:.4g}, error 0.00% of the scene"
        assert error(gt, as_file(gt, S), found.S_world_pred, S) < 1e-4


@pytest.mark.parametrize("number, up", list(enumerate([None, *AXES])))
def test_a_file_comes_home_from_any_axes_turn_scale_and_place(number, up):
    gt = room()
    rng = np.random.default_rng(number)
    R = np.eye(3) if up is None else AXES[up]
    turn = transforms.axis_angle([0, 1, 0], rng.uniform(0, 2 * np.pi))
    S = transforms.similarity(R @ turn, rng.normal(size=3) * 5, (3.7, 0.21)[number % 2])
    pred = as_file(gt, S)
    found = align_scenes(gt, pred, seed=number)
    assert error(gt, pred, found.S_world_pred, S) < 1e-3
    turned = "" if up is None else f"prediction is {up} up: turned to y up, "
    scale = 1 / (3.7, 0.21)[number % 2]
    assert (found.kind, found.text) == (
        "similarity",
        f"{turned}similarity, scale {scale:.4g}, error 0.00% of the scene",
    )


@pytest.mark.parametrize(
    "R, name",
    [
        (np.eye(3), "x right, y down, z forward"),
        (np.diag([1.0, -1, -1]), "x right, y up, z back"),
        (np.diag([-1.0, -1, 1]), "x left, y up, z forward"),
    ],
)
def test_camera_axes_are_told(folder, R, name):
    tilt = transforms.rigid(transforms.axis_angle([1, 0, 0], np.radians(-40)), [0, 0, 0])
    gt = replace(folder, T_world_frame=tilt @ folder.T_world_frame)  # looks down by 62 degrees
    S = transforms.similarity(R, [0, 0, 0], 0.5) @ transforms.invert(gt.T_world_frame)
    pred = as_file(gt, S)
    found = align_scenes(gt, pred)
    assert error(gt, pred, found.S_world_pred, S) < 1e-3
    assert found.text.startswith(f"prediction is in camera axes ({name}), similarity, scale 2,")


def test_our_own_folder_against_a_bare_file(folder):
    found = align_scenes(as_file(folder), folder)
    assert (found.kind, found.text) == ("similarity", "similarity, scale 1, error 0.00% of the scene")
    np.testing.assert_array_equal(found.S_world_pred, folder.T_world_frame)


@pytest.mark.parametrize("change", ["missing", "extra"])
def test_missing_and_extra_objects_do_no_harm(change):
    gt = room()
    S = transforms.similarity(AXES["z"] @ transforms.axis_angle([0, 1, 0], 2.0), [1, 2, 3], 0.4)
    pred = as_file(gt, S)
    objects = list(pred.objects)
    if change == "missing":
        objects = objects[1:]
    else:
        far = transforms.rigid(np.eye(3), [1.5, 0.8, -1.0])
        objects.append(replace(objects[0], id=9, S_frame_obj=far))
    pred = replace(pred, objects=tuple(objects))
    found = align_scenes(gt, pred)
    assert error(gt, pred, found.S_world_pred, S) < 1e-3
    assert found.text.startswith("prediction is z up: turned to y up, ")


def test_partners_tell_what_the_shapes_cannot():
    """Three equal cubes at the corners of an equilateral triangle: only the partners say which turn it is."""
    angles = 2 * np.pi * np.arange(3) / 3
    objects = [
        placed(k + 1, box((0.3, 0.3, 0.3)), (np.cos(a), 0, np.sin(a)), -np.degrees(a)) for k, a in enumerate(angles)
    ]
    gt = EvalScene(name="three", path=Path("three.glb"), objects=tuple(objects))
    S = transforms.similarity(transforms.axis_angle([0, 1, 0], 2 * np.pi / 3), [0, 0, 0], 2.0)
    pred = as_file(gt, S)
    assert error(gt, pred, align_scenes(gt, pred).S_world_pred, S) > 0.3
    assert error(gt, pred, align_scenes(gt, pred, partners=IDENTITY).S_world_pred, S) < 1e-3


def test_a_mirror_image_is_told_and_not_undone():
    gt = room()
    S = np.diag([-2.0, 2, 2, 1])
    found = align_scenes(gt, as_file(gt, S))
    assert np.linalg.det(found.S_world_pred[:3, :3]) > 0
    assert "prediction looks mirrored (its mirror image has error 0.00%): not undone" in found.text
    assert "mirrored" not in align_scenes(gt, as_file(gt, np.diag([2.0, 2, 2, 1]))).text


def test_a_tilted_file_is_told():
    gt = room()
    S = transforms.rigid(transforms.axis_angle([1, 0, 0], np.radians(35)), [0, 0, 0])
    found = align_scenes(gt, as_file(gt, S))
    assert error(gt, as_file(gt, S), found.S_world_pred, S) < 1e-3
    assert found.text.startswith("prediction is tilted by 35 degrees, ")


@pytest.mark.parametrize("align", ["rigid", "scale"])
def test_the_freedom_is_as_asked(align):
    gt = room()
    S = transforms.rigid(transforms.axis_angle([0, 1, 0], 1.0), [3, 0, 0])
    if align == "scale":
        S = np.diag([3.0, 3, 3, 1])
    found = align_scenes(gt, as_file(gt, S), align)
    assert found.kind == align and error(gt, as_file(gt, S), found.S_world_pred, S) < 1e-3
    told = {"rigid": "rigid, error 0.00% of the scene", "scale": "scale 0.3333 about the file's origin, error 0.00% of"}
    assert found.text.startswith(told[align])


def test_none_takes_files_as_they_are(folder):
    S = transforms.rigid(np.eye(3), [3.0, 0, 0])
    for gt, pred, expected in (
        (room(), as_file(room(), S), np.eye(4)),
        (folder, relative(folder, 2.0), folder.T_world_frame),
        (room(), folder, folder.T_world_frame),
    ):
        found = align_scenes(gt, pred, "none")
        assert (found.kind, found.text) == ("none", "not aligned, as asked")
        np.testing.assert_array_equal(found.S_world_pred, expected)


def test_nothing_to_align(folder):
    gone = tuple(replace(o, mesh=None, S_frame_obj=None) for o in folder.objects)
    found = align_scenes(folder, replace(folder, objects=gone), "similarity", partners=IDENTITY)
    assert (found.kind, found.text) == ("none", "not aligned: nothing to align")


def test_partners_without_a_shape_do_not_count(folder):
    pred = relative(folder, 2.0)
    pred = replace(pred, objects=(replace(pred.objects[0], mesh=None, S_frame_obj=None), *pred.objects[1:]))
    for partners in (IDENTITY, (0, None, None)):
        S = align_scenes(folder, pred, partners=partners).S_world_pred
        np.testing.assert_allclose(S @ np.diag([2.0, 2, 2, 1]), folder.T_world_frame, atol=2e-3)


def test_one_flat_object_is_aligned_without_complaint():
    sheet = Mesh(vertices=np.array([[0, 0, 0], [1, 0, 0], [0, 0, 2]], np.float32), faces=np.array([[0, 1, 2]]))
    gt = EvalScene(name="flat", path=Path("flat.glb"), objects=(placed(1, sheet, (0, 0, 0)),))
    S = transforms.similarity(transforms.axis_angle([0, 1, 0], 1.0), [0, 1, 0], 2.0)
    found = align_scenes(gt, as_file(gt, S))
    assert error(gt, as_file(gt, S), found.S_world_pred, S) < 1e-3


def test_equal_inputs_give_equal_alignments():
    gt = room()
    pred = as_file(gt, transforms.similarity(AXES["x"], [1, 0, 0], 2.0))
    a, b = (align_scenes(gt, pred, seed=3) for _ in range(2))
    np.testing.assert_array_equal(a.S_world_pred, b.S_world_pred)


def test_an_unknown_alignment_is_an_error(folder):
    with pytest.raises(ConfigError) as caught:
        align_scenes(folder, folder, "affine")
    told = "expected an alignment; got 'affine'; choose from: auto, none, scale, rigid, similarity"
    assert str(caught.value) == told


# The ICP


def test_the_error_is_that_of_all_pairs():
    rng = np.random.default_rng(0)
    source, target = [rng.normal(size=(40, 3)) for _ in range(2)], [rng.normal(size=(30, 3)) for _ in range(2)]
    S = transforms.similarity(transforms.axis_angle([1, 1, 0], 0.3), [0.1, 0, 0], 1.3)
    size = np.ptp(np.concatenate(target), axis=0).max()
    for groups in ([0, 0], [0, 1]):
        icp = SceneIcp(source, target, groups, groups)
        there, back = [], []
        for g in set(groups):
            x, y = (np.concatenate([c for c, h in zip(cs, groups, strict=True) if h == g]) for cs in (source, target))
            d = np.linalg.norm(transforms.apply(S, x)[:, None] - y[None], axis=-1) / size
            there.append(d.min(1)), back.append(d.min(0))
        expected = max(np.minimum(np.concatenate(d), CAP).mean() for d in (there, back))
        assert icp.error(S) == pytest.approx(expected, abs=1e-9)


def test_a_free_scale_does_not_shrink_the_source_away():
    gt = room()
    clouds = [points(replace(gt, objects=(o,)), np.eye(4)) for o in gt.objects]
    icp = SceneIcp(clouds, clouds, [0] * 4, [0] * 4)
    tiny = transforms.similarity(np.eye(3), clouds[0][0], 1e-6)
    assert icp.error(tiny) > 0.9 * CAP
    fit = icp.refined(transforms.rigid(transforms.axis_angle([0, 1, 0], 0.1), [0.05, 0, 0]), "similarity", 60)
    np.testing.assert_allclose(fit.S, np.eye(4), atol=1e-6)
