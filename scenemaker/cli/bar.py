"""The progress bar of commands that work through many items."""

from __future__ import annotations

import sys
from collections.abc import Callable

from scenemaker.cli.state import STATE


class Bar:
    """A progress bar on a terminal, a line now and then elsewhere, nothing with ``--json``."""

    def __init__(self, what: str, as_json: bool) -> None:
        STATE.json = as_json
        self.what, self._shown, self._task, self._told = what, None, None, 0

    def __enter__(self) -> Callable[[int, int], None]:
        if not STATE.json and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self._shown = Progress(*columns, console=Console(stderr=True), transient=True)
            self._shown.start()
            self._task = self._shown.add_task(self.what, total=None)
        return self._step

    def __exit__(self, *_: object) -> None:
        if self._shown is not None:
            self._shown.stop()

    def _step(self, done: int, total: int) -> None:
        if self._shown is not None and self._task is not None:
            self._shown.update(self._task, completed=done, total=total)
        elif not STATE.json and (done == total or done - self._told >= max(total // 10, 1)):
            self._told = done
            sys.stderr.write(f"  {self.what} {done} of {total}\n")
