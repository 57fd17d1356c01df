"""Meshes and checks that the tests of layouts, viewpoints and visibility share."""

from __future__ import annotations

import numpy as np

from scenemaker.data.types import Arrangement, DataObject
from scenemaker.geometry.mesh import Mesh, normalise


def box(x: float, y: float, z: float, *, at: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    """A box of given sides about a point."""
    corners = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
    faces = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]
    faces += [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    return Mesh(vertices=corners * [x, y, z] + np.array(at), faces=faces)


def union(*parts: Mesh) -> Mesh:
    """Several meshes as one."""
    start = np.cumsum([0] + [len(p.vertices) for p in parts[:-1]])
    return Mesh(
        vertices=np.concatenate([p.vertices for p in parts]),
        faces=np.concatenate([p.faces + s for p, s in zip(parts, start)]),
    )


def ball(radius: float = 0.5, steps: int = 24) -> Mesh:
    """A sphere of longitudes and latitudes."""
    a, b = np.meshgrid(np.linspace(0, np.pi, steps), np.linspace(0, 2 * np.pi, 2 * steps), indexing="ij")
    v = radius * np.stack([np.sin(a) * np.cos(b), np.cos(a), np.sin(a) * np.sin(b)], -1).reshape(-1, 3)
    i = (np.arange(steps - 1)[:, None] * 2 * steps + np.arange(2 * steps - 1)).ravel()
    f = np.concatenate([np.stack([i, i + 1, i + 2 * steps], 1), np.stack([i + 1, i + 2 * steps + 1, i + 2 * steps], 1)])
    return Mesh(vertices=v, faces=f)


def table() -> Mesh:
    """A table 1 x 0.7 x 0.8, its top 0.05 thick."""
    legs = [box(0.06, 0.65, 0.06, at=(x, 0.325, z)) for x in (-0.4, 0.4) for z in (-0.3, 0.3)]
    return normalise(union(box(1, 0.05, 0.8, at=(0, 0.675, 0)), *legs))[0]


def chair() -> Mesh:
    """A seat with a back: its highest part is a narrow edge."""
    return normalise(union(box(0.5, 0.5, 0.5, at=(0, 0.25, 0)), box(0.5, 1, 0.04, at=(0, 0.5, -0.25))))[0]


def things() -> list[DataObject]:
    """Objects of many proportions, one of them flat."""
    rng = np.random.default_rng(4)
    shards = [Mesh(vertices=rng.normal(size=(40, 3)) * rng.uniform(0.1, 1, 3), faces=[[0, 1, 2]]) for _ in range(4)]
    flat = Mesh(vertices=[[0, 0, 0], [1, 0, 0], [1, 0.6, 0], [0, 0.6, 0], [0.5, 0.9, 0]], faces=[[0, 1, 2], [0, 2, 3]])
    meshes = [table(), chair(), ball(), box(1, 0.3, 0.2), box(0.1, 1, 0.1), flat, *shards]
    return [DataObject(key=f"thing_{i}", mesh=normalise(m)[0]) for i, m in enumerate(meshes)]


def gaps(arrangement: Arrangement) -> np.ndarray:
    """(pairs,) largest gap along an axis of world between the boxes of any two objects, from all their vertices."""
    boxes = []
    for o, S in zip(arrangement.objects, arrangement.S_world_obj):
        v = o.mesh.vertices.astype(np.float64) @ S[:3, :3].T + S[:3, 3]
        boxes.append((v.min(0), v.max(0)))
    return np.array([
        np.maximum(a[0] - b[1], b[0] - a[1]).max() for i, a in enumerate(boxes) for b in boxes[:i]
    ])  # fmt: skip


def same_bytes(a: Arrangement, b: Arrangement) -> bool:
    """Whether two arrangements are equal to the last bit."""
    arrays = ("R_world_obj", "t_world_obj", "scale")
    return (a.support, a.tries) == (b.support, b.tries) and all(
        getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in arrays
    )
