"""The inside of a mesh of the wild: not closed, of many parts that overlap, some turned inside out.

Convention: everything is in the frame of the mesh. A point is inside where the generalised winding number exceeds 1/2
in magnitude (Jacobson et al. 2013; evaluated as in Barill et al. 2018). So the hollow under a dome without a floor is
inside: what slips in there would vanish in what looks solid.
"""

from __future__ import annotations

import atexit
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import BackendNotInstalledError, InputError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import Bool

_solids: WeakKeyDictionary[Mesh, Solid] = WeakKeyDictionary()
atexit.register(_solids.clear)  # libigl prints a warning for every tree that outlives it
STEP = 1e-4  # of the longest side: how far from a face its two sides are looked at


def solid_of(mesh: Mesh) -> Solid:
    """The ``Solid`` of a mesh; made once and kept for as long as the mesh lives."""
    if mesh not in _solids:
        _solids[mesh] = Solid(mesh)
    return _solids[mesh]


class Solid:
    """Answers whether points are inside of a mesh, and how far they are from its surface.

    Attributes:
        vertices: (n, 3) welded.
        faces: (m, 3) without degenerate ones; parts that are closed face outwards, but for the walls of cavities.
        bounds: (2, 3).
    """

    def __init__(self, mesh: Mesh) -> None:
        """Welds the mesh and turns its parts outwards.

        Raises:
            InputError: A mesh without a face of some area.
            BackendNotInstalledError: libigl is missing.
        """
        self._igl = _libigl()
        vertices, weld = np.unique(mesh.vertices.astype(np.float64), axis=0, return_inverse=True)
        faces = weld.reshape(-1)[mesh.faces].astype(np.int64)
        a, b, c = vertices[faces].transpose(1, 0, 2)
        faces = faces[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 0]
        if not len(faces):
            raise InputError(expected("a mesh with an area", got="only degenerate faces", remedy="check the file"))
        self.vertices = vertices
        self.parts = components(faces, len(vertices))
        self.faces = _outwards(self._igl, vertices, faces, self.parts)
        self.bounds = np.stack([vertices.min(0), vertices.max(0)])
        self._winding = self._igl.FastWindingNumberBVH()
        self._winding.init(self.vertices, self.faces)
        self._surface = _tree(self._igl, self.vertices, self.faces)
        self._skin: tuple[NDArray[np.int64], Any] | None = None

    def inside(self, points: F64) -> Bool:
        """(n,) whether points (n, 3) are inside."""
        out = np.zeros(len(points), bool)
        near = np.flatnonzero(((points > self.bounds[0]) & (points < self.bounds[1])).all(1))
        if len(near):
            out[near] = np.abs(self._winding.winding_number(np.ascontiguousarray(points[near]))) > 0.5
        return out

    def distance(self, points: F64) -> F64:
        """(n,) distance of points (n, 3) to the surface, inner walls included."""
        squared, _, _ = self._surface.squared_distance(self.vertices, self.faces, np.ascontiguousarray(points))
        return np.sqrt(squared)

    def depth(self, points: F64) -> F64:
        """(n,) how deep points (n, 3) lie inside: their distance to the outer skin; 0 for points outside."""
        out = np.zeros(len(points))
        within = np.flatnonzero(self.inside(points))
        if len(within):
            faces, tree = self._outer()
            squared, _, _ = tree.squared_distance(self.vertices, faces, np.ascontiguousarray(points[within]))
            out[within] = np.sqrt(squared)
        return out

    def _outer(self) -> tuple[NDArray[np.int64], Any]:
        """The faces that are not buried: joined parts overlap, and a wall inside of another part bounds nothing."""
        if self._skin is None:
            a, b, c = self.vertices[self.faces].transpose(1, 0, 2)  # (m, 3)
            normal = np.cross(b - a, c - a)
            normal *= STEP * (self.bounds[1] - self.bounds[0]).max() / np.linalg.norm(normal, axis=1, keepdims=True)
            middle = (a + b + c) / 3
            spots = np.stack([middle, *(0.9 * corner + 0.1 * middle for corner in (a, b, c))], 1)  # (m, 4, 3)
            sides = np.concatenate([spots + normal[:, None], spots - normal[:, None]], 1)  # (m, 8, 3)
            buried = self.inside(sides.reshape(-1, 3)).reshape(-1, 8).all(1)
            faces = self.faces if buried.all() else self.faces[~buried]
            self._skin = faces, _tree(self._igl, self.vertices, faces)
        return self._skin


def components(faces: NDArray[np.int64], n_vertices: int) -> NDArray[np.int64]:
    """(m,) part of each face; faces that share a vertex are of one part."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    rows, columns = edges.T.astype(np.int32)
    graph = coo_matrix((np.ones(len(edges), bool), (rows, columns)), shape=(n_vertices, n_vertices))
    _, of_vertex = connected_components(graph, directed=False)
    return np.unique(of_vertex[faces[:, 0]], return_inverse=True)[1].reshape(-1).astype(np.int64)


def _outwards(igl: ModuleType, vertices: F64, faces: NDArray[np.int64], parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turns parts of negative volume, unless they lie inside of the others: then they are the walls of a cavity."""
    triangles = vertices[faces]
    n = int(parts.max()) + 1
    count = np.bincount(parts, minlength=n)
    centre = np.stack([np.bincount(parts, triangles.mean(1)[:, k], minlength=n) for k in range(3)], 1) / count[:, None]
    a, b, c = (triangles - centre[parts][:, None]).transpose(1, 0, 2)
    volume = np.bincount(parts, np.einsum("ij,ij->i", a, np.cross(b, c)), minlength=n)
    negative = volume < 0
    if not negative.any():
        return faces
    if not negative.all():
        turned = negative[parts]
        others, at = np.ascontiguousarray(faces[~turned]), np.ascontiguousarray(triangles[turned].mean(1))
        free = igl.fast_winding_number(vertices, others, at) < 0.5  # one such face, and the part is no cavity
        negative &= np.bincount(parts[turned][free], minlength=n) > 0
    return np.where(negative[parts][:, None], faces[:, ::-1], faces)


def _tree(igl: ModuleType, vertices: F64, faces: NDArray[np.int64]) -> Any:
    tree = igl.AABB()
    tree.init(vertices, faces)
    return tree


def _libigl() -> ModuleType:
    try:
        import igl
    except ImportError as error:
        remedy = 'type: pip install "scenemaker[data]"'
        raise BackendNotInstalledError(expected("libigl", got="it is not installed", remedy=remedy)) from error
    return igl


__all__ = ["Solid", "components", "solid_of"]
