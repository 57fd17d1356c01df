"""Which of K sampled poses the photo supports, per object: silhouette, depth and free space, by the ray caster.

All K are looked at on a coarse grid of rays (40 along the object's longer side), the best few also on a fine one.
Cost: one cast of about (1.6 * 40)^2 rays per sample and of (1.6 * resolution)^2 per sample of the best few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scenemaker.errors import InputError, expected
from scenemaker.pose.dit.evidence import Evidence
from scenemaker.pose.target import Agreement, Placement


@dataclass(frozen=True, eq=False, kw_only=True)
class Hypothesis:
    """One sampled pose and how it agrees with the photo.

    Attributes:
        sample: Its number among the K samples.
        placement: In ``cam``.
        agreement: On the fine grid for the best few, else on the coarse one.
    """

    sample: int
    placement: Placement
    agreement: Agreement


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranked:
    """All hypotheses of one object, best first, and what became of them.

    Attributes:
        id: Of the object.
        hypotheses: As sampled; never empty.
        chosen: The pose that was taken; it is one of them, moved where that was better.
    """

    id: int
    hypotheses: tuple[Hypothesis, ...]
    chosen: Hypothesis


def rank(evidence: Evidence, placements: Sequence[Placement], *, n_fine: int = 3) -> tuple[Hypothesis, ...]:
    """The placements with their scores, best first; of equal ones the earlier sample.

    Those that are not finite, or behind the camera, are left out.

    Args:
        evidence: For the object.
        placements: The K samples.
        n_fine: How many of the best are scored on the fine grid; they stand before the others.

    Raises:
        InputError: None is left.
    """
    found = [
        Hypothesis(sample=i, placement=p, agreement=evidence.judge(p, fine=False))
        for i, p in enumerate(placements)
        if is_usable(p)
    ]
    if not found:
        what, got = "a pose before the camera among the samples", f"{len(placements)} that are not"
        raise InputError(expected(what, got=got, remedy="check the weights, or train them longer"))
    ranked = sorted(found, key=_worst_last)
    few = [replace(h, agreement=evidence.judge(h.placement)) for h in ranked[:n_fine]]
    return (*sorted(few, key=_worst_last), *ranked[n_fine:])


def is_usable(place: Placement) -> bool:
    """Whether a placement is made of finite numbers, has a size, and is before the camera."""
    numbers = np.concatenate([place.R.ravel(), place.t, [place.s]])
    return bool(np.isfinite(numbers).all() and place.s > 0 and place.t[2] > 0)


def _worst_last(h: Hypothesis) -> tuple[float, int]:
    return -h.agreement.score, h.sample
