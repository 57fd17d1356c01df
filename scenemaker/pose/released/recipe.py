"""From pictures, points, masks and shapes to ``ReleasedInputs``: the reference's inference, seeded and in order.

Used as it is at inference; in fine-tuning too (``released_inputs``), so that both see the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.geometry.cameras import F64  # noqa: E402
from scenemaker.pose.dit.encoders.patches import farthest_points  # noqa: E402
from scenemaker.pose.dit.pictures import PosePictures  # noqa: E402
from scenemaker.pose.dit.types import Layout, SceneFrame  # noqa: E402
from scenemaker.pose.released import clouds, pictures  # noqa: E402
from scenemaker.pose.released.config import ReleasedConfig  # noqa: E402
from scenemaker.pose.released.inputs import ReleasedInputs, levelling  # noqa: E402
from scenemaker.scene import U8, Bool  # noqa: E402

MOST_POINTS = 10_000
LEAST_POINTS = 64  # with fewer an object has no pose; the reference drops those of 1,024 and fewer
AXES = np.array([-1.0, -1.0, 1.0])  # of `net` in `cam`


@dataclass(frozen=True, eq=False, kw_only=True)
class SeenObject:
    """One object of a picture, before its cloud is thinned.

    Attributes:
        slot: Its place in the picture's list.
        crop: (3, S, S); own: (S, S); surface: (Q, 6), as in ``ReleasedInputs``.
        cloud: (n, 3) normalised; centre: (3,), reach: of its points, in the axes of ``net`` and units of ``cam``.
    """

    slot: int
    crop: Tensor
    own: Tensor
    surface: Tensor
    cloud: F64
    centre: F64
    reach: float


@dataclass(frozen=True, eq=False, kw_only=True)
class SeenPicture:
    """One picture and its usable objects.

    Attributes:
        square: (3, S, S).
        objects: In order.
        up: (3,) in ``cam``, zeros where unknown.
    """

    square: Tensor
    objects: tuple[SeenObject, ...]
    up: F64


class PictureRecipe:
    """One picture, brought to working size; its objects are prepared one by one."""

    def __init__(self, rgb: U8, points_cam: NDArray[np.floating], config: ReleasedConfig) -> None:
        """Takes a picture (H, W, 3) and its points (H, W, 3), NaN where unknown."""
        self.config, self.points_cam = config, points_cam
        self.known = np.isfinite(points_cam).all(-1)
        self.size = pictures.working_size(rgb.shape[1], rgb.shape[0])
        self.rgb = pictures.resized_rgb(rgb, *self.size)

    def square(self) -> Tensor:
        """(3, S, S)."""
        return pictures.square_rgb(self.rgb, self.config.picture_px)

    def object(
        self,
        mask: Bool,
        surface: NDArray[np.floating],
        *,
        slot: int,
        rng: np.random.Generator,
        given: F64 | None = None,
        clean: bool = True,
    ) -> SeenObject:
        """One object.

        Args:
            mask: (H, W), its visible pixels.
            surface: (Q, 6) points and normals in ``obj``, whose longest side is 1.
            slot: Its place in the list.
            rng: Draws the pixels of large objects.
            given: (n, 3) its points in ``cam``, in place of those of the pixels.
            clean: Stray points are left out.

        Raises:
            InputError: It is not seen, or too few of its points are known.
        """
        points = clouds.resized_points(self.points_cam, mask & self.known, *self.size)  # (h, w, 3)
        own = pictures.eroded(pictures.resized_mask(mask, *self.size)) & np.isfinite(points).all(-1)
        if not own.any():
            got = "none" if not (mask & self.known).any() else "none after its edge was taken off"
            raise InputError(
                expected("pixels with known depth", got=got, remedy="give its mask and depth, or use pose-dit")
            )
        points = points[own] if given is None else given  # (n, 3)
        if len(points) > MOST_POINTS:
            points = points[rng.choice(len(points), MOST_POINTS, replace=False)]
        points = clouds.without_outliers(points * AXES) if clean else points * AXES
        if len(points) < LEAST_POINTS or np.ptp(points[:, :2], axis=0).max() <= 0:
            what = f"at least {LEAST_POINTS} observed points in several places"
            raise InputError(expected(what, got=len(points), remedy="give denser depth, or use pose-dit"))
        cloud, centre, reach = clouds.normalised(points)
        px = self.config.picture_px
        doubled = np.concatenate([2 * surface[:, :3], surface[:, 3:]], 1).astype(np.float32)  # (Q, 6) in [-1, 1]^3
        return SeenObject(
            slot=slot,
            crop=pictures.crop_on_white(self.rgb, own, px),
            own=pictures.square_mask(own, px),
            surface=torch.from_numpy(doubled),
            cloud=cloud,
            centre=centre,
            reach=reach,
        )


def join(seen: Sequence[SeenPicture], config: ReleasedConfig, *, levelled: bool | None = None) -> ReleasedInputs:
    """All objects of some pictures in one row, thinned to the points that the weights expect, scenes normalised.

    Args:
        seen: Each with an object at least.
        config: Of the weights.
        levelled: The answer is levelled with gravity; None as the config says.
    """
    objects = [o for picture in seen for o in picture.objects]
    layout = Layout.of([len(picture.objects) for picture in seen])
    cloud = _thinned([o.cloud for o in objects], config.cloud_points)  # (N, P, 3)
    centre = torch.from_numpy(np.stack([o.centre for o in objects]))  # (N, 3)
    reach = torch.tensor([[o.reach] for o in objects], dtype=torch.float64)  # (N, 1)
    placed = cloud * reach[..., None] + centre[:, None]  # (N, P, 3), quirk `shrunk-cloud`

    scale, middle = [], []
    for picture in range(len(seen)):
        points = placed[layout.scene == picture].flatten(0, 1)  # (n P, 3)
        middle.append((points.amax(0) + points.amin(0)) / 2)  # (3,)
        scale.append((points - middle[-1]).abs().max() / clouds.FILL)
    k, c = torch.stack(scale), torch.stack(middle)  # (B,), (B, 3)
    k_of, c_of = k[layout.scene][:, None], c[layout.scene]  # (N, 1), (N, 3)
    up = torch.from_numpy(np.stack([picture.up for picture in seen]))  # (B, 3)
    if not (config.only_use_pitch if levelled is None else levelled):
        up = torch.zeros_like(up)
    return ReleasedInputs(
        layout=layout,
        slot=torch.tensor([o.slot for o in objects]),
        surface=torch.stack([o.surface for o in objects]),
        crop=torch.stack([o.crop for o in objects]),
        picture=torch.stack([picture.square for picture in seen]),
        own=torch.stack([o.own for o in objects]),
        cloud=cloud.float(),
        scene_cloud=((placed - c_of[:, None]) / k_of[..., None]).float(),
        centre=((centre - c_of) / k_of).float(),
        reach=(reach / k_of).float(),
        frame=SceneFrame(k=k.float(), c=(c * torch.from_numpy(AXES)).float()),
        level=levelling(up).float(),
    )


def released_inputs(
    given: PosePictures, config: ReleasedConfig, generator: torch.Generator, *, clean: bool = False
) -> tuple[ReleasedInputs, Tensor]:
    """Training pictures as released inputs, and the rows (N',) of the objects that are usable.

    Larger pictures than PoseDiT's serve the crops better: a side of 512 px is what the weights know.

    Args:
        given: With colour.
        config: Of the weights.
        generator: Draws the pixels of large objects.
        clean: Stray points are left out, as at inference; a search among 10,000 points per object.

    Raises:
        InputError: Pictures without colour, or in none of them a usable object.
    """
    if given.rgb is None:
        remedy = "take a source with colour: rendered scenes, not splats"
        raise InputError(expected("pictures with colour for the released form", got="none", remedy=remedy))
    seed = int(torch.randint(2**31, (1,), generator=generator))
    pictures_cpu = given.to("cpu")
    seen, kept = [], []
    colours = (given.rgb.cpu().permute(0, 2, 3, 1).numpy() * 255).round().clip(0, 255).astype(np.uint8)  # (B, H, W, 3)
    first = np.concatenate([[0], np.cumsum(given.layout.counts)])
    for b in range(len(given.layout.counts)):
        recipe = PictureRecipe(colours[b], pictures_cpu.points_cam[b].numpy(), config)
        picture, rows = _seen_picture(recipe, pictures_cpu, b, int(first[b]), seed, clean)
        if picture.objects:
            seen.append(picture)
            kept += rows
    if not seen:
        raise InputError(expected("a usable object", got="none in all pictures", remedy="draw larger objects"))
    return join(seen, config), torch.tensor(kept)


def _seen_picture(
    recipe: PictureRecipe, given: PosePictures, b: int, first: int, seed: int, clean: bool
) -> tuple[SeenPicture, list[int]]:
    """Picture b with its usable objects, and their rows."""
    labels = given.labels[b].numpy()  # (H, W)
    objects = []
    for i in range(given.layout.counts[b]):
        cloud = None if given.clouds_cam is None else given.clouds_cam[first + i].double().numpy()  # (P, 3)
        cloud = None if cloud is None else cloud[np.isfinite(cloud).all(-1)]
        try:
            objects.append(
                recipe.object(
                    labels == i + 1,
                    given.geometry[first + i].numpy(),
                    slot=i,
                    rng=np.random.default_rng((seed, b, i)),
                    given=cloud if cloud is not None and len(cloud) else None,
                    clean=clean,
                )
            )
        except InputError:  # too few points: the reference leaves such objects out too
            continue
    square = recipe.square()
    up = given.up[b].double().numpy()  # (3,)
    return SeenPicture(square=square, objects=tuple(objects), up=up), [first + o.slot for o in objects]


def _thinned(points: Sequence[F64], count: int) -> Tensor:
    """(N, count, 3) farthest points of clouds (n, 3) of different sizes; those of smaller clouds come again."""
    sizes = torch.tensor([len(p) for p in points])  # (N,)
    padded = torch.zeros(len(points), int(sizes.max()), 3, dtype=torch.float64)  # (N, P, 3)
    for row, p in zip(padded, points, strict=True):
        row[: len(p)] = torch.from_numpy(p)
    valid = torch.arange(padded.shape[1]) < sizes[:, None]  # (N, P)
    order = farthest_points(padded.float(), valid, count)  # (N, count)
    again = torch.arange(count) % sizes[:, None]  # (N, count)
    return padded.gather(1, order.gather(1, again)[..., None].expand(-1, -1, 3))
