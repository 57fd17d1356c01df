"""Where the cameras stand that look at the scene from other sides, and what their floor shows."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_scene import box, placed, tilted_camera, two_boxes

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, project
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster
from scenemaker.viewer.floor import Floor, checked_floor
from scenemaker.viewer.views import (
    ABOVE_DEG,
    YAW_DEG,
    directions,
    framing_camera,
    look_axes,
    object_views,
    render_views,
)


def test_left_is_left_right_is_right_above_is_above():
    s = two_boxes()
    up = s.point_map.up_cam
    points = np.random.default_rng(0).normal([0, 0.5, 4], 0.5, (50, 3))
    middle = (points.min(0) + points.max(0)) / 2
    stand = {n: framing_camera(points, f, up, 300, 200) for n, f in directions([0, 0, 1], up).items()}
    assert stand["left"].centre_world[0] < middle[0] - 0.5 and stand["right"].centre_world[0] > middle[0] + 0.5
    heights = {n: (c.centre_world - middle) @ up for n, c in stand.items()}
    assert heights["above"] > heights["front"] + 0.5
    assert heights["left"] == pytest.approx(heights["right"], rel=0.5) and heights["left"] > 0


@pytest.mark.parametrize("tilt_deg", [0, 25, 60])
def test_angles_are_as_named(tilt_deg):
    up = tilted_camera(tilt_deg).T_cam_world[:3, 1]
    looks = directions([0, 0, 1], up)

    def flat(v):
        return transforms.unit(v - (v @ up) * up)

    for name in ("left", "right"):
        assert np.degrees(np.arccos(flat(looks[name]) @ flat(looks["front"]))) == pytest.approx(YAW_DEG)
        assert looks[name] @ up == pytest.approx(looks["front"] @ up)  # same elevation
    assert np.degrees(np.arcsin(-looks["above"] @ up)) == pytest.approx(ABOVE_DEG)
    assert flat(looks["above"]) @ flat(looks["front"]) == pytest.approx(1)


def test_looking_straight_down_is_no_problem():
    up = np.array([0, 0, -1.0])
    for forward in directions([0, 0, 1], up).values():
        R = look_axes(forward, up)
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(R) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(300, 200), (120, 200)])
def test_every_point_is_in_the_frame(shape):
    points = np.random.default_rng(1).normal([3, -2, 9], [2, 0.3, 1], (200, 3))
    for forward in directions([0.2, 0.3, 1], [0, -1, 0.2]).values():
        camera = framing_camera(points, forward, [0, -1, 0.2], *shape)
        uv = project(camera.K, transforms.apply(camera.T_cam_world, points))
        assert (uv > 0).all() and (uv < shape).all()
        reach = np.abs(uv / shape - 0.5).max()
        assert 0.35 < reach <= 0.4601  # and fills it


def test_upright_things_stay_upright():
    s = two_boxes()
    up = s.point_map.up_cam
    pole = np.array([0, 0, 4.0]) + np.outer([0, 1], up)
    for name, forward in directions([0, 0, 1], up).items():
        camera = framing_camera(pole, forward, up, 300, 200)
        foot, top = project(camera.K, transforms.apply(camera.T_cam_world, pole))
        assert top[1] < foot[1] and abs(top[0] - foot[0]) < 1e-6, name


def test_views_show_the_objects_on_a_floor():
    s = two_boxes()
    views = render_views(s.objects, s.point_map, width_px=120, height_px=90)
    assert list(views) == ["left", "right", "above"]
    for view in views.values():
        assert view.rgb.shape == view.clay.shape == (90, 120, 3)
        red = (view.rgb == (200, 60, 40)).all(-1)
        blue = (view.rgb == (50, 70, 200)).all(-1)
        assert red.sum() > 200 and blue.sum() > 200
        clay = view.clay.astype(int)
        assert (np.ptp(clay, axis=2) < 15).all()  # no colours
        assert {242, 229} <= set(np.unique(view.clay[~(red | blue)]).tolist())  # both squares of the floor
    # seen from the left the front box moves to the right of the one behind it
    x = {n: [(views[n].rgb == c).all(-1).nonzero()[1].mean() for c in ((200, 60, 40), (50, 70, 200))] for n in views}
    assert x["left"][0] - x["left"][1] > x["right"][0] - x["right"][1]


def test_what_cannot_be_shown_is_left_out():
    s = two_boxes()
    gone = replace(s.objects[0], mesh=None, pose=None, status="skipped")
    assert render_views([gone], s.point_map) == {} and object_views(gone, s.point_map) == {}
    groundless = replace(s.point_map, ground_cam=None, up_cam=None)
    assert list(object_views(s.objects[0], groundless, size_px=40)) == ["front", "left", "right", "above"]
    assert len(render_views(s.objects, groundless, width_px=40, height_px=30)) == 3


def floor_mesh(corners, texture) -> Mesh:
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return Mesh(vertices=corners, faces=faces, uv=uv, texture=texture, unlit=True)


def test_the_painted_floor_is_what_rays_would_show():
    s = two_boxes()
    y, x = np.mgrid[:40, :60]
    texture = np.stack([x * 4, y * 6, 90 + x + y], -1).astype(np.uint8)
    world = np.array([[-2, 0, -1.5], [2, 0, -1.5], [2, 0, -6], [-2, 0, -6.0]])
    mesh = floor_mesh(transforms.apply(s.camera.T_cam_world, world), texture)
    floor = Floor.from_mesh(mesh)
    assert floor is not None
    view = Camera(
        K=s.camera.K,
        width=240,
        height=160,
        T_cam_world=transforms.rigid(transforms.axis_angle([1, 2, 3], 0.1), [0.1, 0, 0.3]),
    )
    objects = RayCaster([o.mesh for o in s.objects], [o.S_cam_obj for o in s.objects]).render(view)
    painted = objects.rgb.copy()
    floor.paint(painted, objects.depth, view)
    poses = [*(o.S_cam_obj for o in s.objects), np.eye(4)]
    rays = RayCaster([*(o.mesh for o in s.objects), mesh], poses).render(view)
    difference = np.abs(painted.astype(int) - rays.rgb.astype(int)).max(2)
    assert np.percentile(difference, 98) <= 6  # a texel apart at most; the painter interpolates
    assert ((painted == 255).all(2) == (rays.index < 0)).mean() > 0.998


def test_a_floor_seen_from_below_or_edge_on_does_no_harm():
    floor = checked_floor(np.array([[0, 0, 3], [1, 1, 4.0]]), np.array([0, -1, 0, 1.0]))
    picture = np.zeros((20, 30, 3), np.uint8)
    depth = np.full((20, 30), np.nan, np.float32)
    K = np.array([[30, 0, 15], [0, 30, 10], [0, 0, 1.0]])
    level = Camera(K=K, width=30, height=20, T_cam_world=transforms.rigid(np.eye(3), [0, -1, 0]))
    floor.paint(picture, depth, level)
    assert not picture.any()
    floor.paint(picture, depth, Camera(K=K, width=30, height=20))
    assert picture[12:].any() and not picture[:10].any()  # below the horizon only


def test_only_a_flat_textured_mesh_is_a_floor():
    assert Floor.from_mesh(None) is None and Floor.from_mesh(box()) is None
    bent = floor_mesh([[0, 0, 0], [1, 0, 0], [1, 0.3, 1], [0, 0, 1]], np.zeros((4, 4, 3), np.uint8))
    assert Floor.from_mesh(bent) is None


def test_object_views_show_one_object_alone():
    camera = tilted_camera()
    item = placed(1, box((1, 0.4, 0.2), (10, 200, 30)), camera, (2, 0.2, -5))
    s = two_boxes()
    for view in object_views(item, s.point_map, size_px=60).values():
        colours = {tuple(c) for c in view.rgb.reshape(-1, 3).tolist()}
        assert colours == {(10, 200, 30), (250, 250, 250)}
