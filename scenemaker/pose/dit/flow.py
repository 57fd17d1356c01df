"""Flow matching on a straight path: t = 1 is noise, t = 0 is data.

Reference: Lipman et al., arXiv 2210.02747, and Liu et al., arXiv 2209.03003, eq. 1: x_t is linear in t, its velocity
constant. Logit-normal times: Esser et al., arXiv 2403.03206, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.types import VARIABLES  # noqa: E402


def noisy(x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """x_t = (1 - t) x_0 + t eps; data and noise (..., 10), one time for each, (...).

    >>> noisy(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor(0.25)).item()
    1.5
    """
    t = t[..., None]  # (..., 1)
    return (1 - t) * x0 + t * eps  # (..., 10)


def velocity(x0: Tensor, eps: Tensor) -> Tensor:
    """v = dx_t / dt = eps - x_0, what the model is taught.

    >>> velocity(torch.tensor([1.0]), torch.tensor([3.0])).item()
    2.0
    """
    return eps - x0  # (..., 10)


def draw_t(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Times in (0, 1), the logistic function of normal numbers: most of them in the middle, where it is hard."""
    return torch.randn(tuple(shape), generator=generator).sigmoid()


def flow_loss(v: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Mean squared error of velocities (..., 10) inside each variable; their plain sum is the loss.

    Reference: SceneMaker (arXiv 2512.10957), 3.3.3: L2 on rotation, translation and size "with equal weighting".
    """
    error = (v.float() - target.float()).square()  # (..., 10)
    return {name: error[..., part].mean() for name, part in VARIABLES.items()}
