"""Errors of poses and overlap of boxes."""

from __future__ import annotations

import torch
from torch import Tensor

from scenemaker.errors import ShapeError, expected
from scenemaker.evaluation.batched.precision import full_precision


@full_precision
def aligned_box_iou(a: Tensor, b: Tensor) -> Tensor:
    """(...) IoU of boxes along the axes, each (..., 2, 3): lowest and highest corner; 0 where both are empty.

    Raises:
        ShapeError: Boxes of another shape.
    """
    _check("boxes (..., 2, 3)", (2, 3), a, b)
    common = (torch.minimum(a[..., 1, :], b[..., 1, :]) - torch.maximum(a[..., 0, :], b[..., 0, :])).clamp_min(0)
    overlap = common.prod(-1)  # (...)
    union = (a[..., 1, :] - a[..., 0, :]).prod(-1) + (b[..., 1, :] - b[..., 0, :]).prod(-1) - overlap
    return torch.where(union > 0, overlap / torch.where(union > 0, union, 1), 0)


@full_precision
def rotation_error_deg(
    R_pred: Tensor,
    R_gt: Tensor,
    symmetries: Tensor | None = None,
    *,
    valid: Tensor | None = None,
    axis: Tensor | None = None,
) -> Tensor:
    """(...) angle between rotations up to the symmetries of the ground truth's mesh, in degrees in [0, 180].

    The minimum over g of the angle of R_pred^T R_gt g, with R = ``R_frame_obj`` of one and the same mesh. The NumPy
    one is ``measures.symmetry.rotation_error_deg``. The gradient at 0 and at 180 degrees is 0.

    Args:
        R_pred: (..., 3, 3) rotations.
        R_gt: (..., 3, 3) rotations.
        symmetries: (..., G, 3, 3) or, for all alike, (G, 3, 3); they act in the mesh's frame, the identity among
            them. None when there are none. (Of a ball every rotation is one: its error is 0, without asking.)
        valid: (..., G) bool, which of them count, for objects of unequal numbers; all when None.
        axis: (..., 3) unit vector of a solid of revolution, whose turns about it do not count; 0 where it is none.

    Raises:
        ShapeError: Rotations, symmetries or axes of another shape.
    """
    _check("rotations (..., 3, 3)", (3, 3), R_pred, R_gt)
    if symmetries is None:
        symmetries = torch.eye(3, dtype=R_gt.dtype, device=R_gt.device)[None]
    if symmetries.ndim < 3 or symmetries.shape[-2:] != (3, 3):
        got, remedy = f"shape {tuple(symmetries.shape)}", "stack the rotations"
        raise ShapeError(expected("symmetries (..., G, 3, 3)", got=got, remedy=remedy))
    turned = R_pred[..., None, :, :] @ symmetries  # (..., G, 3, 3)
    angles = _angle(R_gt[..., None, :, :].mT @ turned)  # (..., G)
    if axis is not None:
        if axis.shape[-1:] != (3,):
            got = f"shape {tuple(axis.shape)}"
            raise ShapeError(expected("axes (..., 3)", got=got, remedy="give one vector for each object"))
        a = axis[..., None, :, None]  # (..., 1, 3, 1)
        between = _between((turned @ a)[..., 0], (R_gt[..., None, :, :] @ a)[..., 0])  # (..., G)
        angles = torch.where((axis != 0).any(-1, keepdim=True), between, angles)
    if valid is not None:
        if valid.dtype != torch.bool or valid.shape[-1:] != symmetries.shape[-3:-2]:
            got, remedy = f"{valid.dtype} {tuple(valid.shape)}", "say for each symmetry whether it counts"
            raise ShapeError(expected(f"valid (..., {symmetries.shape[-3]}) of bool", got=got, remedy=remedy))
        angles = torch.where(valid, angles, torch.inf)
    return torch.rad2deg(angles.min(-1).values)


@full_precision
def translation_error(t_pred: Tensor, t_gt: Tensor, scene_size: Tensor | float) -> Tensor:
    """(...) distance of places (..., 3) over the longest side (...) of the box around the whole scene."""
    _check("translations (..., 3)", (3,), t_pred, t_gt)
    return torch.linalg.vector_norm(t_pred - t_gt, dim=-1) / scene_size


@full_precision
def size_ratio(size_pred: Tensor, size_gt: Tensor) -> Tensor:
    """(...) longest sides of boxes (..., 3), the larger over the smaller; at least 1, as in the protocol ``layout``.

    max(r, 1 / r) with r = (longest of size_pred) / (longest of size_gt).
    """
    _check("sizes (..., 3)", (3,), size_pred, size_gt)
    ratio = size_pred.amax(-1) / size_gt.amax(-1)
    return torch.maximum(ratio, 1 / ratio)


def _angle(R: Tensor) -> Tensor:
    """(...) angle of rotations (..., 3, 3), in radians."""
    twice_sine = torch.stack(
        [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], -1
    )
    return torch.atan2(torch.linalg.vector_norm(twice_sine, dim=-1), R.diagonal(dim1=-2, dim2=-1).sum(-1) - 1)


def _between(a: Tensor, b: Tensor) -> Tensor:
    """(...) angle between vectors (..., 3), in radians; the cross product keeps small angles exact."""
    a, b = torch.broadcast_tensors(a, b)
    return torch.atan2(torch.linalg.vector_norm(torch.linalg.cross(a, b), dim=-1), (a * b).sum(-1))


def _check(what: str, last: tuple[int, ...], a: Tensor, b: Tensor) -> None:
    if a.shape[-len(last) :] != last or b.shape[-len(last) :] != last:
        got = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ShapeError(expected(what, got=got, remedy="give both in this shape"))
