"""One scene on the page of an evaluation: pictures of both sides, its objects with their measures, what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from scenemaker.evaluation.measure_text import DASH, heading, number
from scenemaker.evaluation.own_scores import Columns, scores_of
from scenemaker.evaluation.results import ObjectRow, SceneResult
from scenemaker.evaluation.summary import entries_of, is_lost, scene_value
from scenemaker.viewer.cards import Figure, figure_html
from scenemaker.viewer.pictures import id_colour
from scenemaker.viewer.report import jpeg_uri

STATES = {"ok": "good", "missing": "bad", "failed": "bad", "unusable": "bad"}


def scene_html(result: SceneResult, columns: Sequence[Columns], figures: Sequence[Figure], anchor: str) -> str:
    """The card of one scene."""
    lost = sum(is_lost(result, o) for o in result.objects)
    count = f"{len(result.objects)} objects, {lost} missing" if result.objects else "objects unknown"
    head = (
        f'<div class="head"><h3>{escape(result.name)}</h3>'
        f'<span class="badge {STATES[result.state]}">{result.state}</span><span class="id">{count}</span></div>'
    )
    shown = "".join(figure_html(f, jpeg_uri(f.rgb), "") for f in figures)
    pictures = f'<div class="pair">{shown}</div>' if shown else '<p class="id">No pictures.</p>'
    facts = {"alignment": result.alignment, "extra": ", ".join(result.extra)}
    for c in columns:
        of_scene = [m for m in c.measures if m.level == "scene"]
        values = [(m, scene_value(result, c, m)) for m in of_scene] if scores_of(result, c) else []
        facts[c.name] = ", ".join(f"{m.title} {number(v, m)}" for m, v in values if v is not None)
    listed = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items() if v)
    notes = [f"{c.name}: {n}" for c in columns if (s := scores_of(result, c)) for n in s.notes]
    of_objects = [f"{o.name}: {n}" for o in result.objects for n in o.notices]
    told = "".join(f"<li>{escape(n)}</li>" for n in [*result.notices, *notes, *of_objects])
    error = f'<p class="bad">{escape(result.error)}</p>' if result.error else ""
    return (
        f'<article class="card object" id="{anchor}">{head}{error}{pictures}{_objects_table(result, columns)}'
        f'<dl class="facts">{listed}</dl>{f"<ul class=told>{told}</ul>" if told else ""}</article>'
    )


def _objects_table(result: SceneResult, columns: Sequence[Columns]) -> str:
    """One line per ground-truth object, with every measure of objects; missing ones are marked."""
    if not result.objects:
        return ""
    groups = [(c, [m for m in c.measures if m.level == "object"]) for c in columns]
    groups = [(c, measures) for c, measures in groups if measures and scores_of(result, c)]
    values = [[number(e.value, m) for e in entries_of(result, c, m)] for c, measures in groups for m in measures]
    above = "".join(f'<th class="n group" colspan="{len(ms)}">{escape(c.name)}</th>' for c, ms in groups)
    titles = "".join(f"<th class=n>{escape(heading(m))}</th>" for _, measures in groups for m in measures)
    names = "<th>Object</th><th>Prediction</th><th class=n>Visible</th>"
    head = (f"<tr><th colspan=3></th>{above}</tr>" if groups else "") + f"<tr>{names}{titles}</tr>"
    lines = []
    for i, item in enumerate(result.objects):
        css = " class=lost" if is_lost(result, item) else ""
        cells = "".join(f"<td class=n>{column[i]}</td>" for column in values)
        lines.append(f"<tr{css}>{_names(result, item)}{cells}</tr>")
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{"".join(lines)}</tbody></table></div>'


def _names(result: SceneResult, item: ObjectRow) -> str:
    r, g, b = id_colour(item.id)
    swatch = f'<span class="swatch" style="background:rgb({r},{g},{b})"></span>'
    seen = DASH if item.visible_fraction is None else f"{100 * item.visible_fraction:.0f} %"
    partner = item.partner or "missing"
    if is_lost(result, item) and item.partner:
        partner += " (failed)"
    elif item.status == "flagged":
        partner += " (flagged)"
    return f"<td>{swatch} {escape(item.name)}</td><td>{escape(partner)}</td><td class=n>{seen}</td>"
