"""A prediction beside its ground truth: objects matched, frames brought together."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from scenemaker.errors import InputError, expected
from scenemaker.evaluation.alignment import align_scenes
from scenemaker.evaluation.matching import How, match_objects
from scenemaker.evaluation.soundness import bounds_world, only_sound
from scenemaker.evaluation.types import Alignments, EvalScene, ScenePair


def make_pair(
    gt: EvalScene,
    pred: EvalScene,
    *,
    match: How | Literal["auto"] = "auto",
    align: Alignments | Literal["auto"] = "auto",
    seed: int = 0,
    name: str | None = None,
) -> ScenePair:
    """The pair, ready to be measured. Its alignment's text says how objects were matched and frames brought together.

    Ids, names and masks match before the alignment, which then fits objects to their partners; geometry after it.

    Args:
        gt: Ground truth.
        pred: Prediction; objects without a mesh may have been matched and count as missing.
        match: See ``matching``.
        align: See ``alignment``.
        seed: Of all surface points.
        name: Of the pair; the ground truth's when None.

    Raises:
        InputError: ``check_ground_truth``; or ``match`` cannot work.
        ConfigError: An unknown ``match`` or ``align``.
    """
    check_ground_truth(gt)
    known = match_objects(gt, pred, match, seed=seed)
    alignment = align_scenes(gt, pred, align, partners=None if known is None else known.partners, seed=seed)
    pred = only_sound(pred, alignment.S_world_pred, bounds_world(gt))
    found = known or match_objects(gt, pred, "geometry", S_world_pred=alignment.S_world_pred, seed=seed)
    if found is None:
        raise ValueError("no alignment")  # with one given there is always an answer
    return ScenePair(
        name=name or gt.name,
        gt=gt,
        pred=pred,
        partners=found.partners,
        alignment=replace(alignment, text=f"objects by {found.how}; {alignment.text}"),
        seed=seed,
    )


def check_ground_truth(gt: EvalScene) -> None:
    """Refuses ground truth that no prediction can be measured against.

    Raises:
        InputError: It has no object, or one without a mesh.
    """
    if not gt.objects:
        raise InputError(expected("ground truth with objects", got=f"none in {gt.path}", remedy="leave the scene out"))
    for item in gt.objects:
        if not item.placed:
            got = f"{item.name} of {gt.path}: {'; '.join(item.notices) or item.status}"
            raise InputError(expected("ground truth whose objects all have a mesh", got=got, remedy="mend it"))


__all__ = ["check_ground_truth", "make_pair"]
