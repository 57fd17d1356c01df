"""What identifies the user's inputs by content, so that the cache can find what was made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenemaker.errors import InputError, expected
from scenemaker.inputs.picture import open_picture


def photo_key(source: Any, K: Any) -> Any:
    """Plain data, paths and arrays that stand for a photo (path, bytes, PIL image, array, ``Photo``) and its K."""
    if isinstance(source, (str, Path)) and not Path(source).is_file():
        open_picture(source, None)  # says what is wrong with it
    return {"photo": content(source), "name": _name(source), "K": content(K)}


def meshes_key(meshes: Any) -> Any:
    """The same for ``meshes=``: a folder, a list, or a dict of paths, meshes or trimesh meshes."""
    return content(meshes)


def _name(source: Any) -> str | None:
    return Path(source).stem if isinstance(source, (str, Path)) else None


def content(value: Any) -> Any:
    """Plain data, paths and arrays that stand for one input."""
    if isinstance(value, (str, Path)):
        path = Path(value)
        if path.is_dir():
            return {p.name: content(p) for p in sorted(path.iterdir()) if p.is_file()}
        if path.suffix.lower() in (".obj", ".gltf", ".ply"):  # refer to other files, which count as well
            from scenemaker.inputs.meshes import as_mesh

            return as_mesh(path)
        if path.exists():
            return path
        if isinstance(value, Path):
            raise InputError(expected("a file", got=f"{path}: not found", remedy="check the path"))
        return value
    if isinstance(value, Mapping):
        return {str(k): content(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [content(v) for v in value]
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if value is None or isinstance(value, (bytes, int, float, np.ndarray, np.generic)) or is_dataclass(value):
        return value
    if hasattr(value, "tobytes") and hasattr(value, "mode"):  # a PIL image
        info = {k: value.info.get(k) for k in ("exif", "icc_profile", "transparency")}
        palette = value.getpalette() if value.mode in ("P", "PA") else None
        return [value.mode, list(value.size), value.tobytes(), info, palette]
    if (hasattr(value, "vertices") and hasattr(value, "faces")) or hasattr(value, "graph"):  # of trimesh
        from scenemaker.inputs.meshes import as_mesh

        return as_mesh(value)
    kind = type(value).__name__
    raise InputError(
        expected("a path, bytes, a PIL image, an array or a mesh", got=kind, remedy="see ScenePipeline.run")
    )
