"""PartCrafter's measures of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from scenemaker.evaluation.measures import points as clouds
from scenemaker.evaluation.measures.clipping import joined
from scenemaker.evaluation.measures.volume import Cells, filled, filled_voxels, touched_voxels, voxel_iou
from scenemaker.evaluation.protocols.midi import S_unit_world
from scenemaker.evaluation.types import Measure, ScenePair, Scores, mean_or_none
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import sample_surface

POINTS = 10_000
LONGEST = 4  # scenes: 256 voxels
FARTHEST = 2**20 - 1  # cells from the middle


class PartCrafter:
    """Whole scenes, with nothing aligned, and how much the predicted objects reach into each other.

    Frame: both scenes are moved and scaled alike so that the ground truth is centred on its box and its longest side
    spans [-1, 1], the frame that PartCrafter is trained in (src/utils/data_utils.py:8-20). No further alignment.

    Points: 10,000 on all objects of a scene together, by area (a large object gets more of them).

    - ``cd``: mean distance from predicted to ground-truth points, plus the mean the other way (metric_utils.py:55-63).
    - ``fscore``: F-score at distance 0.1 (:65-90).
    - ``voxel_iou``: IoU of the voxels that both scenes touch or enclose, on a lattice of pitch 2/64 (:110-135). The
      published code calls it for parts only.
    - ``overlap``: the mean of that IoU over all pairs of *predicted* objects (:137-161); less is better. It does not
      look at the ground truth: a prediction of objects far apart has none.

    Missing objects are absent from the predicted scene, extra ones are in it. A scene without a prediction scores F 0
    and voxel IoU 0, and has no Chamfer distance; one with fewer than two predicted objects has no overlap.

    A predicted object that cannot stand in such a scene is not voxelised, as time and memory grow with the cube of its
    size: one over 4 times as long as the scene, or over 16,384 scenes away. Then voxel IoU counts as 0 (for a solid it
    is below 0.02 anyway), overlap is not told, and a note says so. Where only the box around all predicted objects is
    that large, each is voxelised by itself: what they enclose together but none alone is then not filled.

    Unlike the published code: an F-score of no near point is 0 and not NaN; a part that could not be decoded is left
    out, where the published code puts a triangle of no size at the origin; surface points are stratified over the area
    (less noise, same mean). The repository holds no script for the paper's tables, and its training has Chamfer and
    F-score switched off (src/train_partcrafter.py:925-945): how the functions are used is taken from their names and
    defaults, and from datasets/preprocess/calculate_iou.py, which takes the overlap of scenes normalised so.

    Reference: PartCrafter (arXiv 2506.05573); wgsxm/PartCrafter, src/utils/metric_utils.py.
    """

    name = "partcrafter"
    title = "PartCrafter"
    source = "arXiv 2506.05573; wgsxm/PartCrafter src/utils/metric_utils.py:55-161"
    measures = (
        Measure(
            key="cd",
            title="CD",
            level="scene",
            better="lower",
            text="Mean distance both ways, summed; the ground-truth scene spans [-1, 1].",
        ),
        Measure(
            key="fscore",
            title="F@0.1",
            level="scene",
            better="higher",
            text="F-score at distance 0.1; the ground-truth scene spans [-1, 1].",
            missing=0.0,
        ),
        Measure(
            key="voxel_iou",
            title="Voxel IoU",
            level="scene",
            better="higher",
            text="IoU of the filled voxels of both scenes, 64 along [-1, 1].",
            missing=0.0,
        ),
        Measure(
            key="overlap",
            title="Self-overlap",
            level="scene",
            better="lower",
            text="Mean filled-voxel IoU over pairs of predicted objects.",
        ),
    )

    def __init__(self, *, points: int = POINTS, num_grids: int = 64) -> None:
        """Settings.

        Args:
            points: Per scene.
            num_grids: Voxels along [-1, 1].
        """
        self.points, self.pitch = points, 2 / num_grids
        changed = [str(points)] * (points != POINTS) + [f"{num_grids}^3"] * (num_grids != 64)
        self.name = "@".join(["partcrafter", *changed])

    def __call__(self, pair: ScenePair) -> Scores:
        """Measures one pair."""
        S = S_unit_world(pair)
        gt = [m.transformed(S) for m in pair.gt_meshes]
        pred = [m.transformed(S) for m in (*pair.pred_meshes, *pair.extra_meshes) if m is not None]
        nothing = (None,) * len(pair.partners)
        objects = tuple(None if m is None else {} for m in pair.pred_meshes)
        if not pred:
            return Scores(scene={"cd": None, "fscore": 0.0, "voxel_iou": 0.0, "overlap": None}, objects=nothing)
        whole_pred, whole_gt = joined(pred), joined(gt)
        near = clouds.nearest_distances(
            sample_surface(whole_pred, self.points, seed=pair.seed + 1)[0],
            sample_surface(whole_gt, self.points, seed=pair.seed)[0],
        )
        scene: dict[str, float | None] = {"cd": clouds.chamfer(near), "fscore": clouds.fscore(near, 0.1)}
        beyond = sum(not self._fits(m.bounds) for m in pred)
        if beyond:
            note = f"{beyond} of {len(pred)} predicted objects not voxelised, too large or too far away: voxel IoU is 0"
            return Scores(scene={**scene, "voxel_iou": 0.0, "overlap": None}, objects=objects, notes=(note,))
        touched = [touched_voxels(m, self.pitch) for m in pred]
        parts = [filled(cells) for cells in touched]
        together = self._fits(whole_pred.bounds)
        union = filled(np.concatenate(touched)) if together else np.unique(np.concatenate(parts))
        scene["voxel_iou"] = voxel_iou(union, filled_voxels(whole_gt, self.pitch))
        scene["overlap"] = self_overlap(parts)
        return Scores(scene=scene, objects=objects)

    def _fits(self, bounds: F64) -> bool:
        """Whether what is in a box (2, 3) of the scene's frame is voxelised in seconds, in voxels that have numbers."""
        return bool(np.ptp(bounds, axis=0).max() <= 2 * LONGEST and np.abs(bounds).max() < FARTHEST * self.pitch)


def self_overlap(parts: Sequence[Cells]) -> float | None:
    """Mean voxel IoU over all pairs of parts, each the voxels that one fills; None for fewer than two."""
    return mean_or_none([voxel_iou(a, b) for a, b in combinations(parts, 2)])
