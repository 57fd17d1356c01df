"""The ground plane of rooms made by ray and plane: among walls, a ceiling and a table, with noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scenemaker.geometry.cameras import K_from_fov, pixel_rays
from scenemaker.geometry.planes import find_ground
from scenemaker.geometry.transforms import axis_angle

W, H = 200, 150
K = K_from_fov(65, W, H)


def room(pitch_deg: float, roll_deg: float = 0.0, *, table: bool = False, floor: bool = True) -> tuple[Any, Any]:
    """Points (H, W, 3) seen by a camera that is tilted down, at 1.5 in a room; and up in ``cam``.

    The room is 6 wide and 3 high, its far wall 5 away.
    """
    R_cam_room = axis_angle([0, 0, 1], np.radians(roll_deg)) @ axis_angle([1, 0, 0], np.radians(pitch_deg))
    rays = pixel_rays(K, H, W)
    d = rays @ R_cam_room  # in the room: y down, z to the far wall
    hits = []
    for axis, at in ((1, 1.5), (1, -1.5), (0, 3.0), (0, -3.0), (2, 5.0)):
        if axis == 1 and at > 0 and not floor:
            continue
        with np.errstate(divide="ignore"):
            s = at / d[..., axis]
        hits.append(np.where(s > 0, s, np.inf))
    if table:  # 2.6 x 1.6 at height 0.8: more pixels than the floor that is left
        s = 0.7 / np.where(d[..., 1] > 1e-9, d[..., 1], np.nan)
        p = d * s[..., None]
        hits.append(np.where((np.abs(p[..., 0]) < 1.5) & (p[..., 2] > 0.6) & (p[..., 2] < 3.4), s, np.inf))
    z = np.min(hits, axis=0)
    return rays * z[..., None], R_cam_room @ np.array([0, -1.0, 0])


def off_deg(found: Any, up: Any) -> float:
    assert found is not None
    return float(np.degrees(np.arccos(np.clip(found.up_cam @ up, -1, 1))))


@pytest.mark.parametrize("roll_deg", [0, 12])
@pytest.mark.parametrize("pitch_deg", [0, 5, 20, 45, 70])
def test_floor_of_a_room(pitch_deg: float, roll_deg: float) -> None:
    points, up = room(pitch_deg, roll_deg)
    assert up[2] == pytest.approx(-np.sin(np.radians(pitch_deg)))  # looking down, up points to the camera
    found = find_ground(points)
    assert off_deg(found, up) < 0.01
    assert found is not None
    assert found.plane_cam[3] == pytest.approx(1.5, rel=1e-3)
    assert found.plane_cam[:3] @ found.plane_cam[:3] == pytest.approx(1)


def test_floor_under_a_table_that_shows_more_pixels() -> None:
    points, up = room(35, table=True)
    found = find_ground(points)
    assert off_deg(found, up) < 0.05
    assert found is not None
    assert found.plane_cam[3] == pytest.approx(1.5, rel=1e-2)


def test_noise_holes_and_outliers() -> None:
    points, up = room(30, 5)
    rng = np.random.default_rng(3)
    noisy = points * (1 + 0.015 * rng.standard_normal((H, W, 1)))
    noisy[rng.random((H, W)) < 0.3] = np.nan
    wild = rng.random((H, W)) < 0.15
    noisy[wild] *= rng.uniform(0.3, 1.0, (int(wild.sum()), 1))
    assert off_deg(find_ground(noisy.astype(np.float32)), up) < 0.5


def test_units_do_not_matter() -> None:
    points, up = room(30)
    for k in (1e-3, 1e4):
        found = find_ground(points * k)
        assert off_deg(found, up) < 0.01
        assert found is not None
        assert found.plane_cam[3] == pytest.approx(1.5 * k, rel=1e-3)


def test_objects_are_no_ground() -> None:
    points, up = room(30)
    background = np.ones((H, W), bool)
    floor = np.abs(points @ up + 1.5) < 1e-6
    rows = np.arange(H)[:, None] > H // 2
    slope = points * np.where(floor & rows, 0.8, 1.0)[..., None]  # an object's flat face in front of half the floor
    background[floor & rows] = False
    assert off_deg(find_ground(slope, background), up) < 0.05


def test_none_when_there_is_no_floor() -> None:
    points, _ = room(8, floor=False)
    assert find_ground(points) is None or find_ground(points).share < 0.2  # type: ignore[union-attr]
    assert find_ground(np.full((H, W, 3), np.nan)) is None
    assert find_ground(points, np.zeros((H, W), bool)) is None
    blob = np.random.default_rng(0).uniform(1, 2, (H, W, 1)) * pixel_rays(K, H, W)
    assert find_ground(blob) is None
    line = room(30)[0]
    line[:, : W // 2] = np.nan
    line[:, W // 2 + 2 :] = np.nan  # two columns do not tell the roll
    assert find_ground(line) is None
