"""Pictures with the true poses of their objects in ``cam``: what sources make and augmentations change."""

from __future__ import annotations

from dataclasses import dataclass

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.config import PoseModelConfig  # noqa: E402
from scenemaker.pose.dit.masks import owners  # noqa: E402
from scenemaker.pose.dit.pictures import PosePictures, make_inputs  # noqa: E402
from scenemaker.pose.dit.types import Layout, PoseBatch, Poses, _Movable  # noqa: E402

LEAST_PX = 12  # an object of fewer pixels is taken for not seen: nobody would ask for its pose


@dataclass(frozen=True, eq=False, kw_only=True)
class Posed(_Movable):
    """Pictures with the true poses of their N objects in ``cam``: p_cam = R (s p_obj) + t.

    Attributes:
        pictures: B of them.
        R: (N, 3, 3); t: (N, 3); s: (N,).
        symmetries: (N, G, 3, 3); axis: (N, 3); pivot: (N, 3), as in ``ObjectBank``.
        visible_fraction: (N,), NaN where unknown.
        spare: (N, P, 6) points and normals of the shapes as they were made that are not among the given ones, or None:
            clouds that are not those of the pixels are made of them.
    """

    pictures: PosePictures
    R: Tensor
    t: Tensor
    s: Tensor
    symmetries: Tensor
    axis: Tensor
    pivot: Tensor
    visible_fraction: Tensor
    spare: Tensor | None = None

    @property
    def placed(self) -> Tensor:
        """(N, Q, 3) points of the shapes in ``cam``."""
        return self.place(self.pictures.geometry)

    def place(self, shapes: Tensor) -> Tensor:
        """(N, Q, 3) points in ``cam`` of shapes (N, Q, 6) in ``obj``."""
        return (self.s[:, None, None] * shapes[..., :3]) @ self.R.mT + self.t[:, None]

    def batch(self, config: PoseModelConfig, generator: torch.Generator) -> PoseBatch:
        """What training sees; targets are in ``scene``, whose frame the inputs decide."""
        inputs = make_inputs(self.pictures, config, generator)
        scene = inputs.layout.scene
        k, c = inputs.frame.k[scene], inputs.frame.c[scene]  # (N,), (N, 3)
        return PoseBatch(
            inputs=inputs,
            target=Poses(R=self.R, t=(self.t - c) / k[:, None], s=self.s / k),
            symmetries=self.symmetries,
            axis=self.axis,
            pivot=self.pivot,
            visible_fraction=self.visible_fraction,
        )


def pixel_counts(labels: Tensor, layout: Layout) -> Tensor:
    """(N,) pixels of every object."""
    return torch.bincount(owners(labels, layout).flatten() + 1, minlength=len(layout.scene) + 1)[1:]


def rays(K: Tensor, height: int, width: int) -> Tensor:
    """(B, H, W, 3) directions of the pixel centres with z = 1, of K (B, 3, 3) without skew."""
    v, u = torch.meshgrid(
        torch.arange(height, device=K.device) + 0.5, torch.arange(width, device=K.device) + 0.5, indexing="ij"
    )  # (H, W)
    at = torch.stack([u, v], -1)  # (H, W, 2)
    focal, middle = K[:, [0, 1], [0, 1]][:, None, None], K[:, :2, 2][:, None, None]  # (B, 1, 1, 2)
    xy = (at - middle) / focal  # (B, H, W, 2)
    return torch.cat([xy, torch.ones_like(xy[..., :1])], -1)


def neighbours(x: Tensor, *, corners: bool) -> list[Tensor]:
    """The 4 (or 8) pictures (B, H, W) that hold each pixel's neighbours; a pixel at the border is its own."""
    sides = [_before(x, 1), _after(x, 1)]  # above and below
    level = [_before(x, 2), _after(x, 2)]
    return sides + level + ([f(side, 2) for side in sides for f in (_before, _after)] if corners else [])


def _before(x: Tensor, dim: int) -> Tensor:
    return torch.cat([x.narrow(dim, 0, 1), x.narrow(dim, 0, x.shape[dim] - 1)], dim)


def _after(x: Tensor, dim: int) -> Tensor:
    return torch.cat([x.narrow(dim, 1, x.shape[dim] - 1), x.narrow(dim, x.shape[dim] - 1, 1)], dim)
