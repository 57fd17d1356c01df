"""Pictures made worse: masks, depth, what is in view, what is known. Poses and pictures still belong together.

The levels of noise are those of the tables (``evaluation.perturb``): level 1 resizes masks by 1 % of their box's side,
multiplies depth by 1 + 1 % noise per pixel and a smooth field of 0.5 %, and loses 5 % of it in patches; level x does so
x times as much. Here every scene draws its own level.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import BaseModel, Field

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.dit.masks import owners  # noqa: E402
from scenemaker.training.data.augment_clouds import complete, flying, holed, noisy, rescaled  # noqa: E402
from scenemaker.training.data.augment_masks import cropped, occluded, resized  # noqa: E402
from scenemaker.training.data.chance import Chance  # noqa: E402
from scenemaker.training.data.posed import Posed  # noqa: E402


class PictureAugment(BaseModel, frozen=True, extra="forbid"):
    """How pictures are made worse; shares are in [0, 1]."""

    clean: float = Field(default=0.25, ge=0, le=1, description="Share of scenes without noise.")
    noise: tuple[float, float] = Field(default=(0.3, 3.0), description="Level of the others, log-uniform.")
    flying: float = Field(default=0.3, ge=0, le=1, description="Share of border pixels that fly, from level 1 on.")
    occluders: float = Field(default=0.35, ge=0, le=1, description="Share of objects that something hides partly.")
    hidden: tuple[float, float] = Field(default=(0.1, 0.8), description="Share of its pixels that is hidden then.")
    border: float = Field(default=0.25, ge=0, le=1, description="Share of scenes cut by the border of the picture.")
    window: float = Field(default=0.55, gt=0, le=1, description="Least share of the picture's sides that is kept then.")
    complete: float = Field(default=0.15, ge=0, le=1, description="Share of scenes whose clouds are not the pixels'.")
    views: float = Field(default=0.5, ge=0, le=1, description="Share of these with clouds of 2 or 3 views; else whole.")
    cloud_noise: float = Field(default=0.02, ge=0, description="Greatest noise of such clouds, in longest sides.")
    relative: float = Field(default=1.0, ge=0, description="Depth is scaled by exp of -this to this per scene.")
    drop_up: float = Field(default=0.5, ge=0, le=1, description="Share of scenes that do not know `up`.")
    up_deg: float = Field(default=2.0, ge=0, description="Noise of `up` at level 1.")
    colour: float = Field(default=0.25, ge=0, description="Spread of exposure, contrast and tint.")
    drop_colour: float = Field(default=0.15, ge=0, le=1, description="Share of scenes without colour.")
    shuffle: bool = Field(default=True, description="Objects come in random order.")

    @classmethod
    def none(cls) -> PictureAugment:
        """Exact pictures."""
        zero = ("occluders", "border", "complete", "relative", "drop_up", "colour", "drop_colour")
        return cls(clean=1.0, shuffle=False, **dict.fromkeys(zero, 0.0))  # type: ignore[arg-type]


def worse_pictures(posed: Posed, config: PictureAugment, chance: Chance) -> Posed:
    """Scenes with worse pictures; what is hidden is hidden before masks and depth are made worse, as in a photo."""
    B = len(posed.pictures.K)
    level = _log_uniform(chance, config.noise, B) * ~chance.yes(config.clean, B)  # (B,)
    if config.border:
        posed = cropped(posed, config.border, config.window, chance)
    if config.occluders:
        posed = occluded(posed, config.occluders, config.hidden, chance)
    if config.complete:
        posed = complete(posed, config.complete, config.views, config.cloud_noise, chance)
    posed = replace(posed, spare=None)  # not needed from here on, and not changed with the shapes
    if config.clean < 1:
        posed = resized(posed, level, chance)
        posed = flying(posed, config.flying * level.clamp_max(1), chance)
        posed = holed(noisy(posed, level, chance), level, chance)
    if config.relative:
        posed = rescaled(posed, config.relative, chance)
    posed = _up(posed, config, level, chance)
    if posed.pictures.rgb is not None:
        posed = _coloured(posed, config, chance)
    return shuffled(posed, chance) if config.shuffle else posed


def shuffled(posed: Posed, chance: Chance) -> Posed:
    """The objects of every scene in random order."""
    pictures = posed.pictures
    scene, N = pictures.layout.scene, len(posed.t)
    order = (scene + 0.999 * chance.uniform(0, 1, N).double()).argsort()  # (N,) the row that comes at each place
    place = torch.empty_like(order).scatter_(0, order, torch.arange(N, device=order.device))  # (N,)
    first = torch.arange(N, device=order.device) - pictures.layout.index  # (N,) row of the first object of its scene
    label = torch.cat([place - first + 1, place.new_zeros(1)])  # (N + 1,) new label of each row, 0 of row -1
    clouds = None if pictures.clouds_cam is None else pictures.clouds_cam[order]
    changed = replace(
        pictures,
        labels=label[owners(pictures.labels, pictures.layout)],
        geometry=pictures.geometry[order],
        clouds_cam=clouds,
    )
    names = ("R", "t", "s", "symmetries", "axis", "pivot", "visible_fraction")
    return replace(posed, pictures=changed, **{name: getattr(posed, name)[order] for name in names})


def _up(posed: Posed, config: PictureAugment, level: Tensor, chance: Chance) -> Posed:
    """``up`` a little wrong, or not known."""
    up = posed.pictures.up  # (B, 3), zeros where it is not known
    off = torch.deg2rad(config.up_deg * level)[:, None] * chance.normal(*up.shape)  # (B, 3)
    known = (up.abs().sum(-1) > 0) & ~chance.yes(config.drop_up, len(up))  # (B,)
    up = torch.nn.functional.normalize(up + off, dim=-1) * known[:, None]
    return replace(posed, pictures=replace(posed.pictures, up=up))


def _coloured(posed: Posed, config: PictureAugment, chance: Chance) -> Posed:
    """Other exposure, contrast and tint; grey of no colour is 0.5, which the model sees as 0."""
    rgb = posed.pictures.rgb
    if rgb is None:
        return posed
    B = len(rgb)
    gain, contrast = (torch.exp(config.colour * chance.normal(B, 1, 1, 1)) for _ in range(2))  # (B, 1, 1, 1)
    tint = torch.exp(config.colour / 4 * chance.normal(B, 3, 1, 1))  # (B, 3, 1, 1)
    middle = rgb.mean((2, 3), keepdim=True)  # (B, 3, 1, 1)
    rgb = ((middle + contrast * (rgb - middle)) * gain * tint).clamp(0, 1)
    dropped = chance.yes(config.drop_colour, B)[:, None, None, None]
    return replace(posed, pictures=replace(posed.pictures, rgb=torch.where(dropped, 0.5, rgb)))


def _log_uniform(chance: Chance, span: tuple[float, float], n: int) -> Tensor:
    low, high = torch.tensor(span).log().tolist()
    return torch.exp(chance.uniform(low, high, n))
