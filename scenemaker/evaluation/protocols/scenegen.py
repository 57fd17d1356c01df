"""SceneGen's measures of geometry."""

from __future__ import annotations

import numpy as np

from scenemaker.evaluation.measures.boxes import aligned_box_iou, bounds_of
from scenemaker.evaluation.measures.filterreg import filterreg
from scenemaker.evaluation.measures.points import Nearest, chamfer_squared, fscore, nearest_distances
from scenemaker.evaluation.protocols.midi import stretched
from scenemaker.evaluation.types import Clouds, Measure, ScenePair, Scores
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64

POINTS = 10240
HALF_SIDE = 0.98
THRESHOLD = 0.1


class SceneGen:
    """SceneGen's tables of geometry: registration by FilterReg, boxes compared after it.

    Clouds: 10,240 surface points per object; a scene is the union of its objects.

    Frame: the ground truth's ``world``, moved and scaled so that the box of the ground-truth scene has its centre at 0
    and its longest side spans [-0.98, 0.98]; the same map for the prediction. (The published evaluation reads files
    as they are. Those of its data set are scaled so, and its own exporter scales each prediction by the prediction's
    own box; here predictions of all systems come as the pair's alignment placed them.)

    Scene: the predicted cloud is moved onto the ground truth's by FilterReg, rigid, with a Gaussian of fixed variance,
    at most 200 steps (``measures.filterreg``, which tells how far this leaves a perfect prediction from the truth).
    Then, with d(a, B) the distance from a to the nearest point of B, over predicted points P and true points G:
      CD-S = mean_P d(p, G)^2 + mean_G d(g, P)^2;
      F-S = 2 p r / (p + r), with the precision p the share of P with d(p, G) < 0.1 and the recall r that of G.
    A perfect prediction is moved off by it: over fourteen made scenes of 2 to 5 objects it has a CD-S of 0.0017 and an
    IoU-B of 0.74 (not 1), in the public code as here.
    Its steps end when FilterReg's cost changes by less than 1e-4, the default of its ``point_alignment``: the
    ``alignment_tolerance`` of its configuration is read by nothing.

    Object: IoU-B is the IoU of the boxes of both clouds along the axes of ``world``, after the registration of the
    scene; 0 where both have no volume. For CD-O and F-O each cloud, before that registration, is stretched to
    [-0.95, 0.95] along every axis by itself (an axis without extent is left at its scale), moved by a FilterReg of its
    own, and measured as the scene is. Tables average over all objects of all scenes alike.

    A missing object counts as IoU-B 0 and F-O 0 and has no CD-O; the scene cloud lacks it. Extra objects are in the
    scene cloud only. Nothing predicted: F-S 0 and no CD-S. (The published code needs as many predicted objects as true
    ones, in the same order, and leaves out scenes where that fails.)

    Not here: the measures of rendered pictures (PSNR, SSIM, LPIPS, FID, CLIP, DINOv2), which need Blender's renderings
    of its data set and the weights of four networks.

    Reference: Meng et al., "SceneGen: Single-Image 3D Scene Generation in One Feedforward Pass", 3DV 2026; SceneGen,
    evalscene/systems/scene_system.py:113-225 and 462-502, evalscene/metrics/{alignment,geom_metrics}.py,
    evalscene/configs/test/scene_evaluation_scenegen.yaml; scale of the data: dataset_toolkits/build_scene.py:151-171.
    """

    name = "scenegen"
    title = "SceneGen"
    source = "SceneGen, evalscene/systems/scene_system.py, evalscene/configs/test/scene_evaluation_scenegen.yaml"
    measures = (
        Measure(
            key="cd_s",
            title="CD-S",
            level="scene",
            better="lower",
            text="Chamfer distance of the scene after FilterReg: mean squared distance both ways, summed; the scene's "
            "longest side is 1.96.",
        ),
        Measure(
            key="f_s",
            title="F-S",
            level="scene",
            better="higher",
            text="F-score of the scene at distance 0.1 after FilterReg; the scene's longest side is 1.96.",
            missing=0.0,
        ),
        Measure(
            key="iou_b",
            title="IoU-B",
            level="object",
            better="higher",
            text="IoU of the boxes along the axes of the ground truth's world, after the scene's FilterReg.",
            missing=0.0,
            pool="objects",
        ),
        Measure(
            key="cd_o",
            title="CD-O",
            level="object",
            better="lower",
            text="Chamfer distance of the object, stretched to [-0.95, 0.95] along every axis, after FilterReg: mean "
            "squared distance both ways, summed.",
            pool="objects",
        ),
        Measure(
            key="f_o",
            title="F-O",
            level="object",
            better="higher",
            text="F-score at distance 0.1 of the object, stretched to [-0.95, 0.95] along every axis, after FilterReg.",
            missing=0.0,
            pool="objects",
        ),
    )

    def __init__(self, *, points: int = POINTS) -> None:
        """Args:
        points: Surface points per object.
        """
        self.points = points
        if points != POINTS:
            self.name = f"{type(self).name}@{points}"

    def __call__(self, pair: ScenePair) -> Scores:
        """Measures one pair."""
        S = transforms.centring(np.concatenate([m.bounds for m in pair.gt_meshes]), 2 * HALF_SIDE)
        return scores_of(pair.clouds(self.points).transformed(S))


def scores_of(clouds: Clouds) -> Scores:
    """``SceneGen``'s measures of clouds that are in its frame."""
    scene: dict[str, float | None] = {"cd_s": None, "f_s": 0.0}
    objects: list[dict[str, float | None] | None] = [None] * len(clouds.gt)
    if not len(clouds.scene_pred):
        return Scores(scene=scene, objects=tuple(objects))
    found = filterreg(clouds.scene_pred, clouds.scene_gt)
    near = nearest_distances(found.moved, clouds.scene_gt)
    scene = {"cd_s": chamfer_squared(near), "f_s": fscore(near, THRESHOLD)}
    for i, p, g in clouds.matched:
        iou = aligned_box_iou(bounds_of(transforms.apply(found.T, p)), bounds_of(g))
        near = _near_alone(stretched(p), stretched(g))
        objects[i] = {"iou_b": iou, "cd_o": chamfer_squared(near), "f_o": fscore(near, THRESHOLD)}
    return Scores(scene=scene, objects=tuple(objects))


def _near_alone(pred: F64, gt: F64) -> Nearest:
    return nearest_distances(filterreg(pred, gt).moved, gt)
