"""Small samples with everything known, for the tests of storage and data sets."""

from __future__ import annotations

import numpy as np

from scenemaker.data.types import SceneSample
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.testing import make_sample


def sample_of(key: str, n: int = 3, *, width: int = 48, height: int = 32, points: int = 64) -> SceneSample:
    """The made scene of ``testing`` as a ``SceneSample``; the key decides the picture's tint."""
    made = make_sample(n, width=width, height=height)
    tint = sum(key.encode()) % 50
    clouds = []
    for g in made.geometries:
        p, face = sample_surface(g.mesh, points)
        a, b, c = np.moveaxis(g.mesh.triangles[face], 1, 0)
        clouds.append(np.concatenate([p, transforms.unit(np.cross(b - a, c - a))], 1))
    labels = made.instances.labels
    amodal = np.stack([made.amodal[i] for i in made.ids])
    modal = np.array([(labels == i).sum() for i in made.ids])
    return SceneSample(
        key=key,
        source="made",
        camera=Camera(K=made.point_map.K, width=width, height=height, T_cam_world=made.scene.camera.T_cam_world),
        rgb=(made.photo.rgb // 2 + tint).astype(np.uint8),
        labels=labels,
        depth=np.where(labels > 0, made.point_map.depth, np.nan).astype(np.float32),
        names=tuple(f"thing_{i}" for i in made.ids),
        object_labels=("box", None, "ball")[:n],
        R_cam_obj=np.stack([p.R_cam_obj for p in made.poses]),
        t_cam_obj=np.stack([p.t_cam_obj for p in made.poses]),
        size=np.stack([p.size for p in made.poses]),
        scale=np.array([p.scale for p in made.poses], np.float64),
        points_obj=np.stack(clouds).astype(np.float32),
        up_cam=made.point_map.up_cam,
        amodal=amodal,
        normals_cam=np.where((labels > 0)[..., None], np.float32([0, 0.6, -0.8]), np.float32(np.nan)),
        visible_fraction=modal / amodal.reshape(n, -1).sum(1),
        info={"layout": "made", "seed": 3},
    )


def meshes_of(n: int = 3) -> list[Mesh]:
    """The meshes of ``sample_of``."""
    return [g.mesh for g in make_sample(n, width=48, height=32).geometries]
