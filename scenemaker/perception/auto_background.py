"""How much each patch of a photo belongs to walls and floor."""

from __future__ import annotations

import numpy as np

from scenemaker.perception.auto_graph import F32, PatchGraph
from scenemaker.perception.auto_tree import MergeTree

FREE_STEP = 2.0  # Lab; smaller steps between regions cost nothing


def backgroundness(graph: PatchGraph, tree: MergeTree, regions: int = 300, reach: float = 8.0) -> F32:
    """(n,) how much each patch belongs to what runs along the frame of the picture, in [0, 1].

    Colours of a wall or floor drift slowly, so a region spreads over weak steps (geodesic distance) as far as
    ``reach`` in Lab; how long the frame is under that spread, against the root of its area, tells background.

    Reference: Zhu, Liang, Wei and Sun, "Saliency Optimization from Robust Background Detection", CVPR 2014, eq. 1-5.
    """
    nodes = tree.cut(regions)
    of_patch = np.zeros(graph.n, np.int64)
    for k, node in enumerate(nodes):
        of_patch[tree.members[node]] = k
    m = len(nodes)
    area = np.bincount(of_patch, graph.area, m)
    lab = np.stack([np.bincount(of_patch, graph.area * graph.lab[:, c], m) / area for c in range(3)], 1)
    rim = np.bincount(of_patch, graph.rim, m)
    a, b = of_patch[graph.pairs].T
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    far = np.full((m, m), 1e6)
    far[a, b] = far[b, a] = apart[a, b]
    at_rim = rim > 0
    # Regions along the frame see each other directly: one wall is often cut in two by an object.
    far[np.ix_(at_rim, at_rim)] = apart[np.ix_(at_rim, at_rim)]
    far = np.maximum(far - FREE_STEP, 0)
    np.fill_diagonal(far, 0)
    for k in range(m):
        np.minimum(far, far[:, k : k + 1] + far[k : k + 1], out=far)
    like = np.exp(-(far**2) / (2 * reach**2))
    connectivity = (like @ rim) / np.sqrt(np.maximum(like @ area, 1))
    return (1 - np.exp(-(connectivity**2) / 2)).astype(np.float32)[of_patch]
