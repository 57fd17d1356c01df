"""One closed piece of an object: geometry, texture coordinates in lengths, material."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.data.objects.procedural.materials.material import GREY, Material
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh

I32 = NDArray[np.int32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """A closed surface. A point may be several vertices, one per chart of the texture; moving moves the points, so
    that seams stay shut to the bit.

    Attributes:
        points: (n, 3) in the units and axes of the object (y up).
        at: (k,) the point of each vertex.
        uv: (k, 2) lengths along the surface, v along the grain or upwards.
        faces: (m, 3) vertices, counter-clockwise seen from outside.
        shade: (n,) in [0, 1], how far each point goes from the material's first to its second colour; None is by the
            material's pattern.
        material: What it is made of.
    """

    points: F64
    at: I32
    uv: F64
    faces: I32
    shade: F64 | None = None
    material: Material = field(default=GREY)

    def of(self, material: Material) -> Part:
        """The part made of a material."""
        return replace(self, material=material)

    def move(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Part:
        """The part moved."""
        return replace(self, points=self.points + np.array((x, y, z)))

    def turn(self, axis: str, angle_deg: float, about: Sequence[float] | F64 = (0.0, 0.0, 0.0)) -> Part:
        """The part turned about the line along "x", "y" or "z" through a point, right-handed."""
        i, j = _PLANES[axis]
        c, s = float(np.cos(np.radians(angle_deg))), float(np.sin(np.radians(angle_deg)))
        points = self.points.copy()
        u, v = self.points[:, i] - about[i], self.points[:, j] - about[j]
        points[:, i], points[:, j] = c * u - s * v + about[i], s * u + c * v + about[j]
        return replace(self, points=points)

    def scale(self, x: float, y: float | None = None, z: float | None = None) -> Part:
        """The part stretched along the axes about the origin; one number is for all; negative ones mirror."""
        s = np.array([x, x if y is None else y, x if z is None else z])
        size = float(np.abs(s).prod() ** (1 / 3))
        faces = self.faces if s.prod() > 0 else self.faces[:, ::-1]
        return replace(self, points=self.points * s, uv=self.uv * size, faces=faces)

    def bent(self, points: F64) -> Part:
        """The part with its points elsewhere, in their order."""
        return replace(self, points=points)

    def shaded(self, shade: ArrayLike) -> Part:
        """The part with a mixture (n,) of the material's two colours."""
        return replace(self, shade=np.clip(np.asarray(shade, np.float64), 0, 1))

    def mesh(self) -> Mesh:
        """The bare geometry."""
        return Mesh(vertices=self.points.astype(np.float32), faces=self.at[self.faces])


_PLANES = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}  # a right-handed turn goes from the first axis to the second


def moved(parts: Iterable[Part], x: float = 0.0, y: float = 0.0, z: float = 0.0) -> list[Part]:
    """All parts moved."""
    return [p.move(x, y, z) for p in parts]


def turned(
    parts: Iterable[Part], axis: str, angle_deg: float, about: Sequence[float] | F64 = (0.0, 0.0, 0.0)
) -> list[Part]:
    """All parts turned together."""
    return [p.turn(axis, angle_deg, about) for p in parts]


def scaled(parts: Iterable[Part], x: float, y: float | None = None, z: float | None = None) -> list[Part]:
    """All parts stretched together about the origin."""
    return [p.scale(x, y, z) for p in parts]


def four_fold(part: Part) -> list[Part]:
    """A part and its mirror images in x and in z: one leg makes four."""
    return [part, part.scale(-1, 1, 1), part.scale(1, 1, -1), part.scale(-1, 1, -1)]


def mirrored(parts: Iterable[Part]) -> list[Part]:
    """Parts with their mirror images in x: one side makes two."""
    both = list(parts)
    return both + [p.scale(-1, 1, 1) for p in both]
