"""``fit`` finds the poses that made a picture: rendered meshes with known poses, masks, depth and ground."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import trimesh
from pydantic import ValidationError

from scenemaker.deocclusion.views import cut_views
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, K_from_fov
from scenemaker.geometry.mesh import Mesh, normalise, sample_surface
from scenemaker.geometry.raycast import render
from scenemaker.pose.fit import ClosedFormFit
from scenemaker.pose.rotation_search import upright_rotations
from scenemaker.pose.target import without_specks
from scenemaker.scene import (
    Instance,
    Instances,
    ObjectFailure,
    ObjectGeometry,
    ObjectPose,
    ObjectView,
    Photo,
    PointMap,
)

CAMERA = Camera(K=K_from_fov(50, 320, 200), width=320, height=200)
PITCH = np.radians(25)
UP = np.array([0.0, -np.cos(PITCH), -np.sin(PITCH)])
GROUND = np.array([*UP, 1.5])  # the camera stands 1.5 above it
R_CAM_UP = transforms.R_cam_world_from_up(UP)


def of(made: trimesh.Trimesh) -> Mesh:
    return normalise(Mesh(vertices=np.asarray(made.vertices), faces=np.asarray(made.faces)))[0]


def bracket() -> Mesh:
    """A seat with a back and one arm: no symmetry at all."""
    parts = [
        trimesh.creation.box(bounds=[[0, 0, 0], [1, 0.3, 0.6]]),
        trimesh.creation.box(bounds=[[0, 0.3, 0], [1, 1, 0.15]]),
        trimesh.creation.box(bounds=[[0, 0.3, 0.15], [0.2, 0.6, 0.6]]),
    ]
    return of(trimesh.util.concatenate(parts))


def standing(mesh: Mesh, yaw_deg: float, x: float, forward: float, size: float) -> np.ndarray:
    """(4, 4) S_cam_obj of a mesh that stands on the ground."""
    R = R_CAM_UP @ transforms.axis_angle([0, 1, 0], np.radians(yaw_deg))
    s = size / mesh.extents.max()
    foot = R_CAM_UP @ np.array([x, -1.5, -forward])
    return transforms.similarity(R, foot + UP * s * mesh.extents[1] / 2, s)


def picture(meshes, poses, *, with_points=True, up=UP, ground=GROUND):
    """Photo, masks and points of posed meshes; objects are 1, 2, ..."""
    seen = render(meshes, poses, CAMERA)
    labels = (seen.index + 1).astype(np.uint16)
    items = tuple(Instance(id=i + 1, name=f"object {i + 1}") for i in range(len(meshes)) if (labels == i + 1).any())
    depth = seen.depth if with_points else seen.depth * np.nan
    points = PointMap.from_depth(depth, CAMERA.K, up_cam=up, ground_cam=ground)
    return Photo(rgb=seen.rgb), Instances(labels=labels, items=items), points


def fit(photo, instances, points, geometries, views=None, **options) -> list:
    views = cut_views(photo, instances, points) if views is None else views
    fitter = ClosedFormFit(ClosedFormFit.Config(**options))
    return fitter.estimate_poses(photo, instances, points, views, geometries, seed=0)


def add_s(mesh: Mesh, truth: np.ndarray, pose: ObjectPose) -> float:
    """Mean distance of each true surface point to the placed surface, over the object's size."""
    from scipy.spatial import KDTree

    points = sample_surface(mesh, 3000)[0]
    placed = transforms.apply(pose.S_cam_obj(mesh.extents), points)
    gap = KDTree(placed).query(transforms.apply(truth, points[:500]))[0].mean()
    return float(gap / np.cbrt(np.linalg.det(truth[:3, :3])))


def iou_in_photo(mesh: Mesh, pose: ObjectPose, mask: np.ndarray) -> float:
    drawn = render([mesh], [pose.S_cam_obj(mesh.extents)], CAMERA).index == 0
    return float((drawn & mask).sum() / (drawn | mask).sum())


@pytest.mark.parametrize("shape", [bracket(), of(trimesh.creation.icosphere(3)), of(trimesh.creation.cone(0.3, 1))])
def test_with_a_known_rotation_scale_and_translation_are_exact(shape):
    truth = standing(shape, 40, 0.4, 2.5, 0.8)
    photo, instances, points = picture([shape], [truth], ground=None)
    R = truth[:3, :3] / np.cbrt(np.linalg.det(truth[:3, :3]))
    (pose,) = fit(photo, instances, points, [ObjectGeometry(id=1, mesh=shape, R_cam_obj=R)])
    assert pose.status == "ok"
    assert iou_in_photo(shape, pose, instances.mask(1)) > 0.97
    assert pose.scale == pytest.approx(0.8, rel=0.02)
    np.testing.assert_allclose(pose.t_cam_obj, truth[:3, 3], atol=0.02)
    np.testing.assert_allclose(pose.size, pose.scale * shape.extents)
    np.testing.assert_array_equal(pose.R_cam_obj, R)


def test_a_speck_far_beside_the_mask_does_not_blow_up_the_object():
    shape = bracket()
    truth = standing(shape, 40, 0.4, 2.5, 0.8)
    photo, instances, points = picture([shape], [truth])
    labels = instances.labels.copy()
    labels[4:24, 4:24] = 1
    R = truth[:3, :3] / np.cbrt(np.linalg.det(truth[:3, :3]))
    for known, tolerance in ((R, 0.01), (None, 0.05)):
        geometry = ObjectGeometry(id=1, mesh=shape, R_cam_obj=known)
        (pose,) = fit(photo, replace(instances, labels=labels), points, [geometry])
        assert pose.scale == pytest.approx(0.8, rel=tolerance)


def test_specks_are_parts_of_less_area_than_the_share():
    mask = np.zeros((5, 9), bool)
    mask[1:4, 1:4] = mask[0, 8] = mask[3:5, 7:9] = True
    assert without_specks(mask, 0.2).sum() == 9 + 4
    assert without_specks(mask, 1.0).sum() == 9
    assert without_specks(mask, 0.0).sum() == mask.sum()


@pytest.mark.parametrize("yaw_deg", [0, 7.5, 100, 233])
def test_the_rotation_of_a_given_mesh_is_found_from_any_yaw(yaw_deg):
    shape = bracket()
    truth = standing(shape, yaw_deg, -0.3, 2.6, 0.9)
    photo, instances, points = picture([shape], [truth])
    (pose,) = fit(photo, instances, points, [ObjectGeometry(id=1, mesh=shape)])
    assert pose.status == "ok"
    assert transforms.rotation_angle_deg(pose.R_cam_obj, truth[:3, :3] / 0.9) < 3
    assert add_s(shape, truth, pose) < 0.02


def test_without_gravity_the_tilt_is_searched_too():
    shape = bracket()
    truth = standing(shape, 100, -0.3, 2.6, 0.9)
    photo, instances, points = picture([shape], [truth], up=None, ground=None)
    (pose,) = fit(photo, instances, points, [ObjectGeometry(id=1, mesh=shape)])
    assert add_s(shape, truth, pose) < 0.03


def test_a_mesh_that_lies_on_its_side_is_found_unless_switched_off():
    shape = bracket()
    lying = shape.transformed(transforms.rigid(transforms.axis_angle([1, 0, 0], np.pi / 2), [0, 0, 0]))
    truth = standing(shape, 100, -0.3, 2.6, 0.9)
    photo, instances, points = picture([shape], [truth])
    turn = transforms.rigid(transforms.axis_angle([1, 0, 0], -np.pi / 2), [0, 0, 0])
    (pose,) = fit(photo, instances, points, [ObjectGeometry(id=1, mesh=lying)])
    (upright,) = fit(photo, instances, points, [ObjectGeometry(id=1, mesh=lying)], any_side=False)
    assert add_s(lying, truth @ turn, pose) < 0.02 < add_s(lying, truth @ turn, upright)


def test_a_half_hidden_mesh_keeps_its_size_and_the_one_in_front_too():
    shape, box = bracket(), of(trimesh.creation.box((0.7, 1, 0.5)))
    truths = [standing(shape, 60, 0, 2.8, 0.9), standing(box, 20, 0.2, 2.0, 1.0)]
    photo, instances, points = picture([shape, box], truths)
    whole = render([shape], truths[:1], CAMERA).index == 0
    assert 0.3 < instances.mask(1).sum() / whole.sum() < 0.7
    behind, front = fit(photo, instances, points, [ObjectGeometry(id=1, mesh=shape), ObjectGeometry(id=2, mesh=box)])
    assert add_s(shape, truths[0], behind) < 0.04
    assert behind.scale == pytest.approx(0.9, rel=0.06)
    assert add_s(box, truths[1], front) < 0.02


@pytest.mark.parametrize("yaw_deg", [200, 300])
def test_a_mesh_cut_by_the_border_keeps_its_size(yaw_deg):
    shape = bracket()
    truth = standing(shape, yaw_deg, 1.55, 2.6, 0.9)
    photo, instances, points = picture([shape], [truth])
    assert instances.mask(1)[:, -1].any()
    (pose,) = fit(photo, instances, points, [ObjectGeometry(id=1, mesh=shape)])
    assert add_s(shape, truth, pose) < 0.05


def test_without_depth_the_ground_tells_the_distance_and_the_pose_is_flagged():
    shape = bracket()
    truth = standing(shape, 40, 0.2, 2.5, 0.8)
    photo, instances, points = picture([shape], [truth], with_points=False)
    R = truth[:3, :3] / 0.8
    for known in (R, None):
        (pose,) = fit(photo, instances, points, [ObjectGeometry(id=1, mesh=shape, R_cam_obj=known)])
        assert pose.status == "flagged"
        assert pose.notices == ("no depth was observed; its distance is from the ground plane",)
        assert pose.scale == pytest.approx(0.8, rel=0.05)
        np.testing.assert_allclose(pose.t_cam_obj, truth[:3, 3], atol=0.1)


def test_without_depth_and_ground_the_picture_is_met_at_a_guessed_distance():
    shape = bracket()
    truth = standing(shape, 40, 0.2, 2.5, 0.8)
    photo, instances, points = picture([shape], [truth], with_points=False, ground=None)
    (pose,) = fit(photo, instances, points, [ObjectGeometry(id=1, mesh=shape, R_cam_obj=truth[:3, :3] / 0.8)])
    assert pose.status == "flagged"
    assert pose.notices == ("no depth was observed; its distance is from a guess: nothing tells it",)
    assert iou_in_photo(shape, pose, instances.mask(1)) > 0.97


@pytest.mark.parametrize(("yaw_deg", "ground"), [(150, GROUND), (210, None)])
def test_depth_of_a_flat_billboard_does_not_turn_the_object(yaw_deg, ground):
    shape = bracket()
    truth = standing(shape, yaw_deg, -0.3, 2.6, 0.9)
    photo, instances, points = picture([shape], [truth], ground=ground)
    flat = points.points_cam / points.points_cam[..., 2:] * np.nanmedian(points.depth)
    (pose,) = fit(photo, instances, replace(points, points_cam=flat), [ObjectGeometry(id=1, mesh=shape)])
    assert transforms.rotation_angle_deg(pose.R_cam_obj, truth[:3, :3] / 0.9) < 5
    assert iou_in_photo(shape, pose, instances.mask(1)) > 0.95


def test_an_object_near_the_ground_is_put_on_it_without_changing_the_picture():
    shape = bracket()
    truth = standing(shape, 40, 0.4, 2.5, 0.8)
    photo, instances, points = picture([shape], [truth])
    near = replace(points, points_cam=points.points_cam * np.float32(0.99))  # floats by about 2 cm
    geometry = ObjectGeometry(id=1, mesh=shape, R_cam_obj=truth[:3, :3] / 0.8)

    def gap(pose: ObjectPose) -> float:
        return float((transforms.apply(pose.S_cam_obj(shape.extents), shape.vertices) @ UP).min() + GROUND[3])

    (snapped,), (floating,) = fit(photo, instances, near, [geometry]), fit(photo, instances, near, [geometry], snap=0)
    assert gap(snapped) == pytest.approx(0, abs=1e-9)
    assert gap(floating) > 0.005
    assert iou_in_photo(shape, snapped, instances.mask(1)) == iou_in_photo(shape, floating, instances.mask(1))
    high = replace(points, points_cam=points.points_cam * np.float32(0.8))  # on a table, say
    assert gap(fit(photo, instances, high, [geometry])[0]) > 0.1


def test_a_mesh_that_does_not_fit_its_mask_is_flagged():
    ball, pole = of(trimesh.creation.icosphere(2)), of(trimesh.creation.box((0.05, 1, 0.05)))
    photo, instances, points = picture([pole], [standing(pole, 0, 0, 2.5, 0.8)])
    (pose,) = fit(photo, instances, points, [ObjectGeometry(id=1, mesh=ball)])
    assert pose.status == "flagged"
    assert pose.notices[-1].startswith("its silhouette covers the mask with IoU 0.")


@pytest.mark.parametrize("known", [True, False])
def test_one_pixel_and_flat_meshes_get_a_pose(known):
    sheet = Mesh(
        vertices=[[-0.5, -0.3, 0], [0.5, -0.3, 0], [0.5, 0.3, 0], [-0.5, 0.3, 0]], faces=[[0, 1, 2], [0, 2, 3]]
    )
    labels = np.zeros((200, 320), np.uint16)
    labels[120, 40], labels[90:130, 100:180] = 1, 2
    instances = Instances(labels=labels, items=(Instance(id=1, name="a"), Instance(id=2, name="b")))
    points = PointMap.from_depth(np.where(labels > 0, 3.0, np.nan), CAMERA.K, up_cam=UP, ground_cam=GROUND)
    R = np.diag([1.0, -1, -1]) if known else None
    geometries = [ObjectGeometry(id=i, mesh=sheet, R_cam_obj=R) for i in (1, 2)]
    dot, plate = fit(Photo(rgb=np.zeros((200, 320, 3), np.uint8)), instances, points, geometries)
    u, v = (CAMERA.K @ dot.t_cam_obj)[:2] / dot.t_cam_obj[2]
    assert abs(u - 40.5) < 1
    assert abs(v - 120.5) < 1
    assert dot.t_cam_obj[2] == pytest.approx(3, rel=0.1)
    u, v = (CAMERA.K @ plate.t_cam_obj)[:2] / plate.t_cam_obj[2]
    assert abs(u - 140) < 3
    assert abs(v - 110) < 12


def test_an_object_that_is_not_seen_fails_alone():
    shape = bracket()
    truth = standing(shape, 40, 0.2, 2.5, 0.8)
    photo, instances, points = picture([shape], [truth])
    (view,) = cut_views(photo, instances, points)
    none = np.zeros_like(view.mask_modal)
    empty = replace(view, id=2, rgba=np.zeros_like(view.rgba), mask_modal=none)
    R = truth[:3, :3] / 0.8
    geometries = [ObjectGeometry(id=2, mesh=shape, R_cam_obj=R), ObjectGeometry(id=1, mesh=shape, R_cam_obj=R)]
    failed, pose = fit(photo, instances, points, geometries, [empty, view])
    assert isinstance(failed, ObjectFailure)
    assert failed.id == 2
    assert failed.error == "expected an object that is seen; got an empty mask; drop it, or draw its mask"
    assert pose.scale == pytest.approx(0.8, rel=0.02)


def test_a_mesh_in_one_point_fails_alone():
    dot = Mesh(vertices=np.zeros((3, 3)), faces=[[0, 1, 2]])
    photo, instances, points = picture([bracket()], [standing(bracket(), 40, 0.2, 2.5, 0.8)])
    for known in (np.eye(3), None):
        (failed,) = fit(photo, instances, points, [ObjectGeometry(id=1, mesh=dot, R_cam_obj=known)])
        assert isinstance(failed, ObjectFailure)
        assert failed.error == "expected a shape with an extent; got all points on one ray; check the mesh"


def test_the_same_input_gives_the_same_bytes_whatever_the_seed():
    shape = bracket()
    photo, instances, points = picture([shape], [standing(shape, 100, 0.2, 2.5, 0.8)])
    views = cut_views(photo, instances, points)
    a, b = (
        ClosedFormFit().estimate_poses(photo, instances, points, views, [ObjectGeometry(id=1, mesh=shape)], seed=seed)[
            0
        ]
        for seed in (0, 1)
    )
    assert isinstance(a, ObjectPose)
    assert isinstance(b, ObjectPose)
    assert a.R_cam_obj.tobytes() + a.t_cam_obj.tobytes() == b.R_cam_obj.tobytes() + b.t_cam_obj.tobytes()


def test_the_yaws_stand_upright_and_turn_by_equal_steps():
    rotations = upright_rotations(UP, 8)
    for R, following in pairwise(rotations):
        np.testing.assert_allclose(R[:, 1], UP, atol=1e-12)
        assert transforms.rotation_angle_deg(R, following) == pytest.approx(45)


def test_the_photo_cut_small_gives_the_pose_of_the_photo():
    """The view's own K is used: a crop at half the pixels gives the same pose."""
    shape = bracket()
    truth = standing(shape, 40, 0.4, 2.5, 0.8)
    photo, instances, points = picture([shape], [truth])
    views: list[ObjectView] = cut_views(photo, instances, points, max_px=60)
    assert views[0].scale < 0.7
    geometry = ObjectGeometry(id=1, mesh=shape, R_cam_obj=truth[:3, :3] / 0.8)
    (pose,) = fit(photo, instances, points, [geometry], views)
    np.testing.assert_allclose(pose.t_cam_obj, truth[:3, 3], atol=0.05)


def test_unknown_options_are_refused():
    with pytest.raises(ValidationError, match="yaws"):
        ClosedFormFit.Config(yaws=3)  # pyright: ignore[reportCallIssue]
