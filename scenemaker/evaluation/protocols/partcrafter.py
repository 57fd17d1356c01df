"""PartCrafter's measures of a scene."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from scenemaker.evaluation.measures import points as clouds
from scenemaker.evaluation.measures.volume import filled_voxels, voxel_iou
from scenemaker.evaluation.types import Measure, ScenePair, Scores, mean_or_none
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, sample_surface

POINTS = 10_000


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
        S = _to_unit(pair.gt_meshes)
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
        scene = {
            "cd": clouds.chamfer(near),
            "fscore": clouds.fscore(near, 0.1),
            "voxel_iou": voxel_iou(filled_voxels(whole_pred, self.pitch), filled_voxels(whole_gt, self.pitch)),
            "overlap": self_overlap(pred, self.pitch),
        }
        return Scores(scene=scene, objects=objects)


def self_overlap(meshes: list[Mesh], pitch: float) -> float | None:
    """Mean voxel IoU over all pairs of meshes, which stand in one frame; None for fewer than two."""
    voxels = [filled_voxels(m, pitch) for m in meshes]
    return mean_or_none([voxel_iou(a, b) for a, b in combinations(voxels, 2)])


def joined(meshes: list[Mesh]) -> Mesh:
    """One mesh of the shapes of many, without colours."""
    offset = np.cumsum([0, *(len(m.vertices) for m in meshes[:-1])])
    faces = np.concatenate([m.faces + k for m, k in zip(meshes, offset, strict=True)])
    return Mesh(vertices=np.concatenate([m.vertices for m in meshes]), faces=faces)


def _to_unit(meshes: tuple[Mesh, ...]) -> F64:
    """(4, 4) that centres the box around all meshes on 0 and scales its longest side to 2."""
    bounds = np.array([m.bounds for m in meshes])
    low, high = bounds[:, 0].min(0), bounds[:, 1].max(0)
    scale = 2 / max(float((high - low).max()), 1e-12)
    return transforms.similarity(np.eye(3), -(low + high) / 2 * scale, scale)
