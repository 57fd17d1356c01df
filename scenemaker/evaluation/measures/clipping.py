"""Meshes cut by planes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.geometry.cameras import F64, Camera
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.transforms import unit


def frustum_normals(camera: Camera) -> F64:
    """(4, 3) unit normals in ``world`` of the planes through the camera's centre and the sides of its picture.

    They point inwards: left, right, top, bottom. Their half-spaces together are all that the camera sees, near and far.

    Convention: with u = K_1 p / K_3 p, the picture's left side u >= 0 is K_1 p >= 0, its right side u <= width is
    (width K_3 - K_1) p >= 0, for every p in ``cam`` in front of the camera.
    """
    u, v, w = camera.K
    planes_cam = np.stack([u, camera.width * w - u, v, camera.height * w - v])
    return unit(planes_cam @ camera.T_cam_world[:3, :3])


def cut(mesh: Mesh, origin: ArrayLike, normals: ArrayLike) -> Mesh | None:
    """The part of a mesh in front of every plane, without colours; None where no face is left.

    The cut stays open, and triangles are cut exactly: areas add up.

    Args:
        mesh: Closed or open.
        origin: (3,) a point that all planes have.
        normals: (k, 3) unit normals.
    """
    from trimesh.intersections import slice_faces_plane

    at = np.asarray(origin, np.float64)
    vertices, faces = mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64)
    for normal in np.asarray(normals, np.float64):
        vertices, faces, _ = slice_faces_plane(vertices, faces, normal, at)
    return Mesh(vertices=vertices.astype(np.float32), faces=faces.astype(np.int32)) if len(faces) else None


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of all faces of at least one mesh, without colours; nothing is welded."""
    first = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    return Mesh(
        vertices=np.concatenate([m.vertices for m in meshes]),
        faces=np.concatenate([m.faces + np.int32(k) for m, k in zip(meshes, first[:-1], strict=True)]),
    )


def area(mesh: Mesh) -> float:
    """Area of the surface, in the unit of the vertices squared."""
    a, b, c = np.moveaxis(mesh.triangles, 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)
