"""A flat triangle mesh of a mask: its outline to a fraction of a cell, few triangles where nothing happens.

Nodes are the samples of the mask; cells lie between four nodes. Cells on the outline are cut by marching squares,
whose crossings follow the coverage of the mask, so a coarse grid still has a smooth outline. Cells inside are merged
into blocks of up to 8x8 where the caller allows it; blocks with neighbours of another size become fans about their
centre, so no T-junction is left. Each part and each hole of the mask is kept: what is inside at a node stays so.

Convention: node (i, j) of the (gh, gw) grid lies at row i, column j; vertices are (x, y) = (column, row).
Reference: W. Lorensen, H. Cline, "Marching cubes", 1987, in 2D; restricted quadtrees as in B. Von Herzen,
A. Barr, "Accurate triangulations of deformed, intersecting surfaces", 1987, here without the balance condition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.cameras import F64
from scenemaker.scene import F32, Bool

I64 = NDArray[np.int64]
BLOCKS = (8, 4, 2)

# Corners of a cell in order 0 (top left), 1 (top right), 2 (bottom right), 3 (bottom left); the crossing on the side
# from corner k to corner k + 1 is 4 + k. One polygon per case, clockwise on screen; saddles stay connected.
_CASES: dict[int, tuple[int, ...]] = {
    0b0001: (0, 4, 7),
    0b0010: (1, 5, 4),
    0b0011: (0, 1, 5, 7),
    0b0100: (2, 6, 5),
    0b0101: (0, 4, 5, 2, 6, 7),
    0b0110: (1, 2, 6, 4),
    0b0111: (0, 1, 2, 6, 7),
    0b1000: (3, 7, 6),
    0b1001: (0, 4, 6, 3),
    0b1010: (1, 5, 6, 3, 7, 4),
    0b1011: (0, 1, 5, 6, 3),
    0b1100: (2, 3, 7, 5),
    0b1101: (0, 4, 5, 2, 3),
    0b1110: (1, 2, 3, 7, 4),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Sheet:
    """A flat mesh.

    Attributes:
        xy: (n, 2) vertices in node coordinates (column, row).
        faces: (m, 3) corners, clockwise on screen (y down).
        outline: (k, 2) directed edges that belong to one face only, as that face runs them.
        inner, outer: (n,) flat index of the node a vertex stands on; a crossing stands between an inner node, which
            is in the mask, and an outer one, which is not.
    """

    xy: F64
    faces: I64
    outline: I64
    inner: I64
    outer: I64


def triangulate(coverage: F32, inside: Bool, largest: F64) -> Sheet:
    """The sheet of a mask.

    Args:
        coverage: (gh, gw) how much of each node's surroundings the mask covers, in [0, 1]; places the outline at 0.5.
        inside: (gh, gw) bool, the nodes in the mask; at least one, and none on the border of the grid.
        largest: (gh - 1, gw - 1) per cell, the side of the largest block it may be merged into, in cells.
    """
    gh, gw = inside.shape
    node = np.arange(gh * gw).reshape(gh, gw)
    code = inside[:-1, :-1] * 1 + inside[:-1, 1:] * 2 + inside[1:, 1:] * 4 + inside[1:, :-1] * 8
    inner_faces = _blocks(code == 15, largest, (code > 0) & (code < 15))
    sides = (
        (node[:-1, :-1], node[:-1, 1:]),
        (node[:-1, 1:], node[1:, 1:]),
        (node[1:, 1:], node[1:, :-1]),
        (
            node[1:, :-1],
            node[:-1, :-1],
        ),
    )
    corners = (node[:-1, :-1], node[:-1, 1:], node[1:, 1:], node[1:, :-1])
    n = gh * gw  # an edge's crossing is known by n + 2 * (its upper or left node) + (1 for a vertical edge)
    cut_faces: list[I64] = []
    for case, polygon in _CASES.items():
        at = np.nonzero(code == case)
        if not len(at[0]):
            continue
        ids = []
        for k in polygon:
            if k < 4:
                ids.append(corners[k][at])
            else:
                a, b = sides[k - 4][0][at], sides[k - 4][1][at]
                ids.append(n + 2 * np.minimum(a, b) + (np.abs(a - b) > 1))
        cut_faces += [np.stack([ids[0], ids[k], ids[k + 1]], 1) for k in range(1, len(ids) - 1)]
    faces = np.concatenate([inner_faces, *cut_faces])
    used, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    crossing = used >= n
    first = np.where(crossing, (used - n) // 2, used)
    second = np.where(crossing, first + np.where((used - n) % 2 == 1, gw, 1), used)
    swap = ~inside.reshape(-1)[first]
    inner, outer = np.where(swap, second, first), np.where(swap, first, second)
    c = np.clip(coverage.reshape(-1), 0, 1)
    c_in, c_out = np.maximum(c[inner], 0.52), np.minimum(c[outer], 0.48)
    t = np.where(crossing, ((c_in - 0.5) / (c_in - c_out)).clip(0.05, 0.95), 0.0)[:, None]
    at_node = np.stack([np.arange(n) % gw, np.arange(n) // gw], 1).astype(np.float64)
    xy = at_node[inner] * (1 - t) + at_node[outer] * t
    return Sheet(xy=xy, faces=faces, outline=_outline(faces, len(used)), inner=inner, outer=outer)


def _outline(faces: I64, n: int) -> I64:
    """(k, 2) directed edges whose opposite is in no face."""
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    key, back = edges[:, 0] * n + edges[:, 1], edges[:, 1] * n + edges[:, 0]
    return edges[~np.isin(key, back)]


def _blocks(full: Bool, largest: F64, cut: Bool) -> I64:
    """(m, 3) faces, as flat node indices, of the cells wholly inside; all arguments are per cell (gh - 1, gw - 1)."""
    ch, cw = full.shape
    gw = cw + 1
    left = full.copy()
    corner = np.zeros((ch + 1, cw + 1), bool)
    for di, dj in ((0, 0), (0, 1), (1, 1), (1, 0)):  # cells on the outline use their corners too
        corner[di : di + ch, dj : dj + cw] |= cut
    leaves: list[tuple[int, I64, I64]] = []
    for s in (*BLOCKS, 1):
        if s == 1:
            i, j = np.nonzero(left)
        else:
            h, w = ch // s, cw // s
            ok = (left & (largest >= s))[: h * s, : w * s].reshape(h, s, w, s).all((1, 3))
            left[: h * s, : w * s] &= ~np.repeat(np.repeat(ok, s, 0), s, 1)
            i, j = np.nonzero(ok)
            i, j = i * s, j * s
        for di, dj in ((0, 0), (0, s), (s, s), (s, 0)):
            corner[i + di, j + dj] = True
        leaves.append((s, i, j))
    faces = [np.zeros((0, 3), np.int64)]
    for s, i, j in leaves:
        run, still = np.arange(s), np.zeros(s, np.int64)
        di = np.concatenate([still, run, still + s, s - run])  # clockwise from the top left
        dj = np.concatenate([run, still + s, s - run, still])
        ring = (i[:, None] + di) * gw + j[:, None] + dj  # (leaves, 4 s)
        on = corner.reshape(-1)[ring] if s > 1 else np.ones_like(ring, bool)
        plain = on.sum(1) == 4
        a, b, c, d = (ring[plain, k * s] for k in range(4))
        flip = ((i + j) // s % 2 == 1)[plain, None]  # diagonals alternate, so no direction is favoured
        faces.append(np.where(flip, np.stack([a, b, d], 1), np.stack([a, b, c], 1)))
        faces.append(np.where(flip, np.stack([b, c, d], 1), np.stack([a, c, d], 1)))
        leaf, k = np.nonzero(on & ~plain[:, None])
        if len(leaf):
            start = np.flatnonzero(np.r_[True, leaf[1:] != leaf[:-1]])
            after = np.arange(1, len(leaf) + 1)
            after[np.r_[start[1:], len(leaf)] - 1] = start  # the last of a ring is followed by its first
            here = ring[leaf, k]
            centre = (i + s // 2) * gw + j + s // 2
            faces.append(np.stack([centre[leaf], here, here[after]], 1))
    return np.concatenate(faces)
