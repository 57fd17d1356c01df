"""Overlap of volumes against closed forms, point-in-box tests and plain sets."""

import numpy as np
import pytest
import trimesh

from scenemaker.evaluation.measures import volume
from scenemaker.evaluation.measures.volume import (
    Solid,
    box_map,
    filled,
    filled_voxels,
    solid_iou,
    surface_voxels,
    touched_voxels,
    volume_iou,
    voxel_iou,
)
from scenemaker.geometry import raycast, transforms
from scenemaker.geometry.mesh import Mesh

pytestmark = pytest.mark.filterwarnings("error")


def mesh(*parts: trimesh.Trimesh) -> Mesh:
    whole = trimesh.util.concatenate(list(parts))
    return Mesh(vertices=whole.vertices, faces=whole.faces)


def box(extents=(1, 1, 1), centre=(0, 0, 0)) -> trimesh.Trimesh:
    out = trimesh.creation.box(extents)
    out.apply_translation(centre)
    return out


def inside(shape: Mesh, low, high, resolution):
    return Solid(shape).inside(box_map(low, high), resolution)


def ball(radius, centre=(0, 0, 0)) -> trimesh.Trimesh:
    out = trimesh.creation.icosphere(3, radius)
    out.apply_translation(centre)
    return out


@pytest.mark.parametrize("seed", range(6))
def test_boxes_overlap_as_in_closed_form(seed):
    rng = np.random.default_rng(seed)
    (a, b), c = rng.uniform(0.3, 2, (2, 3)), rng.uniform(-0.5, 0.5, 3)
    common = np.prod(np.clip(np.minimum(a / 2, c + b / 2) - np.maximum(-a / 2, c - b / 2), 0, None))
    expected = common / (np.prod(a) + np.prod(b) - common)
    assert volume_iou(mesh(box(a)), mesh(box(b, c))) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("r", "R", "d"), [(0.5, 0.8, 0.6), (0.4, 0.9, 0.2), (0.7, 0.7, 1.0), (0.5, 0.5, 0.05)])
def test_balls_overlap_as_in_closed_form(r, R, d):
    volumes = 4 / 3 * np.pi * r**3 + 4 / 3 * np.pi * R**3
    common = np.pi * (r + R - d) ** 2 * (d * d + 2 * d * (r + R) - 3 * (r - R) ** 2) / (12 * d)
    common = 4 / 3 * np.pi * min(r, R) ** 3 if d <= abs(r - R) else common
    found = volume_iou(mesh(ball(r)), mesh(ball(R, (d, 0, 0))))
    assert found == pytest.approx(common / (volumes - common), abs=0.005)


def test_finer_cells_come_nearer():
    a, b = mesh(ball(0.61)), mesh(ball(0.83, (0.37, 0.11, -0.2)))
    fine = volume_iou(a, b, resolution=96)
    errors = [abs(volume_iou(a, b, resolution=r) - fine) for r in (8, 48)]
    assert errors[1] < 0.005 < errors[0]


def test_a_turned_box_holds_the_points_that_it_holds():
    R = transforms.axis_angle((1, 2, 3), 0.7)
    solid = mesh(box((1.0, 0.6, 0.3))).transformed(transforms.rigid(R, (0.2, -0.1, 0.4)))
    low, high = solid.bounds
    centre = (np.arange(40) + 0.5) / 40
    points = np.stack(np.meshgrid(centre, centre, centre, indexing="ij"), -1) * (high - low) + low
    own = (points - (0.2, -0.1, 0.4)) @ R
    depth = (np.array([0.5, 0.3, 0.15]) - np.abs(own)).min(-1)
    found = inside(solid, low, high, 40)
    assert (found == (depth > 0))[np.abs(depth) > 1e-5].all()


def test_a_part_of_the_space_is_looked_at():
    assert inside(mesh(box((4, 4, 4))), (-1, -1, -1), (1, 1, 1), 8).all()
    assert not inside(mesh(box((1, 1, 1), (3, 0, 0))), (-1, -1, -1), (1, 1, 1), 8).any()
    half = inside(mesh(box((4, 4, 4), (2, 0, 0))), (-1, -1, -1), (1, 1, 1), 8)
    assert half[4:].all() and not half[:4].any()


def test_inner_parts():
    whole, small = mesh(box()), box((0.5, 0.5, 0.5))
    assert volume_iou(mesh(box(), small), whole) == 1.0  # a part in another adds nothing
    small.invert()
    assert volume_iou(mesh(box(), small), whole) == 0.875  # a wall turned inwards bounds a cavity
    assert volume_iou(mesh(box(), box(centre=(0.5, 0, 0))), mesh(box((1.5, 1, 1), (0.25, 0, 0)))) == 1.0


def test_faces_turned_the_wrong_way_do_not_matter():
    plain = box()
    some = plain.faces.copy()
    some[::3] = some[::3, ::-1]
    for faces in (plain.faces[:, ::-1], some):
        assert volume_iou(Mesh(vertices=plain.vertices, faces=faces), mesh(plain)) == 1.0


def test_a_box_without_its_bottom_is_solid():
    plain = box()
    for axis in range(3):
        open_ = Mesh(vertices=plain.vertices, faces=plain.faces[plain.face_normals[:, axis] > -0.5])
        assert volume_iou(open_, mesh(plain)) == 1.0


def test_what_encloses_nothing_has_no_iou():
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    flat = Mesh(vertices=corners, faces=[[0, 1, 2], [0, 2, 3]])
    gutter = np.array([[0, 0, 0.5], [0, 1, 0.5], [0.5, 0, 0], [0.5, 1, 0], [1, 0, 0.5], [1, 1, 0.5]])
    bent = Mesh(vertices=gutter, faces=[[0, 2, 3], [0, 3, 1], [2, 4, 5], [2, 5, 3]])
    solid = mesh(box())
    assert [volume_iou(flat, solid), volume_iou(solid, flat), volume_iou(flat, flat)] == [None] * 3
    assert [volume_iou(bent, solid), volume_iou(solid, bent), volume_iou(bent, bent)] == [None] * 3


def test_solids_too_small_for_the_common_grid_have_an_iou():
    tiny = mesh(box((1e-3,) * 3, (50, 0, 0)))
    assert volume_iou(tiny, mesh(box())) == 0.0
    assert volume_iou(tiny, mesh(box((1e-3,) * 3, (-50, 20, 30)))) == 0.0  # no cell holds either


def test_moving_scaling_and_swapping_both_changes_nothing():
    a, b = mesh(ball(0.6)), mesh(box((1, 0.7, 0.9), (0.3, 0.1, 0)))
    base = volume_iou(a, b)
    S = transforms.similarity(np.eye(3), (100, -50, 20), (2, 0.01, 7))
    assert volume_iou(b, a) == base
    assert volume_iou(a.transformed(S), b.transformed(S)) == pytest.approx(base, abs=0.002)
    assert volume_iou(a, a) == 1.0


def test_solids_are_compared_where_they_are_placed():
    """Moved meshes, or moved rays: the same columns, up to those within rounding of a surface."""
    a, b = mesh(ball(0.6)), mesh(box((1, 0.7, 0.9), (0.3, 0.1, 0)))
    S_a = transforms.similarity(transforms.axis_angle((1, 2, 3), 0.8), (0.4, 0.1, -0.2), 1.3)
    S_b = transforms.similarity(transforms.axis_angle((3, -1, 1), 2.1), (0.1, 0, 0.3), (1, 2, 0.5))
    solids = Solid(a), Solid(b)
    for pair in ((S_a, S_b), (S_a, np.eye(4)), (np.diag([-1.0, 1, 1, 1]), S_b)):
        moved = [m.transformed(S) for m, S in zip((a, b), pair, strict=True)]
        assert solid_iou(*solids, *pair) == pytest.approx(volume_iou(*moved), abs=1e-3)
    assert solid_iou(*solids) == volume_iou(a, b)
    assert 0.05 < solid_iou(*solids, S_a, S_b) < 0.9


def test_the_search_tree_of_a_solid_is_built_once(monkeypatch):
    built, init = [], raycast.RayCaster.__init__
    monkeypatch.setattr(raycast.RayCaster, "__init__", lambda self, meshes: (built.append(1), init(self, meshes))[1])
    a, b = Solid(mesh(box())), Solid(mesh(box((1e-3,) * 3, (50, 0, 0))))
    for _ in range(3):
        solid_iou(a, b)  # the second one also over its own box
    assert len(built) == 2


def test_large_surfaces_are_looked_at_in_parts(monkeypatch):
    rng = np.random.default_rng(0)
    shape = mesh(box((0.9, 0.4, 1.3)), ball(0.5, rng.uniform(-1, 1, 3)))
    whole = filled_voxels(shape, 0.04)
    plain = trimesh.Trimesh(shape.vertices, shape.faces, process=False).voxelized(0.04).fill()
    assert len(whole) == plain.filled_count
    monkeypatch.setattr(volume, "PART", 50)
    np.testing.assert_array_equal(filled_voxels(shape, 0.04), whole)
    assert len(np.unique(touched_voxels(shape, 0.04), axis=0)) == len(touched_voxels(shape, 0.04))


def test_filled_is_what_no_step_over_a_face_can_leave():
    shell = np.argwhere(np.ones((3, 3, 3)))
    shell = shell[(shell != 1).any(1)] + (5, -7, 100)
    assert len(filled(shell)) == 27
    assert len(filled(shell[1:])) == 26  # a corner is missing: no way through it
    for middle in ((6, -6, 100), (6, -6, 102), (5, -6, 101), (7, -6, 101)):  # of a side
        open_ = shell[(shell != middle).any(1)]
        assert len(filled(open_)) == len(open_) == 25


def test_a_filled_ball_has_its_volume_in_voxels():
    pitch, radius = 2 / 64, 0.7
    found = len(filled_voxels(mesh(ball(radius)), pitch)) * pitch**3
    shell = 4 * np.pi * radius**2 * pitch  # voxels that are only touched count whole: half a voxel too much and more
    assert 4 / 3 * np.pi * radius**3 < found < 4 / 3 * np.pi * radius**3 + 1.2 * shell


def test_voxels_lie_on_one_lattice_for_all_meshes():
    pitch = 2 / 64
    a = filled_voxels(mesh(box((0.5,) * 3)), pitch)
    moved = filled_voxels(mesh(box((0.5,) * 3, (8 * pitch, 0, 0))), pitch)
    near = filled_voxels(mesh(box((0.5,) * 3, (0.1 * pitch, 0, 0))), pitch)
    assert len(a) == 17**3  # from -8 to 8 pitches
    assert voxel_iou(a, moved) == 9 / 25
    assert voxel_iou(a, near) > 0.85


def test_surface_voxels_are_the_cells_that_hold_points():
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (500, 3))
    cells = {tuple(np.floor((p + 1) * 4).astype(int)) for p in points}
    other = rng.uniform(-1, 1, (400, 3))
    others = {tuple(np.floor((p + 1) * 4).astype(int)) for p in other}
    a, b = surface_voxels(points, 8), surface_voxels(other, 8)
    assert len(a) == len(cells) and len(b) == len(others)
    assert voxel_iou(a, b) == len(cells & others) / len(cells | others)


def test_points_outside_count_in_the_border_cells():
    inner = np.array([[-0.99, 0, 0], [0.99, 0, 0]])
    outer = np.array([[-1.2, 0, 0], [1.0, 0, 0], [1.3, 0, 0]])
    assert voxel_iou(surface_voxels(inner), surface_voxels(outer)) == 1.0


def test_no_voxels_at_all():
    none = np.zeros(0, np.int64)
    assert voxel_iou(none, none) == 0.0
    assert voxel_iou(none, np.array([3])) == 0.0
