"""Tables of an evaluation, or of several side by side.

A ``Table`` is plain text in cells, so that Markdown and the HTML page show the same ones. Each tells by itself what it
is made of: protocol, scenes and objects, alignment, command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from scenemaker.evaluation.bins import BINS
from scenemaker.evaluation.captions import caption
from scenemaker.evaluation.own_scores import SELFCHECK, Columns, own_columns
from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.summary import VISIBLE, Value, Visible, summarise
from scenemaker.evaluation.types import Measure

DASH = "–"
ARROWS = {"higher": "↑", "lower": "↓"}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One evaluation, or several of the same ground truth side by side.

    Attributes:
        rows: Results of all scenes, by the label of the evaluation.
        protocols: That measured.
        title: For people.
        command: That made it.
        unmatched: Predictions without a ground truth, by label.
        notices: What the user should know.
    """

    rows: Mapping[str, Sequence[SceneResult]]
    protocols: Sequence[Columns]
    title: str = "Evaluation"
    command: str = ""
    unmatched: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notices: Sequence[str] = ()

    @property
    def first(self) -> Sequence[SceneResult]:
        """The results of the first evaluation, whose scenes are shown one by one."""
        return next(iter(self.rows.values()), ())

    @property
    def columns(self) -> list[Columns]:
        """The protocols, then picture measures and scores without ground truth where there are any."""
        own = own_columns(r for results in self.rows.values() for r in results)
        return [c for c in (*self.protocols, *own) if c.measures] or [SELFCHECK]


@dataclass(frozen=True)
class Cell:
    """Text; ``best`` of its kind in the table."""

    text: str
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as text. The first ``names`` columns hold names, the others numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str
    names: int = 2


def result_tables(comparison: Comparison, columns: Columns) -> list[Table]:
    """The tables of one protocol: over everything, then by visible fraction where it measures objects."""
    out = [_whole(comparison, columns)]
    if any(m.level == "object" for m in columns.measures):
        out.append(_by_bin(comparison, columns))
    return out


def _whole(comparison: Comparison, columns: Columns) -> Table:
    sums = {label: summarise(results, columns) for label, results in comparison.rows.items()}
    rows = []
    for name in ("mean", "median"):
        best = {m.key: _best([getattr(s.values[m.key], name) for s in sums.values()], m) for m in columns.measures}
        for label, s in sums.items():
            cells = []
            for m in columns.measures:
                value = s.values[m.key]
                text = number(getattr(value, name), m)
                told = _left_out(value) if len(sums) > 1 else ""  # else the line below tells it
                cells.append(Cell(text + told, text == best[m.key]))
            rows.append((Cell(label), Cell(name), *cells))
    for label, s in sums.items():
        rows.append((Cell(label), Cell("values"), *(Cell(_entered(s.values[m.key], m)) for m in columns.measures)))
    return Table(
        title=columns.title,
        head=("", "", *(heading(m) for m in columns.measures)),
        rows=tuple(rows),
        caption=caption(comparison.rows, columns, sums, comparison.command),
    )


def _by_bin(comparison: Comparison, columns: Columns) -> Table:
    measures = [m for m in columns.measures if m.level == "object"]
    rows = []
    for visible in VISIBLE:
        sums = {label: summarise(results, columns, visible) for label, results in comparison.rows.items()}
        if visible == "unknown" and not any(s.counts.objects for s in sums.values()):
            continue
        best = {m.key: _best([s.values[m.key].mean for s in sums.values()], m) for m in measures}
        for label, s in sums.items():
            cells = []
            for m in measures:
                text = number(s.values[m.key].mean, m)
                cells.append(Cell(text + _left_out(s.values[m.key]), text == best[m.key]))
            counts = Cell(str(s.counts.objects)), Cell(str(s.counts.lost))
            rows.append((Cell(label), Cell(visible_text(visible)), *counts, *cells))
    whole = {label: summarise(results, columns) for label, results in comparison.rows.items()}
    return Table(
        title=f"{columns.title}, by visible fraction (means)",
        head=("", "visible", "objects", "missing", *(heading(m) for m in measures)),
        rows=tuple(rows),
        caption=caption(comparison.rows, columns, whole, comparison.command),
    )


def _left_out(value: Value) -> str:
    """Told beside a number that not all values entered."""
    return f" ({value.count} of {value.total})" if 0 < value.count < value.total else ""


def _best(values: Sequence[float | None], measure: Measure) -> str | None:
    """The best of several, as it is shown; None where there is nothing to compare."""
    known = [v for v in values if v is not None]
    if len(known) < 2:
        return None
    return number(max(known) if measure.better == "higher" else min(known), measure)


def number(value: float | None, measure: Measure) -> str:
    """The value with the measure's digits, or a dash; without a minus before zero."""
    if value is None or not isfinite(value):
        return DASH
    return f"{round(value, measure.digits) + 0.0:.{measure.digits}f}"


def heading(measure: Measure) -> str:
    """Title and the way that is better."""
    return f"{measure.title} {ARROWS[measure.better]}"


def definition(measure: Measure) -> str:
    """What a column is, and what missing objects do to it."""
    kind = measure.level
    lost = (
        f"a missing {kind} is left out"
        if measure.missing is None
        else f"a missing {kind} counts as {measure.missing:g}"
    )
    pool = "" if kind == "scene" else f"; mean over {'all objects' if measure.pool == 'objects' else 'scenes'}"
    return f"{measure.text.rstrip('.')}; {lost}{pool}."


def visible_text(visible: Visible) -> str:
    """A bin for people: "0-40 %"."""
    if isinstance(visible, str):
        return visible
    low, high = BINS[visible]
    return f"{100 * low:.0f}–{100 * high:.0f} %"


def _entered(value: Value, measure: Measure) -> str:
    worst = f" ({value.worst} as {measure.missing:g})" if value.worst and measure.missing is not None else ""
    return f"{value.count} of {value.total}{worst}"


def text_tables(comparison: Comparison) -> str:
    """All tables for a terminal: plain text in columns, the best of several marked by a star."""
    return "\n\n".join(_plain(t) for c in comparison.columns for t in result_tables(comparison, c))


def _plain(table: Table) -> str:
    lines = [list(table.head), *([f"{c.text}{'*' if c.best else ''}" for c in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    body = [
        "  ".join(t.ljust(w) if i < table.names else t.rjust(w) for i, (t, w) in enumerate(zip(cells, widths)))
        for cells in lines
    ]
    return "\n".join([table.title, *(line.rstrip() for line in body), table.caption])
