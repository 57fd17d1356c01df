"""Points over the whole surface of a mesh as it is; ``prepare`` gives those of the outer surface, turned outwards."""

from __future__ import annotations

import numpy as np

from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.scene import F32


def surface_points(mesh: Mesh, count: int) -> F32:
    """(count, 6) points and unit normals of the faces, evenly by area, in random order; the same for equal meshes."""
    if not count:
        return np.zeros((0, 6), np.float32)
    points, face = sample_surface(mesh, count)
    a, b, c = np.moveaxis(mesh.triangles[face], 1, 0)
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    order = np.random.default_rng(0).permutation(count)  # so that the first m are a sample as well
    return np.concatenate([points, normals], 1).astype(np.float32)[order]
