"""One mask file that is a picture: palette, grey, 16-bit labels or colours."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from scenemaker.errors import InputError, expected
from scenemaker.perception.colours import MANY_COLOURS, fills_blocks, from_colours
from scenemaker.perception.labels import LabelMap, Tag, check_aspect, check_count, same_aspect

SUFFIXES = (".png", ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
MOST_GREYS = 32  # more distinct greys than that may be a blurred mask
LOSSY = ("JPEG", "MPO", "JPEG2000")


def open_image(path: Path, photo_px: tuple[int, int]) -> Image.Image:
    """The decoded picture, upright, with ``format`` kept; its aspect is checked before its pixels are read.

    Raises:
        InputError: The file is missing, empty, truncated or no picture.
        ShapeError: It has another aspect than the photo (width, height).
    """
    source = f"masks {path.name!r}"
    remedy = "save the masks again as PNG"
    if not path.is_file():
        raise InputError(expected(f"a file for {source}", got="nothing at that path", remedy="check the path"))
    if path.stat().st_size == 0:
        raise InputError(expected(f"a picture in {source}", got="an empty file", remedy=remedy))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
    except UnidentifiedImageError:
        raise InputError(expected(f"a picture in {source}", got="a file of another kind", remedy=remedy)) from None
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(expected(f"a readable picture in {source}", got=error, remedy=remedy)) from error
    with image:
        # A mask of another size is refused before a pixel of it is decoded; which way is up is only known after.
        width, height = image.size
        if not same_aspect((height, width), photo_px):
            check_aspect((width, height), photo_px, source)
        try:
            image.load()
            upright = ImageOps.exif_transpose(image)
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise InputError(expected(f"a complete picture in {source}", got=error, remedy=remedy)) from error
        check_aspect((upright.width, upright.height), photo_px, source)
        upright.format = image.format
        return upright


def read_mask_image(path: Path, photo_px: tuple[int, int]) -> LabelMap:
    """The objects of a mask picture.

    Palette: one object per index, 0 is background. Grey: two values are one binary mask, more are one object per
    value with 0 as background. Colours: one object per colour, black (or transparent) is background.
    """
    source = f"masks {path.name!r}"
    image = open_image(path, photo_px)
    lossy = image.format in LOSSY
    if image.mode == "P":
        return _from_palette(image, source)
    if image.mode in ("1", "L", "LA"):
        grey = np.asarray(image.convert("LA"))
        return _from_grey(np.where(grey[..., 1] > 127, grey[..., 0], 0).astype(np.uint8), lossy=lossy, source=source)
    if image.mode.startswith("I") or image.mode == "F":
        return from_label_array(np.asarray(image), source)
    rgba = np.asarray(image.convert("RGBA"))
    opaque = rgba[..., 3] > 127
    rgb = rgba[..., :3] * opaque[..., None]
    if not opaque.all() and opaque.any() and _is_cut_out(rgb):
        notice = f"{source} is a cut-out picture: its opaque part is taken as one object"
        return LabelMap(opaque.astype(np.int32), (Tag(),), (notice,))
    if (rgb == rgb[..., :1]).all():
        return _from_grey(rgb[..., 0], lossy=lossy, source=source)
    return from_colours(rgb, lossy=lossy, source=source)


def from_label_array(values: NDArray[np.generic], source: str) -> LabelMap:
    """One object per value of a label array (h, w) in the order of the values; 0 (and False) is background.

    Raises:
        InputError: The values are not whole numbers from 0.
    """
    if values.dtype == bool or values.dtype == np.uint8:
        present = np.flatnonzero(np.bincount(values.reshape(-1), minlength=1))
        whole = values.astype(np.int64)
    else:
        with np.errstate(invalid="ignore"):
            whole = values.astype(np.int64)
        if values.dtype.kind not in "iu" and not (values == whole).all():
            raise InputError(
                expected(f"whole numbers in {source}", got="fractions or NaN", remedy="give integer labels, 0 outside")
            )
        flat = whole.reshape(-1)
        starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
        present = np.unique(flat[starts])
    if present[0] < 0:
        raise InputError(expected(f"labels from 0 in {source}", got=int(present[0]), remedy="use 0 for background"))
    objects = present[present > 0]
    check_count(len(objects), source)
    ids = np.searchsorted(objects, whole, side="right").astype(np.int32)
    return LabelMap(ids, (Tag(),) * len(objects))


def _from_palette(image: Image.Image, source: str) -> LabelMap:
    """One object per palette index; 0 is background unless another used index is the black one."""
    index = np.asarray(image)
    palette = np.asarray(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    used = np.flatnonzero(np.bincount(index.reshape(-1), minlength=1))
    black = [int(k) for k in used if k < len(palette) and not palette[k].any()]
    transparent = image.info.get("transparency")
    notices: tuple[str, ...] = ()
    background = 0
    if isinstance(transparent, int) and transparent in used:
        background = transparent
    elif palette[0].any() and black:
        background = black[0]
    if background:
        notices = (f"background of {source} is palette index {background}, which is black or transparent",)
    # Indices keep their order; the background moves to 0.
    order = np.r_[background, used[used != background]]
    ids = np.zeros(256, np.int32)
    ids[order[1:]] = np.arange(1, len(order))
    return LabelMap(ids[index], (Tag(),) * (len(order) - 1), notices)


def _from_grey(values: NDArray[np.uint8], *, lossy: bool, source: str) -> LabelMap:
    """A binary mask, soft or not, as one object; else one object per grey value."""
    counts = np.bincount(values.reshape(-1), minlength=256)
    used = np.flatnonzero(counts)
    if len(used) == 1:
        return LabelMap((values > 0).astype(np.int32), (Tag(),) * int(used[0] > 0))
    if len(used) == 2:
        notices = () if used[0] == 0 else (f"{source} has no 0: its lower value {used[0]} is taken as background",)
        return LabelMap((values == used[1]).astype(np.int32), (Tag(),), notices)
    extremes = counts[:24].sum() + counts[232:].sum() >= 0.9 * values.size
    solid = np.flatnonzero(fills_blocks(values, 256))
    soft = len(used) > MOST_GREYS and ((solid < 24) | (solid >= 232)).all() and (solid >= 232).any()
    if soft or (lossy and extremes):
        notice = f"{source} is a soft mask of {len(used)} grey values: cut at 128"
        return LabelMap((values >= 128).astype(np.int32), (Tag(),), (notice,))
    if lossy:
        return from_colours(np.repeat(values[..., None], 3, 2), lossy=True, source=source)
    return from_label_array(values, source)


def _is_cut_out(rgb: NDArray[np.uint8]) -> bool:
    """Whether the colours are those of a photograph and not painted labels."""
    sample = rgb.reshape(-1, 3)[:: max(1, rgb.shape[0] * rgb.shape[1] // 65536)]
    return len(np.unique(sample @ np.array([65536, 256, 1], np.int64))) > MANY_COLOURS
