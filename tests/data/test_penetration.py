"""Penetration and gaps against closed forms: boxes and spheres whose overlap is known."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from scenemaker.data.penetration import gaps, ground_penetration, penetration, scene_penetration
from scenemaker.data.solid import Solid
from scenemaker.data.types import GROUND, NOTHING, Arrangement, DataObject
from scenemaker.errors import FrameError, InputError
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh


def mesh_of(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(vertices=np.asarray(shape.vertices), faces=np.asarray(shape.faces))


def box(*sides: float) -> Mesh:
    return mesh_of(trimesh.creation.box(extents=sides or (1, 1, 1)))


def ball(radius: float = 0.5) -> Mesh:
    return mesh_of(trimesh.creation.icosphere(subdivisions=4, radius=radius))


def joined(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes[:-1])])
    faces = np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)])
    return Mesh(vertices=np.concatenate([m.vertices for m in meshes]), faces=faces)


def at(x: float, y: float = 0, z: float = 0, scale: float = 1, R: np.ndarray | None = None) -> np.ndarray:
    return transforms.similarity(np.eye(3) if R is None else R, [x, y, z], scale)


R_ANY = transforms.axis_angle([1, 2, 3], 0.7)


@pytest.mark.parametrize("depth", [0.001, 0.02, 0.1])
def test_boxes_that_share_a_slab_are_as_deep_as_it_is_thick(depth: float) -> None:
    got = penetration(box(), at(0), box(0.4, 0.3, 0.2), at(0.7 - depth))
    assert got == pytest.approx(depth, abs=1e-6)


def test_penetration_is_in_world_units_under_any_common_similarity() -> None:
    S = transforms.similarity(R_ANY, [3, -2, 5], 2.5)
    got = penetration(box(), S @ at(0), box(0.4, 0.3, 0.2), S @ at(0.66))
    assert got == pytest.approx(2.5 * 0.04, abs=1e-5)


def test_penetration_is_symmetric() -> None:
    a, b, S_a, S_b = box(), ball(), at(0), at(0.8, 0.3, 0.1, scale=0.7, R=R_ANY)
    assert penetration(a, S_a, b, S_b) == penetration(b, S_b, a, S_a) > 0


@pytest.mark.parametrize("depth", [0.01, 0.05, 0.2])
def test_balls_are_as_deep_as_their_centres_are_too_near(depth: float) -> None:
    got = penetration(ball(), at(0), ball(), at(0, (1 - depth) * 1.0))
    assert got == pytest.approx(depth, abs=4e-3)  # facets of an icosphere lie up to 0.0012 inside of the sphere


def test_apart_is_zero() -> None:
    assert penetration(box(), at(0), box(), at(1.001)) == 0
    assert penetration(ball(), at(0), ball(), at(0.8, 0.8)) == 0  # their boxes overlap


def test_touching_is_nothing_to_speak_of() -> None:
    assert penetration(box(), at(0), box(0.5, 0.5, 0.5), at(0.75)) < 1e-6


def test_contained_is_as_deep_as_the_distance_to_the_skin() -> None:
    assert penetration(box(), at(0), box(0.2, 0.2, 0.2), at(0)) == pytest.approx(0.4, abs=1e-6)


def test_inside_a_cavity_is_free() -> None:
    inner = box(0.8, 0.8, 0.8)
    hollow = joined(box(), Mesh(vertices=inner.vertices, faces=inner.faces[:, ::-1]))
    assert penetration(hollow, at(0), box(0.3, 0.3, 0.3), at(0)) == 0
    assert penetration(hollow, at(0), box(0.3, 0.3, 0.3), at(0.3)) == pytest.approx(0.05, abs=1e-6)


def test_a_mesh_that_is_inside_out_is_as_solid() -> None:
    b = box()
    inverted = Mesh(vertices=b.vertices, faces=b.faces[:, ::-1])
    assert penetration(inverted, at(0), box(0.4, 0.4, 0.4), at(0.65)) == pytest.approx(0.05, abs=1e-6)


def test_one_part_inside_out_beside_another_is_as_solid() -> None:
    b = box(0.5, 0.5, 0.5)
    moved = b.transformed(at(1))
    mixed = joined(b, Mesh(vertices=moved.vertices, faces=moved.faces[:, ::-1]))
    assert Solid(mixed).inside(np.array([[0.0, 0, 0], [1.0, 0, 0], [0.5, 0, 0]])).tolist() == [True, True, False]


def test_an_inside_out_part_that_overlaps_another_cancels_nothing() -> None:
    b = box()
    inverted = Mesh(vertices=b.vertices, faces=b.faces[:, ::-1]).transformed(at(0.5))
    assert Solid(joined(b, inverted)).inside(np.array([[-0.2, 0.1, 0], [0.25, 0.1, 0], [0.8, 0.1, 0]])).all()


def test_parts_that_overlap_hide_no_depth_behind_their_inner_walls() -> None:
    two = joined(box(), box().transformed(at(0.5)))  # walls at 0 and 0.5 lie inside of the other
    deep = penetration(two, at(0), box(0.02, 0.02, 0.02), at(0.49))
    assert deep == pytest.approx(0.49 + 0.01, abs=0.03)


def test_coarse_and_fine_points_agree_on_vertices() -> None:
    assert penetration(box(), at(0), box(), at(0.97, 0.1), n=8) == pytest.approx(0.03, abs=1e-6)


def test_a_stretched_pose_is_refused() -> None:
    with pytest.raises(FrameError, match=r"^expected a similarity; got .*; give R s with one s > 0 for all axes$"):
        penetration(box(), at(0), box(), np.diag([1.0, 2, 1, 1]))


def test_a_mesh_without_area_is_refused() -> None:
    line = Mesh(vertices=np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]]), faces=np.array([[0, 1, 2]]))
    with pytest.raises(InputError, match=r"^expected a mesh with an area; got only degenerate faces; check the file$"):
        Solid(line)


def scene(*rows: tuple[Mesh, float, float, float, int]) -> Arrangement:
    """Objects with scale and support at (x, y)."""
    return Arrangement(
        objects=tuple(DataObject(key=str(i), mesh=r[0]) for i, r in enumerate(rows)),
        R_world_obj=np.stack([np.eye(3)] * len(rows)),
        t_world_obj=np.array([[r[1], r[2], 0] for r in rows]),
        scale=np.array([r[3] for r in rows]),
        support=tuple(r[4] for r in rows),
        layout="test",
    )


def test_scene_penetration_is_a_symmetric_matrix_of_the_pairs() -> None:
    a = scene((box(), 0, 0.5, 1, GROUND), (box(), 1.45, 0.5, 2, GROUND), (box(), 9, 0.5, 1, GROUND))
    want = np.zeros((3, 3))
    want[0, 1] = want[1, 0] = 0.05
    np.testing.assert_allclose(scene_penetration(a), want, atol=1e-6)


def test_ground_penetration_is_depth_below_zero() -> None:
    a = scene((box(), 0, 0.47, 1, GROUND), (box(), 3, 1.2, 2, GROUND))
    np.testing.assert_allclose(ground_penetration(a), [0.03, 0], atol=1e-7)


def test_gaps_are_distances_to_what_carries() -> None:
    rows = [
        (box(), 0, 0.5, 1, GROUND),
        (box(), 0, 1.27, 0.5, 0),
        (box(), 5, 0.51, 1, GROUND),
        (box(), 8, 3, 1, NOTHING),
    ]
    np.testing.assert_allclose(gaps(scene(*rows)), [0, 0.02, 0.01, np.nan], atol=1e-6)


def test_gap_of_a_large_object_on_a_small_one_is_found_from_either_side() -> None:
    wide, spike = box(1, 0.02, 1), mesh_of(trimesh.creation.cone(radius=0.05, height=1).apply_transform(UP))
    a = scene((spike, 0, 0, 1, GROUND), (wide, 0.123, 1.03 + 0.01, 1, 0))
    assert gaps(a, n=16)[1] == pytest.approx(0.03, abs=1e-6)  # only the tip's own vertex is as near


UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # trimesh's cone points along z
