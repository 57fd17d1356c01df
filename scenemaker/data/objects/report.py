"""What a prepared folder holds, one row per object and skip: ``objects.json`` for programs, ``objects.md`` to read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scenemaker.cache import write_atomic
from scenemaker.data.objects.closedness import Closedness
from scenemaker.data.objects.prepare import PrepareConfig
from scenemaker.data.objects.scan import Skip

VERSION = 1  # of objects.json


@dataclass(frozen=True, kw_only=True)
class ObjectRow:
    """What is known of one prepared object.

    Attributes:
        key: Of the object.
        label: When known.
        file: Its prepared file, relative to the folder of the report.
        extents: (3,) sides of its box in ``obj``.
        notices: What was done to it on reading.
        closedness: Of its mesh.
        agreement, buried, sheets, turned: As in ``PreparedObject``.
    """

    key: str
    label: str | None
    file: str
    extents: tuple[float, ...]
    notices: tuple[str, ...]
    closedness: Closedness
    agreement: float
    buried: float
    sheets: float
    turned: float


@dataclass(frozen=True, kw_only=True)
class ObjectsReport:
    """A prepared folder: a row per object and a row per file that gave none."""

    source: str
    objects: tuple[ObjectRow, ...]
    skipped: tuple[Skip, ...] = ()
    left_out: int = 0
    config: PrepareConfig = field(default_factory=PrepareConfig)

    def summary(self) -> dict[str, Any]:
        """Counts and means over the objects."""
        rows = self.objects
        agreement = [row.agreement for row in rows]
        faces = np.array([row.closedness.faces for row in rows] or [0])
        return {
            "objects": len(rows),
            "skipped": len(self.skipped),
            "skipped_by_reason": dict(sorted(Counter(skip.reason for skip in self.skipped).items())),
            "left_out": self.left_out,
            "watertight_share": _mean([row.closedness.watertight for row in rows]),
            "manifold_edge_share": _mean([row.closedness.manifold_share for row in rows]),
            "agreement_mean": _mean(agreement),
            "agreement_worst": [
                [row.key, row.agreement] for row in sorted(rows, key=lambda r: (r.agreement, r.key))[:5]
            ],
            "buried_mean": _mean([row.buried for row in rows]),
            "sheets_mean": _mean([row.sheets for row in rows]),
            "turned_mean": _mean([row.turned for row in rows]),
            "faces_median": float(np.median(faces)),
            "faces_max": int(faces.max()),
        }

    def markdown(self) -> str:
        """The summary for people, with every skip."""
        s = self.summary()
        lines = [
            f"# {s['objects']} objects of {self.source}",
            "",
            f"- skipped: {s['skipped']}, left out by choice: {s['left_out']}",
            f"- faces: median {s['faces_median']:.0f}, most {s['faces_max']}",
            f"- watertight: {100 * s['watertight_share']:.1f} % of the objects;"
            f" {100 * s['manifold_edge_share']:.1f} % of the edges lie on two faces",
            f"- surface inside another part: {100 * s['buried_mean']:.1f} %, open sheets: "
            f"{100 * s['sheets_mean']:.1f} %, turned over: {100 * s['turned_mean']:.1f} %",
            f"- winding number and ray parity agree on {100 * s['agreement_mean']:.2f} % of the samples; least:",
            *(f"  - {key}: {100 * value:.2f} %" for key, value in s["agreement_worst"]),
        ]
        if self.skipped:
            lines += ["", "| skipped | reason |", "|---|---|", *(f"| {k.file} | {k.reason} |" for k in self.skipped)]
        return "\n".join(lines) + "\n"


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def write_report(report: ObjectsReport, folder: Path) -> None:
    """``objects.json`` and ``objects.md``.

    Raises:
        OutputError: The folder cannot be written or the disk is full.
    """
    data = {
        "version": VERSION,
        "source": report.source,
        "config": report.config.model_dump(mode="json"),
        "summary": report.summary(),
        "objects": _rows(report.objects),
        "skipped": _rows(report.skipped),
    }
    write_atomic(folder / "objects.json", json.dumps(data, indent=1, ensure_ascii=False))
    write_atomic(folder / "objects.md", report.markdown())


def _rows(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]
