"""Brings a prediction into the ground truth's ``world``, and says how.

Two scene folders of one K are compared in ``cam``: metric ones as they are, relative ones with a scale about the
camera; a freedom to turn would take errors of pose away. K alone does not tell where a camera stands: where this fits
badly and the ``world`` of one on that of the other fits far better, the worlds are compared. Folders of another K or
picture ratio get a similarity.

A file without a camera always gets a similarity, however well it fits, so that a table has one freedom for all scenes.
It may be turned in any way: each of its axes is tried as up, with 16 turns about it, also the camera's own axes where
the ground truth has a camera. Starts that bring the centres and spreads of the points together are refined
(``scene_icp``) on few points, the best on all. Of those that fit equally well the one that turns least is taken; where
the file as it is fits nearly as well, it is refined from there, and left untouched where it fits exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from scenemaker.errors import ConfigError, expected
from scenemaker.evaluation.matching import one_ratio
from scenemaker.evaluation.scene_icp import Fit, Freedom, SceneIcp
from scenemaker.evaluation.types import Alignment, Alignments, EvalObject, EvalScene
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera
from scenemaker.geometry.mesh import sample_surface
from scenemaker.geometry.registration import scale_of

POINTS = 3000  # per scene, the same number for each object
COARSE = 10  # the first rounds take every tenth
TURNS = 16
GUESSES = 32
SAME_K = 0.01  # of the focal length
FAR_OFF = 0.02  # of the scene: cameras of one K that leave so much may stand elsewhere; an error is at most 0.05
SAME_FRAME = 0.002  # of the scene: a file that fits so well, or so little worse than the best fit, is in one frame
EXACT = 1e-6  # of the scene
MIRRORED = 0.01  # of the scene: where nothing fits better, the mirror image is tried
COS_UP = 0.9  # a prediction whose y axis is less than 25 degrees from up is y up
CAMERA_DEG = 10.0
UPS = (  # rotations that make y, z, -y, -z, x, -x the y axis
    np.eye(3),
    np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    np.diag([1.0, -1.0, -1.0]),
    np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
)
CAMERAS = {  # rotations from the camera axes of others to those of ``cam``
    "x right, y down, z forward": np.eye(3),
    "x right, y up, z back": transforms.GL_FROM_CV,
    "x left, y up, z forward": np.diag([-1.0, -1.0, 1.0]),
}


def align_scenes(
    gt: EvalScene,
    pred: EvalScene,
    align: Alignments | Literal["auto"] = "auto",
    *,
    partners: Sequence[int | None] | None = None,
    seed: int = 0,
) -> Alignment:
    """The alignment of a prediction; see the module.

    Args:
        gt: Ground truth.
        pred: Prediction.
        align: Freedom; "none" takes frames as they are, "scale" is about the camera or the file's origin.
        partners: Of the ground-truth objects where they are known: objects then fit their partners only.
        seed: Of the surface points.

    Raises:
        ConfigError: ``align`` is none of these.
    """
    if align not in ("auto", "none", "scale", "rigid", "similarity"):
        remedy = "choose from: auto, none, scale, rigid, similarity"
        raise ConfigError(expected("an alignment", got=repr(align), remedy=remedy))
    S_as_is = gt.T_world_frame if gt.frame == pred.frame == "cam" else pred.T_world_frame
    if align == "none":
        return Alignment(S_world_pred=S_as_is, kind="none", text="not aligned, as asked")
    icp = _scene_icp(gt, pred, partners, seed)
    if icp is None:
        return Alignment(S_world_pred=S_as_is, kind="none", text="not aligned: nothing to align")
    if gt.scene is not None and pred.scene is not None:
        return _by_camera(gt, pred, align, icp)
    return _by_shape(gt, pred, align, icp)


def _scene_icp(gt: EvalScene, pred: EvalScene, partners: Sequence[int | None] | None, seed: int) -> SceneIcp | None:
    """Points of both; of the pairs only where partners are known and have shapes. None where a side has no points."""
    pairs = [(i, k) for i, k in enumerate(partners or ()) if k is not None]
    pairs = [(i, k) for i, k in pairs if gt.objects[i].placed and pred.objects[k].placed]
    if pairs:
        there, here = [gt.objects[i] for i, _ in pairs], [pred.objects[k] for _, k in pairs]
        groups: list[list[int]] = [list(range(len(pairs)))] * 2
    else:
        there, here = ([o for o in scene.objects if o.placed] for scene in (gt, pred))
        groups = [[0] * len(here), [0] * len(there)]
    if not there or not here:
        return None
    n = max(POINTS // max(len(there), len(here)), 10 * COARSE)
    source = [_cloud(o, np.eye(4), n, seed) for o in here]
    target = [_cloud(o, gt.T_world_frame, n, seed) for o in there]
    return SceneIcp(source, target, groups[0], groups[1])


def _cloud(item: EvalObject, S_a_frame: F64, n: int, seed: int) -> F64:
    if item.mesh is None or item.S_frame_obj is None:
        raise ValueError(f"{item.name} has no mesh")  # the callers ask for placed objects only
    return transforms.apply(S_a_frame @ item.S_frame_obj, sample_surface(item.mesh, n, seed=seed)[0])


def _by_camera(gt: EvalScene, pred: EvalScene, align: Freedom | Literal["auto"], icp: SceneIcp) -> Alignment:
    if gt.scene is None or pred.scene is None:
        raise ValueError("no cameras")  # the caller asks for two scene folders only
    told, one = _cameras_told(gt.scene.camera, pred.scene.camera)
    metric = gt.scene.scale_kind == pred.scene.scale_kind == "metric"
    freedom: Alignments = align if align != "auto" else "similarity" if not one else "none" if metric else "scale"
    worlds_icp, S_world_pred = icp.moved(pred.T_world_frame), pred.T_world_frame
    if freedom in ("rigid", "similarity"):
        scaled = freedom == "similarity"
        starts = [_held(icp, gt.T_world_frame, scaled).S, _held(worlds_icp, np.eye(4), scaled).S @ S_world_pred]
        fit = min((icp.refined(S, freedom, 80) for S in starts), key=lambda f: f.error)
        return Alignment(S_world_pred=fit.S, kind=freedom, text=f"{told}, {_told(fit, freedom)}")
    fit, about = _held(icp, gt.T_world_frame, freedom == "scale"), "the camera"
    if fit.error > FAR_OFF:
        worlds = _held(worlds_icp, np.eye(4), freedom == "scale")
        if worlds.error < fit.error / 2:
            told += ", cameras stand elsewhere: worlds compared"
            fit, about = Fit(worlds.S @ S_world_pred, worlds.error), "the world's origin"
    text = "metric" if freedom == "none" else _told(fit, freedom, about)
    return Alignment(S_world_pred=fit.S, kind=freedom, text=f"{told}, {text}")


def _cameras_told(ours: Camera, theirs: Camera) -> tuple[str, bool]:
    """What K tells of two cameras, and whether it is one."""
    if not one_ratio((ours.width, ours.height), (theirs.width, theirs.height)):
        return f"pictures differ ({theirs.width}x{theirs.height}, not {ours.width}x{ours.height})", False
    K = theirs.resized(ours.width, ours.height).K
    if np.abs(K - ours.K).max() <= SAME_K * ours.K[0, 0]:
        return "same K", True
    return f"cameras differ (focal length {K[0, 0]:.0f} px, not {ours.K[0, 0]:.0f})", False


def _held(icp: SceneIcp, S: F64, scaled: bool) -> Fit:
    """A start that may change by no more than a scale about the source's origin."""
    if not scaled:
        return Fit(S, icp.error(S))
    starts = [S, S @ transforms.similarity(np.eye(3), np.zeros(3), icp.distance_ratio(S))]
    return min((icp.refined(start, "scale", 80) for start in starts), key=lambda f: f.error)


def _by_shape(gt: EvalScene, pred: EvalScene, align: Freedom | Literal["auto"], icp: SceneIcp) -> Alignment:
    freedom = "similarity" if align == "auto" else align
    if freedom == "scale":
        fit = _held(icp, pred.T_world_frame, True)
        return Alignment(S_world_pred=fit.S, kind="scale", text=_told(fit, "scale", "the file's origin"))
    fit = _best_fit(gt, pred, icp, freedom)
    texts = [*_axes_told(gt, pred, fit.S), _told(fit, freedom)]
    if fit.error > MIRRORED:
        mirrored = _best_fit(gt, pred, icp.mirrored(), freedom).error
        if mirrored < fit.error / 2:
            texts.append(f"prediction looks mirrored (its mirror image has error {mirrored:.2%}): not undone")
    return Alignment(S_world_pred=fit.S, kind=freedom, text=", ".join(texts))


def _best_fit(gt: EvalScene, pred: EvalScene, icp: SceneIcp, freedom: Freedom) -> Fit:
    """In rounds, each with more points or steps and fewer starts; of equally good fits the one that turns least."""
    as_is, scale = pred.T_world_frame, 1.0 if freedom == "rigid" else None
    untouched = icp.error(as_is)
    if untouched <= EXACT:
        return Fit(as_is, untouched)
    if untouched <= SAME_FRAME:
        return icp.refined(as_is, freedom, 80)
    coarse = icp.thinned(COARSE)
    ups = [R @ as_is[:3, :3] for R in UPS]
    turns = [transforms.axis_angle([0, 1, 0], 2 * np.pi * n / TURNS) for n in range(TURNS)]
    cameras = list(_cameras(gt, pred).values())
    starts = [as_is, *(coarse.start(R, scale) for R in (*cameras, *(turn @ up for up in ups for turn in turns)))]
    starts += coarse.guesses([*cameras, *ups], GUESSES)
    fits: list[Fit] = []
    for points, steps, left in ((coarse.thinned(2), 5, 12), (coarse, 40, 4), (icp, 80, 4)):
        fits = sorted((points.refined(S, freedom, steps) for S in starts), key=lambda f: f.error)[:left]
        starts = [f.S for f in fits]
    if untouched <= 1.1 * fits[0].error + SAME_FRAME:
        return icp.refined(as_is, freedom, 80)
    equal = [f for f in fits if f.error <= 1.02 * fits[0].error + 1e-4]
    return min(equal, key=lambda f: transforms.rotation_angle_deg(_rotation(f.S), as_is[:3, :3]))


def _cameras(gt: EvalScene, pred: EvalScene) -> dict[str, F64]:
    """(3, 3) rotations of ``world`` from camera axes by name, where only the ground truth has a camera."""
    if gt.frame != "cam" or pred.frame == "cam":
        return {}
    return {name: gt.T_world_frame[:3, :3] @ R for name, R in CAMERAS.items()}


def _axes_told(gt: EvalScene, pred: EvalScene, S: F64) -> list[str]:
    """What is said of the prediction's axes; nothing where it is y up."""
    R = _rotation(S)
    up = pred.T_world_frame[:3, :3] @ R.T[:, 1]  # the ground truth's up in the prediction's frame, there y up
    if up[1] > COS_UP:
        return []
    for name, R_world_camera in _cameras(gt, pred).items():
        if transforms.rotation_angle_deg(R, R_world_camera) < CAMERA_DEG:
            return [f"prediction is in camera axes ({name})"]
    axis = int(np.abs(up).argmax())
    if axis == 1 and up[1] > 0:
        return [f"prediction is tilted by {np.degrees(np.arccos(up[1])):.0f} degrees"]
    return [f"prediction is {'-' if up[axis] < 0 else ''}{'xyz'[axis]} up: turned to y up"]


def _rotation(S: F64) -> F64:
    return S[:3, :3] / scale_of(S)


def _told(fit: Fit, freedom: Freedom, about: str | None = None) -> str:
    scale = f"scale {scale_of(fit.S):.4g}"
    held = {"scale": f"{scale} about {about}", "rigid": "rigid", "similarity": f"similarity, {scale}"}
    return f"{held[freedom]}, error {fit.error:.2%} of the scene"
