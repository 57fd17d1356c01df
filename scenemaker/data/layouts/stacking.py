"""What can carry another object: a flat, level top, found by looking at the mesh from above.

Reference: I-Scene, arXiv 2512.13683, appendix: "we slice the table mesh just below its top to extract the top
polygon, use its centroid as the anchor, and choose a scale that fits inside based on the distance to the nearest
edge". Here the polygon is a grid of rays cast straight down, the anchor is the centre of the largest disc inside it
(of several, the one nearest to the centroid), and the nearest edge is that disc's radius. For a slice of a mesh of the
wild is seldom a closed polygon, a slice below a rounded top is larger than what is flat, and the centroid of an L or
of a ring lies where nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster

CELLS = 64  # along the longer side of the footprint
FLAT = 1e-3  # of the longest side of the object: what lies lower than this below its highest point is not its top


@dataclass(frozen=True, eq=False, kw_only=True)
class Top:
    """The largest level disc on top of an object, in ``obj``.

    Attributes:
        anchor_obj: (3,) its centre, at the height of the highest vertex.
        radius: Of the disc; 0 where there is no top.
    """

    anchor_obj: F64
    radius: float


_tops: WeakKeyDictionary[Mesh, Top] = WeakKeyDictionary()


def top_of(mesh: Mesh) -> Top:
    """The flat top of a mesh in ``obj`` when it stands upright; kept for as long as the mesh lives."""
    if mesh not in _tops:
        _tops[mesh] = _find_top(mesh)
    return _tops[mesh]


def _find_top(mesh: Mesh) -> Top:
    from scipy.ndimage import distance_transform_edt

    low, high = mesh.bounds
    none = Top(anchor_obj=np.array([0.0, high[1], 0.0]), radius=0.0)
    cell = float((high - low)[[0, 2]].max()) / CELLS
    if cell <= 0:
        return none
    nx, nz = (np.maximum(np.ceil((high - low)[[0, 2]] / cell - 1e-9), 1)).astype(int)
    x, z = low[0] + (np.arange(nx) + 0.5) * cell, low[2] + (np.arange(nz) + 0.5) * cell
    above = high[1] + 0.1
    origins = np.stack(np.broadcast_arrays(x[:, None], above, z[None, :]), -1).reshape(-1, 3)
    hits = RayCaster([mesh]).cast(origins, np.broadcast_to([0.0, -1.0, 0.0], origins.shape))
    height = (above - hits.distance).reshape(nx, nz)
    top = np.pad(height >= high[1] - FLAT * (high - low).max(), 1)  # beyond the footprint there is nothing
    if not top.any():
        return none
    to_edge = np.asarray(distance_transform_edt(top))[1:-1, 1:-1]  # in cells, to the nearest cell centre off the top
    inner = np.argwhere(to_edge >= to_edge.max() - 0.5)  # of a long top many discs are the largest: the middle one
    i, k = inner[((inner - np.argwhere(top[1:-1, 1:-1]).mean(0)) ** 2).sum(1).argmin()]
    radius = max(float(to_edge[i, k]) - np.sqrt(2), 0.0) * cell  # the edge may lie anywhere within the last cell
    return Top(anchor_obj=np.array([x[i], high[1], z[k]]), radius=radius)
