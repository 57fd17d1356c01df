"""The segmenter without prompts: made pictures with known shapes, and pictures with nothing to find."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from scenemaker.errors import InputError, NoObjectsError
from scenemaker.perception.auto import AutoSegmenter, resize_labels
from scenemaker.perception.auto_background import backgroundness
from scenemaker.perception.auto_graph import patch_graph
from scenemaker.perception.auto_tree import MergeCost, merge_tree
from scenemaker.perception.labels import resize_nearest
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


def test_ids_run_from_left_to_right() -> None:
    rgb, masks = shapes()
    labels = segment(rgb)
    ids = [np.bincount(labels[masks[name]]).argmax() for name in ("disc", "bar", "box")]
    assert ids == sorted(ids) and ids[0] > 0


def test_keeps_the_largest_of_too_many() -> None:
    rgb, masks = shapes()
    labels = segment(rgb, max_regions=1)
    assert labels.max() == 1
    largest = max(masks.values(), key=np.count_nonzero)
    assert best_iou(largest, labels) > 0.8


def test_drops_what_is_smaller_than_min_area() -> None:
    rgb, masks = shapes()
    share = np.sort([mask.mean() for mask in masks.values()])
    labels = segment(rgb, min_area=float(share[0] + share[1]) / 2)
    assert all(best_iou(mask, labels) < 0.3 for mask in masks.values() if mask.mean() == share[0])


@pytest.mark.parametrize("size", [(300, 200), (1, 1), (3, 200)])
def test_blank_photo_has_no_objects(size: tuple[int, int]) -> None:
    rgb = np.full((size[1], size[0], 3), 140, np.uint8)
    with pytest.raises(NoObjectsError) as error:
        AutoSegmenter().segment(Photo(rgb=rgb), Prompts())
    assert str(error.value) == (
        "expected objects that stand out from the background; got none; "
        "give masks or boxes, or a photo in which the objects differ from the background"
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
    ("prompts", "got", "remedy"),
    [
        (
            Prompts(text=("chair",)),
            "text 'chair'",
            "this backend does not read text: give boxes or masks, or use a segmentation backend that reads it",
        ),
        (
            Prompts(boxes_px=((1, 1, 9, 9),)),
            "boxes or points",
            'use the segmentation backend "prompts" for them, or leave them out',
        ),
        (
            Prompts(points_px=((1, 1),)),
            "boxes or points",
            'use the segmentation backend "prompts" for them, or leave them out',
        ),
        (
            Prompts(masks=np.ones((20, 30), np.uint8)),
            "masks",
            'use the segmentation backend "masks" for them, or leave them out',
        ),
    ],
)
def test_prompts_are_refused(prompts: Prompts, got: str, remedy: str) -> None:
    rgb, _ = shapes(30, 20)
    with pytest.raises(InputError) as error:
        AutoSegmenter().segment(Photo(rgb=rgb), prompts)
    assert str(error.value) == f'expected no prompts for the segmentation backend "auto"; got {got}; {remedy}'


def test_patches_cover_the_picture_and_borders_are_counted_once() -> None:
    rgb, _ = shapes(150, 100)
    graph = patch_graph(rgb, 8)
    assert graph.area.sum() == 150 * 100 and graph.area.min() > 0
    assert graph.rim.sum() == 2 * (150 + 100)
    p = graph.patches
    changes = np.count_nonzero(p[:, 1:] != p[:, :-1]) + np.count_nonzero(p[1:] != p[:-1])
    assert graph.length.sum() == changes
    assert (graph.pairs[:, 0] < graph.pairs[:, 1]).all()


def test_every_cut_of_the_tree_is_a_partition() -> None:
    rgb, _ = shapes(150, 100)
    graph = patch_graph(rgb, 8)
    tree = merge_tree(graph, MergeCost())
    for regions in (1, 2, 7, 40, graph.n):
        members = tree.members[tree.cut(regions)]
        assert len(members) == regions
        assert (members.sum(0) == 1).all()


def test_the_wall_is_background_and_the_shapes_are_not() -> None:
    rgb, masks = shapes(288, 192)
    graph = patch_graph(rgb, 8)
    background = backgroundness(graph, merge_tree(graph, MergeCost()))[graph.patches]
    shape = np.any(list(masks.values()), axis=0)
    assert background[~shape].mean() > 0.9
    assert background[cv2.erode(shape.astype(np.uint8), np.ones((5, 5))) > 0].mean() < 0.2


@pytest.mark.parametrize("size", [(60, 40), (30, 20), (91, 37)])
def test_resized_labels_stay_in_place(size: tuple[int, int]) -> None:
    small = np.zeros((20, 30), np.uint16)
    small[5:15, 3:12], small[8:18, 12:27] = 1, 2
    large = resize_labels(small, *size)
    nearest = resize_nearest(small, size[1], size[0])
    assert large.shape == (size[1], size[0])
    for k in (1, 2):
        assert (large == k)[nearest == k].mean() > 0.97
        assert (nearest == k)[large == k].mean() > 0.97
