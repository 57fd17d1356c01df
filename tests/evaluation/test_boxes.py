"""Boxes: exact overlap against closed forms and against counted points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from scenemaker.errors import InputError, ShapeError
from scenemaker.evaluation.measures.boxes import aligned_box_iou, bounds_of, box_along, oriented_box_iou
from scenemaker.geometry import transforms


def box(sides=(1, 1, 1), centre=(0, 0, 0), rotvec_deg=(0, 0, 0)):
    R = Rotation.from_rotvec(rotvec_deg, degrees=True).as_matrix()
    return transforms.similarity(R, centre, sides)


def random_box(rng):
    return box(rng.uniform(0.3, 1.5, 3), rng.uniform(-0.4, 0.4, 3), rng.uniform(-180, 180, 3))


def counted_iou(a, b, n=1_000_000):
    """By Monte Carlo: points in the box around both."""
    corners = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T
    lo, hi = bounds_of(np.concatenate([transforms.apply(a, corners), transforms.apply(b, corners)]))
    p = np.random.default_rng(0).uniform(lo, hi, (n, 3))
    in_a, in_b = ((np.abs(transforms.apply(np.linalg.inv(S), p)) <= 0.5).all(1) for S in (a, b))
    return (in_a & in_b).sum() / (in_a | in_b).sum()


@pytest.mark.parametrize(
    ("a", "b", "iou"),
    [
        (box(), box(), 1),
        (box(), box(centre=(0.25, 0.5, 0)), 0.375 / (2 - 0.375)),
        (box(), box((0.4, 0.4, 0.4), (0.1, 0, -0.2), (10, 20, 0)), 0.064),  # contained
        (box(), box(rotvec_deg=(0, 0, 90)), 1),
        (box((1, 2, 3)), box((2, 1, 3), rotvec_deg=(0, 0, 90)), 1),
        (box(), box(rotvec_deg=(0, 45, 0)), 1 / np.sqrt(2)),  # the regular octagon 2 (sqrt 2 - 1)
        (box(), box(centre=(1, 0, 0)), 0),  # touch with a face
        (box(), box(centre=(1, 1, 0)), 0),  # an edge
        (box(), box(centre=(1, 1, 1)), 0),  # a corner
        (box(), box(centre=(5, 0, 0)), 0),
        (box((1, 1, 0)), box(), 0),  # flat boxes have no volume
        (box((1, 1, 0)), box((1, 1, 0)), 0),
        (box((0, 0, 0)), box((0, 0, 0)), 0),
        (box((1e-4, 1, 1)), box((1e-4, 1, 0.5)), 0.5),
        (box((1e4, 1e4, 1e4)), box((1e4, 1e4, 5e3)), 0.5),
        (box((1e-4, 1e-4, 1e-4)), box((1e-4, 1e-4, 5e-5)), 0.5),
    ],
)
def test_closed_forms(a, b, iou):
    assert oriented_box_iou(a, b) == pytest.approx(iou, abs=1e-8)
    assert oriented_box_iou(b, a) == pytest.approx(iou, abs=1e-8)


def test_sheared_and_mirrored_boxes():
    sheared, mirrored = np.eye(4), np.diag([-1.0, 1, 1, 1])
    sheared[0, 1] = 1  # the unit square to a parallelogram; they share two triangles less: 3/4
    assert oriented_box_iou(np.eye(4), sheared) == pytest.approx(0.75 / 1.25, abs=1e-9)
    assert oriented_box_iou(np.eye(4), mirrored) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_against_counted_points(seed):
    rng = np.random.default_rng(seed)
    a, b = random_box(rng), random_box(rng)
    iou = oriented_box_iou(a, b)
    assert iou > 0.01
    assert iou == pytest.approx(counted_iou(a, b), abs=2e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_symmetric_and_unmoved_by_a_common_motion(seed):
    rng = np.random.default_rng(seed)
    a, b = random_box(rng), random_box(rng)
    T = transforms.similarity(Rotation.random(rng=rng).as_matrix(), rng.normal(size=3), rng.uniform(0.1, 10))
    iou = oriented_box_iou(a, b)
    assert 0 <= iou <= 1
    assert oriented_box_iou(b, a) == pytest.approx(iou, abs=1e-9)
    assert oriented_box_iou(T @ a, T @ b) == pytest.approx(iou, abs=1e-8)
    assert oriented_box_iou(a, a) == pytest.approx(1, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1e-12, 1e-9, 1e-6]))
def test_nearly_equal_boxes(seed, angle_rad):
    rng = np.random.default_rng(seed)
    a = random_box(rng)
    b = a @ transforms.rigid(transforms.axis_angle(rng.normal(size=3), angle_rad), rng.normal(size=3) * angle_rad)
    assert oriented_box_iou(a, b) == pytest.approx(1, abs=2e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_equals_the_aligned_iou_along_the_axes(seed):
    rng = np.random.default_rng(seed)
    (ca, cb), (sa, sb) = rng.uniform(-0.5, 0.5, (2, 3)), rng.uniform(0.2, 1.5, (2, 3))
    aligned = aligned_box_iou([ca - sa / 2, ca + sa / 2], [cb - sb / 2, cb + sb / 2])
    assert oriented_box_iou(box(sa, ca), box(sb, cb)) == pytest.approx(aligned, abs=1e-9)


def test_the_box_of_points_along_their_own_axes():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20, 3))
    S = transforms.similarity(Rotation.random(rng=rng).as_matrix(), [1, 2, 3], 2.5)
    placed = transforms.apply(S, points)
    own = box_along(placed, S[:3, :3] / 2.5)
    within = np.abs(transforms.apply(np.linalg.inv(own), placed))
    np.testing.assert_allclose(within.max(0), 0.5, atol=1e-6)  # it is tight
    np.testing.assert_allclose(np.linalg.norm(own[:3, :3], axis=0), 2.5 * np.ptp(points, axis=0), rtol=1e-6)


def test_errors():
    with pytest.raises(ShapeError) as error:
        oriented_box_iou(np.eye(3), np.eye(4))
    assert str(error.value) == "expected a box (4, 4); got shape (3, 3); give the map of the unit cube onto the box"
    with pytest.raises(InputError) as error:
        oriented_box_iou(np.eye(4), np.full((4, 4), np.nan))
    assert (
        str(error.value)
        == "expected a box of finite numbers; got NaN or infinity; give the map of the unit cube onto the box"
    )
