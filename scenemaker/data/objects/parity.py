"""Inside and outside by counting crossings: a second opinion on the winding number, with other weaknesses.

A ray from a point inside a closed part leaves it through an odd number of faces. Through a hole it leaves uncounted,
so several directions vote. Each part of ``winding`` is asked alone, so that overlaps count once here as well and faces
of two parts that lie on each other are both seen.
"""

from __future__ import annotations

import numpy as np

from scenemaker.data.objects.winding import Solid
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster
from scenemaker.scene import Bool

DIRECTIONS = 7  # odd: no ties
_STEP = 1e-5  # past a hit, of the longest side: nearer faces of one part are not told apart


def parity_inside(solid: Solid, points: F64, seed: int = 0) -> Bool:
    """(n,) whether points (n, 3) are inside, by the majority of the rays in several random directions."""
    directions = np.random.default_rng(seed).normal(size=(DIRECTIONS, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    around, enclosed = np.zeros(len(points)), np.zeros(len(points), bool)
    for g, (lo, hi) in enumerate(solid.boxes):
        near = np.flatnonzero(((points >= lo) & (points <= hi)).all(1))
        if not len(near):
            continue
        used, faces = np.unique(solid.faces[g], return_inverse=True)
        part = Mesh(
            vertices=solid.surface.vertices[used].astype(np.float32), faces=faces.reshape(-1, 3).astype(np.int32)
        )
        odd = _odd(RayCaster([part]), np.repeat(points[near], DIRECTIONS, 0), np.tile(directions, (len(near), 1)))
        within = 2 * odd.reshape(-1, DIRECTIONS).sum(1) > DIRECTIONS
        if solid.closed[g]:
            around[near] += solid.sign[g] * within
        else:
            enclosed[near] |= within
    return enclosed | (around > 0.5)


def _odd(caster: RayCaster, origins: F64, directions: F64) -> Bool:
    """(k,) whether rays cross an odd number of faces; each face once, however flat it is hit."""
    odd, last = np.zeros(len(origins), bool), np.full(len(origins), -1)
    alive, start = np.arange(len(origins)), np.zeros(len(origins))
    while len(alive):
        hits = caster.cast(origins[alive] + start[:, None] * directions[alive], directions[alive])
        met = hits.index >= 0
        alive, face = alive[met], hits.face[met]
        start = start[met] + hits.distance[met].astype(np.float64) + _STEP
        odd[alive] ^= face != last[alive]
        last[alive] = face
    return odd
