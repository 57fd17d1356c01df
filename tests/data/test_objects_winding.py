"""Inside and outside of meshes of every kind, against solid angles summed face by face and against closed forms."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from object_shapes import LID, ball, box, box_distance, flipped, union, without

from scenemaker.data.objects.parity import _odd, parity_inside
from scenemaker.data.objects.winding import Solid, igl, solid
from scenemaker.errors import BackendNotInstalledError, InputError
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster

BOX = (0.9, 0.6, 0.4)


def points(n: int = 4000, reach: float = 0.6) -> NDArray[np.float64]:
    return np.random.default_rng(1).uniform(-reach, reach, (n, 3))


def winding(mesh: Mesh, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Winding number as the sum of the solid angles of all faces over 4 pi (Van Oosterom and Strackee 1983)."""
    a, b, c = (mesh.triangles[None, :, k] - at[:, None] for k in range(3))  # (n, m, 3)
    la, lb, lc = (np.linalg.norm(x, axis=2) for x in (a, b, c))
    triple = np.einsum("nmk,nmk->nm", a, np.cross(b, c))
    dots = la * lb * lc + (a * b).sum(2) * lc + (b * c).sum(2) * la + (c * a).sum(2) * lb
    return 2 * np.arctan2(triple, dots).sum(1) / (4 * np.pi)


def as_mesh(body: Solid) -> Mesh:
    return Mesh(vertices=body.surface.vertices, faces=body.surface.faces)


def mixed_up(mesh: Mesh, share: float = 0.4) -> Mesh:
    """The mesh with some faces inside out and every vertex repeated, as files often are."""
    turned = flipped(mesh, np.random.default_rng(2).random(len(mesh.faces)) < share)
    return Mesh(vertices=turned.vertices[turned.faces.ravel()], faces=np.arange(turned.faces.size).reshape(-1, 3))


@pytest.mark.parametrize(
    "mesh", [box(*BOX), ball(0.4), without(box(*BOX), LID), without(ball(0.5), slice(0, 400)), box(0.9, 0.9, 0.001)]
)
def test_fast_winding_numbers_are_the_sum_of_solid_angles(mesh: Mesh) -> None:
    at = points(300)
    fast = igl().fast_winding_number(mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64), at)
    np.testing.assert_allclose(fast, winding(mesh, at), atol=0.01)


@pytest.mark.parametrize("change", [lambda m: m, flipped, mixed_up, lambda m: mixed_up(m, 0.7)])
def test_a_closed_mesh_is_inside_where_it_is_however_its_faces_turn(change: Callable[[Mesh], Mesh]) -> None:
    at = points()
    for mesh, truth in (
        (box(*BOX), box_distance(at, BOX) < 0),
        (ball(0.45, at=(0.02, 0, 0), fine=4), np.linalg.norm(at - [0.02, 0, 0], axis=1) < 0.45),
    ):
        body = solid(change(mesh))
        clear = np.abs(np.linalg.norm(at - [0.02, 0, 0], axis=1) - 0.45) > 0.002 if len(mesh.faces) > 12 else True
        assert (body.inside(at) == truth)[clear].all() and (parity_inside(body, at) == truth)[clear].all()
        assert body.closed.tolist() == [True] and body.sign.tolist() == [1] and body.dropped == pytest.approx(0)
        assert as_mesh(body).volume() == pytest.approx(abs(mesh.volume()), rel=1e-6)
        outwards = (body.surface.normals * body.surface.vertices[body.surface.faces].mean(1)).sum(1)
        assert (outwards > 0).all()


def test_the_share_of_turned_surface_is_told() -> None:
    assert solid(box(*BOX)).turned == 0
    assert solid(flipped(box(*BOX))).turned == 1
    lid = 0.9 * 0.4 / (2 * (0.9 * 0.6 + 0.9 * 0.4 + 0.6 * 0.4))
    assert solid(flipped(box(*BOX), LID)).turned == pytest.approx(lid, rel=1e-5)


@pytest.mark.parametrize("turn", [(), (0,), (1,), (0, 1, 2)])
def test_overlapping_parts_are_their_union_whichever_is_inside_out(turn: tuple[int, ...]) -> None:
    sides = [(0.9, 0.3, 0.3), (0.3, 0.9, 0.3), (0.3, 0.3, 0.9)]
    body = solid(union(*(flipped(box(*s)) if i in turn else box(*s) for i, s in enumerate(sides))))
    at = points()
    truth = np.min([box_distance(at, s) for s in sides], axis=0) < 0
    assert (body.inside(at) == truth).all() and (parity_inside(body, at) == truth).all()
    assert winding(as_mesh(body), np.zeros((1, 3)))[0] == pytest.approx(3)


def test_a_closed_part_that_nobody_sees_is_a_cavity_if_it_is_inside_out() -> None:
    at, r = points(), np.linalg.norm(points(), axis=1)
    sure = np.abs(r[:, None] - [0.5, 0.25, 0.1]).min(1) > 0.01
    hollow = solid(union(ball(0.5), flipped(ball(0.25)), ball(0.1)))  # a pearl in a hollow ball
    truth = ((r < 0.5) & (r > 0.25)) | (r < 0.1)
    assert sorted(hollow.sign.tolist()) == [-1, 1, 1]
    assert (hollow.inside(at) == truth)[sure].all() and (parity_inside(hollow, at) == truth)[sure].all()
    full = solid(union(ball(0.5), ball(0.25)))
    assert (full.inside(at) == (r < 0.5))[sure].all() and (parity_inside(full, at) == (r < 0.5))[sure].all()


def test_a_wall_between_blocks_that_touch_is_dropped() -> None:
    blocks = union(box(0.5, 0.5, 0.5, at=(-0.25, 0, 0)), box(0.5, 0.5, 0.5, at=(0.25, 0, 0)))
    wall = (np.abs(blocks.triangles[:, :, 0]) < 1e-6).all(1)
    assert wall.sum() == 4
    body, at = solid(blocks), points()
    truth = box_distance(at, (1, 0.5, 0.5)) < 0
    assert (body.inside(at) == truth).all() and (parity_inside(body, at) == truth).all()
    assert body.dropped == pytest.approx(2 * 0.25 / (2 * 6 * 0.25)) and body.closed.tolist() == [True]


def test_an_inner_wall_bounds_nothing() -> None:
    """A single wall welded to the inside of a box leaves the winding number at 1 +- 1/2: it must not count."""
    left, right = box(0.5, 0.6, 0.4, at=(-0.25, 0, 0)), box(0.5, 0.6, 0.4, at=(0.25, 0, 0))
    at_wall = (np.abs(left.triangles[:, :, 0]) < 1e-6).all(1)
    right_open = without(right, (np.abs(right.triangles[:, :, 0]) < 1e-6).all(1))
    for mesh in (union(left, right_open), union(flipped(left, at_wall), right_open)):
        body, at = solid(mesh), points()
        truth = box_distance(at, (1, 0.6, 0.4)) < 0
        assert (body.inside(at) == truth).all()
        assert body.dropped == pytest.approx(
            0.24
            / float(
                np.linalg.norm(
                    np.cross(*np.moveaxis(mesh.triangles[:, 1:] - mesh.triangles[:, :1], 1, 0)), axis=1
                ).sum()
                / 2
            ),
            rel=1e-3,
        )


def test_a_mesh_drawn_from_both_sides_is_solid() -> None:
    both = union(box(*BOX), flipped(box(*BOX)))
    body, at = solid(both), points()
    truth = box_distance(at, BOX) < 0
    assert np.abs(winding(both, at)).max() < 1e-6  # as it came it winds around nothing
    assert (body.inside(at) == truth).all() and (parity_inside(body, at) == truth).all()
    assert body.dropped == pytest.approx(0.5) and len(body.surface.faces) == 12


@pytest.mark.parametrize("change", [lambda m: m, flipped, mixed_up])
def test_a_box_without_lid_and_half_a_ball_are_inside_in_their_depth(change: Callable[[Mesh], Mesh]) -> None:
    at = points()
    body = solid(change(without(box(0.9, 0.6, 0.8), LID)))
    inside, depth = body.inside(at), box_distance(at, (0.9, 0.6, 0.8))
    assert body.closed.tolist() == [False]
    assert (inside == (depth < 0)).all()
    half = without(ball(0.5), ball(0.5).triangles[:, :, 1].max(1) > 1e-6)
    at = at[:800]
    body, r = solid(change(half)), np.linalg.norm(at, axis=1)
    inside = body.inside(at)
    truth = winding(half, at) > 0.5
    assert (inside == (truth & (at[:, 1] < 0)))[np.abs(r - 0.5) > 0.02].all()
    assert not inside[(r > 0.5) | (at[:, 1] > 0)].any() and inside[(r < 0.48) & (at[:, 1] < -0.25)].all()


def sheet(y: float, tilt: float) -> Mesh:
    x, z = 0.45, 0.3
    return Mesh(vertices=[[-x, y, -z], [x, y + tilt, -z], [x, y, z], [-x, y, z]], faces=[[0, 2, 1], [0, 3, 2]])


def test_sheets_do_not_add_up_to_a_solid() -> None:
    pages = union(*(sheet(y, 0.01) for y in np.linspace(0.2, 0.4, 9)))
    at = points()
    assert (np.abs(winding(pages, at)) > 0.5).mean() > 0.05  # together they wind around what is below them
    body = solid(pages)
    assert len(body.closed) == 9 and body.inside(at).mean() < 0.005
    table = solid(union(box(0.9, 0.3, 0.6), pages))
    assert (table.inside(at) == (box_distance(at, (0.9, 0.3, 0.6)) < 0)).mean() > 0.995


@pytest.mark.parametrize("change", [lambda m: m, flipped])
def test_an_open_part_ends_with_its_box(change: Callable[[Mesh], Mesh]) -> None:
    """A spiral ramp of four turns winds around what is below it or above it, but holds nothing there."""
    t = np.linspace(0, 8 * np.pi, 120)
    rims = [np.stack([r * np.cos(t), t / 80 - 0.15, r * np.sin(t)], 1) for r in (0.02, 0.45)]
    quads = [(i, i + 1, i + 121, i + 120) for i in range(119)]
    ramp = Mesh(vertices=np.concatenate(rims), faces=[f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))])
    at = points(600)
    outside = np.abs(at[:, 1]) > 0.17
    assert (np.abs(winding(ramp, at[outside])) > 0.5).mean() > 0.1
    body = solid(change(ramp))
    assert body.closed.tolist() == [False]
    assert not body.inside(at)[outside].any() and not parity_inside(body, at)[outside].any()


def test_a_strip_with_one_side_stays_as_it_is() -> None:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    rim = [
        np.stack([(0.4 + w * np.cos(t / 2)) * np.cos(t), w * np.sin(t / 2), (0.4 + w * np.cos(t / 2)) * np.sin(t)], 1)
        for w in (-0.1, 0.1)
    ]
    faces = [q for i in range(39) for q in ([i, i + 40, i + 1], [i + 1, i + 40, i + 41])]
    faces += [[39, 79, 40], [40, 79, 0]]  # joined after half a turn
    mesh = Mesh(vertices=np.concatenate(rim), faces=faces)
    body = solid(mesh)
    assert body.turned in (0.0, 1.0) and body.closed.tolist() == [False] and len(body.surface.faces) == 80
    assert body.inside(points()).mean() < 0.01


def test_distance_is_that_of_the_closed_form() -> None:
    at = points()
    distance, _, foot = solid(box(*BOX)).nearest(at)
    np.testing.assert_allclose(distance, np.abs(box_distance(at, BOX)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(at - foot, axis=1), distance, atol=1e-9)


def test_parity_leaves_open_parts_to_the_vote() -> None:
    """Of a box without two of its sides the rays through the holes are wrong, most are right."""
    at = points()
    body, truth = solid(without(box(0.9, 0.6, 0.8), [*LID, 2, 3])), box_distance(at, (0.9, 0.6, 0.8)) < 0
    agreement = (parity_inside(body, at) == truth).mean()
    assert 0.9 < agreement < 1
    assert not parity_inside(body, at)[~truth].any() and not body.inside(at)[~truth].any()


def test_rays_along_faces_and_edges_count_each_face_once() -> None:
    """A tall stack of thin slabs: seven crossings in a row, at distances down to 1e-3."""
    slabs = union(*(box(0.9, 0.001, 0.9, at=(0, y, 0)) for y in np.arange(-3, 4) * 0.002))
    at = np.random.default_rng(0).uniform(-0.4, 0.4, (3000, 3)) * [1, 0.02, 1]
    truth = np.min([box_distance(at, (0.9, 0.001, 0.9), (0, y, 0)) for y in np.arange(-3, 4) * 0.002], axis=0) < 0
    body = solid(slabs)
    assert (body.inside(at) == truth).all() and (parity_inside(body, at) == truth).mean() > 0.999


def test_a_face_hit_flat_is_crossed_once() -> None:
    """Rays at a slope of 1e-4: a step past the hit is still within rounding of the face."""
    n = 2000
    rng = np.random.default_rng(3)
    start = np.stack([rng.uniform(-0.5, -0.3, n), rng.uniform(0.2998, 0.29999, n), rng.uniform(-0.1, 0.1, n)], 1)
    way = np.stack([np.ones(n), rng.uniform(1e-4, 1e-3, n), rng.uniform(-0.1, 0.1, n)], 1)
    board = Mesh(vertices=[[-9, 0.3, -9], [9, 0.3, -9], [0, 0.3, 9]], faces=[[0, 1, 2]])
    assert _odd(RayCaster([board]), start, way).all()


def test_a_mesh_without_area_is_refused() -> None:
    with pytest.raises(InputError, match="expected a mesh with an area; got only degenerate faces; check the file"):
        solid(Mesh(vertices=[[0, 0, 0], [1, 0, 0], [0, 1e-9, 0]], faces=[[0, 1, 2]]))


def test_without_libigl_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "igl", None)
    with pytest.raises(BackendNotInstalledError) as error:
        solid(box(*BOX)).inside(points(5))
    assert str(error.value) == (
        'expected libigl, for winding numbers; got no module igl; type: pip install "scenemaker[data]"'
    )
