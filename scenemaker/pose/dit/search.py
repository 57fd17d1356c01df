"""Which of K sampled poses the photo supports, per object: silhouette, depth and free space, by the ray caster.

All K are looked at on a coarse grid of rays (40 along the object's longer side), the best few also on a fine one.
Cost: one cast of about (1.6 * 40)^2 rays per sample and of (1.6 * resolution)^2 per sample of the best few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenemaker.errors import InputError, expected
from scenemaker.geometry.mesh import Mesh
from scenemaker.pose.target import Agreement, Placement, Prober, Target, compare, make_target
from scenemaker.scene import Instances, ObjectView, PointMap

COARSE_PX = 40


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """What the photo tells of one object, and the means to look at its mesh in any pose; made once for all poses.

    Attributes:
        view: The object in the photo.
        prober: Of its mesh.
        coarse, fine: The same evidence on two grids.
    """

    view: ObjectView
    prober: Prober
    coarse: Target
    fine: Target

    def judge(self, place: Placement, *, fine: bool = True) -> Agreement:
        """How a pose agrees with the evidence."""
        target = self.fine if fine else self.coarse
        return compare(target, self.prober.depth(target, place))


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
    """All hypotheses of one object, best first.

    Attributes:
        id: Of the object.
        hypotheses: Never empty.
    """

    id: int
    hypotheses: tuple[Hypothesis, ...]


def evidence_of(
    view: ObjectView, instances: Instances, point_map: PointMap, mesh: Mesh, *, resolution_px: int = 112
) -> Evidence:
    """The evidence for one object, with at most ``resolution_px`` rays along the longer side of its box.

    Raises:
        InputError: Nothing is seen of the object.
    """
    wanted = view.mask_modal if view.mask_modal.any() else view.mask_amodal
    if not wanted.any():
        raise InputError(expected("an object that is seen", got="an empty mask", remedy="drop it, or draw its mask"))
    coarse, fine = (
        make_target(view, instances, point_map, wanted, px) for px in (min(COARSE_PX, resolution_px), resolution_px)
    )
    return Evidence(view=view, prober=Prober(mesh), coarse=coarse, fine=fine)


def rank(evidence: Evidence, placements: Sequence[Placement], *, n_fine: int = 3) -> tuple[Hypothesis, ...]:
    """The placements with their scores, best first; of equal ones the earlier sample. Only finite ones are ranked.

    Raises:
        InputError: No placement is finite.
    """
    found = [
        Hypothesis(sample=i, placement=p, agreement=evidence.judge(p, fine=False))
        for i, p in enumerate(placements)
        if is_finite(p)
    ]
    if not found:
        got = f"{len(placements)} that are not finite"
        raise InputError(expected("a sampled pose", got=got, remedy="check the weights, or train them longer"))
    ranked = sorted(found, key=_worst_last)
    few = [
        Hypothesis(sample=h.sample, placement=h.placement, agreement=evidence.judge(h.placement))
        for h in ranked[:n_fine]
    ]
    return (*sorted(few, key=_worst_last), *ranked[n_fine:])


def is_finite(place: Placement) -> bool:
    """Whether a placement is made of finite numbers and has a size."""
    numbers = np.concatenate([place.R.ravel(), place.t, [place.s]])
    return bool(np.isfinite(numbers).all() and place.s > 0)


def _worst_last(h: Hypothesis) -> tuple[float, int]:
    return -h.agreement.score, h.sample
