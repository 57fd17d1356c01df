"""Prepared objects on disk: one file per geometry, and a whole folder of them with its report.

An object's file is found by the content of its mesh, so that copies share one, moved folders keep theirs, and a
prepared folder resumes wherever it was stopped.
"""

from __future__ import annotations

import io
import json
import logging
import zipfile
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scenemaker.cache import digest, sweep, write_atomic
from scenemaker.data.objects.closedness import Closedness
from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.objects.prepare import (
    PrepareConfig,
    PreparedObject,
    from_grid,
    geometry_digest,
    prepare,
    to_grid,
)
from scenemaker.data.objects.report import ObjectRow, ObjectsReport, write_report
from scenemaker.data.objects.scan import Progress, Skip
from scenemaker.data.types import DataObject
from scenemaker.errors import SceneMakerError, needs
from scenemaker.parallel import each
from scenemaker.scene import F32

log = logging.getLogger(__name__)
NUMBERS = 1  # raised when ``prepare`` gives others


class PreparedObjects:
    """A folder of prepared objects that several processes may share; equal geometry is prepared once.

    A file holds positions in 16-bit steps of 2e-5, normals and distances in half precision and occupancy in bits:
    what ``prepare`` gives is already rounded to that, so that it reads back bit for bit.
    """

    def __init__(self, folder: str | Path, config: PrepareConfig | None = None, *, seed: int = 0) -> None:
        self.folder, self.config, self.seed = Path(folder), config or PrepareConfig(), seed

    def path(self, obj: DataObject) -> Path:
        """Where the file of an object lies, whether it exists or not."""
        name = digest([NUMBERS, self.config, self.seed, geometry_digest(obj.mesh)])
        return self.folder / name[:2] / f"{name[:32]}.npz"

    def get(self, obj: DataObject) -> PreparedObject:
        """The prepared object, from its file if there is one.

        Raises:
            InputError: The mesh is not in ``obj``, or has no area.
            OutputError: The folder cannot be written or the disk is full.
        """
        path = self.path(obj)
        found = _read(path, obj.key)
        if found is None:
            found = prepare(obj, self.config, self.seed)
            write_atomic(path, _packed(found))
        return found

    def surface(self, obj: DataObject) -> F32:
        """(P, 6) float32 surface points and normals of an object in ``obj``; reads no more than these."""
        try:
            with self.path(obj).open("rb") as file, np.load(file) as data:
                return _joined(data, "surface")
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return self.get(obj).surface_obj


def _packed(found: PreparedObject) -> bytes:
    facts = {"closedness": asdict(found.closedness)}
    facts |= {name: getattr(found, name) for name in ("agreement", "buried", "sheets", "turned")}
    arrays: dict[str, Any] = {
        "samples": to_grid(found.points_obj),
        "distance": found.distance.astype(np.float16),
        "inside": np.packbits(found.inside),
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
    }
    for name, rows in (("surface", found.surface_obj), ("edges", found.edges_obj)):
        arrays |= {name: to_grid(rows[:, :3]), f"{name}_normals": rows[:, 3:].astype(np.float16)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _joined(data: Any, name: str) -> F32:
    return np.concatenate([from_grid(data[name]), data[f"{name}_normals"].astype(np.float32)], 1)


def _read(path: Path, key: str) -> PreparedObject | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file) as data:
            facts = json.loads(data["facts"].tobytes())
            points = from_grid(data["samples"])
            return PreparedObject(
                key=key,
                surface_obj=_joined(data, "surface"),
                edges_obj=_joined(data, "edges"),
                points_obj=points,
                distance=data["distance"].astype(np.float32),
                inside=np.unpackbits(data["inside"], count=len(points)).astype(bool),
                **{**facts, "closedness": Closedness(**facts["closedness"])},
            )
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        log.warning("a damaged file is made anew: %s", path)
        return None


def prepare_folder(
    source: FolderSource,
    out: str | Path,
    config: PrepareConfig | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    seed: int = 0,
) -> ObjectsReport:
    """Prepares every object of a source: ``out/prepared/``, ``out/objects.json`` and ``out/objects.md``.

    The same call goes on where one that was stopped left off; the files do not depend on the number of workers.

    Args:
        source: The objects.
        out: The folder to write.
        config: How many points of each kind.
        workers: Processes.
        progress: Called with the number of objects done and of all.
        seed: Of all points.

    Raises:
        OutputError: The folder cannot be written or the disk is full; what was prepared stays.
        BackendNotInstalledError: libigl is missing; the text gives the line to type.
    """
    needs("igl", "data")
    out = Path(out)
    store = PreparedObjects(out / "prepared", config, seed=seed)
    keys = source.keys
    rows: dict[str, ObjectRow] = {}
    skipped = list(source.skipped)
    if progress:
        progress(0, len(keys))
    for done, (i, found) in enumerate(each(partial(_row, source, store), keys, workers), 1):
        if isinstance(found, ObjectRow):
            rows[keys[i]] = found
        else:
            file = source.file(keys[i])
            detail = found or f"{file}: the process that prepared it died (out of memory?)"
            skipped.append(Skip(file=file.relative_to(source.folder).as_posix(), reason="not prepared", detail=detail))
        if progress:
            progress(done, len(keys))
    report = ObjectsReport(
        source=source.name,
        objects=tuple(rows[key] for key in keys if key in rows),
        skipped=tuple(sorted(skipped, key=lambda skip: skip.file)),
        left_out=source.left_out,
        config=store.config,
    )
    for folder in (store.folder, *store.folder.glob("??")):
        sweep(folder)
    write_report(report, out)
    return report


def _row(source: FolderSource, store: PreparedObjects, key: str) -> ObjectRow | str:
    """The row of an object, or what is wrong with it."""
    try:
        obj = source.get(key)
        found = store.get(obj)
    except SceneMakerError as error:
        if isinstance(error, OSError):  # the folder is at fault, not the object
            raise
        text, file = str(error), str(source.file(key))
        return text if file in text else f"{file}: {text}"
    return ObjectRow(
        key=key,
        label=obj.label,
        file=store.path(obj).relative_to(store.folder.parent).as_posix(),
        extents=tuple(round(float(x), 6) for x in obj.mesh.extents),
        notices=obj.notices,
        closedness=found.closedness,
        agreement=found.agreement,
        buried=found.buried,
        sheets=found.sheets,
        turned=found.turned,
    )
