"""Attention with rotary positions whose keys and values can be kept: ``softmax(q k^T / sqrt(c)) v``.

Reference: Vaswani et al., arXiv 1706.03762, eq. 1; RMSNorm: arXiv 1910.07467, eq. 4; normalised queries and keys
(qk-norm): Dehghani et al., arXiv 2302.05442, section 2.
"""

from __future__ import annotations

from typing import NamedTuple

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from scenemaker.pose.dit.rotary import Table, rotate  # noqa: E402


class RMSNorm(nn.Module):
    """x / rms(x) times a weight; computed in float32 at least. ``eps=None`` is float32's machine epsilon."""

    def __init__(self, width: int, eps: float | None = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width), dtype kept."""
        exact = torch.promote_types(x.dtype, torch.float32)
        return functional.rms_norm(x.to(exact), self.weight.shape, self.weight.to(exact), self.eps).to(x.dtype)


class KV(NamedTuple):
    """Keys (turned by their positions) and values of a context of M tokens.

    Attributes:
        k: (..., M, heads, c).
        v: (..., M, heads, c).
    """

    k: Tensor
    v: Tensor


class Attention(nn.Module):
    """Multi-head attention. What it attends to is given as ``KV``: made once, used at every step.

    Args:
        qk_norm: Queries and keys are normalised head by head before they are turned.
    """

    def __init__(self, width: int, heads: int, qkv_bias: bool = False, qk_norm: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=qkv_bias)
        self.k = nn.Linear(width, width, bias=qkv_bias)
        self.v = nn.Linear(width, width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)
        self.q_norm = RMSNorm(width // heads) if qk_norm else nn.Identity()
        self.k_norm = RMSNorm(width // heads) if qk_norm else nn.Identity()

    def queries(self, x: Tensor, table: Table | None = None) -> Tensor:
        """Queries (..., L, heads, c) of tokens (..., L, d) that stand where ``table`` says."""
        q = self.q_norm(self.q(x).unflatten(-1, (self.heads, -1)))  # (..., L, heads, c)
        return q if table is None else rotate(q, *table)

    def keys_values(self, context: Tensor, table: Table | None = None) -> KV:
        """Keys and values (..., M, heads, c) of a context (..., M, d) that stands where ``table`` says."""
        k = self.k_norm(self.k(context).unflatten(-1, (self.heads, -1)))  # (..., M, heads, c)
        v = self.v(context).unflatten(-1, (self.heads, -1))  # (..., M, heads, c)
        return KV(k if table is None else rotate(k, *table), v)

    def forward(
        self, x: Tensor, kv: KV | None = None, table: Table | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """What tokens (..., L, d) take from the keys and values, from one another where there are none.

        Args:
            table: Positions of ``x``; keys and values given have been turned already.
            mask: (..., L, M) bool, where a query may look; a query that may look nowhere takes nothing.
        """
        kv = self.keys_values(x, table) if kv is None else kv
        return self.proj(attend(self.queries(x, table), kv, mask))  # (..., L, d)


def attend(q: Tensor, kv: KV, mask: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(c)) v of every head, heads side by side.

    Args:
        q: (..., L, heads, c); axes in front as those of ``kv``.
        mask: (..., L, M) bool.

    Returns:
        (..., L, heads c).
    """
    front = q.shape[:-3]
    # the fused kernels know one batch axis and heads in front of tokens
    qkv = [a.reshape(-1, *a.shape[-3:]).transpose(1, 2) for a in (q, *kv)]  # (b, heads, L or M, c)
    if mask is not None:
        mask = mask.expand(*front, *mask.shape[-2:]).reshape(-1, 1, *mask.shape[-2:])  # (b, 1, L, M)
    out = functional.scaled_dot_product_attention(*qkv, attn_mask=mask)  # (b, heads, L, c)
    return out.transpose(1, 2).reshape(*front, q.shape[-3], -1)  # (..., L, heads c)
