"""Objects from any folder of mesh files: shared assets, a download of Objaverse, the user's own.

Opening a folder looks at every file once and says what cannot be used, and why: later there is no surprise, and no
scene with a hole. What was found is kept in a scan file, so that the folder opens at once the next time.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from scenemaker.data.objects.curation import Curation
from scenemaker.data.objects.scan import Progress, Scan, Skip, keyed, mesh_files
from scenemaker.data.types import DataObject
from scenemaker.errors import InputError, expected
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.inputs.mesh_files import SUFFIXES, ColorSpace, read_mesh

LABELS = "labels.json"


class FolderSource:
    """An ``ObjectSource`` over the GLB, glTF, OBJ, PLY and STL files in a folder and below, symlinks followed.

    The key of an object is its path in the folder without the suffix; where two files differ only in their suffix
    both keep it. A ``labels.json`` in the folder, ``{key or last part of a key: label}``, names the objects.

    Attributes:
        folder: The folder.
        name: Of the source.
        keys: Of the objects, sorted.
        skipped: Every file that was looked at and gives none.
        left_out: Files that ``include``, ``exclude`` or ``keys_file`` left out.
    """

    def __init__(
        self,
        folder: str | Path,
        curation: Curation | None = None,
        *,
        color_space: ColorSpace = "linear",
        cache_dir: str | Path | None = None,
        name: str = "folder",
        progress: Progress | None = None,
        workers: int = 1,
        memory_bytes: int = 256 << 20,
    ) -> None:
        """Looks at every file.

        Args:
            folder: The folder.
            curation: Which of its files are wanted.
            color_space: Of glTF's COLOR_0, as in ``load_mesh``.
            cache_dir: Where the scan file lies; none looks at every file each time. A file counts as unchanged while
                its size and time are.
            name: Of the source.
            progress: Called with the number of files looked at and of all.
            workers: Processes that look at files.
            memory_bytes: Meshes that were read last are kept up to this size.

        Raises:
            InputError: No such folder, or nothing usable in it; the text says what was found.
        """
        self.folder, self.name = Path(folder), name
        self.color_space: ColorSpace = color_space
        self.curation = curation or Curation()
        if not self.folder.is_dir():
            kind = "a file" if self.folder.is_file() else "no such folder"
            raise InputError(expected("a folder of mesh files", got=f"{folder}: {kind}", remedy="check the path"))
        closed: list[Skip] = []
        files = keyed(sorted(mesh_files(self.folder, closed)))
        chosen, missing = self.curation.chosen(list(files))
        self.left_out = len(files) - len(chosen)
        scan = Scan(self.folder, color_space, None if cache_dir is None else Path(cache_dir))
        facts = scan.facts([files[key] for key in chosen], workers, progress)
        self._files: dict[str, str] = {}
        skipped = closed
        for line in missing:
            skipped.append(Skip(file=line, reason="not in the folder", detail=f"{line}: no such key in {folder}"))
        for key in chosen:
            found = facts[files[key]]
            reason = self.curation.reason(found)
            if reason is None:
                self._files[key] = files[key]
            else:
                detail = found.detail or f"{self.folder / files[key]}: {reason} ({found.faces} faces)"
                skipped.append(Skip(file=files[key], reason=reason, detail=detail))
        self.keys = tuple(sorted(self._files))
        self.skipped = tuple(skipped)
        self._labels = _labels(self.folder / LABELS)
        self._kept: OrderedDict[str, DataObject] = OrderedDict()
        self._kept_bytes, self._memory_bytes = 0, memory_bytes
        if not self.keys:
            self._refuse(len(chosen))

    def _refuse(self, looked_at: int) -> None:
        common = ", ".join(f"{count} x {reason}" for reason, count in list(self.counts.items())[:3])
        got = f"{self.folder}: {looked_at} mesh files looked at"
        got += f", none usable: {common}" if common else ""
        got += f", {self.left_out} left out by include, exclude or keys_file" if self.left_out else ""
        remedy = f"give a folder of {', '.join(SUFFIXES)}, or relax the curation"
        raise InputError(expected("a folder with usable meshes", got=got, remedy=remedy))

    @property
    def counts(self) -> dict[str, int]:
        """How many files were skipped for each reason, the commonest first."""
        counts = Counter(skip.reason for skip in self.skipped)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def __len__(self) -> int:
        return len(self.keys)

    def draw(self, rng: np.random.Generator) -> str:
        """The key of a random object, each as likely."""
        return self.keys[int(rng.integers(len(self.keys)))]

    def get(self, key: str) -> DataObject:
        """The object of a key, read from its file unless it was just read.

        Raises:
            InputError: No such key, or its file cannot be read any more; the text names it.
        """
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        mesh, notices = read_mesh(self.file(key), self.color_space)
        mesh, _ = normalise(mesh)
        label = self._labels.get(key, self._labels.get(key.rpartition("/")[2]))
        found = DataObject(key=key, mesh=mesh, label=label, source=self.name, notices=notices)
        self._keep(found)
        return found

    def file(self, key: str) -> Path:
        """The file of an object.

        Raises:
            InputError: No such key.
        """
        if key not in self._files:
            got = f"{key!r}, which is none of its {len(self.keys)}"
            raise InputError(expected(f"the key of an object in {self.folder}", got=got, remedy="see .keys"))
        return self.folder / self._files[key]

    def _keep(self, found: DataObject) -> None:
        self._kept[found.key] = found
        self._kept_bytes += _bytes(found.mesh)
        while self._kept_bytes > self._memory_bytes:
            self._kept_bytes -= _bytes(self._kept.popitem(last=False)[1].mesh)

    def __getstate__(self) -> dict[str, Any]:
        """Meshes in memory do not travel to worker processes."""
        return {**self.__dict__, "_kept": OrderedDict(), "_kept_bytes": 0}


def _labels(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        labels = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(expected("JSON {key: label}", got=f"{path}: {error}", remedy="mend or remove it")) from None
    if not isinstance(labels, dict) or not all(isinstance(label, str) for label in labels.values()):
        raise InputError(expected("JSON {key: label}", got=f"{path}: other content", remedy="mend or remove it"))
    return labels


def _bytes(mesh: Mesh) -> int:
    arrays = (mesh.vertices, mesh.faces, mesh.uv, mesh.texture, mesh.colors)
    return sum(a.nbytes for a in arrays if a is not None)
