"""Merging of regions into objects, by how likely two neighbours are parts of one thing.

The probability is logistic in the measurements of ``NAMES``; its weights were fitted once, on photos with masks, by
``benchmarks/segmentation_auto_calibration.py``, which also prints them.

Reference: the idea of learning the order of merges is that of Nunez-Iglesias et al., "Machine Learning of
Hierarchical Clustering to Segment 2D and 3D Images", PLoS ONE 2013.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.cameras import F64
from scenemaker.perception.auto_graph import PatchGraph

# What is measured of two neighbours; "large" and "small" are the larger and the smaller of them. Lengths are shares of
# width + height, areas and positions shares of the photo, edges and colours Lab, logarithmic as log(1 + x).
NAMES = (
    "log lightness difference",
    "log chroma difference",
    "log edge along the border",
    "log colour step of the patches along the border",
    "log area of the large one",
    "log area of the small one",
    "border as share of the outline of the large one",
    "border as share of the outline of the small one",
    "higher backgroundness",
    "difference of backgroundness",
    "lower backgroundness",
    "share of the frame in the outline of the large one",
    "share of the frame in the outline of the small one",
    "both as share of their box",
    "the large one as share of its box",
    "log ratio of inner edges",
    "compactness of both",
    "compactness of the large one",
    "how much lower the small one lies",
    "sum of boxes over the common box",
    "log inner edges of the large one",
    "width of the common box",
    "height of the common box",
)
Border = tuple[float, float, float]  # length, edge x length, colour step x length


class RegionGraph:
    """Regions of one photo that merge in pairs; merged regions are appended, so that indices stay valid.

    Attributes:
        members: Per region (n,) bool, its patches.
        near: Per region, the living neighbours and the border with each.
        alive: Per region, whether it has not been merged yet.
        area, background: Per region, share of the photo and mean backgroundness.
    """

    def __init__(self, graph: PatchGraph, background: NDArray[np.floating], members: NDArray[np.bool_]) -> None:
        height, width = graph.patches.shape
        half = float(height + width)
        n, weight = len(members), members.astype(np.float64)
        of_patch = members.argmax(0)
        pixels = weight @ graph.area
        self.members: list[NDArray[np.bool_]] = list(members)
        self.area: list[float] = (pixels / (height * width)).tolist()
        self.lab: list[list[float]] = ((weight @ (graph.area[:, None] * graph.lab)) / pixels[:, None]).tolist()
        self.background: list[float] = ((weight @ (graph.area * background)) / pixels).tolist()
        self.frame: list[float] = (weight @ graph.rim / half).tolist()
        low = np.stack([np.where(m[:, None], graph.box[:, :2], np.inf).min(0) for m in members]) / (width, height)
        high = np.stack([np.where(m[:, None], graph.box[:, 2:], -np.inf).max(0) for m in members]) / (width, height)
        self.box: list[tuple[float, float, float, float]] = [tuple(b) for b in np.hstack([low, high]).tolist()]
        a, b = of_patch[graph.pairs].T
        across = a != b
        inner = np.bincount(a[~across], graph.length[~across], n)
        steps = np.bincount(a[~across], (graph.step * graph.length)[~across], n)
        self.texture: list[float] = (steps / (inner + 1e-6)).tolist()
        outline = np.bincount(a[across], graph.length[across], n) + np.bincount(b[across], graph.length[across], n)
        self.outline: list[float] = (outline / half).tolist()
        self.near: list[dict[int, Border]] = [{} for _ in range(n)]
        length = graph.length[across] / half
        borders = np.stack([length, length * graph.step[across], length * graph.colour_step[across]], 1)
        for x, y, more in zip(a[across].tolist(), b[across].tolist(), borders.tolist()):
            self.near[x][y] = self.near[y][x] = _sum(self.near[x].get(y, (0.0, 0.0, 0.0)), more)
        self.alive = [True] * n

    def measure(self, a: int, b: int) -> list[float]:
        """The values of ``NAMES`` for two neighbours."""
        length, edge, step = self.near[a][b]
        if self.area[a] < self.area[b]:
            a, b = b, a
        (la, aa, ba), (lb, ab, bb) = self.lab[a], self.lab[b]
        area, box = self.area[a] + self.area[b], _union(self.box[a], self.box[b])
        box_a, box_b, box_ab = _extent(self.box[a]), _extent(self.box[b]), _extent(box)
        outline = self.outline[a] + self.outline[b] - 2 * length
        return [
            float(np.log1p(abs(la - lb))),
            float(np.log1p(np.hypot(aa - ab, ba - bb))),
            float(np.log1p(edge / length)),
            float(np.log1p(step / length)),
            float(np.log(self.area[a])),
            float(np.log(self.area[b])),
            length / self.outline[a],
            length / (self.outline[b] + self.frame[b]),
            max(self.background[a], self.background[b]),
            abs(self.background[a] - self.background[b]),
            min(self.background[a], self.background[b]),
            self.frame[a] / (self.frame[a] + self.outline[a]),
            self.frame[b] / (self.frame[b] + self.outline[b]),
            area / box_ab,
            self.area[a] / box_a,
            float(np.log((self.texture[a] + 1) / (self.texture[b] + 1))),
            area**0.5 / (outline + 0.01),
            self.area[a] ** 0.5 / (self.outline[a] + 0.01),
            (self.box[b][1] + self.box[b][3] - self.box[a][1] - self.box[a][3]) / 2,
            (box_a + box_b) / box_ab,
            float(np.log1p(self.texture[a])),
            box[2] - box[0],
            box[3] - box[1],
        ]

    def merge(self, a: int, b: int) -> int:
        """The number of the new region made of two neighbours."""
        k, length = len(self.area), self.near[a][b][0]
        share = self.area[a] / (self.area[a] + self.area[b])
        self.area.append(self.area[a] + self.area[b])
        self.lab.append([share * x + (1 - share) * y for x, y in zip(self.lab[a], self.lab[b])])
        for values in (self.background, self.texture):
            values.append(share * values[a] + (1 - share) * values[b])
        self.frame.append(self.frame[a] + self.frame[b])
        self.outline.append(max(self.outline[a] + self.outline[b] - 2 * length, 1e-9))
        self.box.append(_union(self.box[a], self.box[b]))
        self.members.append(self.members[a] | self.members[b])
        self.alive[a] = self.alive[b] = False
        self.alive.append(True)
        joined: dict[int, Border] = {}
        for part in (a, b):
            for other, border in self.near[part].items():
                if self.alive[other]:
                    joined[other] = _sum(joined.get(other, (0.0, 0.0, 0.0)), border)
                    self.near[other].pop(part, None)
        self.near.append(joined)
        for other, border in joined.items():
            self.near[other][k] = border
        return k


Likelihood = Callable[[RegionGraph, Sequence[tuple[int, int]]], F64]


def merge_likely(regions: RegionGraph, likelihood: Likelihood, least: float) -> None:
    """Merge the likeliest pair (k pairs -> (k,) probabilities) until none is as likely as ``least``."""
    heap: list[tuple[float, int, int]] = []

    def offer(pairs: list[tuple[int, int]]) -> None:
        if pairs:
            for p, (a, b) in zip(likelihood(regions, pairs).tolist(), pairs):
                if p >= least:
                    heapq.heappush(heap, (-p, a, b))

    offer([(a, b) for a, near in enumerate(regions.near) for b in near if a < b])
    while heap:
        _, a, b = heapq.heappop(heap)
        if regions.alive[a] and regions.alive[b]:
            k = regions.merge(a, b)
            offer([(other, k) for other in regions.near[k]])


def one_thing(regions: RegionGraph, pairs: Sequence[tuple[int, int]]) -> F64:
    """(k,) probability that two neighbours are parts of one thing, with the fitted weights."""
    from scenemaker.perception.auto_weights import BIAS, MEAN, SPREAD, WEIGHT

    return logistic(np.array([regions.measure(a, b) for a, b in pairs]), np.array([BIAS, *WEIGHT]), MEAN, SPREAD)


def logistic(measured: F64, weights: F64, mean: Sequence[float], spread: Sequence[float]) -> F64:
    """(k,) probability from measurements (k, f) and f + 1 weights, the constant first."""
    standard = np.clip((measured - np.asarray(mean)) / np.asarray(spread), -3, 3)
    return 1 / (1 + np.exp(-(weights[0] + standard @ weights[1:])))


def _sum(a: Border, b: Sequence[float]) -> Border:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _union(
    a: tuple[float, float, float, float], b: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _extent(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
