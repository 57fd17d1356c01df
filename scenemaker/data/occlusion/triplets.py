"""De-occlusion triplets: what is left of an object on white, a prompt, and the whole object.

Convention: as in ``ObjectView``, ``mask_modal`` is what is seen, ``mask_hidden`` where the object may continue unseen
(the occluder, the outside of the photo, the strokes: on the object and beside it); ``mask_amodal`` lies within both
together. The picture shows ``mask_modal`` on white; of low resolution it is blurred, masks and target are not.

Reference: SceneMaker (arXiv 2512.10957) 3.2.1, figures 4 and 5. The paper's targets are generated pictures; ours are
rendered objects or the user's own pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, Field, field_validator, model_validator

from scenemaker.data.occlusion.brush import brush
from scenemaker.data.occlusion.corner import corner
from scenemaker.data.occlusion.cutout import cutout
from scenemaker.data.occlusion.severity import occlude, removed_share
from scenemaker.data.occlusion.targets import TargetSource, over, resized, trimmed
from scenemaker.data.types import rng_for
from scenemaker.errors import InputError, PlacementError, expected
from scenemaker.scene import U8, Bool

Pattern = Literal["cutout", "corner", "brush"]
PROMPT = (
    "Show the complete {label}. Fill in the white parts where something hid it or the picture ended, with its own "
    "shape, colours and material; keep what is visible as it is, and leave the background plain white."
)
UNKNOWN_LABEL = "object"
SHORT = 0.03  # by which the removed share may be less than asked, so that something stays visible
TRIES = 20  # targets


class TripletRecipe(BaseModel, frozen=True, extra="forbid"):
    """How triplets are made."""

    width: int = Field(default=512, ge=16, le=4096, description="Of the pictures, in pixels.")
    height: int = Field(default=512, ge=16, le=4096, description="Of the pictures, in pixels.")
    sizes: tuple[tuple[int, int], ...] = Field(
        default=(), description="(width, height) of which one is drawn per triplet, instead of width and height."
    )
    patterns: dict[Pattern, float] = Field(
        default={"cutout": 0.5, "corner": 0.25, "brush": 0.25},
        description="How often each pattern is drawn, as weights: object cut-outs, border crops, brush strokes.",
    )
    severity: tuple[float, float] = Field(
        default=(0.1, 0.8), description="Least and greatest share of the object that is removed, in (0, 1]."
    )
    object_share: tuple[float, float] = Field(
        default=(0.35, 0.9),
        description="Least and greatest size of the whole object over that of the picture; objects are never enlarged.",
    )
    low_resolution: float = Field(
        default=0.3, ge=0, le=1, description="How often the masked picture is made small and large again."
    )
    low_resolution_px: int = Field(
        default=96, ge=16, description="Longer side at least of pictures made small, in pixels."
    )
    fringe: float = Field(
        default=0.5, ge=0, le=1, description="How often the outline keeps a trace of a background, as cut from a photo."
    )
    min_visible_px: int = Field(default=64, ge=1, description="Pixels at least of the largest visible piece.")
    prompt: str = Field(default=PROMPT, description="Text of every triplet; {label} becomes what the object is.")

    @field_validator("patterns")
    @classmethod
    def _weights(cls, value: dict[Pattern, float]) -> dict[Pattern, float]:
        if not value or min(value.values()) < 0 or not 0 < sum(value.values()) < np.inf:
            raise ValueError("give weights of 0 or more, one of them above 0")
        return value

    @model_validator(mode="after")
    def _ranges(self) -> TripletRecipe:
        if any(not 16 <= side <= 4096 for size in self.sizes for side in size):
            raise ValueError("sizes must be (width, height) of 16 to 4096 pixels")
        for name in ("severity", "object_share"):
            low, high = getattr(self, name)
            if not 0.01 <= low <= high <= 1:
                raise ValueError(f"{name} must be two numbers from 0.01 to 1, the smaller first")
        return self


@dataclass(frozen=True, eq=False, kw_only=True)
class Triplet:
    """One example for a de-occluder.

    Attributes:
        image: (H, W, 3) uint8 sRGB, what is visible, on white.
        prompt: What the model is told.
        target: (H, W, 3) uint8 sRGB, the whole object on white.
        mask_modal: (H, W) bool, what is visible.
        mask_amodal: (H, W) bool, the whole object.
        mask_hidden: (H, W) bool, where it may continue unseen; no pixel of ``mask_modal``.
        pattern: What hides it.
        severity: Share of ``mask_amodal`` that is not visible, as measured.
        label: What it is, when known.
        key: Of the target in its source.
    """

    image: U8
    prompt: str
    target: U8
    mask_modal: Bool
    mask_amodal: Bool
    mask_hidden: Bool
    pattern: Pattern
    severity: float
    label: str | None
    key: str


def prompt_for(label: str | None, template: str = PROMPT) -> str:
    """The prompt of an object.

    >>> prompt_for("office_chair", "Complete the {label}.")
    'Complete the office chair.'
    >>> prompt_for(None, "Complete the {label}.")
    'Complete the object.'
    """
    return template.replace("{label}", (label or UNKNOWN_LABEL).replace("_", " "))


def make_triplet(recipe: TripletRecipe, targets: TargetSource, *, seed: int, index: int) -> Triplet:
    """Triplet ``index`` of a seed: the same whatever was made before.

    Raises:
        PlacementError: Pattern and severity cannot be had on any of the targets that were tried.
    """
    rng = rng_for(seed, index, "triplet")
    names = sorted(recipe.patterns)
    weights = np.array([recipe.patterns[name] for name in names])
    pattern: Pattern = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    severity = float(rng.uniform(*recipe.severity))
    if recipe.sizes:
        width, height = recipe.sizes[int(rng.integers(len(recipe.sizes)))]
        recipe = recipe.model_copy(update={"width": width, "height": height})
    failed: PlacementError | InputError | None = None
    for _ in range(TRIES):
        try:
            return _attempt(recipe, targets, pattern, severity, rng)
        except (PlacementError, InputError) as error:  # a file that cannot be read any more: another one
            failed = error
    what = f"a target for {pattern} at severity {severity:.2f} among {TRIES}"
    raise PlacementError(expected(what, got=f"none ({failed})", remedy="change the recipe or the targets"))


def _attempt(
    recipe: TripletRecipe, targets: TargetSource, pattern: Pattern, severity: float, rng: np.random.Generator
) -> Triplet:
    share = float(rng.uniform(*recipe.object_share))
    target = targets.draw(rng, max(1, round(share * max(recipe.width, recipe.height))))
    rgba = _on_canvas(target.rgba, share, recipe, rng)
    amodal = rgba[..., 3] >= 128
    pixels = int(np.count_nonzero(amodal))
    asked = min(severity, 1 - 2 * recipe.min_visible_px / max(pixels, 1))
    if asked < severity - SHORT:
        what = f"an object of more than {int(2 * recipe.min_visible_px / (1 - severity + SHORT))} px"
        raise PlacementError(expected(what, got=f"{pixels} px of {target.key}", remedy="ask for larger ones"))

    def drawn() -> Bool:
        if pattern == "cutout":
            return cutout(amodal, rng, asked, targets.silhouette(rng))
        return (corner if pattern == "corner" else brush)(amodal, rng, asked)

    removed = occlude(drawn, amodal, asked, min_visible_px=recipe.min_visible_px)
    modal = amodal & ~removed
    r, g, b = rng.integers(0, 256, 3).tolist()
    seen = over(rgba, (r, g, b)) if rng.random() < recipe.fringe else rgba[..., :3]
    return Triplet(
        image=_reduced(np.where(modal[..., None], seen, np.uint8(255)), recipe, rng),
        prompt=prompt_for(target.label, recipe.prompt),
        target=over(rgba),
        mask_modal=modal,
        mask_amodal=amodal,
        mask_hidden=removed,
        pattern=pattern,
        severity=removed_share(amodal, removed),
        label=target.label,
        key=target.key,
    )


def _on_canvas(rgba: U8, share: float, recipe: TripletRecipe, rng: np.random.Generator) -> U8:
    """(H, W, 4) the object, at most ``share`` of the picture large, at a random place, whole."""
    rgba = trimmed(rgba)
    h, w = rgba.shape[:2]
    scale = min(1.0, share * recipe.width / w, share * recipe.height / h)
    rgba = resized(rgba, max(1, round(w * scale)), max(1, round(h * scale)))
    h, w = rgba.shape[:2]
    x, y = int(rng.integers(recipe.width - w + 1)), int(rng.integers(recipe.height - h + 1))
    canvas = np.zeros((recipe.height, recipe.width, 4), np.uint8)
    canvas[y : y + h, x : x + w] = rgba
    return canvas


def _reduced(rgb: U8, recipe: TripletRecipe, rng: np.random.Generator) -> U8:
    """The picture made small and large again, sometimes, as one cut from a photo of few pixels."""
    import cv2

    longest = max(recipe.width, recipe.height)
    smaller = float(np.exp(rng.uniform(np.log(min(1.0, recipe.low_resolution_px / longest)), 0)))
    if rng.random() >= recipe.low_resolution:
        return rgb
    size = max(1, round(recipe.width * smaller)), max(1, round(recipe.height * smaller))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (recipe.width, recipe.height), interpolation=cv2.INTER_CUBIC), np.uint8)
