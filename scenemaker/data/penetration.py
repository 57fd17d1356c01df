"""How far objects are inside of each other, and how far they hover, measured on the real meshes.

Not on what a physics engine takes them for: it is the check of the engine.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.data.solid import solid_of
from scenemaker.data.types import GROUND, Arrangement
from scenemaker.errors import FrameError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, sample_surface

SAMPLES = 4096
_points: WeakKeyDictionary[Mesh, dict[int, F64]] = WeakKeyDictionary()


def penetration(mesh_a: Mesh, S_world_a: ArrayLike, mesh_b: Mesh, S_world_b: ArrayLike, n: int = SAMPLES) -> float:
    """Depth of the deepest point of one object's surface inside the other, in units of ``world``.

    The vertices of each and n points spread over its surface are looked at; the depth of a point is its distance to
    the other's outer skin. It is what a push out along the best direction needs where a corner or a bulge is inside.

    Args:
        mesh_a, mesh_b: Each in its own frame.
        S_world_a, S_world_b: (4, 4) of uniform scale.
        n: Points over each surface.

    Raises:
        FrameError: A transform that is not a similarity.
    """
    S_world_a, S_world_b = np.asarray(S_world_a, np.float64), np.asarray(S_world_b, np.float64)
    return max(_depth_in(mesh_a, S_world_a, mesh_b, S_world_b, n), _depth_in(mesh_b, S_world_b, mesh_a, S_world_a, n))


def scene_penetration(arrangement: Arrangement, n: int = SAMPLES) -> F64:
    """(k, k) ``penetration`` of every pair of the k objects; symmetric, zero on the diagonal."""
    k, S, boxes = len(arrangement), arrangement.S_world_obj, arrangement.boxes_world
    out = np.zeros((k, k))
    for i in range(k):
        for j in range(i):
            if (boxes[i, 0] < boxes[j, 1]).all() and (boxes[j, 0] < boxes[i, 1]).all():
                meshes = arrangement.objects[i].mesh, arrangement.objects[j].mesh
                out[i, j] = out[j, i] = penetration(meshes[0], S[i], meshes[1], S[j], n)
    return out


def ground_penetration(arrangement: Arrangement) -> F64:
    """(k,) how far the lowest vertex of each object is below the plane y = 0; 0 when above."""
    return np.maximum(-arrangement.boxes_world[:, 0, 1], 0)


def gaps(arrangement: Arrangement, n: int = SAMPLES) -> F64:
    """(k,) distance of each object from what it rests on: 0 is contact; NaN for an object that rests on nothing.

    Between objects it is the least distance of the vertices and n surface points of either to the other's surface.
    """
    out = np.full(len(arrangement), np.nan)
    for i, below in enumerate(arrangement.support):
        if below == GROUND:
            out[i] = abs(arrangement.boxes_world[i, 0, 1])
        elif below >= 0:
            out[i] = min(_distance(arrangement, i, below, n), _distance(arrangement, below, i, n))
    return out


def _distance(arrangement: Arrangement, i: int, j: int, n: int) -> float:
    """Least distance of points of object i to the surface of object j, in ``world``."""
    mesh, S = arrangement.objects[j].mesh, arrangement.S_world_obj
    points_j = transforms.apply(transforms.invert(S[j]) @ S[i], _surface_points(arrangement.objects[i].mesh, n))
    return float(solid_of(mesh).distance(points_j).min() * arrangement.scale[j])


def _depth_in(mesh_a: Mesh, S_world_a: F64, mesh_b: Mesh, S_world_b: F64, n: int) -> float:
    """Depth of the deepest point of a inside b, in ``world``."""
    points_b = transforms.apply(transforms.invert(S_world_b) @ S_world_a, _surface_points(mesh_a, n))
    low, high = mesh_b.bounds
    points_b = points_b[((points_b > low) & (points_b < high)).all(1)]
    if not len(points_b):
        return 0.0
    return float(solid_of(mesh_b).depth(points_b).max() * _uniform_scale(S_world_b))


def _surface_points(mesh: Mesh, n: int) -> F64:
    """(k, 3) the vertices and n points spread over the surface."""
    kept = _points.setdefault(mesh, {})
    if n not in kept:
        kept[n] = np.concatenate([np.unique(mesh.vertices.astype(np.float64), axis=0), sample_surface(mesh, n)[0]])
    return kept[n]


def _uniform_scale(S: F64) -> float:
    scale = np.cbrt(np.linalg.det(S[:3, :3]))
    if not (scale > 0 and np.allclose(S[:3, :3].T @ S[:3, :3], scale**2 * np.eye(3), atol=1e-6 * scale**2)):
        remedy = "give R s with one s > 0 for all axes"
        raise FrameError(expected("a similarity", got=S[:3, :3].tolist(), remedy=remedy))
    return float(scale)


__all__ = ["SAMPLES", "gaps", "ground_penetration", "penetration", "scene_penetration"]
