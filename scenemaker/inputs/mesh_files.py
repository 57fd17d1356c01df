"""One mesh file of any common kind, read through trimesh, as one ``Mesh``."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from scenemaker.errors import InputError, SceneMakerError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh
from scenemaker.inputs.mesh_gltf import gltf_part, prepared
from scenemaker.inputs.mesh_parts import Part, join, texture_pixels

logger = logging.getLogger(__name__)
SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl")
ColorSpace = Literal["linear", "srgb"]


def load_mesh(path: str | Path, *, color_space: ColorSpace = "linear") -> Mesh:
    """The mesh in a GLB, glTF, OBJ, PLY or STL file: parts joined, with texture or vertex colours, in its own frame.

    Args:
        path: The file. What it refers to must lie in its folder or below.
        color_space: Of glTF's COLOR_0; "linear" is the standard, "srgb" what some files hold. The vertex colours of
            the other formats are sRGB.

    Raises:
        InputError: No such file, not a mesh, or an empty, broken or flat-to-a-point one; the text names the file.
    """
    return read_mesh(Path(path), color_space)[0]


def read_mesh(path: Path, color_space: ColorSpace = "linear") -> tuple[Mesh, tuple[str, ...]]:
    """As ``load_mesh``, with notices."""
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no such file"
        raise InputError(expected("a mesh file", got=f"{path}: {kind}", remedy="check the path"))
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        remedy = "save it as one of these"
        raise InputError(expected(f"a mesh file of {', '.join(SUFFIXES)}", got=str(path), remedy=remedy))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            expected("a readable mesh file", got=f"{path}: {error.strerror}", remedy="check its permissions")
        ) from None
    if not data:
        raise InputError(expected("a mesh file", got=f"{path}: an empty file", remedy="copy or save it again"))
    tree: dict[str, Any] | None = None
    if suffix in (".glb", ".gltf"):
        data, tree = prepared(data, path)
    files = Folder(path)
    try:
        import trimesh

        scene = trimesh.load(
            io.BytesIO(data), file_type=suffix[1:], resolver=cast(Any, files), force="scene", process=False
        )
    except SceneMakerError:
        raise
    except Exception as error:  # whatever a damaged file makes the reader trip over
        files.refuse()
        why = "not what its name says" if isinstance(error, ImportError) else error or type(error).__name__
        got = f"{path}: {why}"
        raise InputError(expected("a whole mesh file", got=got, remedy="save it again as GLB")) from error
    files.refuse()
    mesh, notices = mesh_from_trimesh(scene, str(path), tree, linear=color_space == "linear")
    return mesh, (*notices, *(f"{name}, which it refers to, was not found" for name in files.missing))


def mesh_from_trimesh(
    source: Any, what: str, tree: dict[str, Any] | None = None, *, linear: bool = True
) -> tuple[Mesh, tuple[str, ...]]:
    """One mesh of a ``trimesh.Trimesh`` or ``trimesh.Scene``, and notices.

    Raises:
        InputError: Nothing in it is a mesh of some extent.
    """
    import trimesh

    scene = trimesh.Scene(source) if isinstance(source, trimesh.Trimesh) else source
    parts: list[Part] = []
    for node in sorted(scene.graph.nodes_geometry):
        S_file_part, name = scene.graph[node]
        geometry = scene.geometry[name]
        if not isinstance(geometry, trimesh.Trimesh) or not len(geometry.faces):
            continue
        vertices = transforms.apply(S_file_part, geometry.vertices)
        faces = np.asarray(geometry.faces, np.int64)
        if faces.min() < 0 or faces.max() >= len(vertices):
            got = f"{what}: face indices {faces.min()}..{faces.max()} of {len(vertices)} vertices"
            raise InputError(expected("a mesh with faces on its vertices", got=got, remedy="repair the mesh"))
        if np.linalg.det(S_file_part[:3, :3]) < 0:
            faces = faces[:, ::-1]  # a mirrored part would be inside out
        if tree is not None:
            parts.append(gltf_part(geometry, vertices, faces, tree, linear=linear))
        else:
            parts.append(_part(geometry, vertices, faces))
    if not parts:
        raise InputError(expected("a mesh with faces", got=f"{what}: none", remedy="save its surface, not its points"))
    used = np.concatenate([p.vertices[np.unique(p.faces)] for p in parts])
    if not np.isfinite(used).all():
        raise InputError(expected("finite vertices", got=f"{what}: NaN or infinity", remedy="repair the mesh"))
    if not np.ptp(used, axis=0).max() > 0:
        got = f"{what}: all vertices in one point"
        raise InputError(expected("a mesh with an extent", got=got, remedy="check the file"))
    return join(parts)


def _part(geometry: Any, vertices: Any, faces: Any) -> Part:
    """A part of a format without the conventions of glTF: uv from below, colours in sRGB."""
    visual = geometry.visual
    if visual.kind == "texture" and visual.material is not None:
        material = visual.material
        image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
        uv = None if visual.uv is None else np.asarray(visual.uv, np.float64) * [1, -1] + [0, 1]
        texture = notice = None
        if image is not None and uv is not None:
            texture, notice = texture_pixels(image, "RGB")
        color = np.asarray(material.main_color, np.uint8).reshape(-1)[:4]
        return Part(vertices=vertices, faces=faces, uv=uv, texture=texture, color=color, notice=notice)
    if visual.kind == "face":
        colors = np.repeat(np.asarray(visual.face_colors, np.uint8), 3, axis=0)
        flat = np.arange(len(faces) * 3).reshape(-1, 3)
        return Part(vertices=vertices[faces.reshape(-1)], faces=flat, colors=colors)
    colors = np.asarray(visual.vertex_colors, np.uint8) if visual.kind == "vertex" else None
    return Part(vertices=vertices, faces=faces, colors=colors)


class Folder:
    """Gives trimesh the files beside a mesh file, and none from elsewhere.

    Attributes:
        missing: Names that were asked for and do not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file_name = path.name
        self.missing: list[str] = []
        self._outside: list[str] = []

    def get(self, name: str) -> bytes:
        """The bytes of a file in the folder.

        Raises:
            FileNotFoundError: It is not there, or lies elsewhere.
        """
        name = str(name).strip()
        folder = self.path.parent.resolve()
        target = (folder / name.replace("\\", "/")).resolve()
        if "://" in name or not target.is_relative_to(folder):
            self._outside.append(name)
            raise FileNotFoundError(name)
        if not target.is_file():
            self.missing.append(name)
            raise FileNotFoundError(f"{name}: no such file")
        return target.read_bytes()

    def __getitem__(self, name: str) -> bytes:
        return self.get(name)

    def refuse(self) -> None:
        """Raises when something outside of the folder was asked for.

        Raises:
            InputError: Names the file and what it refers to.
        """
        if self._outside:
            got = f"{self.path} that refers to {self._outside[0]}"
            remedy = "put everything into one folder, or save it as GLB"
            raise InputError(expected("a mesh file that stays in its folder", got=got, remedy=remedy))
