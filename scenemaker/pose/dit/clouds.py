"""Observed points of objects: chosen among those of the pixels or of given clouds, guessed where there are none.

Convention: a *candidate* is a point with its row (the object it belongs to); candidates of all objects stand in one
list, so that nothing is padded and nothing loops over objects. Time grows with the labelled pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.frame import object_frame, scene_frame  # noqa: E402
from scenemaker.pose.dit.types import Layout, SceneFrame  # noqa: E402

FAR = 10.0  # radii from an object's centre beyond which a point is taken for a flying pixel


@dataclass(frozen=True, eq=False, kw_only=True)
class Clouds:
    """Observed points of N objects in B scenes, in ``cam``.

    Attributes:
        cloud: (N, P, 3); count: (N,) at least 1, points of a row that count, first in it.
        scene_cloud: (B, M, 3), scene_owner: (B, M) the row of each.
        centre, radius: (N, 3) and (N,), see ``object_frame``.
        frame: Of the scenes, from the observed objects.
        observed: (N,) bool; clouds of the others are guessed.
    """

    cloud: Tensor
    count: Tensor
    scene_cloud: Tensor
    scene_owner: Tensor
    centre: Tensor
    radius: Tensor
    frame: SceneFrame
    observed: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidates:
    """T points (T, 3) in ``cam``, the row (T,) in [0, N) of each, and a random number (T,) in [0, 1) that orders it."""

    points: Tensor
    row: Tensor
    key: Tensor

    def shuffled(self) -> Candidates:
        """By row, inside each by key."""
        return self.where((self.row + self.key).argsort(stable=True))

    def where(self, which: Tensor) -> Candidates:
        """Those of a mask or of indices."""
        return Candidates(points=self.points[which], row=self.row[which], key=self.key[which])

    def __add__(self, other: Candidates) -> Candidates:
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("points", "row", "key"))
        points, row, key = (torch.cat(pair) for pair in pairs)
        return Candidates(points=points, row=row, key=key)


def make_clouds(layout: Layout, observed: Candidates, rays: Candidates, points: int, scene_points: int) -> Clouds:
    """Clouds of all objects, and the frames that follow from them.

    Args:
        layout: Which scene each object belongs to.
        observed: Observed points; flying ones, farther than ``FAR`` radii from the centre, are left out.
        rays: Of each object without observed points, at least one on which it lies (z = 1). Its points are put there
            at the depth of the median object of its scene, at depth 1 where nothing of the scene was observed.
        points: At most so many per object (P); fewer stay fewer.
        scene_points: Per scene (M), the same number of each object as far as it has them, repeated when too few; those
            of one object side by side, so that a stride through them takes of every object its share.
    """
    N = len(layout.scene)
    observed = observed.shuffled()
    known = torch.bincount(observed.row, minlength=N) > 0  # (N,)
    cloud, count = _padded(observed, N, points)  # (N, P, 3), (N,)
    centre, radius = object_frame(cloud, count.clamp_min(1))  # (N, 3), (N,)
    frame = scene_frame(layout, centre, radius, known)
    if not known.all():
        some = torch.bincount(layout.scene[known], minlength=len(layout.counts)) > 0  # (B,)
        depth = torch.where(some, frame.c[:, 2], 1.0)[layout.scene]  # (N,)
        guess = replace(rays, points=rays.points * depth[rays.row, None])
        observed = (observed + guess).shuffled()
        cloud, count = _padded(observed, N, points)
        centre, radius = object_frame(cloud, count)
        frame = scene_frame(layout, centre, radius, known)
    away = (observed.points - centre[observed.row]).norm(dim=-1)  # (T,)
    observed = observed.where(away <= FAR * radius[observed.row])
    cloud, count = _padded(observed, N, points)
    scene_cloud, scene_owner = _scene_clouds(layout, observed, centre, scene_points)
    return Clouds(
        cloud=cloud,
        count=count,
        scene_cloud=scene_cloud,
        scene_owner=scene_owner,
        centre=centre,
        radius=radius,
        frame=frame,
        observed=known,
    )


def _rank(group: Tensor, groups: int) -> Tensor:
    """(T,) number of each among those of its group, from 0; ``group`` (T,) ascends."""
    count = torch.bincount(group, minlength=groups)
    return torch.arange(len(group), device=group.device) - (count.cumsum(0) - count)[group]


def _padded(candidates: Candidates, rows: int, points: int) -> tuple[Tensor, Tensor]:
    """The first ``points`` candidates of each row (N, P, 3), zeros behind them, and their number (N,)."""
    rank = _rank(candidates.row, rows)  # (T,)
    first = rank < points
    cloud = candidates.points.new_zeros(rows, points, 3)
    cloud[candidates.row[first], rank[first]] = candidates.points[first]
    return cloud, torch.bincount(candidates.row, minlength=rows).clamp_max(points)


def _scene_clouds(layout: Layout, candidates: Candidates, centre: Tensor, points: int) -> tuple[Tensor, Tensor]:
    """(B, M, 3) points and (B, M) rows: the first candidate of each object, then the second of each, and so on.

    Objects count in the order of their distance from the camera: their order in the list changes nothing.
    """
    B, N = len(layout.counts), len(centre)
    rank = _rank(candidates.row, N)  # (T,)
    candidates, rank = candidates.where(rank < points), rank[rank < points]
    scene = layout.scene[candidates.row]  # (T,)
    nearness = centre.norm(dim=-1).argsort(stable=True).argsort()[candidates.row]  # (T,) of its object, in [0, N)
    order = ((scene * points + rank) * N + nearness).argsort()  # (T,) of every scene round by round
    count = torch.bincount(scene, minlength=B)  # (B,)
    first = count.cumsum(0) - count  # (B,)
    place = torch.arange(points, device=scene.device) % count[:, None]  # (B, M)
    chosen = order[first[:, None] + place]  # (B, M)
    chosen = chosen.gather(1, (nearness * points + rank)[chosen].argsort(dim=1, stable=True))  # object by object
    return candidates.points[chosen], candidates.row[chosen]
