"""Tables of an evaluation, or of several side by side.

A ``Table`` is plain text in cells, so that Markdown and the HTML page show the same ones. Each tells by itself what it
is made of: protocol, scenes and objects, alignment, command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from scenemaker.evaluation.captions import UNKNOWN, caption, plural
from scenemaker.evaluation.measure_text import heading, number, visible_text
from scenemaker.evaluation.own_scores import SELFCHECK, Columns, own_columns
from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.summary import VISIBLE, Summary, Value, Visible, summarise
from scenemaker.evaluation.types import Measure


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

    @cached_property
    def columns(self) -> list[Columns]:
        """The protocols, then picture measures and scores without ground truth where there are any."""
        own = own_columns(r for results in self.rows.values() for r in results)
        return [c for c in (*self.protocols, *own) if c.measures] or [SELFCHECK]

    def summaries(self, columns: Columns, visible: Visible | None = None) -> dict[str, Summary]:
        """``summarise`` of every evaluation, by label; computed once, for all tables, the page and JSON."""
        key = columns.name, visible
        if key not in self._summaries:
            self._summaries[key] = {label: summarise(r, columns, visible) for label, r in self.rows.items()}
        return self._summaries[key]

    @cached_property
    def _summaries(self) -> dict[tuple[str, Visible | None], dict[str, Summary]]:
        return {}


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
    sums = comparison.summaries(columns)
    rows = []
    for name in ("mean", "median"):
        best = {m.key: _best([getattr(s.values[m.key], name) for s in sums.values()], m) for m in columns.measures}
        for label, s in sums.items():
            cells = []
            for m in columns.measures:
                value = s.values[m.key]
                text = number(getattr(value, name), m)
                unknown = value.unknown - value.blamed if name == "mean" else value.unknown
                told = _beside(value, unknown, counts=len(sums) > 1)  # of one evaluation the line below tells counts
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
        sums = comparison.summaries(columns, visible)
        if visible == "unknown" and not any(s.counts.objects for s in sums.values()):
            continue
        best = {m.key: _best([s.values[m.key].mean for s in sums.values()], m) for m in measures}
        for label, s in sums.items():
            cells = []
            for m in measures:
                value = s.values[m.key]
                text = number(value.mean, m)
                cells.append(Cell(text + _beside(value, value.unknown), text == best[m.key]))
            counts = Cell(str(s.counts.objects)), Cell(str(s.counts.lost))
            rows.append((Cell(label), Cell(visible_text(visible)), *counts, *cells))
    return Table(
        title=f"{columns.title}, by visible fraction (means)",
        head=("", "visible", "objects", "missing", *(heading(m) for m in measures)),
        rows=tuple(rows),
        caption=caption(comparison.rows, columns, comparison.summaries(columns), comparison.command),
    )


def _beside(value: Value, unknown: int, *, counts: bool = True) -> str:
    """Told beside a number that not everything entered: scenes of unknown objects, and how many values did."""
    if not value.count:
        return ""
    told = f" ({value.count} of {value.total})" if counts and value.count < value.total else ""
    return (UNKNOWN if unknown else "") + told


def _best(values: Sequence[float | None], measure: Measure) -> str | None:
    """The best of several, as it is shown; None where there is nothing to compare."""
    known = [v for v in values if v is not None]
    if len(known) < 2:
        return None
    return number(max(known) if measure.better == "higher" else min(known), measure)


def _entered(value: Value, measure: Measure) -> str:
    text = f"{value.count} of {value.total}"
    text += f" ({value.worst} as {measure.missing:g})" if value.worst and measure.missing is not None else ""
    text += f", {plural(value.blamed, 'scene')} as {measure.missing:g}" if value.blamed else ""
    return text + (UNKNOWN if value.unknown > value.blamed else "")


def text_tables(comparison: Comparison) -> str:
    """What fits a terminal: plain text in columns, the best of several marked by a star.

    Values are counted where not all were measured, and bins of visible fraction are told where there are two at least.
    """
    return "\n\n".join(_protocol_text(comparison, c) for c in comparison.columns)


def _protocol_text(comparison: Comparison, columns: Columns) -> str:
    sums = comparison.summaries(columns)
    incomplete = {label for label, s in sums.items() if not all(v.complete for v in s.values.values())}
    whole, *bins = result_tables(comparison, columns)
    told = [r for r in whole.rows if r[1].text != "values" or r[0].text in incomplete]
    shown = [replace(whole, rows=tuple(told))]
    filled = [v for v in VISIBLE if any(s.counts.objects for s in comparison.summaries(columns, v).values())]
    shown += bins if len(filled) > 1 else []
    if len(sums) == 1:  # no label is needed
        shown = [replace(t, head=t.head[1:], rows=tuple(r[1:] for r in t.rows), names=t.names - 1) for t in shown]
    return "\n".join([*map(_plain, shown), caption(comparison.rows, columns, sums)])


def _plain(table: Table) -> str:
    lines = [list(table.head), *([f"{c.text}{'*' if c.best else ''}" for c in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    body = [
        "  ".join(t.ljust(w) if i < table.names else t.rjust(w) for i, (t, w) in enumerate(zip(cells, widths)))
        for cells in lines
    ]
    return "\n".join([table.title, *(line.rstrip() for line in body)])
