"""Masks that come one by one and may overlap, painted into one label map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.perception.labels import LabelMap, Tag, check_count, plural


@dataclass(frozen=True, eq=False)
class Layer:
    """One mask, cut to its box so that hundreds of them stay small.

    Attributes:
        origin: (row, column) of the cut in the full mask.
        mask: (h, w) bool; may be empty.
        tag: Of the object.
    """

    origin: tuple[int, int]
    mask: NDArray[np.bool_]
    tag: Tag

    @classmethod
    def cut(cls, mask: NDArray[np.bool_], tag: Tag, origin: tuple[int, int] = (0, 0)) -> Layer:
        """The layer of a mask (H, W) whose top-left pixel lies at ``origin``."""
        rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not rows.size:
            return cls(origin, np.zeros((0, 0), bool), tag)
        y0, x0 = int(rows[0]), int(cols[0])
        crop = mask[y0 : rows[-1] + 1, x0 : cols[-1] + 1].copy()
        return cls((origin[0] + y0, origin[1] + x0), crop, tag)


def paint(layers: Sequence[Layer], shape: tuple[int, int], notices: Sequence[str] = ()) -> LabelMap:
    """One label map (H, W) = ``shape``; where masks overlap the smaller object wins, of equal ones the first."""
    check_count(len(layers), "the masks")
    labels = np.zeros(shape, np.int32)
    areas = [int(layer.mask.sum()) for layer in layers]
    contested = 0
    for k in sorted(range(len(layers)), key=lambda k: (-areas[k], -k)):
        layer, (y, x) = layers[k], layers[k].origin
        h, w = layer.mask.shape
        under = labels[y : y + h, x : x + w]
        contested += int(np.count_nonzero(under[layer.mask]))
        under[layer.mask] = k + 1
    if contested:
        notices = (*notices, f"masks overlap on {plural(contested, 'pixel')}: the smaller object keeps them")
    return LabelMap(labels, tuple(layer.tag for layer in layers), tuple(notices))
