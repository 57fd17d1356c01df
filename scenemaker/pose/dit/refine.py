"""A pose moved by registration and by silhouette, each step kept only if the score rises.

The order, and to accept only a good and better IoU, follow the post-optimisation of SAM 3D Objects (arXiv 2511.16624).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scenemaker.geometry.cameras import F64
from scenemaker.pose.dit.evidence import Evidence
from scenemaker.pose.dit.search import Hypothesis
from scenemaker.pose.rotation_search import STEPS, Found, climb, onto_points, thin_out
from scenemaker.pose.target import Placement

ENOUGH = 30  # rays of the fine grid, below which depth or mask say too little
GOOD_IOU = 0.5  # of a refined pose, else the sampled one is kept
AWAY = ("away", "zoom")  # moves that only depth can judge
REGISTRATIONS = 3  # each from the surface that is seen after the one before


@dataclass(frozen=True, kw_only=True)
class Gates:
    """Which refinements are tried."""

    registration: bool = True
    silhouette: bool = True


def gates_of(evidence: Evidence) -> Gates:
    """Which refinements there is evidence for."""
    return Gates(
        registration=int(np.isfinite(evidence.fine.z).sum()) >= ENOUGH,
        silhouette=int(evidence.fine.wanted.sum()) >= ENOUGH,
    )


def refine(evidence: Evidence, ranked: Sequence[Hypothesis], gates: Gates, *, n: int = 3) -> Hypothesis:
    """The best pose that the best n hypotheses lead to; never worse than the best of them.

    All n are moved on the coarse grid, the best then on the fine one.

    Args:
        evidence: For the object.
        ranked: Best first, as from ``rank``.
        gates: What to try.
        n: How many hypotheses are moved.
    """
    moved = [_moved(evidence, h, gates, fine=False, part=0.5, rounds=6) for h in ranked[:n]]
    found = [replace(h, agreement=evidence.judge(h.placement)) for h in (*ranked[:n], *moved)]
    start = found[0]
    best = max(found, key=lambda h: h.agreement.score)  # the first of equals
    best = _moved(evidence, best, gates, fine=True, part=0.25, rounds=4)
    return best if best.agreement.iou >= GOOD_IOU and best.agreement.score > start.agreement.score else start


def _moved(
    evidence: Evidence, hypothesis: Hypothesis, gates: Gates, *, fine: bool, part: float, rounds: int
) -> Hypothesis:
    """The hypothesis after registration and small moves on one grid."""
    place = hypothesis.placement
    found = place, evidence.judge(place, fine=fine)
    if gates.registration:
        found = _registered(evidence, found, fine=fine)
    if gates.silhouette:
        kinds = [kind for kind in STEPS if gates.registration or kind not in AWAY]
        found = climb(lambda p: evidence.judge(p, fine=fine), found, kinds, _own_up, part=part, rounds=rounds)
    return replace(hypothesis, placement=found[0], agreement=found[1])


def _registered(evidence: Evidence, found: Found, *, fine: bool) -> Found:
    """After trimmed ICP of the seen surface onto the observed points, with free and with fixed scale."""
    target = evidence.fine if fine else evidence.coarse
    points = thin_out(target.points_cam(), 400)
    for _ in range(REGISTRATIONS):
        moved: list[Placement] = []
        for scale in (True, False):
            moved += onto_points(evidence.prober, target, points, found[0], scale=scale, iterations=12)
        best = max([found, *((p, evidence.judge(p, fine=fine)) for p in moved)], key=lambda f: f[1].score)
        if best[1].score <= found[1].score + 1e-4:
            break
        found = best
    return found


def _own_up(place: Placement) -> F64:
    """Yaw turns about the object's own y axis: it may lie on any side."""
    return place.R[:, 1]
