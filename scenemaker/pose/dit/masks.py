"""Where objects are seen in pictures and which points are observed of them; time grows with the pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scenemaker.errors import InputError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.clouds import Candidates  # noqa: E402
from scenemaker.pose.dit.types import Layout  # noqa: E402

NOWHERE = 1e9  # units, whatever they are


@dataclass(frozen=True, eq=False, kw_only=True)
class Masks:
    """Where objects are seen.

    Attributes:
        row: (B, H, W) the row in [0, N) of the object at each pixel, -1 where none.
        points: (B, H, W, 3) observed points, all NaN where unknown.
        low, high: (N, 2) corners (x, y) of the box of each mask in pixels; the whole picture when it is empty.
        cut: (N, 4) bool: the box reaches the left, top, right, bottom of the picture.
        seen: (N,) bool: the mask has a pixel.
    """

    row: Tensor
    points: Tensor
    low: Tensor
    high: Tensor
    cut: Tensor
    seen: Tensor


def masks_of(layout: Layout, labels: Tensor, points_cam: Tensor) -> Masks:
    """Rows, points and boxes, of labels (B, H, W) and points_cam (B, H, W, 3).

    Raises:
        InputError: A label is greater than the number of objects in its picture.
    """
    H, W = labels.shape[1:]
    counts = torch.tensor(layout.counts, device=labels.device)  # (B,)
    most = labels.amax((1, 2))  # (B,)
    if bool((most > counts).any()):
        scene = int((most > counts).nonzero()[0, 0])
        what = f"labels of picture {scene} in 0..{int(counts[scene])}"
        raise InputError(expected(what, got=int(most[scene]), remedy="number the objects 1..n in each picture"))
    row = owners(labels, layout)  # (B, H, W)
    _, v, u = (row >= 0).nonzero().unbind(-1)  # (T,)
    low, high = boxes(row[row >= 0], u, v, len(layout.scene))  # (N, 2)
    seen = high[:, 0] > 0  # (N,)
    size = torch.tensor([W, H], device=labels.device)
    return Masks(
        row=row,
        points=torch.where(_valid(points_cam)[..., None], points_cam, torch.nan),
        low=torch.where(seen[:, None], low, 0),
        high=torch.where(seen[:, None], high, size),
        cut=torch.cat([low == 0, high == size], -1),
        seen=seen,
    )


def owners(labels: Tensor, layout: Layout) -> Tensor:
    """(B, H, W) row in [0, N) of the object at every pixel, -1 where there is none."""
    first = (layout.index == 0).nonzero()[:, :, None]  # (B, 1, 1)
    return torch.where(labels > 0, first + labels - 1, -1)


def boxes(own: Tensor, u: Tensor, v: Tensor, N: int) -> tuple[Tensor, Tensor]:
    """Corners (x, y) of the box of every object's pixels, low (N, 2) and high (N, 2), which is behind the last pixel.

    Where there is no pixel high is 0, and low far beyond.

    Args:
        own: (T,) the object of each pixel.
        u, v: (T,) its column and row.
        N: Objects.
    """
    xy, own = torch.stack([u, v], -1), own[:, None].expand(-1, 2)  # (T, 2)
    low = xy.new_full((N, 2), 1 << 30).scatter_reduce(0, own, xy, "amin")  # (N, 2)
    return low, xy.new_zeros(N, 2).scatter_reduce(0, own, xy + 1, "amax")


def _valid(points: Tensor) -> Tensor:
    """(...) bool: points (..., 3) are numbers, before the camera, and not so far that their squares overflow."""
    return (points.abs() < NOWHERE).all(-1) & (points[..., 2] > 0)


def observed_points(masks: Masks, clouds_cam: Tensor | None, generator: torch.Generator) -> Candidates:
    """Observed points of all objects: those of given clouds (N, P, 3), else those of their pixels.

    Which of them are taken is drawn by pixel, and by column of given clouds: other objects change nothing, nor how many
    points those have.
    """
    row, points, device = masks.row.flatten(), masks.points.flatten(0, 2), masks.row.device
    key = torch.rand(row.shape, generator=generator, dtype=torch.float64).to(device)  # (B H W,)
    known = (row >= 0) & ~points[:, 0].isnan()  # (B H W,)
    if clouds_cam is None:
        return Candidates(points=points[known], row=row[known], key=key[known])
    given = _valid(clouds_cam)  # (N, P)
    known &= ~given.any(1)[row]  # row -1 is the last one, and not known
    keys = torch.rand(given.shape[1], generator=generator, dtype=torch.float64).to(device)  # (P,) draw by draw
    own_row, column = given.nonzero().unbind(-1)  # (T,)
    own = Candidates(points=clouds_cam[given], row=own_row, key=keys[column])
    return Candidates(points=points[known], row=row[known], key=key[known]) + own


def rays_of(masks: Masks, K: Tensor, scene: Tensor, wanted: Tensor) -> Candidates:
    """Rays (z = 1) through the pixels of the masks of some objects; through the picture's middle where a mask is empty.

    Args:
        masks: Of N objects.
        K: (B, 3, 3).
        scene: (N,) that of each object.
        wanted: (N,) bool.
    """
    H, W = masks.row.shape[1:]
    picked = (masks.row >= 0) & wanted[masks.row]  # (B, H, W)
    _, v, u = picked.nonzero().unbind(-1)  # (T,)
    empty = (wanted & ~masks.seen).nonzero()[:, 0]  # (E,)
    row = torch.cat([masks.row[picked], empty])  # (T + E,)
    u = torch.cat([u + 0.5, torch.full_like(empty, W) / 2])
    v = torch.cat([v + 0.5, torch.full_like(empty, H) / 2])
    K = K[scene[row]]  # (T + E, 3, 3)
    y = (v - K[:, 1, 2]) / K[:, 1, 1]
    x = (u - K[:, 0, 2] - K[:, 0, 1] * y) / K[:, 0, 0]
    key = torch.arange(len(row), device=row.device, dtype=torch.float64) * ((math.sqrt(5) - 1) / 2) % 1  # evenly
    return Candidates(points=torch.stack([x, y, torch.ones_like(x)], -1), row=row, key=key)
