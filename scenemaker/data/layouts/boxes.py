"""Rotated, scaled objects as the boxes that layouts put side by side, exact and cheap.

A mesh and its convex hull have the same box in every orientation, and a hull has some sixty corners where a mesh has
thousands of vertices; hulls are kept for as long as their meshes live.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from scenemaker.data.types import Arrangement, DataObject
from scenemaker.errors import InputError, PlacementError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import Bool

CLEAR = 1e-6  # least gap between boxes, of objects about 1 large: far above rounding, far below what is seen
_hulls: WeakKeyDictionary[Mesh, F64] = WeakKeyDictionary()


def hull_points(mesh: Mesh) -> F64:
    """(k, 3) the vertices of a mesh that can be extreme in some direction: corners of its convex hull."""
    if mesh not in _hulls:
        from scipy.spatial import ConvexHull, QhullError

        points = np.unique(mesh.vertices.astype(np.float64), axis=0)
        try:
            corners = points[np.sort(ConvexHull(points).vertices)] if len(points) > 4 else points
        except QhullError:  # a flat or straight mesh has no hull of some volume: its own vertices do
            corners = points
        _hulls[mesh] = corners
    return _hulls[mesh]


@dataclass(frozen=True, eq=False, kw_only=True)
class Bodies:
    """n objects turned and sized, but not placed yet.

    Attributes:
        objects: The n objects.
        R_world_obj: (n, 3, 3).
        scale: (n,).
        low, high: (n, 3) corners of their boxes along the axes of ``world``, with the origin of ``obj`` at 0.
    """

    objects: tuple[DataObject, ...]
    R_world_obj: F64
    scale: F64
    low: F64
    high: F64

    @classmethod
    def of(cls, objects: Sequence[DataObject], R_world_obj: F64, scale: F64) -> Bodies:
        """The boxes of turned and sized objects."""
        low, high = np.empty((len(objects), 3)), np.empty((len(objects), 3))
        for i, o in enumerate(objects):
            turned = hull_points(o.mesh) @ R_world_obj[i].T
            low[i], high[i] = turned.min(0), turned.max(0)
        return cls(
            objects=tuple(objects),
            R_world_obj=R_world_obj,
            scale=scale,
            low=low * scale[:, None],
            high=high * scale[:, None],
        )

    def resized(self, scale: F64) -> Bodies:
        """The same orientations at other sizes (n,)."""
        factor = (scale / self.scale)[:, None]
        low, high = self.low * factor, self.high * factor
        return Bodies(objects=self.objects, R_world_obj=self.R_world_obj, scale=scale, low=low, high=high)

    @property
    def half(self) -> F64:
        """(n, 3) half the sides of the boxes."""
        return (self.high - self.low) / 2

    def placed(self, centre: F64, support: Sequence[int], layout: str, tries: int, *, ground: bool) -> Arrangement:
        """The arrangement with box centres at (n, 3), moved so that the union box is about the origin.

        On a ground it is moved along x and z alone, and y of ``centre`` counts.
        """
        half = self.half
        shift = ((centre - half).min(0) + (centre + half).max(0)) / 2
        if ground:
            shift[1] = 0
        return Arrangement(
            objects=self.objects,
            R_world_obj=self.R_world_obj,
            t_world_obj=centre - shift - (self.low + self.high) / 2,
            scale=self.scale,
            support=tuple(support),
            layout=layout,
            tries=tries,
        )


def log_uniform(span: tuple[float, float], n: int, rng: np.random.Generator) -> F64:
    """(n,) numbers in a span, evenly by ratio: half of (0.5, 2) lies below 1."""
    return np.exp(rng.uniform(np.log(span[0]), np.log(span[1]), n))


def check_count(objects: Sequence[DataObject], count: tuple[int, int], layout: str) -> None:
    """Refuses more or fewer objects than a layout takes.

    Raises:
        InputError: As said.
    """
    if not count[0] <= len(objects) <= count[1]:
        what = f"{count[0]} to {count[1]} objects for the layout {layout}"
        raise InputError(expected(what, got=len(objects), remedy="give as many, or set its count"))


def no_place(key: str, layout: str, tries: int, remedy: str) -> PlacementError:
    """The error of an object that found no place."""
    return PlacementError(expected(f"a free place for {key} in {layout}", got=f"none in {tries} tries", remedy=remedy))


def clear_of(centre: F64, half: F64, centres: F64, halves: F64, gap: float) -> Bool:
    """(m,) whether boxes at candidate centres (m, d) with half sides (d,) keep ``gap`` to all placed boxes (k, d)."""
    apart = np.abs(centre[:, None] - centres) - (half + halves)  # (m, k, d)
    return np.asarray((apart >= gap).any(-1).all(-1))


__all__ = ["CLEAR", "Bodies", "check_count", "clear_of", "hull_points", "log_uniform", "no_place"]
