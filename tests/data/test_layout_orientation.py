"""Rotations of objects: closed forms, SciPy as oracle, and the statistics of the uniform distribution."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from scenemaker.data.layouts.orientation import OrientationMix, R_from_quat, quat_product

rng_of = np.random.default_rng


def test_quaternions_match_scipy():
    q = rng_of(0).normal(size=(50, 4))
    p = rng_of(1).normal(size=(50, 4))
    oracle = Rotation.from_quat(np.roll(q, -1, axis=1))
    np.testing.assert_allclose(R_from_quat(q), oracle.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(R_from_quat(quat_product(q, p)), R_from_quat(q) @ R_from_quat(p), atol=1e-12)


def test_upright_turns_about_the_vertical_alone_and_evenly():
    R, upright = OrientationMix().draw(4000, rng_of(2))
    assert upright.all()
    assert (R[:, 1] == [0, 1, 0]).all() and (R[:, :, 1] == [0, 1, 0]).all()
    yaw = np.arctan2(R[:, 0, 2], R[:, 0, 0])
    assert abs(np.exp(1j * yaw).mean()) < 0.05 and abs(np.exp(2j * yaw).mean()) < 0.05


def test_tilted_pitches_about_a_horizontal_axis_up_to_the_limit():
    R, upright = OrientationMix(upright=0, tilted=1, tilt_deg=30).draw(4000, rng_of(3))
    assert not upright.any()
    tilt_deg = np.degrees(np.arccos(R[:, 1, 1]))
    assert tilt_deg.max() <= 30 + 1e-9 and tilt_deg.max() > 29.5
    assert abs(tilt_deg.mean() - 15) < 0.6
    leaning = np.arctan2(R[:, 0, 1], R[:, 2, 1])  # where the object's y axis leans to
    assert abs(np.exp(1j * leaning).mean()) < 0.05


def test_tumbled_is_uniform():
    R, upright = OrientationMix(upright=0, tumbled=1).draw(20000, rng_of(4))
    assert not upright.any()
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    np.testing.assert_allclose(R.mean(0), 0, atol=0.02)
    np.testing.assert_allclose((R**2).mean(0), 1 / 3, atol=0.01)
    angle = np.degrees(Rotation.from_matrix(R).magnitude())
    assert abs(angle.mean() - np.degrees(np.pi / 2 + 2 / np.pi)) < 1  # of the Haar measure


def test_weights_are_relative_and_kinds_do_not_shift_each_other():
    mix = OrientationMix(upright=2, tilted=1, tumbled=1)
    R, upright = mix.draw(8000, rng_of(5))
    assert abs(upright.mean() - 0.5) < 0.02
    tilted = ~upright & (R[:, 1, 1] > np.cos(np.radians(45)))  # with the few tumbled that stand nearly upright
    assert abs(tilted.mean() - (0.25 + 0.25 * (1 - np.cos(np.radians(45))) / 2)) < 0.02
    R_all, _ = OrientationMix().draw(8000, rng_of(5))
    assert (R[upright] == R_all[upright]).all()


def test_no_weight_at_all_is_refused():
    with pytest.raises(ValidationError, match="expected a weight above 0"):
        OrientationMix(upright=0)
