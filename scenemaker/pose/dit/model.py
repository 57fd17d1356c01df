"""PoseDiT: where all objects of a scene stand, denoised together.

Reference: SceneMaker (arXiv 2512.10957), 3.3.1, eq. 3 and figures 3 and 8. An object is a quadruple of tokens:
rotation (6D), translation, size, and geometry, of which there may be more than one token. What the rotation looks at
departs from figure 8, see ``condition_encoder``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.attention import KV, RMSNorm  # noqa: E402
from scenemaker.pose.dit.blocks import Block, CrossAttention, Modulated, TimestepEmbedder, modulate  # noqa: E402
from scenemaker.pose.dit.condition_encoder import ConditionEncoder  # noqa: E402
from scenemaker.pose.dit.conditions import Conditions, Context  # noqa: E402
from scenemaker.pose.dit.config import DiTConfig  # noqa: E402
from scenemaker.pose.dit.types import VARIABLES, Features  # noqa: E402


class PoseDiT(nn.Module):
    """The velocity of noisy poses, given what is seen.

    Order and number of the objects are free: with ``positions="centre"`` or ``"none"`` another order of the objects
    is another order of the result, nothing else, and scenes of one batch do not see one another.

    Args:
        config: Sizes and switches.
        geometry_channels: c_g of ``Features``.
        cloud_channels: c_p of ``Features``.
        image_channels: c_i of ``Features``.
        geometry_tokens: G of ``Features``: if it is ``config.geometry_tokens`` they enter as they are, otherwise, or
            if it is not given, they are pooled.
    """

    def __init__(
        self,
        config: DiTConfig,
        *,
        geometry_channels: int,
        cloud_channels: int,
        image_channels: int,
        geometry_tokens: int | None = None,
    ) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.known = ConditionEncoder(
            config,
            geometry_channels=geometry_channels,
            cloud_channels=cloud_channels,
            image_channels=image_channels,
            geometry_tokens=geometry_tokens,
        )
        self.encoders = nn.ModuleDict(
            {name: _mlp(part.stop - part.start, width, width) for name, part in VARIABLES.items()}
        )
        self.time = TimestepEmbedder(width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        switches = (config.local_self, config.global_self, config.local_cross, config.global_cross)
        self.sublayers = sum(switches) + 1  # and feed-forward
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, self.sublayers * 3 * width))
        self.last_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.last_norm = RMSNorm(width)
        self.decoders = nn.ModuleDict(
            {name: _mlp(width, width, part.stop - part.start) for name, part in VARIABLES.items()}
        )
        self.apply(_initialise)
        for module in (self.modulation, self.last_modulation, *self.decoders.values()):
            for parameter in list(module.parameters())[-2:]:  # every block starts as the identity, the velocity as 0
                nn.init.zeros_(parameter)

    def conditions(self, features: Features, drop: Tensor | None = None) -> Conditions:
        """What all steps and samples share: run once per scene.

        Args:
            features: Of N objects in B scenes; float32.
            drop: (B,) bool, scenes whose conditions are replaced by learned nulls, for guidance; none if not given.
        """
        if drop is None:
            drop = torch.zeros(len(features.up), dtype=torch.bool, device=features.up.device)  # (B,)
        known, local, scene = self.known(features, drop)
        blocks = cast("list[Block]", self.blocks)
        return replace(
            known,
            local=tuple(_keys_values(block.local_cross, local) for block in blocks),
            scene=tuple(_keys_values(block.global_cross, scene) for block in blocks),
        )

    def forward(self, x: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
        """The velocity (N, S, 10), float32.

        Args:
            x: (N, S, 10) noisy standardised variables of S samples of every object.
            t: (B, S) their times in [0, 1], one for all objects of a scene.
            conditions: Of the N objects and B scenes.
        """
        scene = conditions.layout.scene  # (N,)
        x = x.to(self.last_norm.weight.dtype)  # (N, S, 10)
        pose = torch.stack([self.encoders[name](x[..., part]) for name, part in VARIABLES.items()], 2)  # (N, S, 3, d)
        pose = pose + conditions.evidence[:, None, None]  # (N, S, 3, d)
        geometry = conditions.geometry[:, None].expand(-1, x.shape[1], -1, -1)  # (N, S, G, d)
        tokens = torch.cat((pose, geometry), 2)  # (N, S, 3 + G, d)

        time = self.time(1000 * t)  # (B, S, d)
        if conditions.up is not None:
            time = time + conditions.up[:, None]  # (B, S, d)
        times = self.modulation(time).unflatten(-1, (self.sublayers, 3, -1))[scene].unbind(2)  # (N, S, 3, d) each
        for block, local, around in zip(self.blocks, conditions.local, conditions.scene, strict=True):
            tokens = block(tokens, times, conditions, local, around)  # (N, S, 3 + G, d)

        shift, scale = self.last_modulation(time).unflatten(-1, (2, 1, -1))[scene].unbind(2)  # (N, S, 1, d) each
        pose = modulate(self.last_norm(tokens[:, :, :3]), shift, scale)  # (N, S, 3, d)
        parts = [self.decoders[name](pose[:, :, i]) for i, name in enumerate(VARIABLES)]  # (N, S, 6), 3, 1
        return torch.cat(parts, -1).float()  # (N, S, 10)


def _keys_values(layer: Modulated[CrossAttention] | None, context: Context | None) -> KV | None:
    """Keys and values of the context for the attention of one block, where both exist."""
    return (
        None if layer is None or context is None else layer.layer.attention.keys_values(context.tokens, context.table)
    )


def _mlp(channels: int, hidden: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, out))


def _initialise(module: nn.Module) -> None:
    """As in DiT: uniform after Glorot, biases 0."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
