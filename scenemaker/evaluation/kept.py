"""Results that are kept, each under a key of everything that changes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from scenemaker.artefacts import read_json
from scenemaker.cache import digest, package_digest, write_atomic
from scenemaker.errors import CacheError, InputError
from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.scene_files import meshes_in

READ = ("scene.json", "labels.png", "depth.npy", "amodal.npz", "rgb.png")  # of a scene folder, with its meshes


def key_of(name: str, settings: Any, *scenes: Path | None) -> str | None:
    """What changes a result: this library's code, the settings, and the files of both sides, by their bytes.

    None where a file cannot be read: what is wrong with the scene is then told by reading it.
    """
    try:
        files = [None if s is None else [(f.name, f) for f in files_read(s)] for s in scenes]
        return digest([package_digest(), name, settings, files])
    except (CacheError, InputError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def files_read(scene: Path) -> Iterator[Path]:
    """The files of a scene that an evaluation reads, in order."""
    if scene.is_file():
        yield from _with_parts(scene)
    elif (scene / "scene.json").is_file():
        yield from (scene / name for name in READ if (scene / name).is_file())
        yield from (scene / o["mesh"] for o in read_json(scene / "scene.json")["objects"] if o["mesh"])
    else:
        for file in meshes_in(scene):
            yield from _with_parts(file)


def _with_parts(file: Path) -> Iterator[Path]:
    """A GLB, or a glTF file with the buffers and textures beside it."""
    yield file
    if file.suffix.lower() == ".gltf":
        tree = json.loads(file.read_text("utf-8"))
        for part in (*tree.get("buffers", ()), *tree.get("images", ())):
            uri = part.get("uri", "")
            if uri and not uri.startswith("data:"):
                yield file.parent / unquote(uri)


def kept_result(file: Path, key: str | None) -> SceneResult | None:
    """The stored result when it is of this key and whole."""
    if key is None:
        return None
    try:
        data = read_json(file)
        return SceneResult.from_dict(data["result"]) if data["key"] == key else None
    except (InputError, OSError, KeyError, TypeError, ValueError):
        return None


def keep_result(file: Path, key: str, result: SceneResult) -> None:
    """Stores a result, atomically."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, json.dumps({"key": key, "result": result.to_dict()}))
