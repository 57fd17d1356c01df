"""DINOv2 as timm builds it, of few layers and channels."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn
from torchvision_here import importable

from scenemaker.pose.dit.config import ImageConfig

IMAGE = ImageConfig(kind="dinov2", model="vit_small_patch14_reg4_dinov2", px=28, patch=14)


def make(name: str = IMAGE.model, **options: Any) -> nn.Module:
    importable()
    import timm

    small = {"depth": 2, "embed_dim": 48, "num_heads": 2, "img_size": 70}
    return timm.create_model(name, num_classes=0, dynamic_img_size=True, **small, **options)


def small_dino(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets all that build DINOv2 build a small one."""
    monkeypatch.setattr("scenemaker.pose.dit.encoders.dino.make_vit", make)
