"""Pictures of the scene and of its objects from beside and above: what a look from the photo's camera cannot show.

A flat card with the photo on it would pass every comparison from the front; it does not survive these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.evaluation.selfcheck import scene_caster
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster, Rendering
from scenemaker.scene import U8, PlacedObject, PointMap
from scenemaker.viewer.floor import Floor, checked_floor

YAW_DEG = 35.0
ABOVE_DEG = 65.0  # elevation of the view from above
FOCAL = 1.35  # of the picture's width
FILL = 0.46  # objects reach this far from the centre, of the picture's side
PAPER = np.array([250, 250, 250], np.float32)
CLAY = np.array([226, 222, 214], np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class View:
    """One look at the scene: with its colours, and as grey clay that shows the shape alone."""

    rgb: U8
    clay: U8


def look_axes(forward: ArrayLike, up: ArrayLike) -> F64:
    """(3, 3) rotation whose rows are right, down and forward of a camera that looks along ``forward``."""
    f, u = transforms.unit(forward), transforms.unit(up)
    right = np.cross(f, u)
    if np.linalg.norm(right) < 1e-6:
        right = np.array([1.0, 0.0, 0.0]) - f[0] * f
    right = transforms.unit(right)
    return np.stack([right, np.cross(f, right), f])


def directions(forward: ArrayLike, up: ArrayLike) -> dict[str, F64]:
    """Where the cameras look, by name: the front, YAW_DEG to its left and right, and from above.

    Convention: "left" is a camera that stands left of the photo's and looks to the right.
    """
    f, u = transforms.unit(forward), transforms.unit(up)
    flat = f - (f @ u) * u
    if np.linalg.norm(flat) < 1e-3:  # the photo looks straight down: its upper edge is ahead
        image_up = np.array([0.0, -1.0, 0.0])
        flat = image_up - (image_up @ u) * u
    flat, tilt = transforms.unit(flat), np.radians(ABOVE_DEG)
    return {
        "front": f,
        "left": transforms.axis_angle(u, -np.radians(YAW_DEG)) @ f,
        "right": transforms.axis_angle(u, np.radians(YAW_DEG)) @ f,
        "above": np.cos(tilt) * flat - np.sin(tilt) * u,
    }


def framing_camera(points: ArrayLike, forward: ArrayLike, up: ArrayLike, width: int, height: int) -> Camera:
    """A camera with a given direction that stands just far enough to see all points (n, 3), centred."""
    R = look_axes(forward, up)
    p = np.asarray(points, np.float64) @ R.T
    centre = (p.min(0) + p.max(0)) / 2
    q = np.abs(p[:, :2] - centre[:2])
    f_px = FOCAL * width
    depth = p[:, 2] - centre[2]
    away = np.max(q * f_px / (FILL * np.array([width, height])) - depth[:, None])
    away = max(float(away), 1e-6 - float(depth.min())) * 1.0001
    K = np.array([[f_px, 0, width / 2], [0, f_px, height / 2], [0, 0, 1.0]])
    t = np.array([-centre[0], -centre[1], away - centre[2]])
    return Camera(K=K, width=width, height=height, T_cam_world=transforms.rigid(R, t))


def render_views(
    objects: Sequence[PlacedObject],
    point_map: PointMap,
    *,
    background: Mapping[str, Mesh] | None = None,
    width_px: int = 400,
    height_px: int = 300,
) -> dict[str, View]:
    """The scene from the left, from the right and from above; without placed objects there are none.

    The floor is the background's where there is one (in the clay picture it always is a checkerboard, so that what
    floats is seen to float).
    """
    placed = [o for o in objects if o.mesh is not None and o.pose is not None]
    if not placed:
        return {}
    caster = scene_caster(placed)
    points = hull_points(caster.meshes)
    up = np.array([0.0, -1.0, 0.0]) if point_map.up_cam is None else point_map.up_cam
    checks = plain = None
    if point_map.ground_cam is not None:
        checks = checked_floor(points, point_map.ground_cam)
        plain = Floor.from_mesh((background or {}).get("ground")) or checks
    out = {}
    for name, forward in directions([0, 0, 1], up).items():
        if name != "front":
            camera = framing_camera(points, forward, up, width_px, height_px)
            out[name] = _picture(caster, camera, plain, checks)
    return out


def object_views(item: PlacedObject, point_map: PointMap, *, size_px: int = 144) -> dict[str, View]:
    """One object as it stands in the scene, alone: from the photo's camera, left, right and above."""
    if item.mesh is None or item.pose is None:
        return {}
    caster = scene_caster([item])
    points = hull_points(caster.meshes)
    up = np.array([0.0, -1.0, 0.0]) if point_map.up_cam is None else point_map.up_cam
    centre = (points.min(0) + points.max(0)) / 2
    out = {}
    for name, forward in directions(centre, up).items():
        camera = framing_camera(points, forward, up, size_px, size_px)
        out[name] = _picture(caster, camera)
    return out


def hull_points(meshes: Sequence[Mesh]) -> F64:
    """(n, 3) vertices that decide the framing: at most some hundred per mesh, and the extremes."""
    picked = []
    for mesh in meshes:
        v = mesh.vertices.astype(np.float64)
        picked += [v[:: max(1, len(v) // 400)], v[v.argmin(0)], v[v.argmax(0)]]
    return np.concatenate(picked)


def _picture(caster: RayCaster, camera: Camera, floor: Floor | None = None, checks: Floor | None = None) -> View:
    rendering = caster.render(camera)
    rgb, clay = rendering.rgb.copy(), _clay(rendering)
    rgb[rendering.index < 0] = PAPER.astype(np.uint8)
    for picture, plane in ((rgb, floor), (clay, checks)):
        if plane is not None:
            plane.paint(picture, rendering.depth, camera)
    return View(rgb=rgb, clay=clay)


def _clay(rendering: Rendering) -> U8:
    """Grey matter lit by a lamp above the camera's left shoulder."""
    lamp = transforms.unit([-0.45, -0.65, -0.75]).astype(np.float32)  # towards the lamp, in the camera's frame
    out = np.broadcast_to(PAPER, rendering.normals_cam.shape).copy()
    on = rendering.index >= 0
    n = rendering.normals_cam[on]
    light = 0.30 + 0.62 * np.maximum(n @ lamp, 0) + 0.12 * np.abs(n[:, 2])
    out[on] = CLAY * light[:, None]
    return out.clip(0, 255).astype(np.uint8)
