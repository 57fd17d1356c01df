"""Shapes (N, Q, 6) of which something is not known: parts that lack, and sides that the picture does not show."""

from __future__ import annotations

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import normalize  # noqa: E402

from scenemaker.training.data.chance import Chance  # noqa: E402

CELLS = 24  # of the grid across a shape on which a relief's front is found
THICK = 0.06  # longest sides: points so close behind the nearest one of their cell are the front too


def without_parts(geometry: Tensor, most: float, chance: Chance) -> Tensor:
    """Without the points on one side of a plane, or in a ball; others are repeated in their place.

    A share of up to ``most`` is missing, exactly as drawn: points are ordered by their distance along a direction, or
    from one of them.
    """
    N, Q = geometry.shape[:2]
    p = geometry[..., :3]
    direction = chance.directions(N)  # (N, 3)
    centre = p[torch.arange(N, device=p.device), chance.below(Q, N)]  # (N, 3)
    plane = (p * direction[:, None]).sum(-1)  # (N, Q)
    ball = (p - centre[:, None]).norm(dim=-1)  # (N, Q)
    order = torch.where(chance.yes(0.5, N)[:, None], plane, ball).argsort(1)  # (N, Q) the missing ones first
    gone = (chance.uniform(0, most, N) * Q).long()[:, None]  # (N, 1)
    stays = gone + (chance.uniform(0, 1, N, Q) * (Q - gone)).long()  # (N, Q) places in the order
    place = torch.arange(Q, device=p.device)
    place = torch.where(place < gone, stays, place)  # (N, Q)
    rows = order.gather(1, place)  # (N, Q)
    mixed = rows[:, chance.order(Q)]  # the first m are a sample as well
    return geometry.gather(1, mixed[..., None].expand(-1, -1, 6))


def relief(geometry: Tensor, view: Tensor, chance: Chance) -> Tensor:
    """The side that is seen along view (N, 3), and in place of the rest a flat back, or the front mirrored.

    The front is what no other points hide, seen in parallel along the view. A back begins behind most of the front, as
    far as that reaches in depth; what lies deeper stays alone. So the preset ``instant`` makes solids of pictures.
    """
    N, Q = geometry.shape[:2]
    p, n = geometry.split(3, -1)
    depth = (p * view[:, None]).sum(-1)  # (N, Q)
    front = _front(p, view, depth)  # (N, Q)
    rank = (front + chance.uniform(0, 0.5, N, Q)).argsort(1, descending=True)  # (N, Q) those of the front come first
    count = front.sum(1, keepdim=True)  # (N, 1)
    source = rank.gather(1, torch.arange(Q, device=p.device) % count)  # (N, Q) front points, each as often
    p, n = (x.gather(1, source[..., None].expand(-1, -1, 3)) for x in (p, n))
    depth = depth.gather(1, source)  # (N, Q)
    deep = depth.sort(1).values[:, int(0.9 * (Q - 1))]  # (N,)
    behind = chance.yes(0.5, N, Q) & (depth < deep[:, None])  # (N, Q) points that become the back's
    mirror = chance.yes(0.5, N)[:, None]  # (N, 1)
    to = torch.where(mirror, 2 * deep[:, None] - depth, deep[:, None])  # (N, Q) their depth
    p = torch.where(behind[..., None], p + (to - depth)[..., None] * view[:, None], p)
    mirrored = n - 2 * (n * view[:, None]).sum(-1, keepdim=True) * view[:, None]  # (N, Q, 3)
    n = torch.where(behind[..., None], torch.where(mirror[..., None], mirrored, view[:, None].expand_as(n)), n)
    return torch.cat([p, n], -1)


def _front(p: Tensor, view: Tensor, depth: Tensor) -> Tensor:
    """(N, Q) bool: within ``THICK`` behind the nearest point in their cell across the view."""
    N = len(p)
    helper = torch.eye(3, device=p.device)[view.abs().argmin(-1)]  # (N, 3) an axis well across the view
    right = normalize(torch.linalg.cross(view, helper), dim=-1)
    down = torch.linalg.cross(view, right)
    uv = torch.stack([(p * right[:, None]).sum(-1), (p * down[:, None]).sum(-1)], -1)  # (N, Q, 2) within +-0.87
    cell = ((uv / 1.8 + 0.5) * CELLS).long().clamp(0, CELLS - 1)  # (N, Q, 2)
    at = cell[..., 0] * CELLS + cell[..., 1]  # (N, Q)
    nearest = torch.full((N, CELLS**2), torch.inf, device=p.device).scatter_reduce_(1, at, depth, "amin")
    return depth <= nearest.gather(1, at) + THICK
