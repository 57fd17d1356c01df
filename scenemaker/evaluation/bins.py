"""Bins of the visible fraction of an object, by which results are reported."""

from __future__ import annotations

from scenemaker.errors import InputError, expected

BINS = ((0.0, 0.4), (0.4, 0.7), (0.7, 1.0))


def bin_of(visible_fraction: float) -> int:
    """Index of the bin in ``BINS`` that a visible fraction falls into; a bin holds its lower end, the last both.

    >>> [bin_of(f) for f in (0.1, 0.4, 0.7, 1.0)]
    [0, 1, 2, 2]
    """
    if not 0 <= visible_fraction <= 1:
        raise InputError(expected("a visible fraction in [0, 1]", got=visible_fraction, remedy="check its masks"))
    return sum(visible_fraction >= low for low, _ in BINS[1:])
