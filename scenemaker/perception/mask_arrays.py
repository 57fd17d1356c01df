"""Masks as arrays, in memory or in .npy and .npz files, and as folders of binary pictures."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, NoObjectsError, ShapeError, expected
from scenemaker.perception.colours import from_colours
from scenemaker.perception.labels import LabelMap, Tag, check_aspect, plural, resize_nearest
from scenemaker.perception.mask_images import LOSSY, SUFFIXES, from_label_array, open_image
from scenemaker.perception.mask_layers import Layer, paint


def from_array(array: NDArray[np.generic], photo_px: tuple[int, int], source: str) -> LabelMap:
    """Labels (h, w), a stack of binary masks (n, h, w), or colours (h, w, 3) in uint8.

    Raises:
        ShapeError: The array has another form, or another aspect than the photo (width, height).
    """
    if array.dtype.kind not in "buif":
        raise ShapeError(expected(f"numbers in {source}", got=array.dtype, remedy="give integer labels or booleans"))
    if array.ndim == 3 and array.shape[-1] == 3 and array.dtype == np.uint8 and array.shape[1:] != photo_px[::-1]:
        check_aspect((array.shape[1], array.shape[0]), photo_px, source)
        return from_colours(array.astype(np.uint8), lossy=False, source=source)
    if array.ndim not in (2, 3) or 0 in array.shape[-2:]:
        raise ShapeError(
            expected(
                f"labels (h, w) or binary masks (n, h, w) in {source}",
                got=f"shape {array.shape}",
                remedy="give 0 for background and one value, or one mask, per object",
            )
        )
    check_aspect((array.shape[-1], array.shape[-2]), photo_px, source)
    if array.ndim == 2:
        return from_label_array(array, source)
    layers = []
    for k, mask in enumerate(array):
        if mask.dtype != bool:
            low, high = mask.min(), mask.max()
            if not (low >= 0 and ((mask == 0) | (mask == high)).all()):
                remedy = "give booleans, or a label image (h, w)"
                raise InputError(expected(f"two values in mask {k} of {source}", got="more", remedy=remedy))
        layers.append(Layer.cut(mask != 0, Tag()))
    return paint(layers, (array.shape[1], array.shape[2]))


def read_array_file(path: Path, photo_px: tuple[int, int]) -> LabelMap:
    """The objects of a .npy or .npz file; an .npz holds one array, or one named labels or masks.

    Raises:
        InputError: The file is missing, broken, pickled or ambiguous.
    """
    source = f"masks {path.name!r}"
    remedy = "check the path, or save it again with numpy.save"
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            array = _of_archive(loaded, source) if isinstance(loaded, np.lib.npyio.NpzFile) else loaded
    except InputError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(expected(f"a NumPy file for {source}", got=error or "a broken file", remedy=remedy)) from error
    return from_array(array, photo_px, source)


def _of_archive(archive: np.lib.npyio.NpzFile, source: str) -> NDArray[np.generic]:
    """The array of an .npz that holds the masks."""
    keys = list(archive)
    chosen = [k for k in ("labels", "masks", "amodal") if k in keys] or (keys if len(keys) == 1 else [])
    if not chosen:
        remedy = 'store one array, or one named "labels" or "masks"'
        raise InputError(expected(f"one array in {source}", got=", ".join(keys) or "none", remedy=remedy))
    return archive[chosen[0]]


def read_folder(folder: Path, photo_px: tuple[int, int]) -> LabelMap:
    """One object per picture of a folder, in natural order (``2`` before ``10``), named by the file.

    Raises:
        NoObjectsError: There is no picture in it.
        InputError: A picture holds more than one object.
    """
    paths = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
    if not paths:
        remedy = f"put one binary mask per object there ({', '.join(SUFFIXES)})"
        raise NoObjectsError(expected(f"mask pictures in the folder {folder.name!r}", got="none", remedy=remedy))
    shape: tuple[int, int] | None = None
    layers, notices = [], []
    for path in sorted(paths, key=natural_key):
        mask = _binary(path, photo_px)
        shape = shape or (mask.shape[0], mask.shape[1])
        if mask.shape != shape:
            notices.append(f"mask {path.name!r} resized from {mask.shape[1]}x{mask.shape[0]} (nearest neighbour)")
            mask = resize_nearest(mask, *shape).astype(bool)
        if not mask.any():
            notices.append(f"mask {path.name!r} is empty")
        layers.append(Layer.cut(mask, Tag(name=path.stem)))
    return paint(layers, shape or (photo_px[1], photo_px[0]), notices)


def natural_key(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sorts ``mask_2`` before ``mask_10``, and is total."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(int(p), "") if p.isdigit() else (-1, p) for p in parts], path.name


def _binary(path: Path, photo_px: tuple[int, int]) -> NDArray[np.bool_]:
    """(h, w) bool of one mask picture: what is brighter than half of the range, or opaque, or not index 0."""
    image = open_image(path, photo_px)
    if image.mode == "P":
        values = np.asarray(image)
        n = np.count_nonzero(np.bincount(values.reshape(-1))[1:])
        if n > 1:
            raise InputError(
                expected(
                    f"one binary mask in {path.name!r}, as it lies in a folder of masks",
                    got=plural(int(n), "object"),
                    remedy="give this file itself as the masks, not its folder",
                )
            )
        return values > 0
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
    else:
        rgba = np.asarray(image.convert("RGBA"))
        opaque = rgba[..., 3] > 127
        if not opaque.all():
            return opaque if opaque.any() and not rgba[..., :3][~opaque].any() else opaque & (rgba[..., :3].max(-1) > 0)
        values = rgba[..., :3].max(-1)
    low, high = values.min(), values.max()
    if low == high:
        return np.full(values.shape, bool(high > 0))
    half = 127 if image.format in LOSSY else (float(low) + float(high)) / 2
    return values > half
