"""The shared parts of a GLB while it is written: buffer, accessors, images, materials, meshes."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import numpy as np

from scenemaker.errors import InputError, expected
from scenemaker.geometry.colour import linear_from_srgb
from scenemaker.geometry.mesh import Mesh
from scenemaker.scene import F32, U8

ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
FLOAT, UNSIGNED_SHORT, UNSIGNED_INT = 5126, 5123, 5125
LINEAR, LINEAR_MIPMAP_LINEAR, CLAMP_TO_EDGE = 9729, 9987, 33071
UNLIT = "KHR_materials_unlit"
JPEG_QUALITY = 92
PLAIN_GREY = 190  # sRGB of a mesh without colours, as in geometry.raycast
REMEMBERED_BYTES = 64 * 2**20  # of encoded textures
CREASE_COSINE = 0.9  # 26 degrees between a vertex's own and its shared normal: beyond it the edge stays sharp

LINEAR_FROM_SRGB: F32 = linear_from_srgb(np.arange(256) / 255).astype(np.float32)
_encoded: dict[str, tuple[bytes, str]] = {}


class Parts:
    """Collects the parts; equal textures, materials and meshes are stored once."""

    def __init__(self, textures: Literal["png", "jpeg"]) -> None:
        self.binary = bytearray()
        self._format: Literal["png", "jpeg"] = textures
        self._lists: dict[str, list[dict[str, Any]]] = {
            k: [] for k in ("meshes", "materials", "textures", "images", "samplers", "accessors", "bufferViews")
        }
        self._meshes: dict[int, int] = {}
        self._textures: dict[bytes, int] = {}
        self._materials: dict[str, int] = {}
        self._unlit = False

    def tree(self) -> dict[str, Any]:
        """The top-level entries of the file."""
        out: dict[str, Any] = dict(self._lists)
        if self.binary:
            out["buffers"] = [{"byteLength": len(self.binary) + -len(self.binary) % 4}]
        if self._unlit:
            out["extensionsUsed"] = [UNLIT]
        return out

    def mesh(self, mesh: Mesh, name: str) -> int:
        """Index of the mesh."""
        if id(mesh) in self._meshes:
            return self._meshes[id(mesh)]
        attributes = {"POSITION": self._accessor(mesh.vertices, "VEC3", ARRAY_BUFFER, bounds=True)}
        if not mesh.unlit:
            attributes["NORMAL"] = self._accessor(smooth_normals(mesh), "VEC3", ARRAY_BUFFER)
        alpha = None
        textured = mesh.texture is not None and mesh.uv is not None
        if textured:
            attributes["TEXCOORD_0"] = self._accessor(np.asarray(mesh.uv, np.float32), "VEC2", ARRAY_BUFFER)
            alpha = _alpha(mesh.texture)
        elif mesh.colors is not None:
            linear = LINEAR_FROM_SRGB[mesh.colors]
            alpha = _alpha(mesh.colors)
            if linear.shape[1] == 4:
                linear[:, 3] = mesh.colors[:, 3].astype(np.float32) / np.float32(255)
            attributes["COLOR_0"] = self._accessor(linear, f"VEC{linear.shape[1]}", ARRAY_BUFFER)
        # 65535 is the primitive restart index, so 16 bits count up to 65534
        faces = mesh.faces.astype(np.uint16 if len(mesh.vertices) <= 65535 else np.uint32).reshape(-1)
        primitive = {
            "attributes": attributes,
            "indices": self._accessor(faces, "SCALAR", ELEMENT_ARRAY_BUFFER),
            "material": self._material(mesh, alpha, name, textured=textured),
        }
        self._lists["meshes"].append({"name": name, "primitives": [primitive]})
        self._meshes[id(mesh)] = len(self._lists["meshes"]) - 1
        return self._meshes[id(mesh)]

    def _view(self, data: bytes, target: int | None = None) -> int:
        self.binary += b"\0" * (-len(self.binary) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self.binary += data
        self._lists["bufferViews"].append(view)
        return len(self._lists["bufferViews"]) - 1

    def _accessor(self, array: np.ndarray[Any, Any], type: str, target: int, *, bounds: bool = False) -> int:
        kind = {"float32": FLOAT, "uint16": UNSIGNED_SHORT, "uint32": UNSIGNED_INT}[array.dtype.name]
        view = self._view(np.ascontiguousarray(array).tobytes(), target)
        accessor: dict[str, Any] = {"bufferView": view, "componentType": kind, "count": len(array), "type": type}
        if bounds:
            accessor["min"], accessor["max"] = array.min(0).tolist(), array.max(0).tolist()
        self._lists["accessors"].append(accessor)
        return len(self._lists["accessors"]) - 1

    def _texture(self, pixels: U8) -> int:
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or not pixels.size:
            got = f"{pixels.dtype} {pixels.shape}"
            raise InputError(expected("a texture (h, w, 3 or 4) of uint8", got=got, remedy="convert it to 8-bit RGB"))
        data, mime = encode_texture(pixels, self._format)
        if data not in self._textures:
            if not self._lists["samplers"]:
                wrap = {"wrapS": CLAMP_TO_EDGE, "wrapT": CLAMP_TO_EDGE}
                self._lists["samplers"].append({"magFilter": LINEAR, "minFilter": LINEAR_MIPMAP_LINEAR, **wrap})
            self._lists["images"].append({"bufferView": self._view(data), "mimeType": mime})
            self._lists["textures"].append({"sampler": 0, "source": len(self._lists["images"]) - 1})
            self._textures[data] = len(self._lists["textures"]) - 1
        return self._textures[data]

    def _material(self, mesh: Mesh, alpha: str | None, name: str, *, textured: bool) -> int:
        pbr: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
        if textured and mesh.texture is not None:
            pbr["baseColorTexture"] = {"index": self._texture(mesh.texture)}
        elif mesh.colors is None:
            pbr["baseColorFactor"] = [*[float(LINEAR_FROM_SRGB[PLAIN_GREY])] * 3, 1.0]
        material: dict[str, Any] = {"pbrMetallicRoughness": pbr, "doubleSided": False}
        if alpha is not None:
            material["alphaMode"] = alpha
        if mesh.unlit:
            material["extensions"], self._unlit = {UNLIT: {}}, True
        key = repr(material)
        if key not in self._materials:
            self._lists["materials"].append({"name": name, **material})
            self._materials[key] = len(self._lists["materials"]) - 1
        return self._materials[key]


def encode_texture(pixels: U8, format: Literal["png", "jpeg"]) -> tuple[bytes, str]:
    """File bytes and mime type of a texture; one with transparent pixels is always PNG.

    The last ones are remembered: a run writes each texture as an artefact, as an object, and in the scene.
    """
    pixels = np.ascontiguousarray(pixels)
    key = hashlib.sha256(f"{format} {pixels.shape}".encode() + pixels.tobytes()).hexdigest()
    if key not in _encoded:
        _encoded[key] = _encode(pixels, format)
        while len(_encoded) > 1 and sum(len(data) for data, _ in _encoded.values()) > REMEMBERED_BYTES:
            del _encoded[next(iter(_encoded))]
    return _encoded[key]


def _encode(pixels: U8, format: Literal["png", "jpeg"]) -> tuple[bytes, str]:
    import cv2

    if format == "jpeg" and _alpha(pixels) is None:
        bgr = cv2.cvtColor(pixels[..., :3], cv2.COLOR_RGB2BGR)
        ok, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        mime = "image/jpeg"
    else:
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
        ok, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 2])
        mime = "image/png"
    if not ok:
        remedy = "make it smaller than 65500 pixels a side"
        raise InputError(expected("a texture that can be stored", got=f"{pixels.shape}", remedy=remedy))
    return data.tobytes(), mime


def _alpha(colours: U8 | None) -> str | None:
    """glTF's alpha mode of colours (..., 3 or 4); None is opaque."""
    if colours is None or colours.shape[-1] == 3:
        return None
    values = colours[..., 3]
    if (values == 255).all():
        return None
    return "MASK" if ((values == 0) | (values == 255)).all() else "BLEND"


def smooth_normals(mesh: Mesh) -> F32:
    """(n, 3) unit vertex normals, faces weighted by area.

    Vertices that share a place (seams of the texture) share their normal, unless that turns it far from its own:
    then the surface has an edge there.
    """
    triangles = mesh.triangles
    face_normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])  # (m, 3)
    total = _summed(mesh.faces.reshape(-1), np.repeat(face_normals, 3, axis=0), len(mesh.vertices))
    _, place = np.unique(mesh.vertices, axis=0, return_inverse=True)
    place = place.reshape(-1)
    own, shared = _unit_or_up(total), _unit_or_up(_summed(place, total, int(place.max()) + 1))[place]
    smooth = (own * shared).sum(1, keepdims=True) > CREASE_COSINE
    return np.where(smooth, shared, own).astype(np.float32)


def _summed(index: np.ndarray[Any, Any], values: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
    return np.stack([np.bincount(index, values[:, k], n) for k in range(3)], 1)


def _unit_or_up(v: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Rows of length one; a row of length zero (a vertex of degenerate faces only) becomes +y."""
    length = np.linalg.norm(v, axis=1, keepdims=True)
    return np.where(length > 1e-30, v / np.maximum(length, 1e-30), [0.0, 1.0, 0.0])
