"""Rotary positions in space: attention that knows where two objects stand to one another, and no order.

Reference: Su et al., "RoFormer" (arXiv 2104.09864), eq. 14-16: a query at p and a key at q, each turned by its own
position, meet with the score of the difference p - q alone. Here a position has three axes, each with its own pairs.

Convention: pairs are interleaved, (0, 1), (2, 3), ...; a table may come from anywhere, one angle per pair.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scenemaker.errors import ConfigError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

AXES = 3


class Table(NamedTuple):
    """By which angles the pairs of a head are turned.

    Attributes:
        cos: (..., L, head_dim / 2).
        sin: (..., L, head_dim / 2).
    """

    cos: Tensor
    sin: Tensor

    @classmethod
    def of(cls, angle: Tensor) -> Table:
        """The table of angles (..., L, head_dim / 2) in radians."""
        return cls(angle.cos(), angle.sin())


class Rotary:
    """Tables of positions with three axes: head_dim // 6 wavelengths per axis, the pairs left over stay unturned.

    Wavelengths fall geometrically, in units of the positions. Nothing here is learned or stored, so that a model in
    bf16 still gets its angles in float32.

    Raises:
        ConfigError: A head has less than one pair per axis.

    >>> table = Rotary(head_dim=8, longest=8.0, shortest=8.0)(torch.tensor([[2.0, 4.0, 0.0]]))  # quarter, half turn
    >>> table.sin.round().tolist(), table.cos.round().tolist()
    ([[1.0, -0.0, 0.0, 0.0]], [[-0.0, -1.0, 1.0, 1.0]])
    """

    def __init__(self, head_dim: int, *, longest: float = 8.0, shortest: float = 0.25) -> None:
        self.count = head_dim // (2 * AXES)  # wavelengths per axis
        self.rest = head_dim // 2 - AXES * self.count
        self.longest, self.shortest = longest, shortest
        if not self.count:
            got, remedy = f"{head_dim} channels", "take fewer heads, or no positions"
            raise ConfigError(expected("heads of 6 channels or more for rotary positions", got=got, remedy=remedy))

    def __call__(self, positions: Tensor) -> Table:
        """The table (..., L, head_dim / 2) of positions (..., L, 3)."""
        positions = positions.to(torch.promote_types(positions.dtype, torch.float32))
        step = torch.linspace(0, 1, self.count, device=positions.device, dtype=positions.dtype)  # (F,)
        wavelength = self.longest * (self.shortest / self.longest) ** step  # (F,)
        angle = positions[..., None] * (2 * math.pi / wavelength)  # (..., L, 3, F)
        return Table.of(torch.nn.functional.pad(angle.flatten(-2), (0, self.rest)))  # (..., L, head_dim / 2)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Heads with every pair turned by its angle (arXiv 2104.09864, eq. 34), in the dtype they came in.

    Args:
        x: (..., L, heads, head_dim).
        cos: (..., L, head_dim / 2), broadcast over the axes in front; so is ``sin``.

    >>> rotate(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[0.0]]), torch.tensor([[1.0]])).tolist()
    [[[0.0, 1.0]]]
    """
    cos, sin = cos[..., None, :], sin[..., None, :]  # (..., L, 1, head_dim / 2)
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)  # (..., L, heads, head_dim / 2) each
    # the tables are float32, so the products are float32 even where x is bf16
    turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1)  # (..., L, heads, head_dim / 2, 2)
    return turned.flatten(-2).to(x.dtype)  # (..., L, heads, head_dim)
