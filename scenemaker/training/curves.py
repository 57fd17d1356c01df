"""Curves of a training: ``log.jsonl``, the same for TensorBoard, and ``validation.md``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenemaker.cache import output_errors, write_atomic
from scenemaker.errors import needs

LOG, TABLE, BOARD = "log.jsonl", "validation.md", "tensorboard"


class Curves:
    """One line of ``log.jsonl`` and one point of every TensorBoard curve per logged step and per validation.

    Lines: {"step", "seconds", "loss", "lr", ...} and {"step", "seconds", "validation": {measure: value}}; what is not
    a finite number is null.
    """

    def __init__(self, folder: Path, step: int) -> None:
        """Goes on after ``step``: what an earlier run logged of later steps, not kept in any checkpoint, is removed."""
        needs("tensorboard", "train")
        from torch.utils.tensorboard import SummaryWriter

        self._log, self._table = folder / LOG, folder / TABLE
        lines = [line for line in _lines(self._log) if line["step"] <= step]
        self._validations = [line for line in lines if "validation" in line]
        write_atomic(self._log, "".join(json.dumps(line) + "\n" for line in lines))
        with output_errors(folder):
            self._file = self._log.open("a")
            self._board: Any = SummaryWriter(str(folder / BOARD), purge_step=step + 1)
        self._write_table()

    @property
    def files(self) -> list[Path]:
        """What is written."""
        return [self._log, self._table, self._log.parent / BOARD]

    @property
    def best(self) -> tuple[int, dict[str, float]] | None:
        """Step and measures of the validation whose first measure is the lowest, or None."""
        found = [(v["step"], v["validation"]) for v in self._validations]
        return min(found, key=lambda row: _order(next(iter(row[1].values()))), default=None)

    def step(self, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """One logged step."""
        self._point("train", step, values)
        self._line({"step": step, "seconds": round(seconds, 3), **_finite(values)})

    def validation(self, step: int, seconds: float, measures: Mapping[str, float]) -> None:
        """One validation; the table is written anew. One of this step that is in the log already stays."""
        if self._validations and self._validations[-1]["step"] == step:
            return
        self._point("validation", step, measures)
        line = {"step": step, "seconds": round(seconds, 3), "validation": _finite(measures)}
        self._line(line)
        self._validations.append(line)
        self._write_table()

    def close(self) -> None:
        """Ends the files."""
        self._file.close()
        self._board.close()

    def _point(self, group: str, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._board.add_scalar(f"{group}/{name}", value, step)

    def _line(self, line: Mapping[str, Any]) -> None:
        with output_errors(self._log):
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def _write_table(self) -> None:
        if not self._validations:
            return
        names = list(dict.fromkeys(name for v in self._validations for name in v["validation"]))
        rows = [["step", "minutes", *names], ["---:"] * (2 + len(names))]
        for v in self._validations:
            measures = [_text(v["validation"].get(name)) for name in names]
            rows.append([str(v["step"]), f"{v['seconds'] / 60:.1f}", *measures])
        write_atomic(self._table, "".join(f"| {' | '.join(row)} |\n" for row in rows))


def _lines(log: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last one that a killed run left half written is not one."""
    if not log.exists():
        return []
    texts = log.read_text().splitlines(keepends=True)
    return [json.loads(text) for text in texts if text.endswith("\n")]


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}


def _order(value: float | None) -> float:
    return math.inf if value is None else value


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
