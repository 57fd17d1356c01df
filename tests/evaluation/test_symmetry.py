"""Groups of rotations, errors up to them, and the groups found of shapes whose symmetries are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation
from trimesh import creation

from scenemaker.errors import InputError
from scenemaker.evaluation.measures import symmetry_search
from scenemaker.evaluation.measures.symmetry import (
    Symmetries,
    angles_deg,
    closed,
    evenly,
    nearest_equivalent,
    rotation_error_deg,
    turns,
)
from scenemaker.evaluation.measures.symmetry_search import _box_axes, symmetries_of
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh, sample_surface

X, Y, Z = np.eye(3)
GOLDEN = (1 + np.sqrt(5)) / 2
GENERATORS = {  # name: generators, number of elements
    "none": ([], 1),
    "C2": ([turns(Z, np.pi)], 2),
    "C5": ([turns(Z, 2 * np.pi / 5)], 5),
    "C24": ([turns(Z, 2 * np.pi / 24)], 24),
    "D2": ([turns(Z, np.pi), turns(X, np.pi)], 4),
    "D3": ([turns(Z, 2 * np.pi / 3), turns(X, np.pi)], 6),
    "D6": ([turns(Z, 2 * np.pi / 6), turns(X, np.pi)], 12),
    "D24": ([turns(Z, 2 * np.pi / 24), turns(X, np.pi)], 48),
    "T": ([turns(Z, np.pi), turns(np.ones(3) / np.sqrt(3), 2 * np.pi / 3)], 12),
    "O": ([turns(Z, np.pi / 2), turns(X, np.pi / 2)], 24),
    "I": ([turns(transforms.unit([0, 1, GOLDEN]), 2 * np.pi / 5), turns(np.ones(3) / np.sqrt(3), 2 * np.pi / 3)], 60),
}


def group(name):
    return closed(np.array(GENERATORS[name][0]).reshape(-1, 3, 3))


# --- groups


def test_turns_are_right_handed_rotations():
    rng = np.random.default_rng(0)
    axes, angles = transforms.unit(rng.normal(size=(5, 3))), rng.uniform(-4, 4, 5)
    np.testing.assert_allclose(
        turns(axes, angles), Rotation.from_rotvec(axes * angles[:, None]).as_matrix(), atol=1e-12
    )
    np.testing.assert_allclose(angles_deg(turns(X, np.radians([10, 200.0])), np.eye(3)), [10, 160], atol=1e-6)


def test_evenly_spread_rotations():
    """No gaps and no crowds; the mean of all is none of them."""
    R = evenly(768)
    np.testing.assert_allclose(R @ R.swapaxes(1, 2), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    apart = angles_deg(R[:, None], R[None]) + 999 * np.eye(768)
    assert 17 < apart.min() < apart.min(1).max() < 29
    anywhere = Rotation.random(500, rng=np.random.default_rng(0)).as_matrix()
    assert angles_deg(R[:, None], anywhere[None]).min(0).max() < 25
    np.testing.assert_allclose(R.mean(0), 0, atol=0.02)


@pytest.mark.parametrize("name", GENERATORS)
def test_generated_groups(name):
    g = group(name)
    assert len(g) == GENERATORS[name][1]
    assert Symmetries(rotations=g).name == name
    np.testing.assert_array_equal(g[0].round(9), np.eye(3))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([n for n in GENERATORS if n != "none"]), st.integers(0, 2**32 - 1))
def test_group_axioms_though_the_generators_are_off(name, seed):
    rng = np.random.default_rng(seed)
    frames = Rotation.random(rng=rng).as_matrix() @ turns(transforms.unit(rng.normal(size=(2, 3))), [0.005, -0.005])
    generators = [Q @ R @ Q.T for R, Q in zip(GENERATORS[name][0], frames, strict=False)]  # axes half a degree apart
    g = closed(np.array(generators))
    assert g is not None
    assert len(g) == GENERATORS[name][1]
    np.testing.assert_allclose(g @ g.swapaxes(1, 2), np.broadcast_to(np.eye(3), g.shape), atol=1e-12)
    assert (np.linalg.det(g) > 0).all()
    products = (g[:, None] @ g[None]).reshape(-1, 9)
    assert cdist(products, g.reshape(-1, 9)).min(1).max() < 1e-4  # closed
    assert cdist(g.swapaxes(1, 2).reshape(-1, 9), g.reshape(-1, 9)).min(1).max() < 1e-4  # inverses
    assert (cdist(g.reshape(-1, 9), g.reshape(-1, 9)) + np.eye(len(g)) * 9).min() > 0.3  # each once
    for R in generators:
        assert angles_deg(g, R).min() < 3  # the generators are in it, evened out


@pytest.mark.parametrize(
    "generators",
    [
        [turns(Z, 1.0)],  # no part of a full turn
        [turns(Z, 2 * np.pi / 25)],  # of too high an order
        [turns(Z, np.pi / 2), turns(transforms.unit([1, 0, 1.0]), np.pi / 2)],  # two axes at odds
    ],
)
def test_no_finite_group(generators):
    assert closed(np.array(generators)) is None


# --- errors


@pytest.mark.parametrize("name", GENERATORS)
def test_error_is_the_minimum_over_the_group(name):
    rng = np.random.default_rng(1)
    s = Symmetries(rotations=group(name))
    for _ in range(20):
        R_pred, R_gt = Rotation.random(2, rng=rng).as_matrix()
        brute = min(transforms.rotation_angle_deg(R_pred, R_gt @ g) for g in s.rotations)
        assert rotation_error_deg(R_pred, R_gt, s) == pytest.approx(brute, abs=1e-6)
        assert rotation_error_deg(R_gt, R_pred, s) == pytest.approx(brute, abs=1e-6)


@pytest.mark.parametrize("flip", [False, True])
def test_error_about_an_axis_in_closed_form(flip):
    rng = np.random.default_rng(2)
    frame = Rotation.random(rng=rng).as_matrix()
    axis, across = frame[:, 0], frame[:, 1]
    s = Symmetries(rotations=np.stack([np.eye(3), turns(across, np.pi)][: 1 + flip]), axis=axis)
    every = turns(axis, np.linspace(0, 2 * np.pi, 7201))
    for _ in range(10):
        R_pred, R_gt = Rotation.random(2, rng=rng).as_matrix()
        R_all = np.concatenate([R_gt @ every @ f for f in s.rotations])
        assert rotation_error_deg(R_pred, R_gt, s) == pytest.approx(angles_deg(R_all, R_pred).min(), abs=0.03)
        nearest = nearest_equivalent(R_pred, R_gt, s)
        assert angles_deg(R_pred @ s.rotations @ every[:, None], nearest).min() < 0.05  # looks the same as R_pred
    assert s.name == ("revolution, flip" if flip else "revolution")
    upside_down = turns(across, np.pi)
    assert rotation_error_deg(upside_down, np.eye(3), s) == pytest.approx(0 if flip else 180, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["C5", "D3", "O", "axis", "ball"]))
def test_equal_poses_have_no_error(seed, name):
    rng = np.random.default_rng(seed)
    R, g = Rotation.random(rng=rng).as_matrix(), Rotation.random(rng=rng).as_matrix()
    if name == "ball":
        s = Symmetries(rotations=np.eye(3)[None], ball=True)
    elif name == "axis":
        s = Symmetries(rotations=np.eye(3)[None], axis=X)
        g = turns(X, rng.uniform(0, 7))
    else:
        s = Symmetries(rotations=group(name))
        g = s.rotations[rng.integers(len(s.rotations))]
    assert rotation_error_deg(R @ g, R, s) < 1e-5
    np.testing.assert_allclose(nearest_equivalent(R @ g, R, s), R, atol=1e-6)


# --- the groups of shapes


def mesh_of(*parts, move=()):
    """One mesh of trimesh's shapes, each moved by its offset."""
    vertices, faces, n = [], [], 0
    for part, offset in zip(parts, move or [(0, 0, 0)] * len(parts), strict=True):
        vertices.append(part.vertices + np.array(offset))
        faces.append(part.faces + n)
        n += len(part.vertices)
    return Mesh(vertices=np.concatenate(vertices), faces=np.concatenate(faces))


def hull(points):
    points = np.asarray(points, np.float64)
    return Mesh(vertices=points, faces=ConvexHull(points).simplices)


def star(n, *, height=0.3, depth=0.5, skew_rad=0.0):
    """A prism over a star of n points; skewed, it cannot be flipped."""
    odd = np.arange(2 * n) % 2
    angle, r = np.arange(2 * n) * np.pi / n + skew_rad * odd, np.where(odd, 0.5 * depth, 0.5)
    ring = np.stack([r * np.cos(angle), r * np.sin(angle)], 1)
    i, k = np.arange(2 * n), 2 * n
    j = (i + 1) % k
    vertices = np.concatenate([np.c_[ring, np.zeros(k)], np.c_[ring, np.full(k, height)], [[0, 0, 0], [0, 0, height]]])
    sides = [np.c_[i, j, j + k], np.c_[i, j + k, i + k]]
    ends = [np.c_[j, i, np.full(k, 2 * k)], np.c_[i + k, j + k, np.full(k, 2 * k + 1)]]
    return Mesh(vertices=vertices, faces=np.concatenate([*sides, *ends]))


def table(a, b):
    legs = [(x * (a / 2 - 0.05), -0.25, z * (b / 2 - 0.05)) for x in (-1, 1) for z in (-1, 1)]
    top, leg = creation.box((a, 0.05, b)), creation.box((0.06, 0.5, 0.06))
    return mesh_of(top, leg, leg, leg, leg, move=[(0, 0, 0), *legs])


def mug(handle):
    return mesh_of(
        creation.cylinder(0.35, 0.9), creation.box(handle), move=[(0, 0, 0), (0.35 + handle[0] / 2, 0, 0.25)]
    )


def ellipsoid():
    ball = creation.icosphere(3)
    return Mesh(vertices=ball.vertices * [1, 0.7, 0.5], faces=ball.faces)


SQUARE, CUBE_CORNERS = creation.box((1, 0.05, 1)), np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
ICOSAHEDRON = np.concatenate([np.roll([[0, a, b * GOLDEN] for a in (-1, 1) for b in (-1, 1)], k, 1) for k in range(3)])
SHAPES = {
    "an L": (
        "none",
        mesh_of(creation.box((1, 0.2, 0.2)), creation.box((0.2, 0.6, 0.2)), move=[(0, 0, 0), (0.4, 0.4, 0)]),
    ),
    "a mug": ("none", mug((0.35, 0.1, 0.3))),
    "a box": ("D2", mesh_of(creation.box((1, 0.7, 0.4)))),
    "an ellipsoid": ("D2", ellipsoid()),
    "a long table": ("C2", table(1, 0.6)),
    "a square table": ("C4", table(1, 1)),
    "a square plate": ("D4", mesh_of(SQUARE)),
    "a thin square plate": ("D4", star(4, height=0.03, depth=np.sqrt(0.5))),  # 30 degrees are within the tolerance
    "a square prism": ("D4", mesh_of(creation.box((0.5, 1, 0.5)))),
    "a prism with a small fin": (  # which moves the mean of its surface off its axis
        "D4",
        mesh_of(creation.box((0.5, 1, 0.5)), creation.box((0.08, 0.9, 0.02)), move=[(0, 0, 0), (0.29, 0, 0)]),
    ),
    "a triangular prism": ("D3", mesh_of(creation.cylinder(0.5, 1, sections=3))),
    "a hexagonal prism": ("D6", mesh_of(creation.cylinder(0.3, 1, sections=6))),
    "a pyramid": ("C4", mesh_of(creation.cone(0.5, 1, sections=4))),
    "a star": ("D5", star(5)),
    "a pinwheel": ("C5", star(5, depth=0.4, height=0.6, skew_rad=0.5)),
    "a gear of 12": ("D12", star(12, depth=0.7)),
    "a gear of 13": ("D13", star(13, depth=0.7)),
    "a gear of 24": ("D24", star(24, depth=0.75)),
    "a tetrahedron": ("T", hull([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])),
    "a cube": ("O", hull(CUBE_CORNERS)),
    "an icosahedron": ("I", hull(ICOSAHEDRON)),
    "a cylinder": ("revolution, flip", mesh_of(creation.cylinder(0.3, 1))),
    "a disc": ("revolution, flip", mesh_of(creation.cylinder(0.5, 0.05))),
    "a ring": ("revolution, flip", mesh_of(creation.torus(0.4, 0.12))),
    "a stick": ("revolution, flip", mesh_of(creation.box((0.02, 1, 0.01)))),
    "a cone": ("revolution", mesh_of(creation.cone(0.4, 1))),
    "a mug with a tiny handle": ("revolution, flip", mug((0.05, 0.05, 0.2))),
    "a ball": ("ball", mesh_of(creation.icosphere(3))),
}


def turned(mesh, seed):
    """The mesh in another frame, and the rotation from its own."""
    R = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    return mesh.transformed(transforms.similarity(R, [0.3, -2, 1], 3)), R


@pytest.mark.parametrize("name", SHAPES)
def test_found_groups(name):
    expected, mesh = SHAPES[name]
    found = symmetries_of(mesh)
    assert found.name == expected
    there, R = turned(mesh, seed=len(name))
    again = symmetries_of(there)
    assert again.name == expected
    if found.axis is not None:
        assert abs((R @ found.axis) @ again.axis) > np.cos(np.radians(2))
    elif not found.ball:  # g in one frame is R g R^T in the other
        carried = R @ found.rotations @ R.T
        assert angles_deg(carried[:, None], again.rotations[None]).min(1).max() < 3


@pytest.mark.parametrize("name", ["a square table", "a triangular prism", "a star", "a cube", "a pinwheel"])
def test_equal_poses_of_exact_shapes_within_a_degree(name):
    """The group itself, not only its name: turned by the true generators there is no error."""
    generators = {
        "a square table": [turns(Y, np.pi / 2)],
        "a triangular prism": [turns(Z, 2 * np.pi / 3), turns(X, np.pi)],
        "a star": [turns(Z, 2 * np.pi / 5), turns(X, np.pi)],
        "a cube": [turns(X, np.pi / 2), turns(Y, np.pi / 2)],
        "a pinwheel": [turns(Z, 2 * np.pi / 5)],
    }[name]
    mesh, frame = turned(SHAPES[name][1], seed=5)
    found = symmetries_of(mesh)
    truth = closed(np.array(generators))
    assert len(found.rotations) == len(truth)
    R_gt = Rotation.random(rng=np.random.default_rng(0)).as_matrix()
    for g in frame @ truth @ frame.T:
        assert rotation_error_deg(R_gt @ g, R_gt, found) < 1
        ten = turns(transforms.unit([1, 2, 3]), np.radians(10))
        assert rotation_error_deg(R_gt @ ten @ g, R_gt, found) == pytest.approx(10, abs=1)


@pytest.mark.parametrize("name", ["a long table", "a triangular prism", "an ellipsoid", "a tetrahedron"])
def test_every_element_is_a_symmetry_by_the_definition(name):
    """Measured anew: full distance matrices, of other points."""
    mesh = SHAPES[name][1]
    side = mesh.extents.max()
    p, q, rest = (sample_surface(mesh, n, seed=s)[0] / side for n, s in ((800, 11), (12_000, 12), (800, 13)))
    floor = cdist(rest, q).min(1).mean()
    centre = q.mean(0)  # where the axes of exact shapes meet
    for g in symmetries_of(mesh).rotations:
        assert cdist((p - centre) @ g.T + centre, q).min(1).mean() - floor < 0.003
    off = turns(transforms.unit([1, 2, 3]), np.radians(40))
    assert cdist((p - centre) @ off.T + centre, q).min(1).mean() - floor > 0.01


def test_the_tolerance_is_half_a_per_cent_of_the_longest_side():
    """A cylinder with a fin: every turn moves the fin off by about half its height, weighted by its share."""

    def finned(height):
        fin = creation.box((height, 0.02, 0.9))
        return mesh_of(creation.cylinder(0.35, 0.9, sections=64), fin, move=[(0, 0, 0), (0.35 + height / 2, 0, 0)])

    def share(height):  # of the fin in the surface, times half its height: the mean distance
        fin = 2 * height * 0.9
        return fin / (fin + 2 * np.pi * 0.35 * (0.9 + 0.35)) * height / 2 / 0.9

    assert share(0.08) < 0.003
    assert symmetries_of(finned(0.08)).axis is not None
    assert share(0.14) > 0.006
    assert symmetries_of(finned(0.14)).axis is None


def warted(size):
    """A bar along the axes of its frame; the wart pulls a registered axis off them."""
    wart = creation.box((size,) * 3)
    return mesh_of(creation.box((0.3, 1, 0.1)), wart, move=[(0, 0, 0), (0.15 + size / 2, 0.5 - size / 2, 0)])


@pytest.mark.parametrize("size", [0.05, 0.08])
def test_axes_of_the_frame_are_taken_exactly(size):
    found = symmetries_of(warted(size))
    assert found.name == "D2"
    for axis in np.eye(3):
        assert rotation_error_deg(turns(axis, np.pi), np.eye(3), found) < 1e-5


@pytest.mark.parametrize("tilt_deg", [1.5, 3, 4.5])
def test_an_axis_that_is_off_the_frames_stays_off(tilt_deg):
    R = turns(transforms.unit([1, 2, 3]), np.radians(tilt_deg))
    found = symmetries_of(warted(0.0).transformed(transforms.rigid(R, np.zeros(3))))
    assert found.name == "D2"
    for axis in np.eye(3):
        assert rotation_error_deg(R @ turns(axis, np.pi) @ R.T, np.eye(3), found) < 0.3


def test_the_axis_of_revolution_of_a_frame_is_exact():
    mug_mesh = mug((0.05, 0.05, 0.2))
    np.testing.assert_allclose(np.abs(symmetries_of(mug_mesh).axis), Z, atol=1e-12)


def test_axes_of_boxes():
    cube, square, brick = (_box_axes(np.array(sides)) for sides in ([1, 1, 1.01], [0.5, 1, 0.51], [1, 0.7, 0.4]))
    assert (len(cube), len(square), len(brick)) == (13, 5, 3)
    for axes in (cube, square, brick):
        assert np.abs(axes @ np.eye(3)).max(0) == pytest.approx([1, 1, 1])
    assert np.abs(square @ transforms.unit([1, 0, -1])).max() == pytest.approx(1)
    assert np.abs(square @ transforms.unit([1, 1, 0])).max() < 0.8


def test_found_once_per_shape(monkeypatch):
    mesh = turned(SHAPES["a star"][1], seed=77)[0]
    first = symmetries_of(mesh)
    copy = Mesh(vertices=mesh.vertices.copy(), faces=mesh.faces.copy())
    assert symmetries_of(copy) is first
    monkeypatch.setattr(symmetry_search, "_found", {})
    again = symmetries_of(mesh)
    assert again is not first
    np.testing.assert_array_equal(again.rotations, first.rotations)  # equal inputs, equal outputs


def test_a_mesh_without_area():
    with pytest.raises(InputError) as error:
        symmetries_of(Mesh(vertices=np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]]), faces=np.array([[0, 1, 2]])))
    assert str(error.value) == "expected a mesh with an area; got only degenerate faces; check the file"
