"""Inside and outside of meshes that are not watertight, by the generalised winding number of oriented parts.

The winding number w of a closed surface around a point is 1 inside and 0 outside, whatever hangs together how. Of the
meshes of the wild it is anything: 2 and 3 where closed parts overlap, negative in parts that are inside out, a half
at open sheets. So the mesh is first made such that w means something:

1. vertices at one place become one; of faces that lie on each other one stays, or none where two parts touch;
2. the faces of every manifold patch are turned the same way; a patch that is seen from outside is turned outwards
   (a closed one by its volume, an open one by which side sees more of the surroundings), one that is not stays;
3. open patches that are not seen from outside are dropped: inner walls bound nothing.

Then a point is inside when the closed patches together wind around it (w > 0.5: overlaps count once, a closed patch
turned inwards is a cavity), or when one open part does by itself within its own box (so that the leaves of a tree do
not add up to a solid).

Reference: Jacobson et al. 2013, Barill et al. 2018 (winding numbers); Takayama et al. 2014 (orientation by visibility).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from scenemaker.data.objects.edges import I64, Welded, parts, patches, weld
from scenemaker.errors import BackendNotInstalledError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster
from scenemaker.scene import Bool

THRESHOLD = 0.5  # of the winding number
DOUBLE_SIDED = 0.9  # share of doubled faces above which a part is taken as drawn from both sides
_RAYS = 64  # per side of a patch, fewer when there are thousands of patches
_MAX_RAYS = 400_000
_LOOKS = 24  # directions in which a single point looks for the surroundings
_LIFT = 1e-5  # of the longest side: from where a surface looks around


def igl() -> Any:
    """libigl.

    Raises:
        BackendNotInstalledError: It is not there; says what to type.
    """
    try:
        import igl as module
    except ImportError as error:
        remedy = 'type: pip install "scenemaker[data]"'
        raise BackendNotInstalledError(
            expected("libigl, for winding numbers", got="no module igl", remedy=remedy)
        ) from error
    return module


@dataclass(frozen=True, eq=False, kw_only=True)
class Solid:
    """A mesh turned outwards, and what it bounds.

    Attributes:
        surface: Its faces, turned outwards.
        group: (m,) of each face: every closed patch is one, the open patches of a part together are one.
        closed: (g,) whether the group is closed.
        sign: (g,) 1, or -1 for a cavity.
        turned: Share of the area that was turned over.
        dropped: Share of the area that bounds nothing: doubled faces and hidden inner walls.
    """

    surface: Welded
    group: I64
    closed: Bool
    sign: I64
    turned: float
    dropped: float

    @cached_property
    def faces(self) -> list[I64]:
        """Faces (k, 3) of each group."""
        order = np.argsort(self.group, kind="stable")
        return np.split(self.surface.faces[order], np.searchsorted(self.group[order], np.arange(1, len(self.closed))))

    @cached_property
    def boxes(self) -> F64:
        """(g, 2, 3) lowest and highest corner of each group."""
        corners = [self.surface.vertices[np.unique(faces)] for faces in self.faces]
        return np.stack([np.stack([c.min(0), c.max(0)]) for c in corners])

    def inside(self, points: F64) -> Bool:
        """(n,) whether points (n, 3) are inside."""
        wind, vertices = igl().fast_winding_number, self.surface.vertices
        points = np.ascontiguousarray(points, np.float64)
        inside = np.zeros(len(points), bool)
        closed = self.surface.faces[self.closed[self.group]]
        if len(closed) and len(points):
            inside |= wind(vertices, closed, points) > THRESHOLD
        thick = np.ptp(self.boxes, axis=1).min(1) > _LIFT  # a flat sheet never winds by more than a half
        for g in np.flatnonzero(~self.closed & thick):
            lo, hi = self.boxes[g]
            near = np.flatnonzero(~inside & ((points >= lo) & (points <= hi)).all(1))
            if len(near):
                inside[near] = wind(vertices, self.faces[g], np.ascontiguousarray(points[near])) > THRESHOLD
        return inside

    def sees_out(self, points: F64, normals: F64) -> Bool:
        """(n,) whether points on the surface, with its normals (n, 3), see the surroundings from either side."""
        free = np.zeros(len(points), bool)
        for direction in _sphere(_LOOKS):
            side = np.where(normals @ direction < 0, -1.0, 1.0)[:, None]
            left = np.flatnonzero(~free)
            hits = self._caster.cast(
                points[left] + _LIFT * side[left] * normals[left], np.tile(direction, (len(left), 1))
            )
            free[left] = hits.index < 0
        return free

    @cached_property
    def _caster(self) -> RayCaster:
        return _caster(self.surface)

    def nearest(self, points: F64) -> tuple[F64, I64, F64]:
        """Distance (n,) to the surface, face (n,) and point (n, 3) on it that is nearest."""
        points = np.ascontiguousarray(points, np.float64)
        squared, face, foot = igl().point_mesh_squared_distance(points, self.surface.vertices, self.surface.faces)
        return np.sqrt(squared), face, foot


def solid(mesh: Mesh, seed: int = 0) -> Solid:
    """The mesh as the boundary of a solid; ``mesh`` stands in ``obj`` (sizes are relative to a longest side of 1).

    Raises:
        InputError: All faces are degenerate.
    """
    welded = weld(mesh)
    area = float(welded.areas.sum())
    single = _single(welded)
    patch, against = patches(single)
    n = int(patch.max()) + 1
    oriented = _turned(single, against)
    front, back = _seen(oriented, patch, n, seed)
    closed = oriented.closed(patch, n)
    volume = oriented.volumes(patch, n)
    over = np.where(closed, (volume < 0) & (front + back > 0), back > front + 2 * np.sqrt(front + back))
    turned = float(single.areas[against ^ over[patch]].sum() / max(single.areas.sum(), 1e-300))
    oriented = _turned(oriented, over[patch])
    keep = np.logical_or(closed, front + back > 0)[patch]
    if not keep.any():
        keep[:] = True
    whole, patch = replace(oriented, faces=oriented.faces[keep]), patch[keep]
    group = np.where(closed[patch], patch, n + parts(whole))
    ids, group = np.unique(group, return_inverse=True)
    cavity = (volume < 0) & ~over
    is_patch = ids < n
    which = np.where(is_patch, ids, 0)
    return Solid(
        surface=whole,
        group=group.astype(np.int64),
        closed=is_patch,
        sign=np.where(is_patch & cavity[which], -1, 1).astype(np.int64),
        turned=turned,
        dropped=1 - float(whole.areas.sum()) / max(area, 1e-300),
    )


def _turned(mesh: Welded, turn: Bool) -> Welded:
    """The mesh with some faces (m,) turned over."""
    return Welded(vertices=mesh.vertices, faces=np.where(turn[:, None], mesh.faces[:, ::-1], mesh.faces))


def _single(mesh: Welded) -> Welded:
    """The mesh without faces that lie on each other.

    Of equal faces one stays. Of opposite ones none stays (a wall between two blocks that touch), but in a part that is
    nearly all doubled one stays: it was drawn from both sides.
    """
    order = np.argsort(mesh.faces, axis=1)
    corners = np.take_along_axis(mesh.faces, order, 1)
    even = np.isin(order @ [9, 3, 1], [5, 15, 19])  # 012, 120, 201 as digits of base 3
    _, first, which = np.unique(corners, axis=0, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    ways = np.stack([np.bincount(which, even), np.bincount(which, ~even)], 1)  # (k, 2)
    doubled = np.equal(ways[:, 0], ways[:, 1])
    if not doubled.any():
        return Welded(vertices=mesh.vertices, faces=mesh.faces[np.sort(first)])
    part = parts(mesh)
    share = np.bincount(part, mesh.areas * doubled[which]) / np.maximum(np.bincount(part, mesh.areas), 1e-300)
    keep = ~doubled | (share[part[first]] > DOUBLE_SIDED)
    return Welded(vertices=mesh.vertices, faces=mesh.faces[np.sort(first[keep])])


def _seen(mesh: Welded, patch: I64, n: int, seed: int) -> tuple[F64, F64]:
    """How many of the rays that leave the front and the back (n,) of each patch reach the surroundings."""
    rng = np.random.default_rng(seed)
    k = int(np.clip(_MAX_RAYS // (2 * n), 4, _RAYS))
    order = np.argsort(patch, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(mesh.areas[order])])
    ends = np.searchsorted(patch[order], np.arange(n + 1))
    lo, hi = total[ends[:-1], None], total[ends[1:], None]
    place = lo + (hi - lo) * ((np.arange(k) + rng.random((n, k))) / k)
    at = np.searchsorted(total, place.ravel(), side="right") - 1
    face = order[np.clip(at, np.repeat(ends[:-1], k), np.repeat(ends[1:] - 1, k))]  # (n k,)
    r1, r2 = np.sqrt(rng.random((len(face), 1))), rng.random((len(face), 1))
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces[face]], 1, 0)
    points = (1 - r1) * a + r1 * (1 - r2) * b + r1 * r2 * c
    ball = rng.normal(size=points.shape)
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    caster = _caster(mesh)
    normals = mesh.normals[face]
    free = []
    for way in (normals, -normals):
        hits = caster.cast(points + _LIFT * way, way * (1 + 1e-6) + ball)  # as the cosine: Lambert's law
        free.append(np.bincount(np.repeat(np.arange(n), k), hits.index < 0, n))
    return free[0], free[1]


def _caster(mesh: Welded) -> RayCaster:
    return RayCaster([Mesh(vertices=mesh.vertices.astype(np.float32), faces=mesh.faces.astype(np.int32))])


def _sphere(n: int) -> F64:
    """(n, 3) directions spread evenly, on a Fibonacci spiral."""
    y = 1 - (2 * np.arange(n) + 1) / n
    angle = np.arange(n) * np.pi * (3 - np.sqrt(5))
    return np.stack([np.sqrt(1 - y**2) * np.cos(angle), y, np.sqrt(1 - y**2) * np.sin(angle)], 1)
