"""What PoseDiT is given of pictures and shapes, and how it becomes ``PoseInputs``: one code for training and use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from scenemaker.errors import InputError, ShapeError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.clouds import FAR, Candidates, Clouds, make_clouds  # noqa: E402
from scenemaker.pose.dit.config import PoseModelConfig  # noqa: E402
from scenemaker.pose.dit.crops import Squares  # noqa: E402
from scenemaker.pose.dit.types import Layout, PoseInputs, SceneFrame, _Movable  # noqa: E402

MARGIN = 0.1  # of the box of a mask, on each side of its crop
CLIP = 2.0  # radii: depth in a crop
NOWHERE = 1e9  # units, whatever they are


@dataclass(frozen=True, eq=False, kw_only=True)
class PosePictures(_Movable):
    """B pictures of one size that show N objects, with their shapes; float32.

    Attributes:
        layout: Which picture shows each object.
        points_cam: (B, H, W, 3), NaN where unknown; what is infinite or has z <= 0 counts as unknown too.
        labels: (B, H, W) int64: 1 + number of the object in its scene, 0 background.
        K: (B, 3, 3) in pixels; only for objects of which no point was observed.
        up: (B, 3) unit vector against gravity in ``cam``; zeros where unknown.
        geometry: (N, Q, 6) points and unit normals of the complete shapes in ``obj``.
        rgb: (B, 3, H, W) in [0, 1], or None.
        clouds_cam: (N, P, 3) observed points that are not those of the pixels (many views, complete clouds), padded
            with NaN, or None. They replace those of the pixels; an object whose row is all NaN keeps those.
        other: (B, H, W) bool: pixels of things that are not among the objects and may hide them, or None.
    """

    layout: Layout
    points_cam: Tensor
    labels: Tensor
    K: Tensor
    up: Tensor
    geometry: Tensor
    rgb: Tensor | None = None
    clouds_cam: Tensor | None = None
    other: Tensor | None = None

    def __post_init__(self) -> None:
        B, N = len(self.layout.counts), len(self.layout.scene)
        size = tuple(self.labels.shape[1:])
        wanted = {
            "points_cam": (B, *size, 3),
            "labels": (B, *size),
            "K": (B, 3, 3),
            "up": (B, 3),
            "geometry": (N, self.geometry.shape[1], 6),
            "rgb": (B, 3, *size),
            "other": (B, *size),
        }
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value is not None and tuple(value.shape) != shape:
                got = tuple(value.shape)
                raise ShapeError(expected(f"{name} of {shape}", got=got, remedy="see PosePictures"))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Masks:
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


def make_inputs(pictures: PosePictures, config: PoseModelConfig, generator: torch.Generator) -> PoseInputs:
    """What the encoders see of pictures.

    Points are drawn at random by ``generator`` (on the CPU, one number per pixel), so that those of an object do not
    depend on other objects. Memory grows with the pixels of the pictures and with N x (crop's side)^2.

    Raises:
        InputError: A label is greater than the number of objects in its picture.
    """
    layout, px = pictures.layout, config.image.px
    masks = _masks(pictures)
    clouds = make_clouds(
        layout,
        _observed(pictures, masks, generator),
        _unseen(pictures, masks),
        config.points.points,
        config.points.scene_points,
    )
    k, c = clouds.frame.k, clouds.frame.c
    of = layout.scene
    centre = (clouds.centre - c[of]) / k[of, None]  # (N, 3)
    radius = clouds.radius / k[of]  # (N,)
    picture, picture_own, picture_xyz = _pictures(pictures, masks, clouds, px)
    ray = torch.nn.functional.normalize(clouds.centre, dim=-1)  # (N, 3)
    return PoseInputs(
        layout=layout,
        frame=clouds.frame,
        cloud=(clouds.cloud - clouds.centre[:, None]) / clouds.radius[:, None, None],
        cloud_count=clouds.count,
        geometry=pictures.geometry,
        crop=_crops(pictures, masks, clouds, px),
        picture=picture,
        picture_own=picture_own,
        picture_xyz=picture_xyz,
        scene_cloud=(clouds.scene_cloud - c[:, None]) / k[:, None, None],
        scene_owner=clouds.scene_owner,
        centre=centre,
        radius=radius,
        evidence=torch.cat([ray, radius.log()[:, None], masks.cut, ~clouds.observed[:, None]], -1),  # (N, 9)
        up=pictures.up,
    )


def join_inputs(inputs: Sequence[PoseInputs]) -> PoseInputs:
    """The scenes of all of them in one row; made with one config."""
    scenes = [len(one.layout.counts) for one in inputs]
    rows = [len(one.layout.scene) for one in inputs]

    def cat(name: str, shift: Sequence[int] | None = None) -> Tensor:
        values = [getattr(one, name) for one in inputs]
        return torch.cat(values if shift is None else [v + sum(shift[:i]) for i, v in enumerate(values)])

    layout = Layout(torch.cat([one.layout.scene + sum(scenes[:i]) for i, one in enumerate(inputs)]))
    frame = SceneFrame(k=torch.cat([one.frame.k for one in inputs]), c=torch.cat([one.frame.c for one in inputs]))
    plain = (f.name for f in fields(PoseInputs) if f.name not in ("layout", "frame", "scene_owner"))
    rest = {name: cat(name) for name in plain}
    return PoseInputs(layout=layout, frame=frame, scene_owner=cat("scene_owner", rows), **rest)


def _masks(pictures: PosePictures) -> _Masks:
    """Rows, points and boxes."""
    layout, labels = pictures.layout, pictures.labels
    H, W = labels.shape[1:]
    N, device = len(layout.scene), labels.device
    counts = torch.tensor(layout.counts, device=device)  # (B,)
    most = labels.amax((1, 2))  # (B,)
    if bool((most > counts).any()):
        scene = int((most > counts).nonzero()[0, 0])
        what = f"labels of picture {scene} in 0..{int(counts[scene])}"
        raise InputError(expected(what, got=int(most[scene]), remedy="number the objects 1..n in each picture"))
    first = (counts.cumsum(0) - counts)[:, None, None]  # (B, 1, 1)
    row = torch.where(labels > 0, first + labels - 1, -1)  # (B, H, W)
    points = pictures.points_cam
    _, v, u = (row >= 0).nonzero().unbind(-1)  # (T,)
    owner = row[row >= 0][:, None].expand(-1, 2)  # (T, 2)
    size = torch.tensor([W, H], device=device)
    low = size.expand(N, 2).scatter_reduce(0, owner, torch.stack([u, v], -1), "amin")  # (N, 2)
    high = torch.zeros_like(low).scatter_reduce(0, owner, torch.stack([u, v], -1) + 1, "amax")  # (N, 2)
    seen = high[:, 0] > 0  # (N,)
    return _Masks(
        row=row,
        points=torch.where(_valid(points)[..., None], points, torch.nan),
        low=torch.where(seen[:, None], low, 0),
        high=torch.where(seen[:, None], high, size),
        cut=torch.cat([low == 0, high == size], -1) & seen[:, None],
        seen=seen,
    )


def _valid(points: Tensor) -> Tensor:
    """(...) bool: points (..., 3) are numbers, before the camera, and not so far that their squares overflow."""
    return (points.abs() < NOWHERE).all(-1) & (points[..., 2] > 0)


def _observed(pictures: PosePictures, masks: _Masks, generator: torch.Generator) -> Candidates:
    """Observed points of all objects: those of the given clouds, else those of their pixels."""
    row, points, device = masks.row.flatten(), masks.points.flatten(0, 2), masks.row.device
    key = torch.rand(row.shape, generator=generator, dtype=torch.float64).to(device)  # (B H W,)
    known = (row >= 0) & ~points[:, 0].isnan()  # (B H W,)
    if pictures.clouds_cam is None:
        return Candidates(points=points[known], row=row[known], key=key[known])
    clouds = pictures.clouds_cam
    given = _valid(clouds)  # (N, P)
    known &= ~given.any(1)[row]  # row -1 is the last one, and not known
    keys = torch.rand(given.shape, generator=generator, dtype=torch.float64).to(device)  # (N, P)
    own = Candidates(points=clouds[given], row=given.nonzero()[:, 0], key=keys[given])
    return Candidates(points=points[known], row=row[known], key=key[known]) + own


def _unseen(pictures: PosePictures, masks: _Masks) -> Candidates:
    """Rays (z = 1) through the pixels of each mask, or through the middle of the picture where it is empty."""
    H, W = masks.row.shape[1:]
    scene, v, u = (masks.row >= 0).nonzero().unbind(-1)  # (T,)
    row = masks.row[masks.row >= 0]  # (T,)
    empty = (~masks.seen).nonzero()[:, 0]  # (E,)
    row, scene = torch.cat([row, empty]), torch.cat([scene, pictures.layout.scene[empty]])
    u = torch.cat([u + 0.5, torch.full_like(empty, W) / 2])
    v = torch.cat([v + 0.5, torch.full_like(empty, H) / 2])
    K = pictures.K[scene]  # (T, 3, 3)
    y = (v - K[:, 1, 2]) / K[:, 1, 1]  # (T,)
    x = (u - K[:, 0, 2] - K[:, 0, 1] * y) / K[:, 0, 0]  # (T,)
    key = torch.arange(len(row), device=row.device, dtype=torch.float64) * ((math.sqrt(5) - 1) / 2) % 1  # evenly
    return Candidates(points=torch.stack([x, y, torch.ones_like(x)], -1), row=row, key=key)


def _crops(pictures: PosePictures, masks: _Masks, clouds: Clouds, px: int) -> Tensor:
    """(N, 6, S, S), see ``PoseInputs.crop``."""
    layout, size = pictures.layout, (masks.row.shape[1], masks.row.shape[2])
    side = (masks.high - masks.low).amax(-1) * (1 + 2 * MARGIN)  # (N,)
    corner = (masks.low + masks.high) / 2 - side[:, None] / 2  # (N, 2)
    fine = math.ceil(max(size) / px / 4)  # a crop shows about a quarter of the picture
    cut = Squares.of(layout.scene, corner, side, size=size, px=px, fine=fine)
    row = masks.row.flatten()[cut.at]  # (N, F, F)
    index = torch.arange(len(side), device=side.device)[:, None, None]  # (N, 1, 1)
    own = cut.inside & (row == index)  # (N, F, F)
    z = masks.points[..., 2].flatten()[cut.at]  # (N, F, F)
    centre_z, radius = clouds.centre[:, 2, None, None], clouds.radius[:, None, None]  # (N, 1, 1)
    thing = (row >= 0) & ~own  # (N, F, F)
    if pictures.other is not None:
        thing = thing | pictures.other.flatten()[cut.at]
    behind = z >= centre_z + radius  # (N, F, F) behind all of the object; of unknown depth it may hide it
    hides = ~cut.inside | (thing & ~behind)  # (N, F, F)
    height = ((z - centre_z) / radius).clamp(-CLIP, CLIP)  # (N, F, F)
    depth = cut.mean(height[:, None], own & ~z.isnan()).nan_to_num(nan=0)  # (N, 1, S, S)
    return torch.cat([_colours(pictures, cut, own), cut.share(own)[:, None], cut.share(hides)[:, None], depth], 1)


def _pictures(pictures: PosePictures, masks: _Masks, clouds: Clouds, px: int) -> tuple[Tensor, Tensor, Tensor]:
    """``PoseInputs.picture`` (B, 5, S, S), ``picture_own`` (N, S, S) and ``picture_xyz`` (B, 3, S, S).

    Only points of objects are known there: the frame comes from them, and other backgrounds change nothing.
    """
    B, H, W = masks.row.shape
    N, device, longest = len(clouds.radius), masks.row.device, max(H, W)
    fine = math.ceil(longest / px)  # no pixel is left out
    corner = torch.tensor([(W - longest) / 2, (H - longest) / 2], device=device).expand(B, 2)
    side = torch.full((B,), float(longest), device=device)
    cut = Squares.of(torch.arange(B, device=device), corner, side, size=(H, W), px=px, fine=fine)
    row = torch.where(cut.inside, masks.row.flatten()[cut.at], -1)  # (B, F, F)
    points = masks.points.flatten(0, 2)[cut.at]  # (B, F, F, 3)
    away = (points - clouds.centre[row]).norm(dim=-1)  # (B, F, F), NaN where unknown
    known = (row >= 0) & (away <= FAR * clouds.radius[row])  # (B, F, F)
    xyz = (points - clouds.frame.c[:, None, None]) / clouds.frame.k[:, None, None, None]  # (B, F, F, 3)
    xyz = cut.mean(xyz.movedim(-1, 1), known)  # (B, 3, S, S)
    picture = torch.cat(
        [_colours(pictures, cut, cut.inside), cut.share(row >= 0)[:, None], xyz[:, 2:].nan_to_num(nan=0)], 1
    )  # (B, 5, S, S)
    cell = torch.arange(px, device=device).repeat_interleave(fine)  # (F,)
    cell = (cell[:, None] * px + cell).expand_as(row)[row >= 0]  # (T,) of the S x S pixels
    own = torch.bincount(row[row >= 0] * px * px + cell, minlength=N * px * px)  # (N S S,)
    return picture, own.view(N, px, px) / float(fine**2), xyz


def _colours(pictures: PosePictures, cut: Squares, where: Tensor) -> Tensor:
    """(M, 3, S, S) rgb in [-1, 1] over a mask (M, F, F), 0 elsewhere and without colour."""
    M, px = len(where), where.shape[1] // cut.fine
    if pictures.rgb is None:
        return torch.zeros(M, 3, px, px, device=where.device)
    rgb = pictures.rgb.movedim(1, -1).flatten(0, 2)[cut.at].movedim(-1, 1)  # (M, 3, F, F)
    return cut.mean(2 * rgb - 1, where).nan_to_num(nan=0)  # (M, 3, S, S)
