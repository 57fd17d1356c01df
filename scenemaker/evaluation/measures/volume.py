"""Overlap of volumes: of solids, of filled voxels, of voxels on the surface."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh

Bool = NDArray[np.bool_]
Cells = NDArray[np.int64]
LAYERS = 256  # surfaces that a ray is followed through; a column with more does not vote
STEP = 1e-5  # of the box, from one surface to where the next is looked for


def volume_iou(a: Mesh, b: Mesh, *, resolution: int = 64) -> float | None:
    """IoU of two solids in [0, 1], on ``resolution`` cells per side of the box around both.

    A cell belongs to a solid when most of the axis-parallel columns of rays through its centre say so (``inside``).
    Error with 64 cells, against closed forms: boxes 0.011 at most and 0.003 on average, balls 0.0014 and 0.0004; it
    falls with the cell size and grows with surface over volume. Time: 0.02-0.2 s for a pair of up to 30,000 faces.

    Returns:
        None when one of the meshes encloses no cell centre even of a grid over its own box: a sheet.
    """
    bounds = np.stack([a.bounds, b.bounds])
    low, high = bounds[:, 0].min(0), bounds[:, 1].max(0)
    in_a, in_b = (inside(mesh, low, high, resolution) for mesh in (a, b))
    for mesh, cells in ((a, in_a), (b, in_b)):
        if not cells.any() and not inside(mesh, mesh.bounds[0], mesh.bounds[1], resolution).any():
            return None
    union = int((in_a | in_b).sum())
    return float((in_a & in_b).sum() / union) if union else 0.0


def inside(mesh: Mesh, low: ArrayLike, high: ArrayLike, resolution: int = 64) -> Bool:
    """(r, r, r) whether the cell centres of a grid over a box (3,), (3,) lie inside of a mesh.

    Along each axis one ray per column counts the surfaces it enters and leaves. Parts may overlap or lie in each other:
    inside is where the count is not zero. A column that enters as often as it leaves votes; one that does not, but
    meets an even number of surfaces, votes by parity (faces turned the wrong way); any other ran through a hole and
    is silent. Most votes win, so that a box without a bottom is still solid and a sheet is not; a bowl of one wall
    counts as filled.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if not (high > low).all():
        return np.zeros((resolution,) * 3, bool)
    unit = mesh.transformed(transforms.similarity(np.eye(3), -low / (high - low), 1 / (high - low)))
    balance = np.zeros((resolution,) * 3, np.int8)
    for axis in range(3):
        vote = _columns(unit, axis, resolution)  # (r, r, r), the axis last
        balance += np.moveaxis(vote, -1, axis)
    return balance > 0


def _columns(mesh: Mesh, axis: int, r: int) -> NDArray[np.int8]:
    """(r, r, r) votes +1 (inside), -1 or 0 of columns along one axis of the unit box, that axis last."""
    from scenemaker.geometry.raycast import RayCaster

    caster = RayCaster([mesh])
    a, b, c = np.moveaxis(mesh.triangles, 1, 0)
    facing = np.cross(b - a, c - a)[:, axis]
    centre = (np.arange(r) + 0.5) / r
    origin = np.insert(np.stack(np.meshgrid(centre, centre, indexing="ij"), -1).reshape(-1, 2), axis, 0.0, axis=1)
    at = np.full(r * r, min(0.0, float(mesh.bounds[0, axis])) - 0.01)
    winding, parity = np.zeros((2, r * r, r + 1), np.int32)
    direction = np.eye(3)[axis]
    rays = np.arange(r * r)
    for _ in range(LAYERS):
        origin[rays, axis] = at[rays]
        hits = caster.cast(origin[rays], np.broadcast_to(direction, (len(rays), 3)))
        met = hits.index >= 0
        rays = rays[met]
        if not len(rays):
            break
        at[rays] += hits.distance[met]
        cell = np.clip(np.ceil(at[rays] * r - 0.5), 0, r).astype(np.int64)  # first centre behind the surface
        winding[rays, cell] -= np.sign(facing[hits.face[met]]).astype(np.int32)
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

    Reference: PartCrafter, src/utils/metric_utils.py:110-120; trimesh does the work there and here.
    """
    import trimesh

    grid: Any = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).voxelized(pitch)
    grid = grid.fill()
    return _numbers(np.round(grid.points / pitch).astype(np.int64))


def surface_voxels(points: ArrayLike, resolution: int = 64) -> Cells:
    """Sorted numbers of the cells of a grid over [-1, 1]^3 that hold points (n, 3); points outside go to its border."""
    cell = np.floor((np.asarray(points, np.float64) + 1) / 2 * resolution).astype(np.int64)
    return _numbers(np.clip(cell, 0, resolution - 1))


def voxel_iou(a: Cells, b: Cells) -> float:
    """IoU of two sets of voxels, as ``filled_voxels`` or ``surface_voxels`` give them; 0 where both are empty."""
    common = len(np.intersect1d(a, b, assume_unique=True))
    union = len(a) + len(b) - common
    return common / union if union else 0.0


def _numbers(cells: NDArray[np.int64]) -> Cells:
    """One number per distinct cell (n, 3) of coordinates within +-2^20."""
    x, y, z = (np.clip(cells, -(2**20), 2**20 - 1) + 2**20).T
    return np.unique((x << 42) | (y << 21) | z)
