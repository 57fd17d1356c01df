"""An evaluation as text: Markdown for people, JSON for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite
from typing import Any

from scenemaker.evaluation.measure_text import definition, heading
from scenemaker.evaluation.own_scores import Columns
from scenemaker.evaluation.published_tables import published_tables
from scenemaker.evaluation.summary import VISIBLE
from scenemaker.evaluation.tables import Comparison, Table, result_tables

SCHEMA = 1


def markdown(comparison: Comparison) -> str:
    """All tables, each protocol with the definitions of its columns and the published numbers of the same protocol."""
    parts = [f"# {_text(comparison.title)}"]
    parts += [f"- {_text(n)}" for n in comparison.notices]
    for label, names in comparison.unmatched.items():
        if names:
            parts.append(f"Predictions without ground truth ({_text(label)}): {_text(', '.join(names))}")
    published = published_tables(comparison)
    for columns in comparison.columns:
        parts.append(f"## {_text(columns.title)} (`{columns.name}`)")
        parts += [table_markdown(t) for t in result_tables(comparison, columns)]
        parts.append("\n".join(f"- **{_text(heading(m))}**: {_text(definition(m))}" for m in columns.measures))
        parts += [table_markdown(t) for t in published.get(columns.name, ())]
    return "\n\n".join(parts) + "\n"


def table_markdown(table: Table) -> str:
    """One table, its caption below; the best of several bold."""
    rows = [[f"**{_text(c.text)}**" if c.best else _text(c.text) for c in row] for row in table.rows]
    marks = [":--"] * table.names + ["--:"] * (len(table.head) - table.names)
    lines = [[_text(h) for h in table.head], marks, *rows]
    body = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"### {_text(table.title)}\n\n{body}\n\n{_text(table.caption)}"


def to_json(comparison: Comparison) -> str:
    """Everything: definitions, summaries over all and by visible fraction, every scene; None where a value is not
    known, never NaN."""
    columns = comparison.columns
    data = {
        "version": SCHEMA,
        "title": comparison.title,
        "command": comparison.command,
        "notices": list(comparison.notices),
        "protocols": [_definitions(c) for c in columns],
        "evaluations": {
            label: {
                "unmatched": list(comparison.unmatched.get(label, ())),
                "summaries": {
                    c.name: [asdict(comparison.summaries(c, visible)[label]) for visible in (None, *VISIBLE)]
                    for c in columns
                },
                "scenes": [r.to_dict() for r in results],
            }
            for label, results in comparison.rows.items()
        },
    }
    return json.dumps(_finite(data), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _definitions(columns: Columns) -> dict[str, Any]:
    measures = [asdict(m) for m in columns.measures]
    return {"name": columns.name, "title": columns.title, "source": columns.source, "measures": measures}


def _finite(value: Any) -> Any:
    """The value with None for NaN and infinity, which JSON does not know."""
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _text(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*_[]|":
        plain = plain.replace(mark, "\\" + mark)
    return plain
