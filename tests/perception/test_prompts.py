"""Boxes and points cut out the object that they name, and bad ones get a clear error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scenemaker.errors import InputError, NoObjectsError, ShapeError
from scenemaker.perception.box_masks import tidy
from scenemaker.perception.prompts import PromptedSegmenter
from scenemaker.scene import Instances, Photo, Prompts

H, W = 180, 270
Box = tuple[float, float, float, float]


def room() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A shaded wall and floor with noise, a red disc, a blue block with a hole, and the truth as labels."""
    y, x = np.mgrid[:H, :W].astype(np.float32)
    wall = np.stack([190 - 0.2 * y, 180 - 0.1 * x, 160 + 0.1 * x], -1)
    floor = np.stack([120 + 0.1 * x, 100 + 0.1 * y, 80 + 0 * x], -1)
    rgb = np.where(y[..., None] < 110, wall, floor)
    labels = np.zeros((H, W), np.uint8)
    labels[np.hypot(x - 80, y - 95) < 38] = 1
    labels[60:150, 160:240] = 2
    labels[80:110, 185:215] = 0
    rgb[labels == 1], rgb[labels == 2] = (180, 40, 45), (40, 70, 150)
    rgb += np.random.default_rng(0).normal(0, 5, rgb.shape)
    return np.clip(rgb, 0, 255).astype(np.uint8), labels


RGB, TRUE = room()


def box_of(mask: NDArray[np.bool_]) -> Box:
    ys, xs = np.nonzero(mask)
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)


BOXES = (box_of(TRUE == 1), box_of(TRUE == 2))


def segment(rgb: NDArray[np.uint8] = RGB, **prompts: object) -> Instances:
    return PromptedSegmenter().segment(Photo(rgb=rgb), Prompts(**prompts))  # type: ignore[arg-type]


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def test_boxes_give_their_objects_in_their_order() -> None:
    got = segment(boxes_px=BOXES[::-1])
    assert got.labels.dtype == np.uint16 and got.labels.shape == (H, W) and len(got) == 2
    assert iou(got.mask(1), TRUE == 2) > 0.95 and iou(got.mask(2), TRUE == 1) > 0.95
    assert [item.name for item in got] == ["object_1", "object_2"] and got.notices == ()
    assert all(item.score > 0.8 for item in got)


def test_the_hole_of_an_object_is_not_part_of_it() -> None:
    got = segment(boxes_px=BOXES)
    assert got.labels[90:100, 195:205].max() == 0


@pytest.mark.parametrize("wider", [-4, 6, 12])
def test_a_box_drawn_by_hand_does_too(wider: int) -> None:
    x0, y0, x1, y1 = BOXES[0]
    box = (x0 - wider, y0 - wider, x1 + wider, y1 + wider)
    got = segment(boxes_px=(box,))
    ys, xs = np.nonzero(got.labels)
    assert box[0] <= xs.min() and xs.max() < box[2] and box[1] <= ys.min() and ys.max() < box[3]
    assert iou(got.mask(1), TRUE == 1) > (0.8 if wider < 0 else 0.95)


def test_an_object_without_a_pixel_left_keeps_the_names_of_the_others() -> None:
    got = segment(boxes_px=(BOXES[0], BOXES[0], BOXES[1]))
    assert [(item.id, item.name) for item in got] == [(1, "object_1"), (2, "object_3")]
    assert "1 mask without a visible pixel left out: object_2" in got.notices


@pytest.mark.parametrize("turn", [lambda a: a.swapaxes(0, 1), lambda a: a[:, ::-1], lambda a: a[::-1]])
def test_a_turned_photo_gives_the_turned_mask(turn: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> None:
    truth = turn(TRUE)
    got = segment(np.ascontiguousarray(turn(RGB)), boxes_px=(box_of(truth == 1), box_of(truth == 2)))
    assert iou(got.mask(1), truth == 1) > 0.95 and iou(got.mask(2), truth == 2) > 0.95


def test_points_alone_are_objects_after_the_boxes() -> None:
    got = segment(boxes_px=(BOXES[1],), points_px=((80.0, 95.0),))
    assert iou(got.mask(1), TRUE == 2) > 0.95 and iou(got.mask(2), TRUE == 1) > 0.85


def test_a_point_in_a_box_belongs_to_its_object() -> None:
    # Two discs alike in one box that is far too large: each point takes its own box, and is in its mask.
    got = segment(boxes_px=(BOXES[0], (150.0, 50.0, 250.0, 160.0)), points_px=((170.5, 70.5),))
    assert len(got) == 2 and got.labels[70, 170] == 2


def test_an_object_that_cannot_be_told_apart_is_an_ellipse_and_told() -> None:
    flat = np.full((H, W, 3), 128, np.uint8)
    got = segment(flat, boxes_px=((60.0, 40.0, 160.0, 90.0),))
    assert got.notices == ("object 1: its colours are those of the background: an ellipse in the box is taken",)
    y, x = np.mgrid[:H, :W] + 0.5
    assert iou(got.mask(1), ((x - 110) / 50) ** 2 + ((y - 65) / 25) ** 2 <= 1) > 0.93


def test_the_smaller_of_two_overlapping_masks_keeps_the_pixels() -> None:
    got = segment(boxes_px=((0.0, 0.0, float(W), float(H)), BOXES[0]))
    assert iou(got.mask(2), TRUE == 1) > 0.95
    assert any(n.endswith("the smaller object keeps them") for n in got.notices)


def test_the_whole_photo_is_a_box() -> None:
    got = segment(boxes_px=((0.0, 0.0, float(W), float(H)),))
    assert iou(got.mask(1), TRUE > 0) > 0.8


def test_same_input_same_bytes() -> None:
    first = segment(boxes_px=BOXES).labels
    cv2.setRNGSeed(99)
    assert (segment(boxes_px=BOXES).labels == first).all()


@settings(max_examples=40, deadline=None)
@given(st.floats(-30, 38), st.floats(-30, 23), st.floats(1.1, 90), st.floats(1.1, 90))
def test_any_box_that_meets_the_photo_gives_an_object_inside_of_it(x: float, y: float, w: float, h: float) -> None:
    small = np.ascontiguousarray(RGB[80:105, 50:90])
    if x + w < 1 or y + h < 1:
        return
    got = segment(small, boxes_px=((x, y, x + w, y + h),))
    ys, xs = np.nonzero(got.labels)
    assert len(got) == 1 and xs.size
    assert (
        np.floor(x) <= xs.min() and xs.max() < np.ceil(x + w) and np.floor(y) <= ys.min() and ys.max() < np.ceil(y + h)
    )


# --- bad prompts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (
            (300, 10, 400, 50),
            "expected box 1 inside of the 270x180 photo; got (300, 10, 400, 50); "
            "x goes from 0 to 270 and y from 0 to 180, and a box covers at least one pixel",
        ),
        (
            (50, 10, 20, 60),
            "expected box 1 with x0 < x1 and y0 < y1; got (50, 10, 20, 60); "
            "give its left, top, right and bottom in photo pixels, in this order",
        ),
        (
            (10, 10, 10, 60),
            "expected box 1 with x0 < x1 and y0 < y1; got (10, 10, 10, 60); "
            "give its left, top, right and bottom in photo pixels, in this order",
        ),
        (
            (10, float("nan"), 20, 60),
            "expected box 1 as x0,y0,x1,y1, all finite; got (10.0, nan, 20.0, 60.0); give 4 numbers in photo pixels",
        ),
        ((1, 2, 3), "expected box 1 as x0,y0,x1,y1; got (1, 2, 3); give 4 numbers in photo pixels"),
    ],
)
def test_bad_boxes(box: tuple[float, ...], message: str) -> None:
    with pytest.raises(InputError) as error:
        segment(boxes_px=(box,))
    assert str(error.value) == message
    assert isinstance(error.value, ShapeError) == (len(box) == 3)


def test_a_box_partly_outside_is_cut_and_told() -> None:
    x0, y0, x1, y1 = BOXES[0]
    got = segment(np.ascontiguousarray(RGB[:, 60:]), boxes_px=((x0 - 60, y0, x1 - 60, y1),))
    assert got.notices == (f"box 1 ({x0 - 60:g}, {y0:g}, {x1 - 60:g}, {y1:g}) cut to the photo",)
    assert iou(got.mask(1), TRUE[:, 60:] == 1) > 0.9


@pytest.mark.parametrize("point", [(270.0, 5.0), (5.0, 180.0), (-1.0, 5.0)])
def test_a_point_outside(point: tuple[float, float]) -> None:
    with pytest.raises(InputError) as error:
        segment(points_px=(point,))
    assert str(error.value) == (
        f"expected point 1 inside of the 270x180 photo; got ({point[0]:g}, {point[1]:g}); "
        "x goes from 0 to 270 and y from 0 to 180, in photo pixels"
    )


def test_text_is_not_read() -> None:
    with pytest.raises(InputError) as error:
        segment(text=("a chair",), boxes_px=BOXES)
    assert str(error.value) == (
        "expected boxes or points; got text 'a chair'; "
        "this backend does not read text: give boxes, or use a segmentation backend that reads it"
    )


def test_no_prompt() -> None:
    with pytest.raises(NoObjectsError, match="^expected boxes or points; got none; give a box as x0,y0,x1,y1"):
        segment()


def test_tidy_drops_specks_and_fills_pinholes() -> None:
    mask = np.zeros((50, 70), bool)
    mask[10:40, 10:50] = True
    want = mask.copy()
    mask[20, 20] = False
    mask[45, 60] = True
    assert (tidy(mask) == want).all()
    assert not tidy(np.zeros((5, 7), bool)).any()


def test_boxes_of_the_masks_of_photos() -> None:
    photos = Path(__file__).resolve().parents[3] / "shared" / "photos"
    for name, least in (("cartoon_00", 0.85), ("realistic_03", 0.85)):
        if not (photos / f"{name}.jpg").exists():
            continue
        from PIL import Image

        with Image.open(photos / f"{name}.jpg") as image, Image.open(photos / f"{name}_masks.png") as masks:
            rgb, truth = np.asarray(image.convert("RGB"))[100:], np.asarray(masks.convert("RGB"))[100:]
        codes = truth.astype(int) @ [65536, 256, 1]
        objects = [codes == c for c in np.unique(codes[codes > 0])]
        got = segment(np.ascontiguousarray(rgb), boxes_px=tuple(map(box_of, objects)))
        assert np.mean([iou(got.mask(k), m) for k, m in enumerate(objects, start=1)]) > least
