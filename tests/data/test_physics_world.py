"""The engine against statics that can be done by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from scenemaker.data.layouts.decomposition import PartsConfig, convex_parts
from scenemaker.data.layouts.mujoco_world import PhysicsOptions, RigidWorld
from scenemaker.data.types import GROUND, NOTHING
from scenemaker.errors import BackendNotInstalledError, PlacementError
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from tests.data import physics_shapes as shapes

UPRIGHT = np.eye(3)


@cache
def parts_of(shape: Callable[[], Mesh]) -> tuple[F64, ...]:
    return convex_parts(shape(), PartsConfig(pocket=0.05))


def world_of(*made: Callable[[], Mesh], scale: tuple[float, ...] = (), bin_half: float | None = None) -> RigidWorld:
    sizes = np.array(scale or (1.0,) * len(made))
    return RigidWorld([parts_of(m) for m in made], sizes, PhysicsOptions(), bin_half)


def test_a_ball_rests_at_its_radius() -> None:
    world = world_of(shapes.ball, scale=(0.6,))
    world.release(0, UPRIGHT, np.array([0.2, 0.5, -0.3]))
    world.settle()
    assert world.poses()[1][0] == pytest.approx([0.2, 0.3, -0.3], abs=0.02)
    assert world.poses()[1][0, 1] == pytest.approx(0.3, abs=0.003)


@pytest.mark.parametrize(("pitch_deg", "height"), [(20.0, 0.1), (80.0, 0.5)])
def test_a_slab_falls_on_the_face_that_its_weight_is_over(pitch_deg: float, height: float) -> None:
    world = world_of(shapes.slab)
    world.release(0, transforms.axis_angle([0, 0, 1], np.radians(pitch_deg)), np.array([0, 0.7, 0]))
    world.settle()
    R, t = world.poses()
    assert np.abs(R[0, 1]).max() == pytest.approx(1, abs=1e-3)  # one axis of the slab is upright
    assert t[0, 1] == pytest.approx(height, abs=0.002)


def test_a_slab_too_near_its_edge_tips_over() -> None:
    """Diagonal angle atan(0.2 / 1): at 75 degrees the weight is left of the edge, at 80 (above) right of it."""
    world = world_of(shapes.slab)
    world.release(0, transforms.axis_angle([0, 0, 1], np.radians(70)), np.array([0, 0.56, 0]))
    world.settle()
    assert world.poses()[1][0, 1] == pytest.approx(0.1, abs=0.002)


def test_a_cube_on_a_table_rests_on_the_top() -> None:
    world = world_of(shapes.table, shapes.cube, scale=(1.0, 0.3))
    world.release(0, UPRIGHT, np.array([0, 0.5, 0]))
    world.release(1, UPRIGHT, np.array([0.1, 1.2, 0.1]))
    world.settle()
    assert world.support() == [GROUND, 0]
    assert world.poses()[1][:, 1] == pytest.approx([0.5, 1.15], abs=0.006)


def test_a_cube_under_a_table_is_left_alone() -> None:
    world = world_of(shapes.table, shapes.cube, scale=(1.0, 0.5))
    world.release(0, UPRIGHT, np.array([0, 0.5, 0]))
    world.release(1, UPRIGHT, np.array([0, 0.251, 0]))
    world.settle()
    assert world.support() == [GROUND, GROUND]
    np.testing.assert_allclose(world.poses()[1], [[0, 0.5, 0], [0, 0.25, 0]], atol=0.004)


def test_a_ball_lies_in_a_bowl() -> None:
    world = world_of(shapes.bowl, shapes.ball, scale=(1.0, 0.4))
    world.release(0, UPRIGHT, np.array([0, 0.25, 0]))
    world.release(1, UPRIGHT, np.array([0.05, 0.6, 0]))
    world.settle()
    assert world.support() == [GROUND, 0]
    assert world.poses()[1][1, 1] == pytest.approx(0.05 + 0.2, abs=0.02)  # on the bottom of the bowl


def test_a_bin_holds_and_opens() -> None:
    world = world_of(shapes.ball, shapes.ball, scale=(0.4, 0.4), bin_half=0.25)
    world.release(0, UPRIGHT, np.array([0.05, 0.2, 0.04]))
    world.release(1, UPRIGHT, np.array([-0.05, 0.7, -0.04]))
    world.settle()
    assert np.abs(world.poses()[1][:, [0, 2]]).max() < 0.06
    assert world.support() == [GROUND, 0]
    world.open_bin()
    world.settle()
    assert world.support() == [GROUND, GROUND]
    assert np.linalg.norm(np.diff(world.poses()[1], axis=0)) > 0.4


def test_what_is_not_released_waits_and_rests_on_nothing() -> None:
    world = world_of(shapes.cube, shapes.cube)
    before = world.poses()[1][1]
    world.release(0, UPRIGHT, np.array([0, 0.5, 0]))
    world.settle()
    assert world.poses()[1][1] == pytest.approx(before, abs=1e-9)
    assert world.support() == [GROUND, NOTHING]


def test_a_world_that_does_not_come_to_rest_says_so() -> None:
    parts = [convex_parts(shapes.cube())]
    world = RigidWorld(parts, np.ones(1), PhysicsOptions(seconds=0.3))
    world.release(0, UPRIGHT, np.array([0, 30.0, 0]))
    with pytest.raises(PlacementError) as error:
        world.settle()
    text = "expected objects at rest within 0.3 simulated seconds; got some still move; draw others, or raise seconds"
    assert str(error.value) == text


def test_without_mujoco_the_line_to_type_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(BackendNotInstalledError) as error:
        RigidWorld([], np.ones(0), PhysicsOptions())
    assert str(error.value) == 'expected mujoco; got it is not installed; type: pip install "scenemaker[physics]"'
