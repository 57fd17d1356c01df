"""A pose moved by registration and by silhouette, each step kept only if the score rises; and when not to try.

The order, the gates and "accept only if the IoU is good and better" follow the post-optimisation of SAM 3D Objects
(arXiv 2511.16624), in which objects that are hidden or cut by the border are left alone. Here they need not be: the
score leaves out pixels where another mask or the border hides the object. What remains are hiders without a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenemaker.geometry.cameras import F64
from scenemaker.pose.dit.search import Evidence, Hypothesis
from scenemaker.pose.rotation_search import STEPS, Found, climb, onto_points, thin_out
from scenemaker.pose.target import Placement
from scenemaker.scene import Bool, Instances, PointMap

ENOUGH = 30  # rays with observed depth that registration needs
ALONG_OUTLINE = 0.1  # share of the outline at which something unknown stands before the object
IN_HOLES = 0.05  # area of unexplained holes over that of the mask
GOOD_IOU = 0.5  # of a refined pose, else the sampled one is kept
AWAY = ("away", "zoom")  # moves that only depth can judge
REGISTRATIONS = 3  # each from the surface that is seen after the one before


@dataclass(frozen=True, kw_only=True)
class Gates:
    """What the evidence for one object is good for.

    Attributes:
        registration: It has points enough.
        silhouette: Its mask ends where the object ends, or where something known hides it.
    """

    registration: bool
    silhouette: bool


def gates_of(evidence: Evidence, instances: Instances, point_map: PointMap) -> Gates:
    """Which refinements the evidence for an object supports."""
    mask, z, free = _around(instances.labels, point_map.depth, evidence.view.id)
    gap = 0.1 * evidence.fine.extent
    whole = bool(mask.any()) and hidden_outline(mask, z, free, gap) <= ALONG_OUTLINE
    return Gates(
        registration=np.count_nonzero(np.isfinite(evidence.fine.z)) >= ENOUGH,
        silhouette=whole and unexplained_holes(mask, z, free, gap) <= IN_HOLES,
    )


def hidden_outline(mask: Bool, z: np.ndarray, free: Bool, gap: float) -> float:
    """Share of a mask's outline beyond which a surface of no object is nearer by more than ``gap``.

    Args:
        mask: (h, w) of the object.
        z: (h, w) depth, NaN where unknown.
        free: (h, w) pixels of no object.
        gap: In units of depth.
    """
    edges = nearer = 0
    for turn in range(4):  # each pixel and the one above it, with every side up once
        m, d, f = (np.rot90(a, turn) for a in (mask, z, free))
        edge = m[1:] & ~m[:-1]
        edges += np.count_nonzero(edge)
        nearer += np.count_nonzero(edge & f[:-1] & (d[:-1] < d[1:] - gap))
    return nearer / max(1, edges)


def unexplained_holes(mask: Bool, z: np.ndarray, free: Bool, gap: float) -> float:
    """Area of a mask's holes, over its own, in which nothing farther than the object by ``gap`` is seen.

    Through a true hole one sees what lies behind; other ones are mistakes of the mask, or things without one.
    """
    import cv2

    outside, regions = cv2.connectedComponents(np.pad(~mask, 1, constant_values=True).astype(np.uint8), connectivity=4)
    regions = np.asarray(regions)[1:-1, 1:-1]
    around = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    area = 0
    for i in set(range(1, outside)) - set(around.tolist()):
        hole = (regions == i) & free
        ring = (cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0) & mask
        if not _median(z[hole]) > _median(z[ring]) + gap:  # also where the depth is unknown
            area += np.count_nonzero(hole)
    return area / max(1, np.count_nonzero(mask))


def refine(evidence: Evidence, ranked: Sequence[Hypothesis], gates: Gates, *, n: int = 3) -> Hypothesis:
    """The best pose that the best n hypotheses lead to; never worse than the best of them.

    All n are moved on the coarse grid, the best then on the fine one.

    Args:
        evidence: For the object.
        ranked: Best first, as from ``rank``.
        gates: What to try.
        n: How many hypotheses are moved.
    """
    found = [*ranked[:n], *(_moved(evidence, h, gates, fine=False, part=0.5, rounds=6) for h in ranked[:n])]
    found = [_finely(evidence, h) for h in found]
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
    return Hypothesis(sample=hypothesis.sample, placement=found[0], agreement=found[1])


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


def _finely(evidence: Evidence, hypothesis: Hypothesis) -> Hypothesis:
    """The hypothesis as the fine grid judges it."""
    place = hypothesis.placement
    return Hypothesis(sample=hypothesis.sample, placement=place, agreement=evidence.judge(place))


def _own_up(place: Placement) -> F64:
    """Yaw turns about the object's own y axis: it may lie on any side."""
    return place.R[:, 1]


def _around(labels: np.ndarray, depth: np.ndarray, id: int) -> tuple[Bool, np.ndarray, Bool]:
    """Mask, depth and pixels of no object in the box of an object's mask, with a pixel of room where there is some."""
    mask = labels == id
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return mask, depth, labels == 0
    part = np.s_[max(0, rows[0] - 1) : rows[-1] + 2, max(0, cols[0] - 1) : cols[-1] + 2]
    return mask[part], depth[part], labels[part] == 0


def _median(values: np.ndarray) -> float:
    """Of the finite values; NaN without any."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
