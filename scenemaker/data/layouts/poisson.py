"""Variable-radius Poisson-disc sampling: discs of given radii at random places, none nearer than a gap to another.

Reference: I-Scene, arXiv 2512.13683, appendix "Collision-free Random Layout": larger radius first; a centre is
accepted if |x_i - x_j| >= r_i + r_j + gap for all placed j; uniform grid of cell (min r + gap) / sqrt 2; a fixed
budget of tries, then the region grows by 10 %.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.cameras import F64

GROWTH = 1.1


class DiscGrid:
    """Placed discs in a uniform grid, so that a candidate meets only those near it.

    Two centres are at least 2 min r + gap apart, more than the diagonal of a cell: a cell holds one centre at most.
    """

    def __init__(self, radius: F64, gap: float, region: float) -> None:
        """An empty grid for discs of radii (n,) with centres up to ``region`` from the origin."""
        self.radius, self.gap = radius, gap
        self.cell = (float(radius.min()) + gap) / np.sqrt(2)
        self.centre = np.zeros((len(radius), 2))
        self._widest = 0.0  # radius of the largest disc placed
        self._fill(region, np.empty(0, np.int64))

    def _fill(self, region: float, placed: NDArray[np.int64]) -> None:
        self._origin = np.ceil(region / self.cell) + 1
        side = int(2 * self._origin + 1)
        self._cells = np.full((side, side), -1, np.int32)
        for i in placed:
            self._cells[self._at(self.centre[i])] = i

    def _at(self, x: F64) -> tuple[int, int]:
        return int(np.floor(x[0] / self.cell) + self._origin), int(np.floor(x[1] / self.cell) + self._origin)

    def grow(self, region: float) -> None:
        """Makes room for centres up to ``region`` from the origin."""
        self._fill(region, self._cells[self._cells >= 0].astype(np.int64))

    def is_free(self, i: int, x: F64) -> bool:
        """Whether disc i at x (2,) keeps the gap to all placed discs."""
        row, column = self._at(x)
        reach = int(np.ceil((self.radius[i] + self._widest + self.gap) / self.cell))
        block = self._cells[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
        near = block[block >= 0]
        d = self.centre[near] - x
        return bool(((d * d).sum(1) >= (self.radius[near] + self.radius[i] + self.gap) ** 2).all())

    def place(self, i: int, x: F64) -> None:
        """Puts the centre of disc i at x (2,)."""
        self.centre[i] = x
        self._cells[self._at(x)] = i
        self._widest = max(self._widest, float(self.radius[i]))


def poisson_discs(
    radius: F64, gap: float, rng: np.random.Generator, *, fill: float, tries: int, growths: int
) -> tuple[F64, int, int | None]:
    """Centres (n, 2), the candidates tried, and the disc that found no place (None when all did).

    Args:
        radius: (n,) above 0. Placed from the largest to the smallest; equal ones in their order.
        gap: Clearance between any two.
        rng: Source of randomness.
        fill: Area of the discs, each with half the gap around it, over that of the first region, a disc.
        tries: Candidates for one disc before the region grows by 10 %.
        growths: How often the region may grow for one disc.
    """
    region = float(np.sqrt(((radius + gap / 2) ** 2).sum() / fill))
    grid, used = DiscGrid(radius, gap, region), 0
    for i in np.argsort(-radius, kind="stable"):
        for candidate in range(tries * (growths + 1)):
            if candidate and candidate % tries == 0:
                region *= GROWTH
                grid.grow(region)
            angle, r = 2 * np.pi * rng.random(), region * np.sqrt(rng.random())
            x = np.array([r * np.cos(angle), r * np.sin(angle)])
            used += 1
            if grid.is_free(i, x):
                grid.place(i, x)
                break
        else:
            return grid.centre, used, int(i)
    return grid.centre, used, None
