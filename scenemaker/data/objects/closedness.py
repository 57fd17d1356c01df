"""How far a mesh is from being the boundary of a solid, as its author left it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenemaker.data.objects.edges import parts, weld
from scenemaker.geometry.mesh import Mesh


@dataclass(frozen=True, kw_only=True)
class Closedness:
    """Counts after vertices at one place have become one.

    Attributes:
        faces: Faces that did not collapse.
        edges: Edges.
        boundary_edges: On one face only.
        nonmanifold_edges: On three faces or more.
        turned_edges: On two faces that turn opposite ways, so that one of them is inside out.
        double_faces: Faces with the same corners as an earlier one.
        parts: Connected over edges.
        watertight: Every edge is on two faces that turn the same way.
        volume: Signed, in units of the mesh; means something for a watertight one.
    """

    faces: int
    edges: int
    boundary_edges: int
    nonmanifold_edges: int
    turned_edges: int
    double_faces: int
    parts: int
    watertight: bool
    volume: float

    @property
    def manifold_share(self) -> float:
        """Share of the edges that are on two faces."""
        return 1 - (self.boundary_edges + self.nonmanifold_edges) / self.edges


def closedness(mesh: Mesh) -> Closedness:
    """Counts that tell whether a mesh is watertight, and what is missing.

    Raises:
        InputError: All faces are degenerate.
    """
    welded = weld(mesh)
    uses = welded.uses
    turned = int((~welded.pairs[2]).sum())
    corners = np.sort(welded.faces, axis=1)
    boundary, branching = int((uses == 1).sum()), int((uses > 2).sum())
    whole = np.zeros(len(welded.faces), np.int64)
    return Closedness(
        faces=len(welded.faces),
        edges=len(welded.edges),
        boundary_edges=boundary,
        nonmanifold_edges=branching,
        turned_edges=turned,
        double_faces=len(corners) - len(np.unique(corners, axis=0)),
        parts=int(parts(welded).max()) + 1,
        watertight=not (boundary or branching or turned),
        volume=float(welded.volumes(whole, 1)[0]),
    )
