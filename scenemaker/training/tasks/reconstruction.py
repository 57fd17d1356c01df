"""What the encoders of shapes are trained on: to tell the distance and direction of the complete surface.

The surface is a cloud of points, in whatever frame the encoder works; ``scale`` is its longest side in that frame.
"""

from __future__ import annotations

from collections.abc import Mapping

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.encoders.distance import ShapeDecoder, surface_distance  # noqa: E402

NOISE = (0.005, 0.2)  # spread of queries about the surface, log-uniform, over the longest side
MARGIN = 0.1  # of the box that queries fill, over the longest side
BLURRED = 0.02  # of the longest side: nearer than this the nearest *point* does not tell the direction
NEAR = 0.05  # of the longest side: what counts as near in ``reconstruction_errors``
DIRECTION_WEIGHT = 0.25


def draw_queries(surface: Tensor, scale: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """(N, K, 3): the first half near the surface, the others anywhere in the box around it.

    Args:
        surface: (N, Q, 3).
        scale: (N,).
        number: K.
        generator: On the CPU.
    """
    N, Q = surface.shape[:2]
    side, half = scale[:, None, None], number // 2  # (N, 1, 1)
    index = torch.randint(Q, (N, half, 1), generator=generator).to(surface.device)
    low, high = torch.tensor(NOISE).log()
    spread = (low + (high - low) * torch.rand(N, half, 1, generator=generator)).exp().to(surface)  # (N, K/2, 1)
    noise = torch.randn(N, half, 3, generator=generator).to(surface)  # (N, K/2, 3)
    near = surface.gather(1, index.expand(-1, -1, 3)) + side * spread * noise  # (N, K/2, 3)
    low, high = surface.amin(1, keepdim=True), surface.amax(1, keepdim=True)  # (N, 1, 3)
    share = torch.rand(N, number - half, 3, generator=generator).to(surface)  # (N, K/2, 3)
    anywhere = low + (high - low) * share + MARGIN * side * (2 * share - 1)  # (N, K/2, 3)
    return torch.cat([near, anywhere], 1)


def reconstruction_loss(
    decoder: ShapeDecoder, tokens: Tensor, surface: Tensor, scale: Tensor, queries: Tensor
) -> Mapping[str, Tensor]:
    """Mean absolute error of the truncated distance over the truncation, and 1 - cosine of the direction, weighted.

    Args:
        decoder: Of the encoder.
        tokens: (N, L, c) of the encoder.
        surface: (N, Q, 3).
        scale: (N,).
        queries: (N, K, 3).
    """
    true, way = surface_distance(queries, surface)  # (N, K), (N, K, 3)
    found, found_way = decoder(tokens, queries)
    clear = ((true > BLURRED * scale[:, None]) & (true < decoder.truncation)).to(way)  # (N, K)
    off = 1 - (way * found_way).sum(-1)  # (N, K)
    return {
        "distance": (found - true.clamp_max(decoder.truncation)).abs().mean() / decoder.truncation,
        "direction": DIRECTION_WEIGHT * (off * clear).sum() / clear.sum().clamp_min(1),
    }


def reconstruction_errors(
    decoder: ShapeDecoder, tokens: Tensor, surface: Tensor, scale: Tensor, queries: Tensor
) -> dict[str, Tensor]:
    """Measures of every shape, (N,) each; arguments as of ``reconstruction_loss``.

    ``distance_percent``: mean error of the truncated distance, in percent of the longest side. ``near_iou``: queries
    rightly near the surface over those that are near or said to be. ``direction_deg``: mean angle, where it is told.
    """
    true, way = surface_distance(queries, surface)  # (N, K), (N, K, 3)
    found, found_way = decoder(tokens, queries)
    side = scale[:, None]  # (N, 1)
    error = (found - true.clamp_max(decoder.truncation)).abs() / side  # (N, K)
    # a truncation below NEAR would call all queries near
    limit = (NEAR * side).clamp_max(decoder.truncation / 2)  # (N, 1)
    near, said = true < limit, found < limit  # (N, K)
    angle = torch.rad2deg(torch.acos((way * found_way).sum(-1).clamp(-1, 1)))  # (N, K)
    clear = (true > BLURRED * side) & (true < decoder.truncation)  # (N, K)
    return {
        "distance_percent": 100 * error.mean(1),
        "near_iou": ((near & said).sum(1) / (near | said).sum(1)).nan_to_num(nan=1.0),
        "direction_deg": (angle * clear).sum(1) / clear.sum(1),
    }
