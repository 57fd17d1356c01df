"""Gen3DSR's measures."""

from __future__ import annotations

from scenemaker.evaluation.measures.clipping import area, cut, frustum_normals, joined
from scenemaker.evaluation.measures.points import Nearest, chamfer, fscore, nearest_distances
from scenemaker.evaluation.types import Measure, ScenePair, Scores
from scenemaker.geometry.mesh import Mesh, sample_surface

POINTS = 1_000_000
THRESHOLDS = (0.1, 0.01, 0.001)


def _percentages(key: str, title: str, text: str) -> tuple[Measure, ...]:
    return tuple(
        Measure(
            key=f"{key}_{t}",
            title=f"{title}@{t}",
            level="scene",
            better="higher",
            text=f"{text.format(t)}, in percent; the distance is in the ground truth's unit.",
            missing=0.0,
            digits=2,
        )
        for t in THRESHOLDS
    )


class Gen3dsr:
    """Gen3DSR's table, objects only (its ``--wo_bg``): surfaces in view, no registration, distances in metres.

    Surfaces: the union of all predicted objects, with and without a partner, and the union of all true ones, in the
    ground truth's ``world`` and unit. Where the ground truth comes with a camera, both are cut by the four side planes
    of its picture (no near and no far plane); a bare file has none and is not cut, and a note says so.

    Clouds: 1,000,000 points of each union, evenly by area, so that large objects count more than small ones.

    Measures: with d(a, B) the distance from a to the nearest point of B, over predicted points P and true points G:
      Chamfer = (mean_P d(p, G) + mean_G d(g, P)) / 2, not squared;
      P@t = 100 x share of P with d(p, G) < t, R@t = 100 x share of G with d(g, P) < t, F1@t = 2 P R / (P + R), for
      t = 0.1, 0.01 and 0.001.
    No registration: everything rests on how the pair was aligned. The published thresholds are metres; where the
    ground truth is not known to be metric a note says so.

    A missing object is missing from the union, and its points count against the recall. Nothing predicted, or nothing
    of it in view: all percentages 0 and no Chamfer distance. (The published code leaves such a scene out of its means.)
    Nothing true in view: no measure at all.

    Differs from the published code: it cuts the prediction only and takes the ground-truth file as it is, made for its
    data set. Here true objects are whole, so they are cut as well, or a perfect prediction would miss the parts out of
    view; a note tells how much that was. Without a background the depth-made walls and floors are in neither side. Its
    F1 has 1e-6 added below the line (at most 5e-7 percent less).

    Cost: two trees of the points and two queries of all of them; other numbers of points are in the name,
    "gen3dsr@100000". F1@0.001 falls with fewer points, as the distance between samples nears the threshold.

    Reference: Ardelean et al., "Gen3DSR: Generalizable 3D Scene Reconstruction via Divide and Conquer from a Single
    View", 3DV 2025; Gen3DSR, src/eval_front.py:29-82 and src/util.py, ``compute_frustum_planes``.
    """

    name = "gen3dsr"
    title = "Gen3DSR (objects)"
    source = "Gen3DSR, src/eval_front.py, --wo_bg"
    measures = (
        Measure(
            key="cd",
            title="Chamfer",
            level="scene",
            better="lower",
            text="Mean distance both ways, halved sum, of the surfaces in view, in the ground truth's unit.",
        ),
        *_percentages("f1", "F1", "Harmonic mean of precision and recall at distance {} of the surfaces in view"),
        *_percentages("p", "P", "Share of the predicted surface within {} of the true one"),
        *_percentages("r", "R", "Share of the true surface within {} of the predicted one"),
    )

    def __init__(self, *, points: int = POINTS, workers: int = 1) -> None:
        """Args:
        points: On each of the two surfaces.
        workers: Threads; does not change the result.
        """
        self.points = points
        self.workers = workers
        if points != POINTS:
            self.name = f"{type(self).name}@{points}"

    def __call__(self, pair: ScenePair) -> Scores:
        """Measures one pair."""
        whole = joined(pair.gt_meshes)
        gt = _in_view(pair, whole)
        found = [m for m in (*pair.pred_meshes, *pair.extra_meshes) if m is not None]
        pred = _in_view(pair, joined(found)) if found else None
        if gt is None:
            scene = dict.fromkeys((m.key for m in self.measures), None)
        elif pred is None:
            scene = {m.key: m.missing for m in self.measures}
        else:
            points_gt, _ = sample_surface(gt, self.points, seed=pair.seed)
            points_pred, _ = sample_surface(pred, self.points, seed=pair.seed + 1)
            scene = scores_of(nearest_distances(points_pred, points_gt, workers=self.workers))
        objects = tuple(None if m is None else {} for m in pair.pred_meshes)
        return Scores(scene=scene, objects=objects, notes=_notes(pair, whole, gt, pred))


def scores_of(near: Nearest) -> dict[str, float | None]:
    """``Gen3dsr``'s measures of the distances between two clouds."""
    scores: dict[str, float | None] = {"cd": chamfer(near) / 2}
    for t in THRESHOLDS:
        scores[f"f1_{t}"] = 100 * fscore(near, t)
        scores[f"p_{t}"] = 100 * float((near.pred_to_gt < t).mean())
        scores[f"r_{t}"] = 100 * float((near.gt_to_pred < t).mean())
    return scores


def _in_view(pair: ScenePair, mesh: Mesh) -> Mesh | None:
    """What the ground truth's camera can see of a mesh in ``world`` if nothing hides it; None where no area is left."""
    seen: Mesh | None = mesh
    if pair.gt.scene is not None:
        camera = pair.gt.scene.camera
        seen = cut(mesh, camera.centre_world, frustum_normals(camera))
    return seen if seen is not None and area(seen) > 0 else None


def _notes(pair: ScenePair, whole: Mesh, gt: Mesh | None, pred: Mesh | None) -> tuple[str, ...]:
    notes = []
    if pair.gt.scene is None:
        notes.append("the ground truth has no camera: nothing is cut")
    if pair.gt.scene is None or pair.gt.scene.scale_kind != "metric":
        notes.append("the ground truth may not be in metres, as the thresholds are")
    if gt is None:
        return (*notes, "nothing of the ground truth is in the picture: not measured")
    away = 100 * (1 - area(gt) / area(whole))
    if away >= 0.05:
        notes.append(f"{away:.1f} % of the ground truth's surface is out of the picture and was cut away")
    if pred is None:
        notes.append("nothing of the prediction is in the picture")
    return tuple(notes)
