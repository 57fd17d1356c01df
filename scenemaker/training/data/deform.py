"""Smooth changes of shapes (N, Q, 6), points and unit normals; normals go with the surface.

Where F is the Jacobian of a map, normals go with its cofactor matrix: n' is along cof(F) n = det(F) F^-T n.
"""

from __future__ import annotations

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import normalize  # noqa: E402

from scenemaker.training.data.chance import Chance  # noqa: E402

WAVES = 3  # of a warp, of half a period to one period across the shape
CELLS = (8.0, 20.0)  # across a shape, of decimation


def stretched(geometry: Tensor, factors: Tensor) -> Tensor:
    """Scaled by factors (N, 3) along the axes of ``obj``."""
    p, n = geometry.split(3, -1)
    return torch.cat([p * factors[:, None], normalize(n / factors[:, None], dim=-1)], -1)


def warped(geometry: Tensor, amount: Tensor, chance: Chance) -> Tensor:
    """p + sum over waves of a sin(k . p + phi), scaled so that points move by ``amount`` (N,), root mean square."""
    p, n = geometry.split(3, -1)  # (N, Q, 3)
    N = len(p)
    k = torch.pi * chance.uniform(1, 2, N, WAVES, 1) * chance.directions(N * WAVES).view(N, WAVES, 3)
    a = chance.normal(N, WAVES, 3)
    phase = p @ k.mT + chance.uniform(0, 2 * torch.pi, N, 1, WAVES)  # (N, Q, WAVES)
    shift = phase.sin() @ a  # (N, Q, 3)
    size = amount / shift.square().sum(-1).mean(1).sqrt().clamp_min(1e-9)  # (N,)
    a, shift = size[:, None, None] * a, size[:, None, None] * shift
    outer = (a[..., :, None] * k[..., None, :]).flatten(2)  # (N, WAVES, 9): a k^T
    F = (phase.cos() @ outer).unflatten(-1, (3, 3)) + torch.eye(3, device=p.device)  # (N, Q, 3, 3)
    x, y, z = F.unbind(-1)  # (N, Q, 3) columns
    cofactor = torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)], -1)
    n = normalize((cofactor @ n[..., None])[..., 0], dim=-1)  # (N, Q, 3)
    return torch.cat([p + shift, n], -1)


def without_similarity(geometry: Tensor, true: Tensor) -> Tensor:
    """The similar copy whose points lie nearest to true ones (N, Q, 3), in the mean square, point by point.

    Reference: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991,
    eq. 39-42.
    """
    p, n = geometry.split(3, -1)
    mean_p, mean_q = p.mean(1, keepdim=True), true.mean(1, keepdim=True)  # (N, 1, 3)
    p, q = p - mean_p, true - mean_q
    U, D, Vh = torch.linalg.svd(q.mT @ p)  # (N, 3, 3) of sum q p^T
    sign = torch.linalg.det(U @ Vh)  # (N,) -1 where the best one mirrors, as it may for a flat shape
    U, D = (
        torch.cat([U[..., :2], U[..., 2:] * sign[:, None, None]], -1),
        torch.cat([D[:, :2], D[:, 2:] * sign[:, None]], -1),
    )
    R, scale = U @ Vh, D.sum(-1) / p.square().sum((1, 2))  # (N, 3, 3), (N,)
    return torch.cat([scale[:, None, None] * p @ R.mT + mean_q, n @ R.mT], -1)


def clustered(geometry: Tensor, chance: Chance) -> Tensor:
    """Points drawn towards the middle of their cell of a coarse grid, normals as well: facets, as decimation makes."""
    N, Q = geometry.shape[:2]
    cells, pull = chance.uniform(*CELLS, N, 1, 1), chance.uniform(0.3, 0.9, N, 1, 1)
    p = geometry[..., :3] - geometry[..., :3].amin(1, keepdim=True)  # (N, Q, 3)
    index = (p * cells + chance.uniform(0, 1, N, 1, 3)).long()  # (N, Q, 3)
    side = int(index.max()) + 1
    row = torch.arange(N, device=p.device)[:, None]
    cell = ((row * side + index[..., 0]) * side + index[..., 1]) * side + index[..., 2]  # (N, Q)
    used, at = cell.flatten().unique(return_inverse=True)  # (N Q,) the number of its cell among those with points
    total = geometry.new_zeros(len(used), 6).index_add_(0, at, geometry.flatten(0, 1))
    mean = (total / torch.bincount(at, minlength=len(used))[:, None])[at].view(N, Q, 6)
    drawn = torch.lerp(geometry, mean, pull)
    return torch.cat([drawn[..., :3], normalize(drawn[..., 3:] + 1e-6 * geometry[..., 3:], dim=-1)], -1)
