"""What training gets of an object: points evenly on the surface, outward normals, distances of the closed form."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from object_shapes import LID, ball, box, box_distance, flipped, thing, union, without
from pydantic import ValidationError

from scenemaker.data.objects.closedness import closedness
from scenemaker.data.objects.prepare import PrepareConfig, PreparedObject, prepare
from scenemaker.errors import InputError
from scenemaker.geometry.mesh import Mesh

BOX = (1.0, 0.6, 0.4)
SMALL = PrepareConfig(surface_points=3000, edge_points=1200, near_points=1000, box_points=1500, agreement_points=1000)
ARRAYS = ("surface_obj", "edges_obj", "points_obj", "distance", "inside")


def side(points: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n,) which of its six sides a point of the box is on."""
    gap = np.abs(np.abs(points) - np.array(BOX) / 2)
    axis = gap.argmin(1)
    assert gap.min(1).max() < 1.1e-5  # on the surface, to the rounding of the cache
    return 2 * axis + (np.take_along_axis(points, axis[:, None], 1)[:, 0] > 0)


@pytest.fixture(scope="module")
def prepared_box() -> PreparedObject:
    return prepare(thing(flipped(box(*BOX), [1, 5, 6])), SMALL)


def test_surface_points_lie_evenly_with_normals_outwards(prepared_box: PreparedObject) -> None:
    points, normals = prepared_box.surface_obj[:, :3], prepared_box.surface_obj[:, 3:]
    assert prepared_box.surface_obj.shape == (3000, 6) and prepared_box.surface_obj.dtype == np.float32
    on = side(points)
    areas = np.repeat([0.6 * 0.4, 1.0 * 0.4, 1.0 * 0.6], 2)
    np.testing.assert_allclose(np.bincount(on, minlength=6) / 3000, areas / areas.sum(), atol=2e-3)
    outwards = np.eye(3)[on // 2] * np.where(on % 2, 1, -1)[:, None]
    np.testing.assert_array_equal(normals, outwards)
    top = points[on == 5][:, :2] / [1.0, 0.6] + 0.5
    squares = np.histogram2d(*top.T, bins=(4, 3), range=((0, 1), (0, 1)))[0]
    assert np.abs(squares / len(top) * 12 - 1).max() < 0.3
    half = np.bincount(side(points[:1000]), minlength=6) / 1000
    assert np.abs(half - areas / areas.sum()).max() < 0.05  # any first part is a sample too


def test_edge_points_lie_evenly_on_the_twelve_edges(prepared_box: PreparedObject) -> None:
    points, normals = prepared_box.edges_obj[:, :3], prepared_box.edges_obj[:, 3:]
    at_end = np.abs(np.abs(points) - np.array(BOX) / 2) < 1.1e-5
    assert points.shape == (1200, 3) and (at_end.sum(1) >= 2).all()
    along = np.bincount((~at_end).argmax(1)[at_end.sum(1) == 2], minlength=3)
    np.testing.assert_allclose(along / 1200, np.array(BOX) / sum(BOX), atol=0.01)
    clean = at_end.sum(1) == 2
    np.testing.assert_allclose(normals[clean], (np.sign(points) * at_end / np.sqrt(2))[clean], atol=5e-4)


def test_distances_and_occupancy_are_those_of_the_closed_form(prepared_box: PreparedObject) -> None:
    truth = box_distance(prepared_box.points_obj, BOX)
    np.testing.assert_allclose(prepared_box.distance, truth, rtol=5e-4, atol=1e-7)
    clear = np.abs(truth) > 1e-6
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(prepared_box.inside[clear], truth[clear] < 0)
    assert prepared_box.agreement == 1
    assert (prepared_box.buried, prepared_box.sheets) == (0, 0)
    assert prepared_box.closedness == closedness(flipped(box(*BOX), [1, 5, 6]))


def test_samples_come_sigma_by_sigma_then_from_the_box(prepared_box: PreparedObject) -> None:
    assert len(prepared_box.points_obj) == 2 * 1000 + 1500
    for k, sigma in enumerate(SMALL.near_sigmas):
        d = prepared_box.distance[1000 * k : 1000 * (k + 1)]
        assert np.sqrt((d**2).mean()) == pytest.approx(sigma, rel=0.15)
    rest = prepared_box.points_obj[2000:]
    assert np.abs(rest).max() <= 0.55 + 1e-5 and np.abs(rest).max() > 0.545
    assert prepared_box.inside[2000:].mean() == pytest.approx(0.24 / 1.1**3, abs=0.03)


def test_distances_of_a_ball() -> None:
    found = prepare(thing(ball(0.5, fine=5)), SMALL)
    radius = np.linalg.norm(found.points_obj.astype(np.float64), axis=1)
    np.testing.assert_allclose(found.distance, radius - 0.5, atol=6e-4)  # the facets are 3e-4 deep at most
    assert found.agreement > 0.995 and found.edges_obj.shape == (0, 6)
    direction = found.surface_obj[:, :3] / np.linalg.norm(found.surface_obj[:, :3], axis=1, keepdims=True)
    assert (direction * found.surface_obj[:, 3:]).sum(1).min() > 0.999


def test_convex_closed_meshes_agree_with_parity_everywhere() -> None:
    for mesh in (box(1, 0.2, 0.7), ball(0.5, fine=1), ball(0.5, fine=0)):
        assert prepare(thing(mesh), SMALL).agreement == 1


def test_surface_inside_another_part_is_left_out() -> None:
    """Two boxes that cross: of the 3 x 4 x 0.3 x 0.3 of each, one third is inside the other."""
    sides = [(0.9, 0.3, 0.3), (0.3, 0.9, 0.299)]
    found = prepare(thing(union(box(*sides[0]), flipped(box(*sides[1])))), SMALL)
    points, normals = found.surface_obj[:, :3].astype(np.float64), found.surface_obj[:, 3:]
    nearest = np.min([box_distance(points, s) for s in sides], axis=0)
    assert np.abs(nearest).max() < 1.1e-5
    assert (np.min([box_distance(points + 0.01 * normals, s) for s in sides], axis=0) > 0).all()
    hidden = (2 * 0.3 * 0.299 + 4 * 0.3 * 0.3) / (4 * 0.9 * 0.3 + 2 * 0.09 + 2 * 0.9 * (0.3 + 0.299) + 2 * 0.3 * 0.299)
    assert found.buried == pytest.approx(hidden, abs=0.03) and found.agreement > 0.998
    edges = np.min([box_distance(found.edges_obj[:, :3], s) for s in sides], axis=0)
    assert np.abs(edges).max() < 1.1e-5 and len(found.edges_obj) == SMALL.edge_points
    assert found.turned == pytest.approx(0.5, abs=0.01)
    truth = np.min([box_distance(found.points_obj, s) for s in sides], axis=0)
    np.testing.assert_array_equal(found.inside[np.abs(truth) > 1e-6], truth[np.abs(truth) > 1e-6] < 0)
    np.testing.assert_allclose(found.distance[truth > 0], truth[truth > 0], rtol=5e-4, atol=1e-6)
    within = truth < 0  # the true depth of a union is at least that of each part
    assert (found.distance[within] <= truth[within] * (1 - 5e-4) + 1e-6).all()


def test_depth_in_an_overlap_is_that_to_the_real_surface() -> None:
    """Two halves of one long box that overlap by a third: the depth is that of the long box."""
    halves = union(box(0.6, 0.4, 0.5, at=(-0.2, 0, 0)), box(0.6, 0.399, 0.499, at=(0.2, 0, 0)))
    found = prepare(thing(halves), PrepareConfig(near_points=500, box_points=4000))
    truth = box_distance(found.points_obj, (1, 0.4, 0.5))
    off = np.abs(found.distance - truth)[truth < 0]
    assert off.max() < 0.015 and off.mean() < 0.002


def test_open_meshes_and_sheets_are_told() -> None:
    tub = prepare(thing(without(box(*BOX), LID)), SMALL)
    assert tub.agreement > 0.97 and tub.sheets == 0 and tub.closedness.boundary_edges == 4
    board = Mesh(
        vertices=[[-0.5, 0, -0.2], [0.5, 0.01, -0.2], [0.5, 0, 0.2], [-0.5, 0, 0.2]], faces=[[0, 2, 1], [0, 3, 2]]
    )
    sheet = prepare(thing(board), SMALL)
    assert sheet.sheets > 0.9 and sheet.inside.mean() < 0.01 and len(sheet.surface_obj) == 3000
    assert (sheet.edges_obj[:, :3] != 0).any()  # its rim


def test_surface_that_can_be_seen_is_never_left_out() -> None:
    """A floor under an open roof that reaches low: all around the floor it is inside, yet it is seen from the sides."""
    floor, roof = box(0.6, 0.1, 0.6), without(box(1, 0.5, 1), [4, 5])  # no bottom
    house = union(floor, Mesh(vertices=roof.vertices + np.float32([0, 0.1, 0]), faces=roof.faces))
    found = prepare(thing(house), SMALL)
    assert found.inside[(np.abs(found.points_obj) < [0.25, 0.3, 0.25]).all(1) & (found.points_obj[:, 1] > 0.06)].all()
    below = np.abs(found.surface_obj[:, 1] + 0.05) < 1.1e-5
    assert below.mean() == pytest.approx(0.36 / (4 * 0.5 + 1 + 2 * 0.36 + 4 * 0.06), rel=0.2) and found.buried < 0.25


def test_equal_geometry_config_and_seed_give_equal_bytes() -> None:
    shape = union(ball(0.4, at=(-0.1, 0, 0), fine=2), box(0.5, 0.3, 0.3, at=(0.25, 0, 0)))
    one, two = (prepare(thing(shape, key), SMALL, seed=5) for key in ("a", "b"))
    for name in ARRAYS:
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    for f in fields(PreparedObject):
        if f.name not in (*ARRAYS, "key"):
            assert getattr(one, f.name) == getattr(two, f.name)
    other = prepare(thing(shape), SMALL, seed=6)
    moved = prepare(thing(shape.transformed(np.diag([0.999, 0.999, 0.999, 1]))), SMALL, seed=5)
    assert not np.array_equal(one.points_obj, other.points_obj)
    assert not np.array_equal(one.points_obj[-1500:], moved.points_obj[-1500:])  # no two shapes share their samples


def test_colours_change_nothing() -> None:
    shape = box(*BOX)
    red = replace(shape, colors=np.tile(np.uint8([255, 0, 0]), (8, 1)))
    assert prepare(thing(shape), SMALL).surface_obj.tobytes() == prepare(thing(red), SMALL).surface_obj.tobytes()


def test_fewer_and_none_of_a_kind() -> None:
    none = SMALL.model_copy(update={"edge_points": 0, "near_points": 0, "box_points": 7})
    found = prepare(thing(box(*BOX)), none)
    assert found.edges_obj.shape == (0, 6) and found.points_obj.shape == (7, 3) and found.agreement == 1
    with pytest.raises(ValidationError, match="surface_point"):
        PrepareConfig(surface_point=3)  # type: ignore[call-arg]


def test_a_mesh_that_is_not_in_obj_is_refused() -> None:
    with pytest.raises(InputError) as error:
        prepare(thing(box(2, 1, 1), "sofa"), SMALL)
    assert str(error.value) == (
        "expected a mesh in obj, within +-0.5; got sofa from [-1.0, -0.5, -0.5] to [1.0, 0.5, 0.5]; normalise it"
    )
