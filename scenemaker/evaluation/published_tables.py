"""The tables of papers, laid out like those of an evaluation, to stand below it."""

from __future__ import annotations

from scenemaker.evaluation.measure_text import ARROWS, DASH
from scenemaker.evaluation.published import PublishedColumn, PublishedTable, tables
from scenemaker.evaluation.tables import Cell, Comparison, Table

UNITS = {"percent": " (%)", "degrees": " (°)", "dB": " (dB)", "s": " (s)"}


def published_tables(comparison: Comparison) -> dict[str, list[Table]]:
    """By the name of each protocol of an evaluation the papers' tables that measure like it.

    A table that fits several of the protocols stands under the nearest one.
    """
    names = {c.name.split("@")[0]: c.name for c in comparison.columns}
    out: dict[str, list[Table]] = {}
    for table in tables():
        nearest = next((names[p] for p in table.protocols if p in names), None)
        if nearest is not None:
            out.setdefault(nearest, []).append(_table(table))
    return out


def _table(published: PublishedTable) -> Table:
    best = [_best(published, i) for i in range(len(published.columns))]
    rows = []
    for row in published.rows:
        cells = [
            Cell(_number(v, c), v is not None and v == b)
            for v, c, b in zip(row.values, published.columns, best, strict=True)
        ]
        rows.append((Cell(row.method), *cells))
    where = f"{published.source}, arXiv {published.arxiv}, {published.table}; {published.test_set}"
    told = f"Protocol {' or '.join(published.protocols)}. {published.caveat} Read from: {published.read_from}."
    return Table(
        title=f"Published: {published.title}",
        head=("", *(f"{c.title}{UNITS.get(c.unit, '')} {ARROWS[c.better]}" for c in published.columns)),
        rows=tuple(rows),
        caption=f"{where}. {told}",
        names=1,
    )


def _best(published: PublishedTable, i: int) -> float | None:
    known = [v for row in published.rows if (v := row.values[i]) is not None]
    if len(known) < 2:
        return None
    return max(known) if published.columns[i].better == "higher" else min(known)


def _number(value: float | None, column: PublishedColumn) -> str:
    """As the paper prints it."""
    if value is None:
        return DASH
    return f"{value * 100 if column.unit == 'percent' else value:.6g}"
