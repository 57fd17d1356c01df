"""Objects painted in colours: which colours are objects, and which are soft edges or JPEG noise."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, expected
from scenemaker.perception.labels import LabelMap, Tag, check_count, plural

MANY_COLOURS = 1024  # more distinct colours than anybody paints: the file went through a lossy format
NEAR = 60.0  # RGB distance that JPEG noise stays below; painted colours lie further apart
DARK = 16  # brightest channel of black after JPEG
SOFT = 8  # soft colours that make a picture a soft one
ON_LINE = 12.0  # RGB distance from the line between two colours that mixing them stays below


def from_colours(rgb: NDArray[np.uint8], *, lossy: bool, source: str) -> LabelMap:
    """One object per colour, ids by first appearance (row-major); black is background.

    Args:
        rgb: (h, w, 3).
        lossy: The file format changes colours (JPEG).
        source: For messages.

    Raises:
        InputError: The picture has no flat colours.
    """
    h, w = rgb.shape[:2]
    codes = rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    flat = codes.reshape(-1)
    # Runs of equal colour: sorting a few thousand runs replaces sorting a million pixels.
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    lengths = np.diff(np.r_[starts, flat.size])
    colours, first, of_run = np.unique(flat[starts], return_index=True, return_inverse=True)
    counts = np.bincount(of_run, weights=lengths).astype(np.int64)

    def spread(values: NDArray[np.integer]) -> NDArray[np.integer]:
        return np.repeat(values[of_run], lengths).reshape(h, w)

    noisy = lossy or len(colours) > MANY_COLOURS
    target = (
        _merge_noise(colours, counts, source) if noisy else _merge_soft_edges(colours, spread(np.arange(len(colours))))
    )
    objects = np.unique(target)
    brightest = _unpack(colours[objects]).max(1)
    objects = objects[brightest > (DARK if noisy else 0)]
    objects = objects[np.argsort(first[objects], kind="stable")]
    check_count(len(objects), source)
    ids = np.zeros(len(colours), np.int32)
    ids[objects] = np.arange(1, len(objects) + 1)
    merged = target != np.arange(len(colours))
    notices = ()
    if merged.any():
        pixels = plural(int(counts[merged].sum()), "pixel")
        notices = (f"{plural(int(merged.sum()), 'edge colour')} ({pixels}) of {source} merged into the nearest object",)
    return LabelMap(spread(ids[target]).astype(np.int32), (Tag(),) * len(objects), notices)


def fills_blocks(index: NDArray[np.integer], n: int) -> NDArray[np.bool_]:
    """(n,) whether each of the values 0..n-1 of a picture (h, w) fills a 3x3 block somewhere."""
    import cv2

    image = index.astype(np.float32)
    same = cv2.erode(image, np.ones((3, 3))) == cv2.dilate(image, np.ones((3, 3)))
    solid = np.zeros(n, bool)
    solid[index[1:-1, 1:-1][same[1:-1, 1:-1]]] = True
    return solid


def _unpack(colours: NDArray[np.uint32]) -> NDArray[np.float64]:
    """(n, 3) from packed colours (n,)."""
    return np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], 1).astype(np.float64)


def _merge_noise(colours: NDArray[np.uint32], counts: NDArray[np.int64], source: str) -> NDArray[np.int64]:
    """(n,) index of the frequent colour that stands for each colour of a lossy picture."""
    values = _unpack(colours)
    anchors: list[int] = []
    least = max(16, counts.sum() // 5000)
    for k in np.argsort(-counts, kind="stable"):
        if counts[k] < least:
            break
        if all(np.abs(values[k] - values[a]).max() > NEAR for a in anchors):
            anchors.append(int(k))
    distance = np.full((len(anchors) + 1, len(colours)), np.inf)
    for i, a in enumerate(anchors):
        distance[i] = np.linalg.norm(values - values[a], axis=1)
    if counts[distance.min(0) <= NEAR].sum() < 0.9 * counts.sum():
        raise InputError(
            expected(
                f"flat colours, one per object, in {source}",
                got=f"{len(colours)} colours as in a photograph",
                remedy="save the masks as PNG with one colour per object on black",
            )
        )
    return np.asarray(anchors)[distance.argmin(0)]


def _merge_soft_edges(colours: NDArray[np.uint32], index: NDArray[np.integer]) -> NDArray[np.int64]:
    """(n,) index of the colour that stands for each colour of a loss-free picture.

    A colour is a soft edge when it fills no 3x3 block, touches two colours that do, and lies between them in RGB.
    So an object of one pixel, or a thin line in a colour of its own, stays an object.
    """
    target = np.arange(len(colours))
    solid = fills_blocks(index, len(colours)) | (colours == 0)
    if solid.all() or solid.sum() < 2:
        return target
    values = _unpack(colours)
    at = np.flatnonzero(~solid[index.reshape(-1)])
    at = at[np.argsort(index.reshape(-1)[at], kind="stable")]
    of_pixel = index.reshape(-1)[at]
    padded = np.pad(index, 2, mode="edge")
    dy, dx = np.divmod(np.arange(25), 5)
    rows, cols = np.divmod(at, index.shape[1])
    around = padded[rows[:, None] + dy, cols[:, None] + dx]  # (p, 25)
    unclear = []
    for window in np.split(around, np.flatnonzero(np.diff(of_pixel)) + 1):
        k = window[0, 12]
        near = np.unique(window)
        touched = [a for a in near[solid[near]] if (window == a).any(1).mean() >= 0.8]
        mixed = [a for pair in combinations(touched, 2) for a in _mixed_from(values[k], pair, values)]
        if mixed:
            target[k] = min(mixed, key=lambda a: float(np.linalg.norm(values[k] - values[a])))
        elif len(touched) > 1 or any(np.linalg.norm(values[k] - values[t]) <= ON_LINE for t in touched):
            unclear.append((k, touched))
    # In a picture that is soft throughout, a thin colour between objects is the corner where three of them meet, and
    # one that differs little from its surroundings is their outermost fringe.
    if np.count_nonzero(target != np.arange(len(colours))) >= SOFT:
        for k, touched in unclear:
            target[k] = min(touched, key=lambda a: float(np.linalg.norm(values[k] - values[a])))
    return target


def _mixed_from(value: NDArray[np.float64], pair: tuple[int, int], values: NDArray[np.float64]) -> tuple[int, ...]:
    """The pair when the colour lies on the line between its two colours, else nothing."""
    a, b = pair
    line = values[b] - values[a]
    s = float((value - values[a]) @ line / (line @ line))
    on_line = 0 < s < 1 and np.linalg.norm(values[a] + s * line - value) <= ON_LINE
    return pair if on_line else ()
