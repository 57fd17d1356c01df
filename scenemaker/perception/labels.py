"""From masks as they were read to the ``Instances`` of a photo: size, order, names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, NoObjectsError, ShapeError, expected
from scenemaker.scene import Instance, Instances

MAX_OBJECTS = 65535  # what a uint16 label image can hold


@dataclass(frozen=True)
class Tag:
    """What the file says about one object besides its pixels."""

    name: str | None = None
    label: str | None = None
    score: float = 1.0


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Disjoint masks as they were read, of the size of their file.

    Attributes:
        labels: (h, w) int32, 0 background, else k of ``tags[k - 1]``.
        tags: One per object; an object may have no pixel left.
        notices: What was done to the masks while reading them.
    """

    labels: NDArray[np.int32]
    tags: tuple[Tag, ...]
    notices: tuple[str, ...] = ()


def plural(n: int, noun: str) -> str:
    """The count and the noun, in the right number.

    >>> plural(1, "pixel"), plural(2, "pixel")
    ('1 pixel', '2 pixels')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def check_count(n: int, source: str) -> None:
    """Refuse more objects than a label image can hold.

    Raises:
        InputError: There are more than ``MAX_OBJECTS``.
    """
    if n > MAX_OBJECTS:
        raise InputError(
            expected(
                f"at most {MAX_OBJECTS} objects in {source}",
                got=n,
                remedy="give a label image in which every object has one value, not a photograph",
            )
        )


def same_aspect(size_px: tuple[int, int], photo_px: tuple[int, int]) -> bool:
    """Whether two (width, height) agree in aspect within one pixel of the smaller picture.

    >>> same_aspect((512, 341), (1024, 683)), same_aspect((683, 1024), (1024, 683))
    (True, False)
    """
    (w, h), (W, H) = sorted([size_px, photo_px])
    return abs(h - w * H / W) <= 1 or abs(w - h * W / H) <= 1


def check_aspect(size_px: tuple[int, int], photo_px: tuple[int, int], source: str) -> None:
    """Refuse a mask that cannot belong to the photo.

    Raises:
        ShapeError: The aspects (both (width, height)) differ by more than a pixel.
    """
    if not same_aspect(size_px, photo_px):
        raise ShapeError(
            expected(
                f"{source} of the photo's size {photo_px[0]}x{photo_px[1]}, or of the same aspect",
                got=f"{size_px[0]}x{size_px[1]}",
                remedy="give masks made from this very photo (same crop, same rotation)",
            )
        )


def resize_nearest(labels: NDArray[np.generic], height: int, width: int) -> NDArray[np.generic]:
    """(height, width) labels, each from the pixel under its centre.

    Convention: pixel centres lie at +0.5, so of 4 columns a resize to 2 takes columns 1 and 3.
    """
    h, w = labels.shape
    rows = ((2 * np.arange(height) + 1) * h) // (2 * height)
    cols = ((2 * np.arange(width) + 1) * w) // (2 * width)
    return labels[rows[:, None], cols]


def fit_to_photo(read: LabelMap, photo_px: tuple[int, int], source: str) -> LabelMap:
    """The same masks at the size (width, height) of the photo."""
    h, w = read.labels.shape
    check_aspect((w, h), photo_px, source)
    if (w, h) == photo_px:
        return read
    labels = resize_nearest(read.labels, photo_px[1], photo_px[0])
    notice = f"{source} resized from {w}x{h} to {photo_px[0]}x{photo_px[1]} (nearest neighbour)"
    return replace(read, labels=labels, notices=(*read.notices, notice))


def drop_specks(read: LabelMap, min_area_px: int) -> LabelMap:
    """The masks without their connected parts of less than ``min_area_px`` pixels (8-connected)."""
    import cv2

    labels = read.labels.copy()
    parts_dropped = pixels_dropped = 0
    for k, (y0, x0, y1, x1) in enumerate(boxes(labels, len(read.tags)), start=1):
        crop = labels[y0:y1, x0:x1]
        if crop.size == 0:
            continue
        _, parts, stats, _ = cv2.connectedComponentsWithStats((crop == k).astype(np.uint8), connectivity=8)
        small = stats[:, cv2.CC_STAT_AREA] < min_area_px
        small[0] = False
        if small.any():
            parts_dropped += int(small.sum())
            pixels_dropped += int(stats[small, cv2.CC_STAT_AREA].sum())
            crop[small[parts]] = 0
    if not parts_dropped:
        return read
    notice = (
        f"{plural(parts_dropped, 'speck')} of less than {min_area_px} px dropped ({plural(pixels_dropped, 'pixel')})"
    )
    return replace(read, labels=labels, notices=(*read.notices, notice))


def boxes(labels: NDArray[np.integer], n: int) -> NDArray[np.int64]:
    """(n, 4) half-open boxes y0, x0, y1, x1 of labels 1..n; (0, 0, 0, 0) for a label without pixels."""
    h, w = labels.shape
    out = np.zeros((n + 1, 4), np.int64)
    out[:, :2] = max(h, w) + 1
    # One entry per horizontal run instead of one per pixel: label maps have few runs.
    flat = labels.reshape(-1)
    starts = np.flatnonzero(np.r_[True, (flat[1:] != flat[:-1]) | (np.arange(1, flat.size) % w == 0)])
    ends = np.r_[starts[1:], flat.size] - 1
    ids, rows = flat[starts], starts // w
    np.minimum.at(out[:, 0], ids, rows)
    np.minimum.at(out[:, 1], ids, starts % w)
    np.maximum.at(out[:, 2], ids, rows + 1)
    np.maximum.at(out[:, 3], ids, ends % w + 1)
    out[out[:, 2] == 0] = 0
    return out[1:]


def to_instances(read: LabelMap, source: str) -> Instances:
    """Instances with ids 1..n in the order of the tags; objects without a pixel are left out with a notice.

    Raises:
        NoObjectsError: No object has a pixel.
    """
    n = len(read.tags)
    check_count(n, source)
    area = np.bincount(read.labels.reshape(-1), minlength=n + 1)[1 : n + 1]
    kept = np.flatnonzero(area)
    if not kept.size:
        raise NoObjectsError(
            expected(
                f"at least one object in {source}",
                got="background only",
                remedy="give a mask with a value other than 0, or leave the masks out to have objects found",
            )
        )
    notices = list(read.notices)
    if kept.size < n:
        lost = [read.tags[k].name or str(k + 1) for k in np.flatnonzero(area == 0)]
        shown = ", ".join(lost[:8]) + (", ..." if len(lost) > 8 else "")
        notices.append(f"{plural(len(lost), 'mask')} without a visible pixel left out: {shown}")
    lut = np.zeros(n + 1, np.uint16)
    lut[kept + 1] = np.arange(1, kept.size + 1)
    return Instances(labels=lut[read.labels], items=name_items([read.tags[k] for k in kept]), notices=tuple(notices))


def name_items(tags: Sequence[Tag]) -> tuple[Instance, ...]:
    """Instances 1..n with unique names: the given one, else ``<label>_1``, ``<label>_2``, else ``object_<id>``."""
    of_label: Counter[str] = Counter()
    used: set[str] = set()
    items = []
    for id, tag in enumerate(tags, start=1):
        if tag.name:
            name = tag.name
        elif tag.label:
            of_label[tag.label] += 1
            name = f"{tag.label}_{of_label[tag.label]}"
        else:
            name = f"object_{id}"
        base, k = name, 2
        while name in used:
            name, k = f"{base}_{k}", k + 1
        used.add(name)
        items.append(Instance(id=id, name=name, label=tag.label, score=tag.score))
    return tuple(items)
