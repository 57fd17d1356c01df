"""Intrinsics K as users have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from scenemaker.errors import FrameError, InputError, expected
from scenemaker.geometry.cameras import F64, K_from_fov, check_K

_REMEDY = 'give [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels, "fx,fy,cx,cy", or "fov=60"'
_SUFFIXES = (".json", ".npy", ".txt", ".csv")


def load_K(source: Any, width: int, height: int) -> F64:
    """(3, 3) K in pixels of a picture of the given size.

    Args:
        source: A 3x3 array; four numbers fx, fy, cx, cy; a text ``"fx,fy,cx,cy"`` or ``"fov=60"`` (horizontal,
            degrees); a dict or a ``.json`` file with ``K``, or ``fx, fy, cx, cy``, or ``fov_x_deg`` (and ``width``,
            ``height`` when they are for another size of the same picture, as in a ``scene.json``); a ``.npy`` file;
            a ``.txt`` or ``.csv`` file of 3x3 or four numbers.
        width, height: Of the upright picture, in pixels.

    Raises:
        InputError: No such file, or not of a kind above.
        FrameError: Not a camera, or of a picture of another shape.

    >>> load_K("100,100,50,25", 100, 50).tolist()
    [[100.0, 0.0, 50.0], [0.0, 100.0, 25.0], [0.0, 0.0, 1.0]]
    """
    if isinstance(source, Path):
        K = _from_file(source, width, height)
    elif isinstance(source, str):
        numbers = _numbers(source)
        if source.strip().lower().startswith("fov="):
            K = _from_fov(source.split("=", 1)[1], width, height)
        elif numbers is not None:
            K = _from_numbers(numbers)
        else:
            K = _from_file(Path(source), width, height)
    elif isinstance(source, dict):
        K = _from_dict(source, width, height)
    else:
        K = _from_numbers(source)
    if K[0, 0] < 10 and K[0, 2] < 2 and min(width, height) > 10:
        remedy = "multiply its first row by the width and its second by the height"
        got = f"K divided by the size: {np.round(K, 4).tolist()}"
        raise FrameError(expected("K in pixels", got=got, remedy=remedy))
    return K


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(part) for part in text.replace(",", " ").replace(";", " ").split()] or None
    except ValueError:
        return None


def _from_fov(text: Any, width: int, height: int) -> F64:
    try:
        fov_x_deg = float(text)
    except (TypeError, ValueError):
        raise FrameError(expected("a field of view in degrees", got=repr(text), remedy='give "fov=60", say')) from None
    return K_from_fov(fov_x_deg, width, height)


def _from_numbers(values: Any) -> F64:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise FrameError(expected("intrinsics K", got=repr(values)[:80], remedy=_REMEDY)) from None
    if array.shape == (4,):
        fx, fy, cx, cy = array
        array = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    elif array.shape == (9,):
        array = array.reshape(3, 3)
    elif array.shape != (3, 3):
        raise FrameError(expected("intrinsics K", got=f"an array of shape {array.shape}", remedy=_REMEDY))
    K = check_K(array)
    if abs(K[1, 0]) > 1e-6 * K[0, 0]:
        raise FrameError(expected("K with K[1, 0] = 0", got=K[1, 0], remedy=_REMEDY))
    return K


def _from_dict(data: dict[str, Any], width: int, height: int) -> F64:
    size = width, height
    if data.get("width") and data.get("height"):
        size = int(data["width"]), int(data["height"])
    if abs(size[0] * height - size[1] * width) > max(size[0], size[1], width, height):
        got = f"K of a picture of {size[0]}x{size[1]}"
        raise FrameError(expected(f"K of a picture of {width}x{height}", got=got, remedy="give the K of this picture"))
    for key in ("K", "intrinsics", "camera_matrix"):
        if key in data:
            K = _from_numbers(data[key])
            break
    else:
        if all(key in data for key in ("fx", "fy", "cx", "cy")):
            K = _from_numbers([data[key] for key in ("fx", "fy", "cx", "cy")])
        elif "fov_x_deg" in data:
            K = _from_fov(data["fov_x_deg"], *size)
        else:
            got = f"keys {', '.join(map(str, data)) or 'none'}"
            raise InputError(expected('"K", "fx, fy, cx, cy" or "fov_x_deg"', got=got, remedy=_REMEDY))
    return np.diag([width / size[0], height / size[1], 1.0]) @ K


def _from_file(path: Path, width: int, height: int) -> F64:
    if not path.is_file():
        raise InputError(expected("a file of intrinsics K", got=f"{path}: no such file", remedy=_REMEDY))
    try:
        if path.suffix.lower() == ".json":
            data = json.loads(path.read_text("utf-8"))
            return _from_dict(data, width, height) if isinstance(data, dict) else _from_numbers(data)
        if path.suffix.lower() == ".npy":
            return _from_numbers(np.load(path, allow_pickle=False))
        if path.suffix.lower() in (".txt", ".csv"):
            numbers = _numbers(path.read_text("utf-8"))
            if numbers is None:
                raise InputError(expected("nine or four numbers", got=f"{path}: other text", remedy=_REMEDY))
            return _from_numbers(numbers)
    except InputError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise InputError(expected("a file of intrinsics K", got=f"{path}: {error}", remedy=_REMEDY)) from error
    kinds = ", ".join(_SUFFIXES)
    raise InputError(expected(f"intrinsics K in one of {kinds}", got=str(path), remedy=_REMEDY))
