"""Writes glTF 2.0 binary files (GLB): named nodes, textures, unlit photo materials, the photo's camera.

trimesh writes neither unlit materials nor cameras, hence this writer. Equal input gives equal bytes: no dates, no
random ids.

Convention: glTF is y up and its cameras look along -z, so a camera node has R = R_world_cam diag(1, -1, -1). glTF
cameras are centred; K and the image size are kept in the camera node's ``extras``. Texture pixels are sRGB,
COLOR_0 is linear. The nodes stand in the frame the caller names in ``extras`` (``world`` for scenes, ``obj`` for
single objects).
Reference: Khronos glTF 2.0 specification; extension KHR_materials_unlit.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.cache import write_atomic
from scenemaker.errors import FrameError, InputError, expected
from scenemaker.export.glb_parts import Parts
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import PlacedObject

TextureFormat = Literal["png", "jpeg"]
MAX_BYTES = 2**32 - 1  # lengths in a GLB are 32 bits wide


@dataclass(frozen=True, eq=False, kw_only=True)
class GlbNode:
    """One node of a file.

    Attributes:
        name: For people; cleaned and made unique when written.
        mesh: The same ``Mesh`` object in two nodes is stored once.
        S_frame_mesh: (4, 4) R diag(scale) | t, placing the mesh in the file's frame.
        extras: JSON values that go with the node.
    """

    name: str
    mesh: Mesh
    S_frame_mesh: F64 = field(default_factory=lambda: np.eye(4))
    extras: Mapping[str, Any] = field(default_factory=dict)


def scene_nodes(
    objects: Sequence[PlacedObject], T_cam_world: ArrayLike, background: Mapping[str, Mesh] | None = None
) -> list[GlbNode]:
    """One node per placed object and background mesh, in ``world``; skipped objects are left out.

    Args:
        objects: Of the scene, posed in ``cam``.
        T_cam_world: (4, 4) extrinsics of the photo.
        background: Meshes in ``cam`` by name.
    """
    T_world_cam = transforms.invert(T_cam_world)
    nodes = [
        GlbNode(
            name=o.name,
            mesh=o.mesh,
            S_frame_mesh=T_world_cam @ o.S_cam_obj,
            extras={"id": o.id, "name": o.name, "label": o.label, "status": o.status},
        )
        for o in objects
        if o.mesh is not None and o.pose is not None
    ]
    for name, mesh in (background or {}).items():
        nodes.append(GlbNode(name=name, mesh=mesh, S_frame_mesh=T_world_cam, extras={"role": "background"}))
    return nodes


def write_glb(
    target: str | Path | IO[bytes],
    nodes: Sequence[GlbNode],
    *,
    camera: Camera | None = None,
    extras: Mapping[str, Any] | None = None,
    textures: TextureFormat = "png",
) -> None:
    """Writes one file with all nodes; a path is written atomically.

    Args:
        target: A path, or a file opened for writing bytes.
        nodes: In the frame of the file.
        camera: With extrinsics from the frame of the file; becomes the node ``camera``.
        extras: JSON values for ``asset.extras``: units, frame, scale_kind.
        textures: "png" keeps every pixel; "jpeg" (quality 92) is smaller and faster for opaque textures.

    Raises:
        FrameError: A node whose transform is not rotation times positive scale plus translation.
        InputError: More than 4 GiB, or a texture that is not 8-bit RGB or RGBA.
        OutputError: The file cannot be written.
    """
    data = glb_bytes(nodes, camera=camera, extras=extras, textures=textures)
    if isinstance(target, (str, Path)):
        write_atomic(Path(target), data)
    else:
        target.write(data)


def write_object_glb(path: str | Path | IO[bytes], mesh: Mesh, name: str) -> None:
    """Writes one mesh in ``obj``; ``glb_reader.read_object_glb`` gives it back bit for bit."""
    write_glb(path, [GlbNode(name=name, mesh=mesh)], extras={"frame": "obj"})


def glb_bytes(
    nodes: Sequence[GlbNode],
    *,
    camera: Camera | None = None,
    extras: Mapping[str, Any] | None = None,
    textures: TextureFormat = "png",
) -> bytes:
    """The bytes of the file; see ``write_glb``."""
    parts = Parts(textures)
    names = unique_names([n.name for n in nodes] + ["camera"])
    tree_nodes = [
        _without_empty(
            {
                "name": name,
                "mesh": parts.mesh(node.mesh, name),
                **_trs(node.S_frame_mesh, node.name),
                "extras": _jsonable(node.extras),
            }
        )
        for node, name in zip(nodes, names)
    ]
    asset: dict[str, Any] = {"version": "2.0", "generator": "scenemaker", "extras": _jsonable(extras or {})}
    tree: dict[str, Any] = {"asset": _without_empty(asset)}
    if camera is not None:
        tree["cameras"] = [_perspective(camera, _reach(nodes, camera))]
        tree_nodes.append(_camera_node(camera, names[-1]))
    tree["scene"], tree["scenes"] = 0, [_without_empty({"nodes": list(range(len(tree_nodes)))})]
    tree["nodes"] = tree_nodes
    tree |= parts.tree()
    return _pack(_without_empty(tree), bytes(parts.binary))


def unique_names(names: Sequence[str]) -> list[str]:
    """Printable, non-empty names, no two equal: the second "chair" becomes "chair_2".

    >>> unique_names(["chair", "chair", "a\\tb", ""])
    ['chair', 'chair_2', 'a b', 'object']
    """
    out: list[str] = []
    taken: set[str] = set()
    for raw in names:
        whole = raw.encode("utf-8", "replace").decode("utf-8")  # a file name may hold lone surrogates
        clean = " ".join("".join(c if c.isprintable() else " " for c in whole).split())[:200] or "object"
        name, n = clean, 2
        while name in taken:
            name, n = f"{clean}_{n}", n + 1
        taken.add(name)
        out.append(name)
    return out


def quat_xyzw_from_R(R: ArrayLike) -> F64:
    """(4,) unit quaternion (x, y, z, w) of a rotation, w >= 0; stable near every half turn.

    Reference: Shepperd, "Quaternion from rotation matrix", J. Guidance and Control 1978.

    >>> quat_xyzw_from_R([[0, -1, 0], [1, 0, 0], [0, 0, 1]]).round(6).tolist()
    [0.0, 0.0, 0.707107, 0.707107]
    """
    m = np.asarray(R, np.float64)
    xx, yy, zz = np.diag(m)
    outer = np.array(  # 4 q q^T, without its unit part
        [
            [1 + xx - yy - zz, m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
            [m[0, 1] + m[1, 0], 1 - xx + yy - zz, m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]],
            [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], 1 - xx - yy + zz, m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], 1 + xx + yy + zz],
        ]
    )
    q = transforms.unit(outer[int(np.diag(outer).argmax())])
    return (-q if q[3] < 0 else q) + 0.0  # no negative zeros in the file


def _trs(S: ArrayLike, name: str) -> dict[str, Any]:
    """Translation, rotation and scale of a node, so that editors can change them; the identity is left out."""
    S = np.asarray(S, np.float64)
    scale = np.linalg.norm(S[:3, :3], axis=0)
    remedy = "give R diag(scale) | t with positive scale"
    if S.shape != (4, 4) or not np.isfinite(S).all() or not (scale > 0).all():
        raise FrameError(expected(f"a transform of node {name!r}", got=S.tolist(), remedy=remedy))
    R = transforms.check_R(S[:3, :3] / scale, f"the rotation of node {name!r}")
    out: dict[str, Any] = {}
    if S[:3, 3].any():
        out["translation"] = S[:3, 3].tolist()
    if not np.array_equal(R, np.eye(3)):
        out["rotation"] = quat_xyzw_from_R(R).tolist()
    if np.ptp(scale) < 1e-9 * scale.max():
        scale = np.full(3, scale.mean())  # uniform up to rounding: written as uniform
    if not (scale == 1).all():
        out["scale"] = scale.tolist()
    return out


def _reach(nodes: Sequence[GlbNode], camera: Camera) -> float:
    """Distance from the camera to the farthest box corner of the nodes."""
    farthest = 0.0
    for node in nodes:
        box = np.stack(np.meshgrid(*node.mesh.bounds.T, indexing="ij"), -1).reshape(-1, 3)
        away = transforms.apply(node.S_frame_mesh, box) - camera.centre_world
        farthest = max(farthest, float(np.linalg.norm(away, axis=1).max()))
    return farthest or 1.0


def _perspective(camera: Camera, reach: float) -> dict[str, Any]:
    fx, fy = camera.K[0, 0], camera.K[1, 1]
    perspective = {
        "yfov": float(2 * np.arctan(camera.height / 2 / fy)),
        "aspectRatio": float(camera.width / fx * fy / camera.height),
        "znear": 1e-3 * reach,
        "zfar": 10 * reach,
    }
    return {"type": "perspective", "name": "camera", "perspective": perspective}


def _camera_node(camera: Camera, name: str) -> dict[str, Any]:
    T_world_cam = transforms.invert(camera.T_cam_world)
    pose = transforms.rigid(T_world_cam[:3, :3] @ transforms.GL_FROM_CV, T_world_cam[:3, 3])
    extras = {"K": camera.K.tolist(), "width": camera.width, "height": camera.height}
    return {"name": name, "camera": 0, **_trs(pose, name), "extras": extras}


def _jsonable(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without those that are None, and with text that UTF-8 can hold."""
    return {
        k: v.encode("utf-8", "replace").decode("utf-8") if isinstance(v, str) else v
        for k, v in values.items()
        if v is not None
    }


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """glTF forbids empty lists and objects."""
    return {k: v for k, v in values.items() if not (isinstance(v, (list, dict)) and not v)}


def _pack(tree: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(tree, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")
    chunks = [(b"JSON", text + b" " * (-len(text) % 4))]
    if binary:
        chunks.append((b"BIN\0", binary + b"\0" * (-len(binary) % 4)))
    total = 12 + sum(8 + len(body) for _, body in chunks)
    if total > MAX_BYTES:
        got = f"{total / 2**30:.1f} GiB"
        raise InputError(expected("a scene below 4 GiB", got=got, remedy="export fewer objects or smaller textures"))
    head = struct.pack("<4sII", b"glTF", 2, total)
    return head + b"".join(struct.pack("<I4s", len(body), kind) + body for kind, body in chunks)


__all__ = ["GlbNode", "glb_bytes", "quat_xyzw_from_R", "scene_nodes", "unique_names", "write_glb", "write_object_glb"]
