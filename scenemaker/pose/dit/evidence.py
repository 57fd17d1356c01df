"""What one photo tells of one object, made once for all poses that are tried.

A score is only as good as the mask. SAM 3D Objects (arXiv 2511.16624) leaves objects alone that are hidden, cut by the
border, or have holes in their masks. Here the pixels in question are left out of the score instead: outside of the
photo, on other objects in front (both as ``ObjectView.mask_hidden``), on things in front that have no mask, and in
holes through which nothing behind is seen. So refinement may go on where it would otherwise be given up: with 60 % of
an object hidden, its surface then ends three times nearer to the truth than by registration alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scenemaker.errors import InputError, expected
from scenemaker.geometry.mesh import Mesh
from scenemaker.pose.target import Agreement, Placement, Prober, Target, compare, make_target
from scenemaker.scene import Bool, Instances, ObjectView, PointMap

COARSE_PX = 40  # rays along the longer side of an object's box
GAP = 0.1  # of the object's visible extent: a step in depth
ALONG_OUTLINE = 0.1  # share of the outline at which something without a mask must stand before the object
IN_HOLES = 0.02  # area of unexplained holes, over that of the mask


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """The evidence for one object, on two grids of rays, and the means to look at its mesh in any pose."""

    id: int
    prober: Prober
    coarse: Target
    fine: Target

    def judge(self, place: Placement, *, fine: bool = True) -> Agreement:
        """How a pose agrees with silhouette, depth and free space."""
        target = self.fine if fine else self.coarse
        return compare(target, self.prober.depth(target, place))


def evidence_of(
    view: ObjectView, instances: Instances, point_map: PointMap, mesh: Mesh, *, resolution_px: int = 80
) -> Evidence:
    """The evidence for one object, with at most ``resolution_px`` rays along the longer side of its box.

    Raises:
        InputError: Nothing is seen of the object.
    """
    wanted = view.mask_modal if view.mask_modal.any() else view.mask_amodal
    if not wanted.any():
        raise InputError(expected("an object that is seen", got="an empty mask", remedy="drop it, or draw its mask"))
    view, instances = _with_hiders(view, instances, point_map)
    coarse, fine = (
        make_target(view, instances, point_map, wanted, px) for px in (min(COARSE_PX, resolution_px), resolution_px)
    )
    return Evidence(id=view.id, prober=Prober(mesh), coarse=coarse, fine=fine)


def _with_hiders(view: ObjectView, instances: Instances, point_map: PointMap) -> tuple[ObjectView, Instances]:
    """The view and masks, in which what hides the object without a mask is one more object that may hide it."""
    (x0, y0), (h, w) = view.origin_px, np.array(view.mask_modal.shape) / view.scale
    part = np.s_[max(0, int(y0)) : max(0, int(np.ceil(y0 + h))), max(0, int(x0)) : max(0, int(np.ceil(x0 + w)))]
    labels, z = instances.labels[part], point_map.depth[part]
    mask, free = labels == view.id, labels == 0
    if not mask.any():
        return view, instances
    step = GAP * _extent(view)
    hider = np.zeros_like(mask)
    if nearer_outline(mask, z, free, step) > ALONG_OUTLINE:
        hider |= free & (z < _median(z[mask]) - step)
    holes = unexplained_holes(mask, z, free, step)
    if np.count_nonzero(holes) > IN_HOLES * np.count_nonzero(mask):
        hider |= holes
    if not hider.any():
        return view, instances
    relabelled = instances.labels.copy()
    relabelled[part][hider] = relabelled.max() + 1
    rows, cols = (
        (np.floor(start + (np.arange(n) + 0.5) / view.scale).astype(int) - side.start).clip(0, side_px - 1)
        for start, n, side, side_px in zip((y0, x0), view.mask_modal.shape, part, hider.shape, strict=True)
    )  # where each pixel of the view lies; those outside of the photo are hidden anyhow
    seen = hider[np.ix_(rows, cols)]
    return replace(view, mask_hidden=view.mask_hidden | seen), replace(instances, labels=relabelled)


def nearer_outline(mask: Bool, z: np.ndarray, free: Bool, step: float) -> float:
    """Share of a mask's outline beyond which a surface of no object is nearer by more than ``step``.

    Where an object stands on something the depth has no step, and where its own outline ends one sees farther.

    Args:
        mask: (h, w) of the object.
        z: (h, w) depth, NaN where unknown.
        free: (h, w) pixels of no object.
        step: In units of depth.
    """
    edges = nearer = 0
    for turn in range(4):  # each pixel and the one above it, with every side up once
        m, d, f = (np.rot90(a, turn) for a in (mask, z, free))
        edge = m[1:] & ~m[:-1]
        edges += np.count_nonzero(edge)
        nearer += np.count_nonzero(edge & f[:-1] & (d[:-1] < d[1:] - step))
    return nearer / max(1, edges)


def unexplained_holes(mask: Bool, z: np.ndarray, free: Bool, step: float) -> Bool:
    """(h, w) bool: holes of a mask in which nothing farther than the object by ``step`` is seen.

    Through a true hole one sees what lies behind; other ones are mistakes of the mask, or things without one.
    Arguments as ``nearer_outline``.
    """
    import cv2

    count, regions = cv2.connectedComponents(np.pad(~mask, 1, constant_values=True).astype(np.uint8), connectivity=4)
    regions = np.asarray(regions)[1:-1, 1:-1]
    out = np.zeros_like(mask)
    for i in range(2, count):  # 0 is the mask, 1 what surrounds it
        hole = (regions == i) & free
        ring = (cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0) & mask
        if not _median(z[hole]) > _median(z[ring]) + step:  # also where the depth is unknown
            out |= hole
    return out


def _extent(view: ObjectView) -> float:
    """Visible size of the object: the diagonal of its mask's box, at its median depth (at depth 1 without points)."""
    rows, cols = np.flatnonzero(view.mask_modal.any(1)), np.flatnonzero(view.mask_modal.any(0))
    span = np.array([np.ptp(cols) + 1, np.ptp(rows) + 1]) / np.array([view.K[0, 0], view.K[1, 1]])
    z = _median(view.points_cam[..., 2])
    return float(np.linalg.norm(span)) * (z if np.isfinite(z) else 1.0)


def _median(values: np.ndarray) -> float:
    """Of the finite values; NaN without any."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
