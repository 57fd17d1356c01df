"""MIDI's measures: corrected, as published, and a quick form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scenemaker.evaluation.measures.boxes import aligned_box_iou, bounds_of
from scenemaker.evaluation.measures.points import Nearest, chamfer_squared, fscore, nearest_distances, tree_of
from scenemaker.evaluation.measures.rigid import icp_together
from scenemaker.evaluation.types import Measure, ScenePair, Scores
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64

POINTS = 20480
THRESHOLD = 0.1
THINNED = 4096
DEVIATION = (
    "midi-fast: within 3.8 % (CD-S), 4.1 % (CD-O), 0.006 (F-S), 0.004 (F-O) of midi over 40 pairs; "
    "see benchmarks/evaluation_midi.py"
)


class Midi:
    """MIDI's tables, with the transposed V of its registration put right.

    Clouds: 20,480 surface points per object; a scene is the union of its objects.

    Frame: the ground truth's ``world``, moved and scaled so that the box of the ground-truth scene has its centre at 0
    and its longest side spans [-1, 1]; the same map for the prediction. (The published code normalises no scene: its
    data set comes that way.)

    Scene: the predicted cloud is moved onto the ground truth's by rigid ICP (``measures.rigid``: all points, at most
    50 steps, until the mean distance of the pairs changes by less than 1e-5). With d(a, B) the distance from a to the
    nearest point of B, over predicted points P and true points G:
      CD-S = mean_P d(p, G)^2 + mean_G d(g, P)^2;
      F-S = 2 p r / (p + r), with the precision p the share of P with d(p, G) < 0.1 and the recall r that of G.

    Object: IoU-B is the IoU of the boxes of both clouds along the axes of ``world``, before the ICP; 0 where both have
    no volume. For CD-O and F-O each cloud is stretched to [-0.95, 0.95] along every axis by itself (an axis without
    extent is left at its scale), moved by the same ICP, and measured as the scene is. The ICPs of one scene's objects
    stop together, as in the published code: when the mean over the points of all of them settles.

    A missing object counts as IoU-B 0 and F-O 0 and has no CD-O; the scene cloud lacks it. Extra objects are in the
    scene cloud only. Nothing predicted: F-S 0 and no CD-S.

    Differs from the published code: the rotation of ICP is V U^T and not V^T U^T (see ``MidiPublished``), nearest
    neighbours are exact in float64, and ground-truth points are sampled here, not read from the data set.

    Reference: Huang et al., "MIDI: Multi-Instance Diffusion for Single Image to 3D Scene Generation", CVPR 2025;
    MIDI-3D, midi/systems/system_midi.py:231-342 and midi/utils/metrics.py.
    """

    name = "midi"
    title = "MIDI (corrected)"
    source = "MIDI-3D, midi/systems/system_midi.py:231-342; V of its ICP put right"
    measures = (
        Measure(
            key="cd_s",
            title="CD-S",
            level="scene",
            better="lower",
            text="Chamfer distance of the scene after rigid ICP: mean squared distance both ways, summed; the scene's "
            "longest side is 2.",
        ),
        Measure(
            key="f_s",
            title="F-S",
            level="scene",
            better="higher",
            text="F-score of the scene at distance 0.1 after rigid ICP; the scene's longest side is 2.",
            missing=0.0,
        ),
        Measure(
            key="iou_b",
            title="IoU-B",
            level="object",
            better="higher",
            text="IoU of the boxes along the axes of the ground truth's world, before ICP.",
            missing=0.0,
        ),
        Measure(
            key="cd_o",
            title="CD-O",
            level="object",
            better="lower",
            text="Chamfer distance of the object, stretched to [-0.95, 0.95] along every axis, after rigid ICP: mean "
            "squared distance both ways, summed.",
        ),
        Measure(
            key="f_o",
            title="F-O",
            level="object",
            better="higher",
            text="F-score at distance 0.1 of the object, stretched to [-0.95, 0.95] along every axis, after rigid ICP.",
            missing=0.0,
        ),
    )
    _published = False

    def __init__(self, *, points: int = POINTS, workers: int = 1) -> None:
        """Args:
        points: Surface points per object.
        workers: Threads; does not change the result.
        """
        self.points = points
        self.workers = workers
        if points != POINTS:
            self.name = f"{type(self).name}@{points}"

    def __call__(self, pair: ScenePair) -> Scores:
        """Measures one pair."""
        clouds = pair.clouds(self.points).transformed(S_unit_world(pair))
        scene: dict[str, float | None] = {"cd_s": None, "f_s": 0.0}
        if len(clouds.scene_pred):
            near = self._near_after_icp([clouds.scene_pred], [clouds.scene_gt])[0]
            scene = {"cd_s": chamfer_squared(near), "f_s": fscore(near, THRESHOLD)}
        objects: list[dict[str, float | None] | None] = [None] * len(clouds.gt)
        found = clouds.matched
        nears = self._near_after_icp([stretched(p) for _, p, _ in found], [stretched(g) for _, _, g in found])
        for (i, p, g), near in zip(found, nears, strict=True):
            iou = aligned_box_iou(bounds_of(p), bounds_of(g))
            objects[i] = {"iou_b": iou, "cd_o": chamfer_squared(near), "f_o": fscore(near, THRESHOLD)}
        return Scores(scene=scene, objects=tuple(objects))

    def _near_after_icp(self, sources: Sequence[F64], targets: Sequence[F64]) -> list[Nearest]:
        found = icp_together(sources, targets, published=self._published, workers=self.workers)
        return [nearest_distances(f.moved, t, workers=self.workers) for f, t in zip(found, targets, strict=True)]


class MidiPublished(Midi):
    """``Midi`` with the published registration, error included, to compare with the published tables.

    Its ICP takes the V that ``torch.svd`` returns for V^T, so that R = V^T U^T: even a perfect prediction is turned
    away unless the scene's principal axes are the coordinate axes. That R also depends on the signs that the SVD
    chooses, so the number is a property of the linear algebra library too (see ``measures.rigid.icp_together``).

    The published form takes files as they are. Here the pair comes as its alignment left it: with ``auto`` scale, axes
    and place that the files leave open have been undone before. ``--align none`` takes the files as they are.

    Reference: MIDI-3D, midi/utils/metrics.py:229-241.
    """

    name = "midi-published"
    title = "MIDI (as published)"
    source = "MIDI-3D, midi/systems/system_midi.py:231-342, midi/utils/metrics.py:229-241"
    _published = True


class MidiFast(Midi):
    """``Midi`` for training loops and quick looks: 4,096 points of each cloud ask, all points answer.

    The same clouds, frames and equations as ``Midi``. But of every predicted cloud, of a scene or of an object, only
    4,096 points take part in the ICP, and only as many of either cloud have their distance to the other, whole cloud
    measured. Means over a part of the points keep what they estimate; both clouds thinned would not (the distance
    between two samples of one surface grows as they thin out).

    Deviation from ``Midi``, the largest over 40 pairs (``benchmarks/evaluation_midi.py``; also in the notes): CD-S
    3.8 %, CD-O 4.1 %, F-S 0.006, F-O 0.004. IoU-B is the same.
    """

    name = "midi-fast"
    title = "MIDI (corrected, quick)"
    source = f"{Midi.source}; thinned"

    def __call__(self, pair: ScenePair) -> Scores:
        """Measures one pair."""
        return replace(super().__call__(pair), notes=(DEVIATION,))

    def _near_after_icp(self, sources: Sequence[F64], targets: Sequence[F64]) -> list[Nearest]:
        found = icp_together([_thinned(s) for s in sources], targets, workers=self.workers)
        moved = [transforms.apply(f.T, s) for f, s in zip(found, sources, strict=True)]
        return [_near_thinned(m, t, self.workers) for m, t in zip(moved, targets, strict=True)]


def S_unit_world(pair: ScenePair) -> F64:
    """(4, 4) that puts the centre of the ground-truth scene's box at 0 and its longest side to 2."""
    return transforms.centring(np.concatenate([m.bounds for m in pair.gt_meshes]))


def stretched(cloud: F64) -> F64:
    """Points (n, 3) with every axis of their box mapped to [-0.95, 0.95]; an axis without extent keeps its scale."""
    lo, hi = bounds_of(cloud)
    extents = np.where(hi > lo, hi - lo, 1.0)
    return 1.9 * (cloud - lo) / extents - 0.95


def _thinned(cloud: F64) -> F64:
    """Evenly spread points of a cloud, which ``sample_surface`` lists by area: 4,096 or a few less."""
    return cloud[:: -(-len(cloud) // THINNED)]


def _near_thinned(pred: F64, gt: F64, workers: int) -> Nearest:
    pred_to_gt = tree_of(gt).query(_thinned(pred), workers=workers)[0]
    gt_to_pred = tree_of(pred).query(_thinned(gt), workers=workers)[0]
    return Nearest(np.asarray(pred_to_gt), np.asarray(gt_to_pred))
