"""From noise to poses along the learned velocity: t = 1 is noise, t = 0 is data.

Guidance: Ho and Salimans, arXiv 2207.12598, eq. 6, as uncond + scale (cond - uncond).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal

from scenemaker.errors import ConfigError, ShapeError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.model import PoseDiT  # noqa: E402
from scenemaker.pose.dit.types import DIM, Features  # noqa: E402

Solver = Literal["euler", "heun"]


def noise_for(seed: int, keys: Sequence[str | int], samples: int) -> Tensor:
    """Normal noise (N, S, 10); what an object gets depends on the seed and its own key alone.

    Order and presence of other objects change nothing, nor does asking for more samples: the first stay the same.

    >>> two, one = noise_for(0, ["cup", "box"], 3), noise_for(0, ["box"], 2)
    >>> bool((two[1, :2] == one[0]).all())
    True
    """
    rows = []
    for key in keys:
        digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
        rows.append(torch.stack([torch.randn(DIM, generator=generator) for _ in range(samples)]))  # (S, 10)
    return torch.stack(rows)  # (N, S, 10)


@torch.no_grad()
def sample(
    dit: PoseDiT,
    features: Features,
    noise: Tensor,
    *,
    steps: int = 12,
    solver: Solver = "euler",
    guidance_scale: float = 1.0,
    cache: bool = True,
) -> Tensor:
    """Standardised variables (N, S, 10) of S samples of all objects, float32.

    Args:
        features: Of N objects in B scenes.
        noise: (N, S, 10), see ``noise_for``.
        steps: From t = 1 to t = 0, of equal length.
        solver: Euler looks once per step, Heun twice.
        guidance_scale: 1 is none; otherwise the velocity without conditions is needed too, at twice the cost.
        cache: Conditions are made once instead of at every look; the result is the same.

    Raises:
        ConfigError: Unknown solver, or no steps.
        ShapeError: Noise of another shape.
    """
    if noise.ndim != 3 or noise.shape[::2] != (len(features.centre), DIM):
        what = f"noise of shape ({len(features.centre)}, S, {DIM})"
        raise ShapeError(expected(what, got=tuple(noise.shape), remedy="one row per object"))
    nothing = torch.ones(len(features.up), dtype=torch.bool, device=features.up.device)  # (B,)
    drops = [None] if guidance_scale == 1 else [None, nothing]
    kept = [dit.conditions(features, drop) for drop in drops] if cache else None

    def velocity(x: Tensor, t: float) -> Tensor:
        time = x.new_full((len(features.up), x.shape[1]), t)  # (B, S)
        known = kept or [dit.conditions(features, drop) for drop in drops]
        cond, *uncond = (dit(x, time, k) for k in known)  # (N, S, 10) each
        return uncond[0] + guidance_scale * (cond - uncond[0]) if uncond else cond

    return integrate(velocity, noise.to(features.centre.device, torch.float32), steps=steps, solver=solver)


def integrate(velocity: Callable[[Tensor, float], Tensor], x: Tensor, *, steps: int, solver: Solver) -> Tensor:
    """x at t = 0 of dx / dt = velocity(x, t) with ``x`` at t = 1.

    Reference: Heun's method as in Karras et al., arXiv 2206.00364, algorithm 1, of second order; Euler's is of first.

    Raises:
        ConfigError: Unknown solver, or no steps.
    """
    if solver not in ("euler", "heun"):
        raise ConfigError(expected("a solver", got=repr(solver), remedy="choose: euler, heun"))
    if steps < 1:
        raise ConfigError(expected("at least 1 step", got=steps, remedy="take 12"))
    for i in range(steps):
        t, then = 1 - i / steps, 1 - (i + 1) / steps
        v = velocity(x, t)  # (N, S, 10)
        if solver == "heun":
            v = (v + velocity(x + (then - t) * v, then)) / 2  # (N, S, 10)
        x = x + (then - t) * v  # (N, S, 10)
    return x
