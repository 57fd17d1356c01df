"""The photo, whatever it comes as: upright, sRGB, 8 bit, not larger than the pipeline works at, nothing else kept.

Only pixels and K leave this module, so no position, serial number or date of the file can reach an output.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, ShapeError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.inputs.camera import load_K
from scenemaker.inputs.exif import K_from_focal
from scenemaker.inputs.picture import Picture, open_picture, picture_from_image
from scenemaker.scene import U8, DepthPrompt, Photo, Prompts

MAX_PIXELS = 2**22
MIN_SIDE_PX = 32


def load_photo(source: Any, *, K: Any = None, name: str | None = None, max_pixels: int | None = MAX_PIXELS) -> Photo:
    """The photo, upright and in sRGB, with K when the file or the user tells it.

    16 bit is scaled by 1 / 257 over its full range, floats are taken as [0, 1], transparent parts are put on white,
    of an animation the first frame is taken.

    Args:
        source: A path, the bytes of a file, a PIL image, an array (H, W), (H, W, 3) or (H, W, 4) of uint8, uint16,
            float in [0, 1] or bool, or a ``Photo``.
        K: Anything ``load_K`` reads, in pixels of the upright picture as given; wins over EXIF.
        name: For people; by default the file's stem.
        max_pixels: A larger photo is made smaller and K with it; None keeps any size.

    Raises:
        InputError: Not a picture that can be used; the text says why and what to do.
        FrameError: K is no camera.
    """
    if isinstance(source, Photo):
        picture = Picture(rgb=_checked(source.rgb), K=source.K, notices=source.notices)
        source_px = source.source_px
        name = name or source.name
    else:
        picture = _read(source, max_pixels)
        source_px = None
        name = name or (Path(source).stem if isinstance(source, str | Path) else "photo")
    width, height = picture.source_px
    if min(width, height) < MIN_SIDE_PX:
        what = f"a photo of at least {MIN_SIDE_PX} px on each side"
        raise InputError(expected(what, got=f"{width}x{height} px", remedy="give a larger one"))
    K_photo = picture.K if K is None else load_K(K, width, height)
    rgb = _shrink(picture.rgb, max_pixels)
    h, w = rgb.shape[:2]
    notices = picture.notices
    if (w, h) != (width, height):
        notices = (*notices, f"photo made smaller for work, from {width}x{height} to {w}x{h} px")
        K_photo = None if K_photo is None else np.diag([w / width, h / height, 1.0]) @ K_photo
        source_px = source_px or (width, height)
    return Photo(rgb=rgb, K=K_photo, name=name or "photo", notices=notices, source_px=source_px)


def in_photo_pixels(
    photo: Photo, prompts: Prompts | None = None, depth: DepthPrompt | None = None
) -> tuple[Prompts, DepthPrompt]:
    """The user's boxes, points and K in pixels of ``photo``, when it was made smaller than the picture they are for."""
    prompts, depth = prompts or Prompts(), depth or DepthPrompt()
    if photo.source_px is None:
        return prompts, depth
    sx, sy = photo.width / photo.source_px[0], photo.height / photo.source_px[1]
    boxes = tuple((x0 * sx, y0 * sy, x1 * sx, y1 * sy) for x0, y0, x1, y1 in prompts.boxes_px)
    points = tuple((x * sx, y * sy) for x, y in prompts.points_px)
    K: F64 | None = None if depth.K is None else np.diag([sx, sy, 1.0]) @ np.asarray(depth.K, np.float64)
    return replace(prompts, boxes_px=boxes, points_px=points), replace(depth, K=K)


def _read(source: Any, max_pixels: int | None) -> Picture:
    if isinstance(source, np.ndarray):
        rgb, notices = _rgb_from_array(source)
        return Picture(rgb=rgb, notices=notices)
    if isinstance(source, str | Path | bytes | bytearray | memoryview):
        picture = open_picture(source, max_pixels)
    elif hasattr(source, "getbands") and hasattr(source, "load"):
        picture = picture_from_image(source, "the PIL image", max_pixels)
    else:
        kinds = "a path, bytes, a PIL image, an array or a Photo"
        raise InputError(expected(f"a photo as {kinds}", got=type(source).__name__, remedy="give one of these"))
    if picture.focal is None:
        return picture
    return replace(picture, K=K_from_focal(picture.focal, *picture.source_px, picture.orientation))


def _checked(rgb: NDArray[Any]) -> U8:
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        got = f"{rgb.dtype} {rgb.shape}"
        raise ShapeError(expected("Photo.rgb as uint8 (H, W, 3)", got=got, remedy="build it with load_photo(array)"))
    return rgb


def _rgb_from_array(array: NDArray[Any]) -> tuple[U8, tuple[str, ...]]:
    """(H, W, 3) uint8 of an array of any accepted kind, and notices."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        remedy = "move the channels last" if array.ndim == 3 and array.shape[0] in (1, 3, 4) else "give one picture"
        raise ShapeError(
            expected("an image array (H, W), (H, W, 3) or (H, W, 4)", got=f"shape {array.shape}", remedy=remedy)
        )
    if array.dtype == np.bool_:
        eight = array.astype(np.uint8) * 255
    elif array.dtype == np.uint8:
        eight = array
    elif array.dtype == np.uint16:
        eight = np.round(array / 257.0).astype(np.uint8)
    elif np.issubdtype(array.dtype, np.floating):
        lo, hi = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
        if not (lo >= -1e-6 and hi <= 1 + 1e-6):  # NaN fails too
            got = f"values from {lo:g} to {hi:g}"
            raise InputError(expected("a float image in [0, 1]", got=got, remedy="scale it, or give uint8"))
        eight = np.round(array.clip(0, 1) * 255).astype(np.uint8)
    else:
        raise ShapeError(
            expected("an image of uint8, uint16, float or bool", got=f"dtype {array.dtype}", remedy="give uint8")
        )
    if eight.ndim == 2:
        return np.repeat(eight[..., None], 3, axis=2), ()
    if eight.shape[2] == 3:
        return np.array(eight, order="C"), ()
    alpha = eight[..., 3:].astype(np.uint16)
    if (alpha == 255).all():
        return np.ascontiguousarray(eight[..., :3]), ()
    white = (eight[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return white.astype(np.uint8), ("transparent parts were put on white",)


def _shrink(rgb: U8, max_pixels: int | None) -> U8:
    """The picture with at most ``max_pixels``, averaged over areas."""
    h, w = rgb.shape[:2]
    if max_pixels is None or h * w <= max_pixels:
        return rgb
    import cv2

    s = (max_pixels / (h * w)) ** 0.5
    size = max(int(w * s), MIN_SIDE_PX), max(int(h * s), MIN_SIDE_PX)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
