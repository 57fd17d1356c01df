"""Boxes and points of a user, checked against the photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, ShapeError, expected

Box = tuple[float, float, float, float]
Point = tuple[float, float]


@dataclass(frozen=True)
class Target:
    """What the user says about one object: a box with points inside of it, or a point alone.

    Attributes:
        box_px: (x0, y0, x1, y1) inside the photo, or None.
        points_px: (x, y) on the object.
    """

    box_px: Box | None
    points_px: tuple[Point, ...] = ()


def check_boxes(boxes: Sequence[Sequence[float]], width: int, height: int) -> tuple[list[Box], list[str]]:
    """The boxes cut to the photo, and a notice for each that was cut.

    Raises:
        ShapeError: A box is not four numbers.
        InputError: A box is not finite, is empty, or lies outside of the photo.
    """
    inside, notices = [], []
    for k, box in enumerate(boxes, start=1):
        values = _numbers(box, 4, f"box {k} as x0,y0,x1,y1")
        x0, y0, x1, y1 = (float(v) for v in values)
        got = f"({x0:g}, {y0:g}, {x1:g}, {y1:g})"
        if x1 <= x0 or y1 <= y0:
            remedy = "give its left, top, right and bottom in photo pixels, in this order"
            raise InputError(expected(f"box {k} with x0 < x1 and y0 < y1", got=got, remedy=remedy))
        cut = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
        if cut[2] - cut[0] < 1 or cut[3] - cut[1] < 1:
            remedy = f"x goes from 0 to {width} and y from 0 to {height}, and a box covers at least one pixel"
            raise InputError(expected(f"box {k} inside of the {width}x{height} photo", got=got, remedy=remedy))
        if cut != (x0, y0, x1, y1):
            notices.append(f"box {k} {got} cut to the photo")
        inside.append(cut)
    return inside, notices


def check_points(points: Sequence[Sequence[float]], width: int, height: int) -> list[Point]:
    """The points.

    Raises:
        ShapeError: A point is not two numbers.
        InputError: A point is not finite or lies outside of the photo.
    """
    inside = []
    for k, point in enumerate(points, start=1):
        x, y = (float(v) for v in _numbers(point, 2, f"point {k} as x,y"))
        if not (0 <= x < width and 0 <= y < height):
            remedy = f"x goes from 0 to {width} and y from 0 to {height}, in photo pixels"
            what = f"point {k} inside of the {width}x{height} photo"
            raise InputError(expected(what, got=f"({x:g}, {y:g})", remedy=remedy))
        inside.append((x, y))
    return inside


def targets(boxes: Sequence[Box], points: Sequence[Point]) -> list[Target]:
    """One target per box, then one per point that lies in no box; a point refines the smallest box around it.

    >>> targets([(0, 0, 9, 9)], [(1, 1), (20, 5)])
    [Target(box_px=(0, 0, 9, 9), points_px=((1, 1),)), Target(box_px=None, points_px=((20, 5),))]
    """
    of_box: list[list[Point]] = [[] for _ in boxes]
    alone = []
    for x, y in points:
        around = [k for k, (x0, y0, x1, y1) in enumerate(boxes) if x0 <= x < x1 and y0 <= y < y1]
        if around:
            smallest = min(around, key=lambda k: (boxes[k][2] - boxes[k][0]) * (boxes[k][3] - boxes[k][1]))
            of_box[smallest].append((x, y))
        else:
            alone.append(Target(None, ((x, y),)))
    return [Target(box, tuple(inner)) for box, inner in zip(boxes, of_box, strict=True)] + alone


def _numbers(values: Sequence[float], n: int, what: str) -> NDArray[np.float64]:
    """(n,) finite numbers."""
    remedy = f"give {n} numbers in photo pixels"
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ShapeError(expected(what, got=repr(values), remedy=remedy)) from None
    if array.shape != (n,):
        raise ShapeError(expected(what, got=repr(values), remedy=remedy))
    if not np.isfinite(array).all():
        raise InputError(expected(f"{what}, all finite", got=repr(tuple(array.tolist())), remedy=remedy))
    return array
