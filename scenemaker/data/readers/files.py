"""Files of public data sets: read whole, with the file named when something is wrong."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, ShapeError, expected
from scenemaker.scene import U8

_MAX_PIXELS = 120_000_000


def check_folder(root: Path) -> Path:
    """The folder.

    Raises:
        InputError: There is none.
    """
    if not root.is_dir():
        raise InputError(expected("the folder of a data set", got=f"{root}: not found", remedy="check the path"))
    return root


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: Not there, not readable, or empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        kind = "not found" if isinstance(error, FileNotFoundError) else error.strerror
        raise InputError(expected("a file", got=f"{path}: {kind}", remedy="copy the data set again")) from None
    if not data:
        raise InputError(expected("a file", got=f"{path}: an empty file", remedy="copy the data set again"))
    return data


def parse_json(data: bytes, what: str) -> Any:
    """What a JSON file holds.

    Raises:
        InputError: It is damaged.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(expected("whole JSON", got=f"{what}: {error}", remedy="copy the data set again")) from None


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        InputError: Not there or damaged.
    """
    return parse_json(read_bytes(path), str(path))


def entry(tree: Any, key: str, what: str) -> Any:
    """``tree[key]``.

    Raises:
        InputError: No such key.
    """
    if not isinstance(tree, dict) or key not in tree:
        keys = ", ".join(map(str, tree)) if isinstance(tree, dict) else type(tree).__name__
        raise InputError(expected(f"the key {key} in {what}", got=keys or "none", remedy="copy the data set again"))
    return tree[key]


def numbers(value: Any, shape: tuple[int, ...], what: str) -> NDArray[np.float64]:
    """Finite float64 numbers of a shape; as many numbers in another nesting are taken as well.

    Raises:
        ShapeError: Another number of them.
        InputError: Not numbers, NaN or infinity.
    """
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise InputError(
            expected(f"numbers as {what}", got=repr(value)[:80], remedy="copy the data set again")
        ) from None
    if array.size != int(np.prod(shape)):
        got = f"shape {array.shape}"
        raise ShapeError(expected(f"{what} of shape {shape}", got=got, remedy="copy the data set again"))
    if not np.isfinite(array).all():
        raise InputError(expected(f"finite {what}", got="NaN or infinity", remedy="leave this item out"))
    return array.reshape(shape)


def inside(root: Path, name: str) -> Path:
    """``root / name`` for a name that a file of the data set gave.

    Raises:
        InputError: It is absolute or leads out of the root.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or ":" in name or not pure.parts:
        raise InputError(expected(f"a path below {root}", got=repr(name), remedy="do not use this file"))
    return root / pure


def read_surface(path: Path, keys: Sequence[str]) -> NDArray[np.float64]:
    """(P, 6) points and normals under the first of ``keys`` in a NPZ file; (P, 1, 6) is taken as well.

    Raises:
        InputError: Not there, damaged, no such key, NaN.
        ShapeError: Another shape.
    """
    data = read_bytes(path)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            found = next((k for k in keys if k in arrays.files), None)
            names = ", ".join(arrays.files)
            surface = None if found is None else np.asarray(arrays[found])
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        got = f"{path}: {error}"
        raise InputError(expected("a whole NPZ file", got=got, remedy="copy the data set again")) from error
    if surface is None:
        got = f"{path} with {names or 'none'}"
        raise InputError(expected(f"the key {' or '.join(keys)}", got=got, remedy="check which file this is"))
    if surface.ndim == 3 and surface.shape[1] == 1:
        surface = surface[:, 0]
    if surface.ndim != 2 or surface.shape[1] != 6 or len(surface) < 4 or not np.issubdtype(surface.dtype, np.floating):
        got = f"{path}: {surface.dtype} {surface.shape}"
        raise ShapeError(expected("points with normals (P, 6)", got=got, remedy="copy the data set again"))
    if not np.isfinite(surface).all():
        raise InputError(expected("finite points", got=f"{path}: NaN or infinity", remedy="leave this object out"))
    return surface.astype(np.float64)


def read_picture(data: bytes, what: str, formats: Sequence[str] = ("PNG",)) -> NDArray[Any]:
    """The pixels of a picture as stored: (H, W) or (H, W, C), 8 or 16 bits; palettes give indices.

    Raises:
        InputError: Not such a picture, damaged, or far too large.
    """
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(io.BytesIO(data), formats=tuple(formats)) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise ValueError(f"{image.width}x{image.height} pixels")
                image.load()
                return np.array(image)
    except (OSError, ValueError, SyntaxError, EOFError, PIL.Image.DecompressionBombError) as error:
        got = f"{what}: {error}"
        raise InputError(
            expected(f"a whole {' or '.join(formats)}", got=got, remedy="copy the data set again")
        ) from None


def as_rgb(pixels: NDArray[Any], what: str) -> U8:
    """(H, W, 3) uint8; transparent pixels stand on white.

    Raises:
        ShapeError: Not 8-bit RGB or RGBA.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        got = f"{what}: {pixels.dtype} {pixels.shape}"
        raise ShapeError(expected("an 8-bit RGB picture", got=got, remedy="copy the data set again"))
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.float64) / 255
    return (pixels[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)


def as_grey(pixels: NDArray[Any], what: str) -> NDArray[Any]:
    """(H, W) numbers of a picture of ids or depth; RGB is taken when its channels are equal.

    Raises:
        ShapeError: Different channels.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 4 and (pixels[..., 3] == 255).all():
        pixels = pixels[..., :3]
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    if pixels.ndim != 2:
        got = f"{what}: {pixels.shape[2]} different channels"
        raise ShapeError(expected("a picture of one channel", got=got, remedy="copy the data set again"))
    return pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels


def resized(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """(height, width, ...) by nearest pixel centre: ids and depths are not blended."""
    h, w = pixels.shape[:2]
    if (h, w) == (height, width):
        return pixels
    rows = ((np.arange(height) + 0.5) * h / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * w / width).astype(np.int64)
    return pixels[rows[:, None], columns]
