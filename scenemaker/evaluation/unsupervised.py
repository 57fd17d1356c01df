"""Scores that need no ground truth, and picture measures, of scenes to evaluate."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from scenemaker.evaluation.contacts import overlaps, supports
from scenemaker.evaluation.judges import Judges
from scenemaker.evaluation.selfcheck import check_scene, every_nth_pixel, floating
from scenemaker.evaluation.types import EvalScene, ScenePair, mean_or_none, placed_mesh
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.raycast import RayCaster, Rendering
from scenemaker.scene import Instance, Instances, Photo, PointMap

MAX_PX = 640  # longer side of the pictures that are compared
UP = np.array([0.0, 1.0, 0.0])  # of `world`
PSNR_MAX = 100.0  # dB, of equal pictures, so that a mean over scenes stays finite


def score_scene(scene: EvalScene, S_world_frame: F64 | None = None) -> dict[str, Any]:
    """Mask IoU and depth error of the re-rendered scene, floating, penetration and support, as JSON values.

    A scene folder is compared with its own picture, masks and depth (``selfcheck``). A bare file has none: only
    contacts are told, with the ground through the scene's lowest point (``"ground": "lowest point"``).

    Args:
        scene: To score.
        S_world_frame: (4, 4) to a frame that is y up, where it is known from a ground truth; else a bare file is taken
            as y up, as glTF demands.
    """
    if scene.scene is None:
        return _contacts(scene, scene.T_world_frame if S_world_frame is None else S_world_frame)
    s = scene.scene
    items = tuple(Instance(id=o.id, name=o.name, label=o.label) for o in s.objects.values())
    instances = Instances(labels=s.labels.astype(np.uint16), items=items)
    point_map = PointMap.from_depth(
        s.depth, s.camera.K, scale_kind=s.scale_kind, up_cam=s.up_cam, ground_cam=s.ground_cam
    )
    photo = Photo(rgb=s.rgb, K=s.camera.K)
    sound = {o.id for o in scene.objects if o.placed}
    objects = [o for o in s.objects.values() if o.id in sound]  # the others count as skipped
    return json.loads(json.dumps(check_scene(objects, photo, instances, point_map).to_dict()))


def _contacts(scene: EvalScene, S_world_frame: F64) -> dict[str, Any]:
    placed = [o for o in scene.objects if o.placed]
    meshes = [placed_mesh(o, S_world_frame) for o in placed]
    lowest = min((float(m.bounds[0, 1]) for m in meshes), default=0.0)
    ground = np.array([*UP, -lowest])
    held = supports(RayCaster(meshes), UP, ground)
    pairs = overlaps(meshes, [o.id for o in placed], UP)
    objects, loose = [], []
    for item, mesh, support in zip(placed, meshes, held, strict=True):
        distance, share = floating(mesh.vertices, ground)
        loose += [(distance, share)] if support is None else []
        held_by = placed[support].id if isinstance(support, int) else support
        row = {"id": item.id, "status": item.status, "floating": share, "floating_distance": distance}
        objects.append({**row, "support": held_by})
    skipped = [o.id for o in scene.objects if not o.placed]
    return {
        "ground": "lowest point",
        "floating": max((abs(share or 0) for _, share in loose), default=0.0),
        "floating_distance": max((abs(distance or 0) for distance, _ in loose), default=0.0),
        "penetration": max((p.share for p in pairs), default=0.0),
        "penetration_volume": sum(p.volume for p in pairs),
        "penetrations": [{"a": p.a, "b": p.b, "share": p.share, "volume": p.volume} for p in pairs],
        "skipped": skipped,
        "objects": objects,
    }


def picture_scores(pair: ScenePair, judges: Judges | None = None) -> dict[str, float | None] | None:
    """Picture measures from the ground truth's camera (``own_scores.PICTURES``); None where it has no camera.

    Both scenes are rendered by the same ray caster under the same lamp, so that light and background of a photo do not
    count. A missing object has mask IoU 0.
    """
    from scenemaker.evaluation.images import mask_iou, psnr, ssim

    truth = pair.gt.scene
    if truth is None:
        return None
    step = -(-max(truth.camera.width, truth.camera.height) // MAX_PX)
    camera, every = every_nth_pixel(truth.camera, step)
    predicted = [m for m in pair.pred_meshes if m is not None] + list(pair.extra_meshes)
    a, b = RayCaster(pair.gt_meshes).render(camera), RayCaster(predicted).render(camera)
    place = np.cumsum([m is not None for m in pair.pred_meshes]) - 1  # of each partner among the rendered
    labels = truth.labels[every, every]
    modal, amodal, depth = [], [], []
    for i, item in enumerate(pair.gt.objects):
        mesh, seen = pair.pred_meshes[i], labels == item.id
        whole = truth.amodal.get(item.id)
        if mesh is None:
            modal.append(0.0)
            amodal.append(None if whole is None else 0.0)
            continue
        shown = b.index == place[i]
        modal.append(mask_iou(shown, seen))
        if whole is not None:
            amodal.append(mask_iou(RayCaster([mesh]).render(camera, shade=False).index >= 0, whole[every, every]))
        depth.append(_depth_error(a, b, (a.index == i) & shown))
    either = (a.index >= 0) | (b.index >= 0)
    judges = judges or Judges()
    return {
        "psnr": min(psnr(b.rgb, a.rgb, either), PSNR_MAX) if either.any() else None,
        "ssim": ssim(b.rgb, a.rgb, either) if either.any() else None,
        "mask_iou": mean_or_none(modal),
        "amodal_iou": mean_or_none(amodal),
        "depth_error": mean_or_none(depth),
        "lpips": None if judges.lpips is None else judges.lpips(b.rgb, a.rgb),
        "clip_image": None if judges.clip is None else judges.clip.cosine(b.rgb, a.rgb),
    }


def _depth_error(a: Rendering, b: Rendering, both: np.ndarray[Any, Any]) -> float | None:
    return float(np.median(np.abs(b.depth[both] - a.depth[both]) / a.depth[both])) if both.any() else None
