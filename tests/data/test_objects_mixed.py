"""Several sources of objects as one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from scenemaker.data.objects.mixed import MixedObjects
from scenemaker.data.types import DataObject
from scenemaker.errors import InputError
from scenemaker.testing.samples import box_mesh


class Boxes:
    """A source of one object."""

    def __init__(self, name: str) -> None:
        self.name = name

    def draw(self, rng: np.random.Generator) -> str:
        return "a:b"

    def get(self, key: str) -> DataObject:
        assert key == "a:b"
        return DataObject(key=key, mesh=box_mesh((1, 1, 1), (1, 2, 3)), source=self.name)


def test_drawn_by_weight_and_given_again() -> None:
    mixed, rng = MixedObjects([Boxes("x"), Boxes("y")], [3.0, 1.0]), np.random.default_rng(0)
    drawn = Counter(mixed.get(mixed.draw(rng)).source for _ in range(400))
    assert drawn["x"] + drawn["y"] == 400
    assert 0.68 < drawn["x"] / 400 < 0.82
    assert mixed.get("1:a:b").source == "y"


def test_wrong_keys_and_weights() -> None:
    mixed = MixedObjects([Boxes("x")], [1.0])
    for key in ("1:a", "a:b", ":a"):
        with pytest.raises(InputError, match="expected an object of these sources; got .*; keys are NUMBER:KEY"):
            mixed.get(key)
    for weights in ([], [0.0], [float("inf")], [1.0, 1.0]):
        with pytest.raises(InputError, match="expected one positive weight per source; got 1 sources"):
            MixedObjects([Boxes("x")], weights)
