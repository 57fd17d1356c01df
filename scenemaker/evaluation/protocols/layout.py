"""Our own measures of where objects stand: those that tell poses apart."""

from __future__ import annotations

import numpy as np

from scenemaker.evaluation.measures.boxes import box_along, oriented_box_iou
from scenemaker.evaluation.measures.fitting import fitting_rotations
from scenemaker.evaluation.measures.symmetry import nearest_equivalent
from scenemaker.evaluation.measures.symmetry_search import symmetries_of
from scenemaker.evaluation.types import EvalObject, Measure, ScenePair, Scores
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, sample_surface

POINTS = 2048
DENSER = 16  # times more points in the clouds that distances are measured to
SAME = 2e-4  # of the longest side: clouds drawn alike from one mesh differ by rounding only
THIN = 1e-3  # of its longest side: a box is at least that thick
EVEN = 1e-3  # scales along three axes that differ by less are one; cosines below are right angles


class Layout:
    """Pose and size of every object, each by numbers that fall with it.

    Nothing is aligned beyond what brought the prediction into the ground truth's ``world``. Per object, with surfaces G
    (ground truth) and P (prediction) as placed, and the side of G the longest one of its box along its own axes:

    - ``add_s``: (mean over P of the distance to G + mean over G of the distance to P) / 2, over the side of G;
      ``add_s_2``, ``add_s_5``, ``add_s_10``: whether that is below 2, 5, 10 %. The ADD-S of Xiang et al. (PoseCNN, RSS
      2018, evaluation metrics) is the mean over the points of one model in the true pose of the distance to the nearest
      in the predicted pose; a predicted shape is another model, hence both ways, as SAM 3D does. Both divide by the
      diameter of G, 1 to 1.73 times its side. Means are over 2,048 points of each, distances to the 32,768 they are
      taken from; both clouds are drawn alike, so that the same mesh at the same place gives 0. Of a symmetric object
      in an equal pose it gives the spacing of those points, 0.7 % for a cube: nothing is subtracted.
    - ``rotation_deg``: angle between both R_world_obj up to the symmetries of G, which are found from its geometry
      (``measures.symmetry_search``); ``rot_15``: whether it is at most 15. R are compared as they are where both have
      one mesh in one frame: each centred on its box along its own axes and scaled to side 1, their clouds, drawn alike,
      differ by rounding (2e-4). Otherwise the frames of the two meshes have nothing to do with each other, and the
      rotation is the one that registers P, brought to the centre and spread of G, to G best (``measures.fitting``);
      only where clearly different ones fit as well within resampling noise, the smallest of those up to symmetries. The
      notes tell for how many. SAM 3D's ICP-Rot is this from one start, the predicted pose.
    - The others compare boxes: of G along its own axes, of P along its own once turned by the symmetry that brings them
      nearest to G's (when registered: along G's turned by the rotation found). ``translation``: distance of their
      centres over the longest side of the box of the true scene. ``size_ratio``: of their longest sides, the larger
      over the smaller; ``size_log``, in JSON only, is log(predicted / true). ``iou_obb``: their IoU; no box is taken
      for thinner than 0.1 % of its longest side.

    Unequal scales along the axes, shear and mirroring belong to the shape; the rotation of a placement is that of its
    polar decomposition. The notes tell how many are mirrored or sheared. A missing object counts as IoU 0, 180 degrees,
    ADD-S failed; its distances and size cannot be told. Extra objects count nowhere. Means are over all objects alike.
    """

    title = "Layout"
    source = "ours; ADD-S after Xiang et al., PoseCNN, RSS 2018; ICP-Rot after SAM 3D, arXiv 2511.16624, appendix D.3.2"
    measures = (
        Measure(
            key="add_s",
            title="ADD-S",
            level="object",
            better="lower",
            text="mean distance of the surfaces as placed, both ways, over the object's longest side",
            pool="objects",
        ),
        *(
            Measure(
                key=f"add_s_{share}",
                title=f"<{share}%",
                level="object",
                better="higher",
                text=f"share of objects with ADD-S below {share} % of their longest side",
                missing=0,
                pool="objects",
                digits=3,
            )
            for share in (2, 5, 10)
        ),
        Measure(
            key="rotation_deg",
            title="rot deg",
            level="object",
            better="lower",
            text="angle between predicted and true rotation up to the object's symmetries, in degrees",
            missing=180,
            pool="objects",
            digits=1,
        ),
        Measure(
            key="rot_15",
            title="<15deg",
            level="object",
            better="higher",
            text="share of objects turned by at most 15 degrees up to their symmetries",
            missing=0,
            pool="objects",
            digits=3,
        ),
        Measure(
            key="translation",
            title="trans",
            level="object",
            better="lower",
            text="distance of the centres of the oriented boxes, over the longest side of the scene's box",
            pool="objects",
        ),
        Measure(
            key="size_ratio",
            title="size x",
            level="object",
            better="lower",
            text="longest side of the predicted box over that of the true one, or its inverse, whichever is above 1",
            pool="objects",
            digits=3,
        ),
        Measure(
            key="iou_obb",
            title="IoU-OBB",
            level="object",
            better="higher",
            text="IoU of the boxes along the objects' own axes, up to their symmetries",
            missing=0,
            pool="objects",
            digits=3,
        ),
    )

    def __init__(self, *, points: int = POINTS) -> None:
        """Measures with so many points per object."""
        self.points = points
        self.name = "layout" if points == POINTS else f"layout@{points}"

    def __call__(self, pair: ScenePair) -> Scores:
        """Measures one pair."""
        rows: list[dict[str, float | None] | None] = []
        placed: list[tuple[_Placed, _Placed]] = []
        registered = 0
        for i, k in enumerate(pair.partners):
            pred_mesh = pair.pred_meshes[i]
            if pred_mesh is None or k is None:
                rows.append(None)
                continue
            cloud = {"points": self.points, "seed": int(np.random.SeedSequence([pair.seed, i]).generate_state(1)[0])}
            gt = _Placed(pair.gt.objects[i], pair.gt.T_world_frame, pair.gt_meshes[i], **cloud)
            pred = _Placed(pair.pred.objects[k], pair.alignment.S_world_pred, pred_mesh, **cloud)
            same = _same_mesh(pred, gt)
            registered += not same
            R = _nearest(pred, gt, pred.R[None] if same else _registered(pred, gt))
            rows.append(_row(pred, gt, R, pair.scene_size))
            placed.append((pred, gt))
        return Scores(scene={}, objects=tuple(rows), notes=_notes(placed, registered))


class _Placed:
    """An object in ``world``.

    Attributes:
        R: (3, 3) R_world_obj.
        centre: (3,) of its box along its own axes.
        side: Longest side of that box.
        dense, points: Surface points (n, 3); the second are a part of the first.
        shape: Its mesh with axes along R.
        mirrored, sheared: What its place does to its mesh.
    """

    def __init__(self, item: EvalObject, S_world_frame: F64, mesh: Mesh, *, points: int, seed: int) -> None:
        from scipy.spatial import KDTree

        if item.mesh is None or item.S_frame_obj is None:
            raise ValueError(f"{item.name} has no mesh or no place")  # asked for placed objects only
        A = (S_world_frame @ item.S_frame_obj)[:3, :3]
        U, scales, Vt = np.linalg.svd(A)
        self.mirrored = bool(np.linalg.det(U @ Vt) < 0)
        self.R = -U @ Vt if self.mirrored else U @ Vt
        across, lengths = np.abs(A.T @ A - np.diag((A**2).sum(0))), np.linalg.norm(A, axis=0)
        self.sheared = bool((across > EVEN * np.outer(lengths, lengths)).any())
        self.mesh, self.seed = mesh, seed
        box = box_along(mesh.vertices, self.R)
        self.centre, self.side = box[:3, 3], float(np.linalg.norm(box[:3, :3], axis=0).max())
        self.dense, self.face = sample_surface(mesh, DENSER * points, seed=seed)
        self.points = self.dense[::DENSER]
        self.tree = KDTree(self.dense)
        own = not self.mirrored and scales[0] - scales[-1] <= EVEN * scales[0]
        self.shape = item.mesh if own else mesh.transformed(transforms.rigid(self.R.T, np.zeros(3)))

    def to_own(self, points: F64) -> F64:
        """(n, 3) points of ``world`` along its own axes, its box centred and of side 1."""
        return (points - self.centre) @ self.R / self.side

    def to_world(self, points: F64) -> F64:
        """The inverse of ``to_own``."""
        return points @ self.R.T * self.side + self.centre

    def distance(self, points: F64) -> float:
        """Mean distance of points (n, 3) in ``world`` to its surface, over its side."""
        return float(np.mean(self.tree.query(points)[0])) / self.side


def _notes(placed: list[tuple[_Placed, _Placed]], registered: int) -> tuple[str, ...]:
    """What the user should know of the objects that have a partner."""
    n = len(placed)
    notes = [f"{registered} of {n} rotations are by registration: these meshes are not the ground truth's"]
    notes = notes if registered else []
    for k, whose in enumerate(("predicted", "true")):
        for what, many in (
            ("mirrored", sum(both[k].mirrored for both in placed)),
            ("sheared", sum(both[k].sheared for both in placed)),
        ):
            if many:
                notes.append(f"{many} of {n} {whose} objects {what} by their placement, which counts as shape")
    return tuple(notes)


def _same_mesh(pred: _Placed, gt: _Placed) -> bool:
    """Whether both have one mesh in one frame."""
    there, back = gt.distance(gt.to_world(pred.to_own(pred.points))), pred.distance(pred.to_world(gt.to_own(gt.points)))
    return (there + back) / 2 <= SAME


def _registered(pred: _Placed, gt: _Placed) -> F64:
    """(k, 3, 3) rotations that ground truth's mesh would have if it stood as the prediction does."""
    a, b, c = np.moveaxis(gt.mesh.triangles[gt.face] / gt.side, 1, 0)
    normals = transforms.unit(np.cross(b - a, c - a))
    fits = fitting_rotations(pred.dense @ gt.R, gt.dense @ gt.R, normals @ gt.R)
    return gt.R @ fits.swapaxes(1, 2)


def _nearest(pred: _Placed, gt: _Placed, R_world_obj: F64) -> F64:
    """(3, 3) the rotation nearest to the ground truth's, up to its symmetries, of those in question (k, 3, 3)."""
    symmetries = symmetries_of(gt.shape)
    equal = [nearest_equivalent(R, gt.R, symmetries) for R in R_world_obj]
    return min(equal, key=lambda R: transforms.rotation_angle_deg(R, gt.R))


def _row(pred: _Placed, gt: _Placed, R_pred: F64, scene_size: float) -> dict[str, float | None]:
    add_s = (pred.distance(gt.points) * pred.side / gt.side + gt.distance(pred.points)) / 2
    rotation_deg = transforms.rotation_angle_deg(R_pred, gt.R)
    box_pred, box_gt = _box(pred, R_pred), _box(gt, gt.R)
    sides_pred, sides_gt = (np.linalg.norm(box[:3, :3], axis=0) for box in (box_pred, box_gt))
    size = float(sides_pred.max() / sides_gt.max())
    return {
        "add_s": add_s,
        **{f"add_s_{share}": float(add_s < share / 100) for share in (2, 5, 10)},
        "rotation_deg": rotation_deg,
        "rot_15": float(rotation_deg <= 15),
        "translation": float(np.linalg.norm(box_pred[:3, 3] - box_gt[:3, 3])) / scene_size,
        "size_ratio": max(size, 1 / size),
        "size_log": float(np.log(size)),
        "iou_obb": oriented_box_iou(box_pred, box_gt),
    }


def _box(placed: _Placed, R: F64) -> F64:
    """(4, 4) its box along the columns of R."""
    box = box_along(placed.mesh.vertices, R)
    sides = np.linalg.norm(box[:3, :3], axis=0)
    return transforms.similarity(R, box[:3, 3], np.maximum(sides, THIN * sides.max()))
