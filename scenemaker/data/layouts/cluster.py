"""Boxes side by side as a compact group: each beside one that already stands, with a random gap.

Placing an object anywhere in a region gives scenes with holes, or needs many tries. Here a candidate is a random
neighbour, a random direction and a gap: the distance at which two boxes just touch along a direction is known in
closed form, so that half of all candidates are free. The gap grows with the tries: there is always room outside.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenemaker.data.layouts.boxes import CLEAR, clear_of, no_place
from scenemaker.data.types import DataObject
from scenemaker.geometry.cameras import F64

BATCH = 8  # candidates looked at together
GROWTH = 0.25  # of the largest half side by which the largest gap grows, per batch without a free place


def group(
    half: F64,
    objects: Sequence[DataObject],
    rng: np.random.Generator,
    *,
    margin: float,
    gap: float,
    tries: int,
    layout: str,
) -> tuple[F64, int]:
    """Centres (n, d) of disjoint boxes with half sides (n, d), the largest in the middle, and the places tried.

    Args:
        half: Half sides; d = 2 on a plane, 3 in space.
        objects: Of these boxes; named in the error.
        rng: Source of randomness.
        margin: Least distance between two boxes along some axis.
        gap: Largest distance that is drawn beyond it, until tries fail.
        tries: Most candidates per object.
        layout: Named in the error.

    Raises:
        PlacementError: An object found no place.
    """
    n, d = half.shape
    order = np.argsort(-half.prod(1), kind="stable")
    centre, used = np.zeros((n, d)), 1
    for k in range(1, n):
        i, done = order[k], order[:k]
        for start in range(0, tries, BATCH):
            m = min(BATCH, tries - start)
            anchor = done[rng.integers(k, size=m)]
            way = rng.normal(size=(m, d))
            way /= np.linalg.norm(way, axis=1, keepdims=True)
            free_gap = rng.random(m) * (gap + GROWTH * start / BATCH * half[order[0]].max())
            reach = half[anchor] + half[i] + (margin + 2 * CLEAR + free_gap)[:, None]  # (m, d)
            touch = (reach / np.maximum(np.abs(way), 1e-12)).min(1)
            candidates = centre[anchor] + way * touch[:, None]
            free = clear_of(candidates, half[i], centre[done], half[done], margin + CLEAR)
            if free.any():
                first = int(free.argmax())
                centre[i] = candidates[first]
                used += first + 1
                break
            used += m
        else:
            raise no_place(objects[i].key, layout, tries, "draw other objects, or raise its tries")
    return centre, used
