"""Greedy merging of patches: a tree whose every node is a region of the photo."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.perception.auto_graph import PatchGraph


@dataclass(frozen=True)
class MergeCost:
    """What makes two regions stay apart: (colour |dLab| + edge step + constant) size^growth (1 - together shared).

    Attributes:
        colour, edge: Weights of the difference of mean colours and of the mean edge along the border.
        constant: Added to both, so that size and shape count where colours do not.
        growth: Exponent of the harmonic mean of the two areas: small regions merge first.
        together: Discount for a border that is a large share of the smaller outline.
    """

    colour: float = 1.0
    edge: float = 1.2
    constant: float = 0.0
    growth: float = 0.3
    together: float = 0.0


@dataclass(frozen=True, eq=False)
class MergeTree:
    """Nodes 0..n-1 are the patches, then one per merge, in the order of merging.

    Attributes:
        members: (nodes, n) bool, the patches of each node.
        children: The two parts of each merged node; node n + k has children[k].
    """

    members: NDArray[np.bool_]
    children: list[tuple[int, int]]

    def cut(self, regions: int) -> list[int]:
        """The nodes that were left when that many regions were left."""
        n = self.members.shape[1]
        merges = max(0, min(len(self.children), len(self.children) - regions + self._roots))
        gone = {c for pair in self.children[:merges] for c in pair}
        return [k for k in range(n + merges) if k not in gone and (k >= n or self.members[k, k])]

    @property
    def _roots(self) -> int:
        n = self.members.shape[1]
        return int(self.members[np.arange(n), np.arange(n)].sum()) - len(self.children)


def merge_tree(graph: PatchGraph, cost: MergeCost, keep: NDArray[np.bool_] | None = None) -> MergeTree:
    """The tree of merges over the patches with ``keep`` (n,), all when None."""
    n = graph.n
    keep = np.ones(n, bool) if keep is None else keep
    area, colour = graph.area.tolist(), graph.lab.tolist()
    outline = np.bincount(graph.pairs.ravel(), np.repeat(graph.length, 2), n) + graph.rim
    outline = outline.tolist()
    near: list[dict[int, tuple[float, float]]] = [{} for _ in range(n)]
    for (a, b), length, step in zip(graph.pairs.tolist(), graph.length.tolist(), graph.step.tolist()):
        if keep[a] and keep[b]:
            near[a][b] = near[b][a] = (length, step * length)

    def price(a: int, b: int) -> float:
        length, steps = near[a][b]
        (la, aa, ba), (lb, ab, bb) = colour[a], colour[b]
        apart = ((la - lb) ** 2 + (aa - ab) ** 2 + (ba - bb) ** 2) ** 0.5
        size = area[a] * area[b] / (area[a] + area[b])
        shared = length / min(outline[a], outline[b])
        return (
            (cost.colour * apart + cost.edge * steps / length + cost.constant)
            * size**cost.growth
            * (1 - cost.together * shared)
        )

    heap = [(price(a, b), a, b) for a in range(n) for b in near[a] if a < b]
    heapq.heapify(heap)
    alive = [bool(k) for k in keep]
    children: list[tuple[int, int]] = []
    while heap:
        _, a, b = heapq.heappop(heap)
        if not (alive[a] and alive[b]):
            continue
        k, (length, _) = len(area), near[a][b]
        alive[a] = alive[b] = False
        alive.append(True)
        share = area[a] / (area[a] + area[b])
        colour.append([share * x + (1 - share) * y for x, y in zip(colour[a], colour[b])])
        area.append(area[a] + area[b])
        outline.append(max(outline[a] + outline[b] - 2 * length, 1.0))
        children.append((a, b))
        joined: dict[int, tuple[float, float]] = {}
        for part in (a, b):
            for other, (length, steps) in near[part].items():
                if alive[other]:
                    l0, s0 = joined.get(other, (0.0, 0.0))
                    joined[other] = (l0 + length, s0 + steps)
                    near[other].pop(part, None)
        near.append(joined)
        for other, border in joined.items():
            near[other][k] = border
            heapq.heappush(heap, (price(other, k), other, k))
    members = np.zeros((n + len(children), n), bool)
    members[np.arange(n), np.arange(n)] = keep
    for k, (a, b) in enumerate(children, start=n):
        members[k] = members[a] | members[b]
    return MergeTree(members, children)
