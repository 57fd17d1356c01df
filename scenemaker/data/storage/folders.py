"""Samples as scene folders: ``ROOT/000123/05`` is view 5 of scene 123, a whole scene folder by itself.

Meshes and points of a scene are hard links in the folders of its views, so that twenty views take the room of one.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenemaker.artefacts import read_json, safe_name
from scenemaker.cache import output_errors, sweep, temporary_prefix
from scenemaker.data.storage.codec import points_files, sample_from_files, view_files
from scenemaker.data.types import SceneSample
from scenemaker.errors import InputError, expected
from scenemaker.export.glb import write_object_glb
from scenemaker.geometry.mesh import Mesh

NAMES = ("rgb.png", "labels.png", "depth.npy", "amodal.npz", "normals.npz", "points.npz", "scene.json")


class FolderWriter:
    """Writes items (scenes, triplets, ...) as folders ``ROOT/000123``; one that exists is whole."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with output_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            sweep(root)

    def has(self, index: int) -> bool:
        """Whether item ``index`` was written before."""
        return (self.root / f"{index:06d}").is_dir()

    def write_scene(self, index: int, samples: Sequence[SceneSample], meshes: Sequence[Mesh]) -> None:
        """Writes the views of one scene, each a whole scene folder.

        Raises:
            OutputError: The folder cannot be written or the disk is full.
        """
        names = [f"objects/{i:02d}_{safe_name(n)}.glb" for i, n in enumerate(samples[0].names, start=1)]
        shared = {name: object_glb_bytes(mesh, Path(name).stem) for name, mesh in zip(names, meshes, strict=True)}
        shared |= points_files(samples[0])
        files: dict[str, bytes] = {}
        for view, sample in enumerate(samples):
            own = {**shared, **view_files(sample, names)}
            files |= {f"{view:02d}/{name}": data for name, data in own.items()}
        self.write_files(index, files)

    def write_files(self, index: int, files: Mapping[str, bytes]) -> None:
        """Writes the files of one item, by rename; names that share one ``bytes`` object share one file on the disk.

        Raises:
            OutputError: The folder cannot be written or the disk is full.
        """
        with output_errors(self.root):
            temporary = Path(tempfile.mkdtemp(dir=self.root, prefix=temporary_prefix()))
            try:
                written: dict[int, Path] = {}
                for name, data in files.items():
                    target = temporary / "new" / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    if id(data) in written:
                        _link(written[id(data)], target)
                    else:
                        target.write_bytes(data)
                        written[id(data)] = target
                try:
                    (temporary / "new").replace(self.root / f"{index:06d}")
                except OSError as error:
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise  # else it is there and whole: it was made again after its process died
            finally:
                shutil.rmtree(temporary, ignore_errors=True)

    def collect(self, index: int) -> None:
        """Nothing is left to do once an item is written."""

    def finish(self) -> None:
        """Nothing is left to do."""


def object_glb_bytes(mesh: Mesh, name: str) -> bytes:
    """A mesh as a GLB file."""
    out = io.BytesIO()
    write_object_glb(out, mesh, name=name)
    return out.getvalue()


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
