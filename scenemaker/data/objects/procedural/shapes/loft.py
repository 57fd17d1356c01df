"""The mother of the round shapes: a skin over rings of points."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.data.objects.procedural.part import I32, Part
from scenemaker.geometry.cameras import F64


def loft(rings: ArrayLike, *, start: ArrayLike | None = None, end: ArrayLike | None = None, loop: bool = False) -> Part:
    """The closed skin over k rings of s points each.

    Texture: u runs around and is folded (there and back), so that it has no seam; v runs along the rings.

    Args:
        rings: (k, s, 3); each counter-clockwise seen from where the rings go.
        start, end: (3,) tips that close the ends; None is the middle of the ring, a flat end.
        loop: The last ring joins the first: no ends.
    """
    rings = np.asarray(rings, np.float64)
    k, s, _ = rings.shape
    at, faces = _grid(k, s, loop)
    closed = np.concatenate([rings, rings[:, :1]], 1)  # (k, s + 1, 3)
    around = float(_length(np.diff(closed, axis=1)).sum(1).mean())
    rows = np.concatenate([rings, rings[:1]]) if loop else rings
    along = np.concatenate([[0.0], np.cumsum(_length(np.diff(rows, axis=0)).mean(1))])
    if loop:
        along = _folded(along)
    u = _folded(np.linspace(0, around, s + 1))
    uv = np.stack(np.broadcast_arrays(u[None, :], along[:, None]), -1).reshape(-1, 2)
    points = rings.reshape(-1, 3)
    if loop:
        return Part(points=points, at=at, uv=uv, faces=faces)
    tips = np.stack([rings[0].mean(0) if start is None else start, rings[-1].mean(0) if end is None else end])
    cap0 = _cap_uv(rings[0], tips[0], u, along[0], -1.0)
    cap1 = _cap_uv(rings[-1], tips[1], u, along[-1], 1.0)
    return Part(points=np.concatenate([points, tips]), at=at, uv=np.concatenate([uv, cap0, cap1]), faces=faces)


def _length(d: F64) -> F64:
    return np.sqrt((d * d).sum(-1))


def _folded(t: F64) -> F64:
    """There and back again: the far end comes to lie on the near one."""
    return t[-1] / 2 - np.abs(t - t[-1] / 2)


def _cap_uv(ring: F64, tip: F64, u: F64, v: float, side: float) -> F64:
    """(2 s + 1, 2) of s + 1 vertices of the rim and s of the tip: a flat cap is seen from above, a cone unrolled."""
    centre = ring.mean(0)
    spokes = ring - centre
    radius = float(_length(spokes).mean())
    height = float(_length(tip - centre))
    if height < 0.5 * radius:
        flattest = int(np.argmin(ring.max(0) - ring.min(0)))
        flat = spokes[:, [a for a in (2, 0, 1) if a != flattest]]
        return np.concatenate([flat, flat[:1], np.zeros((len(ring), 2))])
    slant = v + side * float(np.hypot(radius, height))
    rim = np.stack([u, np.full(len(u), v)], 1)
    return np.concatenate([rim, np.stack([(u[:-1] + u[1:]) / 2, np.full(len(ring), slant)], 1)])


@lru_cache(maxsize=512)
def _grid(k: int, s: int, loop: bool) -> tuple[I32, I32]:
    """The point of each vertex and the faces of a k by s skin; read-only, shared."""
    rows = k + 1 if loop else k
    r, j = np.meshgrid(np.arange(rows), np.arange(s + 1), indexing="ij")
    at = ((r % k) * s + j % s).ravel()
    a = (np.arange(rows - 1)[:, None] * (s + 1) + np.arange(s)).ravel()
    b, d = a + 1, a + s + 1
    faces = [np.stack([a, b, d + 1], 1), np.stack([a, d + 1, d], 1)]
    if not loop:
        rim, around = np.arange(s + 1), np.arange(s)
        first = rows * (s + 1)
        second = first + 2 * s + 1
        at = np.concatenate([at, rim % s, np.full(s, k * s), (k - 1) * s + rim % s, np.full(s, k * s + 1)])
        faces.append(np.stack([first + s + 1 + around, first + around + 1, first + around], 1))
        faces.append(np.stack([second + s + 1 + around, second + around, second + around + 1], 1))
    out = at.astype(np.int32), np.concatenate(faces).astype(np.int32)
    for array in out:
        array.flags.writeable = False
    return out
