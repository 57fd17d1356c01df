"""Four objects with known symmetries, and scenes of them."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from scenemaker.data.types import DataObject
from scenemaker.errors import InputError
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.testing.samples import box_mesh, sphere_mesh
from scenemaker.training.data.bank import ObjectBank, build_bank


def joined(*meshes: Mesh) -> Mesh:
    first = np.cumsum([0, *[len(m.vertices) for m in meshes]])
    faces = np.concatenate([m.faces + k for m, k in zip(meshes, first[:-1], strict=True)])
    return Mesh(vertices=np.concatenate([m.vertices for m in meshes]), faces=faces)


def moved(mesh: Mesh, *shift: float) -> Mesh:
    return mesh.transformed(transforms.rigid(np.eye(3), shift))


def cone_mesh(n: int = 48) -> Mesh:
    """Base of radius 0.4 at y = 0, tip at y = 1."""
    angle = 2 * np.pi * np.arange(n) / n
    ring = np.stack([0.4 * np.cos(angle), np.zeros(n), 0.4 * np.sin(angle)], 1)
    k, after = np.arange(n), (np.arange(n) + 1) % n
    sides = np.stack([k, np.full(n, n), after], 1)
    base = np.stack([k, after, np.full(n, n + 1)], 1)
    vertices = np.concatenate([ring, [[0, 1, 0], [0, 0, 0]]])
    return Mesh(vertices=vertices.astype(np.float32), faces=np.concatenate([sides, base]).astype(np.int32))


GREY = (99, 99, 99)
MESHES = {
    "one_pack__corner": joined(
        box_mesh((1.0, 0.2, 0.5), GREY),
        moved(box_mesh((0.2, 0.7, 0.5), GREY), -0.4, 0.4, 0),
        moved(box_mesh((0.2, 0.2, 0.4), GREY), 0.4, 0, 0.4),
    ),
    "one_pack__brick": box_mesh((1.0, 0.4, 0.6), GREY),
    "two_pack__cone": cone_mesh(),
    "three/7": sphere_mesh((1, 1, 1), GREY, n=32),
}
MESHES = {key: normalise(mesh)[0] for key, mesh in MESHES.items()}
KEYS = tuple(MESHES)


class Few:
    """A source of these objects; "broken" cannot be read."""

    name = "few"

    def draw(self, rng: np.random.Generator) -> str:
        return KEYS[int(rng.integers(len(KEYS)))]

    def get(self, key: str) -> DataObject:
        if key not in MESHES:
            raise InputError(f"no mesh {key}")
        return DataObject(key=key, mesh=MESHES[key], source="few")


@cache
def few_bank(points: int = 2048) -> ObjectBank:
    return build_bank(Few(), KEYS, points=points)[0]


def nearest(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(..., n) distance of every point of a (..., n, 3) to the nearest one of b (..., m, 3)."""
    return torch.cdist(a, b).amin(-1)
