"""Overlap of volumes: of solids, of filled voxels, of voxels on the surface."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.evaluation.measures.boxes import bounds_of
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh

Bool = NDArray[np.bool_]
Cells = NDArray[np.int64]
LAYERS = 256  # surfaces that a ray is followed through; a column with more does not vote
PART = 40_000  # voxels that a part of a surface covers which is looked at together
STEP = 1e-5  # of the box, from one surface to where the next is looked for


def volume_iou(a: Mesh, b: Mesh, *, resolution: int = 64) -> float | None:
    """IoU of two solids in [0, 1], on ``resolution`` cells per side of the box around both; see ``solid_iou``."""
    return solid_iou(Solid(a), Solid(b), resolution=resolution)


def solid_iou(
    a: Solid,
    b: Solid,
    S_frame_a: ArrayLike | None = None,
    S_frame_b: ArrayLike | None = None,
    *,
    resolution: int = 64,
) -> float | None:
    """IoU of two solids in [0, 1], on ``resolution`` cells per side of the box around both in a common frame.

    Error with 64 cells, against closed forms: boxes 0.011 at most and 0.003 on average, balls 0.0014 and 0.0004; it
    falls with the cell size and grows with surface over volume. Time: 0.03-0.1 s for two solids of up to 30,000 faces
    and 0.5 s for two of 328,000, most of which is ``Solid``; 0.02 s when they are asked again elsewhere.

    Args:
        a: One solid.
        b: The other.
        S_frame_a: (4, 4) that places it in the common frame; none leaves it as it is.
        S_frame_b: (4, 4) of the other.
        resolution: Cells per side.

    Returns:
        None when one of them encloses no cell centre even of a grid over its own box: a sheet.
    """
    placed = [(s, np.eye(4) if S is None else np.asarray(S, np.float64)) for s, S in ((a, S_frame_a), (b, S_frame_b))]
    bounds = np.stack([solid.bounds(S) for solid, S in placed])
    low, high = bounds[:, 0].min(0), bounds[:, 1].max(0)
    found = []
    for solid, S in placed:
        cells = solid.inside(transforms.invert(S) @ box_map(low, high), resolution)
        if not cells.any() and not solid.inside(box_map(*solid.bounds()), resolution).any():
            return None
        found.append(cells)
    union = int((found[0] | found[1]).sum())
    return float((found[0] & found[1]).sum() / union) if union else 0.0


def box_map(low: ArrayLike, high: ArrayLike) -> F64:
    """(4, 4) affine map of the unit cube [0, 1]^3 onto a box, given by its lowest (3,) and highest (3,) corner."""
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    return transforms.similarity(np.eye(3), low, high - low)


class Solid:
    """What a mesh encloses. The search tree is built once, however often and in whatever places it is asked."""

    def __init__(self, mesh: Mesh) -> None:
        """Builds the tree, over the mesh scaled to [0, 1] along every axis: Embree computes in float32."""
        from scenemaker.geometry.raycast import RayCaster

        low, high = mesh.bounds
        self._vertices = mesh.vertices
        self._S_own_mesh = transforms.invert(box_map(low, np.where(high > low, high, low + 1)))
        own = mesh.transformed(self._S_own_mesh)
        self._caster = RayCaster([own])
        a, b, c = np.moveaxis(own.triangles, 1, 0)
        self._normals = np.cross(b - a, c - a)

    def bounds(self, S_frame_mesh: ArrayLike | None = None) -> F64:
        """(2, 3) lowest and highest corner of the box along the axes of a frame that the mesh is placed in."""
        S = np.eye(4) if S_frame_mesh is None else S_frame_mesh
        return bounds_of(transforms.apply(S, self._vertices))

    def inside(self, S_mesh_grid: ArrayLike, resolution: int = 64) -> Bool:
        """(r, r, r) whether the cell centres of a grid lie inside; ``S_mesh_grid`` (4, 4) maps [0, 1]^3 onto its box.

        Along each axis one ray per column counts the surfaces it enters and leaves. Parts may overlap or lie in each
        other: inside is where the count is not zero. A column that enters as often as it leaves votes; one that does
        not, but meets an even number of surfaces, votes by parity (faces turned the wrong way); any other ran through
        a hole and is silent. Most votes win, so that a box without a bottom is still solid and a sheet is not; a bowl
        of one wall counts as filled.
        """
        S_own_grid = self._S_own_mesh @ np.asarray(S_mesh_grid, np.float64)
        balance = np.zeros((resolution,) * 3, np.int8)
        if np.linalg.det(S_own_grid[:3, :3]) == 0:
            return balance > 0  # a flat grid
        for axis in range(3):
            vote = self._columns(S_own_grid, axis, resolution)  # (r, r, r), the axis last
            balance += np.moveaxis(vote, -1, axis)
        return balance > 0

    def _columns(self, S_own_grid: F64, axis: int, r: int) -> NDArray[np.int8]:
        """(r, r, r) votes +1 (inside), -1 or 0 of columns along one axis of the grid, that axis last."""
        corners = transforms.apply(transforms.invert(S_own_grid), np.indices((2, 2, 2)).reshape(3, 8).T)
        centre = (np.arange(r) + 0.5) / r
        origin = np.insert(np.stack(np.meshgrid(centre, centre, indexing="ij"), -1).reshape(-1, 2), axis, 0.0, axis=1)
        at = np.full(r * r, min(0.0, float(corners[:, axis].min())) - 0.01)  # along the rays, in sides of the grid
        winding, parity = np.zeros((2, r * r, r + 1), np.int32)
        direction = S_own_grid[:3, axis]
        rays = np.arange(r * r)
        for _ in range(LAYERS):
            origin[rays, axis] = at[rays]
            start = transforms.apply(S_own_grid, origin[rays])
            hits = self._caster.cast(start, np.broadcast_to(direction, start.shape))
            met = hits.index >= 0
            rays = rays[met]
            if not len(rays):
                break
            at[rays] += hits.distance[met]
            cell = np.clip(np.ceil(at[rays] * r - 0.5), 0, r).astype(np.int64)  # first centre behind the surface
            winding[rays, cell] -= np.sign(self._normals[hits.face[met]] @ direction).astype(np.int32)
            parity[rays, cell] += 1
            at[rays] += STEP
        winding, parity = winding.cumsum(1), parity.cumsum(1)
        parity[rays, -1] = 1  # not followed to its end
        closed, even = winding[:, -1] == 0, parity[:, -1] % 2 == 0
        within = np.where(closed[:, None], winding != 0, parity % 2 == 1)[:, :r]
        vote = np.where(within, 1, -1) * (closed | even)[:, None]
        return vote.reshape(r, r, r).astype(np.int8)


def filled_voxels(mesh: Mesh, pitch: float) -> Cells:
    """Sorted numbers of the voxels of a lattice that a mesh touches or encloses; voxel (0, 0, 0) is centred on 0.

    Time and memory grow with the square of the mesh's size at least: 0.4 s and 0.2 GB for a box of 64 voxels a side,
    6.5 s and 1.2 GB for one of 256.

    Reference: PartCrafter, src/utils/metric_utils.py:110-120; trimesh finds the voxels that are touched there and here.
    """
    return filled(touched_voxels(mesh, pitch))


def touched_voxels(mesh: Mesh, pitch: float) -> Cells:
    """(n, 3) distinct voxels, as in ``filled_voxels``, that a surface touches."""
    import trimesh

    a, b, c = np.moveaxis(mesh.triangles, 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    part = (np.cumsum(area) / (PART * pitch**2)).astype(np.int64)  # faces do not depend on each other, memory does
    found = []
    for faces in np.split(mesh.faces, np.flatnonzero(np.diff(part)) + 1):
        grid: Any = trimesh.Trimesh(mesh.vertices, faces, process=False).voxelized(pitch, max_iter=40)
        found.append(grid.sparse_indices + np.round(grid.translation / pitch).astype(np.int64))
    return np.unique(np.concatenate(found), axis=0) if len(found) > 1 else found[0]


def filled(cells: Cells) -> Cells:
    """Sorted numbers of voxels (n, 3) and of those that they enclose: from where no step over a face leads outside."""
    from scipy import ndimage

    low = cells.min(0) - 1  # a layer of the outside all round
    free = np.ones(cells.max(0) - low + 2, bool)
    free[tuple((cells - low).T)] = False
    part = np.asarray(ndimage.label(free)[0])  # pyright: ignore[reportGeneralTypeIssues, reportIndexIssue]
    return _numbers(np.argwhere(part != part[0, 0, 0]) + low)


def surface_voxels(points: ArrayLike, resolution: int = 64) -> Cells:
    """Sorted numbers of the cells of a grid over [-1, 1]^3 that hold points (n, 3); points outside go to its border."""
    cell = np.floor((np.asarray(points, np.float64) + 1) / 2 * resolution).astype(np.int64)
    return np.unique(_numbers(np.clip(cell, 0, resolution - 1)))


def voxel_iou(a: Cells, b: Cells) -> float:
    """IoU of two sets of voxels, as ``filled_voxels`` or ``surface_voxels`` give them; 0 where both are empty."""
    common = len(np.intersect1d(a, b, assume_unique=True))
    union = len(a) + len(b) - common
    return common / union if union else 0.0


def _numbers(cells: NDArray[np.int64]) -> Cells:
    """One number per cell (n, 3) of coordinates within +-2^20, in the order of the coordinates."""
    x, y, z = (cells + 2**20).T
    return (x << 42) | (y << 21) | z
