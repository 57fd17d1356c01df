"""What glTF says and general readers lose: exact vertex colours, texture coordinates as written, unlit, opacity.

trimesh rounds COLOR_0 to 8 bit (linear: dark tones are gone) and turns uv upside down. Before it reads a file, both
are therefore copied, in the file's own JSON, to attributes of another name, which it hands on untouched; a material
is renamed to its number, so that its other entries can be looked up.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import InputError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.colour import linear_from_srgb, srgb_from_linear
from scenemaker.inputs.mesh_parts import Part, texture_pixels
from scenemaker.scene import U8

_COLOR, _UV = "_SCENEMAKER_COLOR", "_SCENEMAKER_UV"
_JSON_CHUNK = 0x4E4F534A
_READABLE = {
    "KHR_texture_transform",
    "EXT_texture_webp",
    "KHR_materials_pbrSpecularGlossiness",
}


def prepared(data: bytes, path: Path) -> tuple[bytes, dict[str, Any]]:
    """The file with its attributes copied, and its JSON.

    Raises:
        InputError: Not glTF 2.0, or in need of an extension that cannot be read.
    """
    binary = b""
    if path.suffix.lower() == ".glb":
        try:
            magic, version, total, length, kind = struct.unpack_from("<4sIIII", data)
        except struct.error:
            magic, version, total, length, kind = b"", 0, 0, 0, 0
        if total > len(data):
            got = f"{path}: the first {len(data)} of {total} bytes"
            raise InputError(expected("a whole mesh file", got=got, remedy="copy or save it again"))
        if magic != b"glTF" or version != 2 or kind != _JSON_CHUNK or 20 + length > len(data):
            raise InputError(
                expected("a glTF 2.0 binary file", got=f"{path}: other content", remedy="save it again as GLB")
            )
        text, binary = data[20 : 20 + length], data[20 + length :]
    else:
        text = data
    try:
        tree = json.loads(text)
        if not isinstance(tree, dict):
            raise ValueError("no object at the top")
    except ValueError as error:
        raise InputError(expected("glTF 2.0", got=f"{path}: {error}", remedy="save it again as GLB")) from None
    missing = sorted(
        name
        for name in tree.get("extensionsRequired", [])
        if name not in _READABLE and not name.startswith(("KHR_materials_", "KHR_lights_"))
    )
    if missing:
        remedy = "save it as GLB without compression"
        raise InputError(expected("glTF that can be read here", got=f"{path} with {', '.join(missing)}", remedy=remedy))
    for mesh in tree.get("meshes", []):
        for primitive in mesh.get("primitives", []):
            attributes = primitive.get("attributes", {})
            if "COLOR_0" in attributes:
                attributes[_COLOR] = attributes["COLOR_0"]
            info = _base_texture(tree, primitive.get("material"))
            uv = f"TEXCOORD_{_transform(info).get('texCoord', info.get('texCoord', 0))}"
            if uv in attributes:
                attributes[_UV] = attributes[uv]
    text = json.dumps({**tree, "materials": [{**m, "name": str(i)} for i, m in enumerate(tree.get("materials", []))]})
    if not tree.get("materials"):
        text = json.dumps(tree)
    if path.suffix.lower() != ".glb":
        return text.encode(), tree
    chunk = text.encode()
    chunk += b" " * (-len(chunk) % 4)
    header = struct.pack("<4sIIII", b"glTF", 2, 20 + len(chunk) + len(binary), len(chunk), _JSON_CHUNK)
    return header + chunk + binary, tree


def gltf_part(geometry: Any, vertices: F64, faces: NDArray[Any], tree: dict[str, Any], *, linear: bool) -> Part:
    """The part of a geometry that trimesh read from a prepared file.

    Args:
        geometry: A ``trimesh.Trimesh``.
        vertices, faces: (n, 3), (m, 3), already placed.
        tree: The file's JSON.
        linear: COLOR_0 is linear light, as glTF says; else it is taken as sRGB.
    """
    material = getattr(geometry.visual, "material", None)
    name = str(getattr(material, "name", ""))
    entry: dict[str, Any] = tree["materials"][int(name)] if name.isdigit() and "materials" in tree else {}
    factor = np.asarray(entry.get("pbrMetallicRoughness", {}).get("baseColorFactor", [1, 1, 1, 1]), np.float64)
    opaque = entry.get("alphaMode", "OPAQUE") == "OPAQUE"
    raw_uv = geometry.vertex_attributes.get(_UV)
    raw_color = geometry.vertex_attributes.get(_COLOR)
    image = getattr(material, "baseColorTexture", None)
    texture = notice = None
    if image is not None and raw_uv is not None:
        texture, notice = texture_pixels(image, "RGB" if opaque else "RGBA")
        texture = None if texture is None else _tinted(texture, factor)
    elif image is None and _base_texture(tree, name):
        notice = "a texture could not be read"
    colors = None
    if raw_color is not None:
        value = _normalised(raw_color)
        value = value if linear else np.concatenate([linear_from_srgb(value[:, :3]), value[:, 3:]], 1)
        if value.shape[1] == 3:
            value = np.concatenate([value, np.ones((len(value), 1))], 1)
        colors = _eight_bit(value * factor, opaque)
    return Part(
        vertices=vertices,
        faces=faces,
        uv=None if raw_uv is None else _transformed(_normalised(raw_uv), _base_texture(tree, name)),
        texture=texture,
        colors=colors,
        color=_eight_bit(factor[None], opaque)[0] if entry else None,
        unlit="KHR_materials_unlit" in entry.get("extensions", {}),
        notice=notice,
    )


def _eight_bit(rgba_linear: F64, opaque: bool) -> U8:
    rgb = srgb_from_linear(rgba_linear[:, :3])
    alpha = np.ones((len(rgb), 1)) if opaque else rgba_linear[:, 3:].clip(0, 1)
    return np.round(np.concatenate([rgb, alpha], 1) * 255).astype(np.uint8)


def _tinted(texture: U8, factor: F64) -> U8:
    """The texture times its material's factor, which is linear."""
    if (factor[: texture.shape[2]] == 1).all():
        return texture
    table = linear_from_srgb(np.arange(256) / 255.0)
    out = texture.copy()
    for channel in range(3):
        out[..., channel] = np.round(srgb_from_linear(table * factor[channel]) * 255).astype(np.uint8)[
            texture[..., channel]
        ]
    if texture.shape[2] == 4:
        out[..., 3] = np.round(texture[..., 3] * factor[3]).astype(np.uint8)
    return out


def _normalised(values: NDArray[Any]) -> F64:
    """Floats as they are, unsigned integers over their full range."""
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(np.float64) / np.iinfo(values.dtype).max
    return values.astype(np.float64)


def _base_texture(tree: dict[str, Any], material: Any) -> dict[str, Any]:
    if material is None or str(material) == "" or not str(material).isdigit():
        return {}
    materials = tree.get("materials", [])
    entry = materials[int(material)] if int(material) < len(materials) else {}
    return entry.get("pbrMetallicRoughness", {}).get("baseColorTexture", {})


def _transform(info: dict[str, Any]) -> dict[str, Any]:
    return info.get("extensions", {}).get("KHR_texture_transform", {})


def _transformed(uv: F64, info: dict[str, Any]) -> F64:
    """uv after KHR_texture_transform: offset + R(rotation) (scale * uv), counter-clockwise as the standard draws it."""
    change = _transform(info)
    if not change:
        return uv
    angle = float(change.get("rotation", 0.0))
    c, s = np.cos(angle), np.sin(angle)
    scaled = uv * np.asarray(change.get("scale", [1, 1]), np.float64)
    return scaled @ np.array([[c, -s], [s, c]]) + np.asarray(change.get("offset", [0, 0]), np.float64)
