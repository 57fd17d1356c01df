"""FilterReg against probreg's numbers, a plain re-derivation, and what is known of the motion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from slow_lattice import slow_sums
from wedges import scene

from scenemaker.errors import InputError
from scenemaker.evaluation.measures.filterreg import filterreg, pair_variance
from scenemaker.evaluation.measures.permutohedral import GaussianSums
from scenemaker.evaluation.measures.points import chamfer_squared, nearest_distances
from scenemaker.geometry import transforms

pytestmark = pytest.mark.filterwarnings("error")

# probreg 0.3.8, filterreg.registration_filterreg(source, target, objective_type="pt2pt", maxiter=200, tol=1e-4,
# sigma2=..., update_sigma2=False) with one thread, on wedges.scene(seed, objects, points): rot, t and sigma2 of its
# result (its float32 rot has rows off unit length by up to 1e-4). The lattices of the first two are blurred, those of
# the last two are crowded.
PROBREG = [
    (
        (0, 4, 1500, None),
        [
            [0.954497854, 0.293530693, 0.05265771],
            [-0.293740718, 0.955877984, -0.003864345],
            [-0.051469351, -0.011779607, 0.998607371],
        ],
        [-0.051454239, 0.029691077, -0.037689419],
        0.41198307,
    ),
    (
        (2, 3, 2000, None),
        [
            [0.97473216, 0.217364697, -0.053871357],
            [-0.218825162, 0.975652842, -0.020311981],
            [0.048233001, 0.031522042, 0.998408969],
        ],
        [-0.03593288, 0.022159296, 0.000523692],
        0.14860196,
    ),
    (
        (0, 4, 1500, 0.01),
        [
            [0.953790157, 0.297238315, 0.044019597],
            [-0.29875406, 0.953756994, 0.033146712],
            [-0.032131897, -0.044767726, 0.998483564],
        ],
        [-0.030794217, 0.020184655, -0.073111557],
        0.01,
    ),
    (
        (2, 3, 300, None),
        [
            [0.890676128, 0.445939454, -0.088523073],
            [-0.451350908, 0.890689663, -0.054377482],
            [0.054598161, 0.088385582, 0.994589142],
        ],
        [-0.112863201, 0.015055795, -0.049978776],
        0.15823892,
    ),
]


def clouds(seed, objects, points):
    return tuple(x.reshape(-1, 3) for x in scene(seed, objects, points))


def slow_filterreg(source, target, variance, steps, blur):
    R, t = np.eye(3), np.zeros(3)
    for _ in range(steps):
        moved = source @ R.T + t
        sums = slow_sums(
            moved / np.sqrt(variance), target / np.sqrt(variance), np.column_stack([np.ones(len(target)), target]), blur
        )
        seen = sums[:, 0] > 0
        x, y = moved[seen], sums[seen, 1:] / sums[seen, :1]
        U, _, Vt = np.linalg.svd((x - x.mean(0)).T @ (y - y.mean(0)))
        turn = Vt.T @ np.diag([1, 1, np.linalg.det(Vt.T @ U.T)]) @ U.T
        R, t = turn @ R, turn @ t + y.mean(0) - turn @ x.mean(0)
    return transforms.rigid(R, t)


@pytest.mark.parametrize(("case", "R", "t", "sigma2"), PROBREG)
def test_it_equals_probreg(case, R, t, sigma2):
    source, target = clouds(*case[:3])
    found = filterreg(source, target, sigma2=case[3])
    assert found.sigma2 == pytest.approx(sigma2, abs=1e-7)
    theirs = transforms.rigid(R, t)
    np.testing.assert_allclose(found.moved, transforms.apply(theirs, source), rtol=0, atol=1e-4)
    ours, published = (nearest_distances(m, target) for m in (found.moved, transforms.apply(theirs, source)))
    assert chamfer_squared(ours) == pytest.approx(chamfer_squared(published), abs=1e-5)


@pytest.mark.parametrize(("targets", "variance", "blur"), [(3600, None, True), (60, None, False), (200, 0.01, False)])
def test_it_equals_a_plain_derivation(targets, variance, blur):
    source, target = clouds(5, 1, targets)
    source = source[:40]
    found = filterreg(source, target, sigma2=variance, iterations=3, tolerance=0)
    assert found.iterations == 3
    used = cdist(source, target, "sqeuclidean").mean() / 3 if variance is None else variance
    slow = slow_filterreg(source, target, used, 3, blur)
    np.testing.assert_allclose(found.T, slow, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.moved, transforms.apply(slow, source), rtol=0, atol=1e-9)


def test_pair_variance_is_the_mean_over_all_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 3)) * [1, 2, 3], rng.normal([1, 0, -2], size=(20, 3))
    assert pair_variance(a, b) == pytest.approx(cdist(a, b, "sqeuclidean").mean() / 3, abs=1e-12)
    assert filterreg(a, b, iterations=1).sigma2 == pytest.approx(pair_variance(a, b), abs=1e-12)


def test_a_narrow_gaussian_recovers_a_small_motion():
    _, target = clouds(3, 3, 3000)
    T = transforms.rigid(transforms.axis_angle([1, 2, 3], np.radians(4)), [0.02, -0.03, 0.01])
    source = transforms.apply(transforms.invert(T), target)
    found = filterreg(source, target, sigma2=0.001, iterations=400, tolerance=1e-6)
    assert transforms.rotation_angle_deg(found.T[:3, :3], T[:3, :3]) < 0.05
    assert np.linalg.norm(found.moved - target, axis=1).mean() < 0.0015
    assert np.linalg.norm(source - target, axis=1).mean() > 0.03


def test_the_wide_gaussian_ends_off_the_truth_from_wherever_it_starts():
    _, target = clouds(3, 4, 2500)
    ends = []
    for yaw in (0, 20, 45):
        R = transforms.axis_angle([0, 1, 0], np.radians(yaw))
        ends.append(filterreg(target @ R.T, target).T[:3, :3] @ R)
    off = [transforms.rotation_angle_deg(R, np.eye(3)) for R in ends]
    assert min(off) > 0.5
    assert max(off) < 5
    assert max(transforms.rotation_angle_deg(R, ends[0]) for R in ends) < 1


def test_it_stops_when_the_cost_settles_or_the_steps_are_used_up():
    source, target = clouds(0, 3, 1500)
    settled = filterreg(source, target)
    assert 5 < settled.iterations < 60
    assert filterreg(source, target, iterations=4).iterations == 4
    assert filterreg(source, target, tolerance=1e-8).iterations > settled.iterations
    assert filterreg(source, target, tolerance=np.inf).iterations == 2
    again = filterreg(source, target)
    np.testing.assert_array_equal(again.T, settled.T)
    np.testing.assert_allclose(settled.moved, transforms.apply(settled.T, source), rtol=0, atol=1e-12)


def test_its_cost_is_the_sum_of_distances_in_units_of_sigma():
    source, target = clouds(0, 2, 400)
    sigma = np.sqrt(pair_variance(source, target))
    sums = GaussianSums(target / sigma, np.column_stack([np.ones(len(target)), target]))
    costs, moved = [], source
    for steps in range(1, 9):
        m = sums(moved / sigma)
        costs.append(np.linalg.norm(moved - m[:, 1:] / m[:, :1], axis=1).sum() / sigma)
        moved = filterreg(source, target, iterations=steps, tolerance=0).moved
    changes = np.abs(np.diff(costs))
    for tolerance in (0.9 * changes[3], 1.1 * changes[3]):
        assert filterreg(source, target, tolerance=tolerance).iterations == 2 + np.argmax(changes < tolerance)


def test_points_that_see_no_target_do_not_pull():
    source, target = clouds(3, 1, 2000)
    far = np.full((50, 3), 5.0)
    alone = filterreg(source, target, sigma2=0.002)
    beside = filterreg(np.concatenate([source, far]), target, sigma2=0.002)
    np.testing.assert_allclose(beside.T, alone.T, rtol=0, atol=1e-12)


def test_clouds_that_do_not_see_each_other_stay():
    rng = np.random.default_rng(0)
    found = filterreg(rng.normal(size=(20, 3)), rng.normal(size=(20, 3)) + 100, sigma2=0.01)
    np.testing.assert_array_equal(found.T, np.eye(4))
    assert found.iterations == 1


@pytest.mark.parametrize("n", [1, 2, 5])
def test_flat_clouds(n):
    point = np.full((n, 3), 0.3)
    found = filterreg(point, point)
    assert found.sigma2 == 1e-4
    np.testing.assert_allclose(found.moved, point, rtol=0, atol=1e-9)
    line = np.linspace(0, 1, n)[:, None] * [1.0, 0, 0]
    assert np.isfinite(filterreg(line, line + 0.1).T).all()


def test_bad_clouds():
    good = np.zeros((3, 3))
    text = "expected a cloud of finite points (n, 3), n > 0; got {}; check the mesh"
    for source, target, got in [
        (np.zeros((0, 3)), good, "shape (0, 3)"),
        (good, np.zeros((4, 2)), "shape (4, 2)"),
        (good, np.full((2, 3), np.nan), "NaN or infinity"),
    ]:
        with pytest.raises(InputError) as error:
            filterreg(source, target)
        assert str(error.value) == text.format(got)
    with pytest.raises(InputError, match="centre the clouds"):
        filterreg(good + 1e4, good + 1e4, sigma2=1e-4)
