"""Where observed points lie: depth with noise, holes and flying pixels; clouds of several views; any unit of length."""

from __future__ import annotations

import math
from dataclasses import replace

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.training.data.chance import Chance  # noqa: E402
from scenemaker.training.data.posed import Posed, neighbours  # noqa: E402

PIXEL, FIELD, HOLES = 0.01, 0.005, 0.05  # at level 1: noise per pixel, smooth noise, share of lost pixels
MOST_HOLES = 0.4
SMOOTH = 1 / 16  # of the picture's longer side: the width of the smooth field and of holes
OPEN = 0.1  # of its depth: how far behind an object flying pixels reach where nothing is known behind it
CLOUD_POINTS = 2048


def flying(posed: Posed, share: Tensor, chance: Chance) -> Posed:
    """A share (B,) of the pixels at the edges of masks has a depth between the object's and that behind it."""
    pictures = posed.pictures
    labels, z = pictures.labels, pictures.points_cam[..., 2]  # (B, H, W)
    edge = torch.stack([n != labels for n in neighbours(labels, corners=False)]).any(0) & (labels > 0)  # (B, H, W)
    behind = torch.stack(neighbours(z, corners=True)).nan_to_num(nan=0).amax(0)  # (B, H, W)
    behind = torch.where(behind > z, behind, (1 + OPEN) * z)
    there = edge & (chance.uniform(0, 1, *labels.shape) < share[:, None, None])
    factor = 1 + there * chance.uniform(0, 1, *labels.shape) * (behind / z - 1)  # (B, H, W), NaN where z is
    points = pictures.points_cam * factor[..., None]
    return replace(posed, pictures=replace(pictures, points_cam=points))


def noisy(posed: Posed, level: Tensor, chance: Chance) -> Posed:
    """Depth times 1 + noise per pixel, and times 1 + a smooth field; points move along their rays."""
    points = posed.pictures.points_cam  # (B, H, W, 3)
    level = level[:, None, None]
    pixel = 1 + PIXEL * level * chance.normal(*points.shape[:3])  # (B, H, W)
    field = 1 + FIELD * level * _smooth(points, chance)  # (B, H, W)
    points = points * (pixel * field)[..., None]
    return replace(posed, pictures=replace(posed.pictures, points_cam=points))


def holed(posed: Posed, level: Tensor, chance: Chance) -> Posed:
    """Depth lost in patches."""
    points = posed.pictures.points_cam  # (B, H, W, 3)
    field = _smooth(points, chance)  # (B, H, W)
    lost = (HOLES * level).clamp_max(MOST_HOLES)  # (B,)
    ranked = field.flatten(1).sort(1).values  # (B, H W)
    limit = ranked.gather(1, (lost * (ranked.shape[1] - 1)).long()[:, None])  # (B, 1)
    points = torch.where((field < limit[..., None])[..., None], torch.nan, points)
    return replace(posed, pictures=replace(posed.pictures, points_cam=points))


def _smooth(points: Tensor, chance: Chance) -> Tensor:
    """(B, H, W) random fields of mean 0 and standard deviation 1, smooth over ``SMOOTH`` of the longer side."""
    B, H, W = points.shape[:3]
    cell = 2 * SMOOTH * max(H, W)  # pixels between the values that are drawn
    coarse = chance.normal(B, 1, math.ceil(H / cell) + 3, math.ceil(W / cell) + 3)
    field = torch.nn.functional.interpolate(coarse, size=(H, W), mode="bicubic", align_corners=True)[:, 0]  # (B, H, W)
    field = field - field.mean((1, 2), keepdim=True)
    return field / field.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-9)


def complete(posed: Posed, share: float, views: float, noise: float, chance: Chance) -> Posed:
    """In a share of scenes the clouds are not those of the pixels: all of the surface, or what 2 or 3 views see.

    A view sees the points that are turned towards it; what stands before them is left out of account. The first view
    is the picture's. Every object has Gaussian noise of its own amount, up to ``noise`` of its longest side.

    The points are ``posed.spare``. Where there are none they are those of the given shapes: noise apart, the cloud then
    is a copy of what it is to be matched with, which no observed cloud ever is.
    """
    pictures = posed.pictures
    scene, B, N = pictures.layout.scene, len(pictures.K), len(posed.t)
    surface = pictures.geometry if posed.spare is None else posed.spare  # (N, Q, 6)
    surface = surface[:, chance.order(surface.shape[1])[:CLOUD_POINTS]]  # (N, P, 6)
    points = posed.place(surface)  # (N, P, 3)
    normals = surface[..., 3:] @ posed.R.mT  # (N, P, 3)
    other = chance.directions(2 * B).view(B, 2, 3)[scene]  # (N, 2, 3) from objects towards cameras
    towards = torch.cat([-torch.nn.functional.normalize(posed.t, dim=-1)[:, None], other], 1)  # (N, 3, 3)
    facing = normals @ towards.mT > 0  # (N, P, 3) of each view
    third = chance.yes(0.5, B)[scene]  # (N,) there are three
    whole = ~chance.yes(views, B)[scene]  # (N,)
    seen = whole[:, None] | facing[..., :2].any(-1) | (facing[..., 2] & third[:, None])  # (N, P)
    spread = noise * chance.uniform(0, 1, N) * posed.s  # (N,)
    points = points + spread[:, None, None] * chance.normal(*points.shape)
    given = chance.yes(share, B)[scene]  # (N,)
    clouds = torch.where((seen & given[:, None])[..., None], points, torch.nan)
    return replace(posed, pictures=replace(pictures, clouds_cam=clouds))


def rescaled(posed: Posed, span: float, chance: Chance) -> Posed:
    """Every scene in a unit of length of its own: all points and poses times exp of -span to span."""
    pictures = posed.pictures
    factor = torch.exp(chance.uniform(-span, span, len(pictures.K)))  # (B,)
    each = factor[pictures.layout.scene]  # (N,)
    clouds = pictures.clouds_cam
    changed = replace(
        pictures,
        points_cam=pictures.points_cam * factor[:, None, None, None],
        clouds_cam=None if clouds is None else clouds * each[:, None, None],
    )
    return replace(posed, pictures=changed, t=posed.t * each[:, None], s=posed.s * each)
