"""The reference's sampler: Euler steps from noise level 1 to 0.001, guidance after the heads."""

from __future__ import annotations

from itertools import pairwise

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.released.model import Encoded, ReleasedModel  # noqa: E402

LAST = 0.001  # noise level that is left (quirk `unfinished-flow`)


@torch.no_grad()
def sample(
    model: ReleasedModel,
    encoded: Encoded,
    noise: Tensor,
    *,
    steps: int | None = None,
    guidance_scale: float | None = None,
    cache: bool = True,
) -> Tensor:
    """The ten numbers (N, 10) of N objects.

    Args:
        model: The model.
        encoded: Of the N objects.
        noise: (N, 10).
        steps: Of equal length; None as the config says.
        guidance_scale: 1 is none; None as the config says. Without conditions the context is zeros before it is
            projected, so that its tokens are two biases: one context for all objects.
        cache: Keys and values of the context are made once instead of at every step; the result is the same.
    """
    steps = model.config.steps if steps is None else steps
    scale = model.config.guidance_scale if guidance_scale is None else guidance_scale
    denoiser, scenes = model.denoiser_model, len(encoded.layout.counts)
    context = denoiser.context(encoded.tokens, cache=cache)
    nothing = denoiser.context(torch.zeros_like(encoded.tokens[:1]), cache=cache).expand(len(noise))
    levels = torch.linspace(1.0, LAST, steps + 1, dtype=torch.float64).tolist()
    x = noise.to(encoded.tokens.device, torch.promote_types(encoded.tokens.dtype, torch.float32))  # (N, 10)
    for level, after in pairwise(levels):
        t = torch.full((scenes,), 1000 * level, device=x.device)  # (B,)
        v = model.velocity(x, t, encoded, context)  # (N, 10)
        if scale != 1:
            without = model.velocity(x, t, encoded, nothing)  # (N, 10)
            v = without + scale * (v - without)  # (N, 10)
        x = x - (level - after) * v  # (N, 10)
    return x
