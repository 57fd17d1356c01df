"""timm imports torchvision, whose only wheels are built for CUDA: beside a CPU build of torch they do not import.

DINOv2 runs none of torchvision's operators; declaring the two that its import looks for is enough.
"""

from __future__ import annotations

import torch

_LIBRARY: list[torch.library.Library] = []


def importable() -> None:
    """Makes ``import torchvision`` (and so ``import timm``) work beside any build of torch."""
    if _LIBRARY:
        return
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _LIBRARY.append(library)
