"""Cameras of a scene, measured back from their matrices and from the projection of every vertex."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_shapes import things
from pydantic import ValidationError

from scenemaker.data import framing
from scenemaker.data.layouts.floating import FloatingLayout
from scenemaker.data.layouts.plane import PlaneLayout
from scenemaker.data.types import Arrangement, rng_for
from scenemaker.data.viewpoints import Viewpoints, has_ground, lattice
from scenemaker.errors import PlacementError
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, project

THINGS = things()
SIZES = ((640, 400), (300, 500))


def scene(index: int, *, floating: bool = False) -> Arrangement:
    rng = rng_for(3, index, "layout")
    layout = FloatingLayout() if floating else PlaneLayout()
    return layout.arrange([THINGS[i] for i in rng.integers(len(THINGS), size=4)], rng)


def drawn(arrangement: Arrangement, **options) -> list[Camera]:
    config = Viewpoints.Config(**{"sizes": SIZES, **options})
    return Viewpoints(config).draw(arrangement, rng_for(3, 0, "viewpoints"))


def outline(arrangement: Arrangement, camera: Camera) -> np.ndarray:
    """(2, 2) lowest and highest pixel of all vertices over the size of the picture."""
    S = camera.T_cam_world @ arrangement.S_world_obj
    p = np.concatenate([transforms.apply(s, o.mesh.vertices) for o, s in zip(arrangement.objects, S)])
    assert (p[:, 2] > 0).all()
    uv = project(camera.K, p) / [camera.width, camera.height]
    return np.stack([uv.min(0), uv.max(0)])


def test_looking_by_hand():
    # from +z: right is +x; from +x: right is -z; from straight above, the top of the picture is -z
    np.testing.assert_allclose(framing.looking(0, 0), [[1, 0, 0], [0, -1, 0], [0, 0, -1]], atol=1e-15)
    np.testing.assert_allclose(framing.looking(0, 90), [[0, 0, -1], [0, -1, 0], [-1, 0, 0]], atol=1e-15)
    np.testing.assert_allclose(framing.looking(90, 0), [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-15)
    # a camera turned clockwise by 90 degrees has its right side down
    np.testing.assert_allclose(framing.looking(0, 0, 90), [[0, -1, 0], [-1, 0, 0], [0, 0, -1]], atol=1e-15)


@given(st.floats(-89, 89), st.floats(0, 359), st.floats(-180, 180))
@settings(max_examples=50, deadline=None)
def test_looking_is_a_rotation_that_is_read_back(elevation: float, azimuth: float, roll: float):
    R = transforms.check_R(framing.looking(elevation, azimuth, roll))
    camera = framing.placed(np.array([[100, 0, 32], [0, 100, 20], [0, 0, 1.0]]), (64, 40), R, np.array([1.0, 2, 3]))
    assert framing.elevation_deg(camera) == pytest.approx(elevation, abs=1e-6)
    assert np.cos(np.radians(framing.azimuth_deg(camera) - azimuth)) == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(camera.centre_world, [1, 2, 3], atol=1e-12)


@given(st.integers(0, 1000), st.floats(0.3, 1.3), st.floats(-1, 1), st.floats(-1, 1), st.floats(-40, 89), st.booleans())
@settings(max_examples=60, deadline=None)
def test_framed_fills_and_shifts_as_asked(
    seed: int, fill: float, right: float, down: float, elevation: float, wide: bool
):
    points = np.random.default_rng(seed).normal(size=(50, 3)) * [1, 0.4, 2] + [3, 0.5, -7]
    size = (640, 360) if wide else (300, 500)
    K = np.array([[450, 0, size[0] / 2], [0, 450, size[1] / 2], [0, 0, 1.0]])
    camera = framing.framed(points, framing.looking(elevation, 33, 5), K, size, fill=fill, shift=(right, down))
    p_cam = transforms.apply(camera.T_cam_world, points)
    assert (p_cam[:, 2] > 0).all()
    uv = project(K, p_cam) / size
    low, high = uv.min(0), uv.max(0)
    span, nearest = (high - low).max(), p_cam[:, 2].min() / np.ptp(p_cam, axis=0).max()
    if nearest > framing.NEAR + 1e-9:
        assert span == pytest.approx(fill, abs=1e-6)
    else:  # it stands as near as it may
        assert span <= fill + 1e-9 and nearest == pytest.approx(framing.NEAR)
    free = np.abs(1 - (high - low))
    np.testing.assert_allclose((low + high) / 2 - 0.5, np.array([right, down]) * free / 2, atol=1e-6)


def test_random_views_keep_their_spans():
    elevations, fovs, azimuths, fills, sizes = [], [], [], [], set()
    for index in range(12):
        made = scene(index)
        for camera in Viewpoints(Viewpoints.Config(sizes=SIZES)).draw(made, rng_for(3, index, "viewpoints")):
            elevations.append(framing.elevation_deg(camera))
            azimuths.append(framing.azimuth_deg(camera))
            longer = max(camera.width, camera.height)
            fovs.append(np.degrees(2 * np.arctan(longer / 2 / camera.K[0, 0])))
            low, high = outline(made, camera)
            fills.append((high - low).max())
            inside = fills[-1] <= 1
            assert not inside or (low.min() >= -1e-9 and high.max() <= 1 + 1e-9)
            sizes.add((camera.width, camera.height))
            np.testing.assert_allclose(camera.K[:2, 2], [camera.width / 2, camera.height / 2])
            assert camera.K[0, 0] == camera.K[1, 1]
            assert camera.centre_world[1] >= 0.05 * made.size
            assert camera.T_cam_world[0, 1] == pytest.approx(0, abs=1e-12)  # no roll: the horizon is level
    for values, low, high in ((elevations, 15, 60), (fovs, 35, 65), (fills, 0.6, 1.05)):
        assert low - 1e-6 <= min(values) < low + 0.1 * (high - low)
        assert high + 1e-6 >= max(values) > high - 0.1 * (high - low)
        assert abs(np.mean(values) - (low + high) / 2) < 0.1 * (high - low)
    assert len(elevations) == 240 and sizes == set(SIZES)
    assert abs(np.exp(1j * np.radians(azimuths)).mean()) < 0.15


def test_without_jitter_the_scene_is_in_the_middle_and_with_it_is_not():
    made = scene(1)
    for camera in drawn(made, jitter=0, fill=(0.8, 0.8)):
        np.testing.assert_allclose(outline(made, camera).mean(0), 0.5, atol=1e-6)
    off = [np.abs(outline(made, c).mean(0) - 0.5).max() for c in drawn(made, jitter=1, fill=(0.8, 0.8))]
    assert max(off) > 0.05


def test_roll_turns_the_horizon_and_keeps_the_rest():
    made = scene(2)
    rolls = []
    for camera in drawn(made, roll_deg=10, views=60):
        up = -camera.T_cam_world[:2, 1]  # the vertical in the picture
        rolls.append(np.degrees(np.arctan2(up[0], up[1])))
        assert 15 <= framing.elevation_deg(camera) <= 60
        low, high = outline(made, camera)
        assert 0.6 - 1e-6 <= (high - low).max() <= 1.05 + 1e-6
    assert max(np.abs(rolls)) <= 10 and min(rolls) < -8 and max(rolls) > 8


@pytest.mark.parametrize("floating", [True, False])
def test_sphere_looks_at_the_centre_from_everywhere(floating: bool):
    made = scene(3, floating=floating)
    cameras = drawn(made, mode="sphere", views=150, fill=(0.9, 0.9))
    box = made.boxes_world
    middle = (box[:, 0].min(0) + box[:, 1].max(0)) / 2
    to_camera = np.stack([c.centre_world - middle for c in cameras])
    distance = np.linalg.norm(to_camera, axis=1)
    np.testing.assert_allclose(distance, distance[0])
    for camera in cameras:
        centre_px = project(camera.K, transforms.apply(camera.T_cam_world, middle))
        np.testing.assert_allclose(centre_px, [camera.width / 2, camera.height / 2], atol=1e-9)
        low, high = outline(made, camera)
        assert low.min() >= 0 and high.max() <= 1
    assert len({(c.width, c.height) for c in cameras}) == 1
    ways = to_camera / distance[:, None]
    assert has_ground(made) is not floating
    assert (ways[:, 1].min() > 0) is not floating
    assert len(drawn(made, mode="sphere", directions="all")) == 20
    low = [c.centre_world[1] < middle[1] for c in drawn(made, mode="sphere", directions="all")]
    assert sum(low) == 10
    assert all(c.centre_world[1] > middle[1] for c in drawn(made, mode="sphere", directions="upper"))


def test_sphere_is_turned_at_random():
    made = scene(3)
    a, b = (Viewpoints(Viewpoints.Config(mode="sphere")).draw(made, rng_for(0, i, "v"))[0] for i in range(2))
    assert abs(framing.azimuth_deg(a) - framing.azimuth_deg(b)) > 1


@pytest.mark.parametrize("upper", [True, False])
def test_lattice_is_even(upper: bool):
    n = 150
    e, a = np.radians(lattice(n, upper=upper)).T
    ways = np.stack([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)], 1)
    np.testing.assert_allclose(ways.mean(0), [0, 0.5 if upper else 0, 0], atol=0.01)
    nearest = np.sort(np.arccos(np.clip(ways @ ways.T, -1, 1)) + 9 * np.eye(n), axis=1)[:, 0]
    area = (2 if upper else 4) * np.pi / n
    ideal = np.sqrt(2 * area / np.sqrt(3))  # of a hexagonal grid
    assert nearest.min() > 0.7 * ideal and nearest.max() < 1.1 * ideal


def test_isometric_shows_the_three_axes_equally_long_at_120_degrees():
    made = scene(4)
    cameras = drawn(made, mode="isometric", fill=(0.9, 0.9))
    assert sorted(round(framing.azimuth_deg(c), 6) for c in cameras) == [45, 135, 225, 315]
    for camera in cameras:
        assert framing.elevation_deg(camera) == pytest.approx(35.264389682754654)
        axes = camera.T_cam_world[:2, :3].T  # each axis of world in the picture of a lens of no perspective
        np.testing.assert_allclose(np.linalg.norm(axes, axis=1), np.sqrt(2 / 3), atol=1e-12)
        lines = np.sort(np.degrees(np.arctan2(axes[:, 1], axes[:, 0])) % 180)
        np.testing.assert_allclose(np.diff(lines), [60, 60], atol=1e-9)  # as lines: 60 degrees from one to the next
        low, high = outline(made, camera)
        assert (high - low).max() == pytest.approx(0.9, abs=1e-6)
        np.testing.assert_allclose((low + high) / 2, 0.5, atol=1e-6)
        longer = max(camera.width, camera.height)
        assert np.degrees(2 * np.arctan(longer / 2 / camera.K[0, 0])) == pytest.approx(6)
    assert len(drawn(made, mode="isometric", views=1)) == 1


@pytest.mark.parametrize("mode", ["random", "sphere", "isometric"])
def test_equal_seeds_give_equal_cameras(mode: str):
    made = scene(5)
    a, b = drawn(made, mode=mode), drawn(made, mode=mode)
    assert all(
        x.T_cam_world.tobytes() == y.T_cam_world.tobytes() and x.K.tobytes() == y.K.tobytes() for x, y in zip(a, b)
    )


def test_cameras_below_the_ground_are_refused():
    with pytest.raises(PlacementError) as error:
        drawn(scene(6), elevation_deg=(-60, -50))
    assert str(error.value) == (
        "expected a camera 0.05 scene sizes above the ground; got none in 100 tries; "
        "raise elevation_deg, or lower clearance"
    )
    below = drawn(scene(6, floating=True), elevation_deg=(-60, -50))
    assert all(framing.elevation_deg(c) < -49.9 for c in below)
    assert Viewpoints().towards(scene(6), -50, 0, np.random.default_rng(0)) is None
    camera = Viewpoints().towards(scene(6), 20, 70, np.random.default_rng(0))
    assert camera is not None and framing.azimuth_deg(camera) == pytest.approx(70)
    low = drawn(scene(6), elevation_deg=(-3, 10))  # some of these had to be drawn again
    assert min(c.centre_world[1] for c in low) >= 0.05 * scene(6).size


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sizes": ((0, 4),)}, "expected sizes of at least one pixel"),
        ({"sizes": ()}, "at least 1 item"),
        ({"fov_deg": (30, 180)}, "expected a field of view below 180 degrees"),
        ({"elevation_deg": (0, 91)}, "expected an elevation in [-90, 90] degrees"),
        ({"elevation_deg": (60, 15)}, "expected (least, greatest)"),
        ({"mode": "orbit"}, "Input should be 'random', 'sphere' or 'isometric'"),
    ],
)
def test_bad_options_are_refused(options: dict, said: str):
    with pytest.raises(ValidationError) as error:
        Viewpoints.Config(**options)
    assert said in str(error.value)
