"""The blocks of the report page as HTML: score tiles, the table of stages, figures, one card per object.

Whatever comes from outside (names, labels, notices, backends) goes through ``escape``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from scenemaker.evaluation.selfcheck import ObjectScores, SceneScores
from scenemaker.export.glb import quat_xyzw_from_R
from scenemaker.scene import U8, Instance, ObjectView, PlacedObject
from scenemaker.viewer.pictures import added_share, id_colour

STATUS_CLASS = {"ok": "good", "flagged": "fair", "skipped": "bad"}


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture with its caption; ``key`` is its file name."""

    key: str
    title: str
    text: str
    rgb: U8


def figure_html(figure: Figure, uri: str, css: str) -> str:
    """A figure with its caption; the caption is also its ``alt`` text."""
    title, text = escape(figure.title), escape(figure.text)
    caption = f"<figcaption><b>{title}</b> {text}</figcaption>"
    return f'<figure class="{css}"><img src="{uri}" alt="{title}, {text}">{caption}</figure>'


def tiles_html(scores: SceneScores) -> str:
    """One tile per score of the scene."""
    pairs = ", ".join(f"{p.a} and {p.b}: {p.share:.0%}" for p in scores.penetrations[:4])
    more = len(scores.penetrations) - 4
    pairs += f", {more} more" if more > 0 else ""
    tiles = [
        (
            "Mask IoU",
            number(scores.mask_iou, "{:.3f}"),
            grade(scores.mask_iou, 0.9, 0.7),
            "rendered against visible masks",
        ),
        ("Coverage", number(scores.coverage, "{:.1%}"), grade(scores.coverage, 0.95, 0.85), "of the masks' pixels"),
        ("Depth error", number(scores.depth_error, "{:.2%}"), grade(scores.depth_error, 0.03, 0.1), "median, relative"),
        ("Colour error", number(scores.colour_error, "{:.1f}"), "", "of 255, mean inside the masks"),
        (
            "Floating",
            number(scores.floating, "{:.1%}"),
            grade(scores.floating, 0.02, 0.1),
            "of its height, the worst held by nothing",
        ),
        (
            "Penetration",
            number(scores.penetration, "{:.1%}"),
            grade(scores.penetration, 0.02, 0.1),
            pairs or "no two objects overlap",
        ),
    ]
    return "".join(
        f'<div class="card tile"><div class="name">{name}</div><div class="value {css}">{value}</div>'
        f'<div class="hint">{escape(hint)}</div></div>'
        for name, value, css, hint in tiles
    )


def stages_html(stages: Sequence[Any]) -> str:
    """The table of stages: backend, licence, time, memory."""
    names = "".join(f"<th>{n}</th>" for n in ("Stage", "Backend", "Licence", "Result"))
    head = f'<tr>{names}<th class="n">Time</th><th class="n">Peak memory</th></tr>'
    rows = "".join(
        f"<tr><td>{escape(s.stage)}</td><td>{escape(s.backend)}</td><td>{escape(s.licence)}</td>"
        f'<td>{escape(_origin(s))}</td><td class="n">{s.seconds:.2f} s</td><td class="n">{s.peak_mib:.0f} MiB</td></tr>'
        for s in stages
    )
    if not rows:
        return ""
    total, peak = sum(s.seconds for s in stages), max(s.peak_mib for s in stages)
    sums = f'<td class="n">{total:.2f} s</td><td class="n">{peak:.0f} MiB</td>'
    foot = f'<tfoot><tr><td colspan="4">together</td>{sums}</tr></tfoot>'
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody>{foot}</table>"


def _origin(stage: Any) -> str:
    """Where the result comes from, and what it took when that was not now."""
    return stage.origin if stage.origin == "computed" else f"{stage.origin} ({stage.computed_seconds:.2f} s)"


def object_html(
    item: Instance,
    placed: PlacedObject | None,
    cut: ObjectView | None,
    completed: ObjectView | None,
    scores: ObjectScores | None,
    uris: Mapping[str, str],
    unit: str,
) -> str:
    """One object: its crop, its completed view, its mesh from four sides, its pose, scores and notices."""
    status = placed.status if placed is not None else "skipped"
    r, g, b = id_colour(item.id)
    name = escape(item.name)
    label = f'<span class="id">{escape(item.label)}</span>' if item.label else ""
    head = (
        f'<div class="head"><span class="swatch" style="background:rgb({r},{g},{b})"></span><h3>{name}</h3>'
        f'<span class="id">id {item.id}</span>{label}'
        f'<span class="badge {STATUS_CLASS.get(status, "fair")}">{escape(status)}</span></div>'
    )
    cells = []
    if "crop" in uris and cut is not None:
        cells.append(figure_html(Figure("", "Photo", _cut_text(cut), _NONE), uris["crop"], ""))
    if "completed" in uris and completed is not None:
        cells.append(figure_html(Figure("", "Completed", _completed_text(completed), _NONE), uris["completed"], ""))
    if "turns" in uris:
        names = "".join(f"<span>{n}</span>" for n in ("front", "left 35°", "right 35°", "above"))
        alt = f"Mesh of {name} from the front, the left, the right and above, with texture and as clay"
        cells.append(
            f'<div class="strip"><img src="{uris["turns"]}" alt="{alt}"><div class="names">{names}</div></div>'
        )
    facts = {**_score_facts(scores), **_pose_facts(placed, unit)}
    listed = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    told = "".join(f"<li>{escape(n)}</li>" for n in (placed.notices if placed is not None else ("not in the scene",)))
    told = f'<ul class="told">{told}</ul>' if told else ""
    row = f'<div class="row">{"".join(cells)}</div>' if cells else ""
    return f'<article class="card object">{head}{row}<dl class="facts">{listed}</dl>{told}</article>'


_NONE = np.zeros((0, 0, 3), np.uint8)


def _cut_text(view: ObjectView) -> str:
    cuts = [f"by object {i}" for i in view.cut_by] + [f"by the {s} border" for s in view.cut_sides]
    return "cut " + ", ".join(cuts) if cuts else "seen whole"


def _completed_text(view: ObjectView) -> str:
    share = added_share(view.mask_modal, view.mask_amodal)
    return f"{share:.0%} added" if view.completed and share >= 0.005 else "left as it is"


def _score_facts(scores: ObjectScores | None) -> dict[str, str]:
    if scores is None or scores.status == "skipped":
        return {}
    support = scores.support
    return {
        "mask IoU": number(scores.mask_iou, "{:.3f}"),
        "depth error": number(scores.depth_error, "{:.2%}"),
        "colour error": number(scores.colour_error, "{:.1f}"),
        "above ground": number(scores.floating, "{:.1%}"),
        "stands on": "nothing found"
        if support is None
        else f"object {support}"
        if isinstance(support, int)
        else support,
    }


def _pose_facts(placed: PlacedObject | None, unit: str) -> dict[str, str]:
    if placed is None or placed.pose is None:
        return {}
    pose, mesh = placed.pose, placed.mesh
    out = {
        "position (cam)": _triple(pose.t_cam_obj) + unit,
        "size": _triple(pose.size, " × ") + unit,
        "rotation (xyzw)": _triple(quat_xyzw_from_R(pose.R_cam_obj)),
        "scale": "per axis" if pose.scale is None else f"{pose.scale:.3g}",
    }
    if mesh is not None:
        out["mesh"] = f"{len(mesh.vertices):,} vertices, {len(mesh.faces):,} faces"
    return out


def _triple(values: Any, between: str = ", ") -> str:
    return between.join(f"{v:.3g}" for v in np.asarray(values, np.float64) + 0.0)


def number(value: float | None, form: str) -> str:
    """The value in a format, or a dash; rounded to zero it has no sign."""
    if value is None:
        return "–"
    text = form.format(value)
    return text if any(c in "123456789" for c in text) else form.format(0)


def grade(value: float | None, good: float, fair: float) -> str:
    """CSS class of a score; which way is better follows from the order of the two limits."""
    if value is None:
        return ""
    value, good, fair = (value, good, fair) if good > fair else (-value, -good, -fair)
    return "good" if value >= good else "fair" if value >= fair else "bad"
