"""Reads back the object files that ``export.glb`` writes, bit for bit and without trimesh.

A run that resumes must give the same bytes as one that was never stopped; general readers flip texture coordinates
or merge vertices. Files of other origin are read by ``scenemaker.inputs.load_mesh``.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from scenemaker.errors import InputError, expected
from scenemaker.geometry.colour import srgb_from_linear
from scenemaker.geometry.mesh import Mesh

_DTYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def read_object_glb(path: Path) -> Mesh:
    """The mesh of an object file in ``obj``.

    Raises:
        InputError: The file is missing or damaged.
    """
    try:
        data = path.read_bytes()
        magic, _, length = struct.unpack_from("<4sII", data)
        if magic != b"glTF" or length != len(data):
            raise ValueError("not a whole GLB")
        json_length = struct.unpack_from("<I", data, 12)[0]
        tree = json.loads(data[20 : 20 + json_length])
        if tree.get("asset", {}).get("generator") != "scenemaker":
            from scenemaker.inputs import load_mesh

            return load_mesh(path)
        return _mesh(tree, data[20 + json_length + 8 :])
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        raise InputError(expected("an object mesh", got=f"{path}: {error}", remedy="redo its stage")) from None


def _mesh(tree: dict[str, Any], binary: bytes) -> Mesh:
    primitive = tree["meshes"][0]["primitives"][0]
    attributes = primitive["attributes"]
    material = tree["materials"][primitive["material"]] if "material" in primitive else {}
    texture = material.get("pbrMetallicRoughness", {}).get("baseColorTexture")
    return Mesh(
        vertices=_accessor(tree, binary, attributes["POSITION"]),
        faces=_accessor(tree, binary, primitive["indices"]).reshape(-1, 3).astype(np.int32),
        uv=_accessor(tree, binary, attributes["TEXCOORD_0"]) if "TEXCOORD_0" in attributes else None,
        texture=None if texture is None else _image(tree, binary, tree["textures"][texture["index"]]["source"]),
        colors=_srgb(_accessor(tree, binary, attributes["COLOR_0"])) if "COLOR_0" in attributes else None,
        unlit="KHR_materials_unlit" in material.get("extensions", {}),
    )


def _view(tree: dict[str, Any], binary: bytes, index: int) -> bytes:
    view = tree["bufferViews"][index]
    start = view.get("byteOffset", 0)
    return binary[start : start + view["byteLength"]]


def _accessor(tree: dict[str, Any], binary: bytes, index: int) -> np.ndarray[Any, Any]:
    accessor = tree["accessors"][index]
    width = _WIDTH[accessor["type"]]
    raw = _view(tree, binary, accessor["bufferView"])
    flat = np.frombuffer(
        raw, _DTYPES[accessor["componentType"]], accessor["count"] * width, accessor.get("byteOffset", 0)
    )
    return flat if width == 1 else flat.reshape(-1, width)


def _image(tree: dict[str, Any], binary: bytes, index: int) -> np.ndarray[Any, Any]:
    import cv2

    raw = _view(tree, binary, tree["images"][index]["bufferView"])
    bgr = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED)
    if bgr is None:
        raise ValueError("its texture does not decode")
    return cv2.cvtColor(bgr, cv2.COLOR_BGRA2RGBA if bgr.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _srgb(linear: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Linear COLOR_0 as 8-bit sRGB; alpha stays linear."""
    out = srgb_from_linear(linear)
    if linear.shape[1] == 4:
        out[:, 3] = linear[:, 3]
    return np.round(out * 255).clip(0, 255).astype(np.uint8)
