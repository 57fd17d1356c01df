"""What a de-occluder is to restore: complete objects without background, and how they are resized."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import ShapeError, expected
from scenemaker.scene import F32, U8, Bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Target:
    """One complete object.

    Attributes:
        rgba: (H, W, 4) uint8 sRGB, straight alpha, trimmed to the object or not.
        key: Unique in its source.
        label: What it is, when known.
    """

    rgba: U8
    key: str
    label: str | None = None

    def __post_init__(self) -> None:
        if self.rgba.ndim != 3 or self.rgba.shape[2] != 4 or self.rgba.dtype != np.uint8:
            got = f"{self.rgba.dtype} {self.rgba.shape}"
            raise ShapeError(expected("rgba (H, W, 4) uint8", got=got, remedy=f"check target {self.key}"))


class TargetSource(Protocol):
    """Where targets come from."""

    name: str

    def draw(self, rng: np.random.Generator, px: int) -> Target:
        """A random target, best with its longer side ``px`` large; larger ones are made smaller by who draws."""
        ...

    def silhouette(self, rng: np.random.Generator) -> Bool:
        """(h, w) bool, the outline of a random target, about 256 px large, to hide another one with."""
        ...


def trimmed(rgba: U8) -> U8:
    """The picture without the empty rows and columns around the object."""
    x, y = (np.flatnonzero((rgba[..., 3] > 0).any(axis)) for axis in (0, 1))
    return rgba[y[0] : y[-1] + 1, x[0] : x[-1] + 1] if len(x) else rgba


def resized(rgba: U8, width: int, height: int) -> U8:
    """An RGBA picture of another size; colours weigh by their alpha, so that nothing bleeds in from the outside."""
    import cv2

    h, w = rgba.shape[:2]
    if (w, h) == (width, height):
        return rgba
    how = cv2.INTER_AREA if width < w else cv2.INTER_LINEAR
    a = rgba[..., 3:].astype(np.float32)
    both: NDArray[Any] = np.concatenate([rgba[..., :3] * (a / 255), a], 2)
    both = np.asarray(cv2.resize(both, (width, height), interpolation=how))
    both[..., :3] *= 255 / np.maximum(both[..., 3:], 1e-3)
    return np.rint(both).clip(0, 255).astype(np.uint8)


def over(rgba: U8, colour: tuple[int, int, int] = (255, 255, 255)) -> U8:
    """(H, W, 3) the picture laid over one colour, in sRGB."""
    a = rgba[..., 3:].astype(np.float32) / 255
    flat = rgba[..., :3] * a + np.asarray(colour, np.float32) * (1 - a)
    return np.rint(flat).astype(np.uint8)


def cut_out(rgb: U8, hit: Bool, alpha: F32) -> U8:
    """(H, W, 4) the object without what shows around it.

    Pixels of the outline show a mixture with the background: they take the colour of the nearest pixel within the
    object, unless it is so thin that there is none near.

    Args:
        rgb: (H, W, 3) the object before some background.
        hit: (H, W) pixels whose centre shows the object.
        alpha: (H, W) share of the object in every pixel.
    """
    import cv2

    inner = cv2.erode(hit.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    pure = (inner > 0) | (hit & (cv2.dilate(inner, np.ones((7, 7), np.uint8)) == 0))
    if not pure.any():
        return np.zeros((*hit.shape, 4), np.uint8)
    places = cv2.distanceTransformWithLabels(
        (~pure).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )[1]
    nearest = np.zeros(places.max() + 1, np.int64)
    nearest[places[pure]] = np.flatnonzero(pure)
    colours = rgb.reshape(-1, 3)[nearest[places]]
    return np.concatenate([colours, np.rint(alpha * 255).astype(np.uint8)[..., None]], 2)
