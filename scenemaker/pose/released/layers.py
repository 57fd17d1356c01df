"""The reference's layers under the names of its checkpoint, made of the parts that PoseDiT is made of."""

from __future__ import annotations

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from scenemaker.pose.dit.attention import KV, attend  # noqa: E402
from scenemaker.pose.dit.rotary import Table, rotate  # noqa: E402

BASE = 10_000.0


class Mlp(nn.Module):
    """Linear to four times the width, GELU, linear back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return self.c_proj(functional.gelu(self.c_fc(x)))


def flat_table(position: Tensor, channels: int) -> Table:
    """Angles of token numbers (..., L), int64 (quirks ``rope-base``, ``flat-positions``).

    Pair j of h = channels / 2 turns by number * 10000^(-2j/h); RoFormer (arXiv 2104.09864, eq. 15) has h = channels.
    """
    half = channels // 2
    frequency = BASE ** (-2 * torch.arange(half, device=position.device) / half)  # (h,)
    return Table.of(position[..., None] * frequency)  # (..., L, h)


class Attention(nn.Module):
    """Multi-head attention; rotary positions where a table is given."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.c_q, self.c_k, self.c_v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.c_proj = nn.Linear(width, width)

    def queries(self, x: Tensor, table: Table | None) -> Tensor:
        """(..., L, heads, c) of tokens (..., L, d)."""
        q = self.c_q(x).unflatten(-1, (self.heads, -1))  # (..., L, heads, c)
        return q if table is None else rotate(q, *table)

    def keys_values(self, x: Tensor, table: Table | None) -> KV:
        """(..., M, heads, c) of tokens (..., M, d)."""
        k, v = (f(x).unflatten(-1, (self.heads, -1)) for f in (self.c_k, self.c_v))  # (..., M, heads, c)
        return KV(k if table is None else rotate(k, *table), v)

    def forward(self, x: Tensor, kv: KV, table: Table | None) -> Tensor:
        """What tokens (..., L, d) take from keys and values that may have been made before."""
        return self.c_proj(attend(self.queries(x, table), kv))  # (..., L, d)


class PackedAttention(nn.Module):
    """Self-attention whose q, k and v come from one matrix, head by head."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.c_qkv, self.c_proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., L, d) -> (..., L, d)."""
        q, k, v = self.c_qkv(x).unflatten(-1, (self.heads, -1)).chunk(3, -1)  # (..., L, heads, c) each
        return self.c_proj(attend(q, KV(k, v)))  # (..., L, d)


class PackedCrossAttention(nn.Module):
    """Cross-attention whose k and v come from one matrix, head by head."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.c_q, self.c_kv = nn.Linear(width, width, bias=False), nn.Linear(width, 2 * width, bias=False)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(..., L, d) from a context (..., M, d)."""
        q = self.c_q(x).unflatten(-1, (self.heads, -1))  # (..., L, heads, c)
        k, v = self.c_kv(context).unflatten(-1, (self.heads, -1)).chunk(2, -1)  # (..., M, heads, c) each
        return self.c_proj(attend(q, KV(k, v)))  # (..., L, d)


class SelfLayer(nn.Module):
    """Self-attention and MLP, each with a LayerNorm before and a skip around it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn, self.mlp = PackedAttention(width, heads), Mlp(width)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., L, d) -> (..., L, d)."""
        x = x + self.attn(self.ln_1(x))  # (..., L, d)
        return x + self.mlp(self.ln_2(x))  # (..., L, d)


class CrossLayer(nn.Module):
    """The same with cross-attention; the context has a norm too."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn, self.mlp = PackedCrossAttention(width, heads), Mlp(width)
        self.ln_1, self.ln_2, self.ln_3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(..., L, d) from a context (..., M, d)."""
        x = x + self.attn(self.ln_1(x), self.ln_2(context))  # (..., L, d)
        return x + self.mlp(self.ln_3(x))  # (..., L, d)


class Stack(nn.Module):
    """Self-attention layers, one after another."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(SelfLayer(width, heads) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """(..., L, d) -> (..., L, d)."""
        for block in self.resblocks:
            x = block(x)  # (..., L, d)
        return x


def posterior_sample(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """mean + exp(log_variance / 2) noise, the log clamped to [-30, 20] (quirk ``sampled-posterior``)."""
    return mean + (0.5 * log_variance.clamp(-30, 20)).exp() * noise
