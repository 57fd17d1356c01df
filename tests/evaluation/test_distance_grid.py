"""Distances on a grid against a full distance matrix."""

import numpy as np
from scipy.spatial.distance import cdist

from scenemaker.evaluation.measures.distance_grid import DistanceGrid


def test_within_a_cell_of_the_true_distance():
    rng = np.random.default_rng(0)
    cloud, points = rng.uniform(-0.8, 0.3, (200, 3)), rng.uniform(-1, 1, (5, 300, 3))
    away = DistanceGrid(cloud, 1.0, 40)(points)
    true = cdist(points.reshape(-1, 3), cloud).min(1).reshape(5, 300)
    assert away.shape == (5, 300)
    assert np.abs(away - true).max() < np.sqrt(3) * 2 / 40  # half a diagonal at either end
    assert np.abs((away - true).mean()) < 0.01


def test_points_outside_count_as_on_the_rim():
    grid = DistanceGrid(np.zeros((1, 3)), 1.0, 20)
    np.testing.assert_array_equal(grid(np.array([[9.0, 0, 0], [-9, 0, 0]])), grid(np.array([[0.99, 0, 0], [-1, 0, 0]])))
