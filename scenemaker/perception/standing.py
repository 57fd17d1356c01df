"""Puts every object on the floor or on what lies under it, nearest contact first, and writes its depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scenemaker.perception.contacts import BAND, Outline
from scenemaker.perception.relief import surface_depth

F32 = NDArray[np.float32]
OUT_OF_PROPORTION = 2.5  # times as far as the (lower) median of all
NEAR_HORIZON = 4.0  # camera heights; nearer feet are always believed


@dataclass(frozen=True, eq=False, kw_only=True)
class Floor:
    """The empty room: rays (right, up, forward), each (H, W), in level axes with z = 1 in ``cam``, and its end."""

    rays: tuple[F32, F32, F32]
    backdrop_forward: float

    def depth(self) -> F32:
        """(H, W) z of floor and backdrop, in camera heights."""
        _, up, forward = self.rays
        floor = np.where(up < -1e-4, -1 / np.minimum(up, -1e-4), np.inf)
        wall = np.where(forward > 0.02, self.backdrop_forward / np.maximum(forward, 0.02), np.inf)
        nearest = np.minimum(floor, wall)
        # looking up and backwards at once: as far as the backdrop
        return np.where(np.isfinite(nearest), nearest, self.backdrop_forward).astype(np.float32)


def lift_distant(outlines: Sequence[Outline]) -> list[Outline]:
    """Outlines whose foot on the floor would be out of all proportion behind the others, taken as hanging.

    A picture on the wall that ends just below the horizon would stand ten rooms away, and the floor with it.
    """
    feet = sorted(o.foot_forward for o in outlines if not o.rests_on and 0 < o.foot_forward < np.inf)
    if not feet:
        return list(outlines)
    last = max(OUT_OF_PROPORTION * feet[(len(feet) - 1) // 2], NEAR_HORIZON)
    return [o if o.rests_on or o.foot_forward <= last else replace(o, foot_forward=np.inf) for o in outlines]


def place(outlines: Sequence[Outline], floor: Floor, depth: F32) -> tuple[str, ...]:
    """Writes the depth of every object into ``depth`` (H, W), which holds the empty room; returns notices.

    An object whose lowest part lies over another mask stands on that object, or behind it: either way it is as far
    as what is seen just below it. Objects that lie over each other in a ring are cut at the lowest.
    """
    waiting = sorted(outlines, key=lambda o: (-o.box[1], o.id))
    far = 0.98 * floor.backdrop_forward
    grounded = [o.foot_forward for o in outlines if not o.rests_on and np.isfinite(o.foot_forward)]
    hanging_forward = min(max(grounded, default=far), far)
    done: set[int] = set()
    hanging = []
    while waiting:
        ready = next((o for o in waiting if o.rests_on == 0 or o.rests_on in done), waiting[0])
        waiting.remove(ready)
        if ready.rests_on in done:
            foot, base = _on_top(ready, floor, depth)
        else:
            foot, base = ready.foot_forward, 0.0
            if not np.isfinite(foot):
                foot, base = hanging_forward, -np.inf
                hanging.append(ready.id)
        rows, columns = ready.window
        rays = tuple(r[rows, columns] for r in floor.rays)
        foot = min(foot, far)
        z = surface_depth(ready.mask, rays, foot_forward=foot, base_height=base)  # type: ignore[arg-type]
        np.copyto(depth[rows, columns], z, where=ready.mask)
        done.add(ready.id)
    return tuple(f"object {id} does not reach the floor: put as far as the farthest that stands" for id in hanging)


def _on_top(outline: Outline, floor: Floor, depth: F32) -> tuple[float, float]:
    """Forward distance and height of the surface seen just below the lowest part of an outline."""
    height, width = depth.shape
    y0, y1 = outline.box[:2]
    low = (outline.below == outline.rests_on) & (outline.bottom_uv[:, 1] >= y1 - max(2, BAND * (y1 - y0)))
    u, v = outline.bottom_uv[low].astype(np.int64).T
    v = np.minimum(v + 1, height - 1)
    z = depth[v, np.minimum(u, width - 1)]
    _, up, forward = (r[v, np.minimum(u, width - 1)] for r in floor.rays)
    return float(np.median(z * forward)), float(np.median(1 + z * up))
