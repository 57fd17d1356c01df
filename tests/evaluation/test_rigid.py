"""ICP against a plain twin that asks for all neighbours in every step, and against motions that are known."""

import numpy as np
import pytest
from cloud_scenes import FRAMES, lopsided
from scipy.spatial.distance import cdist

from scenemaker.errors import InputError
from scenemaker.evaluation.measures.rigid import icp, icp_together
from scenemaker.geometry import transforms
from scenemaker.geometry.registration import kabsch


def plain_icp(source, target, iterations=50, tolerance=1e-5):
    """The definition, word by word."""
    before, T, steps = np.inf, np.eye(4), 0
    while steps < iterations:
        steps += 1
        pairs = target[cdist(source, target).argmin(1)]
        change = kabsch(source, pairs)
        source, T = transforms.apply(change, source), change @ T
        error = np.linalg.norm(source - pairs, axis=1).mean()
        if abs(before - error) < tolerance:
            break
        before = error
    return source, T, steps


def two_samples(seed, angle_deg=8.0, shift=0.05, points=400):
    rng = np.random.default_rng(seed)
    sides = rng.uniform(0.4, 1, 3)
    turn = transforms.axis_angle(rng.normal(size=3), np.radians(angle_deg))
    off = transforms.rigid(turn, shift * rng.normal(size=3))
    return transforms.apply(off, lopsided(rng, sides, points)), lopsided(rng, sides, points)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("workers", [1, 2])
def test_it_equals_its_plain_twin(seed, workers):
    source, target = two_samples(seed)
    found, (moved, T, steps) = icp(source, target, workers=workers), plain_icp(source, target)
    assert found.iterations == steps > 2
    np.testing.assert_allclose(found.T, T, atol=1e-9)
    np.testing.assert_allclose(found.moved, moved, atol=1e-9)
    np.testing.assert_allclose(transforms.apply(found.T, source), found.moved, atol=1e-9)


def test_the_same_points_turned_come_back():
    target = lopsided(np.random.default_rng(3), np.array([1.0, 0.6, 0.3]), 800)
    T = transforms.rigid(transforms.axis_angle([1, 2, 3], np.radians(5)), [0.02, -0.03, 0.01])
    found = icp(transforms.apply(T, target), target)
    np.testing.assert_allclose(found.T, transforms.invert(T), atol=1e-9)
    np.testing.assert_allclose(found.moved, target, atol=1e-9)


def test_steps_and_tolerance():
    source, target = two_samples(0)
    assert icp(source, target, iterations=3).iterations == 3
    np.testing.assert_allclose(icp(source, target, iterations=3).moved, plain_icp(source, target, 3)[0], atol=1e-9)
    assert icp(source, target, tolerance=np.inf).iterations == 2  # the first step has no change to look at
    none = icp(source, target, iterations=0)
    assert none.iterations == 0
    np.testing.assert_array_equal(none.T, np.eye(4))
    np.testing.assert_array_equal(none.moved, source)


@pytest.mark.parametrize("published", [False, True])
def test_no_mirror_image(published):
    rng = np.random.default_rng(1)
    plate = np.array([[x, y, 0.1 * rng.choice([-1, 1])] for x in range(5) for y in range(8)])
    R = icp(plate * [1, 1, -1], plate, published=published).T[:3, :3]  # a mirror image would fit it best
    assert np.linalg.det(R) == pytest.approx(1) and np.allclose(R @ R.T, np.eye(3))


def test_clouds_that_stop_together_go_on_until_the_mean_settles():
    slow, fast = two_samples(0), (lopsided(np.random.default_rng(9), np.ones(3)),) * 2
    together = icp_together([slow[0], fast[0]], [slow[1], fast[1]])
    assert {f.iterations for f in together} == {together[0].iterations}
    np.testing.assert_allclose(together[1].moved, fast[1], atol=1e-9)
    assert icp(*slow).iterations != together[0].iterations  # each by itself stops at another step
    steps = together[0].iterations
    np.testing.assert_allclose(together[0].moved, icp(*slow, iterations=steps, tolerance=0).moved, atol=1e-9)
    assert icp_together([], []) == []


@pytest.mark.parametrize("frame", FRAMES)
def test_a_perfect_prediction_stays_and_the_published_one_is_turned_away(frame):
    rng = np.random.default_rng(4)
    sides = np.array([1.0, 0.5, 0.3])
    source, target = (transforms.apply(transforms.rigid(FRAMES[frame], [0, 0, 0]), lopsided(rng, sides)) for _ in "ab")
    right, wrong = icp(source, target), icp(source, target, published=True)
    assert transforms.rotation_angle_deg(right.T[:3, :3], np.eye(3)) < 1
    if frame != "aligned":
        assert transforms.rotation_angle_deg(wrong.T[:3, :3], np.eye(3)) > 5


def test_the_published_motion_is_v_transposed_u_transposed():
    source, target = two_samples(2)
    pairs = target[cdist(source, target).argmin(1)]
    a, b = source.mean(0), pairs.mean(0)
    U, _, Vt = np.linalg.svd((source - a).T @ (pairs - b))
    R = Vt @ U.T
    R = Vt @ np.diag([1, 1, np.linalg.det(R)]) @ U.T
    found = icp(source, target, iterations=1, published=True)
    np.testing.assert_allclose(found.moved, (source - a) @ R.T + b, atol=1e-9)


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("flat", [[1, 1, 0], [1, 0, 0], [0, 0, 0]])
def test_flat_clouds_do_not_crash(flat, published):
    source, target = (c * flat for c in two_samples(5))
    found = icp(source, target, published=published)
    assert np.isfinite(found.moved).all() and np.allclose(found.T[:3, :3] @ found.T[:3, :3].T, np.eye(3))


def test_one_point_on_one_point():
    np.testing.assert_allclose(icp([[0, 0, 0]], [[1, 2, 3]]).moved, [[1, 2, 3]])


def test_the_order_of_points_does_not_matter():
    source, target = two_samples(6)
    order = np.random.default_rng(0).permutation(len(source))
    for published in (False, True):
        found = icp(source, target, published=published).moved[order]
        again = icp(source[order], target[::-1], published=published).moved
        np.testing.assert_allclose(again, found, atol=1e-9)


def test_an_empty_cloud_is_an_error():
    with pytest.raises(InputError, match=r"expected a cloud of finite points"):
        icp(np.zeros((0, 3)), np.ones((2, 3)))
