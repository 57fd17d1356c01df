"""Clouds to tokens: farthest points are the centres of patches, a small PointNet makes a token of each.

Ragged by count: of a row only the first ``count`` points exist; what stands behind them, NaN too, changes nothing.
Clouds of fewer points than tokens repeat tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.encoders.layers import FOURIER, fourier  # noqa: E402

CANDIDATES = 1024  # centres are chosen from at least so many points, evenly strided through a larger cloud
PER_TOKEN = 8  # ... and from at least so many per token
OFFSET_GAIN = 4.0  # brings offsets inside a patch to about unit size


@dataclass(frozen=True, eq=False, kw_only=True)
class CloudTokens:
    """Patches of N clouds.

    Attributes:
        tokens: (N, L, w).
        xyz: (N, L, 3) the centres, which are points of the cloud.
        index: (N, L) int64, which points.
    """

    tokens: Tensor
    xyz: Tensor
    index: Tensor


def strided(count: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Rows of at most so many points, evenly spread over the first ``count``: index (N, most) and valid (N, most)."""
    kept = count.clamp_max(most)[:, None]  # (N, 1)
    i = torch.arange(most, device=count.device)[None]  # (1, most)
    valid = i < kept  # (N, most)
    return torch.where(valid, i * count[:, None] // kept, 0), valid


def farthest_points(xyz: Tensor, valid: Tensor, tokens: int) -> Tensor:
    """(N, L) int64: each the point farthest from those before it, the first the farthest from the mean.

    Where there are fewer distinct points than tokens, the first is repeated.

    Args:
        xyz: (N, P, 3), finite.
        valid: (N, P) bool, at least one per row.
        tokens: L.

    Reference: Eldar et al., "The farthest point strategy for progressive image sampling", 1997.
    """
    weight = valid[..., None].to(xyz.dtype)  # (N, P, 1)
    mean = (xyz * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)  # (N, 1, 3)
    rows = torch.arange(len(xyz), device=xyz.device)
    last = torch.where(valid, (xyz - mean).square().sum(-1), -1.0).argmax(1)  # (N,)
    chosen = [last]
    distance = torch.where(valid, torch.inf, 0.0)  # (N, P) squared, to the nearest chosen
    for _ in range(tokens - 1):
        distance = torch.minimum(distance, (xyz - xyz[rows, last][:, None]).square().sum(-1))  # (N, P)
        best, farthest = distance.max(1)  # (N,), (N,)
        last = torch.where(best > 0, farthest, chosen[0])
        chosen.append(last)
    return torch.stack(chosen, 1)  # (N, L)


def maximum_per_patch(features: Tensor, patch: Tensor, patches: int) -> Tensor:
    """(patches, w) greatest feature of every patch, 0 where it has no point.

    Args:
        features: (P, w).
        patch: (P,) int64 in [0, patches].  Points of number ``patches`` belong to none.
        patches: How many.
    """
    order = patch.argsort(stable=True)  # (P,) points of one patch side by side
    lengths = torch.zeros(patches + 1, dtype=torch.int64, device=patch.device)
    lengths = lengths.scatter_add(0, patch, torch.ones_like(patch))  # (patches + 1,)
    best = torch.segment_reduce(features[order], "max", lengths=lengths, axis=0, unsafe=True)[:patches]  # (patches, w)
    return torch.where(lengths[:patches, None] > 0, best, 0.0)


class PatchEmbedding(nn.Module):
    """A PointNet (arXiv 1612.00593) over every patch: shared layers per point, then the maximum."""

    def __init__(self, width: int, *, normals: bool = False) -> None:
        super().__init__()
        inputs = FOURIER + 3 + 3 * normals
        self.point = nn.Sequential(nn.Linear(inputs, width // 2), nn.GELU(), nn.Linear(width // 2, width))
        self.out, self.centre = nn.Linear(width, width), nn.Linear(FOURIER, width)

    def forward(self, points: Tensor, count: Tensor | None, tokens: int) -> CloudTokens:
        """Tokens of clouds; every point belongs to the patch of its nearest centre.

        Args:
            points: (N, P, 3) or, with normals, (N, P, 6).
            count: (N,) int64 points of each that exist, at least 1; all of them without.
            tokens: L.
        """
        N, P = points.shape[:2]
        if count is None:
            count = torch.full((N,), P, dtype=torch.int64, device=points.device)
        valid = torch.arange(P, device=points.device) < count[:, None]  # (N, P)
        points = torch.where(valid[..., None], points, 0.0)  # (N, P, 3 or 6)
        xyz = points[..., :3]

        candidates, real = strided(count, min(P, max(CANDIDATES, PER_TOKEN * tokens)))  # (N, C) both
        rows = torch.arange(N, device=points.device)[:, None]
        index = candidates.gather(1, farthest_points(xyz[rows, candidates], real, tokens))  # (N, L)
        centre = xyz[rows, index]  # (N, L, 3)

        patch = torch.cdist(xyz, centre).argmin(-1)  # (N, P)
        offset = xyz - centre[rows, patch]  # (N, P, 3)
        inputs = torch.cat([fourier(xyz), OFFSET_GAIN * offset, points[..., 3:]], -1)  # (N, P, 54 or 57)
        flat = torch.where(valid, patch + rows * tokens, N * tokens).flatten()  # (N P,)
        best = maximum_per_patch(self.point(inputs).flatten(0, 1), flat, N * tokens).view(N, tokens, -1)  # (N, L, w)
        # of centres in one place all points fell to one: every token takes the patch that its centre fell to
        best = best[rows, patch.gather(1, index)]  # (N, L, w)
        return CloudTokens(tokens=self.out(best) + self.centre(fourier(centre)), xyz=centre, index=index)
