"""What lies in a folder of mesh files: the files, their keys, and what was found in each, remembered between runs."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from scenemaker.cache import digest, write_atomic
from scenemaker.data.objects.curation import FileFacts, examine
from scenemaker.errors import OutputError
from scenemaker.inputs.mesh_files import SUFFIXES, ColorSpace
from scenemaker.parallel import each

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
SCAN_VERSION = 1
_SAVE_EVERY_S = 20.0  # a killed scan loses no more than this


@dataclass(frozen=True, kw_only=True)
class Skip:
    """A file that gives no object.

    Attributes:
        file: Relative to the folder.
        reason: In a few words, to be counted.
        detail: All that is known; it names the file.
    """

    file: str
    reason: str
    detail: str


class Scan:
    """The facts of the files of one folder, remembered by path, size and time; what failed is tried again."""

    def __init__(self, folder: Path, color_space: ColorSpace, cache_dir: Path | None) -> None:
        self.folder = folder
        self.color_space: ColorSpace = color_space
        name = digest([SCAN_VERSION, folder.resolve().as_posix(), color_space])
        self.path = None if cache_dir is None else cache_dir / "objects" / f"scan-{name[:32]}.json"
        self.rows: dict[str, dict[str, Any]] = self._load()

    def facts(self, files: list[str], workers: int, progress: Progress | None) -> dict[str, FileFacts]:
        """The facts of each of the files; only those that are new or have changed are read."""
        stamps = {file: _stamp(self.folder / file) for file in files}
        new = [file for file in files if file not in self.rows or self.rows[file]["stamp"] != stamps[file]]
        done, saved = len(files) - len(new), time.monotonic()
        if progress:
            progress(done, len(files))
        look = partial(examine, color_space=self.color_space)
        for i, found in each(look, [self.folder / file for file in new], workers):
            died = f"{self.folder / new[i]}: the process that read it died (out of memory?)"
            found = found or FileFacts(problem="ended the process that read it", detail=died)
            self.rows[new[i]] = {"stamp": stamps[new[i]], **asdict(found)}
            done += 1
            if progress:
                progress(done, len(files))
            if time.monotonic() - saved > _SAVE_EVERY_S:
                self._save()
                saved = time.monotonic()
        if new:
            self._save()
        names = [f.name for f in fields(FileFacts)]
        return {file: FileFacts(**{name: self.rows[file][name] for name in names}) for file in files}

    def _load(self) -> dict[str, dict[str, Any]]:
        if self.path is None or not self.path.is_file():
            return {}
        try:
            rows = json.loads(self.path.read_text("utf-8"))["files"]
            names = {"stamp", *(f.name for f in fields(FileFacts))}
            return {file: row for file, row in rows.items() if set(row) == names}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            log.warning("a damaged scan file is made anew: %s", self.path)
            return {}

    def _save(self) -> None:
        if self.path is not None:
            sound = {file: row for file, row in self.rows.items() if row["problem"] is None}
            text = json.dumps({"folder": str(self.folder), "files": sound}, sort_keys=True)
            try:
                write_atomic(self.path, text)
            except OutputError as error:  # a cache that cannot be written costs time, no result
                log.warning("the scan of %s is not kept: %s", self.folder, error)


def _stamp(path: Path) -> list[int] | None:
    """Size and time of a file; None for one that is not there (a dangling link)."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return [stat.st_size, stat.st_mtime_ns]


def mesh_files(folder: Path, closed: list[Skip]) -> Iterator[str]:
    """Paths relative to the folder, with links followed; a link to a folder above it is not.

    Folders that cannot be entered go to ``closed``.
    """

    def refuse(error: OSError) -> None:
        name = Path(error.filename).relative_to(folder).as_posix()
        detail = f"{error.filename}: {error.strerror}"
        closed.append(Skip(file=name, reason="a folder that cannot be entered", detail=detail))

    for root, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        here = Path(root).resolve()
        folders[:] = [name for name in sorted(folders) if not here.is_relative_to((here / name).resolve())]
        for name in files:
            if Path(name).suffix.lower() in SUFFIXES:
                yield (Path(root) / name).relative_to(folder).as_posix()


def keyed(files: list[str]) -> dict[str, str]:
    """File by key: the path without its suffix, where that is unique, else with it."""
    stems = {file: Path(file).with_suffix("").as_posix() for file in files}
    count, whole = Counter(stems.values()), set(files)
    return {(file if count[stem] > 1 or stem in whole else stem): file for file, stem in stems.items()}
