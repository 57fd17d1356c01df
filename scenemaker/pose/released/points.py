"""The two point encoders of released weights: an MLP per point, and 3DShape2VecSet's encoder (arXiv 2301.11445)."""

from __future__ import annotations

import math

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from scenemaker.pose.dit.attention import KV, RMSNorm, attend  # noqa: E402
from scenemaker.pose.dit.encoders.layers import FOURIER, fourier  # noqa: E402
from scenemaker.pose.dit.encoders.patches import farthest_points  # noqa: E402
from scenemaker.pose.released.config import VecSetSizes  # noqa: E402
from scenemaker.pose.released.layers import Mlp, posterior_sample  # noqa: E402

OCTAVES = 8
GROWTH = 4  # of the feed-forward layer


class PointMlp(nn.Module):
    """Every point is a token of its own: no attention, no pooling. Its own random init was trained with the rest."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input_proj = nn.Sequential(
            nn.Linear(FOURIER, channels),
            RMSNorm(channels, None),
            nn.GELU(),
            Mlp(channels),
            RMSNorm(channels, None),
            nn.GELU(),
        )

    def forward(self, cloud: Tensor) -> Tensor:
        """(N, P, c) of points (N, P, 3)."""
        return self.input_proj(fourier(cloud).to(next(self.parameters()).dtype))  # (N, P, c)


class HeadedAttention(nn.Module):
    """Attention with q apart from k and v, which come one after the other from one matrix."""

    def __init__(self, width: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, heads * head_dim, bias=False)
        self.to_kv = nn.Linear(width, 2 * heads * head_dim, bias=False)
        self.to_out = nn.Linear(heads * head_dim, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N, L, d) from a context (N, M, d)."""
        q, k, v = (a.unflatten(-1, (self.heads, -1)) for a in (self.to_q(x), *self.to_kv(context).chunk(2, -1)))
        return self.to_out(attend(q, KV(k, v)))  # (N, L, d)


class FeedForward(nn.Module):
    """GEGLU (arXiv 2002.05202, eq. 6): half of the features gate the other half."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = nn.Linear(width, 2 * GROWTH * width)
        self.net = nn.Sequential(inner, nn.Identity(), nn.Linear(GROWTH * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., d) -> (..., d)."""
        value, gate = self.net[0](x).chunk(2, -1)  # (..., 4 d) each
        return self.net[2](value * functional.gelu(gate))  # (..., d)


class Normed(nn.Module):
    """A layer with LayerNorms before it, of its context too where it has one."""

    def __init__(self, width: int, fn: nn.Module, *, context: bool = False) -> None:
        super().__init__()
        self.fn, self.norm = fn, nn.LayerNorm(width)
        self.norm_context = nn.LayerNorm(width) if context else None

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(N, L, d) -> (N, L, d)."""
        if self.norm_context is None or context is None:
            return self.fn(self.norm(x))
        return self.fn(self.norm(x), self.norm_context(context))


class PointEmbed(nn.Module):
    """A point, and sine and cosine of pi, 2 pi ... 128 pi times its coordinates, through a linear layer."""

    basis: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        octaves = math.pi * 2.0 ** torch.arange(OCTAVES)  # (8,)
        self.register_buffer("basis", torch.block_diag(*[octaves[None]] * 3))  # (3, 24), in the checkpoint
        self.mlp = nn.Linear(6 * OCTAVES + 3, width)

    def forward(self, points: Tensor) -> Tensor:
        """(N, P, d) of points (N, P, 3)."""
        angle = points @ self.basis.to(points)  # (N, P, 24)
        waves = torch.cat([angle.sin(), angle.cos(), points], -1)  # (N, P, 51)
        return self.mlp(waves.to(self.mlp.weight.dtype))  # (N, P, d)


class VecSetEncoder(nn.Module):
    """A set of farthest points that look at all points; their latents are drawn from a posterior."""

    def __init__(self, sizes: VecSetSizes) -> None:
        super().__init__()
        width = sizes.width
        self.sizes = sizes
        self.point_embed = PointEmbed(width)
        attention = Normed(width, HeadedAttention(width, 1, width), context=True)
        self.cross_attend_blocks = nn.ModuleList([attention, Normed(width, FeedForward(width))])
        self.mean_fc, self.logvar_fc = nn.Linear(width, sizes.embed_dim), nn.Linear(width, sizes.embed_dim)

    def forward(self, cloud: Tensor, noise: Tensor) -> Tensor:
        """(N, K, e) latents of clouds (N, P, 3), of the posterior's draw ``noise`` (N, K, e)."""
        everywhere = torch.ones(cloud.shape[:2], dtype=torch.bool, device=cloud.device)  # (N, P)
        index = farthest_points(cloud, everywhere, min(self.sizes.num_latents, cloud.shape[1]))  # (N, K)
        embedded = self.point_embed(cloud)  # (N, P, d)
        x = embedded.gather(1, index[..., None].expand(-1, -1, embedded.shape[-1]))  # (N, K, d)
        attention, feed_forward = self.cross_attend_blocks
        x = attention(x, embedded) + x  # (N, K, d)
        x = feed_forward(x) + x  # (N, K, d)
        return posterior_sample(self.mean_fc(x), self.logvar_fc(x), noise)  # (N, K, e)
