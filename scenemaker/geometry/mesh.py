"""Triangle meshes: the plain arrays that flow between stages, and what can be asked of them.

trimesh reads files and repairs; these arrays are what we compute on, so that ``instant`` starts fast.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.errors import InputError, ShapeError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64


@dataclass(frozen=True, eq=False, kw_only=True)
class Mesh:
    """A triangle mesh with one texture or with vertex colours.

    Attributes:
        vertices: (n, 3) float32.
        faces: (m, 3) int32, counter-clockwise seen from outside.
        uv: (n, 2) float32 in [0, 1], origin at the top-left of the texture (glTF), or None.
        texture: (h, w, 3 or 4) uint8 sRGB, or None.
        colors: (n, 3 or 4) uint8 sRGB vertex colours, or None.
        unlit: The colours are a photograph's: show them without lighting.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32] | None = None
    texture: NDArray[np.uint8] | None = None
    colors: NDArray[np.uint8] | None = None
    unlit: bool = False

    def __post_init__(self) -> None:
        v, f = np.asarray(self.vertices, np.float32), np.asarray(self.faces, np.int32)
        if v.ndim != 2 or v.shape[1] != 3 or f.ndim != 2 or f.shape[1] != 3:
            raise ShapeError(
                expected("vertices (n, 3) and faces (m, 3)", got=f"{v.shape} and {f.shape}", remedy="triangulate it")
            )
        if not len(v) or not len(f):
            raise InputError(expected("a mesh with faces", got="an empty mesh", remedy="check the file"))
        if not np.isfinite(v).all():
            raise InputError(expected("finite vertices", got="NaN or infinity", remedy="repair the mesh"))
        if f.min() < 0 or f.max() >= len(v):
            raise InputError(
                expected(f"face indices in [0, {len(v)})", got=f"{f.min()}..{f.max()}", remedy="repair the mesh")
            )
        if self.uv is not None and np.shape(self.uv) != (len(v), 2):
            raise ShapeError(expected(f"uv ({len(v)}, 2)", got=np.shape(self.uv), remedy="give one uv per vertex"))
        if self.colors is not None and len(self.colors) != len(v):
            raise ShapeError(expected(f"{len(v)} vertex colours", got=len(self.colors), remedy="give one per vertex"))
        object.__setattr__(self, "vertices", v)
        object.__setattr__(self, "faces", f)

    def transformed(self, S: ArrayLike) -> Mesh:
        """The mesh moved by a (4, 4) similarity."""
        return replace(self, vertices=transforms.apply(S, self.vertices).astype(np.float32))

    @property
    def bounds(self) -> F64:
        """(2, 3) lowest and highest corner of the axis-aligned box."""
        v = self.vertices.astype(np.float64)
        return np.stack([v.min(0), v.max(0)])

    @property
    def extents(self) -> F64:
        """(3,) full sides of the axis-aligned box."""
        b = self.bounds
        return b[1] - b[0]

    @property
    def triangles(self) -> F64:
        """(m, 3, 3) corners of the faces."""
        return self.vertices.astype(np.float64)[self.faces]

    def volume(self) -> float:
        """Signed volume (divergence theorem); meaningful for a closed mesh."""
        a, b, c = np.moveaxis(self.triangles - self.bounds.mean(0), 1, 0)
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)

    def is_closed(self) -> bool:
        """Every edge is shared by two faces of opposite direction, after welding equal vertices."""
        _, weld = np.unique(self.vertices, axis=0, return_inverse=True)
        f = weld.reshape(-1)[self.faces].astype(np.int64)
        f = f[(f[:, 0] != f[:, 1]) & (f[:, 1] != f[:, 2]) & (f[:, 2] != f[:, 0])]
        e = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
        n = int(f.max()) + 1
        forward, count = np.unique(e[:, 0] * n + e[:, 1], return_counts=True)
        backward, count_back = np.unique(e[:, 1] * n + e[:, 0], return_counts=True)
        return len(forward) == len(backward) and bool((forward == backward).all() and (count == count_back).all())


def normalise(mesh: Mesh) -> tuple[Mesh, F64]:
    """The mesh in the house's ``obj`` frame (centred on its box, longest side 1) and ``S_obj_mesh`` (4, 4).

    Raises:
        InputError: A mesh of no extent.
    """
    lo, hi = mesh.bounds
    longest = float((hi - lo).max())
    if longest <= 0:
        raise InputError(expected("a mesh with an extent", got="all vertices in one point", remedy="check the file"))
    S = transforms.similarity(np.eye(3), -(lo + hi) / 2 / longest, 1 / longest)
    return mesh.transformed(S), S


def sample_surface(mesh: Mesh, n: int, *, seed: int = 0) -> tuple[F64, NDArray[np.int64]]:
    """(n, 3) points spread evenly over the surface by area, and the face (n,) of each."""
    rng = np.random.default_rng(seed)
    a, b, c = np.moveaxis(mesh.triangles, 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    cumulative = np.cumsum(area)
    if not cumulative[-1] > 0:
        raise InputError(expected("a mesh with an area", got="only degenerate faces", remedy="check the file"))
    face = np.searchsorted(cumulative, (rng.random(n) + np.arange(n)) / n * cumulative[-1]).clip(0, len(area) - 1)
    r1, r2 = np.sqrt(rng.random((n, 1))), rng.random((n, 1))
    return (1 - r1) * a[face] + r1 * (1 - r2) * b[face] + r1 * r2 * c[face], face
