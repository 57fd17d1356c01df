"""Which predicted object stands for which of the ground truth: always one to one.

============  ==========================================================================================
id            Equal ids; of a bare file they are the order of its objects, from 1.
name          Equal names, else equal labels; upper and lower case are one. Only those unique on both sides.
mask          Overlap of the label images of one picture; pairs of IoU below 0.1 are none.
geometry      Distance of the shapes where they stand, after the alignment; no pair is too far.
auto          mask where both sides have label images of one picture that agree; else name where the names
              say something ("chair", not "geometry_0") and at least half are found; else geometry.
============  ==========================================================================================

A far partner counts no better than a missing one, and the published protocols need pairs: hence no limit. The cost
saturates, so that one object without its like does not shift the partners of all others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import ConfigError, InputError, expected
from scenemaker.evaluation.types import EvalObject, EvalScene
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import sample_surface

How = Literal["id", "name", "mask", "geometry"]
LEAST_IOU = 0.1  # of masks
POINTS = 256  # per object, for its distance to others
_PLACEHOLDER = re.compile(
    r"(geometry|mesh|object|obj|node|part|instance|piece|model|primitive)?[ _.-]?\d*", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Matching:
    """Partners of the ground-truth objects.

    Attributes:
        partners: For every ground-truth object the place of its partner in the prediction, or None.
        how: What decided.
    """

    partners: tuple[int | None, ...]
    how: How


def match_objects(
    gt: EvalScene,
    pred: EvalScene,
    how: How | Literal["auto"] = "auto",
    *,
    S_world_pred: F64 | None = None,
    seed: int = 0,
) -> Matching | None:
    """The partners, or None where they are to be found by geometry and no alignment is given yet.

    Args:
        gt: Ground truth.
        pred: Prediction.
        how: See the module.
        S_world_pred: (4, 4) ground truth's ``world`` from the prediction's frame, for "geometry".
        seed: Of the surface points.

    Raises:
        ConfigError: ``how`` is none of these.
        InputError: The scenes lack what ``how`` needs.
    """
    if how not in ("auto", "id", "name", "mask", "geometry"):
        remedy = "choose from: auto, id, name, mask, geometry"
        raise ConfigError(expected("a way to match objects", got=repr(how), remedy=remedy))
    if how == "mask" and not _one_picture(gt, pred):
        got = f"{_size_text(gt)} and {_size_text(pred)}"
        remedy = "match by name or geometry"
        raise InputError(expected("label images of one picture on both sides", got=got, remedy=remedy))
    half = (min(len(gt.objects), len(pred.objects)) + 1) // 2
    if how == "mask" or (how == "auto" and _one_picture(gt, pred)):
        partners = _by_mask(gt, pred)
        if how == "mask" or _found(partners) >= max(half, 1):
            return Matching(partners=partners, how="mask")
    if how == "id":
        return Matching(partners=_by_key(gt, pred, lambda o: o.id), how="id")
    if how == "name":
        return Matching(partners=_by_name(gt, pred), how="name")
    if how == "auto" and _names_tell(gt, pred):
        partners = _by_key(gt, pred, _name)
        if _found(partners) >= max(half, 1):
            return Matching(partners=partners, how="name")
    if S_world_pred is None:
        return None
    return Matching(partners=_by_geometry(gt, pred, S_world_pred, seed), how="geometry")


def _found(partners: Sequence[int | None]) -> int:
    return sum(k is not None for k in partners)


def _by_key(gt: EvalScene, pred: EvalScene, key: Callable[[EvalObject], Any]) -> tuple[int | None, ...]:
    """Pairs of equal keys that are unique on both sides and not None."""
    sides = [[key(o) for o in scene.objects] for scene in (gt, pred)]
    once = [{k for k, n in Counter(side).items() if n == 1 and k is not None} for side in sides]
    place = {k: j for j, k in enumerate(sides[1]) if k in once[1]}
    return tuple(place.get(k) if k in once[0] else None for k in sides[0])


def _name(item: EvalObject) -> str:
    return item.name.casefold()


def _by_name(gt: EvalScene, pred: EvalScene) -> tuple[int | None, ...]:
    """By name, and what is left by label."""
    partners = _by_key(gt, pred, _name)
    left = {id(o) for o, k in zip(gt.objects, partners, strict=True) if k is None}
    left |= {id(o) for k, o in enumerate(pred.objects) if k not in partners}
    labels = _by_key(gt, pred, lambda o: o.label.casefold() if o.label and id(o) in left else None)
    return tuple(k if k is not None else by_label for k, by_label in zip(partners, labels, strict=True))


def _names_tell(gt: EvalScene, pred: EvalScene) -> bool:
    """Whether the names of the ground truth are words, and none of them that the prediction knows is ambiguous."""
    counts = [Counter(map(_name, scene.objects)) for scene in (gt, pred)]
    common = counts[0].keys() & counts[1].keys()
    unique = all(count[name] == 1 for count in counts for name in common)
    return unique and not any(_PLACEHOLDER.fullmatch(name) for name in counts[0])


def _one_picture(gt: EvalScene, pred: EvalScene) -> bool:
    """Whether both have label images of one shape, up to the rounding of a resize."""
    if gt.scene is None or pred.scene is None:
        return False
    return one_ratio(gt.scene.labels.shape[:2], pred.scene.labels.shape[:2])


def one_ratio(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether two image sizes are of one shape, up to the rounding of a resize."""
    return abs(a[0] * b[1] - b[0] * a[1]) <= max(*a, *b)


def _size_text(scene: EvalScene) -> str:
    return "none" if scene.scene is None else "{1}x{0}".format(*scene.scene.labels.shape[:2])


def _by_mask(gt: EvalScene, pred: EvalScene) -> tuple[int | None, ...]:
    if gt.scene is None or pred.scene is None:
        return (None,) * len(gt.objects)
    both = [_places(scene.scene.labels, scene.objects) for scene in (gt, pred) if scene.scene is not None]
    size = np.array([b.shape for b in both]).min(0)
    a, b = (_smaller(labels, *size) for labels in both)
    shape = len(gt.objects) + 1, len(pred.objects) + 1
    common = np.bincount((a * shape[1] + b).ravel(), minlength=shape[0] * shape[1]).reshape(shape)
    union = common.sum(1)[1:, None] + common.sum(0)[None, 1:] - common[1:, 1:]
    iou = common[1:, 1:] / np.maximum(union, 1)
    return _assigned(-iou, allowed=iou >= LEAST_IOU)


def _places(labels: NDArray[Any], objects: Sequence[EvalObject]) -> NDArray[np.int64]:
    """The label image with the place of each object (from 1) instead of its id."""
    lookup = np.zeros(int(max([int(labels.max(initial=0)), *(o.id for o in objects)])) + 1, np.int64)
    lookup[[o.id for o in objects]] = np.arange(1, len(objects) + 1)
    return lookup[labels]


def _smaller(labels: NDArray[np.int64], height: int, width: int) -> NDArray[np.int64]:
    """The labels at the pixel centres of a smaller image of the same picture."""
    h, w = labels.shape
    rows, columns = (np.arange(height) + 0.5) * h / height, (np.arange(width) + 0.5) * w / width
    return labels[rows.astype(int)[:, None], columns.astype(int)]


def _by_geometry(gt: EvalScene, pred: EvalScene, S_world_pred: F64, seed: int) -> tuple[int | None, ...]:
    """Least sum of d / (d + longest side of the ground-truth object), d the mean distance of the surfaces."""
    from scipy.spatial import KDTree

    there = [_cloud(o, gt.T_world_frame, seed) for o in gt.objects]
    here = [_cloud(o, S_world_pred, seed + 1) for o in pred.objects]
    trees = [[None if p is None else KDTree(p) for p in side] for side in (there, here)]
    cost = np.full((len(there), len(here)), np.inf)
    for (i, p), (j, q) in product(enumerate(there), enumerate(here)):
        tree_p, tree_q = trees[0][i], trees[1][j]
        if p is not None and q is not None and tree_p is not None and tree_q is not None:
            distance = (tree_q.query(p)[0].mean() + tree_p.query(q)[0].mean()) / 2
            cost[i, j] = distance / (distance + np.ptp(p, axis=0).max())
    return _assigned(np.where(np.isfinite(cost), cost, 2.0), allowed=np.isfinite(cost))


def _cloud(item: EvalObject, S_world_frame: F64, seed: int) -> F64 | None:
    if item.mesh is None or item.S_frame_obj is None:
        return None
    return transforms.apply(S_world_frame @ item.S_frame_obj, sample_surface(item.mesh, POINTS, seed=seed)[0])


def _assigned(cost: F64, allowed: NDArray[np.bool_]) -> tuple[int | None, ...]:
    """The assignment of least cost; pairs that are not allowed are none."""
    from scipy.optimize import linear_sum_assignment

    partners: list[int | None] = [None] * len(cost)
    for i, j in zip(*linear_sum_assignment(cost), strict=True):
        if allowed[i, j]:
            partners[int(i)] = int(j)
    return tuple(partners)


__all__ = ["How", "Matching", "match_objects", "one_ratio"]
