"""What makes encoders of shapes learn shape: from their tokens, how far and where the surface is, from any point.

The supervision is a cloud of the complete surface: the nearest of its points. No mesh is needed, closed or not.
"""

from __future__ import annotations

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from scenemaker.pose.dit.attention import RMSNorm  # noqa: E402
from scenemaker.pose.dit.encoders.layers import FOURIER, Layer, fourier  # noqa: E402

LOOKS = 2  # cross-attention layers of a query to the tokens
CHUNK = 1 << 26  # distances held at once


class ShapeDecoder(nn.Module):
    """Queries cross-attend to the tokens of a shape (3DShape2VecSet, arXiv 2301.11445, section 5.4)."""

    def __init__(self, channels: int, width: int, heads: int, layers: int, *, truncation: float) -> None:
        """``truncation``: greatest distance that is told apart, in the frame of the queries."""
        super().__init__()
        self.truncation = truncation
        self.tokens, self.query = nn.Linear(channels, width), nn.Linear(FOURIER, width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.looks = nn.ModuleList(Layer(width, heads, cross=True) for _ in range(LOOKS))
        self.out = nn.Sequential(RMSNorm(width), nn.Linear(width, 4))

    def forward(self, tokens: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Distance (N, K) in [0, truncation] to the surface, and the unit direction (N, K, 3) towards it.

        Args:
            tokens: (N, L, channels).
            queries: (N, K, 3).
        """
        z = self.tokens(tokens)  # (N, L, w)
        for layer in self.layers:
            z = layer(z)  # (N, L, w)
        x = self.query(fourier(queries))  # (N, K, w)
        for look in self.looks:
            x = look(x, z)  # (N, K, w)
        y = self.out(x)  # (N, K, 4)
        return self.truncation * y[..., 0].sigmoid(), functional.normalize(y[..., 1:], dim=-1)


def surface_distance(queries: Tensor, surface: Tensor) -> tuple[Tensor, Tensor]:
    """Distance (N, K) to the nearest point of the surface, and the unit direction (N, K, 3) towards it.

    Args:
        queries: (N, K, 3).
        surface: (N, Q, 3).
    """
    rows = max(1, CHUNK // (queries.shape[1] * surface.shape[1]))
    parts = [
        torch.cdist(q, s, compute_mode="donot_use_mm_for_euclid_dist").argmin(-1)  # (n, K)
        for q, s in zip(queries.split(rows), surface.split(rows), strict=True)
    ]
    nearest = torch.cat(parts)[..., None].expand(-1, -1, 3)  # (N, K, 3)
    way = surface.gather(1, nearest) - queries  # (N, K, 3)
    return way.norm(dim=-1), functional.normalize(way, dim=-1)
