"""Convex parts that together contain a mesh: what a physics engine can collide.

The surface is cut by planes across its axes as long as a hull spans an empty pocket, one whose bottom lies deeper
under the hull than a given depth. Each hull is the hull of a piece of the surface, so the parts contain the mesh
exactly: what keeps the hulls apart keeps the meshes apart, and what lies over a pocket hovers by less than its depth.

Reference: cutting by planes until a part is convex enough follows CoACD (Wei et al., arXiv 2205.02961). CoACD itself
remeshes the object first; on the same meshes it needs several seconds each and its hulls stand off the surface or cut
into it (``benchmarks/data_physics``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.data.solid import Solid
from scenemaker.errors import InputError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh

VERSION = 1  # of the algorithm; part of the key of kept parts
MAX_FACES = 500_000
THIN = 0.004  # thickness that a flatter hull is given, half to either side; longest side = 1
GRID = 1e-5  # corners are snapped to it; a hundredth of what is seen; longest side = 1
PROBES = 384  # points over a hull at which its distance to the object is measured
STOPS = 5  # evenly spaced candidate cuts per axis, beside
LEDGES = 4  # the heights with most surface across the axis (a table top), each from just below and just above
GAIN = 0.02  # a cut that saves less of the volume is taken for none: a bowl first gains when it is in quarters


class PartsConfig(BaseModel, frozen=True, extra="forbid"):
    """How closely convex parts follow a mesh."""

    pocket: float = Field(default=0.02, gt=0, description="Depth of pockets that may be spanned; longest side = 1.")
    most: int = Field(default=40, ge=1, description="Greatest number of parts.")


@dataclass(frozen=True, eq=False)
class _Piece:
    triangles: F64  # (m, 3, 3)
    hull: F64  # (k, 3)
    volume: float
    pocket: float


def convex_parts(mesh: Mesh, config: PartsConfig | None = None, *, name: str = "the mesh") -> tuple[F64, ...]:
    """Corners (k, 3) of convex hulls of some thickness, in the frame of the mesh, that contain its surface.

    Args:
        mesh: Of longest side 1.
        config: When to stop.
        name: Of the mesh, for errors.

    Raises:
        InputError: More than half a million faces, or nothing but degenerate ones.
    """
    config = config or PartsConfig()
    if len(mesh.faces) > MAX_FACES:
        got, remedy = f"{name}: {len(mesh.faces)}", "simplify it; 50,000 keep the look of an object in a scene"
        raise InputError(expected(f"a mesh of at most {MAX_FACES} faces", got=got, remedy=remedy))
    try:
        solid = Solid(mesh)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    pieces = [_piece(solid.vertices[solid.faces], solid)]
    while len(pieces) < config.most:
        i = int(np.argmax([p.pocket for p in pieces]))
        if pieces[i].pocket <= config.pocket:
            break
        pieces[i : i + 1] = [_piece(half, solid) for half in _halves(pieces[i])]
    return tuple(p.hull for p in _merged(pieces, solid, config.pocket))


def _piece(triangles: F64, solid: Solid) -> _Piece:
    from scipy.spatial import ConvexHull, QhullError

    points = _thick(_distinct(triangles.reshape(-1, 3)))
    try:
        hull = ConvexHull(points)
    except QhullError:  # it cannot decide on nearly coplanar points: joggled, by steps that do not change
        hull = ConvexHull(points, qhull_options="QJ Pp")
    return _Piece(triangles, points[np.sort(hull.vertices)], float(hull.volume), _pocket(points[hull.simplices], solid))


def _pocket(hull_triangles: F64, solid: Solid) -> float:
    """How far the farthest point of a hull is from the object."""
    a, b, c = hull_triangles.transpose(1, 0, 2)
    area = np.cumsum(np.linalg.norm(np.cross(b - a, c - a), axis=1))
    rng = np.random.default_rng(0)
    face = np.searchsorted(area, (rng.random(PROBES) + np.arange(PROBES)) / PROBES * area[-1]).clip(0, len(area) - 1)
    r, q = np.sqrt(rng.random((PROBES, 1))), rng.random((PROBES, 1))
    points = (1 - r) * a[face] + r * (1 - q) * b[face] + r * q * c[face]
    distance = solid.distance(points)
    far = np.flatnonzero(distance > THIN)
    far = far[~solid.inside(points[far])]
    return float(distance[far].max(initial=0))


def _halves(piece: _Piece) -> tuple[F64, F64]:
    """The two halves of a piece whose hulls have the least volume together."""
    low, high = piece.triangles.min((0, 1)), piece.triangles.max((0, 1))
    longest = int(np.argmax(high - low))
    best = (1 - GAIN) * piece.volume, longest, float(low[longest] + high[longest]) / 2
    for axis in range(3):
        cuts = _candidates(piece.triangles, axis, low[axis], high[axis])
        slabs, rest = [], piece.triangles
        for cut in cuts:
            below, rest = _cut(rest, axis, cut)
            slabs.append(_corners(below.reshape(-1, 3))[0])
        slabs.append(_corners(rest.reshape(-1, 3))[0])
        volume = _running(slabs)[:-1] + _running(slabs[::-1])[::-1][1:]
        k = int(np.argmin(volume)) if len(volume) else -1
        if k >= 0 and volume[k] < best[0]:
            best = float(volume[k]), axis, float(cuts[k])
    return _cut(piece.triangles, best[1], best[2])


def _running(slabs: list[F64]) -> F64:
    """(k,) volumes of the hulls of the first, the first two, ... of k sets of points."""
    volumes, points = [], np.zeros((0, 3))
    for slab in slabs:
        points, volume = _corners(np.concatenate([points, slab]))
        volumes.append(volume)
    return np.array(volumes)


def _candidates(triangles: F64, axis: int, low: float, high: float) -> F64:
    """Heights along an axis where a cut may pay, ascending, none at the very ends."""
    even = np.linspace(low, high, STOPS + 2)[1:-1]
    a, b, c = triangles.transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    across = np.abs(normal[:, axis]) > 0.95 * np.linalg.norm(normal, axis=1)
    height = np.round(triangles[across, :, axis].mean(1) / THIN).astype(np.int64)
    area: dict[int, float] = {}
    for h, one in zip(height.tolist(), np.abs(normal[across, axis]).tolist(), strict=True):
        area[h] = area.get(h, 0.0) + one
    ledges = THIN * np.array(sorted(area, key=lambda h: (-area[h], h))[:LEDGES])
    cuts = np.unique(np.concatenate([even, ledges - 0.7 * THIN, ledges + 0.7 * THIN]))
    return cuts[(cuts > low + THIN) & (cuts < high - THIN)]


def _cut(triangles: F64, axis: int, height: float) -> tuple[F64, F64]:
    """The triangles (m, 3, 3) below and above a plane, those across it cut in three."""
    above = triangles[..., axis] > height  # (m, 3)
    count = above.sum(1)
    low, high, across = triangles[count == 0], triangles[count == 3], (count == 1) | (count == 2)
    if not across.any():
        return low, high
    lone_is_above = count[across] == 1
    lone = np.argmax(above[across] == lone_is_above[:, None], 1)  # the corner that is alone on its side
    order = (lone[:, None] + np.arange(3)) % 3
    p, q, r = np.take_along_axis(triangles[across], order[..., None], 1).transpose(1, 0, 2)  # lone first
    pq, pr = _at(p, q, axis, height), _at(p, r, axis, height)
    tip = np.stack([p, pq, pr], 1)
    stump = np.concatenate([np.stack([pq, q, r], 1), np.stack([pq, r, pr], 1)])
    twice = np.concatenate([lone_is_above, lone_is_above])
    low = np.concatenate([low, tip[~lone_is_above], stump[twice]])
    return low, np.concatenate([high, tip[lone_is_above], stump[~twice]])


def _at(p: F64, q: F64, axis: int, height: float) -> F64:
    """Where the edges p q (m, 3) cross a plane."""
    share = (height - p[:, axis]) / (q[:, axis] - p[:, axis])
    out = p + share[:, None] * (q - p)
    out[:, axis] = height
    return out


def _merged(pieces: list[_Piece], solid: Solid, pocket: float) -> list[_Piece]:
    """Joins pieces whose common hull spans no deeper pocket than allowed, those that waste least volume first."""
    pairs = {(i, j): _waste(pieces[i], pieces[j]) for j in range(len(pieces)) for i in range(j)}
    alive = dict(enumerate(pieces))
    while pairs:
        i, j = min(pairs, key=lambda pair: (pairs[pair], pair))
        waste = pairs.pop((i, j))
        if waste > alive[i].volume + alive[j].volume:  # far apart: no need to look for the pocket
            continue
        joined = _piece(np.concatenate([alive[i].triangles, alive[j].triangles]), solid)
        if joined.pocket > pocket:
            continue
        del alive[i], alive[j]
        pairs = {pair: w for pair, w in pairs.items() if i not in pair and j not in pair}
        new = max([*alive, i, j]) + 1
        pairs |= {(k, new): _waste(piece, joined) for k, piece in alive.items()}
        alive[new] = joined
    return list(alive.values())


def _waste(a: _Piece, b: _Piece) -> float:
    """Volume that a common hull has beyond the two."""
    return _corners(np.concatenate([a.hull, b.hull]))[1] - a.volume - b.volume


def _corners(points: F64) -> tuple[F64, float]:
    """The corners of the hull of points (n, 3), and its volume; of a flat set the points themselves, and 0."""
    from scipy.spatial import ConvexHull, QhullError

    points = _distinct(points)
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError):
        return points, 0.0
    return points[hull.vertices], float(hull.volume)


def _distinct(points: F64) -> F64:
    """Points that differ by more than rounding (``GRID``), which makes hulls of them nearly coplanar facets."""
    return np.asarray(np.unique(np.round(points / GRID).astype(np.int64), axis=0) * GRID, np.float64)


def _thick(points: F64) -> F64:
    """The points, with copies to either side where they are flatter than ``THIN``: an engine needs a volume."""
    axes = np.linalg.eigh(np.cov(points.T, bias=True))[1].T
    for axis in axes:
        along = points @ axis
        if np.ptp(along) < THIN:
            points = np.concatenate([points - THIN / 2 * axis, points + THIN / 2 * axis])
    return points


__all__ = ["VERSION", "PartsConfig", "convex_parts"]
