"""Squares cut out of pictures and brought to one size, all at once and without copies of whole pictures.

Each pixel of a square is the mean of ``fine`` x ``fine`` places in it, each of which takes the picture's pixel that it
falls into. So masks keep their shares, nothing is stretched, and memory grows with squares x (px x fine)^2 only.
"""

from __future__ import annotations

from dataclasses import dataclass

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import avg_pool2d  # noqa: E402


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
