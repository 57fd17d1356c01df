"""Pictures as the reference prepares them: working size, own pixels, crops on white, squares."""

from __future__ import annotations

import numpy as np

from scenemaker.errors import needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from scenemaker.scene import U8, Bool  # noqa: E402

SHORT_PX, LONG_PX = 512, 1024  # of the picture that is worked on
CROP = 0.8  # of a crop's side that the box of the own pixels takes


def working_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) that a picture is brought to: long side at most 1024 px, short side at least 512 px.

    >>> working_size(192, 128), working_size(4000, 3000), working_size(900, 600)
    ((768, 512), (1024, 768), (900, 600))
    """
    scale = min(1.0, LONG_PX / max(width, height))
    if min(width, height) * scale < SHORT_PX:
        scale = SHORT_PX / min(width, height)
    return max(1, int(width * scale + 1e-9)), max(1, int(height * scale + 1e-9))


def resized_rgb(rgb: U8, width: int, height: int) -> U8:
    """(height, width, 3), bicubic when it grows, averaged over areas when it shrinks."""
    import cv2
    from PIL import Image

    if rgb.shape[:2] == (height, width):
        return rgb
    if width > rgb.shape[1]:
        return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC))
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def resized_mask(mask: Bool, width: int, height: int) -> Bool:
    """(height, width), nearest."""
    import cv2

    return cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0


def eroded(mask: Bool) -> Bool:
    """The mask without its outermost pixels; the border of the picture takes none."""
    import cv2

    return cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def crop_on_white(rgb: U8, own: Bool, px: int) -> Tensor:
    """(3, px, px) in [0, 1]: the square around the own pixels, of which their box takes four fifths; white elsewhere.

    Args:
        rgb: (H, W, 3).
        own: (H, W), not empty.
        px: Side of the result.
    """
    from PIL import Image

    rows, columns = np.flatnonzero(own.any(1)), np.flatnonzero(own.any(0))
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    side = int(max(right - left, bottom - top) / CROP)
    x0, y0 = int((left + right) // 2 - side // 2), int((top + bottom) // 2 - side // 2)
    cut, cut_own = np.full((side, side, 3), 255, np.uint8), np.zeros((side, side), np.uint8)
    inside = (slice(max(y0, 0), y0 + side), slice(max(x0, 0), x0 + side))
    at = (max(-y0, 0), max(-x0, 0))
    h, w = own[inside].shape
    cut[at[0] : at[0] + h, at[1] : at[1] + w] = rgb[inside]
    cut_own[at[0] : at[0] + h, at[1] : at[1] + w] = own[inside]
    small = np.asarray(Image.fromarray(cut).resize((px, px), Image.Resampling.BICUBIC), np.float32) / 255
    small_own = np.asarray(Image.fromarray(cut_own).resize((px, px), Image.Resampling.NEAREST), np.float32)
    white = small * small_own[..., None] + (1 - small_own[..., None])  # (px, px, 3)
    return torch.from_numpy(np.ascontiguousarray(white.transpose(2, 0, 1)))


def square_rgb(rgb: U8, px: int) -> Tensor:
    """(3, px, px) in [0, 1], bilinear without smoothing, proportions lost (quirk ``stretched-picture``)."""
    whole = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1))).float() / 255  # (3, H, W)
    return functional.interpolate(whole[None], (px, px), mode="bilinear", align_corners=False)[0]


def square_mask(own: Bool, px: int) -> Tensor:
    """(px, px) of 0 and 1, nearest."""
    return functional.interpolate(torch.from_numpy(own[None, None]).float(), (px, px), mode="nearest")[0, 0]
