"""Which files of a folder become objects: what is measured on each file, and the rules that decide on it.

Facts are measured once per file and remembered; the rules are cheap, so that changing one reads no mesh again.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.errors import InputError, expected
from scenemaker.geometry.mesh import Mesh, normalise, sample_surface
from scenemaker.geometry.raycast import surface_colours
from scenemaker.inputs.mesh_files import ColorSpace, Folder, read_mesh
from scenemaker.inputs.mesh_gltf import prepared

_PROBES = 2048  # surface points whose colour is looked at


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What was found in one file.

    Attributes:
        problem: Why it is no mesh that can be used, in a few words, or None; the rest is then unknown.
        detail: The whole message; it names the file.
        faces: Triangles.
        thinness: Thickness across the flattest direction over the longest side of the box; 0 is a flat sheet.
        material: Some face has a material.
        transparent: Some material is see-through: glTF's BLEND or transmission, MTL's d or Tr, alpha in PLY colours.
        textured: It has a texture that could be read (an albedo map).
        albedo: Mean sRGB luma of its surface, in [0, 1].
        albedo_spread: Largest standard deviation of a colour channel over its surface, in [0, 1]; 0 is one colour.
    """

    problem: str | None = None
    detail: str = ""
    faces: int = 0
    thinness: float = 0.0
    material: bool = False
    transparent: bool = False
    textured: bool = False
    albedo: float = 0.0
    albedo_spread: float = 0.0


class Curation(BaseModel, frozen=True, extra="forbid"):
    """Rules for the files of a folder. As they stand they ask for sound geometry and nothing of the material.

    Reference: arXiv 2512.10957, section 3.3.2 (transparent, no BSDF, no albedo map, pure or excessively dark albedo);
    HiScene, appendix B.1 (overly simple geometry, missing textures). The numbers in ``paper`` are ours: they give none.
    """

    min_faces: int = Field(default=1, ge=1, description="Meshes of fewer triangles are skipped.")
    max_faces: int = Field(default=1_000_000, ge=1, description="Meshes of more triangles are skipped.")
    min_thinness: float = Field(
        default=1e-3, ge=0, le=1, description="Least thickness over longest side; below it a mesh counts as flat."
    )
    allow_flat: bool = Field(default=False, description="Keep flat meshes.")
    opaque_only: bool = Field(default=False, description="Skip meshes with a transparent material.")
    need_material: bool = Field(default=False, description="Skip meshes without any material.")
    need_albedo_map: bool = Field(default=False, description="Skip meshes without a texture.")
    min_albedo: float = Field(default=0.0, ge=0, le=1, description="Least mean sRGB luma of the surface; 0 is off.")
    min_albedo_spread: float = Field(
        default=0.0, ge=0, le=1, description="Least standard deviation of the surface colour; 0 is off."
    )
    include: tuple[str, ...] = Field(default=(), description="Glob patterns of keys to take; none takes all.")
    exclude: tuple[str, ...] = Field(default=(), description="Glob patterns of keys to leave out.")
    keys_file: Path | None = Field(
        default=None, description="Text file with one key, or last part of a key, per line: only these are taken."
    )

    @classmethod
    def paper(cls, **changes: Any) -> Curation:
        """The curation that SceneMaker and HiScene describe, for textured collections such as Objaverse."""
        rules: dict[str, Any] = {
            "min_faces": 100,
            "opaque_only": True,
            "need_material": True,
            "need_albedo_map": True,
            "min_albedo": 0.08,
            "min_albedo_spread": 0.02,
        }
        return cls(**{**rules, **changes})

    def reason(self, facts: FileFacts) -> str | None:
        """Why a file is skipped, in a few words, or None."""
        if facts.problem is not None:
            return facts.problem
        rules = (
            (facts.faces > self.max_faces, f"more than {self.max_faces} faces"),
            (facts.faces < self.min_faces, f"fewer than {self.min_faces} faces"),
            (facts.thinness < self.min_thinness and not self.allow_flat, "flat"),
            (self.opaque_only and facts.transparent, "transparent"),
            (self.need_material and not facts.material, "no material"),
            (self.need_albedo_map and not facts.textured, "no albedo map"),
            (facts.albedo < self.min_albedo, "dark albedo"),
            (facts.albedo_spread < self.min_albedo_spread, "albedo of one colour"),
        )
        return next((reason for broken, reason in rules if broken), None)

    def chosen(self, keys: list[str]) -> tuple[list[str], list[str]]:
        """The keys to look at, and the lines of ``keys_file`` that are no key.

        Raises:
            InputError: ``keys_file`` cannot be read.
        """
        missing: list[str] = []
        if self.keys_file is not None:
            try:
                lines = self.keys_file.read_text("utf-8").split("\n")
            except (OSError, UnicodeDecodeError) as error:
                got = f"{self.keys_file}: {error}"
                raise InputError(expected("a text file of keys", got=got, remedy="give one key per line")) from None
            wanted = {line.strip() for line in lines} - {""}
            found = {key: wanted & {key, key.rpartition("/")[2]} for key in keys}
            missing = sorted(wanted - set[str]().union(*found.values()))
            keys = [key for key in keys if found[key]]
        return [key for key in keys if self._patterns(key)], missing

    def _patterns(self, key: str) -> bool:
        wanted = not self.include or any(fnmatch.fnmatchcase(key, p) for p in self.include)
        return wanted and not any(fnmatch.fnmatchcase(key, p) for p in self.exclude)


def examine(path: Path, color_space: ColorSpace) -> FileFacts:
    """Reads a file and measures it; whatever is wrong with the file is part of the answer."""
    try:
        mesh, _ = read_mesh(path, color_space)
        mesh, _ = normalise(mesh)
        points, face = sample_surface(mesh, _PROBES)
        material, transparent = _material(path, mesh)
    except InputError as error:
        text = str(error)
        what = text.removeprefix("expected ").partition(";")[0]
        return FileFacts(problem=f"not {what}", detail=text if str(path) in text else f"{path}: {text}")
    except Exception as error:  # whatever a damaged file makes a reader trip over: the other files go on
        return FileFacts(problem="cannot be read", detail=f"{path}: {type(error).__name__}: {error}")
    bary = np.full((len(face), 2), 1 / 3, np.float32) if mesh.texture is None else _weights(mesh, points, face)
    rgb = surface_colours(mesh, face.astype(np.int32), bary) / 255.0
    return FileFacts(
        faces=len(mesh.faces),
        thinness=_thinness(mesh),
        material=material,
        transparent=transparent,
        textured=mesh.texture is not None,
        albedo=round(float((rgb @ [0.2126, 0.7152, 0.0722]).mean()), 6),
        albedo_spread=round(float(rgb.std(0).max()), 6),
    )


def _weights(mesh: Mesh, points: Any, face: Any) -> Any:
    """(n, 2) float32 weights of the second and third corner of points on faces."""
    a, b, c = np.moveaxis(mesh.triangles[face], 1, 0)
    u, v, p = b - a, c - a, points - a
    uu, uv, vv, pu, pv = (np.einsum("ij,ij->i", x, y) for x, y in ((u, u), (u, v), (v, v), (p, u), (p, v)))
    area = np.maximum(uu * vv - uv * uv, 1e-30)
    return (np.stack([vv * pu - uv * pv, uu * pv - uv * pu], 1) / area[:, None]).clip(0, 1).astype(np.float32)


def _thinness(mesh: Mesh) -> float:
    """Extent of the vertices along the direction in which they spread least, over the longest side."""
    v = mesh.vertices.astype(np.float64)
    v = v[np.unique(mesh.faces)]
    direction = np.linalg.eigh(np.cov(v.T))[1][:, 0]
    return float(np.ptp(v @ direction) / mesh.extents.max())


def _material(path: Path, mesh: Mesh) -> tuple[bool, bool]:
    """Whether some face has a material, and whether one is transparent, as the file says."""
    suffix = path.suffix.lower()
    if suffix in (".glb", ".gltf"):
        tree = prepared(path.read_bytes(), path)[1]
        primitives = [p for m in tree.get("meshes", []) for p in m.get("primitives", [])]
        used = [tree["materials"][i] for i in sorted({p["material"] for p in primitives if "material" in p})]
        return bool(used), any(_see_through(material) for material in used)
    if suffix == ".obj":
        return _mtl(path)
    alpha = mesh.colors is not None and mesh.colors.shape[1] == 4
    return mesh.texture is not None, alpha


def _see_through(material: dict[str, Any]) -> bool:
    transmission = material.get("extensions", {}).get("KHR_materials_transmission", {})
    return material.get("alphaMode") == "BLEND" or transmission.get("transmissionFactor", 0) > 0


def _mtl(path: Path) -> tuple[bool, bool]:
    """As ``_material``, of an OBJ file and the MTL files beside it."""
    files, names = Folder(path), []
    used = False
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            word, _, rest = line.strip().partition(" ")
            names += [rest.strip()] if word == "mtllib" else []
            used = used or word == "usemtl"
    words: list[list[str]] = []
    for name in names:
        try:
            words += [line.split() for line in files.get(name).decode("utf-8", "replace").splitlines()]
        except FileNotFoundError:
            continue
    opacity = [float(w[-1]) for w in words if len(w) > 1 and w[0] == "d" and _number(w[-1])]
    opacity += [1 - float(w[-1]) for w in words if len(w) > 1 and w[0] == "Tr" and _number(w[-1])]
    defined = any(w and w[0] == "newmtl" for w in words)
    return used and defined, any(value < 1 for value in opacity)


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
