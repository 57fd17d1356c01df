"""The artefact store: folders of standard files, addressed by everything that changes them.

An artefact is a folder with a ``meta.json``. Its key is the SHA-256 of canonical JSON (stage, schema, backend with
version and config, parameters, digests of its inputs); its digest is the SHA-256 of its files. It is written to a
temporary folder and renamed, so that a reader never sees half of one, whoever is killed and whoever else writes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from scenemaker.errors import CacheError, OutputError, expected

logger = logging.getLogger(__name__)
SCHEMA = 1
META = "meta.json"
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOENT)
STALE_S = 24 * 3600.0


def default_cache_dir() -> Path:
    """``$XDG_CACHE_HOME/scenemaker``, else ``~/.cache/scenemaker``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "scenemaker"


def digest(value: Any) -> str:
    """SHA-256 of a value by its content: numbers, text, arrays, files and folders (by their bytes), and nests of them.

    Raises:
        CacheError: Something that has no content of its own (an object, a function).
    """
    h = hashlib.sha256()
    _feed(h, value)
    return h.hexdigest()


def _feed(h: Any, value: Any) -> None:
    if isinstance(value, Path):
        if value.is_dir():
            for file in sorted(p for p in value.rglob("*") if p.is_file()):
                h.update(f"file:{file.relative_to(value).as_posix()}\0".encode())
                _feed_file(h, file)
        else:
            h.update(b"file:" + value.suffix.lower().encode() + b"\0")
            _feed_file(h, value)
    elif isinstance(value, np.ndarray):
        h.update(f"array:{value.dtype.str}{value.shape}\0".encode())
        h.update(np.ascontiguousarray(value).data)
    elif isinstance(value, bytes):
        h.update(b"bytes:" + str(len(value)).encode() + b"\0" + value)
    elif isinstance(value, BaseModel):
        _feed(h, value.model_dump(mode="json"))
    elif is_dataclass(value) and not isinstance(value, type):
        _feed(h, {f.name: getattr(value, f.name) for f in fields(value)})
    elif isinstance(value, Mapping):
        h.update(f"map:{len(value)}\0".encode())
        for key in sorted(value, key=str):
            _feed(h, str(key))
            _feed(h, value[key])
    elif isinstance(value, (list, tuple)):
        h.update(f"list:{len(value)}\0".encode())
        for item in value:
            _feed(h, item)
    elif value is None or isinstance(value, (bool, int, float, str, np.generic)):
        text = json.dumps(value.item() if isinstance(value, np.generic) else value)
        h.update(f"{len(text)}:{text}\0".encode())
    else:
        raise CacheError(
            expected(
                "content that can be hashed", got=type(value).__name__, remedy="give a path, an array or plain data"
            )
        )


def _feed_file(h: Any, path: Path) -> None:
    try:
        with path.open("rb") as file:
            h.update(f"{os.fstat(file.fileno()).st_size}\0".encode())
            while block := file.read(1 << 20):
                h.update(block)
    except OSError as error:
        raise CacheError(
            expected("a readable file", got=f"{path}: {error.strerror}", remedy="check the path")
        ) from error


def folder_digest(folder: Path) -> str:
    """SHA-256 of the files of an artefact, ``meta.json`` left out."""
    h = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != META):
        h.update(f"file:{file.relative_to(folder).as_posix()}\0".encode())
        _feed_file(h, file)
    return h.hexdigest()


@lru_cache(maxsize=1)
def package_digest() -> str:
    """SHA-256 of this library's code, for what is kept beyond a change of it."""
    root = Path(__file__).parent
    return digest([(p.relative_to(root).as_posix(), p) for p in sorted(root.rglob("*.py"))])


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turns what the operating system says about writing into an ``OutputError`` that tells what to do."""
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            remedy = "free some space or choose another folder, then type the same command: finished stages are kept"
            raise OutputError(expected(f"room to write {path}", got="the disk is full", remedy=remedy)) from error
        if error.errno in NOT_WRITABLE:
            got = error.strerror or str(error)
            raise OutputError(expected(f"a writable folder at {path}", got=got, remedy="choose another")) from error
        raise


def temporary_prefix() -> str:
    """What temporary names start with: hidden, and with the process that may still be writing."""
    return f".tmp-{os.getpid()}-"


def write_atomic(path: Path, data: bytes | str) -> None:
    """Writes a file so that a reader sees the old or the new content, never a part.

    Raises:
        OutputError: The folder cannot be written or the disk is full.
    """
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=temporary_prefix())
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data.encode() if isinstance(data, str) else data)
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def copy_tree(source: Path, target: Path) -> None:
    """Copies the files of a folder; the first that fails says why (``shutil.copytree`` hides the reason in a list)."""
    target.mkdir()
    for item in sorted(source.iterdir()):
        if item.is_dir():
            copy_tree(item, target / item.name)
        else:
            shutil.copyfile(item, target / item.name)


def replace_folder(source: Path, target: Path) -> None:
    """Copies a folder to ``target`` by rename, so that ``target`` is never half written.

    Raises:
        OutputError: The folder cannot be written or the disk is full.
    """
    with output_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=temporary_prefix()))
        try:
            copy_tree(source, temporary / "new")
            if target.exists():
                target.replace(temporary / "old")
            (temporary / "new").replace(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One artefact in the store."""

    path: Path
    stage: str
    backend: str
    key: str
    bytes: int
    used: float


class Store:
    """A folder of artefacts that several processes may share."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, stage: str, key: str) -> Path:
        """Where an artefact lies, whether it exists or not."""
        return self.root / f"v{SCHEMA}" / stage / key

    def get(self, stage: str, key: str) -> tuple[Path, dict[str, Any]] | None:
        """The folder and meta data of an artefact, or None. A damaged one is removed, with a warning."""
        path = self.path(stage, key)
        meta = read_meta(path)
        if meta is None:
            if path.exists():
                logger.warning("removed a damaged artefact: %s", path)
                shutil.rmtree(path, ignore_errors=True)
            return None
        try:
            os.utime(path / META)
        except OSError:
            logger.debug("read-only cache: %s", path)
        return path, meta

    def put(
        self, stage: str, key: str, write: Callable[[Path], None], meta: Callable[[], Mapping[str, Any]]
    ) -> tuple[Path, dict[str, Any]]:
        """Writes an artefact with ``write(folder)`` and returns it; the first of two writers wins.

        Raises:
            OutputError: The store cannot be written or the disk is full.
        """
        path = self.path(stage, key)
        with output_errors(self.root):
            (self.root / "tmp").mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=self.root / "tmp", prefix=f"{os.getpid()}-"))
            try:
                write(temporary)
                files = {p.relative_to(temporary).as_posix(): p.stat().st_size for p in _files(temporary)}
                full = {"stage": stage, "key": key, "digest": folder_digest(temporary), "files": files, **meta()}
                (temporary / META).write_text(json.dumps(full, indent=1))
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.chmod(0o755)
                try:
                    temporary.replace(path)
                except OSError as error:
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise
                    first = read_meta(path)
                    if first is not None:
                        return path, first
                    path.replace(temporary.with_name(f"{temporary.name}-damaged"))
                    temporary.replace(path)
                return path, full
            finally:
                shutil.rmtree(temporary, ignore_errors=True)

    def discard(self, stage: str, key: str) -> None:
        """Forgets one artefact, so that it is computed anew."""
        shutil.rmtree(self.path(stage, key), ignore_errors=True)

    def entries(self) -> list[Entry]:
        """All artefacts, last used first."""
        out = []
        for meta_path in (self.root / f"v{SCHEMA}").glob(f"*/*/{META}"):
            meta = read_meta(meta_path.parent)
            if meta is not None:
                with suppress(FileNotFoundError):  # another process may prune as well
                    used = meta_path.stat().st_mtime
                    size, backend = sum(meta["files"].values()), meta.get("backend", "")
                    out.append(
                        Entry(
                            path=meta_path.parent,
                            stage=meta["stage"],
                            backend=backend,
                            key=meta["key"],
                            bytes=size,
                            used=used,
                        )
                    )
        return sorted(out, key=lambda e: (-e.used, e.key))

    def prune(self, *, max_bytes: int | None = None, unused_days: float | None = None) -> list[Entry]:
        """Removes what was not used for so long, then the longest unused until the rest fits. Returns the removed."""
        removed: list[Entry] = []
        kept_bytes = 0
        for entry in self.entries():
            old = unused_days is not None and time.time() - entry.used > unused_days * 86400
            if old or (max_bytes is not None and kept_bytes + entry.bytes > max_bytes):
                shutil.rmtree(entry.path, ignore_errors=True)
                removed.append(entry)
            else:
                kept_bytes += entry.bytes
        for leftover in (self.root / "tmp").glob("*"):
            with suppress(FileNotFoundError):
                if time.time() - leftover.stat().st_mtime > STALE_S:
                    shutil.rmtree(leftover, ignore_errors=True)
        return removed

    def clear(self) -> None:
        """Removes every artefact of this library, and nothing else."""
        for folder in (self.root / f"v{SCHEMA}", self.root / "tmp"):
            shutil.rmtree(folder, ignore_errors=True)


def read_meta(folder: Path) -> dict[str, Any] | None:
    """``meta.json`` of an artefact, or None when it is missing, unreadable, or its files are not all there."""
    try:
        meta = json.loads((folder / META).read_text())
        whole = all((folder / name).stat().st_size == size for name, size in meta["files"].items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return meta if whole else None


def sweep(folder: Path) -> None:
    """Removes what killed writers left in a folder of ours: hidden temporary files and folders of dead processes."""
    for leftover in folder.glob(".tmp-*"):
        pid = leftover.name.removeprefix(".tmp-").partition("-")[0]
        if not (pid.isdecimal() and process_runs(int(pid))):
            shutil.rmtree(leftover, ignore_errors=True)
            leftover.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The time in which one process alone writes into a folder, which is made.

    Raises:
        OutputError: Another process does, or the folder cannot be written.
    """
    lock = folder / ".lock"
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _take(lock)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _take(lock: Path) -> None:
    for _ in range(2):
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            text = lock.read_text() if lock.exists() else ""
            if text.isdecimal() and int(text) != os.getpid() and process_runs(int(text)):
                got = f"{lock.parent} in use by process {text}"
                raise OutputError(
                    expected(
                        "a folder that no other run writes to", got=got, remedy="wait for it, or choose another -o"
                    )
                ) from None
            lock.unlink(missing_ok=True)  # of a run that was killed
        else:
            with os.fdopen(handle, "w") as file:
                file.write(str(os.getpid()))
            return


def process_runs(pid: int) -> bool:
    """Whether a process of that number runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _files(folder: Path) -> Sequence[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())
