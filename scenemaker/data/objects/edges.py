"""How the triangles of a mesh hang together: welded vertices, edges, manifold patches, connected parts.

Meshes of the wild repeat vertices for colours and uv; what is connected shows only after those at one place are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import Bool

I64 = NDArray[np.int64]
WELD = 1e-6  # of the longest side: vertices closer than this are one
SHARP_DEG = 30.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Welded:
    """A mesh whose vertices at one place are one; faces that collapse by that are gone.

    Attributes:
        vertices: (n, 3).
        faces: (m, 3).
    """

    vertices: F64
    faces: I64

    @cached_property
    def _sides(self) -> tuple[I64, I64, Bool]:
        f = self.faces
        sides = np.stack([f, np.roll(f, -1, 1)], 2).reshape(-1, 2)  # (3 m, 2) side k of face i is row 3 i + k
        forward = sides[:, 0] < sides[:, 1]
        low, high = sides.min(1), sides.max(1)
        code, edge = np.unique(low * len(self.vertices) + high, return_inverse=True)
        edges = np.stack(np.divmod(code, len(self.vertices)), 1)
        return edges, edge.reshape(-1, 3), forward.reshape(-1, 3)

    @property
    def edges(self) -> I64:
        """(e, 2) vertices of every edge, the lower index first."""
        return self._sides[0]

    @property
    def edge(self) -> I64:
        """(m, 3) edge on side k of a face, from its corner k to the next."""
        return self._sides[1]

    @property
    def forward(self) -> Bool:
        """(m, 3) whether the side runs from the lower to the higher vertex."""
        return self._sides[2]

    @cached_property
    def uses(self) -> I64:
        """(e,) how many sides lie on each edge: 1 is a boundary, 2 is manifold, more is not."""
        return np.bincount(self.edge.ravel(), minlength=len(self.edges))

    @cached_property
    def area_vectors(self) -> F64:
        """(m, 3) normal of each face, as long as its area."""
        a, b, c = np.moveaxis(self.vertices[self.faces], 1, 0)
        return np.cross(b - a, c - a) / 2

    @cached_property
    def areas(self) -> F64:
        """(m,)."""
        return np.linalg.norm(self.area_vectors, axis=1)

    @cached_property
    def normals(self) -> F64:
        """(m, 3) unit normals, zero for a face without area."""
        return self.area_vectors / np.maximum(self.areas, 1e-30)[:, None]

    @cached_property
    def pairs(self) -> tuple[I64, I64, Bool]:
        """Faces (k,) and (k,) at both sides of every manifold edge, and whether both turn the same way (k,)."""
        order = np.argsort(self.edge.ravel(), kind="stable")
        start = np.concatenate([[0], np.cumsum(self.uses)])[:-1][self.uses == 2]
        one, two = order[start], order[start + 1]
        return one // 3, two // 3, self.forward.ravel()[one] != self.forward.ravel()[two]

    def volumes(self, group: I64, n: int) -> F64:
        """(n,) signed volume of each group of faces (m,), by the divergence theorem about the middle of the mesh."""
        centre = self.vertices.mean(0)
        sixfold = np.einsum("ij,ij->i", self.vertices[self.faces[:, 0]] - centre, self.area_vectors)
        return np.bincount(group, sixfold, n) / 3

    def closed(self, group: I64, n: int) -> Bool:
        """(n,) whether each group of faces (m,) has no boundary: along every edge as many sides run back as forth."""
        code = group[:, None] * len(self.edges) + self.edge
        unique, which = np.unique(code, return_inverse=True)
        balance = np.bincount(which.ravel(), np.where(self.forward, 1.0, -1.0).ravel(), len(unique))
        return np.bincount(unique[balance != 0] // len(self.edges), minlength=n) == 0


def weld(mesh: Mesh) -> Welded:
    """The mesh with one vertex per place, to ``WELD`` of its longest side.

    Raises:
        InputError: No face is left.
    """
    lo, size = mesh.bounds[0], float(mesh.extents.max())
    cells = np.round((mesh.vertices - lo) / max(size * WELD, 1e-300)).astype(np.int64)  # below 2^21 each
    _, first, new = np.unique((cells[:, 0] << 42) + (cells[:, 1] << 21) + cells[:, 2], True, True)
    f = new.reshape(-1)[mesh.faces]
    f = f[(f[:, 0] != f[:, 1]) & (f[:, 1] != f[:, 2]) & (f[:, 2] != f[:, 0])]
    if not len(f):
        raise InputError(expected("a mesh with an area", got="only degenerate faces", remedy="check the file"))
    return Welded(vertices=mesh.vertices[first].astype(np.float64), faces=f.astype(np.int64))


def patches(mesh: Welded) -> tuple[I64, Bool]:
    """Patch of each face (m,), connected over manifold edges, and whether the face is turned against its patch (m,).

    Faces of a patch that are turned where this says so all turn the same way; the greater area of a patch stays as it
    is. A patch with one side only (a Moebius strip) has no such way and stays whole as it is.

    Reference: connected components of the orientation double cover: each face twice, once per way to turn it.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    m = len(mesh.faces)
    one, two, same = mesh.pairs
    i = np.concatenate([one, one + m])
    j = np.concatenate([np.where(same, two, two + m), np.where(same, two + m, two)])
    cover = connected_components(coo_matrix((np.ones(len(i), np.int8), (i, j)), (2 * m, 2 * m)), directed=False)[1]
    as_is, turned = cover[:m], cover[m:]
    _, patch = np.unique(np.minimum(as_is, turned), return_inverse=True)
    against = as_is > turned
    n = int(patch.max()) + 1
    wrong = np.bincount(patch, mesh.areas * against, n) > np.bincount(patch, mesh.areas * ~against, n)
    return patch.astype(np.int64), (against ^ wrong[patch]) & (as_is != turned)


def parts(mesh: Welded) -> I64:
    """(m,) connected part of each face, over edges of any kind."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    m = len(mesh.faces)
    face = np.repeat(np.arange(m), 3)
    incidence = coo_matrix((np.ones(3 * m, np.int8), (face, m + mesh.edge.ravel())), (m + len(mesh.edges),) * 2)
    label = connected_components(incidence, directed=False)[1][:m]
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def sharp_edges(mesh: Welded, angle_deg: float = SHARP_DEG) -> tuple[I64, F64]:
    """Edges (k,) where the surface is creased by more than an angle, ends or branches, and unit normals (k, 3) there.

    The normal is the mean of the faces'; where they cancel (a folded sheet) it is that of the first.
    """
    one, two, same = mesh.pairs
    sign = np.where(same, 1.0, -1.0)
    creased = (mesh.normals[one] * mesh.normals[two]).sum(1) * sign < np.cos(np.radians(angle_deg))
    manifold = np.flatnonzero(mesh.uses == 2)[creased]
    chosen = np.union1d(manifold, np.flatnonzero(mesh.uses != 2))
    total = np.zeros((len(mesh.edges), 3))
    for k in range(3):
        np.add.at(total, mesh.edge[:, k], mesh.normals)
    order = np.argsort(mesh.edge.ravel(), kind="stable")
    first = mesh.normals[order[np.concatenate([[0], np.cumsum(mesh.uses)[:-1]])] // 3]
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals = np.where(length > 1e-6, total / np.maximum(length, 1e-12), first)
    return chosen, normals[chosen]
