"""Which predicted object stands for which, one to one, whatever the order, the names and what is missing."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from synthetic_scene import box

from scenemaker.editable import Scene
from scenemaker.errors import ConfigError, InputError
from scenemaker.evaluation.matching import match_objects, one_ratio
from scenemaker.evaluation.types import EvalObject, EvalScene
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, K_from_fov

PLACES = [(0, 0, 0), (2, 0, 0), (0, 0, 3), (5, 0, 1)]


def thing(id, name=None, at=(0, 0, 0), size=1.0, label=None, extents=(1, 1, 1)) -> EvalObject:
    S = transforms.similarity(np.eye(3), at, size)
    return EvalObject(id=id, name=name or f"object_{id}", mesh=box(extents), S_frame_obj=S, label=label)


def failed(item: EvalObject) -> EvalObject:
    return replace(item, mesh=None, S_frame_obj=None, status="skipped")


def scene(*objects: EvalObject, labels=None) -> EvalScene:
    folder = None
    if labels is not None:
        labels = np.asarray(labels)
        h, w = labels.shape
        camera = Camera(K=K_from_fov(60, w, h), width=w, height=h)
        folder = Scene(
            rgb=np.zeros((h, w, 3), np.uint8),
            labels=labels,
            depth=np.ones((h, w), np.float32),
            camera=camera,
            objects={},
        )
    return EvalScene(name="s", path=Path("s"), objects=objects, scene=folder)


def partners(gt, pred, how, **kwargs):
    found = match_objects(gt, pred, how, **kwargs)
    assert found is not None
    if how != "auto":
        assert found.how == how
    taken = [k for k in found.partners if k is not None]
    assert len(taken) == len(set(taken))
    return found.partners


def test_ids():
    gt, pred = scene(thing(3), thing(7), thing(9)), scene(thing(9), thing(4), thing(3))
    assert partners(gt, pred, "id") == (2, None, 0)


def test_names_in_any_case_and_labels_for_the_rest():
    gt = scene(thing(1, "Chair"), thing(2, "table"), thing(3, "x", label="Lamp"), thing(4, "box"), thing(5, "box"))
    pred = scene(thing(1, "y", label="lamp"), thing(2, "box"), thing(3, "chair"), thing(4, "TABLE", label="lamp"))
    assert partners(gt, pred, "name") == (2, 3, 0, None, None)


def test_labels_that_two_objects_bear_say_nothing():
    gt = scene(thing(1, "a", label="chair"), thing(2, "b", label="chair"))
    assert partners(gt, scene(thing(1, "c", label="chair")), "name") == (None, None)


def masks(*boxes, shape=(20, 30)):
    """Label image of boxes (x0, y0, x1, y1, id)."""
    out = np.zeros(shape, np.uint16)
    for x0, y0, x1, y1, id in boxes:
        out[y0:y1, x0:x1] = id
    return out


GT_MASKS = masks((0, 0, 10, 10, 1), (10, 0, 20, 10, 2), (20, 10, 30, 20, 3))


def test_masks():
    gt = scene(thing(1), thing(2), thing(3), labels=GT_MASKS)
    # of 5: 80 of 100 on the first; of 6: 50 on the first, 20 on the second; of 9: too little of the third
    pred_masks = masks((2, 0, 10, 10, 5), (20, 10, 21, 15, 9), (12, 0, 18, 10, 6))
    pred = scene(failed(thing(9)), thing(6), thing(5), labels=pred_masks)
    assert partners(gt, pred, "mask") == (2, 1, None)


def test_masks_are_assigned_together():
    # one wide prediction covers both; the narrow one fits the first only: the wide one must take the second
    gt = scene(thing(1), thing(2), labels=masks((0, 0, 10, 10, 1), (10, 0, 16, 10, 2)))
    pred = scene(thing(1), thing(2), labels=masks((0, 0, 16, 10, 1), (0, 0, 6, 10, 2)))
    assert partners(gt, pred, "mask") == (1, 0)


@pytest.mark.parametrize("factor", [2, 3])
def test_masks_of_a_resized_picture(factor):
    gt = scene(thing(1), thing(2), thing(3), labels=GT_MASKS)
    large = np.kron(GT_MASKS[:, ::1], np.ones((factor, factor), np.uint16))
    pred = scene(thing(3), thing(1), thing(2), labels=large)
    assert partners(gt, pred, "mask") == (1, 2, 0)
    assert partners(pred, gt, "mask") == (2, 0, 1)


def test_a_picture_is_one_up_to_the_rounding_of_a_resize():
    assert one_ratio((30, 20), (10, 7)) and one_ratio((10, 7), (30, 20)) and one_ratio((30, 20), (30, 20))
    assert not one_ratio((30, 20), (10, 8)) and not one_ratio((30, 20), (20, 30))


@pytest.mark.parametrize(
    "pred, got",
    [
        (scene(thing(1)), "30x20 and none"),
        (scene(thing(1), labels=np.ones((30, 20), np.uint8)), "30x20 and 20x30"),
    ],
)
def test_masks_of_other_pictures_are_an_error(pred, got):
    with pytest.raises(InputError) as caught:
        match_objects(scene(thing(1), labels=GT_MASKS), pred, "mask")
    told = f"expected label images of one picture on both sides; got {got}; match by name or geometry"
    assert str(caught.value) == told


def placed(count=4):
    return [thing(k + 1, f"n{k}x", at, 0.5 + 0.3 * k) for k, at in enumerate(PLACES[:count])]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_geometry_of_permuted_objects(order):
    gt = placed(3)
    moved = [replace(gt[k], S_frame_obj=gt[k].S_frame_obj @ transforms.rigid(np.eye(3), [0.1, 0, 0.1])) for k in order]
    found = partners(scene(*gt), scene(*moved), "geometry", S_world_pred=np.eye(4))
    assert found == tuple(order.index(k) for k in range(3))


def test_geometry_after_the_alignment():
    S = transforms.similarity(transforms.axis_angle([1, 2, 3], 1.0), [4, 5, 6], 3.0)
    gt = placed()
    there = [replace(o, S_frame_obj=transforms.invert(S) @ o.S_frame_obj) for o in reversed(gt)]
    assert partners(scene(*gt), scene(*there), "geometry", S_world_pred=S) == (3, 2, 1, 0)


def test_one_missing_object_does_not_shift_the_others():
    row = [thing(k, at=(k, 0, 0), size=0.5) for k in range(4)]
    found = partners(scene(*row[:3]), scene(*row[1:]), "geometry", S_world_pred=np.eye(4))
    assert found == (2, 0, 1)  # the first gets what is left over, far as it is


def test_the_nearer_of_two_equal_objects_is_the_partner_and_failed_ones_are_none():
    gt = scene(thing(1), thing(2, at=(3, 0, 0)))
    pred = scene(failed(thing(1)), thing(2, at=(0.5, 0, 0)), thing(3, at=(0.1, 0, 0)), thing(4, at=(3, 0.2, 0)))
    assert partners(gt, pred, "geometry", S_world_pred=np.eye(4)) == (2, 3)
    assert partners(gt, scene(failed(thing(1))), "geometry", S_world_pred=np.eye(4)) == (None, None)
    assert partners(gt, scene(), "geometry", S_world_pred=np.eye(4)) == (None, None)


def test_auto_takes_masks_then_names_then_geometry():
    gt = scene(thing(1, "chair"), thing(2, "table"), thing(3, "lamp"), labels=GT_MASKS)
    pred = scene(thing(1, "table"), thing(2, "chair"), thing(3, "lamp"), labels=GT_MASKS)
    found = match_objects(gt, pred)
    assert found is not None and (found.how, found.partners) == ("mask", (0, 1, 2))
    found = match_objects(gt, replace(pred, scene=None))
    assert found is not None and (found.how, found.partners) == ("name", (1, 0, 2))
    # masks of another picture that do not overlap say nothing
    found = match_objects(gt, scene(*pred.objects, labels=masks((0, 12, 15, 20, 1), shape=(20, 30))))
    assert found is not None and found.how == "name"
    assert match_objects(gt, scene(thing(1, "a"), thing(2, "chair"), thing(3, "c"))) is None
    found = match_objects(gt, scene(thing(1, "a")), S_world_pred=np.eye(4))
    assert found is not None and found.how == "geometry"


@pytest.mark.parametrize("name", ["geometry_{}", "part_0{}", "Object.{}", "{}", "node{}", "mesh {}"])
def test_auto_does_not_trust_numbered_names(name):
    gt = scene(*(thing(k, name.format(k)) for k in (1, 2, 3)))
    assert match_objects(gt, gt) is None
    assert partners(gt, gt, "name") == (0, 1, 2)


def test_auto_does_not_trust_names_that_are_not_unique():
    gt = scene(thing(1, "chair"), thing(2, "chair"), thing(3, "table"), thing(4, "lamp"))
    assert match_objects(gt, gt) is None
    once = scene(thing(1, "table"), thing(2, "lamp"))
    found = match_objects(gt, once)
    assert found is not None and (found.how, found.partners) == ("name", (None, None, 0, 1))
    twice = scene(thing(1, "table"), thing(2, "lamp"), thing(3, "lamp"))
    assert match_objects(gt, twice) is None


def test_an_unknown_way_is_an_error():
    with pytest.raises(ConfigError) as caught:
        match_objects(scene(thing(1)), scene(thing(1)), "order")
    told = "expected a way to match objects; got 'order'; choose from: auto, id, name, mask, geometry"
    assert str(caught.value) == told
