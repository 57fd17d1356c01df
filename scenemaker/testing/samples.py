"""Made scenes with everything known: boxes and balls on a chequered floor, drawn by the library's own ray caster."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scenemaker.deocclusion.views import cut_views
from scenemaker.editable import Scene
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera, K_from_fov
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.geometry.raycast import RayCaster
from scenemaker.scene import (
    Bool,
    Instance,
    Instances,
    ObjectGeometry,
    ObjectPose,
    ObjectView,
    Photo,
    PlacedObject,
    PointMap,
)

COLOURS = ((214, 72, 60), (64, 112, 200), (240, 190, 60), (70, 160, 90), (150, 90, 180), (235, 130, 50))
CAMERA_HEIGHT, PITCH_DEG, FOV_DEG = 1.6, 22.0, 55.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """A made scene: what a photo would show, and the truth behind it.

    Attributes:
        photo, instances, point_map: As from the first stages, exact.
        views_cut: Objects as the photo shows them; some are cut by others or by the border.
        views_whole: The same views, completed with the truth.
        geometries: The true meshes with their ``R_cam_obj``; only ids 2 and 8 do not know it.
        poses: The true poses.
        amodal: Whole-object masks (H, W) by id.
    """

    photo: Photo
    instances: Instances
    point_map: PointMap
    views_cut: list[ObjectView]
    views_whole: list[ObjectView]
    geometries: list[ObjectGeometry]
    poses: list[ObjectPose]
    amodal: dict[int, Bool]

    @property
    def ids(self) -> list[int]:
        return [i.id for i in self.instances]

    @property
    def boxes_px(self) -> tuple[tuple[float, float, float, float], ...]:
        """(x0, y0, x1, y1) of every visible mask."""
        return tuple(_box(self.instances.mask(i)) for i in self.ids)

    @property
    def points_px(self) -> tuple[tuple[float, float], ...]:
        """(x, y) of one pixel well inside every visible mask."""
        return tuple(_inner_point(self.instances.mask(i)) for i in self.ids)

    @property
    def scene(self) -> Scene:
        """The true scene; a new one each time."""
        objects = {
            g.id: PlacedObject(id=g.id, name=f"object_{g.id}", mesh=g.mesh, pose=p)
            for g, p in zip(self.geometries, self.poses, strict=True)
        }
        K, ground = self.point_map.K, self.point_map.ground_cam
        T = transforms.rigid(_R_cam_world(), _R_cam_world() @ [0, -CAMERA_HEIGHT, 0])
        return Scene(
            rgb=self.photo.rgb.copy(),
            labels=self.instances.labels.copy(),
            depth=self.point_map.depth.copy(),
            camera=Camera(K=K, width=self.photo.width, height=self.photo.height, T_cam_world=T),
            objects=objects,
            up_cam=self.point_map.up_cam,
            ground_cam=ground,
            scale_kind="metric",
        )


def make_sample(n_objects: int = 3, *, width: int = 192, height: int = 128) -> Sample:
    """A made scene; equal arguments give equal bytes. The third object is hidden in part.

    >>> make_sample(3).photo.rgb.shape
    (128, 192, 3)
    """
    K = K_from_fov(FOV_DEG, width, height)
    R_cam_world = _R_cam_world()
    T_cam_world = transforms.rigid(R_cam_world, R_cam_world @ [0, -CAMERA_HEIGHT, 0])
    camera = Camera(K=K, width=width, height=height, T_cam_world=T_cam_world)
    meshes, S_world_obj, yaws = [], [], []
    for k, (x, z, size) in enumerate(_spots(n_objects, width / height)):
        mesh, yaw = _thing(k), 25.0 + 40.0 * k
        R = transforms.axis_angle([0, 1, 0], np.radians(yaw))
        meshes.append(mesh)
        yaws.append(R)
        S_world_obj.append(transforms.similarity(R, [x, size * mesh.extents[1] / 2, z], size))
    floor = _floor()
    drawn = RayCaster([*meshes, floor], [*S_world_obj, np.eye(4)]).render(camera)
    labels = np.where((drawn.index >= 0) & (drawn.index < n_objects), drawn.index + 1, 0).astype(np.uint16)
    rgb = np.where((drawn.index >= 0)[..., None], drawn.rgb, np.uint8(205))
    up, ground = R_cam_world[:, 1], np.array([*R_cam_world[:, 1], CAMERA_HEIGHT])
    photo = Photo(rgb=rgb, name="made")
    instances = Instances(
        labels=labels, items=tuple(Instance(id=i, name=f"object_{i}") for i in range(1, n_objects + 1))
    )
    point_map = PointMap.from_depth(drawn.depth, K, scale_kind="metric", up_cam=up, ground_cam=ground)
    geometries, poses = [], []
    for k, (mesh, S, R) in enumerate(zip(meshes, S_world_obj, yaws, strict=True)):
        R_cam_obj, size = R_cam_world @ R, float(np.cbrt(np.linalg.det(S[:3, :3])))
        t = transforms.apply(T_cam_world, S[:3, 3])
        geometries.append(ObjectGeometry(id=k + 1, mesh=mesh, R_cam_obj=None if k % 6 == 1 else R_cam_obj))
        poses.append(ObjectPose(id=k + 1, R_cam_obj=R_cam_obj, t_cam_obj=t, size=size * mesh.extents, scale=size))
    cut = cut_views(photo, instances, point_map, max_px=96)
    alone = {k + 1: RayCaster([m], [T_cam_world @ S]) for k, (m, S) in enumerate(zip(meshes, S_world_obj, strict=True))}
    return Sample(
        photo=photo,
        instances=instances,
        point_map=point_map,
        views_cut=cut,
        views_whole=[_whole(view, alone[view.id]) for view in cut],
        geometries=geometries,
        poses=poses,
        amodal={i: alone[i].render(Camera(K=K, width=width, height=height)).index >= 0 for i in alone},
    )


def box_mesh(size: tuple[float, float, float], colour: tuple[int, int, int]) -> Mesh:
    """A closed box about the origin in one colour."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * np.asarray(size) / 2
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = np.array([[q[0], q[1], q[2]] for q in quads] + [[q[0], q[2], q[3]] for q in quads], np.int32)
    return Mesh(
        vertices=corners.astype(np.float32), faces=faces, colors=np.tile(np.array(colour, np.uint8), (len(corners), 1))
    )


def sphere_mesh(size: tuple[float, float, float], colour: tuple[int, int, int], n: int = 24) -> Mesh:
    """A closed ellipsoid about the origin in one colour."""
    lat, lon = np.linspace(-np.pi / 2, np.pi / 2, n // 2 + 1)[1:-1], 2 * np.pi * np.arange(n) / n
    ring = np.stack([np.cos(lon), np.zeros(n), np.sin(lon)], 1)
    rows = [[[0, -1, 0]], *(ring * np.cos(a) + [0, np.sin(a), 0] for a in lat), [[0, 1, 0]]]
    vertices, k = np.concatenate(rows) * np.asarray(size) / 2, np.arange(n)
    after, top = (k + 1) % n, len(rows) - 3
    faces = [np.stack([np.zeros(n, int), 1 + k, 1 + after], 1)]
    for r in range(top):
        a, b = 1 + r * n, 1 + (r + 1) * n
        faces += [np.stack([a + k, b + k, b + after], 1), np.stack([a + k, b + after, a + after], 1)]
    faces.append(np.stack([np.full(n, len(vertices) - 1), 1 + top * n + after, 1 + top * n + k], 1))
    colours = np.tile(np.array(colour, np.uint8), (len(vertices), 1))
    return Mesh(vertices=vertices.astype(np.float32), faces=np.concatenate(faces).astype(np.int32), colors=colours)


def _thing(k: int) -> Mesh:
    colour = COLOURS[k % len(COLOURS)]
    if k % 3 == 1:
        return normalise(sphere_mesh((0.9, 1.0, 0.8), colour))[0]
    return normalise(box_mesh((0.7, 1.0, 0.55) if k % 3 == 0 else (1.0, 0.6, 0.7), colour))[0]


def _spots(n: int, aspect: float) -> list[tuple[float, float, float]]:
    """(x, z, longest side) on the floor: up to three, one behind another and one at a tall photo's border; or rows."""
    if n <= 3:
        return [(-0.75 if aspect > 1 else -1.42, -3.0, 0.8), (0.70, -2.9, 0.7), (0.15, -3.75, 0.9)][:n]
    columns = 4 if aspect > 1 else 3
    return [
        ((k % columns - (columns - 1) / 2) * 0.62 * (1 + 0.22 * (k // columns)), -2.6 - 0.85 * (k // columns), 0.42)
        for k in range(n)
    ]


def _floor() -> Mesh:
    """A chequered floor of 40 cm squares."""
    n, step = 30, 0.4
    x, z = np.meshgrid((np.arange(n) - n // 2) * step, -np.arange(n) * step, indexing="ij")
    corner = np.stack([x.ravel(), np.zeros(n * n), z.ravel()], 1)
    vertices = (corner[:, None] + [[0, 0, 0], [step, 0, 0], [step, 0, -step], [0, 0, -step]]).reshape(-1, 3)
    first = 4 * np.arange(n * n)
    faces = np.concatenate([np.stack([first, first + 1, first + 2], 1), np.stack([first, first + 2, first + 3], 1)])
    dark = (np.add.outer(np.arange(n), np.arange(n)).ravel() % 2).astype(bool)
    tone = np.where(dark[:, None], [120, 112, 104], [150, 142, 132])
    colours = np.repeat(tone, 4, 0).astype(np.uint8)
    return Mesh(vertices=vertices.astype(np.float32), faces=faces.astype(np.int32), colors=colours)


def _R_cam_world() -> F64:
    return transforms.axis_angle([1, 0, 0], np.radians(PITCH_DEG)) @ transforms.GL_FROM_CV


def _whole(view: ObjectView, alone: RayCaster) -> ObjectView:
    """The view completed with what the object shows when nothing hides it."""
    drawn = alone.render(view.camera)
    amodal = (drawn.index >= 0) | view.mask_modal
    rgb = np.where(view.mask_modal[..., None], view.rgba[..., :3], drawn.rgb)
    added = bool((amodal & ~view.mask_modal & view.mask_hidden).sum() > 0.02 * view.mask_modal.sum())
    if not added:
        return view
    return replace(view, rgba=np.dstack([rgb, amodal.astype(np.uint8) * 255]), completed=True)


def _box(mask: Bool) -> tuple[float, float, float, float]:
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(cols[0]), float(rows[0]), float(cols[-1] + 1), float(rows[-1] + 1)


def _inner_point(mask: Bool) -> tuple[float, float]:
    import cv2

    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(x) + 0.5, float(y) + 0.5
