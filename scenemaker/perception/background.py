"""How much each piece of a photo belongs to what runs out of the picture: walls, floor, sky."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenemaker.perception.superpixels import Pieces

REACH = 12.0  # accumulated colour steps (Lab) over which pieces still count as one surface
BY_COLOUR = (2.0, 0.0)  # step that counts as none, and the share of edge contrast in a step
BY_EDGES = (4.0, 0.5)


def boundary_connectivity(pieces: Pieces, variant: tuple[float, float]) -> NDArray[np.float64]:
    """(n,) length of the photo's border that the surface around each piece covers, over the root of its area.

    Near 0 for an object inside of the picture, 2 for a disc cut in half by the border, above for walls and floor.

    Reference: Zhu, Liang, Wei and Sun, "Saliency Optimization from Robust Background Detection", CVPR 2014, eq. 2-4;
    here pieces have unequal areas, small steps count as none (shading), and a share of a step may be edge contrast.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import dijkstra

    free, share = variant
    n = len(pieces)
    a, b = pieces.pairs.T
    step = np.linalg.norm(pieces.mean[a] - pieces.mean[b], axis=1)
    step = np.maximum(step * (1 - share) + share * pieces.contrast - free, 0) + 1e-3
    # Pieces on the border of the photo touch one another outside of it.
    at = np.flatnonzero(pieces.border)
    i, j = (at[k] for k in np.triu_indices(len(at), 1))
    outside = np.maximum(np.linalg.norm(pieces.mean[i] - pieces.mean[j], axis=1) - free, 0) + 1e-3
    key = np.r_[a * n + b, i * n + j]
    value = np.r_[step, outside]
    order = np.lexsort((value, key))
    key, value = key[order], value[order]
    first = np.r_[True, key[1:] != key[:-1]]
    graph = coo_matrix((value[first], np.divmod(key[first], n)), shape=(n, n)).tocsr()
    same = np.exp(-((dijkstra(graph, directed=False) / REACH) ** 2) / 2)
    return (same @ pieces.border) / np.sqrt(same @ pieces.area)
