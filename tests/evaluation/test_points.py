"""Nearest neighbours, Chamfer distance and F-score against all pairs and hand-worked numbers."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from scenemaker.errors import InputError
from scenemaker.evaluation.measures.moving import MovingNearest
from scenemaker.evaluation.measures.points import Nearest, chamfer, chamfer_squared, fscore, nearest_distances
from scenemaker.geometry import transforms


def surface(rng, n):
    p = rng.normal(size=(n, 3))
    return p / np.linalg.norm(p, axis=1, keepdims=True) * [1, 0.5, 0.2]


CLOUDS = {
    "surface": lambda rng, n: surface(rng, n),
    "lattice, many equal distances": lambda rng, n: rng.integers(0, 6, (n, 3)) / 5,
    "doubled points": lambda rng, n: np.repeat(rng.normal(size=(n // 4 + 1, 3)), 4, axis=0)[:n],
    "flat": lambda rng, n: rng.normal(size=(n, 3)) * [1, 1, 0],
    "all in one place": lambda rng, n: np.ones((n, 3)),
    "closer and closer": lambda rng, n: rng.normal(size=(n, 3)) * 0.7 ** np.arange(n)[:, None],
    "far away": lambda rng, n: rng.normal(size=(n, 3)) + 1000,
}


@pytest.mark.parametrize("kind", CLOUDS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 40), (700, 900), (50, 3)])
@pytest.mark.parametrize("workers", [1, 2])
def test_distances_are_those_of_all_pairs(kind, n, m, workers):
    rng = np.random.default_rng(n)
    pred, gt = CLOUDS[kind](rng, n), CLOUDS[kind](rng, m) + 0.01
    near, every = nearest_distances(pred, gt, workers=workers), cdist(pred, gt)
    np.testing.assert_allclose(near.pred_to_gt, every.min(1), atol=1e-9)
    np.testing.assert_allclose(near.gt_to_pred, every.min(0), atol=1e-9)
    p, g = every.min(1), every.min(0)
    assert chamfer(near) == pytest.approx(p.mean() + g.mean(), abs=1e-9)
    assert chamfer_squared(near) == pytest.approx((p**2).mean() + (g**2).mean(), abs=1e-9)


def test_hand_worked_numbers():
    near = nearest_distances([[0, 0, 0], [3, 0, 0]], [[0, 1, 0], [0, 0, 0], [5, 0, 0]])
    assert near.pred_to_gt.tolist() == [0, 2] and near.gt_to_pred.tolist() == [1, 0, 2]
    assert chamfer(near) == 1 + 1
    assert chamfer_squared(near) == pytest.approx(2 + 5 / 3)
    assert fscore(near, 1.5) == pytest.approx(2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3))


def test_a_distance_at_the_threshold_does_not_count():
    near = nearest_distances([[0, 0, 0]], [[0.5, 0, 0]])
    assert fscore(near, 0.5) == 0 and fscore(near, np.nextafter(0.5, 1)) == 1
    at, under = np.array([0.5]), np.array([0.1])
    assert fscore(Nearest(at, under), 0.5) == fscore(Nearest(under, at), 0.5) == 0


def test_far_clouds_have_an_fscore_of_zero():
    assert fscore(nearest_distances([[0, 0, 0]], [[9, 0, 0]]), 1) == 0


@pytest.mark.parametrize(
    ("points", "got"),
    [
        (np.zeros((0, 3)), "shape (0, 3)"),
        (np.zeros((4, 2)), "shape (4, 2)"),
        (np.zeros(3), "shape (3,)"),
        ([[0, 0, np.nan]], "NaN or infinity"),
    ],
)
def test_a_bad_cloud_is_an_error(points, got):
    message = f"expected a cloud of finite points (n, 3), n > 0; got {got}; check the mesh"
    for pair in ((points, np.zeros((2, 3))), (np.zeros((2, 3)), points)):
        with pytest.raises(InputError) as error:
            nearest_distances(*pair)
        assert str(error.value) == message


@pytest.mark.parametrize("kind", [k for k in CLOUDS if k != "all in one place"])
def test_moving_points_keep_the_neighbours_of_fresh_queries(kind):
    rng = np.random.default_rng(5)
    target, points = CLOUDS[kind](rng, 400), CLOUDS[kind](rng, 300)
    nearest = MovingNearest(target)
    for step in range(60):
        size = 10 ** rng.uniform(-5, -0.5)
        if step % 3:  # rigidly, as in a registration; or every point by itself
            T = transforms.rigid(transforms.axis_angle(rng.normal(size=3), size), size * rng.normal(size=3))
            points = transforms.apply(T, points)
        else:
            points = points + size * rng.normal(size=points.shape)
        every = cdist(points, target)
        found = every[np.arange(len(points)), nearest(points)]
        np.testing.assert_allclose(found, every.min(1), rtol=1e-11)  # the same target, or another as near


def test_moving_points_are_asked_for_again_only_when_they_must(monkeypatch):
    rng = np.random.default_rng(6)
    points, asked = surface(rng, 500), []
    nearest = MovingNearest(surface(rng, 500))
    ask = MovingNearest._ask
    monkeypatch.setattr(MovingNearest, "_ask", lambda self, p, which: (asked.append(len(which)), ask(self, p, which)))
    for shift in (0, 0, 1e-4, 1):
        nearest(points + shift)
    assert asked[:2] == [500, 0] and 0 < asked[2] < 25 and asked[3] > 450


def test_one_target_is_the_nearest_of_all():
    nearest = MovingNearest(np.zeros((1, 3)))
    for k in range(3):
        assert nearest(np.full((5, 3), float(k))).tolist() == [0] * 5
