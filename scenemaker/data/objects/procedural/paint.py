"""Parts -> one mesh: with one atlas that holds a tile per material, or with vertex colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenemaker.data.objects.procedural.materials.material import Material
from scenemaker.data.objects.procedural.materials.tiles import Tiles
from scenemaker.data.objects.procedural.part import Part
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import U8

PAD = 4  # pixels around a tile, repeated from its far side: filters across its border find what belongs there


def painted(parts: Sequence[Part], rng: np.random.Generator) -> Mesh:
    """The parts as one mesh with a texture."""
    kinds = list(dict.fromkeys((p.material, p.shade is not None) for p in parts))
    atlas, corner, n = _atlas(kinds, rng)
    side = np.array([atlas.shape[1], atlas.shape[0]], np.float64)
    low, high = _bounds(parts)
    size = float((high - low).max())
    where = {kind: i for i, kind in enumerate(kinds)}
    uv = []
    for part in parts:
        inside = _window(part, part.material.span * size, rng)  # (k, 2) in [0, 1], v upwards
        uv.append((corner[where[part.material, part.shade is not None]] + inside * (n, -n) + (0, n)) / side)
    start = np.cumsum([0] + [len(p.at) for p in parts])
    return Mesh(
        vertices=np.concatenate([p.points[p.at] for p in parts]).astype(np.float32),
        faces=np.concatenate([p.faces + s for p, s in zip(parts, start)]).astype(np.int32),
        uv=np.concatenate(uv).astype(np.float32),
        texture=atlas,
    )


def coloured(parts: Sequence[Part], rng: np.random.Generator) -> Mesh:
    """The parts as one mesh with vertex colours."""
    start = np.cumsum([0] + [len(p.points) for p in parts])
    return Mesh(
        vertices=np.concatenate([p.points for p in parts]).astype(np.float32),
        faces=np.concatenate([p.at[p.faces] + s for p, s in zip(parts, start)]).astype(np.int32),
        colors=np.concatenate([_vertex_colours(p, rng) for p in parts]),
    )


def _vertex_colours(part: Part, rng: np.random.Generator) -> U8:
    m = part.material
    a, b = np.asarray(m.rgb), np.asarray(m.rgb2)
    share = np.zeros(len(part.points)) if part.shade is None else part.shade
    tone = 1 + m.uneven * float(rng.normal())
    return (np.clip((a + share[:, None] * (b - a)) * tone, 0, 1) * 255 + 0.5).astype(np.uint8)


def _atlas(kinds: Sequence[tuple[Material, bool]], rng: np.random.Generator) -> tuple[U8, F64, int]:
    """The picture, the pixel (x, y) of each tile's corner, and the side of a tile in pixels."""
    n = 192 if len(kinds) <= 2 else 128
    columns = int(np.ceil(np.sqrt(len(kinds))))
    rows = -(-len(kinds) // columns)
    step = n + 2 * PAD
    atlas = np.empty((rows * step, columns * step, 3), np.uint8)
    atlas[:] = 128
    corner = np.empty((len(kinds), 2))
    tiles = Tiles(rng, n)
    for i, (material, ramp) in enumerate(kinds):
        y, x = (i // columns) * step, (i % columns) * step
        picture = np.pad(
            tiles.draw(material, ramp=ramp), ((PAD, PAD), (PAD, PAD), (0, 0)), mode="edge" if ramp else "wrap"
        )
        atlas[y : y + step, x : x + step] = picture
        corner[i] = x + PAD, y + PAD
    return atlas, corner, n


def _window(part: Part, span: float, rng: np.random.Generator) -> F64:
    """(k, 2) texture coordinates in [0, 1] of its tile: lengths over ``span``, shrunk if the part is larger than that,
    at a random place."""
    place = rng.random(2)
    if part.shade is not None:
        v = part.points[part.at] @ (0.7, 0.15, 0.7)  # any direction but that of most shades
        return np.stack([part.shade[part.at] * 0.998 + 0.001, (v - v.min()) / max(span, float(np.ptp(v)), 1e-9)], 1)
    uv = (part.uv - part.uv.min(0)) / span
    reach = uv.max(0)
    shrink = 1 / max(1.0, float(reach.max()))
    return uv * shrink + place * (1 - reach * shrink)


def _bounds(parts: Sequence[Part]) -> tuple[F64, F64]:
    low = np.min([p.points.min(0) for p in parts], axis=0)
    high = np.max([p.points.max(0) for p in parts], axis=0)
    return low, high
