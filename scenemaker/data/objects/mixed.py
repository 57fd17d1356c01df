"""Several sources of objects as one, drawn from by weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenemaker.data.types import DataObject, ObjectSource
from scenemaker.errors import InputError, expected


class MixedObjects:
    """Objects of several sources; the key "1:chair" is the object "chair" of the second."""

    name = "mixed"

    def __init__(self, sources: Sequence[ObjectSource], weights: Sequence[float]) -> None:
        """Takes sources and how often each is drawn from.

        Raises:
            InputError: Not one positive weight per source.
        """
        if not sources or len(sources) != len(weights) or not all(w > 0 and np.isfinite(w) for w in weights):
            got = f"{len(sources)} sources, weights {list(weights)}"
            raise InputError(expected("one positive weight per source", got=got, remedy="give a weight to each"))
        self.sources = tuple(sources)
        self.weights = np.array(weights, np.float64) / sum(weights)

    def draw(self, rng: np.random.Generator) -> str:
        """The key of a random object."""
        i = int(rng.choice(len(self.sources), p=self.weights))
        return f"{i}:{self.sources[i].draw(rng)}"

    def get(self, key: str) -> DataObject:
        """The object of a key; its own key is that of its source.

        Raises:
            InputError: No such object.
        """
        number, _, own = key.partition(":")
        if not number.isdecimal() or int(number) >= len(self.sources):
            got, remedy = repr(key), f"keys are NUMBER:KEY, the number below {len(self.sources)}"
            raise InputError(expected("an object of these sources", got=got, remedy=remedy))
        return self.sources[int(number)].get(own)
