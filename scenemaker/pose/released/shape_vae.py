"""The encoder of the shape VAE: points with normals -> latents (kind: Michelangelo, Dora, Step1X-3D).

Its decoder is in the published files and is not needed for poses: ``names.py`` lists it among what is left out.
"""

from __future__ import annotations

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.encoders.layers import FOURIER, fourier  # noqa: E402
from scenemaker.pose.dit.encoders.patches import farthest_points  # noqa: E402
from scenemaker.pose.released.config import ShapeSizes  # noqa: E402
from scenemaker.pose.released.layers import CrossLayer, Stack, posterior_sample  # noqa: E402

NORMAL = 3


class SurfaceEncoder(nn.Module):
    """Farthest points of the surface (and of its sharp edges, where given) look at all points, then at each other."""

    def __init__(self, sizes: ShapeSizes) -> None:
        super().__init__()
        width, heads = sizes.width, sizes.heads
        self.queries = sizes.num_latents // 2
        self.input_proj, self.input_proj_sharp = (nn.Linear(FOURIER + NORMAL, width) for _ in range(2))
        self.cross_attn, self.cross_attn_sharp = CrossLayer(width, heads), CrossLayer(width, heads)
        self.self_attn = Stack(width, heads, sizes.num_encoder_layers)
        self.ln_post = nn.LayerNorm(width)

    def forward(self, surface: Tensor, sharp: Tensor | None = None) -> Tensor:
        """(N, G, d) of points and normals (N, P, 6); G doubles with sharp ones (quirk ``half-geometry``)."""
        data, query = self._points(surface, self.input_proj)  # (N, P, d), (N, K, d)
        if sharp is None:
            x = self.cross_attn(query, data)  # (N, K, d)
        else:
            data_sharp, query_sharp = self._points(sharp, self.input_proj_sharp)
            query = torch.cat([query, query_sharp], 1)  # (N, 2 K, d)
            x = self.cross_attn(query, data) + self.cross_attn_sharp(query, data_sharp)  # (N, 2 K, d)
        return self.ln_post(self.self_attn(x))  # (N, G, d)

    def _points(self, surface: Tensor, project: nn.Linear) -> tuple[Tensor, Tensor]:
        """All points embedded (N, P, d), and those of the farthest (N, K, d)."""
        xyz, normal = surface[..., :3], surface[..., 3:]
        data = project(torch.cat([fourier(xyz), normal], -1).to(project.weight.dtype))  # (N, P, d)
        everywhere = torch.ones(xyz.shape[:2], dtype=torch.bool, device=xyz.device)  # (N, P)
        index = farthest_points(xyz, everywhere, min(self.queries, xyz.shape[1]))  # (N, K)
        return data, data.gather(1, index[..., None].expand(-1, -1, data.shape[-1]))


class ShapeVae(nn.Module):
    """Points and normals -> latents drawn from the posterior."""

    def __init__(self, sizes: ShapeSizes) -> None:
        super().__init__()
        self.encoder = SurfaceEncoder(sizes)
        self.pre_kl = nn.Linear(sizes.width, 2 * sizes.embed_dim)

    def forward(self, surface: Tensor, noise: Tensor, sharp: Tensor | None = None) -> Tensor:
        """(N, G, e) latents of surfaces (N, P, 6), of the posterior's draw ``noise`` (N, G, e)."""
        mean, log_variance = self.pre_kl(self.encoder(surface, sharp)).chunk(2, -1)  # (N, G, e) each
        return posterior_sample(mean, log_variance, noise)  # (N, G, e)
