"""Predicted objects that stand where no number can follow: they count as failed, and harm no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scenemaker.evaluation.types import EvalObject, EvalScene, placed_mesh
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64

FAR = 1e4  # scene sizes: beyond, 32-bit vertices of a scene's object fall together
SMALL = 1e-6  # of the scene's size


def bounds_world(gt: EvalScene) -> F64:
    """(2, 3) box around all objects of a ground truth in its ``world``."""
    bounds = np.array([placed_mesh(o, gt.T_world_frame).bounds for o in gt.objects])
    return np.stack([bounds[:, 0].min(0), bounds[:, 1].max(0)])


def only_sound(pred: EvalScene, S_world_pred: F64, gt_bounds: F64) -> EvalScene:
    """The prediction with every object failed that is out of reach, immense, or shrunk to nothing.

    Args:
        pred: Prediction.
        S_world_pred: (4, 4) to the ground truth's ``world``.
        gt_bounds: (2, 3) box of the ground-truth scene in ``world``.
    """
    size, centre = float((gt_bounds[1] - gt_bounds[0]).max()), gt_bounds.mean(0)
    return replace(pred, objects=tuple(_checked(o, S_world_pred, size, centre) for o in pred.objects))


def _checked(item: EvalObject, S_world_pred: F64, size: float, centre: F64) -> EvalObject:
    if item.mesh is None or item.S_frame_obj is None:
        return item
    with np.errstate(over="ignore", invalid="ignore"):
        corners = transforms.apply(S_world_pred @ item.S_frame_obj, item.mesh.bounds)
        away = float(np.abs(corners - centre).max()) / size
        across = float(np.abs(corners[1] - corners[0]).max()) / size
    if away <= FAR and across >= SMALL:
        return item
    text = f"reaches {away:.3g} scene sizes away" if not away <= FAR else f"is {across:.3g} of the scene across"
    return replace(
        item, mesh=None, S_frame_obj=None, status="skipped", notices=(*item.notices, f"not measured: {text}")
    )
