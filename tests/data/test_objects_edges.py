"""Welding, edges, patches and the closedness report, on meshes whose counts are known."""

from __future__ import annotations

import numpy as np
import pytest
from object_shapes import LID, ball, box, flipped, union, without

from scenemaker.data.objects.closedness import Closedness, closedness
from scenemaker.data.objects.edges import parts, patches, sharp_edges, weld
from scenemaker.errors import InputError
from scenemaker.geometry.mesh import Mesh

CUBE = box(1, 1, 1)


def soup(mesh: Mesh) -> Mesh:
    """Every face with corners of its own, off by less than what is welded."""
    v = mesh.vertices[mesh.faces.ravel()].astype(np.float64)
    v += np.random.default_rng(0).uniform(-1e-8, 1e-8, v.shape)
    return Mesh(vertices=v, faces=np.arange(mesh.faces.size).reshape(-1, 3))


def test_a_cube_in_pieces_is_a_cube() -> None:
    whole = Closedness(
        faces=12,
        edges=18,
        boundary_edges=0,
        nonmanifold_edges=0,
        turned_edges=0,
        double_faces=0,
        parts=1,
        watertight=True,
        volume=pytest.approx(1.0, abs=1e-6),
    )
    for mesh in (CUBE, soup(CUBE), Mesh(vertices=-CUBE.vertices * 0.0 + CUBE.vertices, faces=CUBE.faces)):
        assert closedness(mesh) == whole and closedness(mesh).manifold_share == 1


def test_what_is_missing_is_counted() -> None:
    lid = closedness(without(CUBE, LID))
    assert (lid.faces, lid.edges, lid.boundary_edges, lid.watertight) == (10, 17, 4, False)
    assert lid.manifold_share == pytest.approx(13 / 17)
    turned = closedness(flipped(CUBE, [0]))
    assert (turned.boundary_edges, turned.turned_edges, turned.watertight) == (0, 3, False)
    inside_out = closedness(flipped(CUBE))
    assert inside_out.watertight and inside_out.volume == pytest.approx(-1)
    doubled = closedness(union(CUBE, CUBE))
    assert (doubled.faces, doubled.double_faces, doubled.nonmanifold_edges, doubled.parts) == (24, 12, 18, 1)
    fin = Mesh(vertices=[*CUBE.vertices, [2, 2, 2]], faces=[*CUBE.faces, [6, 7, 8]])
    assert (closedness(fin).nonmanifold_edges, closedness(fin).boundary_edges) == (1, 2)
    collapsed = Mesh(vertices=CUBE.vertices, faces=[*CUBE.faces, [3, 3, 5]])
    assert closedness(collapsed).faces == 12 and closedness(collapsed).watertight


def test_parts_and_volume_of_several_solids() -> None:
    two = closedness(union(box(1, 2, 3), ball(0.5, at=(5, 0, 0))))
    assert two.parts == 2 and two.watertight
    assert two.volume == pytest.approx(6 + ball(0.5).volume(), rel=1e-5)
    touching = union(box(1, 1, 1), box(1, 1, 1, at=(1, 1, 0)))  # along one edge
    assert closedness(touching).parts == 1 and closedness(touching).nonmanifold_edges == 1


def test_a_mesh_without_area_has_no_report() -> None:
    with pytest.raises(InputError, match="expected a mesh with an area; got only degenerate faces; check the file"):
        closedness(Mesh(vertices=CUBE.vertices, faces=[[0, 1, 1]]))


def test_patches_end_where_faces_branch_and_turn_one_way() -> None:
    touching = weld(union(box(1, 1, 1), flipped(box(1, 1, 1, at=(1, 1, 0)), [2, 3, 4])))
    patch, against = patches(touching)
    assert patch.max() == 1 and len(np.unique(patch[:12])) == len(np.unique(patch[12:])) == 1
    assert np.flatnonzero(against).tolist() == [14, 15, 16]
    assert parts(touching).tolist() == [0] * 24
    for turned, fewer in (((0, 8), [8, 9, 10, 11]), ((4, 12), [0, 1, 2, 3])):
        assert np.flatnonzero(patches(weld(flipped(CUBE, slice(*turned))))[1]).tolist() == fewer


def test_sharp_edges_of_a_box_are_its_twelve() -> None:
    mesh = weld(soup(box(0.4, 0.6, 1)))
    edges, normals = sharp_edges(mesh)
    ends = mesh.vertices[mesh.edges[edges]]
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    np.testing.assert_allclose(np.sort(length), np.repeat([0.4, 0.6, 1], 4), atol=1e-6)
    middle = np.sign(np.round(ends.mean(1), 6))  # points away from the box, along two axes
    np.testing.assert_allclose(normals, middle / np.sqrt(2), atol=1e-6)


def test_creases_count_from_their_angle_on_however_faces_turn() -> None:
    for angle, count in ((25, 0), (35, 1), (120, 1)):
        a = np.radians(angle)
        v = [[0, 0, 0], [0, 0, 1], [1, 0, 0], [-np.cos(a), np.sin(a), 0]]
        for second in ([0, 1, 3], [1, 0, 3]):
            edges, _ = sharp_edges(weld(Mesh(vertices=v, faces=[[0, 1, 2], second])), 30)
            assert len(edges) == 4 + count  # the boundary is sharp as well
    assert len(sharp_edges(weld(ball(0.5)))[0]) == 0
