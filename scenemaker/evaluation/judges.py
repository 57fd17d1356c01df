"""Trained networks that judge pictures, where their weights are at hand; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from scenemaker.errors import InputError, expected
from scenemaker.scene import U8


@dataclass(frozen=True, eq=False, kw_only=True)
class Judges:
    """The networks.

    Attributes:
        lpips: Distance of two pictures (h, w, 3), of ``perceptual.Lpips``; None without weights.
        clip: Of ``perceptual.ClipScore``; None without weights.
    """

    lpips: Callable[[U8, U8], float] | None = None
    clip: Any = None


@lru_cache(maxsize=1)
def load_judges(lpips: Path | None, clip: Path | None) -> Judges:
    """The networks of two folders, loaded once per process.

    Args:
        lpips: Folder with torchvision's AlexNet (``alexnet*``) and ``alex.pth`` of the package ``lpips``.
        clip: Folder of a CLIP model as transformers stores it.

    Raises:
        InputError: Files that are not there, or hold something else.
        BackendNotInstalledError: No torch, or no transformers.
    """
    return Judges(lpips=None if lpips is None else _lpips(lpips), clip=None if clip is None else _clip(clip))


def _lpips(folder: Path) -> Callable[[U8, U8], float]:
    from scenemaker.evaluation.perceptual import Lpips

    backbone, lin = sorted(folder.glob("alexnet*")), sorted(folder.glob("alex.*"))
    if not backbone or not lin:
        remedy = "put torchvision's alexnet-owt-*.pth and alex.pth of the package lpips there"
        raise InputError(expected(f"alexnet* and alex.* in {folder}", got="not both", remedy=remedy))
    return Lpips.load(backbone[0], lin[0])


def _clip(folder: Path) -> Any:
    from scenemaker.evaluation.perceptual import ClipScore

    return ClipScore.load(folder)
