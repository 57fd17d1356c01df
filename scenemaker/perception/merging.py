"""Greedy merging of pieces that touch, cheapest pair first."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray


def merge(
    area: NDArray[np.float64],
    mean: NDArray[np.float64],
    pairs: NDArray[np.int64],
    length: NDArray[np.float64],
    contrast: NDArray[np.float64],
    weights: tuple[float, float, float, float],
    *,
    allowed: NDArray[np.bool_] | None = None,
    stop: int = 1,
) -> list[tuple[int, int]]:
    """The merges in order; merge k makes piece n + k out of its two.

    The cost of a pair is (w0 * edge contrast + w1 * colour distance) * (a b / (a + b)) ** w2 / (neck + 0.05) ** w3,
    with a and b their areas (so small pieces go first, as in Ward's method) and neck the share of the shorter outline
    that they share (so a part goes to the body that it is set in, not to the one it touches in a point).

    Args:
        area: (n,) pixels.
        mean: (n, 3) colours.
        pairs: (e, 2) pieces that touch.
        length: (e,) pixels along which they touch.
        contrast: (e,) edge strength along that line.
        weights: w0, w1, w2, w3.
        allowed: (n,) pieces that may merge; all by default.
        stop: Number of pieces at which to stop.
    """
    n = len(area)
    w_edge, w_colour, w_area, w_neck = weights
    areas, means = area.tolist(), [tuple(m) for m in mean.tolist()]
    outline = (np.bincount(pairs[:, 0], length, n) + np.bincount(pairs[:, 1], length, n)).tolist()
    free = np.ones(n, bool) if allowed is None else allowed
    touching: list[dict[int, tuple[float, float]]] = [{} for _ in range(n)]
    usable = free[pairs].all(1)
    edges = zip(pairs[usable].tolist(), length[usable].tolist(), contrast[usable].tolist(), strict=True)
    for (a, b), along, strength in edges:
        touching[a][b] = touching[b][a] = (along, along * strength)

    def cost(a: int, b: int) -> float:
        along, strength = touching[a][b]
        (p0, p1, p2), (q0, q1, q2) = means[a], means[b]
        colour = ((p0 - q0) ** 2 + (p1 - q1) ** 2 + (p2 - q2) ** 2) ** 0.5
        small = areas[a] * areas[b] / (areas[a] + areas[b])
        neck = along / min(outline[a], outline[b])
        return (w_edge * strength / along + w_colour * colour) * small**w_area / (neck + 0.05) ** w_neck

    heap = [(cost(a, b), a, b) for a in range(n) for b in touching[a] if a < b]
    heapq.heapify(heap)
    gone: set[int] = set()
    merges: list[tuple[int, int]] = []
    while heap and n - len(merges) > stop:
        _, a, b = heapq.heappop(heap)
        if a in gone or b in gone:
            continue
        gone |= {a, b}
        new, (wa, wb) = len(areas), (areas[a], areas[b])
        merges.append((a, b))
        outline.append(outline[a] + outline[b] - 2 * touching[a][b][0])
        areas.append(wa + wb)
        means.append(tuple((p * wa + q * wb) / (wa + wb) for p, q in zip(means[a], means[b], strict=True)))
        around: dict[int, tuple[float, float]] = {}
        for old in (a, b):
            for c, (along, strength) in touching[old].items():
                if c not in (a, b):
                    before = around.get(c, (0.0, 0.0))
                    around[c] = (before[0] + along, before[1] + strength)
        touching.append(around)
        for c, shared in around.items():
            touching[c].pop(a, None)
            touching[c].pop(b, None)
            touching[c][new] = shared
            heapq.heappush(heap, (cost(new, c), new, c))
    return merges
