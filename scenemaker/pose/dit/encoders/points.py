"""The encoder of observed clouds, trained to tell where the complete surface is.

Objects and scenes share all weights but one vector each: both are clouds of about unit radius along the axes of
``cam``, both are trained on the same question, and the scene gains from the many more objects.
"""

from __future__ import annotations

from scenemaker.errors import ShapeError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.attention import RMSNorm  # noqa: E402
from scenemaker.pose.dit.config import PointsConfig  # noqa: E402
from scenemaker.pose.dit.encoders.distance import ShapeDecoder  # noqa: E402
from scenemaker.pose.dit.encoders.layers import Layer  # noqa: E402
from scenemaker.pose.dit.encoders.patches import CloudTokens, PatchEmbedding  # noqa: E402

TRUNCATION = 0.4  # of the radius of the cloud


class PointEncoder(nn.Module):
    """Patches of the observed points and self-attention.

    Attributes:
        channels: Of a token.
        decoder: Reconstructs the complete shape, for training; None in a pose model.
    """

    def __init__(self, config: PointsConfig, *, decoder: bool = True) -> None:
        super().__init__()
        c = self.config = config
        self.channels = c.width
        self.embed = PatchEmbedding(c.width)
        self.kind = nn.Parameter(torch.zeros(2, c.width))  # of a cloud of one object, of a scene
        self.layers = nn.ModuleList(Layer(c.width, c.heads) for _ in range(c.layers))
        self.norm = RMSNorm(c.width)
        self.decoder = ShapeDecoder(c.width, c.width, c.heads, c.layers, truncation=TRUNCATION) if decoder else None

    def forward(self, cloud: Tensor, count: Tensor) -> CloudTokens:
        """Tokens of the objects' clouds (N, P, 3), in their own units, of which the first ``count`` (N,) exist."""
        return self._encode(cloud, count, self.config.tokens, self.kind[0])

    def scene(self, cloud: Tensor, owner: Tensor) -> tuple[CloudTokens, Tensor]:
        """Tokens of the scenes' clouds (B, M, 3), and the owner (B, L) of every patch: that of its centre.

        Args:
            cloud: (B, M, 3) in ``scene``.
            owner: (B, M) int64, object of each point.
        """
        tokens = self._encode(cloud, None, self.config.scene_tokens, self.kind[1])
        return tokens, owner.gather(1, tokens.index)

    def _encode(self, cloud: Tensor, count: Tensor | None, tokens: int, kind: Tensor) -> CloudTokens:
        if cloud.ndim != 3 or cloud.shape[-1] != 3 or not cloud.shape[1]:
            got = tuple(cloud.shape)
            raise ShapeError(expected("observed points (N, P, 3)", got=got, remedy="give at least one point"))
        patches = self.embed(cloud, count, tokens)
        x = patches.tokens + kind  # (N, L, w)
        for layer in self.layers:
            x = layer(x)  # (N, L, w)
        return CloudTokens(tokens=self.norm(x), xyz=patches.xyz, index=patches.index)
