"""Samples of the data engine as training pictures of one size: what is shown, and where its objects stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, expected, needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.data.types import SceneSample  # noqa: E402
from scenemaker.pose.dit.pictures import PosePictures  # noqa: E402
from scenemaker.pose.dit.types import Layout  # noqa: E402
from scenemaker.scene import F32, U8  # noqa: E402
from scenemaker.training.data.posed import LEAST_PX, Posed, rays  # noqa: E402

OTHER = 255  # label of what is no object and may hide one


@dataclass(frozen=True, eq=False, kw_only=True)
class Shot:
    """One picture (H, W) of n objects.

    Attributes:
        rgb: (H, W, 3); depth: (H, W) z, NaN where unknown; labels: (H, W), i + 1 where object i is seen, or ``OTHER``.
        K: (3, 3); up: (3,) against gravity, zeros where unknown.
        names: Of the objects, "source:key" where the sample says so.
        R: (n, 3, 3), t: (n, 3), s: (n,) poses in ``cam``; visible: (n,) fraction.
        points: (n, P, 6) of the shapes in ``obj``.
    """

    rgb: U8
    depth: F32
    labels: U8
    K: F32
    up: F32
    names: tuple[str, ...]
    R: F32
    t: F32
    s: F32
    visible: F32
    points: F32


def shot_of(sample: SceneSample, width: int, height: int) -> Shot | None:
    """The middle of a sample's picture, as much of it as its shape allows, at another size; None if no object is left.

    An object is left out if it shows fewer than ``LEAST_PX`` pixels at that size or has no uniform scale. Colour is
    averaged; labels and depth are those of the nearest pixel.
    """
    import cv2

    h, w = sample.labels.shape
    step = min(w / width, h / height)
    window = np.array([round(step * width), round(step * height)])  # (width, height) in the sample
    left, top = (np.array([w, h]) - window) // 2
    rows = top + ((np.arange(height) + 0.5) * window[1] / height).astype(np.int64)
    columns = left + ((np.arange(width) + 0.5) * window[0] / width).astype(np.int64)
    old = sample.labels[np.ix_(rows, columns)]  # (height, width)
    seen = np.bincount(old.ravel(), minlength=len(sample) + 1)[1:] >= LEAST_PX
    kept = np.flatnonzero(seen & np.isfinite(sample.scale))
    if not len(kept):
        return None
    if len(kept) >= OTHER:
        what = f"fewer than {OTHER} objects in a picture"
        raise InputError(expected(what, got=f"{len(kept)} in {sample.key}", remedy="leave it out"))
    new = np.full(len(sample) + 1, OTHER, np.uint8)
    new[0], new[1 + kept] = 0, np.arange(1, len(kept) + 1)
    K = sample.camera.K.copy()
    K[:2, 2] -= (left, top)
    K[:2] *= (np.array([width, height]) / window)[:, None]
    inside = np.ascontiguousarray(sample.rgb[top : top + window[1], left : left + window[0]])
    names = sample.info.get("objects", sample.names)
    up = np.zeros(3) if sample.up_cam is None else sample.up_cam
    return Shot(
        rgb=np.asarray(cv2.resize(inside, (width, height), interpolation=cv2.INTER_AREA), np.uint8),
        depth=sample.depth[np.ix_(rows, columns)],
        labels=new[old],
        K=K.astype(np.float32),
        up=np.asarray(up, np.float32),
        names=tuple(names[i] for i in kept),
        R=sample.R_cam_obj[kept].astype(np.float32),
        t=sample.t_cam_obj[kept].astype(np.float32),
        s=sample.scale[kept].astype(np.float32),
        visible=sample.visible_fraction[kept].astype(np.float32),
        points=sample.points_obj[kept],
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Shots:
    """B shots as tensors on one device, their N objects in one row.

    Attributes:
        rgb: (B, H, W, 3) uint8; depth: (B, H, W), NaN where unknown; labels: (B, H, W) uint8.
        K: (B, 3, 3); up: (B, 3).
        counts: Objects of each.
        R, t, s, visible: Of the N objects, as in ``Shot``.
    """

    rgb: Tensor
    depth: Tensor
    labels: Tensor
    K: Tensor
    up: Tensor
    counts: Sequence[int]
    R: Tensor
    t: Tensor
    s: Tensor
    visible: Tensor

    def posed(self, geometry: Tensor, symmetries: Tensor, axis: Tensor, pivot: Tensor) -> Posed:
        """The shots with the shapes of their objects: (N, Q, 6), (N, G, 3, 3), (N, 3) and (N, 3)."""
        height, width = self.depth.shape[1:]
        other = self.labels == OTHER  # (B, H, W)
        pictures = PosePictures(
            layout=Layout.of(tuple(self.counts), self.K.device),
            points_cam=rays(self.K, height, width) * self.depth[..., None],
            labels=torch.where(other, 0, self.labels.long()),
            K=self.K,
            up=self.up,
            geometry=geometry,
            rgb=self.rgb.movedim(-1, 1).float() / 255,
            other=other,
        )
        return Posed(
            pictures=pictures,
            R=self.R,
            t=self.t,
            s=self.s,
            symmetries=symmetries,
            axis=axis,
            pivot=pivot,
            visible_fraction=self.visible,
        )


def stack_shots(shots: Sequence[Shot], device: str | torch.device = "cpu") -> Shots:
    """Shots of one size as tensors."""

    def each(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(shot, name) for shot in shots])).to(device)

    def row(name: str) -> Tensor:
        return torch.from_numpy(np.concatenate([getattr(shot, name) for shot in shots])).to(device)

    pictures = {name: each(name) for name in ("rgb", "depth", "labels", "K", "up")}
    return Shots(
        **pictures, counts=[len(s.names) for s in shots], **{name: row(name) for name in ("R", "t", "s", "visible")}
    )


def least_points(shots: Sequence[Shot], want: int) -> NDArray[np.float32]:
    """(N, Q, 6) points of the shapes of all shots: as many as wanted, or as all of them have.

    Raises:
        InputError: A shot without points.
    """
    Q = min(want, *(shot.points.shape[1] for shot in shots))
    if not Q:
        raise InputError(
            expected("samples with points of their shapes", got="0 points", remedy="make them with --points")
        )
    return np.concatenate([shot.points[:, :Q] for shot in shots]).astype(np.float32)
