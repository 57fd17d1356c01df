"""Depth as users have it: PNG, TIFF, NPY, NPZ and EXR files, and arrays, brought to z or points in one unit."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import BackendNotInstalledError, InputError, ShapeError, expected

_DEPTH_KEYS = ("depth", "depth_metric", "z", "arr_0")
_POINT_KEYS = ("points_cam", "points", "pointmap", "point_map", "xyz")
_K_KEYS = ("K", "intrinsics", "camera_matrix", "intrinsic")
_FAR = 65504.0  # the largest half float; renderers also write 1e10 for "nothing there"


@dataclass(frozen=True, eq=False, kw_only=True)
class RawDepth:
    """Depth as it was given, before it is fitted to the photo.

    Attributes:
        depth: (H, W) floating, z or distance, or None when there are points.
        points_cam: (H, W, 3) floating, or None.
        K: (3, 3) in pixels of this map, or divided by its size (as MoGe gives it), or None.
        notices: How it was read.
    """

    depth: NDArray[np.floating] | None = None
    points_cam: NDArray[np.floating] | None = None
    K: NDArray[np.float64] | None = None
    notices: tuple[str, ...] = ()


def read_depth(path: Path, unit_m: float) -> RawDepth:
    """Depth in a file; integers are multiplied by ``unit_m``.

    Raises:
        InputError: Missing, damaged, of another kind, or of too little range.
        BackendNotInstalledError: EXR without its reader.
    """
    readers: dict[str, Callable[[Path], RawDepth]] = {
        ".png": _picture,
        ".tif": _picture,
        ".tiff": _picture,
        ".npy": _npy,
        ".npz": _npz,
        ".exr": _exr,
    }
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no such file"
        raise InputError(expected("a depth file", got=f"{path}: {kind}", remedy="check the path"))
    reader = readers.get(path.suffix.lower())
    if reader is None:
        kinds = ", ".join(readers)
        raise InputError(expected(f"a depth file of {kinds}", got=str(path), remedy="save it as one of these"))
    try:
        raw = reader(path)
    except (OSError, ValueError, EOFError, SyntaxError, RuntimeError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            expected("a whole depth file", got=f"{path}: {error}", remedy="copy or write it again")
        ) from error
    return in_units(raw, unit_m, str(path))


def in_units(raw: RawDepth, unit_m: float, what: str) -> RawDepth:
    """Floating depth as it is, integers multiplied by ``unit_m``; shape and dtype checked."""
    points, depth = raw.points_cam, raw.depth
    if points is not None:
        if points.ndim != 3 or points.shape[2] != 3 or not np.issubdtype(points.dtype, np.floating):
            got = f"{points.dtype} {points.shape}"
            raise ShapeError(expected(f"points of {what} as float (H, W, 3)", got=got, remedy="give one per pixel"))
        return raw
    if depth is None:
        raise InputError(expected(f"depth or points in {what}", got="neither", remedy="give one of them"))
    if depth.ndim == 3 and 1 in (depth.shape[0], depth.shape[2]):
        depth = depth[0] if depth.shape[0] == 1 else depth[..., 0]
    if depth.ndim != 2:
        raise ShapeError(expected(f"depth of {what} as (H, W)", got=f"shape {depth.shape}", remedy="give z per pixel"))
    if depth.dtype == np.uint8 or depth.dtype == np.bool_:
        got = f"8 bit ({depth.dtype}) depth in {what}"
        raise InputError(expected("16-bit or floating-point depth", got=got, remedy="save z as 16-bit PNG or NPY"))
    if np.issubdtype(depth.dtype, np.integer):
        notice = f"depth read as integers of {unit_m:g} m (option depth_unit_m)"
        return replace(raw, depth=depth * float(unit_m), notices=(*raw.notices, notice))
    if not np.issubdtype(depth.dtype, np.floating):
        raise ShapeError(expected(f"numbers as depth in {what}", got=f"dtype {depth.dtype}", remedy="give float32"))
    return replace(raw, depth=depth)


def _picture(path: Path) -> RawDepth:
    import PIL.Image

    with PIL.Image.open(path, formats=("PNG", "TIFF")) as image:
        image.load()
        if image.mode in ("1", "L", "P", "LA", "PA", "RGB", "RGBA"):
            got = f"{path}: 8 bits (mode {image.mode})"
            remedy = "save z as 16-bit grey PNG in millimetres, or as NPY"
            raise InputError(expected("depth of 16 bits per pixel", got=got, remedy=remedy))
        return RawDepth(depth=np.array(image))


def _npy(path: Path) -> RawDepth:
    array = np.load(path, allow_pickle=False)
    return RawDepth(points_cam=array) if array.ndim == 3 and array.shape[2] == 3 else RawDepth(depth=array)


def _npz(path: Path) -> RawDepth:
    with np.load(path, allow_pickle=False) as data:
        names = list(data.files)
        points = next((data[k] for k in _POINT_KEYS if k in names), None)
        depth = next((data[k] for k in _DEPTH_KEYS if k in names), None)
        K = next((data[k] for k in _K_KEYS if k in names), None)
        mask = data["valid"] if "valid" in names else data["mask"] if "mask" in names else None
    if points is None and depth is None:
        keys = ", ".join((*_DEPTH_KEYS, *_POINT_KEYS))
        got = f"{path} with keys {', '.join(names) or 'none'}"
        raise InputError(expected(f"one of the keys {keys}", got=got, remedy="save it under one of them"))
    if mask is not None and points is not None and mask.shape == points.shape[:2]:
        points = np.where(mask.astype(bool)[..., None], points, np.nan)
    if mask is not None and depth is not None and mask.shape == depth.shape and np.issubdtype(depth.dtype, np.floating):
        depth = np.where(mask.astype(bool), depth, np.nan)
    return RawDepth(depth=None if points is not None else depth, points_cam=points, K=K)


def _exr(path: Path) -> RawDepth:
    try:
        import OpenEXR  # type: ignore[import-not-found]
    except ImportError:
        remedy = 'type: pip install "scenemaker[exr]", or save it as NPY'
        raise BackendNotInstalledError(
            expected("the reader of EXR files", got=f"{path} without it", remedy=remedy)
        ) from None
    with OpenEXR.File(str(path), separate_channels=True) as file:
        header = {name: file.header()[name] for name in ("displayWindow", "dataWindow")}
        channels: dict[str, Any] = {name: channel.pixels for name, channel in file.channels().items()}
    name = exr_depth_channel(list(channels))
    if name is None:
        got = f"{path} with channels {', '.join(channels) or 'none'}"
        raise InputError(expected("a channel of depth (Z, *depth*, V, Y, R)", got=got, remedy="write depth as Z"))
    data = np.asarray(channels[name]).astype(np.float32)
    data = np.where(data >= _FAR, np.float32(np.inf), data)
    (x0, y0), (x1, y1) = (np.asarray(corner, int).tolist() for corner in header["displayWindow"])
    (left, top), (right, bottom) = (np.asarray(corner, int).tolist() for corner in header["dataWindow"])
    full = np.full((max(y1, bottom) - min(y0, top) + 1, max(x1, right) - min(x0, left) + 1), np.nan, np.float32)
    ox, oy = min(x0, left), min(y0, top)
    full[top - oy : bottom - oy + 1, left - ox : right - ox + 1] = data
    return RawDepth(depth=full[y0 - oy : y1 - oy + 1, x0 - ox : x1 - ox + 1])


def exr_depth_channel(names: list[str]) -> str | None:
    """The channel that holds depth, or None.

    >>> exr_depth_channel(["View.Combined.R", "View.Depth.Z", "View.Normal.Z"])
    'View.Depth.Z'
    """
    for test in (
        lambda n: n == "Z",
        lambda n: "depth" in n.lower(),
        lambda n: len(names) == 1,
        lambda n: n in ("V", "Y"),
        lambda n: n == "R" and set(names) <= set("RGBA"),
    ):
        found = [n for n in names if test(n)]
        if found:
            return sorted(found)[0]
    return None
