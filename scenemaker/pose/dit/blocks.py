"""What PoseDiT is stacked from: the four attentions of the paper, each modulated by time, and the feed-forward layer.

Reference: SceneMaker (arXiv 2512.10957), 3.3.1 and figure 8; adaLN-Zero: DiT (arXiv 2212.09748), section 3.2;
adaLN-single: PixArt-alpha (arXiv 2310.00426), section 2.3.
"""

from __future__ import annotations

import math
from typing import Generic, TypeVar

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.attention import KV, Attention, RMSNorm, attend  # noqa: E402
from scenemaker.pose.dit.conditions import Conditions  # noqa: E402
from scenemaker.pose.dit.config import DiTConfig  # noqa: E402
from scenemaker.pose.dit.rotary import Table  # noqa: E402

Layer = TypeVar("Layer", bound=nn.Module)


class Mlp(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.proj = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return self.proj(self.act(self.fc(x)))


class TimestepEmbedder(nn.Module):
    """A time in [0, 1000] as a vector: cosines and sines of 128 frequencies from 1 down to 1/10000, then an MLP."""

    frequencies = 128

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2 * self.frequencies, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """(...,) -> (..., width)."""
        step = torch.arange(self.frequencies, device=t.device) / self.frequencies  # (F,)
        angle = t.float()[..., None] * torch.exp(-math.log(10_000) * step)  # (..., F)
        waves = torch.cat((angle.cos(), angle.sin()), -1)  # (..., 2 F)
        return self.mlp(waves.to(next(self.mlp.parameters()).dtype))


def modulate(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """h (1 + scale) + shift; tokens (..., L, d), the others (..., 1, d)."""
    return h * (1 + scale) + shift


class Modulated(nn.Module, Generic[Layer]):
    """x + gate f(norm(x) (1 + scale) + shift), with shift, scale and gate from the time.

    adaLN-single: what the time says is computed once for all blocks, and every layer adds a table of its own. Both
    start at zero, so at first every layer is the identity (adaLN-Zero).
    """

    def __init__(self, width: int, layer: Layer) -> None:
        super().__init__()
        self.norm = RMSNorm(width)
        self.layer = layer
        self.table = nn.Parameter(torch.zeros(3, width))

    def forward(self, x: Tensor, time: Tensor, *context: object) -> Tensor:
        """Tokens (N, S, L, d) and time (N, S, 3, d); ``context`` is passed on to the layer."""
        shift, scale, gate = (time + self.table)[..., None, :].unbind(-3)  # (N, S, 1, d) each
        h = modulate(self.norm(x), shift, scale)  # (N, S, L, d)
        return x + gate * self.layer(h, *context)  # (N, S, L, d)


class GlobalSelfAttention(nn.Module):
    """All tokens of all objects of a scene attend to one another; an object's tokens stand where it stands.

    Scenes of equally many objects are one batch, so that nothing is padded. Padded to the largest scene and masked
    instead, it took 0.9 to 1.6 times as long on a CPU, and 5 times with one scene of forty among scenes of one.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads, qk_norm=True)

    def forward(self, x: Tensor, groups: tuple[Tensor, ...], table: Table | None) -> Tensor:
        """(N, S, L, d) -> (N, S, L, d).

        Args:
            groups: ``Layout.groups``: rows (B_n, n) of the objects of scenes of n objects.
            table: (N, 1, c / 2), the place of each object.
        """
        table = None if table is None else Table(table.cos[:, None], table.sin[:, None])  # (N, 1, 1, c / 2)
        q, (k, v) = self.attention.queries(x, table), self.attention.keys_values(x, table)  # (N, S, L, heads, c)
        if len(groups) == 1:  # its rows are 0, 1, 2, ...: nothing to pick
            return self.attention.proj(_attend_in_scenes(q, k, v, groups[0].shape))
        found = []
        for rows in groups:
            i = rows.flatten()  # (B_n n,)
            found.append(_attend_in_scenes(q[i], k[i], v[i], rows.shape))  # (B_n n, S, L, d)
        back = torch.cat([rows.flatten() for rows in groups]).argsort()  # (N,)
        return self.attention.proj(torch.cat(found)[back])  # (N, S, L, d)


def _attend_in_scenes(q: Tensor, k: Tensor, v: Tensor, shape: tuple[int, ...]) -> Tensor:
    """``attend`` over the n L tokens of each of B scenes of n objects: (B n, S, L, heads, c) -> (B n, S, L, d)."""
    q, k, v = (a.unflatten(0, shape).transpose(1, 2).flatten(2, 3) for a in (q, k, v))  # (B, S, n L, heads, c)
    out = attend(q, KV(k, v))  # (B, S, n L, d)
    return out.unflatten(2, (shape[1], -1)).transpose(1, 2).flatten(0, 1)  # (B n, S, L, d)


class CrossAttention(nn.Module):
    """Some tokens of every sample of an object attend to what is known of it; the samples share keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads, qk_norm=True)

    def forward(self, x: Tensor, kv: KV, table: Table | None) -> Tensor:
        """(N, S, q, d) -> (N, S, q, d).

        Args:
            kv: (N, M, heads, c).
            table: (N, 1, c / 2), the place of each object, or None where it is 0.
        """
        queries = x.flatten(1, 2)  # (N, S q, d)
        return self.attention(queries, kv, table).view_as(x)  # (N, S, q, d)


class Block(nn.Module):
    """Local and global self-attention, local and global cross-attention, feed-forward (3.3.1).

    Tokens of an object: rotation, translation, size, geometry... A layer that is switched off is None.
    """

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        width, heads = config.width, config.heads
        self.local_self = Modulated(width, Attention(width, heads, qk_norm=True)) if config.local_self else None
        self.global_self = Modulated(width, GlobalSelfAttention(width, heads)) if config.global_self else None
        self.local_cross = Modulated(width, CrossAttention(width, heads)) if config.local_cross else None
        self.global_cross = Modulated(width, CrossAttention(width, heads)) if config.global_cross else None
        self.feed_forward = Modulated(width, Mlp(width, int(config.mlp * width)))

    def forward(
        self, x: Tensor, times: tuple[Tensor, ...], conditions: Conditions, local: KV | None, scene: KV | None
    ) -> Tensor:
        """(N, S, 3 + G, d) -> (N, S, 3 + G, d).

        Args:
            times: (N, S, 3, d) of each layer there is.
            local: (N, M), keys and values of each object's shape, cloud and crop.
            scene: (N, M'), keys and values of the scene as each object sees it.
        """
        time = iter(times)
        if self.local_self is not None:  # all tokens of an object stand in one place
            x = self.local_self(x, next(time))  # (N, S, 3 + G, d)
        if self.global_self is not None:
            x = self.global_self(x, next(time), conditions.groups, conditions.self_table)  # (N, S, 3 + G, d)
        # without local cross-attention the rotation token joins the global one (4.4)
        first = 0 if self.local_cross is None else 1
        rotation, place, geometry = x.tensor_split([first, 3], 2)  # (N, S, 1, d), (N, S, 2, d), (N, S, G, d)
        if self.local_cross is not None:
            rotation = self.local_cross(rotation, next(time), local, None)  # (N, S, 1, d)
        if self.global_cross is not None:
            place = self.global_cross(place, next(time), scene, conditions.cross_table)  # (N, S, 2 or 3, d)
        x = torch.cat((rotation, place, geometry), 2)  # (N, S, 3 + G, d)
        return self.feed_forward(x, next(time))  # (N, S, 3 + G, d)
