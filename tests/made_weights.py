"""Weights files made on the spot: real classes, tiny configs, seeded random numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from scenemaker.pose.dit.config import model_config
from scenemaker.pose.dit.pose_model import PoseModel
from scenemaker.pose.dit.weights import save_model


def tiny_pose_weights(path: Path, change: Callable[[PoseModel], object] | None = None, *, seed: int = 0) -> Path:
    """A tiny PoseDiT that has learnt where objects are and how large, but not how they are turned.

    Its statistics are narrow, so that noise becomes a pose on the observed points; ``change`` may spoil the model.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = PoseModel(model_config("tiny"))
    model.variables.std[6:], model.variables.mean[9] = 0.1, 0.4
    if change is not None:
        change(model)
    save_model(model, path, {})
    return path
