"""Small words for random choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all alike; repeat one to make it likelier."""
    return options[int(rng.integers(len(options)))]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with a probability."""
    return bool(rng.random() < probability)


def spread(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two."""
    return low + (high - low) * float(rng.random())


def count(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number between two, both included."""
    return int(rng.integers(low, high + 1))
