"""Scenes as point splats, a batch at a time in plain torch: what a GPU is fed with in training.

No colour: object points, depth and masks, made from surface points alone. Cost per scene grows with objects x points
x footprint, and with the pixels of the picture; nothing of it loops over scenes or objects.

Convention: frames as in ``data.types``; objects are drawn to a fixed number of slots, ``present`` tells the used ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from scenemaker.errors import needs

needs("torch", "models")
import torch
from pydantic import BaseModel, Field
from torch import Tensor

from scenemaker.data.layouts.options import Count
from scenemaker.data.objects.surface import surface_points
from scenemaker.data.types import ObjectSource
from scenemaker.errors import InputError, expected

_Uniform = Callable[..., Tensor]


class SplatConfig(BaseModel, frozen=True, extra="forbid"):
    """What scenes of splats look like."""

    count: Count = Field(default=(1, 5), description="Least and greatest number of objects.")
    width: int = Field(default=80, ge=8, description="Of the picture, in pixels.")
    height: int = Field(default=60, ge=8, description="Of the picture, in pixels.")
    points: int = Field(default=1024, ge=16, description="Surface points per object that are splatted.")
    footprint: int = Field(
        default=1, ge=0, le=4, description="Gaps of up to 2 footprint pixels between points are closed."
    )
    centred: bool = Field(
        default=False, description="Masks end where the object does, not with the last pixel that a point falls into."
    )
    observed: int = Field(default=256, ge=0, description="Observed points per object, from its visible pixels.")
    fov_deg: tuple[float, float] = Field(default=(35.0, 65.0), description="Horizontal field of view.")
    elevation_deg: tuple[float, float] = Field(default=(15.0, 60.0), description="Of the camera (SceneMaker, 3.3.2).")
    scale: tuple[float, float] = Field(default=(0.35, 1.2), description="Longest side of an object, log-uniform.")
    fill: tuple[float, float] = Field(default=(0.6, 1.0), description="Share of the picture that the scene spans.")
    spacing: float = Field(default=1.0, gt=0, description="Least distance of neighbours over the sum of their radii.")
    upright: float = Field(default=0.5, ge=0, le=1, description="Share of objects turned about the vertical only.")
    tilted: float = Field(default=0.0, ge=0, le=1, description="Share of these that are tilted then.")
    tilt_deg: float = Field(default=30.0, ge=0, le=180, description="By at most so much, about any level axis.")
    stacked: float = Field(default=0.0, ge=0, le=1, description="Share of objects that stand on the one before.")


@dataclass(frozen=True, eq=False, kw_only=True)
class SplatBatch:
    """B scenes of up to n objects with P points, seen in (H, W).

    Attributes:
        object: (B, n) int64, row of the bank; 0 where not present.
        present: (B, n) bool.
        R_cam_obj: (B, n, 3, 3).
        t_cam_obj: (B, n, 3).
        scale: (B, n).
        K: (B, 3, 3).
        up_cam: (B, 3).
        depth: (B, H, W) z, NaN where nothing.
        labels: (B, H, W) int64, i + 1 where object i is seen.
        visible_fraction: (B, n): its visible pixels over those it would have alone in the picture.
        observed_cam: (B, n, m, 3) points of its visible pixels; NaN where it has none.
        points_obj: (B, n, P, 6) complete points and normals in ``obj``.
    """

    object: Tensor
    present: Tensor
    R_cam_obj: Tensor
    t_cam_obj: Tensor
    scale: Tensor
    K: Tensor
    up_cam: Tensor
    depth: Tensor
    labels: Tensor
    visible_fraction: Tensor
    observed_cam: Tensor
    points_obj: Tensor

    def to(self, device: str | torch.device) -> SplatBatch:
        """The batch on another device."""
        return SplatBatch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


class PointBank:
    """Surface points of many objects on one device: (M, Q, 6) points and unit normals in ``obj``, float32."""

    def __init__(self, points_obj: Tensor, keys: Sequence[str] = ()) -> None:
        if points_obj.ndim != 3 or points_obj.shape[2] != 6 or not len(points_obj):
            got = tuple(points_obj.shape)
            raise InputError(expected("points (M, Q, 6) of at least one object", got=got, remedy="stack them"))
        self.points_obj, self.keys = points_obj.float(), tuple(keys)

    @classmethod
    def of(cls, source: ObjectSource, keys: Sequence[str], *, points: int = 2048) -> PointBank:
        """The bank of some objects of a source."""
        rows = [surface_points(source.get(key).mesh, points) for key in keys]
        return cls(torch.from_numpy(np.stack(rows)), keys)

    def to(self, device: str | torch.device) -> PointBank:
        """The bank on another device."""
        return PointBank(self.points_obj.to(device), self.keys)


class SplatSource:
    """Makes batches of scenes from a bank of points, on the bank's device."""

    def __init__(self, bank: PointBank, config: SplatConfig | None = None) -> None:
        """Checks that the bank has points enough.

        Raises:
            InputError: Fewer points per object than the config splats.
        """
        self.bank, self.config = bank, config or SplatConfig()
        have = bank.points_obj.shape[1]
        if have < self.config.points:
            raise InputError(expected(f"{self.config.points} points per object", got=have, remedy="make a larger bank"))
        self._points_obj = bank.points_obj[:, : self.config.points].contiguous()

    def make(self, batch: int, generator: torch.Generator, *, counts: Sequence[int] | None = None) -> SplatBatch:
        """B scenes; equal generator states give equal batches on one device and version of torch.

        Args:
            batch: B.
            generator: On the bank's device.
            counts: B numbers of objects, within those of the config; by default they are drawn.

        Raises:
            InputError: No scene, or counts that do not fit.
        """
        if batch < 1:
            raise InputError(expected("a batch of at least one scene", got=batch, remedy="give 64, say"))
        c, device = self.config, self.bank.points_obj.device
        n = c.count[1]

        def uniform(low: float, high: float, *shape: int) -> Tensor:
            return low + (high - low) * torch.rand(*shape, generator=generator, device=device)

        if counts is None:
            number = torch.randint(c.count[0], n + 1, (batch, 1), generator=generator, device=device)
        elif len(counts) == batch and min(counts) >= 1 and max(counts) <= n:
            number = torch.tensor(list(counts), device=device)[:, None]  # (B, 1)
        else:
            what = f"{batch} numbers of objects from 1 to {n}"
            raise InputError(expected(what, got=list(counts), remedy="change them or the config"))
        present = torch.arange(n, device=device) < number  # (B, n)
        which = torch.randint(len(self.bank.points_obj), (batch, n), generator=generator, device=device) * present
        points = self._points_obj[which]  # (B, n, P, 6)
        scale = torch.exp(uniform(float(np.log(c.scale[0])), float(np.log(c.scale[1])), batch, n))
        R_world_obj = _rotations(batch, n, c.upright, generator, device)  # (B, n, 3, 3)
        if c.tilted:
            tilt = _tilts(R_world_obj, c.tilted, c.tilt_deg, generator)  # (B, n, 3, 3)
            R_world_obj = tilt @ R_world_obj
        turned = scale[..., None, None] * points[..., :3] @ R_world_obj.transpose(-1, -2)  # (B, n, P, 3)
        t_world_obj = self._places(turned, present, generator)
        p_world = turned + t_world_obj[:, :, None]

        R_cam_world, t_cam_world, K = self._cameras(p_world, present, uniform)
        p_cam = p_world @ R_cam_world[:, None].transpose(-1, -2) + t_cam_world[:, None, None]
        depth, labels, visible = self._splat(p_cam, present, K)
        R_cam_obj = R_cam_world[:, None] @ R_world_obj
        t_cam_obj = (R_cam_world[:, None] @ t_world_obj[..., None])[..., 0] + t_cam_world[:, None]
        return SplatBatch(
            object=which,
            present=present,
            R_cam_obj=R_cam_obj,
            t_cam_obj=t_cam_obj,
            scale=scale,
            K=K,
            up_cam=R_cam_world[:, :, 1],
            depth=depth,
            labels=labels,
            visible_fraction=visible,
            observed_cam=self._observed(depth, labels, K, generator),
            points_obj=points,
        )

    def _places(self, turned: Tensor, present: Tensor, generator: torch.Generator) -> Tensor:
        """(B, n, 3) places on y = 0: one after another, each in a random direction just clear of those before.

        An object that is stacked stands on the one before it.
        """
        B, n = present.shape
        radius = turned[..., [0, 2]].norm(dim=-1).amax(-1)  # (B, n) of the footprint
        angle = 2 * torch.pi * torch.rand(B, n, generator=generator, device=present.device)
        xz = torch.zeros(B, n, 2, device=present.device)
        low, high = turned[..., 1].amin(-1), turned[..., 1].amax(-1)  # (B, n)
        base = torch.zeros(B, n, device=present.device)  # height that each stands at
        on_top = _drawn(self.config.stacked, present, generator)  # (B, n)
        for i in range(1, n):
            d = torch.stack([angle[:, i].cos(), angle[:, i].sin()], -1)  # (B, 2)
            # leaving disc j along d from the origin: the far root of |r d - x_j| = spacing (r_i + r_j)
            reach = self.config.spacing * (radius[:, i : i + 1] + radius[:, :i])  # (B, i)
            along = (xz[:, :i] * d[:, None]).sum(-1)
            inside = along**2 - (xz[:, :i] ** 2).sum(-1) + reach**2
            far = torch.where(inside > 0, along + inside.clamp_min(0).sqrt(), torch.zeros_like(along))
            beside = d * far.amax(1, keepdim=True).clamp_min(0)
            # or on the highest point of the one before that is below its footprint, off centre by up to 0.3 of that
            off = d * 0.3 * radius[:, i - 1 : i]  # (B, 2)
            below = (turned[:, i - 1][..., [0, 2]] - off[:, None]).norm(dim=-1) < radius[:, i : i + 1]  # (B, P)
            top = turned[:, i - 1, :, 1].where(below, -torch.inf).amax(-1)  # (B,)
            top = top.where(top.isfinite(), high[:, i - 1]) - low[:, i - 1]
            stands = on_top[:, i]
            xz[:, i] = torch.where(stands[:, None], xz[:, i - 1] + off, beside)
            base[:, i] = torch.where(stands, base[:, i - 1] + top, 0)
        t = torch.stack([xz[..., 0], base - low, xz[..., 1]], -1)  # the lowest point is what it stands on
        weight = present[..., None].float()
        middle = (t * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
        middle[..., 1] = 0
        return t - middle

    def _cameras(self, p_world: Tensor, present: Tensor, uniform: _Uniform) -> tuple[Tensor, Tensor, Tensor]:
        """R_cam_world (B, 3, 3), t_cam_world (B, 3) and K (B, 3, 3) that frame every scene."""
        c, B = self.config, len(p_world)
        elevation, azimuth = torch.deg2rad(uniform(*c.elevation_deg, B)), uniform(0, 2 * torch.pi, B)
        zero = torch.zeros_like(azimuth)
        forward = torch.stack(
            [-elevation.cos() * azimuth.sin(), -elevation.sin(), -elevation.cos() * azimuth.cos()], -1
        )
        right = torch.stack([azimuth.cos(), zero, -azimuth.sin()], -1)
        down = torch.linalg.cross(forward, right)
        R = torch.stack([right, down, forward], 1)  # rows are the camera's axes in world
        f = c.width / 2 / torch.tan(torch.deg2rad(uniform(*c.fov_deg, B)) / 2)
        K = torch.zeros(B, 3, 3, device=p_world.device)
        K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2], K[:, 2, 2] = f, f, c.width / 2, c.height / 2, 1.0
        p = torch.where(present[..., None, None], p_world, torch.nan)
        flat = p.reshape(B, -1, 3)
        lo, hi = (flat.nan_to_num(nan=torch.inf).amin(1), flat.nan_to_num(nan=-torch.inf).amax(1))
        target = (lo + hi) / 2
        q = (flat - target[:, None]) @ R.transpose(-1, -2)
        half = torch.tensor([c.width, c.height], device=p.device) / 2 / f[:, None] * uniform(*c.fill, B)[:, None]
        # far enough that every point falls inside: |x| <= half (z + distance)
        need = (q[..., :2].abs() / half[:, None] - q[..., 2:]).amax(-1)
        distance = need.nan_to_num(nan=-torch.inf).amax(1).clamp_min(0.2)
        t = -(R @ target[..., None])[..., 0] + distance[:, None] * torch.tensor([0.0, 0.0, 1.0], device=p.device)
        return R, t, K

    def _splat(self, p_cam: Tensor, present: Tensor, K: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Depth (B, H, W), labels (B, H, W) and visible fractions (B, n): the nearest splat wins."""
        c = self.config
        B, n = p_cam.shape[:2]
        r = c.footprint
        # a margin, whose points reach into the picture; for centred masks cells lie between the centres of pixels
        H, W = c.height + 4 * r + c.centred, c.width + 4 * r + c.centred
        x, y, z = p_cam.unbind(-1)
        u = (K[:, None, None, 0, 0] * x / z + (c.width / 2 + 2 * r + c.centred / 2)).floor()
        v = (K[:, None, None, 1, 1] * y / z + (c.height / 2 + 2 * r + c.centred / 2)).floor()
        ok = present[..., None] & (z > 1e-3) & (u >= 0) & (u < W) & (v >= 0) & (v < H)
        slot = torch.arange(B * n, device=z.device).view(B, n, 1)
        at = torch.where(ok, (slot * H + v.long()) * W + u.long(), B * n * H * W)  # the last cell takes the rest
        alone = torch.full((B * n * H * W + 1,), torch.inf, device=z.device)  # each object's own depth
        alone.scatter_reduce_(0, at.flatten(), z.flatten(), "amin")
        own = alone[:-1].view(B, n, H, W)
        if r:  # close the gaps between points, and let no point of a far side show through them
            near = _least(_least(own, 2 * r + 1, 3), 2 * r + 1, 2)
            closed = -_least(_least(-near, 2 * r + 1, 3), 2 * r + 1, 2) < torch.inf
            own = own[..., 2 * r : -2 * r, 2 * r : -2 * r]
            near = near[..., r:-r, r:-r]
            steep = 3 * r * near / K[:, 0, 0, None, None, None]  # depth across the window on a surface of 70 degrees
            own = torch.where(closed, torch.where(own <= near + steep, own, near), torch.inf)
        own = _at_centres(own, K[:, 0, 0, None, None, None]) if c.centred else own
        depth, first = own.min(1)
        seen = depth.isfinite()
        labels = torch.where(seen, first + 1, 0)
        whole = own.isfinite().flatten(2).sum(-1)
        modal = torch.zeros(B, n + 1, device=z.device).scatter_add_(1, labels.flatten(1), seen.flatten(1).float())
        return torch.where(seen, depth, torch.nan), labels, modal[:, 1:] / whole.clamp_min(1)

    def _observed(self, depth: Tensor, labels: Tensor, K: Tensor, generator: torch.Generator) -> Tensor:
        """(B, n, m, 3) points of random visible pixels of each object, with repeats where it has fewer than m."""
        c = self.config
        B, H, W = depth.shape
        n, m = c.count[1], c.observed
        if not m:
            return torch.empty(B, n, 0, 3, device=depth.device)
        key = torch.rand(B, H * W, generator=generator, device=depth.device)
        order = (labels.flatten(1) + key).argsort(1)  # by object, at random inside each
        counts = torch.stack([(labels == i).flatten(1).sum(-1) for i in range(n + 1)], 1)  # (B, n + 1)
        start = counts.cumsum(1)[:, :-1]  # (B, n) where object i begins in the order
        mine = counts[:, 1:]
        pick = torch.arange(m, device=depth.device) % mine.clamp_min(1)[..., None]  # (B, n, m)
        pixel = order.gather(1, (start[..., None] + pick).clamp_max(H * W - 1).flatten(1)).view(B, n, m)
        z = depth.flatten(1).gather(1, pixel.flatten(1)).view(B, n, m)
        x = (pixel % W + 0.5 - K[:, None, None, 0, 2]) / K[:, None, None, 0, 0] * z
        y = (pixel // W + 0.5 - K[:, None, None, 1, 2]) / K[:, None, None, 1, 1] * z
        out = torch.stack([x, y, z], -1)
        return torch.where((mine > 0)[..., None, None], out, torch.nan)


def _least(x: Tensor, window: int, dim: int) -> Tensor:
    """The least value in every window along one dimension, which gets window - 1 shorter."""
    length = x.shape[dim] - window + 1
    out = x.narrow(dim, 0, length)
    for k in range(1, window):
        out = torch.minimum(out, x.narrow(dim, k, length))
    return out


def _at_centres(cells: Tensor, focal: Tensor) -> Tensor:
    """(B, n, H, W) depth at the centres of pixels from that of the (H + 1, W + 1) cells whose corners they are.

    A cell that any point falls into reaches half a cell beyond the object, in the mean; a centre with such cells on all
    four sides is half a cell inside of that. Its depth is the mean of the cells, but those of a surface far behind.
    """
    four = torch.stack([cells[..., :-1, :-1], cells[..., :-1, 1:], cells[..., 1:, :-1], cells[..., 1:, 1:]])
    near = four.amin(0)
    same = four <= near + 3 * near / focal  # as steep as 70 degrees
    mean = torch.where(same, four, 0).sum(0) / same.sum(0)
    return torch.where(four.isfinite().all(0), mean, torch.inf)


def _rotations(B: int, n: int, upright: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """(B, n, 3, 3): about the vertical for a share of the objects, uniform over SO(3) for the others."""
    q = torch.randn(B, n, 4, generator=generator, device=device)
    yaw = torch.rand(B, n, generator=generator, device=device) < upright
    q = torch.where(yaw[..., None], q * torch.tensor([1.0, 0.0, 1.0, 0.0], device=device), q)
    w, x, y, z = (q / q.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _tilts(R: Tensor, share: float, most_deg: float, generator: torch.Generator) -> Tensor:
    """(B, n, 3, 3) turns about level axes, for a share of those of the objects that R (B, n, 3, 3) leaves upright."""
    B, n = R.shape[:2]
    draws = torch.rand(B, n, 3, generator=generator, device=R.device)
    upright = R[..., 1, 1] > 1 - 1e-6  # (B, n)
    angle = torch.deg2rad(most_deg * draws[..., 0]) * (upright & (draws[..., 1] < share))  # (B, n)
    about = 2 * torch.pi * draws[..., 2]
    zero = torch.zeros_like(about)
    x, z = about.cos(), about.sin()
    skew = torch.stack([zero, -z, zero, z, zero, -x, zero, x, zero], -1).view(B, n, 3, 3)  # of the axis (x, 0, z)
    sin, cos = angle.sin()[..., None, None], angle.cos()[..., None, None]
    return torch.eye(3, device=R.device) + sin * skew + (1 - cos) * skew @ skew


def _drawn(share: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """True for a share of all; nothing is drawn where there is no share."""
    if not share:
        return torch.zeros_like(like, dtype=torch.bool)
    return torch.rand(like.shape, generator=generator, device=like.device) < share
