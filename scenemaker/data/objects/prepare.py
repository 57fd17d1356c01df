"""What training needs of one object: surface points, sharp-edge points, occupancy and signed distances.

All of it is of the solid that ``winding`` makes of the mesh: normals point outwards, and what lies inside another part
is no surface. Numbers are rounded to what the cache stores *before* occupancy and distance are measured, so that the
values belong to exactly these points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from scenemaker.cache import digest
from scenemaker.data.objects.closedness import Closedness, closedness
from scenemaker.data.objects.edges import sharp_edges
from scenemaker.data.objects.parity import parity_inside
from scenemaker.data.objects.winding import Solid, solid
from scenemaker.data.types import DataObject
from scenemaker.errors import InputError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.scene import F32, Bool

STEP = 2e-5  # positions are multiples of it, within +-0.655: 16 bits
_REACH = 0.65
_PROBES = 2048  # surface points from which shares are estimated
_ALL = 0.995  # a larger share of them is as good as all
_LIFT = 1e-4  # from the surface to either side, to ask whether it is inside another part


class PrepareConfig(BaseModel, frozen=True, extra="forbid"):
    """How many points of each kind."""

    surface_points: int = Field(default=20480, ge=1, description="Points spread evenly over the surface.")
    edge_points: int = Field(default=8192, ge=0, description="Points spread evenly along sharp edges.")
    sharp_deg: float = Field(default=30.0, gt=0, lt=180, description="Least angle between the faces at a sharp edge.")
    near_points: int = Field(default=8192, ge=0, description="Occupancy samples near the surface, per sigma.")
    near_sigmas: tuple[float, ...] = Field(
        default=(0.005, 0.05), description="Standard deviations of the distance of near samples, per axis."
    )
    box_points: int = Field(default=16384, ge=1, description="Occupancy samples spread over the box.")
    box: float = Field(default=0.55, ge=0.5, le=_REACH, description="Half the side of that box.")
    agreement_points: int = Field(default=4096, ge=1, description="Samples on which winding and parity are compared.")


@dataclass(frozen=True, eq=False, kw_only=True)
class PreparedObject:
    """An object as training sees it, in ``obj``.

    Attributes:
        key: Of the object.
        surface_obj: (P, 6) float32 points and unit normals, evenly by area, the normals outwards, in random order (so
            that the first k are a sample too). Points are rounded by at most 1e-5, normals by 5e-4.
        edges_obj: (E, 6) float32 points on sharp edges, evenly by length, and the mean normal of the faces there;
            E is 0 for a smooth closed surface.
        points_obj: (S, 3) float32 occupancy samples: the near ones, sigma by sigma, then those of the box.
        distance: (S,) float32 signed distance to the surface, negative inside; rounded by at most 5e-4 of itself. Where
            the nearest face is buried in another part it is that to the nearest surface point, some 0.01 too large.
        inside: (S,) bool.
        closedness: Of the mesh as it came.
        agreement: Share of the samples on which winding number and ray parity agree; those on the surface left out.
        buried: Share of the surface that lies inside another part, where nobody sees it.
        sheets: Share of the surface with nothing inside on either side: open, or thinner than 1e-4.
        turned: Share of the surface that was inside out.
    """

    key: str
    surface_obj: F32
    edges_obj: F32
    points_obj: F32
    distance: F32
    inside: Bool
    closedness: Closedness
    agreement: float
    buried: float
    sheets: float
    turned: float


def prepare(obj: DataObject, config: PrepareConfig | None = None, seed: int = 0) -> PreparedObject:
    """The points of an object; they depend on its vertices and faces, the config and the seed alone.

    Raises:
        InputError: The mesh is not in ``obj``, or has no area.
        BackendNotInstalledError: libigl is missing; says what to type.
    """
    config = config or PrepareConfig()
    mesh = obj.mesh
    if np.abs(mesh.bounds).max() > 0.5 + 1e-3:
        got = f"{obj.key} from {mesh.bounds[0].round(3).tolist()} to {mesh.bounds[1].round(3).tolist()}"
        raise InputError(expected("a mesh in obj, within +-0.5", got=got, remedy="normalise it"))
    rng = np.random.default_rng([seed, int(geometry_digest(mesh)[:15], 16)])
    body = solid(mesh, int(rng.integers(2**31)))
    surface, buried, sheets = _surface(body, config, rng)
    points = _samples(surface, config, rng)
    inside = body.inside(points)
    distance = _signed(body, points, inside, surface)
    clear = np.flatnonzero(np.abs(distance) > STEP)  # a point on the surface is neither in nor out
    some = clear[np.linspace(0, len(clear) - 1, min(config.agreement_points, len(clear))).astype(np.int64)]
    agree = parity_inside(body, points[some], int(rng.integers(2**31))) == inside[some]
    return PreparedObject(
        key=obj.key,
        surface_obj=surface,
        edges_obj=_edges(body, config, rng),
        points_obj=points.astype(np.float32),
        distance=distance,
        inside=inside,
        closedness=closedness(mesh),
        agreement=float(agree.mean()) if len(some) else 1.0,
        buried=buried,
        sheets=sheets,
        turned=body.turned,
    )


def geometry_digest(mesh: Mesh) -> str:
    """SHA-256 of vertices and faces."""
    return digest([mesh.vertices, mesh.faces])


def to_grid(points: F64 | F32) -> NDArray[np.int16]:
    """Points as multiples of ``STEP``; off by at most half of it."""
    return np.round(np.asarray(points, np.float64) / STEP).astype(np.int16)


def from_grid(cells: NDArray[np.int16]) -> F32:
    """Reads ``to_grid`` back."""
    return (cells * STEP).astype(np.float32)


def _surface(body: Solid, config: PrepareConfig, rng: np.random.Generator) -> tuple[F32, float, float]:
    """Points and normals (P, 6) of the surface that is not buried, the share that is, and the share of sheets."""
    mesh = Mesh(vertices=body.surface.vertices.astype(np.float32), faces=body.surface.faces.astype(np.int32))

    def spread(n: int) -> tuple[F64, F64]:
        points, face = sample_surface(mesh, n, seed=int(rng.integers(2**31)))
        return points, body.surface.normals[face]

    points, normals = spread(_PROBES)
    front, back = (body.inside(points + way * _LIFT * normals) for way in (1, -1))
    buried, sheets = float(_buried(body, points, normals).mean()), float((~front & ~back).mean())
    if buried > _ALL:
        got = f"{100 * buried:.1f} % of it inside other parts"
        raise InputError(expected("a mesh with a surface that bounds it", got=got, remedy="repair the mesh"))
    return _unburied(body, spread, config.surface_points, buried, rng), buried, sheets


def _edges(body: Solid, config: PrepareConfig, rng: np.random.Generator) -> F32:
    """Points on sharp edges that are not buried, and normals (E, 6); none where there are no such edges."""
    edges, normals = sharp_edges(body.surface, config.sharp_deg)
    ends = body.surface.vertices[body.surface.edges[edges]]  # (k, 2, 3)
    total = np.cumsum(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1))
    if not len(edges) or not config.edge_points:
        return np.zeros((0, 6), np.float32)

    def spread(n: int) -> tuple[F64, F64]:
        edge = np.searchsorted(total, (np.arange(n) + rng.random(n)) / n * total[-1]).clip(0, len(edges) - 1)
        along = rng.random((n, 1))
        return (1 - along) * ends[edge, 0] + along * ends[edge, 1], normals[edge]

    points, directions = spread(_PROBES)
    buried = float(_buried(body, points, directions).mean())
    return np.zeros((0, 6), np.float32) if buried > _ALL else _unburied(body, spread, config.edge_points, buried, rng)


def _unburied(
    body: Solid, spread: Callable[[int], tuple[F64, F64]], wanted: int, buried: float, rng: np.random.Generator
) -> F32:
    """``wanted`` points and normals (n, 6) that are not buried, in random order; about a share ``buried`` of all is."""
    n = wanted if buried == 0 else int(1.05 * wanted / (1 - buried)) + 64
    while True:
        points, normals = spread(n)
        kept = rng.permutation(np.flatnonzero(~_buried(body, points, normals)))[:wanted]
        if len(kept) == wanted:
            return _rounded(points[kept], normals[kept])
        n += n // 10 + 64


def _buried(body: Solid, points: F64, normals: F64) -> Bool:
    """(n,) whether points of the surface have inside on both sides and see nothing of the surroundings.

    The second matters in open parts, where inside is an estimate: what can be seen is never lost.
    """
    buried = body.inside(points + _LIFT * normals)
    some = np.flatnonzero(buried)
    buried[some] = body.inside(points[some] - _LIFT * normals[some])
    some = np.flatnonzero(buried)
    buried[some] = ~body.sees_out(points[some], normals[some])
    return buried


def _samples(surface: F32, config: PrepareConfig, rng: np.random.Generator) -> F64:
    """(S, 3) where occupancy is asked for, on the grid of the cache."""
    found = []
    for sigma in config.near_sigmas:
        base = surface[rng.integers(len(surface), size=config.near_points), :3]
        found.append((base + sigma * rng.normal(size=base.shape)).clip(-_REACH, _REACH))
    found.append(rng.uniform(-config.box, config.box, (config.box_points, 3)))
    return from_grid(to_grid(np.concatenate(found))).astype(np.float64)


def _signed(body: Solid, points: F64, inside: Bool, surface: F32) -> F32:
    """(S,) signed distances in half precision.

    From outside the nearest face is always real surface; from inside it may be buried in another part.
    """
    from scipy.spatial import KDTree

    distance, face, foot = body.nearest(points)
    within = np.flatnonzero(inside)
    buried = within[_buried(body, foot[within], body.surface.normals[face[within]])]
    distance[buried] = np.maximum(distance[buried], KDTree(surface[:, :3]).query(points[buried])[0])
    return np.where(inside, -distance, distance).astype(np.float16).astype(np.float32)


def _rounded(points: F64, normals: F64) -> F32:
    """(n, 6) points on the grid of the cache and normals in half precision."""
    return np.concatenate([from_grid(to_grid(points)), normals.astype(np.float16).astype(np.float32)], 1)
