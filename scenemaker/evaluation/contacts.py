"""Who stands on whom, and who reaches into whom: measured by rays along gravity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster

CELLS = 24  # columns of rays per side of the box in which two objects may overlap
LAYERS = 16  # surfaces that a ray is followed through
TOUCH = 0.08  # of an object's height: nearer is held
FEET = 32  # lowest points per object from which a support is looked for
MIN_SHARE = 0.005  # smaller overlaps are the estimate's own error


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Two objects that share space; ``share`` is the common ``volume`` (cubic scene units) over the smaller of both."""

    a: int
    b: int
    share: float
    volume: float


def supports(caster: RayCaster, up_cam: F64 | None, ground_cam: F64 | None) -> list[int | Literal["ground"] | None]:
    """What holds each mesh: "ground", the index of another mesh, or None (nothing, or gravity unknown).

    Args:
        caster: Over the meshes, in ``cam``.
        up_cam: (3,) against gravity.
        ground_cam: (4,) plane.
    """
    meshes = caster.meshes
    if up_cam is None or not meshes:
        return [None] * len(meshes)
    up = transforms.unit(up_cam)
    out: list[int | Literal["ground"] | None] = [None] * len(meshes)
    starts, owners, limits = [], [], []
    for n, mesh in enumerate(meshes):
        v = mesh.vertices.astype(np.float64)
        along = v @ up
        touch = TOUCH * max(float(np.ptp(along)), 1e-9)
        if ground_cam is not None:
            gap = float(along.min() + ground_cam[3] / np.linalg.norm(ground_cam[:3]))
            if gap <= touch:
                out[n] = "ground"
                continue
        low = np.flatnonzero(along <= along.min() + touch)
        low = low[:: max(1, len(low) // FEET)][:FEET]
        starts.append(v[low] + touch * up)  # from a little above, so that a foot sunk into its support finds it
        owners.append(np.full(len(low), n))
        limits.append(np.full(len(low), 3 * touch))
    if not starts:
        return out
    origin, owner, limit = np.concatenate(starts), np.concatenate(owners), np.concatenate(limits)
    for n in np.unique(owner):
        mine = owner == n
        found = _first_other(caster, origin[mine], -up, int(n), limit[mine])
        if (found >= 0).any():
            out[int(n)] = int(np.bincount(found[found >= 0]).argmax())
    return out


def _first_other(
    caster: RayCaster, origin: F64, direction: F64, own: int, limit: NDArray[np.float64]
) -> NDArray[np.int64]:
    """(n,) index of the first mesh that is not ``own`` met within the limit, -1 where none."""
    found = np.full(len(origin), -1)
    travelled = np.zeros(len(origin))
    open_ = np.ones(len(origin), bool)
    for _ in range(LAYERS):
        if not open_.any():
            break
        rays = np.flatnonzero(open_)
        hits = caster.cast(origin[rays] + travelled[rays, None] * direction, np.tile(direction, (len(rays), 1)))
        travelled[rays] += hits.distance
        near = (hits.index >= 0) & (travelled[rays] <= limit[rays])
        other = near & (hits.index != own)
        found[rays[other]] = hits.index[other]
        open_[rays[~near | other]] = False
        travelled[rays] += 1e-4 * limit[rays]
    return found


def overlaps(meshes: Sequence[Mesh], ids: Sequence[int], up_cam: F64 | None) -> tuple[Overlap, ...]:
    """Pairs of closed meshes that share more than a trace of space, largest share first.

    The common volume is summed over columns of rays through the box that both boxes share.
    """
    axes = transforms.R_cam_world_from_up(np.array([0.0, -1.0, 0.0]) if up_cam is None else up_cam)
    turned = [m.transformed(transforms.rigid(axes.T, np.zeros(3))) for m in meshes]  # y is up
    boxes = np.array([m.bounds for m in turned]).reshape(-1, 2, 3)
    volumes = [abs(m.volume()) for m in turned]
    casters: dict[int, RayCaster] = {}
    out = []
    for i in range(len(turned)):
        low = np.maximum(boxes[i, 0], boxes[i + 1 :, 0])
        high = np.minimum(boxes[i, 1], boxes[i + 1 :, 1])
        for k in np.flatnonzero((high > low).all(1)):
            j = i + 1 + int(k)
            smaller = min(volumes[i], volumes[j])
            if smaller <= 0 or np.prod(high[k] - low[k]) < MIN_SHARE * smaller:
                continue
            for n in (i, j):
                if n not in casters:
                    casters[n] = RayCaster([turned[n]])
            volume = min(smaller, _common_volume(casters[i], casters[j], low[k], high[k]))
            if volume >= MIN_SHARE * smaller:
                out.append(Overlap(a=ids[i], b=ids[j], share=volume / smaller, volume=volume))
    return tuple(sorted(out, key=lambda o: (-o.share, o.a, o.b)))


def _common_volume(a: RayCaster, b: RayCaster, low: F64, high: F64) -> float:
    """Volume inside both meshes within a box."""
    cell = (high - low) / CELLS
    x = low[0] + (np.arange(CELLS) + 0.5) * cell[0]
    z = low[2] + (np.arange(CELLS) + 0.5) * cell[2]
    column = np.stack(np.meshgrid(x, z, indexing="ij"), -1).reshape(-1, 2)
    crossings = [_crossings(caster, column) for caster in (a, b)]
    height = np.concatenate([c[0] for c in crossings], 1)  # (n, 2 LAYERS), inf where nothing more is met
    step_a = np.concatenate([crossings[0][1], np.zeros_like(crossings[1][1])], 1)
    step_b = np.concatenate([np.zeros_like(crossings[0][1]), crossings[1][1]], 1)
    order = np.argsort(height, axis=1, kind="stable")
    height = np.clip(np.take_along_axis(height, order, 1), low[1], high[1])
    inside = (np.cumsum(np.take_along_axis(step_a, order, 1), 1) > 0) & (
        np.cumsum(np.take_along_axis(step_b, order, 1), 1) > 0
    )
    length = np.diff(height, axis=1) * inside[:, :-1]
    return float(length.sum() * cell[0] * cell[2])


def _crossings(caster: RayCaster, column: F64) -> tuple[F64, NDArray[np.int64]]:
    """Heights (n, LAYERS) at which vertical rays meet a mesh, and +1 (in) or -1 (out) there."""
    mesh = caster.meshes[0]
    (bottom, top), n = mesh.bounds[:, 1], len(column)
    span = max(float(top - bottom), 1e-9)
    corners = mesh.triangles
    upward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 1]
    height, step = np.full((n, LAYERS), np.inf), np.zeros((n, LAYERS), np.int64)
    at = np.full(n, bottom - 0.01 * span)
    rays = np.arange(n)
    for layer in range(LAYERS):
        if not len(rays):
            break
        origin = np.stack([column[rays, 0], at[rays], column[rays, 1]], 1)
        hits = caster.cast(origin, np.tile([0.0, 1.0, 0.0], (len(rays), 1)))
        met = hits.index >= 0
        rays = rays[met]
        at[rays] += hits.distance[met]
        height[rays, layer] = at[rays]
        step[rays, layer] = np.where(upward[hits.face[met]] < 0, 1, -1)
        at[rays] += 1e-5 * span
    return height, step
