"""Samples as scene folders: ``ROOT/000123/05`` is view 5 of scene 123, a whole scene folder by itself.

Meshes and points of a scene are hard links in the folders of its views, so that twenty views take the room of one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scenemaker.artefacts import read_json, safe_name
from scenemaker.cache import output_errors, sweep, temporary_prefix
from scenemaker.data.storage.codec import sample_files, sample_from_files
from scenemaker.data.types import SceneSample
from scenemaker.errors import InputError, expected
from scenemaker.export.glb import write_object_glb
from scenemaker.geometry.mesh import Mesh

NAMES = ("rgb.png", "labels.png", "depth.npy", "amodal.npz", "normals.npz", "points.npz", "scene.json")


class FolderWriter:
    """Writes scenes as folders; a scene folder that exists is whole."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with output_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            sweep(root)

    def has(self, index: int) -> bool:
        """Whether scene ``index`` was written before."""
        return (self.root / f"{index:06d}").is_dir()

    def write(self, index: int, samples: Sequence[SceneSample], meshes: Sequence[Mesh]) -> None:
        """Writes the views of one scene, by rename.

        Raises:
            OutputError: The folder cannot be written or the disk is full.
        """
        with output_errors(self.root):
            temporary = Path(tempfile.mkdtemp(dir=self.root, prefix=temporary_prefix()))
            try:
                for view, sample in enumerate(samples):
                    _write_view(temporary / "new" / f"{view:02d}", sample, meshes, temporary / "new" / "00")
                (temporary / "new").replace(self.root / f"{index:06d}")
            finally:
                shutil.rmtree(temporary, ignore_errors=True)

    def finish(self) -> None:
        """Nothing is left to do."""


def _write_view(folder: Path, sample: SceneSample, meshes: Sequence[Mesh], first: Path) -> None:
    """One view; what it shares with the first view is linked to it."""
    names = [f"objects/{i:02d}_{safe_name(n)}.glb" for i, n in enumerate(sample.names, start=1)]
    (folder / "objects").mkdir(parents=True)
    for name, mesh in zip(names, meshes, strict=True):
        if folder == first:
            write_object_glb(folder / name, mesh, name=Path(name).stem)
        else:
            _link(first / name, folder / name)
    for name, data in sample_files(sample, names).items():
        if name == "points.npz" and folder != first:
            _link(first / name, folder / name)
        else:
            (folder / name).write_bytes(data)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def scene_folders(root: Path) -> list[Path]:
    """All scene folders under ``root``, in order; ``root`` itself when it is one.

    Raises:
        InputError: There is none.
    """
    if (root / "scene.json").is_file():
        return [root]
    found = sorted(p.parent for p in root.glob("**/scene.json") if not any(q.startswith(".") for q in p.parts))
    if not found:
        got = str(root) if root.exists() else f"{root}: no such folder"
        remedy = "make some: scenemaker data scenes -o OUT"
        raise InputError(expected("a folder of scene folders", got=got, remedy=remedy))
    return found


def read_sample(folder: Path) -> SceneSample:
    """The sample of a scene folder.

    Raises:
        InputError: No scene folder, or a damaged file.
    """
    files = {name: (folder / name).read_bytes() for name in NAMES if (folder / name).is_file()}
    sample = sample_from_files(files, str(folder))
    if sample.key:
        return sample
    object.__setattr__(sample, "key", f"{folder.parent.name}/{folder.name}")
    return sample


def read_info(folders: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """``scene.json`` of every folder: what statistics need, without the pictures."""
    for folder in folders:
        yield read_json(folder / "scene.json")
