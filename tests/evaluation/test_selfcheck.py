"""Scores without ground truth, on scenes whose every score is known beforehand."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_scene import box, observe, placed, tilted_camera, two_boxes

from scenemaker.evaluation.contacts import overlaps
from scenemaker.evaluation.selfcheck import check_scene, every_nth_pixel
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import ObjectPose, PlacedObject


def check(s, objects=None, **changes):
    point_map = replace(s.point_map, **changes)
    return check_scene(s.objects if objects is None else objects, s.photo, s.instances, point_map)


def moved(item: PlacedObject, shift_cam) -> PlacedObject:
    assert item.pose is not None
    return replace(item, pose=replace(item.pose, t_cam_obj=item.pose.t_cam_obj + np.asarray(shift_cam)))


def test_a_scene_that_made_the_photo_is_perfect():
    scores = check(two_boxes())
    assert scores.mask_iou == scores.coverage == 1.0
    assert scores.depth_error == pytest.approx(0, abs=1e-6)
    assert scores.colour_error == scores.colour_error_covered == 0
    assert scores.floating == 0 and scores.penetration == 0 and scores.penetrations == () and scores.skipped == ()
    assert [(o.id, o.status, o.support) for o in scores.objects] == [(3, "ok", "ground"), (7, "ok", "ground")]
    assert all(abs(o.floating) < 1e-5 for o in scores.objects)
    assert (scores.width_px, scores.height_px) == (240, 160)


def test_scores_are_json_values():
    import json

    data = json.loads(json.dumps(check(two_boxes()).to_dict()))
    assert data["mask_iou"] == 1.0 and data["objects"][1]["id"] == 7


def test_a_skipped_object_counts_as_zero_and_is_listed():
    s = two_boxes()
    gone = replace(s.objects[1], mesh=None, pose=None, status="skipped")
    for objects in ([s.objects[0], gone], s.objects[:1]):
        scores = check(s, objects)
        assert scores.skipped == (7,)
        assert scores.mask_iou == 0.5
        assert scores.objects[1].status == "skipped" and scores.objects[1].mask_iou == 0
        share = float((s.instances.labels == 3).sum() / (s.instances.labels > 0).sum())
        assert scores.coverage == pytest.approx(share)
        assert scores.colour_error > 10 and scores.colour_error_covered == 0


def test_nothing_placed_is_scored_not_crashed():
    scores = check(two_boxes(), [])
    assert scores.mask_iou == scores.coverage == 0 and scores.depth_error is None
    assert scores.colour_error_covered is None and scores.floating is None and scores.skipped == (3, 7)


def test_half_a_width_aside_has_iou_one_third():
    camera = tilted_camera(0.0)
    s = observe([placed(1, box((1, 1, 0.01)), camera, (0, 1.5, -4))], camera)
    scores = check(s, [moved(s.objects[0], (0.5, 0, 0))])
    assert scores.mask_iou == pytest.approx(1 / 3, abs=0.02)
    # a shift by rows must not look like one by columns
    assert check(s, [moved(s.objects[0], (0, 0.25, 0))]).mask_iou == pytest.approx(0.6, abs=0.02)


def test_scaled_about_the_camera_only_the_depth_is_wrong():
    s = two_boxes()
    scores = check(s, [replace(o, pose=o.pose.scaled(1.1)) for o in s.objects])
    assert scores.mask_iou > 0.995
    assert scores.depth_error == pytest.approx(0.1, abs=1e-3)
    assert scores.objects[0].depth_error == pytest.approx(0.1, abs=1e-3)


def test_colours_off_by_ten_are_an_error_of_ten():
    s = two_boxes()
    photo = replace(s.photo, rgb=s.photo.rgb + np.uint8(10))
    assert check_scene(s.objects, photo, s.instances, s.point_map).colour_error == pytest.approx(10)


def test_hidden_parts_do_not_count():
    s = two_boxes()  # the blue box is partly behind the red one: rendered alone it would cover more than its mask
    alone = check(s, [s.objects[1]])
    assert alone.objects[1].mask_iou < 0.95 < check(s).objects[1].mask_iou


@pytest.mark.parametrize("lift", [0.5, 0.2, -0.25])
def test_floating_is_in_heights_of_the_object(lift):
    s = two_boxes()
    height = 0.8  # of the red box
    up = s.point_map.up_cam
    scores = check(s, [moved(s.objects[0], lift * height * up), s.objects[1]])
    assert scores.objects[0].floating == pytest.approx(lift, abs=1e-4)
    assert scores.objects[0].floating_distance == pytest.approx(lift * height, abs=1e-4)
    assert scores.floating_distance == pytest.approx(max(lift, 0) * height, abs=1e-4)
    assert scores.objects[0].support == (None if lift > 0 else "ground")
    assert scores.floating == pytest.approx(max(lift, 0), abs=1e-4)  # sunk is held


def test_a_box_on_a_box_is_held_by_it():
    camera = tilted_camera()
    low, high = placed(4, box(), camera, (0, 0.5, -4)), placed(9, box(), camera, (0.1, 1.25, -4), 30, 0.5)
    scores = check(observe([low, high], camera))
    assert [o.support for o in scores.objects] == ["ground", 4]
    assert scores.objects[1].floating == pytest.approx(2.0, abs=1e-4) and scores.floating == 0


def test_without_ground_or_gravity_nothing_is_claimed():
    s = two_boxes()
    scores = check(s, ground_cam=None)
    assert scores.floating is None and [o.floating for o in scores.objects] == [None, None]
    assert [o.support for o in check(s, ground_cam=None, up_cam=None).objects] == [None, None]


def test_invalid_depth_is_left_out():
    s = two_boxes()
    points = s.point_map.points_cam.copy()
    points[s.instances.labels == 3] = np.nan
    scores = check(s, points_cam=points)
    assert scores.objects[0].depth_error is None and scores.depth_error == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("step, size", [(2, (120, 80)), (3, (80, 53)), (7, (34, 23))])
def test_a_smaller_rendering_looks_at_the_same_pixels(step, size):
    s = two_boxes()
    scores = check_scene(s.objects, s.photo, s.instances, s.point_map, max_px=-(-240 // step))
    assert (scores.width_px, scores.height_px) == size
    assert scores.mask_iou == scores.coverage == 1.0
    assert scores.colour_error == 0 and scores.depth_error == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("step, width, height", [(3, 240, 160), (2, 7, 5), (8, 90, 2), (4, 1, 9)])
def test_every_nth_pixel_keeps_pixel_centres(step, width, height):
    camera = tilted_camera(width=width, height_px=height)
    small, every = every_nth_pixel(camera, step)
    np.testing.assert_allclose(small.rays_cam(), camera.rays_cam()[every, every], atol=1e-9)
    assert (small.height, small.width) == camera.rays_cam()[every, every].shape[:2]


def cube_at(x, y, z, side=1.0) -> Mesh:
    return box().transformed(transforms.similarity(np.eye(3), [x, y, z], side))


@pytest.mark.parametrize("dx, dy, dz", [(0.25, 0, 0), (0, 0.5, 0), (0.5, 0.5, 0.75), (0, 0, 0)])
@pytest.mark.parametrize("up", [None, np.array([0.1, -0.9, 0.2])])
def test_overlap_of_cubes(dx, dy, dz, up):
    pairs = overlaps([cube_at(0, 0, 5), cube_at(dx, dy, 5 + dz)], [2, 8], up)
    assert [(p.a, p.b) for p in pairs] == [(2, 8)]
    assert pairs[0].share == pytest.approx((1 - dx) * (1 - dy) * (1 - dz), abs=0.02)


def test_overlap_is_a_share_of_the_smaller_and_a_volume():
    big, small = cube_at(0, 0, 5), cube_at(0.5, 0.1, 5, 0.2)
    for pair in (overlaps([big, small], [1, 2], None)[0], overlaps([small, big], [1, 2], None)[0]):
        assert pair.share == pytest.approx(0.5, abs=0.03) and pair.volume == pytest.approx(0.5 * 0.2**3, rel=0.06)


def test_what_only_touches_does_not_overlap():
    assert overlaps([cube_at(0, 0, 5), cube_at(1, 0, 5), cube_at(3, 0, 5)], [1, 2, 3], None) == ()


def test_a_hollow_between_two_walls_is_not_inside():
    # one mesh of two separate cubes, another in the gap between them: boxes overlap, volumes do not
    a, b = cube_at(0, 0, 5), cube_at(3, 0, 5)
    pair = Mesh(vertices=np.concatenate([a.vertices, b.vertices]), faces=np.concatenate([a.faces, b.faces + 8]))
    assert overlaps([pair, cube_at(1.5, 0, 5)], [1, 2], None) == ()


def test_penetration_is_listed_by_id():
    camera = tilted_camera()
    a, b = placed(5, box(), camera, (0, 0.5, -4)), placed(6, box(), camera, (0.5, 0.5, -4))
    scores = check(observe([a, b], camera))
    assert [(p.a, p.b) for p in scores.penetrations] == [(5, 6)]
    assert scores.penetration == pytest.approx(0.5, abs=0.02)


def test_scale_per_axis_is_honoured():
    camera = tilted_camera()
    one = placed(1, box(), camera, (0, 0.5, -4))
    R, t = one.pose.R_cam_obj, one.pose.t_cam_obj - 0.25 * camera.T_cam_world[:3, 1]
    flat = replace(one, pose=ObjectPose(id=1, R_cam_obj=R, t_cam_obj=t, size=np.array([1, 0.5, 1]), scale=None))
    scores = check(observe([flat], camera))
    assert scores.mask_iou == 1 and scores.objects[0].floating == pytest.approx(0, abs=1e-5)
