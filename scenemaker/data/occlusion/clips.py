"""Transition clips: the occluded picture turns into the complete one, for a video model that completes objects.

Reference: HiScene, 3.3 "Dataset curation" and algorithm 2 of B.1. As printed the algorithm contradicts the text and
itself; what is taken here, and why:

- line 2, I_v = I_o * M_w ("visible RGB"), keeps the whole object, so that the clip would show no change.
  Here I_v is what M_v keeps: the visible part on white, or any picture in which the object is occluded.
- line 4, X_0 = I_o, would give the model the answer. By 3.3 the first frame is the visible part: X_0 is I_v.
- lines 5 to 9 stand: alpha_i = 1 - i / (N - 1), M_i = alpha_i M_d with M_d = |M_v - M_w|, and
  I_i = (1 - M_i) I_o + M_i I_v, so that frame 1 hides what frame 0 hides and frame N is the target, exactly.
  With cast shadows the pictures differ beyond M_d; then all of the picture is blended ("everywhere").

Blending is linear in the values of the pictures (sRGB), as in the paper's 2D pictures, and rounded to the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.data.occlusion.cast_shadows import ShadowPair
from scenemaker.data.occlusion.triplets import Triplet
from scenemaker.errors import ShapeError, expected
from scenemaker.scene import U8, Bool


class ClipRecipe(BaseModel, frozen=True, extra="forbid"):
    """How clips are made."""

    frames: int = Field(
        default=8, ge=2, le=256, description="Frames of the transition, N; the clip has one more, its condition."
    )
    width: int | None = Field(default=None, ge=8, le=4096, description="Of the frames, in pixels; none keeps it.")
    height: int | None = Field(default=None, ge=8, le=4096, description="Of the frames, in pixels; none keeps it.")
    background: Literal["white", "scene"] = Field(
        default="white",
        description="Around the object of a shadow pair: white (the visible part alone), or all of both pictures.",
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Clip:
    """A clip of N + 1 frames.

    Attributes:
        frames: (N + 1, H, W, 3) uint8 sRGB; frame 0 is the condition, 1 to N the transition, N the complete object.
        mask_modal: (H, W) bool, what is visible in frame 0.
        mask_amodal: (H, W) bool, the whole object.
        label: What it is, when known.
        key: Of what it was made from.
    """

    frames: U8
    mask_modal: Bool
    mask_amodal: Bool
    label: str | None
    key: str


def transition(occluded: U8, target: U8, where: Bool, frames: int) -> U8:
    """(N, H, W, 3) from ``occluded`` to ``target`` in the pixels ``where``; the others show the target throughout.

    >>> black, white = np.zeros((1, 2, 3), np.uint8), np.full((1, 2, 3), 200, np.uint8)
    >>> transition(black, white, np.array([[True, False]]), 3)[..., 0].tolist()
    [[[0, 200]], [[100, 200]], [[200, 200]]]

    Raises:
        ShapeError: Pictures and mask of different sizes.
    """
    if not occluded.shape == target.shape == (*where.shape, 3):
        got = f"{occluded.shape}, {target.shape} and {where.shape}"
        raise ShapeError(expected("two pictures (H, W, 3) and a mask (H, W)", got=got, remedy="give them one size"))
    out = np.repeat(target[None], frames, 0)
    for frame, alpha in zip(out, 1 - np.arange(frames) / (frames - 1)):
        frame[where] = np.rint((1 - alpha) * target[where] + alpha * occluded[where])
    return out


def make_clip(
    recipe: ClipRecipe,
    *,
    occluded: U8,
    target: U8,
    mask_modal: Bool,
    mask_amodal: Bool,
    blend: Literal["hidden", "everywhere"] = "hidden",
    label: str | None = None,
    key: str = "",
) -> Clip:
    """The clip from one picture to the other.

    Args:
        recipe: Number and size of the frames.
        occluded: (h, w, 3) uint8 sRGB, the condition: the visible part on white, or the object behind others.
        target: (h, w, 3) uint8 sRGB, the whole object.
        mask_modal: (h, w) bool, M_v.
        mask_amodal: (h, w) bool, M_w.
        blend: Where frames 1 to N change: in M_d, or in all of the picture (cast shadows).
        label, key: Of the object.
    """
    h, w = mask_amodal.shape
    size = (recipe.width or w, recipe.height or h)
    occluded, target = (_sized(picture, size) for picture in (occluded, target))
    modal, whole = (_sized(mask.astype(np.uint8) * 255, size) >= 128 for mask in (mask_modal, mask_amodal))
    where = modal ^ whole if blend == "hidden" else np.ones_like(whole)
    moving = transition(occluded, target, where, recipe.frames)
    return Clip(
        frames=np.concatenate([occluded[None], moving]),
        mask_modal=modal,
        mask_amodal=whole,
        label=label,
        key=key,
    )


def clip_of(triplet: Triplet, recipe: ClipRecipe) -> Clip:
    """The clip of a triplet: from its masked picture to its target."""
    return make_clip(
        recipe,
        occluded=triplet.image,
        target=triplet.target,
        mask_modal=triplet.mask_modal,
        mask_amodal=triplet.mask_amodal,
        label=triplet.label,
        key=triplet.key,
    )


def clip_of_pair(pair: ShadowPair, recipe: ClipRecipe) -> Clip:
    """The clip of a shadow pair: the object comes out from behind the others and out of their shadow."""
    occluded, target = pair.image, pair.target
    if recipe.background == "white":
        occluded = np.where(pair.mask_modal[..., None], occluded, np.uint8(255))
        target = np.where(pair.mask_amodal[..., None], target, np.uint8(255))
    return make_clip(
        recipe,
        occluded=occluded,
        target=target,
        mask_modal=pair.mask_modal,
        mask_amodal=pair.mask_amodal,
        blend="everywhere",
        label=pair.label,
        key=pair.key,
    )


def _sized(picture: U8, size: tuple[int, int]) -> U8:
    import cv2

    if picture.shape[1::-1] == size:
        return picture
    smaller = size[0] < picture.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
