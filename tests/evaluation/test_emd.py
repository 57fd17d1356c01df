"""The earth mover's distance against every permutation, a linear programme and closed forms."""

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.spatial.distance import cdist

from scenemaker.errors import InputError, ShapeError
from scenemaker.evaluation.measures.emd import emd
from scenemaker.evaluation.measures.points import chamfer, nearest_distances


@pytest.mark.parametrize("n", range(1, 8))
def test_no_permutation_is_better(n):
    rng = np.random.default_rng(n)
    p, g = rng.normal(size=(2, n, 3))
    cost = cdist(p, g)
    best = min(cost[np.arange(n), list(order)].mean() for order in permutations(range(n)))
    assert emd(p, g) == pytest.approx(best, abs=1e-12)


def test_a_linear_programme_finds_the_same():
    n, rng = 30, np.random.default_rng(0)
    p, g = rng.normal(size=(2, n, 3))
    each_once = np.concatenate([np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))])
    solved = linprog(cdist(p, g).ravel() / n, A_eq=each_once, b_eq=np.ones(2 * n), bounds=(0, 1))
    assert emd(p, g) == pytest.approx(solved.fun, abs=1e-6)


def test_closed_forms():
    p = np.random.default_rng(1).normal(size=(500, 3))
    assert emd(p, p[::-1]) == 0
    assert emd(p, p[::-1] + np.array([0.03, 0, 0.04])) == pytest.approx(
        0.05
    )  # no transport beats the shift of the mean
    line = np.linspace(0, 1, 100)[:, None] * [1.0, 0, 0]
    assert emd(line, 3 * line) == pytest.approx(1.0)  # on a line: in order


def test_it_counts_points_where_chamfer_does_not():
    crowd = np.array([[0.0, 0, 0]] * 9 + [[1, 0, 0]])
    assert chamfer(nearest_distances(crowd, 1 - crowd * [1, 0, 0] - [0, 1, 1])) == 0
    assert emd(crowd, 1 - crowd * [1, 0, 0] - [0, 1, 1]) == pytest.approx(0.8)


def test_unequal_and_bad_clouds_are_errors():
    with pytest.raises(ShapeError) as error:
        emd(np.zeros((3, 3)), np.zeros((4, 3)))
    assert str(error.value) == "expected two clouds of equally many points; got 3 and 4; sample both alike"
    with pytest.raises(InputError, match="NaN or infinity"):
        emd([[0, 0, np.inf]], [[0, 0, 0]])
