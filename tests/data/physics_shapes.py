"""Shapes of the physics tests: closed forms, concave ones and bad ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import trimesh

from scenemaker.data.types import DataObject
from scenemaker.geometry.mesh import Mesh, normalise


def made(shape: Any) -> Mesh:
    """In ``obj``."""
    return normalise(Mesh(vertices=np.asarray(shape.vertices), faces=np.asarray(shape.faces)))[0]


def boxes(*rows: tuple[tuple[float, float, float], tuple[float, float, float]]) -> Mesh:
    """Boxes of (sides, centre) joined, in ``obj``."""
    parts = [trimesh.creation.box(extents=s).apply_translation(c) for s, c in rows]
    return made(trimesh.util.concatenate(parts))


def cube() -> Mesh:
    return boxes(((1, 1, 1), (0, 0, 0)))


def slab() -> Mesh:
    return boxes(((1, 0.2, 0.6), (0, 0, 0)))


def ball() -> Mesh:
    return made(trimesh.creation.icosphere(subdivisions=3))


def table() -> Mesh:
    """A top of thickness 0.1 at y = 0.4 to 0.5 on four legs of side 0.1."""
    legs = [((0.1, 0.9, 0.1), (x, -0.05, z)) for x in (-0.45, 0.45) for z in (-0.45, 0.45)]
    return boxes(((1, 0.1, 1), (0, 0.45, 0)), *legs)


def tray() -> Mesh:
    """A floor of thickness 0.05 and four walls 0.4 high, open at the top."""
    floor = ((1.0, 0.05, 0.8), (0.0, 0.025, 0.0))
    walls = [((0.05, 0.4, 0.8), (x, 0.2, 0.0)) for x in (-0.475, 0.475)]
    return boxes(floor, *walls, *[((1.0, 0.4, 0.05), (0.0, 0.2, z)) for z in (-0.375, 0.375)])


def bowl() -> Mesh:
    """Half a spherical shell, open at the top, 0.1 thick."""
    angle = np.linspace(0, np.pi / 2, 8)
    outer = np.stack([np.sin(angle), 1 - np.cos(angle)], 1)
    inner = np.stack([0.9 * np.sin(angle), 1 - 0.9 * np.cos(angle)], 1)
    profile = np.concatenate([outer, inner[::-1]])
    shape = trimesh.creation.revolve(profile, sections=16)
    turn = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    return made(shape.apply_transform(turn))


def sheet() -> Mesh:
    """A flat square."""
    v = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]])
    return normalise(Mesh(vertices=v, faces=np.array([[0, 2, 1], [0, 3, 2]])))[0]


def needle() -> Mesh:
    """Two triangles that are all but a line."""
    v = np.array([[0, 0, 0], [1, 0, 0], [0.5, 1e-5, 0], [0.5, 0, 1e-5]])
    return normalise(Mesh(vertices=v, faces=np.array([[0, 1, 2], [0, 3, 1]])))[0]


def objects(*meshes: Mesh) -> list[DataObject]:
    return [DataObject(key=f"thing_{i}", mesh=m) for i, m in enumerate(meshes)]
