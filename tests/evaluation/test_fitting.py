"""Rotations that fit one shape onto another, whatever the frames of both."""

import numpy as np
import pytest
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from scenemaker.evaluation.measures.fitting import fitting_rotations, register
from scenemaker.evaluation.measures.symmetry import angles_deg, turns
from scenemaker.geometry import transforms


def cloud_of(sides_and_centres, n, seed):
    """(n, 3) points over the surfaces of boxes, and their normals."""
    rng = np.random.default_rng(seed)
    parts, normals = [], []
    for sides, centre in sides_and_centres:
        p = rng.uniform(-0.5, 0.5, (n // len(sides_and_centres), 3))
        k = rng.integers(3, size=len(p))
        p[np.arange(len(p)), k] = rng.choice([-0.5, 0.5], len(p))
        parts.append(p * sides + centre)
        normals.append(np.eye(3)[k])
    return np.concatenate(parts), np.concatenate(normals)


CHAIR = [((0.5, 0.06, 0.5), (0, 0, 0)), ((0.5, 0.5, 0.06), (0, 0.25, -0.22)), ((0.06, 0.4, 0.06), (0.2, -0.2, 0.2))]
BRICK = [((1.0, 0.7, 0.4), (0, 0, 0))]


def test_any_rotation_scale_and_place_is_found():
    target, normals = cloud_of(CHAIR, 6000, seed=1)
    for seed in range(3):
        R = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
        moved = transforms.apply(transforms.similarity(R.T, [3, -2, 5], 0.3), cloud_of(CHAIR, 6000, seed=2)[0])
        found = fitting_rotations(moved, target, normals)
        assert len(found) == 1
        assert transforms.rotation_angle_deg(found[0], R) < 1


HALF_TURNS = np.stack([np.diag(d) for d in ([1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1])]).astype(np.float64)


def test_all_that_fit_alike_come_back():
    found = fitting_rotations(cloud_of(BRICK, 6000, seed=2)[0], *cloud_of(BRICK, 6000, seed=1))
    off = angles_deg(found[:, None], HALF_TURNS)
    assert off.min(0).max() < 1  # each of the four
    assert off.min(1).max() < 1  # and nothing else


def test_what_nearly_fits_does_not_come_back():
    """A brick with a knob: any half turn moves just the knob, 0.6 % of the longest side on average."""
    knob = [((1.0, 0.7, 0.4), (0, 0, 0)), ((0.2, 0.2, 0.2), (0.3, 0.2, 0.3))]
    (target, normals), source = cloud_of(knob, 6000, seed=1), cloud_of(knob, 6000, seed=2)[0]
    areas = np.r_[np.ones(3000), np.full(3000, 0.24 / 3.0)]  # the knob as large a part of the cloud as of the surface
    keep = np.random.default_rng(0).random(6000) < areas
    for k, R in enumerate([HALF_TURNS[1], HALF_TURNS[3], turns([0, 1, 0], np.radians(100))]):
        found = fitting_rotations(source[keep] @ R, target[keep], normals[keep], seed=k)
        assert len(found) == 1
        assert transforms.rotation_angle_deg(found[0], R) < 1


@pytest.mark.parametrize("angle_deg", [0, 5, 45, 150])
def test_clouds_drawn_alike_meet_exactly(angle_deg):
    cloud, normals = cloud_of(CHAIR, 6000, seed=1)
    R = turns(transforms.unit([2, 1, -1]), np.radians(angle_deg))
    found = fitting_rotations(3 * cloud @ R + 1, cloud, normals)
    assert transforms.rotation_angle_deg(found[0], R) < 0.05


def test_equal_inputs_give_equal_outputs_and_points_in_one_place_do_not_crash():
    a, b = cloud_of(CHAIR, 3000, seed=1)[0], cloud_of(CHAIR, 3000, seed=2)
    np.testing.assert_array_equal(fitting_rotations(a, *b), fitting_rotations(a, *b))
    assert np.isfinite(fitting_rotations(np.zeros((50, 3)), *b)).all()


def test_planes_and_points_pull_a_shape_into_place():
    """From fifteen degrees off, eight steps end within half a degree and half a per cent."""
    (target, normals), source = cloud_of(CHAIR, 8000, seed=1), cloud_of(CHAIR, 2000, seed=2)[0]
    true = transforms.rigid(transforms.axis_angle([1, 2, 3], np.radians(15)), [0.03, -0.02, 0.01])
    moved = transforms.apply(transforms.invert(true), source)
    R, t = register(moved, target, normals, KDTree(target), np.eye(3), steps=8, floor=0.008)
    assert transforms.rotation_angle_deg(R, true[:3, :3]) < 0.5
    assert np.linalg.norm(t - true[:3, 3]) < 0.005


def test_far_parts_pull_little():
    """A brick with a mast that the target lacks."""
    (target, normals), brick = cloud_of(BRICK, 8000, seed=1), cloud_of(BRICK, 2000, seed=2)[0]
    mast = np.column_stack([np.full(400, 0.4), np.linspace(0.35, 1.2, 400), np.zeros(400)])
    source = np.concatenate([brick, mast])
    tree = KDTree(target)
    off = {
        far: np.abs(
            transforms.apply(
                transforms.rigid(*register(source, target, normals, tree, np.eye(3), steps=20, floor=0.008, far=far)),
                brick,
            )
            - brick
        ).max()
        for far in (0.03, np.inf)
    }
    assert off[0.03] < 0.02 < off[np.inf]
