"""Pictures of a prediction beside its ground truth, from the same cameras: the photo's, from the left, from above.

Errors of depth cannot be seen from the photo's camera; from the other two they can.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.evaluation.types import Alignment, EvalScene, ScenePair
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster, Rendering
from scenemaker.scene import U8
from scenemaker.viewer.cards import Figure
from scenemaker.viewer.floor import checked_floor
from scenemaker.viewer.pictures import id_colour, over_photo
from scenemaker.viewer.views import ABOVE_DEG, PAPER, YAW_DEG, directions, framing_camera, hull_points, look_axes

PAIR_PX = 384  # longer side of a picture
EXTRA: tuple[int, int, int] = (150, 150, 150)  # predicted objects without a partner
LOST: tuple[int, int, int] = (214, 48, 49)  # outline of ground-truth objects without a prediction
SMALL = 0.01  # share of the picture below which an outline is thin
REACH = 1.5  # scene sizes from the ground truth's centre: what lies farther is not framed
FRONT_DEG = 20.0  # elevation of the camera of a scene that has no photo


def draw_pair(pair: ScenePair, *, max_px: int = PAIR_PX) -> list[Figure]:
    """Eight pictures: photo, both rendered, prediction over photo; both by object from the left and from above.

    Partners share a colour, extra objects are grey; over the prediction the ground truth is outlined, missing objects
    in red. Without a photo the ground truth by object stands in its place.
    """
    T_cam_world, camera, photo = _front(pair, max_px)
    truth = RayCaster(pair.gt_meshes, [T_cam_world] * len(pair.gt_meshes))
    guesses = [(o.id, m) for o, m in zip(pair.gt.objects, pair.pred_meshes, strict=True) if m is not None]
    meshes = [*(m for _, m in guesses), *pair.extra_meshes]
    guess = RayCaster(meshes, [T_cam_world] * len(meshes))
    ids = [o.id for o in pair.gt.objects]
    colours_gt = np.array([id_colour(i) for i in ids])
    colours_pred = np.array([*(id_colour(i) for i, _ in guesses), *([EXTRA] * len(pair.extra_meshes))]).reshape(-1, 3)
    outlines = [id_colour(o.id) if m is not None else LOST for o, m in zip(pair.gt.objects, pair.pred_meshes)]

    up_cam = T_cam_world[:3, 1]
    points = _framed(truth.meshes, guess.meshes, pair.scene_size)
    if camera is None:
        camera = framing_camera(points, [0, 0, 1], up_cam, max_px, max_px * 3 // 4)
    a, b = truth.render(camera), guess.render(camera)
    over = _by_object(b, colours_pred)
    if photo is not None:
        over = over_photo(photo, _with_rgb(b, over))
        first = Figure("photo", "Photo", f"of {pair.name}", photo)
    else:
        first = Figure("gt_ids", "Ground truth", "by object", _by_object(a, colours_gt))
    text = "ground truth outlined" + (", missing objects in red" if None in pair.pred_meshes else "")
    out = [
        first,
        Figure("gt", "Ground truth", "rendered", _on_paper(a)),
        Figure("pred", "Prediction", "rendered after alignment" if meshes else "nothing", _on_paper(b)),
        Figure("overlay", "Prediction by object", text, _outlined(over, a, outlines)),
    ]
    floor_cam = np.array([*up_cam, -float((hull_points(truth.meshes) @ up_cam).min())])
    floor = checked_floor(points, floor_cam)
    where = {"left": f"from the left ({YAW_DEG:.0f}°)", "above": f"from above ({ABOVE_DEG:.0f}°)"}
    for name, forward in directions([0, 0, 1], up_cam).items():
        if name not in where:
            continue
        camera = framing_camera(points, forward, up_cam, max_px, max_px * 3 // 4)
        a, b = truth.render(camera), guess.render(camera)
        left, right = _by_object(a, colours_gt), _by_object(b, colours_pred)
        floor.paint(left, a.depth, camera)
        floor.paint(right, b.depth, camera)
        out.append(Figure(f"{name}_gt", "Ground truth", where[name], left))
        out.append(Figure(f"{name}_pred", "Prediction", where[name] + ", " + text, _outlined(right, a, outlines)))
    return out


def draw_truth(gt: EvalScene, *, max_px: int = PAIR_PX) -> list[Figure]:
    """The pictures of a scene without a prediction: every object is missing."""
    nothing = EvalScene(name=gt.name, path=gt.path, objects=())
    alignment = Alignment(S_world_pred=np.eye(4), kind="none", text="no prediction")
    partners = (None,) * len(gt.objects)
    return draw_pair(
        ScenePair(name=gt.name, gt=gt, pred=nothing, partners=partners, alignment=alignment), max_px=max_px
    )


def _front(pair: ScenePair, max_px: int) -> tuple[F64, Camera | None, U8 | None]:
    """The photo's pose, camera (standing at the origin) and picture; without a photo a pose that looks along -z."""
    import cv2

    scene = pair.gt.scene
    if scene is None:
        tilt = np.radians(FRONT_DEG)
        R = look_axes([0, -np.sin(tilt), -np.cos(tilt)], [0, 1, 0])
        return transforms.rigid(R, np.zeros(3)), None, None
    scale = min(1.0, max_px / max(scene.camera.width, scene.camera.height))
    size = max(1, round(scene.camera.width * scale)), max(1, round(scene.camera.height * scale))
    seen = scene.camera.resized(*size)
    photo = np.asarray(cv2.resize(scene.rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    return seen.T_cam_world, Camera(K=seen.K, width=seen.width, height=seen.height), photo


def _framed(truth: list[Mesh], guess: list[Mesh], scene_size: float) -> F64:
    """(n, 3) points to frame: the ground truth, and the prediction as far as it is near."""
    points = hull_points(truth)
    if not guess:
        return points
    centre = (points.min(0) + points.max(0)) / 2
    others = hull_points(guess)
    return np.concatenate([points, others[np.linalg.norm(others - centre, axis=1) <= REACH * scene_size]])


def _by_object(rendering: Rendering, colours: ArrayLike) -> U8:
    """Every object in its colour, lit by a lamp at the camera."""
    out = np.broadcast_to(PAPER, rendering.normals_cam.shape).copy()
    on = rendering.index >= 0
    light = 0.45 + 0.6 * np.abs(rendering.normals_cam[on][:, 2:])
    out[on] = np.asarray(colours, np.float32)[rendering.index[on]] * light
    return out.clip(0, 255).astype(np.uint8)


def _on_paper(rendering: Rendering) -> U8:
    """The objects in their own colours."""
    return np.where(rendering.index[..., None] >= 0, rendering.rgb, PAPER).astype(np.uint8)


def _with_rgb(rendering: Rendering, rgb: U8) -> Rendering:
    return Rendering(index=rendering.index, depth=rendering.depth, normals_cam=rendering.normals_cam, rgb=rgb)


def _outlined(rgb: U8, truth: Rendering, colours: list[tuple[int, int, int]]) -> U8:
    """The picture with the outline of every visible ground-truth object."""
    import cv2

    out = rgb.copy()
    for i, colour in enumerate(colours):
        mask = (truth.index == i).astype(np.uint8)
        lines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        dark = colour if colour == LOST else tuple(round(0.5 * c) for c in colour)
        thick = 2 if mask.mean() > SMALL else 1
        cv2.drawContours(out, lines, -1, dark, thick, cv2.LINE_AA)
    return out
