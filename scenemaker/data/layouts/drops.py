"""How objects are let go over the ground: side by side, into a bin, or onto each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenemaker.data.layouts.boxes import Bodies
from scenemaker.data.layouts.cluster import group
from scenemaker.data.layouts.mujoco_world import RigidWorld
from scenemaker.geometry.cameras import F64

PAUSE_S = 0.5  # between one object and the next
TRIES = 400  # candidate patches per object


@dataclass(frozen=True, eq=False, kw_only=True)
class Drop:
    """What is dropped, and how.

    Attributes:
        world: Where it falls; nothing is released yet.
        bodies: The objects, turned and sized.
        corners: Of each, its hull's corners (k, 3) in ``obj``.
        height: (n,) how far each falls.
        spacing: Largest gap between patches.
        bin_half: Half the side of the bin.
    """

    world: RigidWorld
    bodies: Bodies
    corners: Sequence[F64]
    height: F64
    spacing: float
    bin_half: float


def rest(drop: Drop, rng: np.random.Generator) -> None:
    """Each on a patch of its own, all at once."""
    everything = np.arange(len(drop.height))
    _side_by_side(drop, everything, rng)
    drop.world.settle()


def pile(drop: Drop, rng: np.random.Generator) -> None:
    """One after another into a bin, whose walls are then taken away."""
    half = drop.bodies.half[:, [0, 2]]
    done: list[int] = []
    for i in rng.permutation(len(half)):
        room = np.maximum(drop.bin_half - half[i], 0)
        _release(drop, int(i), rng.uniform(-room, room), done)
        drop.world.run(PAUSE_S)
    drop.world.open_bin()
    drop.world.settle()


def mixed(drop: Drop, rng: np.random.Generator) -> None:
    """The first half, at least one, side by side; then each of the others onto one that lies there."""
    order = rng.permutation(len(drop.height))
    done = [int(i) for i in order[: max(len(order) // 2, 1)]]
    _side_by_side(drop, np.array(done), rng)
    drop.world.run(PAUSE_S)
    for i in order[len(done) :]:
        below = done[int(rng.integers(len(done)))]
        low, high = _box(drop, below)
        middle, reach = (low + high)[[0, 2]] / 2, (high - low)[[0, 2]] / 2
        _release(drop, int(i), middle + 0.6 * reach * rng.uniform(-1, 1, 2), done)
        drop.world.run(PAUSE_S)
    drop.world.settle()


def _side_by_side(drop: Drop, which: np.ndarray, rng: np.random.Generator) -> None:
    bodies = drop.bodies
    objects = [bodies.objects[i] for i in which]
    half = bodies.half[which][:, [0, 2]]
    centre, _ = group(half, objects, rng, margin=0.0, gap=drop.spacing, tries=TRIES, layout="physics")
    for i, xz in zip(which.tolist(), centre, strict=True):
        _release(drop, i, xz, [])


def _release(drop: Drop, i: int, xz: F64, done: list[int]) -> None:
    """Lets object i go with the centre of its box at xz, above all that stands there, and notes it as done."""
    low, high = drop.bodies.low[i], drop.bodies.high[i]
    middle = np.array([xz[0], 0, xz[1]]) - (low + high) / 2
    top = 0.0
    for j in done:
        low_j, high_j = _box(drop, j)
        if (low_j < middle + high)[[0, 2]].all() and (high_j > middle + low)[[0, 2]].all():
            top = max(top, float(high_j[1]))
    t = np.array([middle[0], top + drop.height[i] - low[1], middle[2]])
    drop.world.release(i, drop.bodies.R_world_obj[i], t)
    if i not in done:
        done.append(i)


def _box(drop: Drop, i: int) -> tuple[F64, F64]:
    """Lowest and highest corner of object i where it is now."""
    R, t = drop.world.poses()
    placed = drop.bodies.scale[i] * drop.corners[i] @ R[i].T + t[i]
    return placed.min(0), placed.max(0)


__all__ = ["Drop", "mixed", "pile", "rest"]
