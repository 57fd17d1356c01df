"""Poses as the standardised numbers x that are diffused: rotation (6), translation (3), log size (1)."""

from __future__ import annotations

import math

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn.functional import one_hot  # noqa: E402

from scenemaker.pose.dit.types import DIM, VARIABLES, Poses  # noqa: E402

NORMAL_MAD = math.sqrt(2 / math.pi)  # mean absolute deviation of a normal distribution over its standard deviation
LOG_SIZE = 6.0  # a decoded size is at most e^6 and at least e^-6 times its unit


class Variables(nn.Module):
    """To and from x (N, ..., 10) = (y - mean) / std, with y = [rot6d, translation, log size].

    rot6d is the first and the second column of R (Zhou et al., arXiv 1812.07035, eq. 15-16). ``anchored``: translation
    is (t - centre) / radius and size log(s / radius), with centre and radius of the object's observed cloud; else they
    are t and log s. All are in ``scene``.

    mean and std of translation and size are median and mean absolute deviation, over that of a normal distribution.
    Objects of which little is seen lie many radii from their clouds (kurtosis 20). A standard deviation, which the few
    decide, leaves all others within a quarter of the noise that they are told from; with quartiles, which do not see
    them, those few make up most of the loss. This lies between.

    The six numbers of a rotation share mean 0 and std 1/sqrt(3), those of a uniform one: a distance in x stays a
    distance in rot6d, and all rotations lie equally far from 0.

    Attributes:
        mean, std: (10,) statistics, see ``fit``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, anchored: bool = True) -> None:
        super().__init__()
        self.anchored = anchored
        std = torch.ones(DIM)
        std[VARIABLES["rotation"]] = 1 / math.sqrt(3)
        self.register_buffer("mean", torch.zeros(DIM))
        self.register_buffer("std", std)

    @torch.no_grad()
    def fit(self, poses: Poses, centre: Tensor, radius: Tensor) -> None:
        """Sets mean and std of translation and size to those of poses (N, ...) of the training set, robustly.

        Args:
            poses: Of N objects.
            centre: (N, 3) of the observed clouds, in ``scene``.
            radius: (N,) of the observed clouds, in ``scene``.
        """
        rest = slice(VARIABLES["translation"].start, DIM)
        y = self._plain(poses, centre, radius).flatten(0, -2)[:, rest]  # (M, 4)
        self.mean[rest] = y.quantile(0.5, dim=0)
        self.std[rest] = ((y - self.mean[rest]).abs().mean(0) / NORMAL_MAD).clamp_min(1e-3)

    def encode(self, poses: Poses, centre: Tensor, radius: Tensor) -> Tensor:
        """x (N, ..., 10) of poses (N, ...), given ``centre`` (N, 3) and ``radius`` (N,) in ``scene``."""
        return (self._plain(poses, centre, radius) - self.mean) / self.std  # (N, ..., 10)

    def decode(self, x: Tensor, centre: Tensor, radius: Tensor) -> Poses:
        """Poses (N, ...) of x (N, ..., 10), given ``centre`` (N, 3) and ``radius`` (N,) in ``scene``; in float32."""
        y = x.float() * self.std + self.mean  # (N, ..., 10)
        centre, radius = self._anchor(centre, radius, y.dim() - 2)
        R = R_from_rot6d(y[..., VARIABLES["rotation"]])  # (N, ..., 3, 3)
        t = y[..., VARIABLES["translation"]] * radius + centre  # (N, ..., 3)
        s = y[..., VARIABLES["size"]].clamp(-LOG_SIZE, LOG_SIZE).exp() * radius  # (N, ..., 1)
        return Poses(R=R, t=t, s=s[..., 0])

    def _plain(self, poses: Poses, centre: Tensor, radius: Tensor) -> Tensor:
        """y (N, ..., 10), not standardised."""
        centre, radius = self._anchor(centre, radius, poses.t.dim() - 2)
        t = (poses.t - centre) / radius  # (N, ..., 3)
        size = (poses.s[..., None] / radius).log()  # (N, ..., 1)
        return torch.cat([rot6d_from_R(poses.R), t, size], -1)  # (N, ..., 10)

    def _anchor(self, centre: Tensor, radius: Tensor, between: int) -> tuple[Tensor, Tensor]:
        """What translation and size are relative to: (N, ..., 3) and (N, ..., 1), with ``between`` axes of one."""
        if not self.anchored:
            centre, radius = torch.zeros_like(centre), torch.ones_like(radius)
        ones = (1,) * between
        return centre.view(-1, *ones, 3), radius.view(-1, *ones, 1)


def rot6d_from_R(R: Tensor) -> Tensor:
    """(..., 6) = first column, second column of R (..., 3, 3)."""
    return R[..., :2].transpose(-1, -2).flatten(-2)  # (..., 6)


def R_from_rot6d(rot6d: Tensor) -> Tensor:
    """(..., 3, 3) by Gram-Schmidt from two columns (Zhou et al., arXiv 1812.07035, eq. 15).

    Of any finite numbers it is a rotation: a first column of length zero counts as x, and a second one along the first
    as the axis that is most square to it.
    """
    x_axis = torch.tensor([1.0, 0.0, 0.0], dtype=rot6d.dtype, device=rot6d.device).expand_as(rot6d[..., :3])
    a = _unit(rot6d[..., :3], x_axis)  # (..., 3)
    across = _square(one_hot(a.abs().argmin(-1), 3).to(a), a)  # (..., 3)
    b = _square(_unit(rot6d[..., 3:], across), a)  # (..., 3)
    b = torch.where(b.norm(dim=-1, keepdim=True) > 1e-4, b, across)
    b = _unit(_square(_unit(b, across), a), across)  # twice: what is left of a short one is not square enough
    return torch.stack([a, b, torch.linalg.cross(a, b)], -1)  # (..., 3, 3)


def _square(b: Tensor, a: Tensor) -> Tensor:
    """The part of b (..., 3) that is square to a unit vector a (..., 3)."""
    return b - (a * b).sum(-1, keepdim=True) * a


def _unit(v: Tensor, other: Tensor) -> Tensor:
    """v (..., 3) of length one, or the direction of ``other`` where v has none; no number overflows on the way."""
    largest = v.abs().amax(-1, keepdim=True)  # (..., 1)
    v = torch.where(largest > 1e-12, v / largest.clamp_min(1e-12), other)
    return v / v.norm(dim=-1, keepdim=True)
