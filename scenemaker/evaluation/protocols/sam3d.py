"""SAM 3D's measures of shape and layout."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.evaluation.measures import points as clouds
from scenemaker.evaluation.measures.boxes import aligned_box_iou
from scenemaker.evaluation.measures.emd import emd
from scenemaker.evaluation.measures.rigid import icp
from scenemaker.evaluation.measures.volume import surface_voxels, voxel_iou
from scenemaker.evaluation.types import EvalObject, Measure, ScenePair, Scores
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, sample_surface

POINTS = 1_000_000


class Sam3d:
    """Shape and layout of every object by itself.

    Said in the paper: both meshes are normalised to [-1, 1] independently and aligned by ICP; 1 M points are sampled
    evenly on each; F-score at distance 0.01; IoU of the cells of a 64^3 grid that the two *clouds* occupy (the surface,
    not the volume); Chamfer distance and EMD between the clouds; IoU of axis-aligned boxes; ICP-Rot, the angle of the
    rotation by which ICP still turns one posed mesh onto the other; ADD(A, B) = mean over x in A of min over y in B of
    |x - y|, ADD-S = (ADD(M, M_gt) + ADD(M_gt, M)) / 2d with d the diameter of the ground-truth cloud; ADD-S at 0.1: 1
    where ADD-S < 0.1.

    Not said, and chosen here:

    - Normalisation is along the object's own axes (centred on its box, longest side 2), the result turned as it stands
      in ``world``: two systems' own axes need not face alike, and a box along the world's would change with the pose.
      So position and size of the prediction cost no shape; a turn beyond ICP's reach does.
    - ICP is point to point, rigid, from where the meshes stand, on 20,000 of the points, at most 50 iterations. One run
      serves shape and ICP-Rot: a rotation does not depend on centre and size. ICP falls into the nearest fit, so that
      ICP-Rot says little beyond about 45 degrees, and 0 for what looks alike after a turn.
    - Chamfer: mean distance, not squared, averaged over both ways. A sum of both would be at least 0.01 / F1, if small
      distances are at least as frequent as larger ones, and table 2 prints 0.0400 with F1 = 0.2344.
    - EMD: mean distance under the exact one-to-one match, on 2,048 of the points. Two samplings of one surface are
      about 0.04 apart: that is the floor.
    - The diameter is the one of the mesh, the limit of a cloud's for many points, and exact.
    - Points that ICP moves out of [-1, 1] count in the border cells of the grid. A flat face that lies between two
      layers of cells may fall into either, so that equal shapes can have a vIoU of 0.7.
    - Layout is measured in the ground truth's ``world`` (boxes along its axes), ADD-S on 20,000 points.

    A perfect prediction of five objects scores F1 1.000, vIoU 0.98, Chamfer 0.001, EMD 0.042, ICP-Rot 0.02 and
    ADD-S 0.004; with 100,000 points F1 0.983 and vIoU 0.95, in a quarter of the time.

    ULIP and Uni3D need networks and are not here. A missing object: F1, vIoU and 3D IoU 0, ICP-Rot 180, ADD-S at 0.1
    failed; Chamfer, EMD and ADD-S have no worst value. Extra objects do not count.

    Reference: SAM 3D (arXiv 2511.16624), appendix D.3.1 (shape) and D.3.2 (layout).
    """

    name = "sam3d"
    title = "SAM 3D"
    source = "arXiv 2511.16624, appendix D.3"
    measures = (
        Measure(
            key="f1",
            title="F1@0.01",
            level="object",
            better="higher",
            text="F-score at distance 0.01, each object scaled to [-1, 1] and fitted by ICP.",
            missing=0.0,
        ),
        Measure(
            key="viou",
            title="vIoU",
            level="object",
            better="higher",
            text="IoU of the cells of a 64^3 grid that the surfaces touch, after the same.",
            missing=0.0,
        ),
        Measure(
            key="cd",
            title="Chamfer",
            level="object",
            better="lower",
            text="Mean distance, both ways averaged, after the same.",
        ),
        Measure(
            key="emd",
            title="EMD",
            level="object",
            better="lower",
            text="Mean distance under the best one-to-one match of 2,048 points, after the same.",
        ),
        Measure(
            key="iou_3d",
            title="3D IoU",
            level="object",
            better="higher",
            text="IoU of the boxes along the axes of the world.",
            missing=0.0,
        ),
        Measure(
            key="icp_rot_deg",
            title="ICP-Rot",
            level="object",
            better="lower",
            text="Degrees by which ICP still turns the predicted object.",
            missing=180.0,
            digits=2,
        ),
        Measure(
            key="add_s",
            title="ADD-S",
            level="object",
            better="lower",
            text="Mean distance to the nearest point, both ways averaged, over the object's diameter.",
        ),
        Measure(
            key="add_s_01",
            title="ADD-S@0.1",
            level="object",
            better="higher",
            text="Share of objects with ADD-S below 0.1.",
            missing=0.0,
        ),
    )

    def __init__(self, *, points: int = POINTS, emd_points: int = 2048, fit_points: int = 20_000) -> None:
        """Settings.

        Args:
            points: Per object.
            emd_points: Of these, for EMD.
            fit_points: Of these, for ICP and ADD-S.
        """
        self.points, self.emd_points, self.fit_points = points, min(emd_points, points), min(fit_points, points)
        changed = [f"{points}"] * (points != POINTS) + [f"emd{emd_points}"] * (emd_points != 2048)
        self.name = "@".join(["sam3d", *changed, *[f"fit{fit_points}"] * (fit_points != 20_000)])

    def __call__(self, pair: ScenePair) -> Scores:
        """Measures one pair."""
        return Scores(scene={}, objects=tuple(self._object(pair, i) for i in range(len(pair.partners))))

    def _object(self, pair: ScenePair, i: int) -> dict[str, float | None] | None:
        pred, gt, k = pair.pred_meshes[i], pair.gt_meshes[i], pair.partners[i]
        if pred is None or k is None:
            return None
        S_gt = _S_unit_world(pair.gt.T_world_frame, pair.gt.objects[i], gt)
        S_pred = _S_unit_world(pair.alignment.S_world_pred, pair.pred.objects[k], pred)
        pred_seed, gt_seed = np.random.SeedSequence([pair.seed, i]).generate_state(2).tolist()
        p, g = sample_surface(pred, self.points, seed=pred_seed)[0], sample_surface(gt, self.points, seed=gt_seed)[0]
        shape = self._shape(transforms.apply(S_pred, p), transforms.apply(S_gt, g))
        return {**shape, **self._layout(pred, gt, p, g)}

    def _shape(self, p: F64, g: F64) -> dict[str, float | None]:
        """Measures of two normalised clouds (n, 3)."""
        fit = icp(thinned(p, self.fit_points), thinned(g, self.fit_points))
        p = transforms.apply(fit.T, p)
        near = clouds.nearest_distances(p, g)
        return {
            "f1": clouds.fscore(near, 0.01),
            "viou": voxel_iou(surface_voxels(p), surface_voxels(g)),
            "cd": clouds.chamfer(near) / 2,
            "emd": emd(thinned(p, self.emd_points), thinned(g, self.emd_points)),
            "icp_rot_deg": transforms.rotation_angle_deg(np.eye(3), fit.T[:3, :3]),
        }

    def _layout(self, pred: Mesh, gt: Mesh, p: F64, g: F64) -> dict[str, float | None]:
        """Measures of two meshes in ``world`` and their clouds (n, 3)."""
        near = clouds.nearest_distances(thinned(p, self.fit_points), thinned(g, self.fit_points))
        add_s = clouds.chamfer(near) / (2 * diameter(gt.vertices))
        return {"iou_3d": aligned_box_iou(pred.bounds, gt.bounds), "add_s": add_s, "add_s_01": float(add_s < 0.1)}


def thinned(points: F64, n: int) -> F64:
    """(n, 3) of the points, evenly over their order and so over the surface they were sampled on."""
    return points[np.arange(n) * len(points) // n]


def diameter(points: ArrayLike) -> float:
    """Largest distance between two of the points (n, 3), exact: it lies between two corners of their convex hull.

    Time grows with the square of the corners of the hull: 0.3 s for 5,000.
    """
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import cdist

    p = np.asarray(points, np.float64)
    p = p - p.mean(0)
    _, spread, axes = np.linalg.svd(p, full_matrices=False)
    p = p @ axes[spread > 1e-7 * spread[0]].T  # a flat shape has a hull in its plane only
    if p.shape[1] < 2:
        return float(np.ptp(p)) if p.size else 0.0
    corners = p[ConvexHull(p).vertices]
    return max(float(cdist(corners[k : k + 1000], corners).max()) for k in range(0, len(corners), 1000))


def _S_unit_world(S_world_frame: F64, item: EvalObject, mesh: Mesh) -> F64:
    """(4, 4) that centres an object's box along its own axes on 0, its longest side 2, turned as it stands.

    Args:
        S_world_frame: (4, 4) ``world`` from the scene's frame.
        item: Of the scene; placed.
        mesh: Its shape in ``world``.
    """
    if item.S_frame_obj is None:
        raise ValueError(f"{item.name} has no place")  # asked for placed objects only
    T_world_own = transforms.rigid(transforms.nearest_rotation((S_world_frame @ item.S_frame_obj)[:3, :3]), np.zeros(3))
    T_own_world = transforms.invert(T_world_own)
    return T_world_own @ transforms.centring(transforms.apply(T_own_world, mesh.vertices)) @ T_own_world
