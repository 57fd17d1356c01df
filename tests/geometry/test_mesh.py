"""What can be asked of a mesh, against closed forms."""

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from scenemaker.errors import InputError, ShapeError
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh, normalise, sample_surface


def of(made: trimesh.Trimesh) -> Mesh:
    return Mesh(vertices=np.asarray(made.vertices), faces=np.asarray(made.faces))


def box(*sides: float) -> Mesh:
    return of(trimesh.creation.box(sides))


def test_a_box_has_its_sides_and_volume_wherever_it_stands():
    moved = box(1, 2, 3).transformed(transforms.rigid(transforms.axis_angle([0, 1, 0], np.pi / 2), [50, 60, 70]))
    np.testing.assert_allclose(moved.extents, [3, 2, 1], atol=1e-5)
    np.testing.assert_allclose(moved.bounds.mean(0), [50, 60, 70], atol=1e-5)
    assert moved.volume() == pytest.approx(6, rel=1e-4)


def test_faces_turned_inside_out_have_negative_volume():
    b = box(1, 2, 3)
    assert Mesh(vertices=b.vertices, faces=b.faces[:, ::-1]).volume() == pytest.approx(-6)


def test_solids_are_closed_also_with_doubled_vertices():
    assert box(1, 2, 3).is_closed()
    assert of(trimesh.creation.torus(1.0, 0.3)).is_closed()
    soup = box(1, 2, 3).triangles.reshape(-1, 3)  # every face has its own corners, as a textured mesh's may
    assert Mesh(vertices=soup, faces=np.arange(len(soup)).reshape(-1, 3)).is_closed()


def test_a_mesh_with_a_hole_a_flipped_face_or_a_doubled_face_is_not_closed():
    b = box(1, 2, 3)
    assert not Mesh(vertices=b.vertices, faces=b.faces[1:]).is_closed()
    flipped = b.faces.copy()
    flipped[0] = flipped[0, ::-1]
    assert not Mesh(vertices=b.vertices, faces=flipped).is_closed()
    assert not Mesh(vertices=b.vertices, faces=np.concatenate([b.faces, b.faces[:1]])).is_closed()


def test_degenerate_faces_do_not_open_a_mesh():
    b = box(1, 2, 3)
    assert Mesh(vertices=b.vertices, faces=np.concatenate([b.faces, [[0, 0, 1]]])).is_closed()


@given(st.tuples(*[st.floats(0.1, 9)] * 3), st.tuples(*[st.floats(-5, 5)] * 3))
def test_a_normalised_mesh_is_centred_with_longest_side_one_and_the_way_back_is_known(sides, shift):
    mesh = box(*sides).transformed(transforms.rigid(np.eye(3), shift))
    obj, S_obj_mesh = normalise(mesh)
    np.testing.assert_allclose(obj.bounds.sum(0), 0, atol=1e-5)
    assert obj.extents.max() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(transforms.apply(transforms.invert(S_obj_mesh), obj.vertices), mesh.vertices, atol=1e-4)


def test_surface_samples_lie_on_the_surface_in_proportion_to_area():
    mesh = box(1, 2, 4)
    points, face = sample_surface(mesh, 5000, seed=3)
    half = np.array([0.5, 1, 2])
    on = np.isclose(np.abs(points), half, atol=1e-6)
    assert on.any(1).all()
    assert (np.abs(points) <= half + 1e-6).all()
    share = [(on[:, i]).mean() for i in range(3)]  # faces of 2x4, 1x4 and 1x2
    np.testing.assert_allclose(share, np.array([8, 4, 2]) / 14, atol=0.01)
    a, b, c = np.moveaxis(mesh.triangles[face], 1, 0)
    off_plane = np.einsum("ij,ij->i", points - a, np.cross(b - a, c - a))
    np.testing.assert_allclose(off_plane, 0, atol=1e-5)
    np.testing.assert_array_equal(sample_surface(mesh, 5000, seed=3)[0], points)


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        (
            {"vertices": np.zeros((3, 2)), "faces": [[0, 1, 2]]},
            ShapeError,
            "expected vertices (n, 3) and faces (m, 3); got (3, 2) and (1, 3); triangulate it",
        ),
        (
            {"vertices": np.zeros((3, 3)), "faces": np.zeros((0, 3))},
            InputError,
            "expected a mesh with faces; got an empty mesh; check the file",
        ),
        (
            {"vertices": np.full((3, 3), np.nan), "faces": [[0, 1, 2]]},
            InputError,
            "expected finite vertices; got NaN or infinity; repair the mesh",
        ),
        (
            {"vertices": np.eye(3), "faces": [[0, 1, 3]]},
            InputError,
            "expected face indices in [0, 3); got 0..3; repair the mesh",
        ),
        (
            {"vertices": np.eye(3), "faces": [[0, 1, 2]], "uv": np.zeros((2, 2))},
            ShapeError,
            "expected uv (3, 2); got (2, 2); give one uv per vertex",
        ),
        (
            {"vertices": np.eye(3), "faces": [[0, 1, 2]], "colors": np.zeros((4, 3), np.uint8)},
            ShapeError,
            "expected 3 vertex colours; got 4; give one per vertex",
        ),
    ],
)
def test_arrays_that_are_no_mesh_are_refused(arrays, error, message):
    with pytest.raises(error) as caught:
        Mesh(**arrays)
    assert str(caught.value) == message


def test_a_mesh_in_one_point_cannot_be_normalised_or_sampled():
    point = Mesh(vertices=np.ones((3, 3)), faces=[[0, 1, 2]])
    with pytest.raises(InputError, match="expected a mesh with an extent; got all vertices in one point"):
        normalise(point)
    with pytest.raises(InputError, match="expected a mesh with an area; got only degenerate faces"):
        sample_surface(point, 3)
