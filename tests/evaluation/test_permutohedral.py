"""The lattice against a plain re-derivation, point by point, and against exact Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from slow_lattice import slow_sums

from scenemaker.errors import InputError
from scenemaker.evaluation.measures.permutohedral import FARTHEST, GaussianSums, locate

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("blur", [True, False])
@pytest.mark.parametrize("spread", [0.3, 1.0, 5.0])
def test_it_equals_a_plain_derivation(blur, spread):
    rng = np.random.default_rng(1)
    queries, targets = rng.normal(0, spread, (25, 3)) + 0.4, rng.normal(0, spread, (40, 3))
    values = np.column_stack([np.ones(40), rng.normal(size=(40, 2))])
    sums = GaussianSums(targets, values, crowded=100 if blur else 0)(queries)
    np.testing.assert_allclose(sums, slow_sums(queries, targets, values, blur), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("blur", "weight_error", "mean_error"), [(True, 0.01, 0.012), (False, 0.03, 0.045)])
def test_inside_a_dense_cloud_it_is_a_gaussian_of_unit_variance(blur, weight_error, mean_error):
    rng = np.random.default_rng(0)
    targets, queries = rng.uniform(-4, 4, (8000, 3)), rng.uniform(-1.5, 1.5, (500, 3))
    weight, total = np.split(
        GaussianSums(targets, np.column_stack([np.ones(8000), targets]), crowded=100 if blur else 0)(queries), [1], 1
    )
    exact = np.exp(-cdist(queries, targets, "sqeuclidean") / 2)
    ratio = weight[:, 0] / exact.sum(1)
    assert ratio.std() < weight_error * ratio.mean()
    off = total / weight - exact @ targets / exact.sum(1)[:, None]
    assert np.sqrt((off**2).sum(1).mean()) < mean_error


def test_it_blurs_as_long_as_the_lattice_is_not_crowded():
    rng = np.random.default_rng(2)
    targets, queries = rng.normal(size=(300, 3)), rng.normal(size=(10, 3))
    ones = np.ones((300, 1))
    corners = len(np.unique(np.concatenate([locate(x, blur=True).corners.ravel() for x in (targets, queries)])))
    blurred, plain = (GaussianSums(targets, ones, crowded=c)(queries) for c in (100, 0))
    assert not np.allclose(blurred, plain)
    np.testing.assert_array_equal(GaussianSums(targets, ones, crowded=corners / 300)(queries), blurred)
    np.testing.assert_array_equal(GaussianSums(targets, ones, crowded=(corners - 0.5) / 300)(queries), plain)


def test_weights_are_barycentric_up_to_the_farthest_point():
    rng = np.random.default_rng(3)
    for extent in (1.0, 100.0, FARTHEST):
        at = locate(rng.uniform(-extent, extent, (500, 3)), blur=True)
        np.testing.assert_allclose(at.weights.sum(0), 1, rtol=0, atol=1e-9)
        assert at.weights.min() > -1e-9
        assert len(np.unique(at.corners[:, 0])) == 4


def test_a_query_far_from_all_targets_gets_nothing():
    sums = GaussianSums(np.zeros((5, 3)), np.ones((5, 2)))
    np.testing.assert_array_equal(sums(np.full((3, 3), 50.0)), np.zeros((3, 2)))
    assert sums(np.zeros((1, 3))).min() > 0


def test_too_far_from_the_origin():
    text = (
        "expected points within 1e+05 standard deviations of the origin; got 2e+05; "
        "centre the clouds, or widen the Gaussian"
    )
    with pytest.raises(InputError) as error:
        GaussianSums(np.full((1, 3), 2e5), np.ones((1, 1)))
    assert str(error.value) == text
    with pytest.raises(InputError) as error:
        GaussianSums(np.zeros((1, 3)), np.ones((1, 1)))(np.full((1, 3), -2e5))
    assert str(error.value) == text
