"""Regions that may be objects, and what tells whether they are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.perception.auto_graph import F32, PatchGraph
from scenemaker.perception.auto_tree import MergeCost, MergeTree, merge_tree

Members = NDArray[np.bool_]

SMALLEST, LARGEST = 0.0015, 0.5  # shares of the photo
BY_COLOUR = MergeCost()
BY_SHAPE = MergeCost(constant=30.0, growth=0.5, together=1.0)
LIMITS = (0.2, 0.5, 0.8)  # backgroundness above which patches are left out
COMBINED = 24  # regions of a cut that are tried in groups
CHUNK = 256


def candidates(graph: PatchGraph, tree: MergeTree, background: F32) -> Members:
    """(m, n) bool, the patches of every region that may be an object, each once."""
    found = [tree.members]
    for limit in LIMITS:
        for cost in (BY_COLOUR, BY_SHAPE):
            part = merge_tree(graph, cost, background < limit)
            found.append(part.members)
            if cost is BY_SHAPE:
                for regions in (COMBINED // 2, COMBINED):
                    found.append(_groups(graph, part, regions))
    members = np.concatenate(found)
    share = members.astype(np.float32) @ graph.area / graph.area.sum()
    members = members[(share > SMALLEST) & (share < LARGEST)]
    _, first = np.unique(np.packbits(members, axis=1), axis=0, return_index=True)
    return members[np.sort(first)]


def _groups(graph: PatchGraph, tree: MergeTree, regions: int) -> Members:
    """Pairs, triples and fours of neighbouring regions of a cut of the tree."""
    nodes = tree.cut(regions)
    share = tree.members[nodes].astype(np.float32) @ graph.area / graph.area.sum()
    nodes = [node for node, s in zip(nodes, share) if s > SMALLEST / 2]
    parts = tree.members[nodes]
    of_patch = np.full(graph.n, -1)
    for k, part in enumerate(parts):
        of_patch[part] = k
    a, b = of_patch[graph.pairs].T
    near: list[set[int]] = [set() for _ in nodes]
    for x, y in zip(a.tolist(), b.tolist()):
        if x != y and x >= 0 and y >= 0:
            near[x].add(y)
            near[y].add(x)
    groups = {frozenset((x,)) for x in range(len(nodes))}
    out: set[frozenset[int]] = set()
    for _ in range(3):
        groups = {g | {y} for g in groups for x in g for y in near[x] if y not in g}
        out |= groups
        if len(out) > 1500:
            break
    ordered = sorted(tuple(sorted(g)) for g in out)[:2500]
    if not ordered:
        return np.zeros((0, graph.n), bool)
    return np.stack([parts[list(g)].any(0) for g in ordered])


def features(graph: PatchGraph, background: F32, members: Members) -> F32:
    """(m, f) measurements of every region; see ``NAMES``."""
    return np.concatenate([_features(graph, background, members[k : k + CHUNK]) for k in range(0, len(members), CHUNK)])


NAMES = (
    "log_area", "edge", "colour_edge", "weak_outline", "outside_background", "inside_background", "rim",
    "compact", "box_fill", "inside_edge", "aspect", "colour_spread", "middle_y", "bottom_y", "hull_fill",
    "edge_ratio", "weakest_background","strong_inside","tall",
)


def _features(graph: PatchGraph, background: F32, members: Members) -> F32:
    inside = members.astype(np.float32)
    h, w = graph.patches.shape
    a, b = graph.pairs.T
    ina, inb = members[:, a], members[:, b]
    outline = (ina ^ inb).astype(np.float32)  # (m, e)
    inner = (ina & inb).astype(np.float32)
    area, rim = inside @ graph.area, inside @ graph.rim
    border = outline @ graph.length + 1e-3
    inner_length = inner @ graph.length + 1
    step = np.minimum(graph.step, 30)
    colour = np.minimum(graph.colour_step, 60)
    edge = outline @ (graph.length * step) / border
    colour_edge = outline @ (graph.length * colour) / border
    weak = outline @ (graph.length * (colour < 6)) / border
    outer = np.where(ina, background[b], background[a])
    outside_bg = (outline * outer) @ graph.length / border
    inside_edge = inner @ (graph.length * step) / inner_length
    strong = inner @ (graph.length * (colour > 15)) / inner_length
    mean = inside @ (graph.area[:, None] * graph.lab) / area[:, None]
    square = inside @ (graph.area * (graph.lab**2).sum(1)) / area
    spread = np.sqrt(np.maximum(square - (mean**2).sum(1), 0))
    big = np.float32(1e6)
    x0, y0 = (np.where(members, graph.box[:, c], big).min(1) for c in (0, 1))
    x1, y1 = (np.where(members, graph.box[:, c], -big).max(1) for c in (2, 3))
    toward_bg = (outline * outer) @ (graph.length * colour) / np.maximum((outline * outer) @ graph.length, 1)
    return np.stack(
        [
            np.log(area / (h * w)),
            edge,
            colour_edge,
            weak,
            outside_bg,
            inside @ (graph.area * background) / area,
            rim / (rim + border),
            np.sqrt(area) * 4 / (border + rim),
            area / ((x1 - x0) * (y1 - y0)),
            inside_edge,
            np.log((x1 - x0) / (y1 - y0)),
            spread,
            (y0 + y1) / (2 * h),
            y1 / h,
            area / _hull_areas(graph, members),
            np.log((edge + 1) / (inside_edge + 1)),
            toward_bg,
            strong,
            (y1 - y0) / h,
        ],
        1,
    ).astype(np.float32)


def _hull_areas(graph: PatchGraph, members: Members) -> F32:
    """(m,) area of the convex hull, from the corners of the patches' boxes."""
    corners = graph.box[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    return np.array(
        [max(cv2.contourArea(cv2.convexHull(corners[row].reshape(-1, 2))), 1.0) for row in members], np.float32
    )
