"""Small worlds that the tests of Cycles share."""

from __future__ import annotations

import numpy as np

from scenemaker.data.types import Environment, Finish, Ground, Light, World
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera
from scenemaker.geometry.mesh import Mesh


def box(extents: tuple[float, float, float], **look: object) -> Mesh:
    """An open-edged box of six separate sides (24 vertices), outward faces."""
    half = np.array(extents) / 2
    sides = []
    for axis in range(3):
        for sign in (1, -1):
            u, v = np.roll(np.eye(3), -axis, 0)[1:]
            n = sign * np.eye(3)[axis]
            corners = np.array([n - u - v, n + u - v, n + u + v, n - u + v])
            sides.append(corners if sign > 0 else corners[::-1])
    vertices = np.concatenate(sides) * half
    quad = np.array([[0, 1, 2], [0, 2, 3]])
    return Mesh(vertices=vertices, faces=np.concatenate([quad + 4 * k for k in range(6)]), **look)  # type: ignore[arg-type]


def ball(rings: int = 12) -> Mesh:
    """A sphere of diameter 1 with vertex colours that change from pole to pole."""
    theta, phi = np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False)
    t, p = (a.ravel() for a in np.meshgrid(theta, phi, indexing="ij"))
    vertices = 0.5 * np.stack([np.sin(t) * np.cos(p), np.cos(t), -np.sin(t) * np.sin(p)], 1)
    faces = []
    n = 2 * rings
    for i in range(rings):
        for j in range(n):
            a, b, c, d = i * n + j, i * n + (j + 1) % n, (i + 1) * n + j, (i + 1) * n + (j + 1) % n
            faces += [f for f, keep in (((a, c, d), i < rings - 1), ((a, d, b), i > 0)) if keep]
    red = (255 * (1 - t / np.pi)).astype(np.uint8)
    return Mesh(vertices=vertices, faces=np.array(faces), colors=np.stack([red, 255 - red, red // 2], 1))


def camera_at(
    eye: tuple[float, float, float],
    target: tuple[float, float, float] = (0.0, 0.2, 0.0),
    *,
    width: int = 60,
    height: int = 40,
    fx: float = 70.0,
    fy: float = 70.0,
    centre_px: tuple[float, float] | None = None,
) -> Camera:
    """A camera that looks at a point, y up."""
    z = transforms.unit(np.subtract(target, eye))
    x = transforms.unit(np.cross(z, (0.0, 1.0, 0.0)))
    R = np.stack([x, np.cross(z, x), z])
    cx, cy = centre_px or (width / 2, height / 2)
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return Camera(K=K, width=width, height=height, T_cam_world=transforms.similarity(R, -R @ np.array(eye), 1.0))


def placed(R: F64, t: tuple[float, float, float], scale: float) -> F64:
    return transforms.similarity(R, np.array(t), scale)


def small_world(*, ground: bool = True, lights: bool = True) -> World:
    """A tilted box and a ball, on a checkered ground under a sun."""
    checks = np.kron(np.indices((4, 4)).sum(0) % 2, np.ones((8, 8)))[..., None] * [90, 80, 70] + 110
    R = transforms.axis_angle((0.3, 1.0, 0.2), 0.7)
    sun = Light(
        direction_world=transforms.unit((0.5, 0.8, 0.4)), irradiance=np.array([2.4, 2.2, 1.9]), distance=None, size=0.02
    )
    sky = np.linspace([0.5, 0.7, 1.0], [0.2, 0.2, 0.2], 8)[:, None].astype(np.float32)
    return World(
        meshes=(box((1.0, 0.5, 0.7)), ball()),
        S_world_obj=np.stack([placed(R, (-0.45, 0.4, 0.0), 0.8), placed(np.eye(3), (0.5, 0.3, 0.1), 0.6)]),
        finishes=(Finish(), Finish()),
        environment=Environment(radiance=sky),
        lights=(sun,) if lights else (),
        ground=Ground(texture=checks.astype(np.uint8), tile=1.5, radius=4.0) if ground else None,
    )
