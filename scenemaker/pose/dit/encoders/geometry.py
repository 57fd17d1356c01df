"""The point VAE that encodes a complete shape: 20k points and normals in, a few latent tokens out."""

from __future__ import annotations

from scenemaker.errors import ShapeError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.attention import RMSNorm  # noqa: E402
from scenemaker.pose.dit.config import GeometryConfig  # noqa: E402
from scenemaker.pose.dit.encoders.distance import ShapeDecoder  # noqa: E402
from scenemaker.pose.dit.encoders.layers import Layer  # noqa: E402
from scenemaker.pose.dit.encoders.patches import PatchEmbedding  # noqa: E402

FEWEST_PATCHES = 16  # a shape of fewer tokens is read as POOLED patches, which the tokens then gather by attention
POOLED = 32
TRUNCATION = 0.2  # of the longest side


class GeometryVAE(nn.Module):
    """Patches of the surface, self-attention, and a normal distribution per latent token.

    Attributes:
        channels: Of a latent token.
        decoder: Reconstructs the shape, for training; None in a pose model.
    """

    def __init__(self, config: GeometryConfig, *, decoder: bool = True) -> None:
        super().__init__()
        c = self.config = config
        self.channels = c.latent
        self.patches = c.tokens if c.tokens >= FEWEST_PATCHES else POOLED
        self.embed = PatchEmbedding(c.width, normals=True)
        self.layers = nn.ModuleList(Layer(c.width, c.heads) for _ in range(c.layers))
        pooled = self.patches != c.tokens
        self.queries = nn.Parameter(torch.randn(c.tokens, c.width)) if pooled else None
        self.pool = Layer(c.width, c.heads, cross=True) if pooled else None
        self.out = nn.Sequential(RMSNorm(c.width), nn.Linear(c.width, 2 * c.latent))
        self.decoder = ShapeDecoder(c.latent, c.width, c.heads, c.layers, truncation=TRUNCATION) if decoder else None

    def posterior(self, geometry: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log of the variance, (N, tokens, latent) each, of shapes (N, Q, 6): points and normals in ``obj``.

        Raises:
            ShapeError: Another shape.
        """
        if geometry.ndim != 3 or geometry.shape[-1] != 6 or not geometry.shape[1]:
            got = tuple(geometry.shape)
            raise ShapeError(expected("points and normals of shapes, (N, Q, 6)", got=got, remedy="sample the surface"))
        x = self.embed(geometry, None, self.patches).tokens  # (N, L, w)
        for layer in self.layers:
            x = layer(x)  # (N, L, w)
        if self.pool is not None and self.queries is not None:
            x = self.pool(self.queries.expand(len(x), -1, -1), x)  # (N, tokens, w)
        mean, logvar = self.out(x).chunk(2, -1)  # (N, tokens, latent) each
        return mean, logvar.clamp(-20.0, 10.0)

    def encode(self, geometry: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(N, tokens, latent): the mean or, with a generator (on the CPU), a sample."""
        mean, logvar = self.posterior(geometry)
        return mean if generator is None else sampled(mean, logvar, generator)

    def forward(self, geometry: Tensor) -> Tensor:
        """(N, tokens, latent) mean latents of shapes (N, Q, 6)."""
        return self.encode(geometry)


def sampled(mean: Tensor, logvar: Tensor, generator: torch.Generator) -> Tensor:
    """A draw of a normal distribution, its noise from a generator on the CPU (arXiv 1312.6114, eq. 10)."""
    noise = torch.randn(mean.shape, generator=generator).to(mean)
    return mean + (logvar / 2).exp() * noise


def divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """() mean over channels of the divergence from the standard normal (arXiv 1312.6114, appendix B)."""
    return (mean.square() + logvar.exp() - 1 - logvar).mean() / 2
