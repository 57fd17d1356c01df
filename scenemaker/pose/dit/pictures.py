"""What PoseDiT is given of pictures and shapes, and how it becomes ``PoseInputs``: one code for training and use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from scenemaker.errors import ShapeError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.clouds import make_clouds  # noqa: E402
from scenemaker.pose.dit.config import PoseModelConfig  # noqa: E402
from scenemaker.pose.dit.crops import crops_of, whole_pictures  # noqa: E402
from scenemaker.pose.dit.masks import masks_of, observed_points, rays_of  # noqa: E402
from scenemaker.pose.dit.types import Layout, PoseInputs, SceneFrame, _Movable  # noqa: E402


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
            "clouds_cam": (N, 0 if self.clouds_cam is None else self.clouds_cam.shape[1], 3),
        }
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value is not None and tuple(value.shape) != shape:
                got = tuple(value.shape)
                raise ShapeError(expected(f"{name} of {shape}", got=got, remedy="see PosePictures"))


def make_inputs(pictures: PosePictures, config: PoseModelConfig, generator: torch.Generator) -> PoseInputs:
    """What the encoders see of pictures.

    Points are drawn at random by ``generator`` (on the CPU, one number per pixel), so that those of an object do not
    depend on other objects. Memory grows with the pixels of the pictures and with N x (crop's side)^2.

    Raises:
        InputError: A label is greater than the number of objects in its picture.
    """
    layout, px = pictures.layout, config.image.px
    masks = masks_of(layout, pictures.labels, pictures.points_cam)
    observed = observed_points(masks, pictures.clouds_cam, generator)
    unseen = torch.bincount(observed.row, minlength=len(layout.scene)) == 0  # (N,)
    rays = rays_of(masks, pictures.K, layout.scene, unseen)
    clouds = make_clouds(layout, observed, rays, config.points.points, config.points.scene_points)
    k, c = clouds.frame.k, clouds.frame.c
    of = layout.scene
    centre = (clouds.centre - c[of]) / k[of, None]  # (N, 3)
    radius = clouds.radius / k[of]  # (N,)
    picture, picture_own, picture_xyz = whole_pictures(masks, clouds, pictures.rgb, px)
    ray = torch.nn.functional.normalize(clouds.centre, dim=-1)  # (N, 3)
    return PoseInputs(
        layout=layout,
        frame=clouds.frame,
        cloud=(clouds.cloud - clouds.centre[:, None]) / clouds.radius[:, None, None],
        cloud_count=clouds.count,
        geometry=pictures.geometry,
        crop=crops_of(masks, clouds, of, pictures.rgb, pictures.other, px),
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
