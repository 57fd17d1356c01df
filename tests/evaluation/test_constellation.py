"""First guesses from how objects stand to each other."""

import numpy as np
import pytest

from scenemaker.evaluation.constellation import two_object_guesses
from scenemaker.geometry import transforms

Y_FROM_Z = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def clouds(seed=0, count=6):
    """Objects of different sizes that stand apart."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(50, 3)) * rng.uniform(0.1, 0.4) + rng.uniform(-3, 3, 3) for _ in range(count)]


@pytest.mark.parametrize("seed", range(10))
def test_two_common_objects_of_six_are_enough(seed):
    target = clouds(seed)
    turn = transforms.axis_angle([0, 1, 0], 0.7 + seed)
    S = transforms.similarity(turn @ Y_FROM_Z, [1, 2, 3], 0.2)  # of the target from the source
    strangers = clouds(seed + 100, 2)
    source = [transforms.apply(transforms.invert(S), p) for p in (*strangers, target[4], target[1])]
    guesses = two_object_guesses(target, source, np.ones((6, 4), bool), [np.eye(3), Y_FROM_Z], 20)
    assert len(guesses) <= 20
    away = [np.abs(g - S).max() for g in guesses]
    assert min(away) < 1e-6


def test_with_all_objects_the_best_guess_is_right():
    target = clouds()
    S = transforms.similarity(transforms.axis_angle([0, 1, 0], -2.0), [1, 2, 3], 5.0)
    source = [transforms.apply(transforms.invert(S), p) for p in reversed(target)]
    best = two_object_guesses(target, source, np.ones((6, 6), bool), [np.eye(3), Y_FROM_Z], 1)
    np.testing.assert_allclose(best[0], S, atol=1e-6)


def test_only_allowed_pairs_are_used():
    cloud = clouds(0, 1)[0]
    target = [cloud - cloud.mean(0) + p for p in ([1, 0, 0], [-1, 0, 0])]  # two alike: two ways
    for allowed, expected in ((np.eye(2), 1.0), (np.eye(2)[::-1], -1.0)):
        guesses = two_object_guesses(target, target, allowed.astype(bool), [np.eye(3)], 9)
        assert [g[0, 0] for g in guesses] == pytest.approx([expected])


def test_what_gives_no_direction_gives_no_guess():
    cloud = clouds(0, 1)[0]
    for target, source in (([cloud], [cloud]), ([cloud, cloud], [cloud, cloud]), ([cloud, cloud + 1], [cloud, cloud])):
        assert two_object_guesses(target, source, np.ones((len(target), len(source)), bool), [np.eye(3)], 5) == []
