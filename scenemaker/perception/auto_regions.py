"""From patches to the regions that are shown to the user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.perception.auto_background import backgroundness
from scenemaker.perception.auto_graph import PatchGraph
from scenemaker.perception.auto_merge import RegionGraph, merge_likely, one_thing
from scenemaker.perception.auto_tree import MergeCost, merge_tree

PATCHES_TO_REGIONS = MergeCost(constant=3.0, growth=0.3, together=0.5)
REGIONS = 60  # left of the patches before objects are looked for
BACKGROUND = 0.95  # mean backgroundness from which a region is wall or floor
LARGEST = 0.6  # share of the photo from which a region is wall or floor


@dataclass(frozen=True, eq=False)
class Region:
    """One object as it was found.

    Attributes:
        patches: (n,) bool.
        score: One minus its backgroundness.
    """

    patches: NDArray[np.bool_]
    score: float


def start_regions(graph: PatchGraph) -> RegionGraph:
    """The small regions that objects are made of."""
    background = backgroundness(graph, merge_tree(graph, MergeCost()))
    tree = merge_tree(graph, PATCHES_TO_REGIONS)
    return RegionGraph(graph, background, tree.members[tree.cut(REGIONS)])


def find_regions(graph: PatchGraph, least: float, most: int, min_area: float) -> list[Region]:
    """The objects, largest first.

    Args:
        graph: The photo.
        least: Neighbours that are parts of one thing with at least that probability are merged.
        most: Number of regions that are kept.
        min_area: Share of the photo below which a region is left out.
    """
    regions = start_regions(graph)
    merge_likely(regions, one_thing, least)
    kept = [
        k
        for k, alive in enumerate(regions.alive)
        if alive and regions.background[k] < BACKGROUND and min_area <= regions.area[k] < LARGEST
    ]
    kept.sort(key=lambda k: (-regions.area[k], k))
    return [Region(regions.members[k], 1 - regions.background[k]) for k in kept[:most]]
