"""Completes hidden parts of objects from what is seen of them, without any model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from pydantic import BaseModel, Field

from scenemaker.deocclusion.evidence import Evidence, gather, trust
from scenemaker.deocclusion.mirror import Axis
from scenemaker.deocclusion.texture import fill_hidden
from scenemaker.errors import InputError, expected
from scenemaker.scene import Bool, ObjectFailure, ObjectView


class SymmetryDeoccluder:
    """Completes silhouette and texture by symmetry, smooth outlines and inpainting; no weights."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    class Config(BaseModel, frozen=True, extra="forbid"):
        """Options of the backend."""

        threshold: float = Field(default=0.5, gt=0, lt=1, description="Chance from which on a hidden pixel is added.")
        min_added: float = Field(
            default=0.005,
            ge=0,
            description="Views that would gain less than this share of their visible area stay untouched.",
        )
        max_added: float = Field(
            default=1.5, ge=0, description="No view gains more than this share of its visible area."
        )

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    def deocclude(self, views: Sequence[ObjectView], *, seed: int) -> list[ObjectView | ObjectFailure]:
        """Completed views of the same size and ids; a complete view is returned as it came.

        Nothing is random: ``seed`` changes nothing.
        """
        out: list[ObjectView | ObjectFailure] = []
        for view in views:
            try:
                out.append(self._complete(view))
            except (InputError, cv2.error) as error:
                out.append(ObjectFailure(id=view.id, error=str(error)))
        return out

    def _complete(self, view: ObjectView) -> ObjectView:
        modal = view.mask_modal
        if not modal.any():
            raise InputError(
                expected(f"visible pixels of object {view.id}", got="an empty mask", remedy="paint it or drop it")
            )
        if view.completed or not (view.cut_by or view.cut_sides) or not (view.mask_hidden & ~modal).any():
            return view
        evidence = gather(view)
        added = self._added(view, evidence)
        if added.sum() < max(1.0, self.config.min_added * modal.sum()):
            return view
        axis = evidence.axis
        rgb = fill_hidden(
            view.rgba[..., :3], modal, added, axis, mirror_trust=0.0 if axis is None else colour_trust(axis)
        )
        alpha = (modal | added).astype(np.uint8) * 255
        return replace(view, rgba=np.concatenate([rgb, alpha[..., None]], 2), completed=True)

    def _added(self, view: ObjectView, evidence: Evidence) -> Bool:
        """(h, w) hidden pixels that are likely enough and joined to what is seen."""
        modal, hidden = view.mask_modal, view.mask_hidden & ~view.mask_modal
        h, w = modal.shape
        log_odds = cv2.resize(evidence.log_odds(), (w, h), interpolation=cv2.INTER_LINEAR)
        level = float(np.log(self.config.threshold / (1 - self.config.threshold)))
        added = hidden & (log_odds > level)
        limit = int(self.config.max_added * modal.sum())
        if added.sum() > limit:  # the likeliest ones
            level = float(np.partition(log_odds[added], -limit - 1)[-limit - 1])
            added &= log_odds > level
        _, parts = cv2.connectedComponents((modal | added).astype(np.uint8), connectivity=4)
        return added & np.isin(parts, np.unique(parts[modal]))


def colour_trust(axis: Axis) -> float:
    """How much mirrored colours count against spread ones, 0 to 1: the halves agree in shape and in colour."""
    return float(np.clip(1.5 * trust(axis), 0, 1) * np.clip(1.5 - axis.colour_error / 30, 0, 1))
