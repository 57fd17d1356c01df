"""What of an object is in its mask: cut by the border of the picture, hidden by other things, drawn too large or small.

An object always keeps ``LEAST_PX`` pixels. All objects are worked on at once, pixel by pixel, without padding.
"""

from __future__ import annotations

from dataclasses import replace

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.masks import boxes, owners  # noqa: E402
from scenemaker.training.data.chance import Chance  # noqa: E402
from scenemaker.training.data.posed import LEAST_PX, Posed, neighbours, pixel_counts  # noqa: E402

KEPT = 0.2  # of the pixels of every object: a window that cuts off more is not taken
RESIZE = 0.01  # of the longer side of the box, at level 1


def cropped(posed: Posed, share: float, least: float, chance: Chance) -> Posed:
    """A window of some pictures, enlarged to the size of the picture: its border cuts objects, K goes with it.

    Pixels are taken as they are (the nearest one), so that a point may lie half a pixel beside its ray.
    ``visible_fraction`` stays: by its definition it counts what is inside the picture.
    """
    pictures = posed.pictures
    B, H, W = pictures.labels.shape
    zoom = torch.where(chance.yes(share, B), chance.uniform(least, 1, B), 1.0)  # (B,) side over the picture's
    size = torch.tensor([W, H], device=zoom.device)
    corner = (chance.uniform(0, 1, B, 2) * (1 - zoom[:, None]) * size).floor()  # (B, 2) left and top in pixels

    before = pixel_counts(pictures.labels, pictures.layout)  # (N,)
    after = pixel_counts(_looked_up(pictures.labels, zoom, corner), pictures.layout)  # (N,)
    scene = pictures.layout.scene
    lost = (after < LEAST_PX) | (after < KEPT * before / zoom[scene] ** 2)  # (N,)
    spoilt = torch.zeros(B, device=zoom.device).index_add_(0, scene, lost.float()) > 0  # (B,)
    zoom, corner = torch.where(spoilt, 1.0, zoom), torch.where(spoilt[:, None], 0.0, corner)

    K = pictures.K.clone()  # u' = (u - left) / zoom
    K[:, :2, 2] -= corner
    K[:, :2] /= zoom[:, None, None]
    rgb, other = pictures.rgb, pictures.other
    changed = replace(
        pictures,
        labels=_looked_up(pictures.labels, zoom, corner),
        points_cam=_looked_up(pictures.points_cam, zoom, corner),
        K=K,
        rgb=None if rgb is None else _looked_up(rgb.movedim(1, -1), zoom, corner).movedim(-1, 1),
        other=None if other is None else _looked_up(other, zoom, corner),
    )
    return replace(posed, pictures=changed)


def _looked_up(picture: Tensor, zoom: Tensor, corner: Tensor) -> Tensor:
    """(B, H, W, ...) windows of pictures at their size, nearest pixels."""
    B, H, W = picture.shape[:3]
    u = (corner[:, :1] + zoom[:, None] * (torch.arange(W, device=zoom.device) + 0.5)).long().clamp_max(W - 1)  # (B, W)
    v = (corner[:, 1:] + zoom[:, None] * (torch.arange(H, device=zoom.device) + 0.5)).long().clamp_max(H - 1)  # (B, H)
    b = torch.arange(B, device=zoom.device)[:, None, None]
    return picture[b, v[:, :, None], u[:, None, :]]


def occluded(posed: Posed, share: float, hidden: tuple[float, float], chance: Chance) -> Posed:
    """Something that is no object hides part of some objects: half of the picture, a disc or a rectangle.

    The pixels of an object are ordered by their distance to the thing; the first ones are hidden, exactly as many as
    drawn. They go to ``other``; half of the things have points, nearer than the object's, the others none.
    """
    pictures = posed.pictures
    N = len(posed.t)
    row = owners(pictures.labels, pictures.layout)  # (B, H, W)
    b, v, u = (row >= 0).nonzero().unbind(1)  # (T,) every pixel of an object
    own = row[b, v, u]  # (T,)
    count = torch.bincount(own, minlength=N)  # (N,)
    take = chance.yes(share, N) * chance.uniform(*hidden, N)  # (N,)
    room = (count - LEAST_PX).clamp_min(0)  # (N,)
    limit = torch.minimum((take * count).long(), room)  # (N,) pixels to hide
    gone = _rank(own, _distance(own, u, v, N, chance), count) < limit[own]  # (T,)

    b, v, u, own = b[gone], v[gone], u[gone], own[gone]
    labels, points = pictures.labels.clone(), pictures.points_cam.clone()
    other = torch.zeros_like(labels, dtype=torch.bool) if pictures.other is None else pictures.other.clone()
    labels[b, v, u], other[b, v, u] = 0, True
    nearer = torch.where(chance.yes(0.5, N), chance.uniform(0.6, 0.95, N), torch.nan)  # (N,) of its depth
    points[b, v, u] *= nearer[own, None]
    rgb = pictures.rgb
    if rgb is not None:
        rgb = rgb.clone()
        rgb[b, :, v, u] = chance.uniform(0, 1, N, 3)[own]
    visible = posed.visible_fraction * (1 - limit / count.clamp_min(1))  # (N,)
    changed = replace(pictures, labels=labels, points_cam=points, other=other, rgb=rgb)
    return replace(posed, pictures=changed, visible_fraction=visible)


def _distance(own: Tensor, u: Tensor, v: Tensor, N: int, chance: Chance) -> Tensor:
    """(T,) distance in [0, 1) of every pixel of an object to what hides it, growing outwards from the thing."""
    low, high = boxes(own, u, v, N)  # (N, 2)
    centre = low + (high - low) * chance.uniform(-0.2, 1.2, N, 2)  # (N, 2) of the thing, also beside the object
    angle, aspect, kind = chance.uniform(0, 2 * torch.pi, N), chance.uniform(0.3, 1, N), chance.below(3, N)  # (N,)
    x, y = u + 0.5 - centre[own, 0], v + 0.5 - centre[own, 1]  # (T,)
    cos, sin, kind = angle.cos()[own], angle.sin()[own], kind[own]
    x, y = cos * x + sin * y, cos * y - sin * x
    rectangle = torch.maximum(aspect[own] * x.abs(), y.abs())  # (T,)
    d = torch.where(kind == 0, x, torch.where(kind == 1, torch.hypot(x, y), rectangle))  # (T,)
    nearest = torch.full((N,), torch.inf, device=u.device).scatter_reduce_(0, own, d, "amin")
    farthest = torch.full((N,), -torch.inf, device=u.device).scatter_reduce_(0, own, d, "amax")
    return 0.999 * (d - nearest[own]) / (farthest - nearest).clamp_min(1e-6)[own]


def _rank(own: Tensor, d: Tensor, count: Tensor) -> Tensor:
    """(T,) number of every pixel among those of its object in the order of d in [0, 1)."""
    order = (own + d.double()).argsort()  # (T,)
    first = count.cumsum(0) - count  # (N,)
    place = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))  # (T,)
    return place - first[own]


def resized(posed: Posed, level: Tensor, chance: Chance) -> Posed:
    """Every mask eroded or dilated by ``RESIZE`` of its box's longer side at level 1, in the mean over many masks.

    Masks grow over the background only, and what they gain has the background's points. A mask that would nearly
    vanish keeps its size.
    """
    pictures, N = posed.pictures, len(posed.t)
    labels, layout = pictures.labels, pictures.layout
    row = owners(labels, layout)  # (B, H, W)
    _, v, u = (row >= 0).nonzero().unbind(1)  # (T,)
    low, high = boxes(row[row >= 0], u, v, N)  # (N, 2)
    sides = (high - low).clamp_min(0).amax(-1)  # (N,) longer one of every mask's box, in pixels; 0 of an empty one
    amount = RESIZE * level[layout.scene] * sides  # (N,) pixels
    steps = (amount + chance.uniform(0, 1, N)).floor().long()  # (N,) whole ones, right in the mean
    steps = torch.where(chance.yes(0.5, N), steps, -steps)
    by_label = steps.new_zeros(len(labels), 1 + max(layout.counts), dtype=torch.int16)  # (B, n + 1), 0 of background
    by_label[layout.scene, 1 + layout.index] = steps.to(torch.int16)
    scene = torch.arange(len(labels), device=labels.device)[:, None, None]
    now = labels
    for k in range(1, int(steps.abs().max()) + 1):  # squares and diamonds by turns make discs
        small, allowed = now.to(torch.int16), by_label[scene, now]  # (B, H, W) steps of the label at each pixel
        lost = (allowed <= -k) & _any([n != small for n in neighbours(small, corners=k % 2 == 0)])
        grown = torch.stack(neighbours(small * (allowed >= k), corners=k % 2 == 0)).amax(0)  # (B, H, W)
        now = torch.where(now > 0, now * ~lost, grown.long())
    vanished = torch.cat([pixel_counts(now, layout) < LEAST_PX, steps.new_zeros(1, dtype=torch.bool)])  # (N + 1,)
    now = torch.where(vanished[row] & (now == 0), labels, now)
    other = None if pictures.other is None else pictures.other & (now == 0)
    return replace(posed, pictures=replace(pictures, labels=now, other=other))


def _any(pictures: list[Tensor]) -> Tensor:
    """True where one of them is."""
    found = pictures[0]
    for picture in pictures[1:]:
        found = found | picture
    return found
