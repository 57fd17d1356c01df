"""The axis search finds axes that are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from scenemaker.deocclusion.mirror import find_axis


def _symmetric(axis_x: float, tilt_deg: float, h: int = 90, w: int = 130) -> np.ndarray:
    """(h, w) a vase-like silhouette about a tilted axis through (axis_x, h / 2)."""
    tilt = np.radians(tilt_deg)
    y, x = np.mgrid[:h, :w] + 0.5
    along = np.cos(tilt) * (y - h / 2) + np.sin(tilt) * -(x - axis_x)
    across = np.cos(tilt) * (x - axis_x) + np.sin(tilt) * (y - h / 2)
    return (np.abs(along) < 34) & (np.abs(across) < 14 + 8 * np.sin(along / 7))


@pytest.mark.parametrize(("axis_x", "tilt_deg"), [(65.0, 0.0), (52.5, 0.0), (65.0, 12.0), (70.0, -18.0)])
def test_known_axis_is_found(axis_x: float, tilt_deg: float) -> None:
    modal = _symmetric(axis_x, tilt_deg)
    axis = find_axis(np.full((*modal.shape, 3), 99, np.float32), modal, np.zeros_like(modal))
    assert axis is not None
    assert np.degrees(axis.tilt_rad) == pytest.approx(tilt_deg, abs=0.1)
    centre = np.array([axis_x, modal.shape[0] / 2])
    assert np.abs(axis.A[:, :2] @ centre + axis.A[:, 2] - centre).max() < 1.0  # the axis stays where it is
    assert axis.agreement > 0.9 and axis.colour_error < 3 and axis.compared > 0.9
    image = axis.mirrored(modal.astype(np.float32)) > 0.5
    assert (image & modal).sum() / (image | modal).sum() > 0.9


def test_reflection_is_its_own_inverse_at_any_scale() -> None:
    modal = _symmetric(70.0, -18.0)
    axis = find_axis(np.zeros((*modal.shape, 3), np.float32), modal, np.zeros_like(modal))
    assert axis is not None
    for A in (axis.A, axis.scaled(2.0, 1.7).A):
        B = np.vstack([A, [0, 0, 1]])
        assert np.allclose(B @ B, np.eye(3), atol=1e-9)
        assert np.linalg.det(A[:, :2]) == pytest.approx(-1)


def test_a_hidden_half_does_not_move_the_axis() -> None:
    whole = _symmetric(65.0, 0.0)
    hidden = np.zeros_like(whole)
    hidden[:, 71:] = True
    axis = find_axis(np.full((*whole.shape, 3), 99, np.float32), whole & ~hidden, hidden)
    assert axis is not None
    assert (axis.A[0, 2] / 2) == pytest.approx(65.0, abs=3.0)  # u -> 2 * 65 - u


def test_unlike_colours_count_against_an_axis() -> None:
    modal = np.zeros((60, 100), bool)
    modal[20:40, 20:80] = True
    rgb = np.zeros((60, 100, 3), np.float32)
    rgb[:, 20:50] = 60  # a bright and a dark half
    plain = find_axis(np.zeros_like(rgb), modal, np.zeros_like(modal))
    two = find_axis(rgb, modal, np.zeros_like(modal))
    assert plain is not None and two is not None
    assert plain.colour_error < 1 and two.colour_error == pytest.approx(60, abs=1)
    assert two.agreement == pytest.approx(plain.agreement)
    assert two.score < plain.score - 0.2
