"""Meshes and files that the tests of objects share."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from scenemaker.data.types import DataObject
from scenemaker.geometry.mesh import Mesh

_FACES = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]
_FACES += [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
LID = [6, 7]  # the faces of a box that look up


def box(x: float, y: float, z: float, at: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    """A box of given sides about a point, turned outwards."""
    corners = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
    return Mesh(vertices=corners * [x, y, z] + np.array(at), faces=np.array(_FACES))


def ball(radius: float = 0.5, at: tuple[float, float, float] = (0, 0, 0), fine: int = 3) -> Mesh:
    """A sphere of 20 x 4^fine triangles, turned outwards."""
    sphere = trimesh.creation.icosphere(subdivisions=fine, radius=radius)
    return Mesh(vertices=np.asarray(sphere.vertices) + np.array(at), faces=np.asarray(sphere.faces))


def without(mesh: Mesh, faces: Any) -> Mesh:
    return Mesh(vertices=mesh.vertices, faces=np.delete(mesh.faces, faces, axis=0))


def flipped(mesh: Mesh, faces: Any = slice(None)) -> Mesh:
    """The mesh with some faces inside out."""
    turned = mesh.faces.copy()
    turned[faces] = turned[faces][:, ::-1]
    return Mesh(vertices=mesh.vertices, faces=turned)


def union(*parts: Mesh) -> Mesh:
    """Several meshes as one, nothing merged."""
    start = np.cumsum([0] + [len(p.vertices) for p in parts[:-1]])
    return Mesh(
        vertices=np.concatenate([p.vertices for p in parts]),
        faces=np.concatenate([p.faces + s for p, s in zip(parts, start)]),
    )


def thing(mesh: Mesh, key: str = "thing") -> DataObject:
    return DataObject(key=key, mesh=mesh)


def box_distance(points: NDArray[Any], sides: Any, at: Any = (0, 0, 0)) -> NDArray[np.float64]:
    """Signed distance to a box, in closed form."""
    q = np.abs(np.asarray(points, np.float64) - at) - np.asarray(sides) / 2
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)


def write_ply(path: Path, vertices: Any, faces: Any) -> None:
    """A PLY file as text, of whatever numbers."""
    v, f = np.asarray(vertices, np.float64).reshape(-1, 3), np.asarray(faces, np.int64).reshape(-1, 3)
    head = f"ply\nformat ascii 1.0\nelement vertex {len(v)}\nproperty float x\nproperty float y\nproperty float z\n"
    head += f"element face {len(f)}\nproperty list uchar int vertex_indices\nend_header\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [" ".join(map(str, row)) for row in v] + ["3 " + " ".join(map(str, row)) for row in f]
    path.write_text(head + "\n".join(rows) + "\n")


def write_mesh(path: Path, mesh: Mesh) -> None:
    """A file of the kind that its name tells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(path)


def write_gltf(path: Path, mesh: Mesh, material: dict[str, Any] | None, uri: str | None = None) -> None:
    """A GLB with one material, whose texture, if it has one, is told by ``uri``; uv are x and y."""
    uv = mesh.vertices[:, :2] - mesh.bounds[0][:2]
    chunks = [mesh.vertices.tobytes(), uv.astype(np.float32).tobytes(), mesh.faces.astype(np.uint32).tobytes()]
    views, start = [], 0
    for chunk in chunks:
        views.append({"buffer": 0, "byteOffset": start, "byteLength": len(chunk)})
        start += len(chunk)
    n = len(mesh.vertices)
    lo, hi = mesh.bounds.tolist()
    primitive = {"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2}
    tree: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive if material is None else {**primitive, "material": 0}]}],
        "buffers": [{"byteLength": start}],
        "bufferViews": views,
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": n, "type": "VEC3", "min": lo, "max": hi},
            {"bufferView": 1, "componentType": 5126, "count": n, "type": "VEC2"},
            {"bufferView": 2, "componentType": 5125, "count": mesh.faces.size, "type": "SCALAR"},
        ],
    }
    if material is not None:
        tree["materials"] = [material]
    if uri is not None:
        tree |= {"images": [{"uri": uri}], "textures": [{"source": 0}]}
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    binary = b"".join(chunks)
    total = 12 + 8 + len(text) + 8 + len(binary)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        struct.pack("<4sII", b"glTF", 2, total)
        + struct.pack("<I4s", len(text), b"JSON")
        + text
        + struct.pack("<I4s", len(binary), b"BIN\0")
        + binary
    )
