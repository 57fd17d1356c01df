"""COCO annotations: run lengths (plain and compressed) and polygons.

Convention: run lengths go down the columns and start with zeros, so ``counts=[1, 2, 3]`` of size [2, 3] sets pixels
(row 1, column 0) and (row 0, column 1). Polygon corners are (x, y) with (0, 0) at the corner of the top-left pixel.
Reference: Common Objects in Context, pycocotools ``maskApi.c`` (the coding only; the code here is our own).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, NoObjectsError, expected
from scenemaker.perception.labels import LabelMap, Tag, check_aspect
from scenemaker.perception.mask_layers import Layer, paint


def decode_counts(text: str) -> NDArray[np.int64]:
    """Run lengths from their compressed string.

    Each number is split into groups of five bits, lowest first, each written as a character from ``"0"``: bit 5 says
    that more follow, bit 4 of the last is the sign. From the fourth on, numbers are differences to the one before the
    last.

    >>> decode_counts("61X13").tolist()
    [6, 1, 40, 4]
    """
    counts: list[int] = []
    value = shift = 0
    for code in text.encode("ascii", "replace"):
        group = code - 48
        if not 0 <= group < 64:
            raise ValueError(f"character {chr(code)!r}")
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("a number without its end")
    return np.asarray(counts, np.int64)


def layer_from_runs(counts: NDArray[np.int64], height: int, width: int, tag: Tag) -> Layer:
    """The mask of run lengths; only the columns it spans are unpacked."""
    ends = np.cumsum(counts)
    if counts.size == 0 or counts.min() < 0 or ends[-1] != height * width:
        got = int(ends[-1]) if counts.size else 0
        raise ValueError(f"runs of {got} pixels in all")
    starts, stops = ends[:-1:2], ends[1::2]
    some = stops > starts
    starts, stops = starts[some], stops[some]
    if not starts.size:
        return Layer((0, 0), np.zeros((0, 0), bool), tag)
    x0, x1 = int(starts[0]) // height, int(stops[-1] - 1) // height + 1
    steps = np.zeros((x1 - x0) * height + 1, np.int8)
    steps[starts - x0 * height] += 1
    steps[stops - x0 * height] -= 1
    columns = np.cumsum(steps[:-1], dtype=np.int8).astype(bool).reshape(x1 - x0, height)
    return Layer.cut(np.ascontiguousarray(columns.T), tag, (0, x0))


def layer_from_polygons(polygons: Sequence[Sequence[float]], height: int, width: int, tag: Tag) -> Layer:
    """The pixels whose centre lies inside of a polygon [x0, y0, x1, y1, ...] (even-odd), or of any of several."""
    mask = np.zeros((height, width), bool)
    for polygon in polygons:
        points = np.asarray(polygon, np.float64)
        if points.ndim != 1 or points.size < 6 or points.size % 2 or not np.isfinite(points).all():
            raise ValueError(f"a polygon of {points.size} numbers")
        mask |= _inside(points.reshape(-1, 2), height, width)
    return Layer.cut(mask, tag)


def _inside(points: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """(H, W) by parity of the edges crossed on the way from the left border."""
    crossings = np.zeros((height, width + 1), np.int32)
    for (xa, ya), (xb, yb) in zip(points, np.roll(points, -1, 0), strict=True):
        top, bottom = np.clip(np.ceil(np.sort([ya, yb]) - 0.5), 0, height).astype(int)
        rows = np.arange(top, bottom)
        if rows.size:
            x = xa + (rows + 0.5 - ya) * (xb - xa) / (yb - ya)
            np.add.at(crossings, (rows, np.clip(np.ceil(x - 0.5), 0, width).astype(int)), 1)
    return (np.cumsum(crossings[:, :-1], axis=1) & 1).astype(bool)


def read_coco(path: Path, photo_px: tuple[int, int], photo_name: str) -> LabelMap:
    """The objects that a COCO file has for one image, in the order of its annotations.

    Accepted: ``{"images", "annotations", "categories"}``, a list of annotations, and one annotation alone. Of
    several images the one whose file name is the photo's is taken.

    Raises:
        InputError: The file is not JSON, not COCO, or has no unique image.
    """
    source = f"masks {path.name!r}"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        remedy = "check the path, or write the file again"
        raise InputError(
            expected(f"JSON in {source}", got=f"{type(error).__name__}: {error}", remedy=remedy)
        ) from error
    annotations, size, names = _annotations(data, source, photo_name)
    if not annotations:
        remedy = "give a file with annotations, or leave the masks out to have objects found"
        raise NoObjectsError(expected(f"at least one annotation in {source}", got="none", remedy=remedy))
    width, height = size or _rle_size(annotations) or photo_px
    check_aspect((width, height), photo_px, source)
    layers = []
    for i, annotation in enumerate(annotations):
        try:
            layers.append(_layer(annotation, height, width, names))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(
                expected(
                    f"run lengths or polygons of {width}x{height} in annotation {i} of {source}",
                    got=f"{type(error).__name__}: {error}",
                    remedy='write "segmentation" as {"size": [height, width], "counts": ...} or [[x0, y0, ...]]',
                )
            ) from error
    return paint(layers, (height, width))


def _annotations(
    data: Any, source: str, photo_name: str
) -> tuple[list[dict[str, Any]], tuple[int, int] | None, dict[Any, str]]:
    """Annotations of the photo, the (width, height) of their image if told, and category names by id."""
    images: list[dict[str, Any]] = []
    names: dict[Any, str] = {}
    if isinstance(data, dict) and "annotations" in data:
        images = data.get("images") or ([data["image"]] if "image" in data else [])
        names = {c.get("id"): str(c["name"]) for c in data.get("categories") or [] if c.get("name")}
        data = data["annotations"]
    elif isinstance(data, dict) and "segmentation" in data:
        data = [data]
    elif isinstance(data, dict) and "counts" in data:
        data = [{"segmentation": data}]
    if not isinstance(data, list) or not all(isinstance(a, dict) and "segmentation" in a for a in data):
        remedy = 'give {"images": [...], "annotations": [{"segmentation": ...}, ...], "categories": [...]}'
        raise InputError(expected(f"COCO annotations in {source}", got="other JSON", remedy=remedy))
    ids = list(dict.fromkeys(a.get("image_id") for a in data))
    named = [i for i in images if Path(str(i.get("file_name", ""))).stem == Path(photo_name).stem]
    if len(images) > 1 or len(ids) > 1:
        if len(named) != 1:
            got = f"{max(len(images), len(ids))} images, none or several of them named {photo_name!r}"
            remedy = "give the annotations of this photo alone, or the photo the file name it has there"
            raise InputError(expected(f"one image in {source}", got=got, remedy=remedy))
        data = [a for a in data if a.get("image_id") == named[0].get("id")]
        images = named
    size = (int(images[0]["width"]), int(images[0]["height"])) if images and "width" in images[0] else None
    return data, size, names


def _rle_size(annotations: list[dict[str, Any]]) -> tuple[int, int] | None:
    """(width, height) as the first annotation with run lengths tells it."""
    for annotation in annotations:
        segmentation = annotation["segmentation"]
        if isinstance(segmentation, dict) and len(segmentation.get("size", ())) == 2:
            return int(segmentation["size"][1]), int(segmentation["size"][0])
    return None


def _layer(annotation: dict[str, Any], height: int, width: int, names: dict[Any, str]) -> Layer:
    """The mask and the tag of one annotation."""
    label = names.get(annotation.get("category_id")) or annotation.get("category_name") or annotation.get("label")
    tag = Tag(label=None if label is None else str(label), score=float(annotation.get("score", 1.0)))
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, list):
        if segmentation and not isinstance(segmentation[0], list):
            segmentation = [segmentation]
        return layer_from_polygons(segmentation, height, width, tag)
    if [int(v) for v in segmentation["size"]] != [height, width]:
        raise ValueError(f"size {segmentation['size']}")
    counts = segmentation["counts"]
    runs = decode_counts(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
    return layer_from_runs(runs, height, width, tag)
