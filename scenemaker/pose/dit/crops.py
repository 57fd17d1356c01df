"""Squares cut out of pictures and brought to one size, all at once and without copies of whole pictures.

Each pixel of a square is the mean of ``fine`` x ``fine`` places in it, each of which takes the picture's pixel that it
falls into. So masks keep their shares, nothing is stretched, and memory grows with squares x (px x fine)^2 only.

Of the pictures' points only those of objects are used: the frames come from them, and backgrounds change nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import avg_pool2d  # noqa: E402

from scenemaker.pose.dit.clouds import FAR, Clouds  # noqa: E402
from scenemaker.pose.dit.masks import Masks  # noqa: E402

MARGIN = 0.1  # of the box of a mask, on each side of its crop
CLIP = 2.0  # radii: depth in a crop
FINEST = 8  # places along a pixel of what is made of a large picture


@dataclass(frozen=True, eq=False, kw_only=True)
class Squares:
    """M squares of pictures (H, W), looked at in F x F places, F = px * fine.

    Attributes:
        at: (M, F, F) int64, the pixel of each place among those of all pictures (B * H * W).
        inside: (M, F, F) bool: it lies in the picture; else ``at`` is the nearest pixel.
        fine: Places along a pixel of the square.
    """

    at: Tensor
    inside: Tensor
    fine: int

    @classmethod
    def of(cls, picture: Tensor, corner: Tensor, side: Tensor, *, size: tuple[int, int], px: int, fine: int) -> Squares:
        """Squares of ``picture`` (M,), from top-left ``corner`` (M, 2) as (x, y), of ``side`` (M,), in pixels."""
        height, width = size
        step = (torch.arange(px * fine, device=side.device, dtype=side.dtype) + 0.5) / (px * fine)  # (F,)
        u = (corner[:, :1] + step * side[:, None]).floor().long()[:, None, :]  # (M, 1, F) column
        v = (corner[:, 1:] + step * side[:, None]).floor().long()[:, :, None]  # (M, F, 1) row
        inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)  # (M, F, F)
        at = (picture[:, None, None] * height + v.clamp(0, height - 1)) * width + u.clamp(0, width - 1)  # (M, F, F)
        return cls(at=at, inside=inside, fine=fine)

    def share(self, mask: Tensor) -> Tensor:
        """(M, px, px) share of the places of each pixel that a mask (M, F, F) holds."""
        return avg_pool2d(mask[:, None].float(), self.fine)[:, 0]  # (M, px, px)

    def mean(self, values: Tensor, where: Tensor) -> Tensor:
        """(M, c, px, px) mean of values (M, c, F, F) over the places of a mask (M, F, F); NaN where there is none."""
        where = where[:, None]
        total = avg_pool2d(values.masked_fill(~where, 0), self.fine)  # (M, c, px, px)
        return total / avg_pool2d(where.float(), self.fine)  # 0 / 0 is NaN


def crops_of(masks: Masks, clouds: Clouds, scene: Tensor, rgb: Tensor | None, other: Tensor | None, px: int) -> Tensor:
    """``PoseInputs.crop`` (N, 6, S, S), with S = ``px``.

    Args:
        masks, clouds: Of N objects in B pictures.
        scene: (N,) the picture of each object.
        rgb: (B, 3, H, W) in [0, 1], or None.
        other: (B, H, W) bool, further pixels that may hide objects, or None.
        px: Side of a crop.
    """
    size = masks.row.shape[1], masks.row.shape[2]
    side = (masks.high - masks.low).amax(-1) * (1 + 2 * MARGIN)  # (N,)
    corner = (masks.low + masks.high) / 2 - side[:, None] / 2  # (N, 2)
    fine = min(math.ceil(max(size) / px / 4), FINEST // 2)  # a crop shows about a quarter of the picture
    cut = Squares.of(scene, corner, side, size=size, px=px, fine=fine)
    row = masks.row.flatten()[cut.at]  # (N, F, F)
    index = torch.arange(len(side), device=side.device)[:, None, None]  # (N, 1, 1)
    own = cut.inside & (row == index)  # (N, F, F)
    z = masks.points[..., 2].flatten()[cut.at]  # (N, F, F)
    centre_z, radius = clouds.centre[:, 2, None, None], clouds.radius[:, None, None]  # (N, 1, 1)
    thing = (row >= 0) & ~own  # (N, F, F)
    if other is not None:
        thing = thing | other.flatten()[cut.at]
    behind = z >= centre_z + radius  # (N, F, F) behind all of the object; of unknown depth it may hide it
    hides = ~cut.inside | (thing & ~behind)  # (N, F, F)
    height = ((z - centre_z) / radius).clamp(-CLIP, CLIP)  # (N, F, F)
    depth = cut.mean(height[:, None], own & ~z.isnan()).nan_to_num(nan=0)  # (N, 1, S, S)
    return torch.cat([_colours(rgb, cut, own), cut.share(own)[:, None], cut.share(hides)[:, None], depth], 1)


def whole_pictures(masks: Masks, clouds: Clouds, rgb: Tensor | None, px: int) -> tuple[Tensor, Tensor, Tensor]:
    """``PoseInputs.picture`` (B, 5, S, S), ``picture_own`` (N, S, S) and ``picture_xyz`` (B, 3, S, S); as above."""
    B, H, W = masks.row.shape
    N, device, longest = len(clouds.radius), masks.row.device, max(H, W)
    fine = min(math.ceil(longest / px), FINEST)  # below that no pixel is left out
    corner = torch.tensor([(W - longest) / 2, (H - longest) / 2], device=device).expand(B, 2)
    side = torch.full((B,), float(longest), device=device)
    cut = Squares.of(torch.arange(B, device=device), corner, side, size=(H, W), px=px, fine=fine)
    row = torch.where(cut.inside, masks.row.flatten()[cut.at], -1)  # (B, F, F)
    points = masks.points.flatten(0, 2)[cut.at]  # (B, F, F, 3)
    away = (points - clouds.centre[row]).norm(dim=-1)  # (B, F, F), NaN where unknown
    known = (row >= 0) & (away <= FAR * clouds.radius[row])  # (B, F, F)
    xyz = (points - clouds.frame.c[:, None, None]) / clouds.frame.k[:, None, None, None]  # (B, F, F, 3)
    xyz = cut.mean(xyz.movedim(-1, 1), known)  # (B, 3, S, S)
    picture = torch.cat(
        [_colours(rgb, cut, cut.inside), cut.share(row >= 0)[:, None], xyz[:, 2:].nan_to_num(nan=0)], 1
    )  # (B, 5, S, S)
    cell = torch.arange(px, device=device).repeat_interleave(fine)  # (F,)
    cell = (cell[:, None] * px + cell).expand_as(row)[row >= 0]  # (T,) of the S x S pixels
    own = torch.bincount(row[row >= 0] * px * px + cell, minlength=N * px * px)  # (N S S,)
    return picture, own.view(N, px, px) / float(fine**2), xyz


def _colours(rgb: Tensor | None, cut: Squares, where: Tensor) -> Tensor:
    """(M, 3, S, S) rgb in [-1, 1] over a mask (M, F, F), 0 elsewhere and without colour."""
    M, px = len(where), where.shape[1] // cut.fine
    if rgb is None:
        return torch.zeros(M, 3, px, px, device=where.device)
    colours = rgb.movedim(1, -1).flatten(0, 2)[cut.at].movedim(-1, 1)  # (M, 3, F, F)
    return cut.mean(2 * colours - 1, where).nan_to_num(nan=0)  # (M, 3, S, S)
