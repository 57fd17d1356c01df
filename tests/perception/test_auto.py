"""The segmenter without prompts: made pictures with known shapes, and pictures with nothing to find."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from scenemaker.errors import InputError, NoObjectsError
from scenemaker.perception.auto import AutoSegmenter
from scenemaker.perception.background import BY_COLOUR, BY_EDGES, boundary_connectivity
from scenemaker.perception.merging import merge
from scenemaker.perception.superpixels import cut_into_pieces
from scenemaker.scene import Photo, Prompts
from scenemaker.testing.samples import make_sample

Masks = dict[str, NDArray[np.bool_]]


def shapes(width: int = 480, height: int = 320) -> tuple[NDArray[np.uint8], Masks]:
    """A disc, a bar and a two-coloured box on a wall that darkens to one side, with noise."""
    ramp = np.linspace(225, 170, width)[None, :, None] - np.linspace(0, 15, height)[:, None, None]
    rgb = np.broadcast_to(ramp, (height, width, 3)).copy()
    masks = {}
    for name, draw in {
        "disc": lambda m: cv2.circle(m, (width // 5, height // 2), height // 7, 1, -1),
        "bar": lambda m: cv2.rectangle(m, (width // 2 - 15, height // 6), (width // 2 + 15, height * 5 // 6), 1, -1),
        "box": lambda m: cv2.rectangle(m, (width * 7 // 10, height // 2), (width * 9 // 10, height * 4 // 5), 1, -1),
    }.items():
        mask = np.zeros((height, width), np.uint8)
        draw(mask)
        masks[name] = mask > 0
    for name, colour in {"disc": (200, 40, 40), "bar": (40, 110, 60), "box": (40, 60, 170)}.items():
        rgb[masks[name]] = colour
    noise = np.random.default_rng(0).normal(0, 3, rgb.shape)
    return np.clip(rgb + noise, 0, 255).astype(np.uint8), masks


def best_iou(mask: NDArray[np.bool_], labels: NDArray[np.uint16]) -> float:
    found = [labels == k for k in range(1, int(labels.max()) + 1)]
    return max(float((mask & f).sum() / (mask | f).sum()) for f in found)


def segment(rgb: NDArray[np.uint8], **options: object) -> NDArray[np.uint16]:
    found = AutoSegmenter(AutoSegmenter.Config.model_validate(options)).segment(Photo(rgb=rgb), Prompts())
    assert [item.id for item in found] == list(np.unique(found.labels[found.labels > 0]))
    assert found.labels.shape == rgb.shape[:2]
    return found.labels


@pytest.mark.parametrize("size", [(480, 320), (320, 480), (900, 600)])
def test_finds_shapes_and_leaves_the_wall_out(size: tuple[int, int]) -> None:
    rgb, masks = shapes(*size)
    labels = segment(rgb)
    for name, mask in masks.items():
        assert best_iou(mask, labels) > 0.8, name
    wall = ~np.any(list(masks.values()), axis=0)
    assert (labels[wall] == 0).mean() > 0.9
    assert labels.max() <= 8


def test_finds_the_things_of_a_made_scene() -> None:
    sample = make_sample(2, width=480, height=320)
    labels = segment(sample.photo.rgb)
    assert np.mean([best_iou(sample.instances.mask(i), labels) for i in sample.ids]) > 0.6


def test_equal_photos_give_equal_bytes() -> None:
    rgb, _ = shapes()
    assert segment(rgb).tobytes() == segment(rgb.copy()).tobytes()


def test_the_most_object_like_come_first_and_max_regions_keeps_those() -> None:
    rgb, masks = shapes()
    one = segment(rgb, max_regions=1)
    assert one.max() == 1
    assert max(best_iou(mask, one) for mask in masks.values()) > 0.8
    found = AutoSegmenter().segment(Photo(rgb=rgb), Prompts())
    scores = [item.score for item in found]
    assert scores == sorted(scores, reverse=True) and min(scores) >= 0.5


def test_a_lower_min_score_gives_more_regions() -> None:
    rgb = make_sample(3, width=480, height=320).photo.rgb
    counts = [int(segment(rgb, min_score=s).max()) for s in (0.9, 0.5, 0.0)]
    assert counts == sorted(counts) and counts[0] < counts[-1] <= 30


@pytest.mark.parametrize("size", [(300, 200), (1, 1), (3, 200)])
def test_blank_photo_has_no_objects(size: tuple[int, int]) -> None:
    rgb = np.full((size[1], size[0], 3), 140, np.uint8)
    with pytest.raises(NoObjectsError) as error:
        AutoSegmenter().segment(Photo(rgb=rgb), Prompts())
    assert str(error.value) == (
        "expected objects that stand out in the photo; got none; give masks, boxes or points, or lower min_score"
    )


@pytest.mark.parametrize("size", [(32, 400), (400, 32), (200, 137), (9, 8)])
def test_odd_sizes_and_noise_give_regions_or_say_that_there_are_none(size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    try:
        labels = segment(rgb)
    except NoObjectsError:
        return
    assert labels.max() <= 30


@pytest.mark.parametrize(
    "prompts",
    [
        Prompts(text=("chair",)),
        Prompts(boxes_px=((1, 1, 9, 9),)),
        Prompts(points_px=((1, 1),)),
        Prompts(masks=np.ones((20, 30), np.uint8)),
    ],
)
def test_prompts_are_refused(prompts: Prompts) -> None:
    rgb, _ = shapes(30, 20)
    with pytest.raises(InputError) as error:
        AutoSegmenter().segment(Photo(rgb=rgb), prompts)
    assert str(error.value) == (
        "expected no prompts; got masks, boxes, points or text; "
        'use the segmentation backend "masks" or "prompts", or leave them out'
    )


def test_pieces_cover_the_picture_and_borders_are_counted_once() -> None:
    rgb, _ = shapes(150, 100)
    pieces = cut_into_pieces(rgb)
    assert pieces.area.sum() == 150 * 100 and pieces.area.min() > 0
    index = pieces.index
    changes = np.count_nonzero(index[:, 1:] != index[:, :-1]) + np.count_nonzero(index[1:] != index[:-1])
    assert pieces.length.sum() == changes
    assert (pieces.pairs[:, 0] < pieces.pairs[:, 1]).all()


def test_merging_joins_the_cheapest_pair_first_and_keeps_to_what_is_allowed() -> None:
    area, mean = np.ones(4), np.array([[0.0, 0, 0], [1, 0, 0], [10, 0, 0], [11, 0, 0]])
    pairs, length = np.array([[0, 1], [1, 2], [2, 3]]), np.ones(3)
    merges = merge(area, mean, pairs, length, np.zeros(3), (0.0, 1.0, 0.0, 0.0))
    assert {frozenset(m) for m in merges[:2]} == {frozenset({0, 1}), frozenset({2, 3})}
    assert merges[2] == (4, 5) or merges[2] == (5, 4)
    allowed = np.array([True, True, False, True])
    assert merge(area, mean, pairs, length, np.zeros(3), (0.0, 1.0, 0.0, 0.0), allowed=allowed) == [(0, 1)]


@pytest.mark.parametrize("variant", [BY_COLOUR, BY_EDGES])
def test_the_wall_is_connected_to_the_border_and_the_shapes_are_not(variant: tuple[float, float]) -> None:
    rgb, masks = shapes(288, 192)
    pieces = cut_into_pieces(rgb)
    connected = boundary_connectivity(pieces, variant)[pieces.index]
    shape = np.any(list(masks.values()), axis=0)
    inner = cv2.erode(shape.astype(np.uint8), np.ones((5, 5))) > 0
    assert np.median(connected[~shape]) > 4 > 2 > np.median(connected[inner])
