"""Rotations, rigid transforms and similarities, against SciPy and the group axioms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from scenemaker.errors import FrameError
from scenemaker.geometry import transforms as tf

number = st.floats(-3, 3, allow_subnormal=False)
vector = st.tuples(number, number, number).map(np.array)
# from near the identity, where arc functions lose digits, up to half a turn
rotation_vector = st.tuples(
    vector.filter(lambda v: np.linalg.norm(v) > 1e-3), st.sampled_from([1e-7, 1e-3, 0.5, 3.1])
).map(lambda p: p[0] / np.linalg.norm(p[0]) * p[1])
rotation = rotation_vector.map(lambda r: Rotation.from_rotvec(r).as_matrix())


@given(rotation_vector)
def test_axis_angle_agrees_with_scipy(r):
    angle = np.linalg.norm(r)
    np.testing.assert_allclose(tf.axis_angle(r, angle), Rotation.from_rotvec(r).as_matrix(), atol=1e-12)


@given(rotation, rotation)
def test_angle_between_rotations_agrees_with_scipy(A, B):
    theirs = np.degrees(Rotation.from_matrix(A.T @ B).magnitude())
    assert tf.rotation_angle_deg(A, B) == pytest.approx(theirs, abs=1e-6)


def test_angle_is_exact_near_the_identity_and_at_half_a_turn():
    assert tf.rotation_angle_deg(np.eye(3), tf.axis_angle([1, 2, 3], 1e-9)) == pytest.approx(np.degrees(1e-9), rel=1e-6)
    assert tf.rotation_angle_deg(np.eye(3), np.diag([-1.0, -1, 1])) == pytest.approx(180)


@given(rotation, vector, st.floats(0.01, 50), vector)
def test_a_similarity_scales_then_rotates_then_moves(R, t, s, p):
    S = tf.similarity(R, t, s)
    np.testing.assert_allclose(tf.apply(S, p), R @ (s * p) + t, atol=1e-9)
    np.testing.assert_allclose(tf.apply(tf.invert(S), tf.apply(S, p)), p, atol=1e-9)


def test_a_scale_per_axis_acts_in_the_source_frame():
    quarter = tf.axis_angle([0, 0, 1], np.pi / 2)
    np.testing.assert_allclose(tf.apply(tf.similarity(quarter, [0, 0, 0], [2, 3, 5]), [1, 0, 0]), [0, 2, 0], atol=1e-12)


@given(rotation, vector, rotation, vector, vector)
def test_transforms_compose_by_their_frames(R_a_b, t_a_b, R_b_c, t_b_c, p_c):
    T_a_b, T_b_c = tf.rigid(R_a_b, t_a_b), tf.rigid(R_b_c, t_b_c)
    np.testing.assert_allclose(tf.apply(T_a_b @ T_b_c, p_c), tf.apply(T_a_b, tf.apply(T_b_c, p_c)), atol=1e-9)


def test_apply_takes_any_leading_shape():
    points = np.arange(24.0).reshape(2, 4, 3)
    np.testing.assert_array_equal(tf.apply(tf.rigid(np.eye(3), [1, 2, 3]), points), points + np.array([1, 2, 3]))


@given(rotation)
def test_rot6d_is_two_columns_and_comes_back(R):
    r = tf.rot6d_from_R(R)
    np.testing.assert_array_equal(r, [*R[:, 0], *R[:, 1]])
    np.testing.assert_allclose(tf.R_from_rot6d(r), R, atol=1e-12)


@given(st.lists(number, min_size=12, max_size=12).map(lambda x: np.array(x).reshape(2, 6)))
def test_any_two_directions_give_rotations(r):
    if (np.linalg.norm(np.cross(r[:, :3], r[:, 3:]), axis=1) < 1e-3).any():
        r = r + np.array([1, 0, 0, 0, 20, 0])
    for R in tf.R_from_rot6d(r):
        tf.check_R(R)


@given(rotation.map(lambda R: R[:, 1]))
def test_world_of_a_photo_is_upright_and_looks_along_minus_z(up_cam):
    R_cam_world = tf.check_R(tf.R_cam_world_from_up(up_cam))
    np.testing.assert_allclose(R_cam_world[:, 1], up_cam, atol=1e-9)
    forward_world = R_cam_world.T @ [0, 0, 1]
    assert forward_world[0] == pytest.approx(0, abs=1e-6)
    assert forward_world[2] < 1e-6


def test_world_of_a_photo_taken_straight_down_has_image_up_along_minus_z():
    R_cam_world = tf.R_cam_world_from_up([0, 0, -1])
    np.testing.assert_allclose(R_cam_world.T @ [0, -1, 0], [0, 0, -1], atol=1e-12)


def test_world_of_a_level_photo_is_opencv_turned_to_gl():
    np.testing.assert_allclose(tf.R_cam_world_from_up([0, -1, 0]), tf.GL_FROM_CV, atol=1e-12)


@pytest.mark.parametrize("bad", [np.diag([1.0, 1, -1]), 2 * np.eye(3), np.eye(4), np.full((3, 3), np.nan)])
def test_what_is_no_rotation_is_refused(bad):
    with pytest.raises(FrameError) as caught:
        tf.check_R(bad, "R_cam_obj")
    remedy = "give R with R R^T = 1 and det R = +1"
    assert str(caught.value) == f"expected R_cam_obj to be a rotation matrix; got {bad.tolist()}; {remedy}"


def test_a_vector_without_direction_is_refused():
    with pytest.raises(FrameError) as caught:
        tf.unit([0, 0, 0])
    message = "expected a vector with a direction; got [0.0, 0.0, 0.0]; give a non-zero vector"
    assert str(caught.value) == message


@given(st.lists(vector, min_size=2, max_size=9).map(np.array), st.sampled_from([2.0, 1.96, 0.3]))
def test_centred_points_fill_the_box(points, longest):
    S = tf.centring(points, longest)
    moved = tf.apply(S, points)
    if np.ptp(points, axis=0).max() == 0:
        np.testing.assert_array_equal(S[:3, :3], np.eye(3))
        np.testing.assert_allclose(moved, 0, atol=1e-12)
    elif np.ptp(points, axis=0).max() > 1e-3:
        np.testing.assert_allclose(moved.max(0), -moved.min(0), atol=1e-9)
        assert np.ptp(moved, axis=0).max() == pytest.approx(longest)
        np.testing.assert_allclose(S[:3, :3], S[0, 0] * np.eye(3))


@given(rotation, rotation, st.tuples(*[st.floats(0.1, 5)] * 3))
def test_the_nearest_rotation_is_that_of_the_polar_decomposition(R, Q, scales):
    stretch = Q @ np.diag(scales) @ Q.T
    np.testing.assert_allclose(tf.nearest_rotation(R @ stretch), R, atol=1e-9)
    np.testing.assert_allclose(tf.nearest_rotation(-R @ stretch), R, atol=1e-9)  # mirrored: the same axes


@given(st.lists(number, min_size=9, max_size=9).map(lambda x: np.reshape(x, (3, 3))), rotation)
def test_no_rotation_is_nearer(A, other):
    R = tf.check_R(tf.nearest_rotation(A))
    if np.linalg.det(A) > 1e-9:
        assert np.linalg.norm(A - R) <= np.linalg.norm(A - other) + 1e-9
