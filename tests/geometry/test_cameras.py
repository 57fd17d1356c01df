"""Projection, rays and intrinsics, against hand numbers, OpenCV and round trips."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenemaker.errors import FrameError
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, K_from_fov, check_K, pixel_rays, project, unproject

K = np.array([[100.0, 0, 50], [0, 120.0, 25], [0, 0, 1]])
REMEDY = "give [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels"


def test_a_point_falls_on_the_pixel_computed_by_hand():
    np.testing.assert_allclose(project(K, [[1, 1, 2], [0, 0, 5]]), [[100, 85], [50, 25]])


def test_projection_agrees_with_opencv_whose_pixel_centres_are_half_a_pixel_off():
    rng = np.random.default_rng(0)
    points = rng.uniform([-1, -1, 1], [1, 1, 4], (20, 3))
    K_cv = K - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]  # OpenCV's top-left pixel centre is (0, 0)
    theirs = cv2.projectPoints(points, np.zeros(3), np.zeros(3), K_cv, np.zeros(5))[0][:, 0]
    np.testing.assert_allclose(project(K, points) - 0.5, theirs, atol=1e-9)


def test_points_behind_the_camera_project_nowhere():
    assert np.isnan(project(K, [[0, 0, -1], [0, 0, 0]])).all()


def test_rays_go_through_pixel_centres_of_a_wide_image():
    rays = pixel_rays(K, 3, 7)
    assert rays.shape == (3, 7, 3)
    np.testing.assert_allclose(rays[2, 6], [(6.5 - 50) / 100, (2.5 - 25) / 120, 1])
    v, u = np.mgrid[0:3, 0:7] + 0.5
    np.testing.assert_allclose(project(K, rays), np.stack([u, v], -1), atol=1e-9)


@given(st.floats(50, 2000), st.floats(50, 2000), st.floats(-20, 20), st.integers(1, 9), st.integers(1, 13))
def test_unproject_then_project_is_the_pixel_also_with_skew(fx, fy, skew, height, width):
    skewed = np.array([[fx, skew, 0.3 * width], [0, fy, 0.7 * height], [0, 0, 1]])
    depth = np.linspace(0.5, 9, height * width).reshape(height, width)
    points = unproject(skewed, depth)
    v, u = np.mgrid[0:height, 0:width] + 0.5
    np.testing.assert_allclose(points[..., 2], depth)
    np.testing.assert_allclose(project(skewed, points), np.stack([u, v], -1), atol=1e-6)


def test_unproject_keeps_nan():
    assert np.isnan(unproject(K, [[1.0, np.nan]])[0, 1]).all()


def test_field_of_view_is_that_of_the_width():
    K_wide = K_from_fov(90, 200, 100)
    np.testing.assert_allclose(K_wide, [[100, 0, 100], [0, 100, 50], [0, 0, 1]])
    left, right = pixel_rays(K_wide, 100, 200)[50, [0, -1]]
    angle = np.degrees(np.arccos(left @ right / np.linalg.norm(left) / np.linalg.norm(right)))
    assert 89 < angle < 90  # the outer edges, not the outer pixel centres, span 90


@pytest.mark.parametrize("fov", [0, 180, -10])
def test_an_impossible_field_of_view_is_refused(fov):
    message = f"expected a field of view in (0, 180) degrees; got {fov}; give 60, say"
    with pytest.raises(FrameError) as caught:
        K_from_fov(fov, 20, 10)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.eye(4), f"expected intrinsics K of shape (3, 3); got shape (4, 4); {REMEDY}"),
        (
            np.diag([0.0, 1, 1]),
            f"expected invertible intrinsics K; got [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]; {REMEDY}",
        ),
        (
            np.diag([1.0, 1, 2]),
            f"expected invertible intrinsics K; got [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]; {REMEDY}",
        ),
    ],
)
def test_bad_intrinsics_are_refused(bad, message):
    with pytest.raises(FrameError) as caught:
        check_K(bad)
    assert str(caught.value) == message


def test_nan_intrinsics_are_refused():
    with pytest.raises(FrameError):
        Camera(K=K * np.nan, width=4, height=3)


def test_resizing_scales_pixels_exactly():
    camera = Camera(K=K, width=100, height=50)
    half = camera.resized(50, 100)
    point = [0.2, -0.1, 2.0]
    np.testing.assert_allclose(project(half.K, point), project(K, point) * [0.5, 2])


def test_camera_centre_is_where_the_camera_maps_to_its_origin():
    T = transforms.rigid(transforms.axis_angle([1, 2, 3], 0.7), [1, -2, 3])
    camera = Camera(K=K, width=100, height=50, T_cam_world=T)
    np.testing.assert_allclose(transforms.apply(T, camera.centre_world), 0, atol=1e-12)
