"""Objects of a GLB or glTF file of any system: one per instance node (``glb_nodes``), read through trimesh."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, SceneMakerError, expected
from scenemaker.evaluation.glb_nodes import (
    Node,
    as_dict,
    instance_nodes,
    is_background,
    is_placing,
    name_of,
    node_transforms,
    root_nodes,
)
from scenemaker.evaluation.types import EvalObject
from scenemaker.export.glb import unique_names
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh
from scenemaker.inputs.mesh_files import Folder
from scenemaker.inputs.mesh_gltf import gltf_part, prepared
from scenemaker.inputs.mesh_parts import Part, join

SUFFIXES = (".glb", ".gltf")


def read_glb(path: Path) -> tuple[tuple[EvalObject, ...], tuple[str, ...]]:
    """The objects of a file in its own frame, and notices. An object without a usable shape has mesh None.

    Raises:
        InputError: No such file, not a whole GLB or glTF file, or no node in it has a mesh.
    """
    scene, tree = _loaded(path)
    try:
        nodes = [as_dict(n) for n in tree.get("nodes", [])]
        roots = root_nodes(tree, nodes)
        instances = instance_nodes(nodes, roots)
    except (KeyError, IndexError, TypeError) as error:
        got = f"{path}: {error!r}"
        raise InputError(expected("a whole tree of nodes", got=got, remedy="save it again as GLB")) from None
    if not instances:
        remedy = "export the scene with one node per object"
        raise InputError(expected("nodes with meshes", got=f"{path}: none", remedy=remedy))
    shown = [i for i in instances if not is_background(nodes[i])]
    notices = []
    if len(shown) < len(instances):
        names = ", ".join(name_of(nodes[i], i) for i in instances if i not in shown)
        notices.append(f"left out as background: {names}")
    if len(instances) == 1:
        notices.append("the file has a single node with a mesh: taken as one object")
    given = [name_of(nodes[i], i) for i in shown]
    names = unique_names(given)
    renamed = [f"{a!r} is now {b!r}" for a, b in zip(given, names, strict=True) if a != b]
    if renamed:
        notices.append(f"names made unique: {', '.join(renamed)}")
    parts = _parts_by_instance(scene, nodes, shown)
    S_file_node = node_transforms(nodes, roots)
    objects = tuple(
        _object(k, name, nodes[i], S_file_node[i], [(scene.geometry[g], S_file_node[n]) for n, g in parts[i]], tree)
        for k, (name, i) in enumerate(zip(names, shown, strict=True), start=1)
    )
    return objects, tuple(notices)


def _loaded(path: Path) -> tuple[Any, dict[str, Any]]:
    """What trimesh makes of the file, its nodes called by their numbers, and the file's JSON."""
    import trimesh

    try:
        data = path.read_bytes()
    except OSError as error:
        got = f"{path}: {error.strerror}"
        raise InputError(expected("a readable GLB file", got=got, remedy="check the path")) from None
    data, tree = prepared(data, path)
    files = Folder(path)
    try:
        numbered = _with_numbered_nodes(data, path.suffix.lower() == ".glb")
        kind = path.suffix.lower()[1:]
        scene = trimesh.load(
            io.BytesIO(numbered), file_type=kind, resolver=cast(Any, files), force="scene", process=False
        )
    except SceneMakerError:
        raise
    except Exception as error:  # whatever a damaged file makes the reader trip over
        files.refuse()
        got = f"{path}: {error or type(error).__name__}"
        raise InputError(expected("a whole GLB file", got=got, remedy="save it again as GLB")) from error
    files.refuse()
    return scene, tree


def _with_numbered_nodes(data: bytes, binary: bool) -> bytes:
    """The file whose nodes are called by their numbers and stand nowhere.

    trimesh could mix up equal names, takes a NaN for no transform, and drops what is below a camera.
    """
    length = struct.unpack_from("<I", data, 12)[0] if binary else len(data)
    tree = json.loads(data[20 : 20 + length] if binary else data)
    nodes = [as_dict(n) for n in tree.get("nodes", [])]
    kept = [{k: n[k] for k in ("mesh", "children") if k in n} for n in nodes]
    tree["nodes"] = [{**n, "name": str(i)} for i, n in enumerate(kept)]
    text = json.dumps(tree).encode()
    if not binary:
        return text
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON") + text + rest


def _parts_by_instance(scene: Any, nodes: Sequence[Node], shown: Sequence[int]) -> dict[int, list[tuple[int, str]]]:
    """Node and name of the geometry of each instance, in a fixed order."""
    owner: dict[int, int] = {}
    for top in shown:
        below = [top]
        while below:
            i = below.pop()
            if i not in owner:
                owner[i] = top
                below.extend(nodes[i].get("children", []))
    # several primitives of one mesh are nodes called NUMBER_RANDOM
    held = {(int(node.split("_")[0]), name) for name, found in scene.graph.geometry_nodes.items() for node in found}
    out: dict[int, list[tuple[int, str]]] = {top: [] for top in shown}
    for node, name in sorted(held):
        if node in owner:
            out[owner[node]].append((node, name))
    return out


def _object(
    id: int,
    name: str,
    node: Node,
    S_file_node: F64,
    geometries: Sequence[tuple[Any, F64]],
    tree: dict[str, Any],
) -> EvalObject:
    """One instance: its shape in the frame of its node, or in the file's where the node shears or mirrors.

    Args:
        id, name: Of the object.
        node: Of the file's JSON.
        S_file_node: (4, 4) of the node.
        geometries: What trimesh read, and the (4, 4) that takes it to the file's frame.
        tree: The file's JSON.
    """
    label = as_dict(node.get("extras")).get("label")
    label = label if isinstance(label, str) else None
    notices: list[str] = []
    if not is_placing(S_file_node):
        if np.isfinite(S_file_node).all() and np.linalg.det(S_file_node[:3, :3]) < 0:
            notices.append("its node is mirrored")
        S_file_node = np.eye(4)
    try:
        parts = [_part(geometry, transforms.invert(S_file_node) @ S, tree) for geometry, S in geometries]
        mesh, told = _joined([p for p in parts if p is not None])
    except (InputError, ValueError, TypeError, KeyError, IndexError) as error:
        why = str(error) if isinstance(error, InputError) else f"damaged: {error!r}"
        notices.append(why)
        return EvalObject(
            id=id, name=name, label=label, mesh=None, S_frame_obj=None, status="skipped", notices=tuple(notices)
        )
    return EvalObject(id=id, name=name, label=label, mesh=mesh, S_frame_obj=S_file_node, notices=(*notices, *told))


def _part(geometry: Any, S: F64, tree: dict[str, Any]) -> Part | None:
    """A geometry moved by a (4, 4); None where it has no faces."""
    import trimesh

    if not isinstance(geometry, trimesh.Trimesh) or not len(geometry.faces):
        return None
    if not np.isfinite(S).all():
        raise InputError(expected("a node with a finite transform", got="none", remedy="save the file again"))
    vertices = transforms.apply(S, geometry.vertices)
    faces: NDArray[np.int64] = np.asarray(geometry.faces, np.int64)
    if faces.min() < 0 or faces.max() >= len(vertices):
        got = f"{faces.min()}..{faces.max()}"
        raise InputError(expected(f"face indices in [0, {len(vertices)})", got=got, remedy="repair the mesh"))
    if np.linalg.det(S[:3, :3]) < 0:
        faces = faces[:, ::-1]  # a mirrored part would be inside out
    return gltf_part(geometry, vertices, faces, tree, linear=True)


def _joined(parts: Sequence[Part]) -> tuple[Mesh, tuple[str, ...]]:
    if not parts:
        raise InputError(expected("a mesh with faces", got="none", remedy="save its surface, not its points"))
    mesh, notices = join(parts)
    check_shape(mesh)
    return mesh, notices


def check_shape(mesh: Mesh) -> None:
    """Checks that points can be spread over a mesh.

    Raises:
        InputError: All its faces are degenerate.
    """
    a, b, c = np.moveaxis(mesh.triangles, 1, 0)
    if not np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() > 0:
        raise InputError(expected("a mesh with an area", got="only degenerate faces", remedy="check the file"))


__all__ = ["SUFFIXES", "check_shape", "read_glb"]
