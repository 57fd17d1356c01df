"""SceneMaker's measures: its tables' script, corrected and as published, and its validation's copy of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenemaker.evaluation.measures.boxes import aligned_box_iou, bounds_of
from scenemaker.evaluation.measures.points import chamfer_squared, fscore, nearest_distances
from scenemaker.evaluation.measures.rigid import icp_together
from scenemaker.evaluation.types import Measure, ScenePair, Scores
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64

POINTS = 20480
THRESHOLD = 0.1


class SceneMakerTables:
    """SceneMaker's table script (both of its ICPs on), with the transposed V of its registration put right.

    Clouds: 20,480 surface points per object; a scene is the union of its objects.

    Scene: the predicted and the true cloud are normalised each by itself, 1.9 (x - lo) / longest - 0.95 with the
    lowest corner lo and the longest side of its own box, so that scale and place of the whole scene do not count. The
    predicted one is then moved by rigid ICP (``measures.rigid``: all points, at most 50 steps, tolerance 1e-5).
      CD-S = mean squared distance to the nearest point, both ways, summed; F-S = F-score at distance 0.1, of both.
      IoU-B (scene) = IoU of ONE box along the axes around each whole scene, after the ICP: the script's ``iou_bbox``.

    Object: taken of the normalised scenes, before the ICP.
      IoU-B (objects) = IoU of its two boxes there: what ``iou_bbox`` is in the other copy of the code.
    Then every object has its lowest corner put at -0.95 and is scaled by 1.9 / (longest side of ANY object of its
    scene), predicted and true by their own, so that sizes count among objects and places do not; and is moved by the
    same ICP (those of one scene's objects stop together, when the mean over the points of all of them settles).
      CD-O and F-O as above; Volume IoU = IoU of the boxes along the axes after that ICP (of boxes, despite its name).

    A missing object counts as both IoU 0 and F-O 0 and has no CD-O; the scene cloud lacks it, and the longest side
    among objects is that of the objects with a partner, on both sides. Extra objects are in the scene cloud only.
    Nothing predicted: IoU-B (scene) 0, F-S 0 and no CD-S.

    Differs from the published code: the rotation of ICP is V U^T and not V^T U^T (see ``SceneMakerPublished``); the
    longest side is that of the boxes, where the code takes 1 for it if it is less than 1 and any box is flat (it puts 1
    for every side that is 0, to divide by, before it looks for the longest); float64.

    Reference: Shi et al., "SceneMaker", arXiv 2512.10957; IDEA-Research/SceneMaker, utils/compute_metrics.py.
    """

    name = "scenemaker"
    title = "SceneMaker (corrected)"
    source = "SceneMaker, utils/compute_metrics.py; V of its ICP put right"
    measures = (
        Measure(
            key="cd_s",
            title="CD-S",
            level="scene",
            better="lower",
            text="Chamfer distance of the scenes, each normalised to a longest side of 1.9: mean squared distance both "
            "ways, summed.",
        ),
        Measure(
            key="f_s",
            title="F-S",
            level="scene",
            better="higher",
            text="F-score at distance 0.1 of the scenes, each normalised to a longest side of 1.9.",
            missing=0.0,
        ),
        Measure(
            key="iou_b_scene",
            title="IoU-B (scene)",
            level="scene",
            better="higher",
            text="IoU of one box along the axes around each whole normalised scene, after registration.",
            missing=0.0,
        ),
        Measure(
            key="iou_b_objects",
            title="IoU-B (objects)",
            level="object",
            better="higher",
            text="IoU of the object's boxes along the axes in the normalised scenes, before registration.",
            missing=0.0,
        ),
        Measure(
            key="cd_o",
            title="CD-O",
            level="object",
            better="lower",
            text="Chamfer distance of the object, lowest corners together, the longest of all being 1.9: "
            "mean squared distance both ways, summed.",
        ),
        Measure(
            key="f_o",
            title="F-O",
            level="object",
            better="higher",
            text="F-score at distance 0.1 of the object, lowest corners together, the longest of all being 1.9.",
            missing=0.0,
        ),
        Measure(
            key="volume_iou",
            title="Volume IoU",
            level="object",
            better="higher",
            text="IoU of the object's boxes along the axes, lowest corner to lowest corner, after registration.",
            missing=0.0,
        ),
    )
    _registered = True
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
        clouds = pair.clouds(self.points)
        if not len(clouds.scene_pred):
            nothing: dict[str, float | None] = {"cd_s": None, "f_s": 0.0, "iou_b_scene": 0.0}
            return Scores(scene=nothing, objects=(None,) * len(clouds.gt))
        S_pred, S_gt = self._to_corner([clouds.scene_pred])[0], self._to_corner([clouds.scene_gt])[0]
        pred, gt = transforms.apply(S_pred, clouds.scene_pred), transforms.apply(S_gt, clouds.scene_gt)
        scene = self._scores([pred], [gt], ("cd_s", "f_s", "iou_b_scene"))[0]

        which = [i for i, _, _ in clouds.matched]
        preds = [transforms.apply(S_pred, p) for _, p, _ in clouds.matched]
        gts = [transforms.apply(S_gt, g) for _, _, g in clouds.matched]
        in_scene = [aligned_box_iou(bounds_of(p), bounds_of(g)) for p, g in zip(preds, gts, strict=True)]
        preds = [transforms.apply(S, p) for S, p in zip(self._to_corner(preds), preds, strict=True)]
        gts = [transforms.apply(S, g) for S, g in zip(self._to_corner(gts), gts, strict=True)]
        alone = self._scores(preds, gts, ("cd_o", "f_o", "volume_iou"))
        objects: list[dict[str, float | None] | None] = [None] * len(clouds.gt)
        for i, iou, values in zip(which, in_scene, alone, strict=True):
            objects[i] = {"iou_b_objects": iou, **values}
        return Scores(scene=scene, objects=tuple(objects))

    def _scores(
        self, preds: Sequence[F64], gts: Sequence[F64], keys: tuple[str, str, str]
    ) -> list[dict[str, float | None]]:
        """Chamfer distance, F-score and IoU of the boxes, after the registration where there is one."""
        if self._registered:
            preds = [f.moved for f in icp_together(preds, gts, published=self._published, workers=self.workers)]
        out: list[dict[str, float | None]] = []
        for p, g in zip(preds, gts, strict=True):
            near = nearest_distances(p, g, workers=self.workers)
            values = chamfer_squared(near), fscore(near, THRESHOLD), aligned_box_iou(bounds_of(p), bounds_of(g))
            out.append(dict(zip(keys, values, strict=True)))
        return out

    def _to_corner(self, clouds: Sequence[F64]) -> list[F64]:
        """(4, 4) of each cloud: its lowest corner to -0.95, the longest side of any of them to 1.9."""
        sides = np.array([np.ptp(c, axis=0) for c in clouds]).reshape(-1, 3)
        if self._published:
            sides[sides == 0] = 1
        scale = 1.9 / (sides.max(initial=0) or 1.0)  # points all in one place, or no clouds
        return [transforms.similarity(np.eye(3), -scale * c.min(0) - 0.95, scale) for c in clouds]


class SceneMakerPublished(SceneMakerTables):
    """``SceneMakerTables`` as published, errors included, to compare with the published tables.

    Its ICP is MIDI's, which takes V for V^T (see ``MidiPublished``), and a flat box counts as one of side 1 when the
    longest side of any object is looked for.

    Reference: IDEA-Research/SceneMaker, utils/compute_metrics.py; its ICP is a copy of MIDI-3D's.
    """

    name = "scenemaker-published"
    title = "SceneMaker (as published)"
    source = "SceneMaker, utils/compute_metrics.py"
    _published = True


class SceneMakerValidation(SceneMakerTables):
    """SceneMaker's measures as its training validates with them: the same normalisations and no ICP anywhere.

    What that code prints as ``iou_bbox`` is IoU-B (objects); it has neither IoU-B (scene) nor Volume IoU, which are
    here what the tables' script gives with its ICPs off. A flat box counts as one of side 1, as published.

    Reference: IDEA-Research/SceneMaker, craftsman/systems/direct_unify_flow.py, ``compute_metrics``.
    """

    name = "scenemaker-validation"
    title = "SceneMaker (validation, no ICP)"
    source = "SceneMaker, craftsman/systems/direct_unify_flow.py: compute_metrics"
    _registered = False
    _published = True
