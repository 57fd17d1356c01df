"""A small scene with known everything: coloured boxes on a floor, seen by a tilted camera. Not square."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, K_from_fov, pixel_rays
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster
from scenemaker.scene import Instance, Instances, ObjectPose, Photo, PlacedObject, PointMap

WIDTH, HEIGHT = 240, 160
FLOOR_RGB = (90, 150, 110)
CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
FACES = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip


def box(extents=(1.0, 1.0, 1.0), rgb=(200, 60, 40)) -> Mesh:
    """A closed box of one unlit colour, centred, outward faces."""
    return Mesh(
        vertices=CORNERS * np.asarray(extents),
        faces=FACES,
        colors=np.tile(np.array(rgb, np.uint8), (8, 1)),
        unlit=True,
    )


def tilted_camera(
    tilt_deg: float = 25.0, height: float = 1.5, *, width: int = WIDTH, height_px: int = HEIGHT
) -> Camera:
    """Looks down by ``tilt_deg`` from ``height`` above the floor of ``world`` (y up), towards -z."""
    a = np.radians(tilt_deg)
    R_world_gl = np.array([[1, 0, 0], [0, np.cos(a), np.sin(a)], [0, -np.sin(a), np.cos(a)]])
    R_cam_world = (R_world_gl @ transforms.GL_FROM_CV).T
    centre = np.array([0.0, height, 0.0])
    K = K_from_fov(55, width, height_px)
    return Camera(K=K, width=width, height=height_px, T_cam_world=transforms.rigid(R_cam_world, -R_cam_world @ centre))


def placed(id: int, mesh: Mesh, camera: Camera, centre_world, yaw_deg: float = 0.0, size: float = 1.0) -> PlacedObject:
    """The mesh upright in ``world``, turned about y, its longest side ``size``."""
    T = camera.T_cam_world
    R_world_obj = transforms.axis_angle([0, 1, 0], np.radians(yaw_deg))
    scale = size / float(mesh.extents.max())
    pose = ObjectPose(
        id=id,
        R_cam_obj=T[:3, :3] @ R_world_obj,
        t_cam_obj=transforms.apply(T, centre_world),
        size=mesh.extents * scale,
        scale=scale,
    )
    return PlacedObject(id=id, name=f"box {id}", mesh=mesh, pose=pose, label="box")


@dataclass
class SyntheticScene:
    photo: Photo
    instances: Instances
    point_map: PointMap
    objects: list[PlacedObject]
    camera: Camera


def ground_of(camera: Camera) -> np.ndarray:
    """(4,) the plane y = 0 of ``world`` in ``cam``."""
    n = camera.T_cam_world[:3, 1]
    return np.array([*n, -n @ camera.T_cam_world[:3, 3]])


def observe(objects: list[PlacedObject], camera: Camera) -> SyntheticScene:
    """What the camera sees of the objects and the floor."""
    seen = RayCaster([o.mesh for o in objects], [o.S_cam_obj for o in objects]).render(
        Camera(K=camera.K, width=camera.width, height=camera.height)
    )
    ground = ground_of(camera)
    rays = pixel_rays(camera.K, camera.height, camera.width)
    fall = rays @ ground[:3]
    floor = np.where(fall < -1e-6, -ground[3] / np.minimum(fall, -1e-6), np.nan)
    depth = np.where(seen.index >= 0, seen.depth, floor).astype(np.float32)
    rgb = np.where((seen.index >= 0)[..., None], seen.rgb, np.array(FLOOR_RGB, np.uint8)).astype(np.uint8)
    ids = np.array([0, *(o.id for o in objects)], np.uint16)
    return SyntheticScene(
        photo=Photo(rgb=rgb, K=camera.K, name="synthetic"),
        instances=Instances(
            labels=ids[seen.index + 1], items=tuple(Instance(id=o.id, name=o.name, label=o.label) for o in objects)
        ),
        point_map=PointMap.from_depth(depth, camera.K, up_cam=ground[:3], ground_cam=ground, scale_kind="metric"),
        objects=objects,
        camera=camera,
    )


def two_boxes() -> SyntheticScene:
    """A red box in front, a blue one behind it to the right and partly hidden, both on the floor."""
    camera = tilted_camera()
    red, blue = box((1, 0.8, 0.6)), box((0.5, 1, 0.7), (50, 70, 200))
    return observe(
        [
            placed(3, red, camera, (-0.3, 0.4, -3.2), yaw_deg=20, size=1.0),
            placed(7, blue, camera, (0.5, 0.6, -4.2), yaw_deg=-30, size=1.2),
        ],
        camera,
    )
