"""Poses as tokens and back: an MLP for each of rotation (6), translation (3) and size (1)."""

from __future__ import annotations

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.types import VARIABLES  # noqa: E402
from scenemaker.pose.released.layers import Mlp  # noqa: E402


class PoseCodec(nn.Module):
    """The ten numbers of a noisy pose -> three tokens; three tokens -> the ten numbers of a velocity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input_proj, self.input_proj_trans, self.input_proj_size = (_encoder(n, channels) for n in (6, 3, 1))
        self.out_proj, self.out_proj_trans, self.out_proj_size = (_decoder(n, channels) for n in (6, 3, 1))

    def encode(self, x: Tensor) -> Tensor:
        """(N, 3, c) of x (N, 10)."""
        rotation, translation, size = (x[..., part] for part in VARIABLES.values())
        return torch.cat([self.input_proj(rotation)[..., None, :], self.encode_visible(translation, size)], -2)

    def encode_visible(self, centre: Tensor, size: Tensor) -> Tensor:
        """(N, 2, c) of a centre (N, 3) and a size (N, 1), by the layers that translation and size have."""
        return torch.stack([self.input_proj_trans(centre), self.input_proj_size(size)], -2)  # (N, 2, c)

    def decode(self, tokens: Tensor) -> Tensor:
        """(N, 10) of tokens (N, 3, c)."""
        rotation, translation, size = tokens.unbind(-2)  # (N, c) each
        return torch.cat([self.out_proj(rotation), self.out_proj_trans(translation), self.out_proj_size(size)], -1)


def _encoder(inputs: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, channels), nn.LayerNorm(channels), Mlp(channels), nn.LayerNorm(channels))


def _decoder(outputs: int, channels: int) -> nn.Sequential:
    return nn.Sequential(Mlp(channels), nn.LayerNorm(channels), nn.Linear(channels, outputs))
