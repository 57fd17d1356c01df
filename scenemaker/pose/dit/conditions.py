"""What PoseDiT knows while it denoises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from scenemaker.errors import needs

needs("torch", "models")
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.attention import KV  # noqa: E402
from scenemaker.pose.dit.rotary import Table  # noqa: E402
from scenemaker.pose.dit.types import Layout  # noqa: E402


class Context(NamedTuple):
    """What each object may look at, and where it stands.

    Attributes:
        tokens: (N, M, d).
        table: (N, M, c / 2), or None.
    """

    tokens: Tensor
    table: Table | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Conditions:
    """All that the steps of the sampler share.

    Attributes:
        layout: Which scene each object belongs to; groups: its ``groups``.
        evidence: (N, d), added to the pose tokens.
        up: (B, d), added to the time, or None.
        geometry: (N, G, d) tokens beside the pose tokens.
        self_table, cross_table: (N, 1, c / 2) places of the objects in self- and in global cross-attention, or None.
        local: Keys and values (N, M) of shape, cloud and crop of each object, for every block.
        scene: Keys and values (N, M') of scene cloud and picture as each object sees them, for every block.
    """

    layout: Layout
    groups: tuple[Tensor, ...]
    evidence: Tensor
    up: Tensor | None
    geometry: Tensor
    self_table: Table | None
    cross_table: Table | None
    local: tuple[KV | None, ...] = ()
    scene: tuple[KV | None, ...] = ()
