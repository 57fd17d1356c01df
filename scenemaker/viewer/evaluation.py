"""The page of an evaluation, with nothing outside of it: tables, distributions, worst scenes first, published numbers.

Pictures are embedded and styles are inline. One small script sorts tables; a content security policy lets the browser
run it alone and load nothing. Every text that comes from outside is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from scenemaker.cache import write_atomic
from scenemaker.evaluation.captions import plural
from scenemaker.evaluation.measure_text import definition, heading, number
from scenemaker.evaluation.own_scores import Columns
from scenemaker.evaluation.published_tables import published_tables
from scenemaker.evaluation.ranking import chosen_measure, worst_first
from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.summary import Summary, Value, counted, entries_of
from scenemaker.evaluation.tables import Comparison, result_tables
from scenemaker.evaluation.types import Measure
from scenemaker.viewer.cards import Figure
from scenemaker.viewer.charts import histogram_svg
from scenemaker.viewer.evaluation_cards import scene_html
from scenemaker.viewer.evaluation_pictures import SHOWN, draw_worst, worst_scenes
from scenemaker.viewer.evaluation_tables import scenes_table_html, table_html

TILES = 4  # measures among the tiles


def write_evaluation_page(
    path: str | Path,
    comparison: Comparison,
    pictures: Mapping[str, Sequence[Figure]] | None = None,
    *,
    shown: int = SHOWN,
    sort_by: str | None = None,
) -> None:
    """Writes the page, atomically.

    Args:
        path: Of the file.
        comparison: What it shows. With several evaluations the tables have a row of each; scenes, pictures and
            distributions are those of the first.
        pictures: Of ``draw_worst``.
        shown: How many scenes are shown in full.
        sort_by: See ``worst_scenes``.

    Raises:
        ConfigError: No such measure.
        OutputError: The file cannot be written.
    """
    write_atomic(Path(path), evaluation_html(comparison, pictures, shown=shown, sort_by=sort_by))


def evaluation_html(
    comparison: Comparison,
    pictures: Mapping[str, Sequence[Figure]] | None = None,
    *,
    shown: int = SHOWN,
    sort_by: str | None = None,
) -> str:
    """The page as text; see ``write_evaluation_page``."""
    columns, measure = chosen_measure(comparison.columns, sort_by)
    results = worst_first(comparison.first, columns, measure)
    worst = worst_scenes(comparison, shown, sort_by)
    anchors = {r.name: f"scene-{i}" for i, r in enumerate(worst)}
    cards = [scene_html(r, comparison.columns, (pictures or {}).get(r.name, ()), anchors[r.name]) for r in worst]
    template = Template((files("scenemaker.viewer") / "evaluation_template.html").read_text("utf-8"))
    script = (files("scenemaker.viewer") / "sort_tables.js").read_text("utf-8")
    return template.substitute(
        css=(files("scenemaker.viewer") / "page.css").read_text("utf-8"),
        title=escape(comparison.title),
        summary=escape(_summary(comparison)),
        command=f"<pre class='command'>{escape(comparison.command)}</pre>" if comparison.command else "",
        notices=_notices(comparison),
        tiles=_tiles(comparison, columns, measure),
        nav=_nav(comparison, len(worst)),
        protocols="".join(_protocol_html(comparison, c, i) for i, c in enumerate(comparison.columns)),
        worst=_worst_html(cards, f"{plural(len(results), 'scene')}", f"{heading(measure)} of {columns.title}"),
        scenes=scenes_table_html(results, comparison.columns, (columns, measure), anchors),
        published=_published(comparison),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _summary(comparison: Comparison) -> str:
    parts = [plural(len(comparison.first), "scene"), ", ".join(c.name for c in comparison.columns)]
    if len(comparison.rows) > 1:
        first = next(iter(comparison.rows))
        parts.insert(0, f"{len(comparison.rows)} evaluations; scenes, pictures and distributions are those of {first}")
    return " · ".join(parts)


def _notices(comparison: Comparison) -> str:
    told = list(comparison.notices)
    for label, names in comparison.unmatched.items():
        if names:
            more = f" and {len(names) - 20} more" if len(names) > 20 else ""
            told.append(f"{label}: predictions without a ground truth: {', '.join(names[:20])}{more}")
    listed = "".join(f"<li>{escape(n)}</li>" for n in told)
    return f'<div class="notices" role="note"><b>Please note</b><ul>{listed}</ul></div>' if told else ""


def _tiles(comparison: Comparison, columns: Columns, measure: Measure) -> str:
    counts = _first_summary(comparison, columns).counts
    found = counts.objects - counts.lost
    unknown = f", those of {plural(counts.unknown, 'scene')} unknown" if counts.unknown else ""
    unusable = f", {counts.unusable} unusable ground truth" if counts.unusable else ""
    scenes = f"{counts.missing} missing, {counts.failed} failed{unusable}"
    objects = f"{counts.lost} missing, {counts.extra} extra{unknown}"
    tiles = [
        ("Scenes", f"{counts.ok:,} of {counts.scenes:,}", "bad" if counts.ok < counts.scenes else "", scenes),
        ("Objects found", f"{found:,} of {counts.objects:,}", "bad" if counts.lost else "", objects),
    ]
    every = [(columns, measure)] + [(c, m) for c in comparison.columns for m in c.measures if m is not measure]
    for c, m in every[:TILES]:
        value = _first_summary(comparison, c).values[m.key]
        entered = f"{value.count:,} of " if value.count < value.total else ""
        hint = f"mean of {entered}{plural(value.total, m.level)}{_unknown(value)}; median {number(value.median, m)}"
        tiles.append((f"{heading(m)} ({c.name})", number(value.mean, m), "", hint))
    return "".join(
        f'<div class="card tile"><div class="name">{escape(name)}</div><div class="value {css}">{value}</div>'
        f'<div class="hint">{escape(hint)}</div></div>'
        for name, value, css, hint in tiles
    )


def _first_summary(comparison: Comparison, columns: Columns) -> Summary:
    return next(iter(comparison.summaries(columns).values()))


def _unknown(value: Value) -> str:
    return f" ({plural(value.unknown, 'scene')} unknown)" if value.unknown else ""


def _nav(comparison: Comparison, shown: int) -> str:
    links = [f'<a href="#protocol-{i}">{escape(c.name)}</a>' for i, c in enumerate(comparison.columns)]
    links += ['<a href="#worst">worst scenes</a>'] if shown else []
    links += ['<a href="#all">all scenes</a>']
    links += ['<a href="#published">published numbers</a>'] if published_tables(comparison) else []
    return " ".join(links)


def _protocol_html(comparison: Comparison, columns: Columns, place: int) -> str:
    tables = "".join(table_html(t) for t in result_tables(comparison, columns))
    results = counted(comparison.first, columns)
    values = _first_summary(comparison, columns).values
    charts = "".join(_chart(results, columns, m, values[m.key]) for m in columns.measures)
    told = "".join(f"<dt>{escape(heading(m))}</dt><dd>{escape(definition(m))}</dd>" for m in columns.measures)
    return (
        f'<section id="protocol-{place}">'
        f'<h2>{escape(columns.title)} <span class="id">{escape(columns.name)}</span></h2>'
        f'{tables}<div class="grid charts">{charts}</div>'
        f"<details><summary>What the columns are</summary><dl>{told}</dl></details></section>"
    )


def _chart(results: Sequence[SceneResult], columns: Columns, measure: Measure, value: Value) -> str:
    """The distribution of one measure over scenes or objects; what is missing has its own bar."""
    entries = [e for r in results for e in entries_of(r, columns, measure)]
    known = [e.value for e in entries if e.value is not None and not e.lost]
    missing = sum(e.lost for e in entries)
    unknown = len(entries) - len(known) - missing
    count = plural(len(known), measure.level) + _unknown(value)
    title = f"{measure.title} of {count}"
    svg = histogram_svg(known, value.median, digits=measure.digits, missing=missing, unknown=unknown, title=title)
    caption = f"<figcaption><b>{escape(heading(measure))}</b> {count}</figcaption>"
    return f'<figure class="card chart">{caption}{svg}</figure>'


def _worst_html(cards: Sequence[str], scenes: str, order: str) -> str:
    text = f"{len(cards):,} of {scenes}: unusable, failed and missing ones first, then by {order}."
    how = "The list below has all. Same camera and same colour for both sides; extra objects are grey."
    head = f'<h2 id="worst">Worst scenes first</h2><p class="sub">{escape(text)} {how}</p>'
    return head + "".join(cards) if cards else ""


def _published(comparison: Comparison) -> str:
    found = [t for tables in published_tables(comparison).values() for t in tables]
    text = "Compare a row with one of yours only where protocol, test set and masks are the same."
    tables = "".join(table_html(t) for t in found)
    return f'<h2 id="published">Published numbers</h2><p class="sub">{text}</p>{tables}' if found else ""


__all__ = ["draw_worst", "evaluation_html", "worst_scenes", "write_evaluation_page"]
