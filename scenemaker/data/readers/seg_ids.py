"""Which id of a segmentation picture is which object: found out by looking, since card and code do not agree.

The published loader takes id k + 2 for object k (1 is the ground); the data set's card said that ids "start from 0".
The complete points of every object, placed and projected, tell which of k, k + 1 and k + 2 it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.data.readers.assemble import Placed
from scenemaker.errors import InputError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera, project
from scenemaker.scene import F32

CANDIDATES = (0, 1, 2)
_CELL_PX = 4  # points hide what lies behind them in cells of this size: 20,000 points leave gaps between pixels
_LEAST_POINTS = 30
_AGREE, _AMBIGUOUS = 0.8, 0.5


@dataclass(frozen=True, kw_only=True)
class SegCheck:
    """What looking at a scene told.

    Attributes:
        offset: The id of object k is k + offset.
        agreement: Share of visible object points that lie on their own id.
        depth_ratio: Median of decoded depth over depth of these points, 1 if depth is decoded rightly; None if none
            of them has a depth.
        points: How many points were compared.
    """

    offset: int
    agreement: float
    depth_ratio: float | None
    points: int


def detect(views: Sequence[tuple[Camera, NDArray[Any], F32]], objects: Sequence[Placed], what: str) -> SegCheck:
    """The offset of the ids, from several views of a scene.

    Args:
        views: Camera, ids (H, W) and depth (H, W) of each.
        objects: Of the scene, in the order of its file.
        what: Names the scene in errors.

    Raises:
        InputError: No offset fits, or more than one does.
    """
    found = [_visible(camera, objects) for camera, _, _ in views]
    ids = np.concatenate([seg[v, u] for (_, seg, _), (u, v, _, _) in zip(views, found, strict=True)]).astype(np.int64)
    which = np.concatenate([k for _, _, k, _ in found])
    remedy = "give seg_offset=2 (as the published loader reads them) or another if you know"
    if len(ids) < _LEAST_POINTS:
        got = f"{len(ids)} visible object points in {what}"
        raise InputError(expected(f"at least {_LEAST_POINTS} to tell the ids by", got=got, remedy=remedy))
    agreement = {o: float((ids == which + o).mean()) for o in CANDIDATES}
    best, second, *_ = sorted(CANDIDATES, key=lambda o: -agreement[o])
    if agreement[best] < _AGREE or agreement[second] > _AMBIGUOUS * agreement[best]:
        got = ", ".join(f"k+{o} {agreement[o]:.0%}" for o in CANDIDATES) + f" of the object points of {what}"
        remedy = f"check poses and masks, or {remedy}"
        raise InputError(expected("ids that fit where the objects are in one way only", got=got, remedy=remedy))
    ratio = np.concatenate([depth[v, u] / z for (_, _, depth), (u, v, _, z) in zip(views, found, strict=True)])
    ratio = ratio[(ids == which + best) & np.isfinite(ratio)]
    return SegCheck(
        offset=best,
        agreement=agreement[best],
        depth_ratio=float(np.median(ratio)) if len(ratio) else None,
        points=len(ids),
    )


def _visible(
    camera: Camera, objects: Sequence[Placed]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], F64]:
    """Column, row, object and z of the object points that the camera sees, nearest first in every cell."""
    R, points, normals, which = camera.T_cam_world[:3, :3], [], [], []
    for k, o in enumerate(objects):
        p_world = o.scale * o.points_obj[:, :3].astype(np.float64) @ o.R_world_obj.T + o.t_world_obj
        points.append(transforms.apply(camera.T_cam_world, p_world))
        normals.append(o.points_obj[:, 3:].astype(np.float64) @ (R @ o.R_world_obj).T)
        which.append(np.full(len(p_world), k))
    p, n, k = np.concatenate(points), np.concatenate(normals), np.concatenate(which)
    pixels = project(camera.K, p)
    inside = np.isfinite(pixels).all(1) & (pixels >= 0).all(1) & (pixels < [camera.width, camera.height]).all(1)
    front = inside & ((n * p).sum(1) < 0)
    p, k, (u, v) = p[front], k[front], pixels[front].astype(np.int64).T
    cell = (v // _CELL_PX) * (camera.width // _CELL_PX + 1) + u // _CELL_PX
    nearest = np.full(int(cell.max()) + 1 if len(cell) else 0, np.inf)
    np.minimum.at(nearest, cell, p[:, 2])
    seen = p[:, 2] <= 1.02 * nearest[cell]
    return u[seen], v[seen], k[seen], p[seen, 2]
