"""How one stage of a run is done: taken from the run folder, from the cache, or computed; always left on disk.

A step's key holds everything that changes its result (stage, backend with version and config, parameters, digests
of its inputs). Its output is known by the digest of its files, so that a hand-edited artefact simply is another
input for what follows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from scenemaker import __version__
from scenemaker.cache import (
    META,
    SCHEMA,
    Store,
    digest,
    folder_digest,
    output_errors,
    read_meta,
    replace_folder,
    sweep,
)
from scenemaker.config import STAGES
from scenemaker.device import PeakMemory, Residency
from scenemaker.errors import InputError, SceneMakerError, StageError, expected
from scenemaker.registry import Backend
from scenemaker.scene import ObjectFailure

logger = logging.getLogger(__name__)
T = TypeVar("T")
Origin = Literal["computed", "cache", "run folder", "edited by hand"]


@dataclass(frozen=True, kw_only=True)
class ProgressEvent:
    """What a progress callback is told: ``stage`` number ``index`` of ``total`` starts or ends."""

    stage: str
    index: int
    total: int
    state: Literal["start", "done"]
    backend: str = ""
    origin: Origin = "computed"
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class StageInfo:
    """What one stage of a run took and where its result came from.

    Attributes:
        stage, backend: Names.
        origin: Computed now, or taken from the cache or the run folder.
        seconds: Wall time of this run's step.
        computed_seconds: Wall time when the result was computed.
        peak_mib: Peak resident memory of the process while it was computed, MiB.
        peak_cuda_mib: Peak CUDA memory, MiB; None on a CPU.
        licence: Of the backend.
        config: Options of the backend.
        key: Cache key.
        digest: Of the result's files.
    """

    stage: str
    backend: str
    origin: Origin
    seconds: float
    computed_seconds: float
    peak_mib: float
    peak_cuda_mib: float | None
    licence: str
    config: dict[str, Any] | None
    version: str | None
    key: str
    digest: str


@dataclass(frozen=True, eq=False)
class Artefact(Generic[T]):
    """The result of a stage on disk; ``value`` is read when it is first asked for."""

    path: Path
    info: StageInfo
    failures: tuple[ObjectFailure, ...]
    read: Callable[[Path], T]

    @cached_property
    def value(self) -> T:
        return self.read(self.path)


class Steps:
    """Does the steps of one run, in order."""

    def __init__(
        self,
        store: Store,
        *,
        folder: Path | None = None,
        residency: Residency | None = None,
        progress: Callable[[ProgressEvent], None] | None = None,
        start: str | None = None,
        keep_failures: bool = False,
    ) -> None:
        """Prepares a run.

        Args:
            store: Of artefacts.
            folder: Run folder, whose ``stages/`` mirrors every artefact for people; none keeps them in the store.
            residency: Device, dtype and policy.
            progress: Called at the start and end of each stage.
            start: Stages before this one are taken from the run folder as they are; this one is computed anew.
            keep_failures: Objects that fail are listed and left out, instead of ending the run.
        """
        self.store, self.residency = store, residency or Residency()
        self.folder = None if folder is None else folder / "stages"
        self.start, self.keep_failures = start, keep_failures
        self._progress = progress or (lambda event: None)
        self.infos: list[StageInfo] = []
        self.failures: list[ObjectFailure] = []
        self.notices: list[str] = []
        if self.folder is not None:
            sweep(self.folder)

    def do(
        self,
        stage: str,
        *,
        inputs: Sequence[Artefact[Any]],
        params: Any,
        compute: Callable[[Any], T],
        save: Callable[[T, Path], None],
        read: Callable[[Path], T],
        backend: Backend | None = None,
        mirror: bool = True,
        as_it_is: bool = False,
    ) -> Artefact[T]:
        """The artefact of one stage.

        Args:
            stage: One of ``config.STAGES``.
            inputs: Artefacts it reads.
            params: Everything else that changes its result; plain data, arrays, paths (hashed by content).
            compute: Makes the value; is given the backend's object (None without a backend).
            save, read: The codec.
            backend: Who does it; none for the pipeline's own stages.
            mirror: Shows the artefact in the run folder.
            as_it_is: Taken from the run folder, whatever it was made from.

        Raises:
            StageError: The backend failed, as a whole or on an object.
        """
        name = backend.name if backend else "scenemaker"
        index = STAGES.index(stage)
        event = {"stage": stage, "index": index, "total": len(STAGES), "backend": name}
        self._progress(ProgressEvent(state="start", **event))
        began = time.perf_counter()
        before_start = self.start is not None and index < STAGES.index(self.start)
        home = None if self.folder is None or not mirror else self.folder / stage
        found: tuple[Path, dict[str, Any], Origin] | None = None
        if before_start or as_it_is:
            found = self._as_it_is(home, stage)
            key = found[1]["key"]
        else:
            key = self._key(stage, backend, inputs, params)
            if self.start == stage:
                self.store.discard(stage, key)
                self._keep_edit(home, stage)
            else:
                found = self._found(home, stage, key)
        fresh: T | None = None
        if found is None:
            path, meta, fresh = self._compute(stage, key, backend, compute, save)
            found = path, meta, "computed"
        path, meta, origin = found
        if home is not None and path != home:
            self._mirror(path, home)
            path = home
        info = StageInfo(
            stage=stage,
            backend=meta["backend"],
            origin=origin,
            seconds=time.perf_counter() - began,
            computed_seconds=meta["seconds"],
            peak_mib=meta["peak_mib"],
            peak_cuda_mib=meta["peak_cuda_mib"],
            licence=meta["licence"],
            config=meta["config"],
            version=meta["version"],
            key=key,
            digest=meta["digest"],
        )
        self.infos.append(info)
        failures = tuple(ObjectFailure(**f) for f in meta["failures"])
        self._raise_first(stage, name, failures)
        artefact = Artefact(path, info, failures, read)
        if fresh is not None:
            artefact.__dict__["value"] = fresh
        self.failures += failures
        if stage in STAGES[:3]:
            self.notices += getattr(artefact.value, "notices", ())
        self._progress(ProgressEvent(state="done", origin=origin, seconds=info.seconds, **event))
        return artefact

    def split(self, stage: str, backend: Backend, ids: Sequence[int], results: Sequence[Any]) -> list[Any]:
        """The results that are not failures, after checking that there is one per object, in order.

        Raises:
            StageError: A backend that returned something else, or a failed object when failures are not kept.
        """
        got = [r.id for r in results]
        if got != list(ids):
            raise StageError(
                expected(
                    f"one result per object, ids {list(ids)}", got=got, remedy=f"mend the backend {backend.name!r}"
                ),
                stage=stage,
                backend=backend.name,
            )
        self._failed = tuple(r for r in results if isinstance(r, ObjectFailure))
        self._raise_first(stage, backend.name, self._failed)
        return [r for r in results if not isinstance(r, ObjectFailure)]

    def _raise_first(self, stage: str, name: str, failures: Sequence[ObjectFailure]) -> None:
        if failures and not self.keep_failures:
            first = failures[0]
            raise StageError(
                f"{stage} ({name}) failed on object {first.id}: {first.error}; "
                'fix its mask, or go on without it: on_object_error="skip" (CLI: --skip-failed)',
                stage=stage,
                backend=name,
                object_id=first.id,
            )

    def _key(self, stage: str, backend: Backend | None, inputs: Sequence[Artefact[Any]], params: Any) -> str:
        moves = backend is not None and hasattr(backend.call, "to")
        unknown = backend is not None and backend.fingerprint is None
        return digest(
            {
                "schema": SCHEMA,
                "library": __version__,
                "stage": stage,
                "backend": backend.fingerprint if backend else None,
                "inputs": [a.info.digest for a in inputs],
                "params": params,
                "device": [self.residency.device.partition(":")[0], self.residency.dtype] if moves else None,
                "never_again": time.time_ns() if unknown else None,
            }
        )

    def _found(self, home: Path | None, stage: str, key: str) -> tuple[Path, dict[str, Any], Origin] | None:
        """What the run folder or the store holds for a key."""
        if home is not None and home.exists():
            meta = _run_folder_meta(home)
            actual = folder_digest(home) if meta else None
            edited = meta is not None and actual != meta["digest"]
            if meta is not None and meta["key"] == key:
                origin: Origin = "edited by hand" if edited else "run folder"
                return home, {**meta, "digest": actual}, origin
            if edited:
                self._keep_edit(home, stage)
        hit = self.store.get(stage, key)
        if hit is None:
            return None
        logger.info("%s: from the cache, %s", stage, hit[0])
        return hit[0], hit[1], "cache"

    def _keep_edit(self, home: Path | None, stage: str) -> None:
        """Puts a hand-edited artefact aside before another takes its place."""
        meta = None if home is None or not home.exists() else _run_folder_meta(home)
        if home is None or meta is None or folder_digest(home) == meta["digest"]:
            return
        aside = _free_name(home)
        with output_errors(home):
            home.replace(aside)
        logger.warning("%s was edited by hand and is made anew: the edit is kept as %s", stage, aside.name)

    def _as_it_is(self, home: Path | None, stage: str) -> tuple[Path, dict[str, Any], Origin]:
        meta = None if home is None or not home.exists() else _run_folder_meta(home)
        if home is None or meta is None:
            where = "no run folder" if home is None else f"no {stage} in {home.parent.parent}"
            raise InputError(
                expected(
                    f"a finished stage {stage!r} to go on from",
                    got=where,
                    remedy="do that stage first, or leave out --from",
                )
            )
        actual = folder_digest(home)
        origin: Origin = "run folder" if actual == meta["digest"] else "edited by hand"
        return home, {**meta, "digest": actual}, origin

    def _compute(
        self,
        stage: str,
        key: str,
        backend: Backend | None,
        compute: Callable[[Any], T],
        save: Callable[[T, Path], None],
    ) -> tuple[Path, dict[str, Any], T]:
        self._failed: tuple[ObjectFailure, ...] = ()
        memory, began = PeakMemory(self.residency.device), time.perf_counter()
        call = backend.call if backend else None
        try:
            with self.residency.on_device(call):
                value = compute(call)
        except SceneMakerError:
            raise
        except Exception as error:
            name = backend.name if backend else "scenemaker"
            raise StageError(
                f"{stage} ({name}) failed: {type(error).__name__}: {error}; run with --debug for the trace",
                stage=stage,
                backend=name,
            ) from error
        fingerprint = (backend.fingerprint if backend else None) or {}

        def meta() -> dict[str, Any]:
            return {
                "backend": backend.name if backend else "scenemaker",
                "licence": backend.licence if backend else "Apache-2.0",
                "config": fingerprint.get("config"),
                "version": fingerprint.get("version"),
                "seconds": time.perf_counter() - began,
                "peak_mib": memory.host_mib(),
                "peak_cuda_mib": memory.cuda_mib(),
                "failures": [{"id": f.id, "error": f.error} for f in self._failed],
            }

        path, full = self.store.put(stage, key, lambda folder: save(value, folder), meta)
        return path, full, value

    def _mirror(self, path: Path, home: Path) -> None:
        """Shows an artefact in the run folder."""
        replace_folder(path, home)


def _run_folder_meta(home: Path) -> dict[str, Any] | None:
    """``meta.json`` of a stage in a run folder, whose files a hand may have changed."""
    meta = read_meta(home)
    if meta is not None:
        return meta
    from scenemaker.artefacts import read_json

    try:
        found = read_json(home / META)
        return found if isinstance(found, dict) and {"key", "digest", "failures"} <= found.keys() else None
    except InputError:
        return None


def _free_name(home: Path) -> Path:
    n = 1
    while (aside := home.with_name(f"{home.name}.edited-{n}")).exists():
        n += 1
    return aside
