"""The node tree of a glTF file: which nodes are instances, what they are called and where they stand.

Which node is an instance? Wrappers are looked through: starting at the root, as long as only one node holds all
meshes and has none itself, its children are taken in its place. What is then side by side are the instances; all
geometry below an instance is its shape. A mesh that several instances use makes several objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64

BACKGROUND = ("background", "backdrop", "ground")  # names of nodes that are no objects
Node = dict[str, Any]


def root_nodes(tree: dict[str, Any], nodes: Sequence[Node]) -> list[int]:
    """Numbers of the topmost nodes of the file's scene."""
    scenes = tree.get("scenes")
    if not scenes:
        children = {c for n in nodes for c in n.get("children", [])}
        return [i for i in range(len(nodes)) if i not in children]
    return list(as_dict(scenes[tree.get("scene", 0)]).get("nodes", []))


def instance_nodes(nodes: Sequence[Node], roots: Sequence[int]) -> list[int]:
    """Numbers of the instance nodes, in the order of the file."""
    level, holds = list(roots), _holds_mesh(nodes)
    seen: set[int] = set()
    while True:
        level = [i for i in level if holds[i]]
        if len(level) != 1 or "mesh" in nodes[level[0]] or level[0] in seen:
            return level
        seen.add(level[0])
        level = list(nodes[level[0]].get("children", []))


def _holds_mesh(nodes: Sequence[Node]) -> list[bool]:
    """For every node whether it or one below it has a mesh."""
    holds = ["mesh" in n for n in nodes]
    for _ in nodes:  # at most as many rounds as nodes; a chain settles in its length
        new = [h or any(holds[c] for c in n.get("children", [])) for h, n in zip(holds, nodes)]
        if new == holds:
            break
        holds = new
    return holds


def is_background(node: Node) -> bool:
    role = as_dict(node.get("extras")).get("role")
    return role == "background" or str(node.get("name", "")).lower() in BACKGROUND


def name_of(node: Node, number: int) -> str:
    """The object's own name where our writer kept it, else the node's, else its number."""
    own = as_dict(node.get("extras")).get("name")
    return str(own if isinstance(own, str) and own else node.get("name") or f"node_{number}")


def node_transforms(nodes: Sequence[Node], roots: Sequence[int]) -> dict[int, F64]:
    """(4, 4) of every node in the file's frame; NaN below a transform that cannot be read."""
    out: dict[int, F64] = {}
    todo = [(i, np.eye(4)) for i in roots]
    while todo:
        i, S_file_parent = todo.pop()
        if i in out:
            continue
        try:
            out[i] = S_file_parent @ _local(nodes[i])
        except (ValueError, TypeError):
            out[i] = np.full((4, 4), np.nan)
        todo += [(c, out[i]) for c in nodes[i].get("children", [])]
    return out


def _local(node: Node) -> F64:
    """(4, 4) of the parent from a node."""
    if "matrix" in node:
        return np.asarray(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = transforms.unit(np.asarray(node.get("rotation", (0, 0, 0, 1)), np.float64).reshape(4))
    angle = 2 * np.arctan2(np.linalg.norm([x, y, z]), w)
    R = transforms.axis_angle([x, y, z], float(angle)) if angle else np.eye(3)
    return transforms.similarity(R, node.get("translation", (0, 0, 0)), node.get("scale", 1.0))


def is_placing(S: F64) -> bool:
    """Whether a transform is R diag(scale) | t with positive scale."""
    if not np.isfinite(S).all():
        return False
    scale = np.linalg.norm(S[:3, :3], axis=0)
    if not (scale > 0).all():
        return False
    R = S[:3, :3] / scale
    return bool(np.abs(R.T @ R - np.eye(3)).max() < 1e-5 and np.linalg.det(R) > 0)


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


__all__ = [
    "Node",
    "as_dict",
    "instance_nodes",
    "is_background",
    "is_placing",
    "name_of",
    "node_transforms",
    "root_nodes",
]
