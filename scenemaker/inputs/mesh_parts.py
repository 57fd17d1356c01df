"""Several parts of one file, each with its material, as one mesh with one texture or with vertex colours.

Convention: a part's uv has its origin at the top-left of its texture (glTF). ``mesh.Mesh`` wants uv in [0, 1], so a
texture that repeats is laid out as often as it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import U8

MAX_SIDE_PX = 8192  # of a texture
MAX_REPEATS = 16
_PAD_PX = 2
_GREY = (190, 190, 190, 255)


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """One primitive of a file, in the file's frame.

    Attributes:
        vertices: (n, 3).
        faces: (m, 3).
        uv: (n, 2), top-left origin, any range, or None.
        texture: (h, w, 3 or 4) uint8 sRGB, or None.
        colors: (n, 4) uint8 sRGB of the vertices, or None.
        color: (4,) uint8 sRGB of the whole part when it has neither, or None when nothing is known.
        unlit: Of its material.
        notice: What was lost in reading it.
    """

    vertices: F64
    faces: NDArray[np.int64]
    uv: F64 | None = None
    texture: U8 | None = None
    colors: U8 | None = None
    color: U8 | None = None
    unlit: bool = False
    notice: str | None = None


def texture_pixels(image: Any, mode: str) -> tuple[U8 | None, str | None]:
    """(h, w, 3 or 4) pixels of a PIL image, which decodes only now; else None and a notice."""
    try:
        return np.array(image.convert(mode), np.uint8), None
    except (OSError, SyntaxError, ValueError) as error:
        return None, f"a texture could not be read: {error}"


def join(parts: Sequence[Part]) -> tuple[Mesh, tuple[str, ...]]:
    """One mesh of all parts, and notices. Vertices that no face uses are dropped."""
    notices = list(dict.fromkeys(p.notice for p in parts if p.notice))
    parts = [_used(part) for part in parts]
    textured = [p for p in parts if p.texture is not None and p.uv is not None]
    uv: F64 | None = None
    texture: U8 | None = None
    colors: U8 | None = None
    if textured:
        if any(p.colors is not None and p.texture is None for p in parts):
            notices.append("vertex colours of its untextured parts were averaged")
        parts = [_unrolled(p, notices) if p.texture is not None and p.uv is not None else _plain(p) for p in parts]
        texture, places = _atlas([p.texture for p in parts if p.texture is not None])
        uv = np.concatenate([_placed(p, places) for p in parts])
    elif any(p.colors is not None or p.color is not None for p in parts):
        colors = np.concatenate([_vertex_colors(p) for p in parts])
        if (colors[:, 3] == 255).all():
            colors = np.ascontiguousarray(colors[:, :3])
    starts = np.cumsum([0, *(len(p.vertices) for p in parts)])
    mesh = Mesh(
        vertices=np.concatenate([p.vertices for p in parts]).astype(np.float32),
        faces=np.concatenate([p.faces + start for p, start in zip(parts, starts)]).astype(np.int32),
        uv=None if uv is None else uv.astype(np.float32),
        texture=texture,
        colors=colors,
        unlit=all(p.unlit for p in parts),
    )
    return mesh, tuple(notices)


def _used(part: Part) -> Part:
    """The part without the vertices that no face uses."""
    used = np.unique(part.faces)
    if len(used) == len(part.vertices):
        return part
    new = np.full(len(part.vertices), -1)
    new[used] = np.arange(len(used))
    return replace(
        part,
        vertices=part.vertices[used],
        faces=new[part.faces],
        uv=None if part.uv is None else part.uv[used],
        colors=None if part.colors is None else part.colors[used],
    )


def _plain(part: Part) -> Part:
    """A part of one colour, as one with a texture of 4 x 4 pixels."""
    color = np.round(_vertex_colors(part).astype(np.float64).mean(0)).astype(np.uint8)
    return replace(part, texture=np.tile(color, (4, 4, 1)), uv=np.full((len(part.vertices), 2), 0.5))


def _vertex_colors(part: Part) -> U8:
    if part.colors is not None:
        return part.colors
    color = np.array(_GREY, np.uint8) if part.color is None else part.color
    return np.tile(color, (len(part.vertices), 1))


def _unrolled(part: Part, notices: list[str]) -> Part:
    """The part with uv in [0, 1]: each face moved to the first tile, the texture laid out where a face spans more."""
    texture = part.texture
    if part.uv is None or texture is None:
        return part
    uv = np.where(np.isfinite(part.uv), part.uv, 0.0)
    if uv.min() >= -1e-4 and uv.max() <= 1 + 1e-4:
        return replace(part, uv=uv.clip(0, 1))
    tile = np.floor(uv[part.faces].min(1) + 1e-4).astype(np.int64)  # (m, 2)
    # a vertex used from two tiles becomes two vertices
    key = np.concatenate([part.faces.reshape(-1, 1), np.repeat(tile, 3, axis=0)], 1)
    pairs, faces = np.unique(key, axis=0, return_inverse=True)
    uv = uv[pairs[:, 0]] - pairs[:, 1:]
    h, w = texture.shape[:2]
    wanted = np.ceil(uv.max(0) - 1e-4).astype(int).clip(1)
    repeats = np.minimum(wanted, np.maximum([MAX_SIDE_PX // w, MAX_SIDE_PX // h], 1).clip(1, MAX_REPEATS))
    if (wanted > repeats).any():
        notices.append("its texture repeats too often over one face: stretched there")
    return replace(
        part,
        vertices=part.vertices[pairs[:, 0]],
        faces=faces.reshape(-1, 3),
        uv=(uv / repeats).clip(0, 1),
        texture=np.tile(texture, (repeats[1], repeats[0], 1)),
        colors=None if part.colors is None else part.colors[pairs[:, 0]],
    )


def _atlas(textures: Sequence[U8]) -> tuple[U8, dict[int, tuple[F64, F64]]]:
    """One picture of all textures, and for each (by ``id``) the offset and scale (2,) of its uv in it.

    They are put on shelves, the tallest first, each with a margin that repeats its edge, so that neighbours do not
    bleed in.
    """
    import cv2

    unique = list({id(t): t for t in textures}.values())
    if len(unique) == 1:
        return unique[0], {id(unique[0]): (np.zeros(2), np.ones(2))}
    area = sum((t.shape[0] + 2 * _PAD_PX) * (t.shape[1] + 2 * _PAD_PX) for t in unique)
    shrink = min(
        1.0, 0.8 * MAX_SIDE_PX / np.sqrt(area), (MAX_SIDE_PX - 2 * _PAD_PX) / max(max(t.shape[:2]) for t in unique)
    )
    channels = max(t.shape[2] for t in unique)
    tiles: list[tuple[int, NDArray[Any]]] = []
    for texture in unique:
        tile: NDArray[Any] = texture
        if shrink < 1:
            size = max(int(tile.shape[1] * shrink), 1), max(int(tile.shape[0] * shrink), 1)
            tile = np.asarray(cv2.resize(tile, size, interpolation=cv2.INTER_AREA))
        if tile.shape[2] < channels:
            tile = np.dstack([tile, np.full(tile.shape[:2], 255, np.uint8)])
        tiles.append((id(texture), np.pad(tile, ((_PAD_PX, _PAD_PX), (_PAD_PX, _PAD_PX), (0, 0)), mode="edge")))
    tiles.sort(key=lambda item: (-item[1].shape[0], -item[1].shape[1]))
    width = max(int(np.ceil(np.sqrt(area) * shrink)), *(t.shape[1] for _, t in tiles))
    x = y = shelf = 0
    corners: list[tuple[int, int]] = []
    for _, tile in tiles:
        if x + tile.shape[1] > width:
            x, y, shelf = 0, y + shelf, 0
        corners.append((x, y))
        x, shelf = x + tile.shape[1], max(shelf, tile.shape[0])
    whole = np.zeros((y + shelf, width, channels), np.uint8)
    places: dict[int, tuple[F64, F64]] = {}
    size_px = np.array([width, y + shelf], np.float64)
    for (key, tile), (x, y) in zip(tiles, corners):
        h, w = tile.shape[:2]
        whole[y : y + h, x : x + w] = tile
        inner = np.array([w - 2 * _PAD_PX, h - 2 * _PAD_PX])
        places[key] = (np.array([x, y]) + _PAD_PX) / size_px, inner / size_px
    return whole, places


def _placed(part: Part, places: dict[int, tuple[F64, F64]]) -> F64:
    offset, scale = places[id(part.texture)]
    return np.asarray(part.uv) * scale + offset
