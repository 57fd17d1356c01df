"""Small worlds for the tests of the renderers."""

import numpy as np

from scenemaker.data.types import Environment, Finish, Ground, World
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import Camera, K_from_fov
from scenemaker.geometry.mesh import Mesh

BLACK_SKY = np.zeros((2, 1, 3), np.float32)
GREY_SKY = np.full((2, 1, 3), 0.5, np.float32)


def box(colour=(128, 128, 128)):
    """A cube of side 1 about the origin."""
    v = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)], np.float32)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = [f for a, b, c, d in quads for f in ([a, b, c], [a, c, d])]
    return Mesh(vertices=v, faces=faces, colors=np.tile(np.array(colour, np.uint8), (8, 1)))


def sphere(subdivisions=3, colour=(200, 60, 60)):
    """Radius 0.5 about the origin."""
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions, radius=0.5)
    return Mesh(vertices=ball.vertices, faces=ball.faces, colors=np.tile(np.uint8(colour), (len(ball.vertices), 1)))


def camera_at(place, target, width, height, fov_x_deg=50.0):
    """Upright, looking from a place at a target."""
    z = transforms.unit(np.subtract(target, place))
    up = [0.0, 1.0, 0.0] if abs(z[1]) < 0.999 else [0.0, 0.0, -1.0]
    x = transforms.unit(np.cross(z, up))
    R = np.stack([x, np.cross(z, x), z])
    T = transforms.rigid(R, -R @ np.asarray(place, np.float64))
    return Camera(K=K_from_fov(fov_x_deg, width, height), width=width, height=height, T_cam_world=T)


def ground_of(colour=(188, 188, 188), radius=50.0, roughness=1.0):
    """One colour all over."""
    return Ground(
        texture=np.full((4, 4, 3), colour, np.uint8), tile=1.0, radius=radius, finish=Finish(roughness=roughness)
    )


def world_of(meshes, S, *, ground=None, sky=BLACK_SKY, lights=(), finish=None):
    """A world with one finish for all."""
    return World(
        meshes=tuple(meshes),
        S_world_obj=np.array(S, np.float64).reshape(-1, 4, 4),
        finishes=(finish or Finish(roughness=1.0),) * len(meshes),
        environment=Environment(radiance=np.asarray(sky, np.float32)),
        lights=tuple(lights),
        ground=ground,
    )
