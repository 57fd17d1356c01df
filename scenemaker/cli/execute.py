"""Runs the pipeline for a run folder and tells the user how it went."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenemaker.cli.runfile import RunFile
from scenemaker.cli.state import STATE

if TYPE_CHECKING:
    from scenemaker.pipelines.scenemaker import RunResult
    from scenemaker.pipelines.steps import ProgressEvent


class Progress:
    """A progress bar on a terminal, one line per stage elsewhere, nothing with ``--json``."""

    def __init__(self, title: str) -> None:
        self.title, self._bar, self._task = title, None, None
        self._plain = STATE.json or not sys.stderr.isatty()

    def __enter__(self) -> Progress:
        if not self._plain:
            from rich.console import Console
            from rich.markup import escape
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[stage]}"),
                TimeElapsedColumn(),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(escape(self.title), total=None, stage="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: ProgressEvent) -> None:
        if self._bar is not None and self._task is not None:
            done = event.index + (event.state == "done")
            self._bar.update(self._task, total=event.total, completed=done, stage=f"{event.stage} ({event.backend})")
        elif not STATE.json and event.state == "done":
            sys.stderr.write(f"  {event.stage:<13}{event.backend:<14}{event.seconds:7.2f} s  {event.origin}\n")


def execute(
    file: RunFile,
    folder: Path,
    *,
    cache_dir: Path | None,
    start: str | None = None,
    stop: str | None = None,
    skip_failed: bool = False,
    photo: Any = None,
    quiet: bool = False,
) -> RunResult:
    """Runs what a run file says and writes the run file beside the result."""
    from scenemaker.pipelines.scenemaker import ScenePipeline

    began, new = time.perf_counter(), RunFile.read(folder) is None

    def watch(event: ProgressEvent) -> None:
        nonlocal new
        if new:  # the folder is ours by now, and the backends exist: a run that fails can be continued
            file.write(folder)
            new = False
        progress(event)

    with (
        Progress(folder.name) as progress,
        ScenePipeline.from_preset(
            file.preset, cache_dir=cache_dir or "default", progress=watch, **file.changes
        ) as pipe,
    ):
        result = pipe.run(
            photo,
            **file.arguments(),
            out=folder,
            on_object_error="skip" if skip_failed else "raise",
            start=start,
            stop=stop,
        )
    file.write(folder)
    if not quiet:
        report(result, folder, time.perf_counter() - began)
    return result


def report(result: RunResult, folder: Path, seconds: float) -> None:
    """What was made, for people on stdout; with ``--json`` one object."""
    if STATE.json:
        sys.stdout.write(json.dumps(summary(result, folder, seconds)) + "\n")
        return
    tell(result)
    if result.scene is None:
        sys.stdout.write(f"{folder / 'stages' / result.stages[-1].stage}\n")
        return
    placed = len(result.scene.placed)
    sys.stdout.write(f"{placed} object{'s' * (placed != 1)} in {seconds:.1f} s\n")
    for name in ("scene.glb", "report.html", "scene.json"):
        if (folder / name).exists():
            sys.stdout.write(f"  {folder / name}\n")


def tell(result: RunResult) -> None:
    """Notices and skipped objects, on stderr."""
    for notice in result.notices:
        sys.stderr.write(f"note: {notice}\n")
    for failure in result.failures:
        sys.stderr.write(f"skipped object {failure.id}: {failure.error}\n")


def summary(result: RunResult, folder: Path, seconds: float) -> dict[str, Any]:
    """A run as JSON values."""
    return {
        "folder": str(folder),
        "seconds": seconds,
        "stages": [asdict(i) for i in result.stages],
        "objects": []
        if result.scene is None
        else [{"id": o.id, "name": o.name, "status": o.status} for o in result.scene.objects.values()],
        "skipped": [asdict(f) for f in result.failures],
        "notices": list(result.notices),
        "scores": {} if result.scene is None else result.scene.run.get("scores", {}),
    }
