"""What rendering needs of a mesh beside its arrays: made once per mesh, kept while the mesh lives."""

from __future__ import annotations

from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from scenemaker.data.render.textures import linear_table, pyramid
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.geometry.raycast import RayCaster
from scenemaker.scene import F32

CREASE_DEG = 40.0  # faces that meet at a sharper angle are shaded with an edge between them
POINTS = 1024  # surface points that tell how much of an object is in the picture
GREY = 190  # sRGB of a mesh without colours, as in geometry.raycast
KEEP_BYTES = 512 << 20  # of all kept surfaces, as estimated
_FACE_BYTES, _PIXEL_BYTES = 128, 16  # with search tree and normals; as floats with smaller copies


class Surface:
    """A mesh in ``obj`` made ready for rays and light. ``unlit`` and the opacity of colours are not regarded.

    Attributes:
        mesh: A copy; the surface must not keep the original alive.
        caster: Casts rays at the mesh, in ``obj``.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.caster = RayCaster([mesh])
        self.mesh = self.caster.meshes[0]

    @cached_property
    def corners(self) -> F64:
        """(8, 3) corners of the box."""
        lo, hi = self.mesh.bounds
        return np.array([[x, y, z] for x in (lo[0], hi[0]) for y in (lo[1], hi[1]) for z in (lo[2], hi[2])])

    @cached_property
    def points(self) -> F64:
        """(1024, 3) points spread evenly over the surface."""
        return sample_surface(self.mesh, POINTS)[0]

    @cached_property
    def face_normals(self) -> F32:
        """(m, 3) unit geometric normals; zero for a face of no area."""
        a, b, c = (self.mesh.vertices[self.mesh.faces[:, k]].astype(np.float64) for k in range(3))
        n = np.cross(b - a, c - a)
        return (n / np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-300)).astype(np.float32)

    @cached_property
    def corner_normals(self) -> F32:
        """(m, 3, 3) unit normals at the corners of every face: smooth, but for creases."""
        return self.normals_by_corner.transpose(1, 0, 2)

    @cached_property
    def normals_by_corner(self) -> F32:
        """(3, m, 3) the same, contiguous for each of the three corners."""
        return np.ascontiguousarray(corner_normals(self.mesh, self.face_normals).transpose(1, 0, 2))

    @cached_property
    def colours(self) -> F32:
        """(n or 1, 3) linear vertex colours, or the one colour of the mesh."""
        colours = self.mesh.colors
        return linear_table()[np.full((1, 3), GREY, np.uint8) if colours is None else colours[:, :3]]

    @cached_property
    def texture(self) -> list[F32] | None:
        """The texture in linear light, each level half as large as the one before."""
        if self.mesh.texture is None or self.mesh.uv is None:
            return None
        return pyramid(linear_table()[self.mesh.texture[..., :3]])

    @cached_property
    def uv_density(self) -> float:
        """Length in uv per length in ``obj``, on the average of the surface; 0 without uv."""
        if self.mesh.uv is None:
            return 0.0
        a, b, c = (self.mesh.uv[self.mesh.faces[:, k]].astype(np.float64) for k in range(3))
        (bx, by), (cx, cy) = (b - a).T, (c - a).T
        area_uv = np.abs(bx * cy - by * cx).sum()
        p, q, r = np.moveaxis(self.mesh.triangles, 1, 0)
        return float(np.sqrt(area_uv / max(np.linalg.norm(np.cross(q - p, r - p), axis=1).sum(), 1e-12)))

    @cached_property
    def mean_colour(self) -> F32:
        """(3,) linear."""
        return (self.colours if self.texture is None else self.texture[-1].reshape(-1, 3)).mean(0)


def _bytes(mesh: Mesh) -> int:
    """What the surface of a mesh takes, roughly."""
    pixels = 0 if mesh.texture is None else mesh.texture.shape[0] * mesh.texture.shape[1]
    return len(mesh.faces) * _FACE_BYTES + pixels * _PIXEL_BYTES


_kept: WeakKeyDictionary[Mesh, Surface] = WeakKeyDictionary()


def surface_of(mesh: Mesh) -> Surface:
    """The surface of a mesh, made at most once while the mesh lives and memory lasts."""
    surface = _kept.pop(mesh, None) or Surface(mesh)
    _kept[mesh] = surface  # the last used stands last
    total = sum(map(_bytes, _kept))
    for oldest in list(_kept)[:-1]:
        if total <= KEEP_BYTES:
            break
        total -= _bytes(oldest)
        _kept.pop(oldest, None)
    return surface


def corner_normals(mesh: Mesh, face_normals: F32, crease_deg: float = CREASE_DEG) -> F32:
    """(m, 3, 3) unit normals at the corners of every face.

    Two faces that share an edge and meet at less than the crease angle share their normals at its two ends: the mean
    over all faces so connected around the vertex, weighted by the angle there. This is the rule of Blender's smooth
    by angle, so that both renderers shade alike. Vertices at equal places count as one.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    m = len(mesh.faces)
    _, weld = np.unique(mesh.vertices, axis=0, return_inverse=True)
    faces = weld.reshape(-1)[mesh.faces].astype(np.int64)
    corner = np.arange(3 * m).reshape(m, 3)
    start, end = faces.ravel(), np.roll(faces, -1, 1).ravel()  # the edge that leaves each corner
    after = np.roll(corner, -1, 1).ravel()
    low, high = np.minimum(start, end), np.maximum(start, end)
    at_low = np.where(start < end, corner.ravel(), after)  # corner of this face at the edge's lower vertex
    at_high = np.where(start < end, after, corner.ravel())
    order = np.lexsort((high, low))
    pair = np.flatnonzero((low[order][1:] == low[order][:-1]) & (high[order][1:] == high[order][:-1]))
    one, two = order[pair], order[pair + 1]
    flat = (face_normals[one // 3] * face_normals[two // 3]).sum(1) > np.cos(np.radians(crease_deg))
    one, two = one[flat], two[flat]
    i = np.concatenate([at_low[one], at_high[one]])
    j = np.concatenate([at_low[two], at_high[two]])
    links = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(3 * m, 3 * m))
    count, group = connected_components(links, directed=False)
    p = mesh.vertices[mesh.faces].astype(np.float64)
    to_next, to_last = np.roll(p, -1, 1) - p, np.roll(p, 1, 1) - p
    across = np.linalg.norm(np.cross(to_next, to_last), axis=2)
    angle = np.arctan2(across, (to_next * to_last).sum(2)).ravel()
    weighted = np.repeat(face_normals, 3, 0) * angle[:, None]
    total = np.stack([np.bincount(group, weighted[:, k], count) for k in range(3)], 1)[group]
    length = np.linalg.norm(total, axis=1, keepdims=True)
    smooth = np.where(length > 1e-6, total / np.maximum(length, 1e-12), np.repeat(face_normals, 3, 0))
    return smooth.reshape(m, 3, 3).astype(np.float32)
