"""What all encoders are built of: attention layers and Fourier features."""

from __future__ import annotations

from scenemaker.errors import ConfigError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.attention import Attention, RMSNorm  # noqa: E402

OCTAVES = 8
FOURIER = 3 * (1 + 2 * OCTAVES)  # features of a point


def fourier(xyz: Tensor) -> Tensor:
    """(..., 51) a point, and sine and cosine of 1, 2, 4 ... 128 times its coordinates.

    Reference: NeRF, arXiv 2003.08934, eq. 4, but without pi, so that the lowest octave tells apart what lies within
    [-pi, pi]: clouds seen in part reach beyond [-1, 1].
    """
    angle = xyz[..., None] * 2.0 ** torch.arange(OCTAVES, device=xyz.device)  # (..., 3, 8)
    angle = angle.flatten(-2)  # (..., 24)
    return torch.cat([xyz, angle.sin(), angle.cos()], -1)  # (..., 51)


class Layer(nn.Module):
    """Attention and feed-forward, each with a norm before and a skip around it; self-attention without a context."""

    def __init__(self, width: int, heads: int, *, cross: bool = False) -> None:
        """A layer.

        Raises:
            ConfigError: The heads do not divide the width.
        """
        super().__init__()
        if width % heads:
            got = f"width {width}, heads {heads}"
            raise ConfigError(expected("heads to divide the width of an encoder", got=got, remedy="change one of them"))
        self.norm, self.attention = RMSNorm(width), Attention(width, heads, qk_norm=True)
        self.norm_context = RMSNorm(width) if cross else None
        self.norm_mlp = RMSNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(N, L, w) from x (N, L, w) and, of a cross-attention layer, its context (N, M, w)."""
        y = self.norm(x)  # (N, L, w)
        seen = y if self.norm_context is None or context is None else self.norm_context(context)  # (N, M, w)
        x = x + self.attention(y, self.attention.keys_values(seen))  # (N, L, w)
        return x + self.mlp(self.norm_mlp(x))  # (N, L, w)
