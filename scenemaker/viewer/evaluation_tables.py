"""Tables on the page of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from scenemaker.evaluation.measure_text import heading, number
from scenemaker.evaluation.own_scores import Columns
from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.summary import is_lost, scene_value
from scenemaker.evaluation.tables import Table
from scenemaker.evaluation.types import Measure

LISTED = 10  # columns of numbers in the list of all scenes


def table_html(table: Table) -> str:
    """One table with its caption below."""
    names = table.names

    def row(cells: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}{'' if i < names else ' class=n'}>{c}</{tag}>" for i, c in enumerate(cells))

    head = row([escape(h) for h in table.head], "th")
    body = "".join(
        f"<tr>{row([f'<b>{escape(c.text)}</b>' if c.best else escape(c.text) for c in cells], 'td')}</tr>"
        for cells in table.rows
    )
    return (
        f'<figure class="card tablecard"><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div><figcaption><b>{escape(table.title)}</b> {escape(table.caption)}"
        "</figcaption></figure>"
    )


def scenes_table_html(
    results: Sequence[SceneResult],
    columns: Sequence[Columns],
    chosen: tuple[Columns, Measure],
    anchors: Mapping[str, str],
) -> str:
    """Every scene in one line."""
    of_first = [(c, m) for c in columns[:1] for m in c.measures]
    of_others = [(c, c.measures[0]) for c in columns[1:]]
    shown = list({(c.name, m.key): (c, m) for c, m in [chosen, *of_first, *of_others]}.values())[:LISTED]
    failed = any(r.error for r in results)
    head = "".join(f"<th>{name}" for name in ("Scene", "State"))
    head += "".join(f"<th class=n>{name}" for name in ("Objects", "Missing", "Extra"))
    head += "".join(f'<th class=n title="{escape(c.name)}">{escape(heading(m))}' for c, m in shown)
    head += "<th>Error" if failed else ""
    lines = []
    for r in results:
        name = escape(r.name)
        name = f'<a href="#{anchors[r.name]}">{name}</a>' if r.name in anchors else name
        lost = sum(is_lost(r, o) for o in r.objects)
        counts = [len(r.objects), lost] if r.objects else ["?", "?"]
        numbers = [str(n) for n in (*counts, len(r.extra))]
        numbers += [number(scene_value(r, c, m), m) for c, m in shown]
        css = "" if r.state == "ok" else " class=lost"
        cells = f"<td>{name}</td><td>{r.state}</td>" + "".join(f"<td class=n>{n}</td>" for n in numbers)
        lines.append(f"<tr{css}>{cells}{f'<td class=error>{escape(r.error or str())}</td>' if failed else ''}</tr>")
    closed = head.replace("<th", "</th><th").removeprefix("</th>") + "</th>"
    return f'<table class="sortable"><thead><tr>{closed}</tr></thead><tbody>{chr(10).join(lines)}</tbody></table>'
