"""How well poses were found on what was never trained on: one row of numbers, object by object first.

Errors are taken in ``scene``, up to the symmetries of the true shape; the measures are those of the protocol
``layout`` (``evaluation.protocols.layout``), here batched and on the training device.
"""

from __future__ import annotations

from collections.abc import Mapping

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.evaluation import batched  # noqa: E402
from scenemaker.evaluation.bins import BINS  # noqa: E402
from scenemaker.pose.dit.symmetric import nearest_symmetric  # noqa: E402
from scenemaker.pose.dit.types import PoseBatch, Poses  # noqa: E402
from scenemaker.pose.dit.variables import rot6d_from_R  # noqa: E402
from scenemaker.training.data.symmetries import equivalent_t  # noqa: E402

POINTS = 512  # of every object, for ADD-S: its resampling floor is far below 2 % of the size


def pose_errors(found: Poses, truth: PoseBatch) -> dict[str, Tensor]:
    """Errors (N,) of one pose (R (N, 3, 3), t (N, 3), s (N,)) per object.

    Returns:
        ``rotation_deg``; ``translation`` over the object's longest side; ``translation_scene`` over that of the box of
        the whole scene, along the axes of ``scene``; ``size_ratio`` (at least 1); ``add_s`` over the longest side.
    """
    target = truth.target
    p_obj = truth.inputs.geometry[:, :POINTS, :3]  # (N, P, 3)
    p_true, p_found = _place(target, p_obj), _place(found, p_obj)  # (N, P, 3)
    R_near = nearest_symmetric(target.R, truth.symmetries, truth.axis, rot6d_from_R(found.R)[:, None])  # (N, 1, 3, 3)
    t_near = equivalent_t(target.R, target.t, target.s, R_near, truth.pivot)[:, 0]  # (N, 3)
    shift = torch.linalg.vector_norm(found.t - t_near, dim=-1)  # (N,)
    side = (p_obj.amax(1) - p_obj.amin(1)).amax(-1) * target.s  # (N,) longest
    ratio = found.s / target.s  # (N,)
    return {
        "rotation_deg": batched.rotation_error_deg(found.R, target.R, truth.symmetries, axis=truth.axis),
        "translation": shift / side,
        "translation_scene": shift / _scene_size(p_true, truth.inputs.layout.scene),
        "size_ratio": torch.maximum(ratio, 1 / ratio),
        "add_s": batched.add_s(batched.nearest(p_found, p_true)) / side,
    }


def summary(errors: Mapping[str, Tensor], visible_fraction: Tensor) -> dict[str, float]:
    """Shares and medians over all objects, and the rotation in each bin of visible fraction that has objects."""
    rotation = errors["rotation_deg"]
    row = {
        "rotation_deg": float(rotation.median()),
        "rot_15": _share(rotation <= 15),
        "translation": float(errors["translation"].median()),
        "translation_scene": float(errors["translation_scene"].median()),
        "size_ratio": float(errors["size_ratio"].median()),
        "add_s_2": _share(errors["add_s"] < 0.02),
        "add_s_5": _share(errors["add_s"] < 0.05),
        "objects": float(len(rotation)),
    }
    for low, high in BINS:
        inside = (visible_fraction >= low) & ((visible_fraction < high) | (high >= 1))
        if inside.any():
            row[f"rot_15 [{low:g}, {high:g}{']' if high >= 1 else ')'}"] = _share(rotation[inside] <= 15)
    return row


def _place(poses: Poses, p_obj: Tensor) -> Tensor:
    """(N, P, 3) points in ``scene``."""
    return poses.s[:, None, None] * p_obj @ poses.R.mT + poses.t[:, None]


def _scene_size(p_scene: Tensor, scene: Tensor) -> Tensor:
    """(N,) longest side of the box around all objects of the scene that each object belongs to."""
    B = int(scene.max()) + 1
    where = scene[:, None].expand(-1, 3)
    low = torch.full((B, 3), torch.inf, device=p_scene.device).scatter_reduce(0, where, p_scene.amin(1), "amin")
    high = torch.full((B, 3), -torch.inf, device=p_scene.device).scatter_reduce(0, where, p_scene.amax(1), "amax")
    return (high - low).amax(-1)[scene]


def _share(yes: Tensor) -> float:
    return float(yes.float().mean())
