"""What a table is made of, in a line: protocol, scenes and objects, alignment, command."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from scenemaker.evaluation.own_scores import Columns
from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.summary import Counts, Summary

WAYS = 4  # of alignment, told one by one


def caption(
    rows: Mapping[str, Sequence[SceneResult]], columns: Columns, sums: Mapping[str, Summary], command: str = ""
) -> str:
    """The caption of a table of these evaluations; ``sums`` is over all of their objects."""
    told: dict[str, list[str]] = {}
    for label, results in rows.items():
        text = f"{counts_text(sums[label].counts)}; alignment: {alignment_text(results)}"
        told.setdefault(text, []).append(label)
    each = [text if len(told) == 1 else f"{', '.join(labels)}: {text}" for text, labels in told.items()]
    made_by = [f"made by: {command}"] if command else []
    return " · ".join([f"Protocol {columns.name} ({columns.source})", *each, *made_by])


def counts_text(counts: Counts) -> str:
    """Scenes and objects in one line."""
    states = [(counts.ok, "ok"), (counts.missing, "missing"), (counts.failed, "failed")]
    parts = [f"{plural(counts.scenes, 'scene')} ({', '.join(f'{n} {name}' for n, name in states)})"]
    parts += [f"{counts.unscored} of them not measured"] if counts.unscored else []
    parts.append(f"{plural(counts.objects, 'object')}, {counts.lost} missing, {counts.extra} extra")
    if counts.unreadable:
        parts.append(f"objects of {plural(counts.unreadable, 'scene')} unknown")
    return "; ".join(parts)


def alignment_text(results: Sequence[SceneResult]) -> str:
    """How predictions were brought into the ground truth's frame, each way with how often; its numbers as "#"."""
    ways = Counter(re.sub(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "#", r.alignment) for r in results if r.alignment)
    told = [f"{n} × [{way}]" for way, n in ways.most_common(WAYS)]
    others = ways.total() - sum(n for _, n in ways.most_common(WAYS))
    return ", ".join([*told, f"{others} × others"] if others else told) or "none"


def plural(n: int, noun: str) -> str:
    """A number with its noun: "1 scene", "2 scenes"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
