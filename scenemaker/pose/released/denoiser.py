"""The denoiser of the released form: its context, its blocks, their quirks.

Convention: N objects of B scenes stand in one row (``Layout``); nothing is padded. An object is L tokens: rotation,
translation, size, shape. Its context is M tokens: [crop, cloud | centre, size, picture, own pixels, cloud in scene].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.attention import KV, RMSNorm, attend  # noqa: E402
from scenemaker.pose.dit.blocks import TimestepEmbedder, modulate  # noqa: E402
from scenemaker.pose.dit.rotary import Table  # noqa: E402
from scenemaker.pose.dit.types import Layout  # noqa: E402
from scenemaker.pose.released.config import ReleasedConfig  # noqa: E402
from scenemaker.pose.released.layers import Attention, Mlp, flat_table  # noqa: E402

POSE = 3  # pose tokens: rotation, translation, size
LAST = 2  # tokens that quirk `last-two-tokens` takes


class Parts(NamedTuple):
    """What the blocks of a mode are made of.

    Attributes:
        local_self: Attention among the tokens of one object, after that among all.
        local_cross: The rotation attends to the object's own context.
        rotation_global: The rotation attends to the scene's context too.
    """

    local_self: bool
    local_cross: bool
    rotation_global: bool


PARTS = {
    "sep_both": Parts(True, True, False),
    "sep_both_rot": Parts(True, True, True),
    "sep_both_only_gca": Parts(True, False, True),
    "sep_only_gsa": Parts(False, True, False),
    "sep_mlp": Parts(False, True, False),
}


class Tables(NamedTuple):
    """Rotary positions; None where the config has none.

    Attributes:
        all: (N, L, c / 2) number of each token among all of its scene.
        own: (L, c / 2) number of each token in its object.
        asks: (3, c / 2) of the pose tokens that ask a context, from 0 in each call.
        local: (mark, c / 2) of the object's context; scene: (M - mark, c / 2) of the rest, from 0 again.
    """

    all: Table | None
    own: Table | None
    asks: Table | None
    local: Table | None
    scene: Table | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Context:
    """What the blocks know of N objects.

    Attributes:
        tokens: (N, M, d), projected.
        kept: Keys and values of every block, local (or None) and scene, made once for all steps; None: made anew.
    """

    tokens: Tensor
    kept: tuple[tuple[KV | None, KV], ...] | None

    def expand(self, count: int) -> Context:
        """One context for so many objects, without a copy."""

        def of(a: Tensor) -> Tensor:
            return a.expand(count, *a.shape[1:])

        kept = self.kept
        if kept is not None:
            kept = tuple((u and KV(of(u.k), of(u.v)), KV(of(v.k), of(v.v))) for u, v in kept)
        return Context(tokens=of(self.tokens), kept=kept)


class Block(nn.Module):
    """Global and local self-attention, local and global cross-attention, feed-forward; adaLN-single (PixArt-alpha)."""

    def __init__(self, config: ReleasedConfig) -> None:
        super().__init__()
        width, heads = config.width, config.heads
        self.parts, self.per_object, self.mark = PARTS[config.block_mode], config.attn_mode == "object", config.mark
        self.norm1, self.norm2, self.norm_trans, self.norm_size = (RMSNorm(width, 1e-6) for _ in range(4))
        self.attn, self.cross_attn_trans = Attention(width, heads), Attention(width, heads)
        self.mlp, self.mlp_trans, self.mlp_size = Mlp(width), Mlp(width), Mlp(width)
        self.scale_shift_table = nn.Parameter(torch.randn(6, width) / width**0.5)
        self.scale_shift_table_trans = nn.Parameter(torch.randn(6, width) / width**0.5)
        if self.parts.local_self:
            self.norm_obj, self.attn_obj = RMSNorm(width, 1e-6), Attention(width, heads)
            self.scale_shift_table_obj = nn.Parameter(torch.randn(3, width) / width**0.5)
        if self.parts.local_cross:
            self.cross_attn = Attention(width, heads)

    def keys_values(self, context: Tensor, tables: Tables) -> tuple[KV | None, KV]:
        """Those of a context (N, M, d): local (or None) and scene."""
        own, rest = context[:, : self.mark], context[:, self.mark :]  # (N, mark, d), (N, M - mark, d)
        local = self.cross_attn.keys_values(own, tables.local) if self.parts.local_cross else None
        return local, self.cross_attn_trans.keys_values(rest, tables.scene)

    def forward(
        self, x: Tensor, time: Tensor, groups: tuple[Tensor, ...], tables: Tables, context: Tensor, kv: tuple
    ) -> Tensor:
        """(N, L, d) -> (N, L, d).

        Args:
            time: (N, 6, d).
            groups: ``Layout.groups``.
            context: (N, M, d); its tokens mark and mark + 1 are centre and size of the visible cloud.
            kv: Of ``keys_values``.
        """
        local, scene = kv
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = (time + self.scale_shift_table).chunk(6, 1)  # (N, 1, d)
        h = modulate(self.norm1(x), shift, scale)  # (N, L, d)
        h = self._within(self.attn, h, tables.own) if self.per_object else self._among_all(h, groups, tables.all)
        x = x + gate * h  # (N, L, d)
        if self.parts.local_self:
            shift, scale, gate = (time[:, :3] + self.scale_shift_table_obj).chunk(3, 1)  # (N, 1, d)
            h = modulate(self.norm_obj(x), shift, scale)  # (N, L, d)
            x = x + gate * self._within(self.attn_obj, h, tables.own)  # (N, L, d)

        pose, shape = x[:, :POSE], x[:, POSE:]  # (N, 3, d), (N, G, d): quirk `no-posed-geometry`
        rotation, rest = pose[:, :1], pose[:, 1:]  # (N, 1, d), (N, 2, d)
        if local is not None:
            rotation = rotation + self.cross_attn(rotation, local, _first(tables.asks, 1))  # (N, 1, d)
        rest = rest + self._injected(context[:, self.mark : self.mark + 2], time)  # (N, 2, d)
        asking = torch.cat([rotation, rest], 1) if self.parts.rotation_global else rest  # (N, 3 or 2, d)
        asking = asking + self.cross_attn_trans(asking, scene, _first(tables.asks, asking.shape[1]))
        x = torch.cat([asking, shape] if self.parts.rotation_global else [rotation, asking, shape], 1)  # (N, L, d)
        return x + gate_mlp * self.mlp(modulate(self.norm2(x), shift_mlp, scale_mlp))  # (N, L, d)

    def _among_all(self, h: Tensor, groups: tuple[Tensor, ...], table: Table | None) -> Tensor:
        """Attention among all tokens of all objects of a scene, (N, L, d)."""
        qkv = (self.attn.queries(h, table), *self.attn.keys_values(h, table))  # (N, L, heads, c) each
        found = []
        for rows in groups:  # (B_n, n)
            q, k, v = (a[rows].flatten(1, 2) for a in qkv)  # (B_n, n L, heads, c)
            found.append(attend(q, KV(k, v)).unflatten(1, (rows.shape[1], -1)).flatten(0, 1))  # (B_n n, L, d)
        back = torch.cat([rows.flatten() for rows in groups]).argsort()  # (N,)
        return self.attn.c_proj(torch.cat(found)[back])  # (N, L, d)

    @staticmethod
    def _within(attention: Attention, h: Tensor, table: Table | None) -> Tensor:
        """Attention among the tokens of each object, (N, L, d)."""
        return attention(h, attention.keys_values(h, table), table)

    def _injected(self, visible: Tensor, time: Tensor) -> Tensor:
        """(N, 2, d) added to translation and size: MLPs of centre and size (N, 2, d) of the visible cloud alone."""
        table = (time + self.scale_shift_table_trans).chunk(6, 1)  # 6 of (N, 1, d)
        (shift_t, scale_t, gate_t), (shift_s, scale_s, gate_s) = table[:3], table[3:]
        centre = self.mlp_trans(modulate(self.norm_trans(visible[:, :1]), shift_t, scale_t))  # (N, 1, d)
        size = self.mlp_size(modulate(self.norm_size(visible[:, 1:]), shift_s, scale_s))  # (N, 1, d)
        return torch.cat([gate_t * centre, gate_s * size], 1)  # (N, 2, d)


class FinalLayer(nn.Module):
    """Norm, modulation by the time, linear."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.norm_final, self.linear = RMSNorm(width, 1e-6), nn.Linear(width, channels)
        self.scale_shift_table = nn.Parameter(torch.randn(2, width) / width**0.5)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(N, L, channels) of tokens (N, L, d) and time (N, d)."""
        shift, scale = (time[:, None] + self.scale_shift_table).chunk(2, 1)  # (N, 1, d)
        return self.linear(modulate(self.norm_final(x), shift, scale))  # (N, L, channels)


class Denoiser(nn.Module):
    """Tokens of noisy poses and of shapes, at a time, with their context -> tokens of velocities."""

    def __init__(self, config: ReleasedConfig) -> None:
        super().__init__()
        width, context = config.width, config.context
        self.config = config
        self.time_embed = TimestepEmbedder(width)
        self.x_embed = nn.Linear(config.channels, width)
        self.dino_embed, self.pose_emb = (
            nn.Sequential(RMSNorm(context, None), nn.Linear(context, width)) for _ in range(2)
        )
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.t_block = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.final_layer = FinalLayer(width, config.channels)

    def context(self, tokens: Tensor, *, cache: bool = True) -> Context:
        """What the blocks make of a context (N, M, c).

        Args:
            cache: Keys and values of all blocks are made now, once for all steps.
        """
        plain, last = tokens[:, :-LAST], tokens[:, -LAST:]  # quirk `last-two-tokens`
        projected = torch.cat([self.dino_embed(plain), self.pose_emb(last)], 1)  # (N, M, d)
        tables = self._context_tables(tokens.shape[1], tokens.device)
        kept = tuple(block.keys_values(projected, tables) for block in self._blocks()) if cache else None
        return Context(tokens=projected, kept=kept)

    def forward(self, tokens: Tensor, t: Tensor, layout: Layout, slot: Tensor, context: Context) -> Tensor:
        """(N, L, channels) -> (N, L, channels).

        Args:
            t: (B,) noise level times 1000.
            slot: (N,) place of each object in its scene's list.
            context: Of the N objects.
        """
        time = self.time_embed(t)  # (B, d)
        time6 = self.t_block(time).unflatten(-1, (6, -1))[layout.scene]  # (N, 6, d)
        tables = self._tables(tokens.shape[1], slot, context.tokens.shape[1])
        x = self.x_embed(tokens)  # (N, L, d)
        for i, block in enumerate(self._blocks()):
            kv = block.keys_values(context.tokens, tables) if context.kept is None else context.kept[i]
            x = block(x, time6, layout.groups, tables, context.tokens, kv)  # (N, L, d)
        return self.final_layer(x, time[layout.scene])  # (N, L, channels)

    def _blocks(self) -> list[Block]:
        return [b for b in self.blocks if isinstance(b, Block)]

    def _tables(self, L: int, slot: Tensor, M: int) -> Tables:
        own = torch.arange(L, device=slot.device)  # (L,)
        among = self._table(slot[:, None] * L + own, self.config.rope)  # (N, L, c / 2): quirk `flat-positions`
        return self._context_tables(M, slot.device)._replace(all=among, own=self._table(own, self.config.rope))

    def _context_tables(self, M: int, device: torch.device) -> Tables:
        mark, cross = self.config.mark, self.config.cross_rope
        asks, local, scene = (torch.arange(n, device=device) for n in (POSE, mark, M - mark))
        return Tables(None, None, self._table(asks, cross), self._table(local, cross), self._table(scene, cross))

    def _table(self, position: Tensor, on: bool) -> Table | None:
        return flat_table(position, self.config.width // self.config.heads) if on else None


def _first(table: Table | None, count: int) -> Table | None:
    return table and Table(table.cos[..., :count, :], table.sin[..., :count, :])
