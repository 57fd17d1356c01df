"""Of the rotations that look the same, the one nearest to the drawn noise: what a symmetric object is taught.

A flow that must lead one noise to several equal rotations learns their mean, which is none of them. So the target of
each noise is the equivalent one that lies nearest to it in rot6d.
"""

from __future__ import annotations

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402


def nearest_symmetric(R: Tensor, symmetries: Tensor, axis: Tensor, rot6d: Tensor) -> Tensor:
    """(N, S, 3, 3): of all R g A(theta) that whose rot6d is nearest to each of S drawn ones.

    All rot6d of rotations are equally long, so that the nearest one has the largest inner product. With the drawn
    columns and a zero one in M, and C = (R g)^T M,

        A(theta) = a a^T + cos(theta) (1 - a a^T) + sin(theta) [a]x,
        <R g A(theta), M> = <A(theta), C> = along + cos(theta) even + sin(theta) odd,
        along = a^T C a,    even = tr C - along,    odd = <[a]x, C>:

    largest at theta = atan2(odd, even), with along + sqrt(even^2 + odd^2).

    Args:
        R: (N, 3, 3) true rotations.
        symmetries: (N, G, 3, 3) rotations g of ``obj`` under which each object looks the same, the identity among them.
        axis: (N, 3) unit axis a in ``obj`` of a solid of revolution, zeros where it is none (then A = 1).
        rot6d: (N, S, 6) what to be near to, not standardised or all six by one number.
    """
    M = torch.stack([rot6d[..., :3], rot6d[..., 3:], torch.zeros_like(rot6d[..., :3])], -1)  # (N, S, 3, 3)
    Rg = R[:, None] @ symmetries  # (N, G, 3, 3)
    C = Rg[:, None].transpose(-1, -2) @ M[:, :, None]  # (N, S, G, 3, 3)
    trace = C.diagonal(dim1=-2, dim2=-1).sum(-1)  # (N, S, G)
    along = torch.einsum("ni,nsgij,nj->nsg", axis, C, axis)  # (N, S, G)
    even = trace - along  # (N, S, G)
    odd = torch.einsum("nij,nsgij->nsg", _cross(axis), C)  # (N, S, G)
    round_ = axis.square().sum(-1) > 0.5  # (N,)
    product = torch.where(round_[:, None, None], along + torch.hypot(even, odd), trace)  # (N, S, G)
    best = product.argmax(-1, keepdim=True)  # (N, S, 1)
    theta = torch.atan2(odd.gather(-1, best), even.gather(-1, best))[..., 0]  # (N, S)
    chosen = Rg.gather(1, best[..., None].expand(*best.shape[:2], 3, 3))  # (N, S, 3, 3)
    return chosen @ _about(axis, theta)  # (N, S, 3, 3)


def _cross(axis: Tensor) -> Tensor:
    """[a]x (N, 3, 3), with [a]x b = a x b, of a (N, 3)."""
    x, y, z = axis.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).view(-1, 3, 3)  # (N, 3, 3)


def _about(axis: Tensor, theta: Tensor) -> Tensor:
    """(N, S, 3, 3) rotations about unit axes (N, 3) by angles (N, S) (Rodrigues); 1 where the axis is 0."""
    K = _cross(axis)[:, None]  # (N, 1, 3, 3)
    sin, cos = theta.sin()[..., None, None], theta.cos()[..., None, None]  # (N, S, 1, 1)
    return torch.eye(3, dtype=K.dtype, device=K.device) + sin * K + (1 - cos) * (K @ K)  # (N, S, 3, 3)
