"""What a table is made of, in a line: protocol, scenes and objects, alignment, what did not go as planned, command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from scenemaker.evaluation.own_scores import Columns, failure_of, scores_of
from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.summary import Counts, Summary

WAYS = 4  # of alignment, told one by one
NOTES = 5  # told one by one
UNKNOWN = "†"  # beside a number that lacks scenes whose objects are not known
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")


def caption(
    rows: Mapping[str, Sequence[SceneResult]], columns: Columns, sums: Mapping[str, Summary], command: str = ""
) -> str:
    """The caption of a table of these evaluations; ``sums`` is over all of their objects."""
    told: dict[str, list[str]] = {}
    for label, results in rows.items():
        parts = [counts_text(sums[label].counts), f"alignment: {alignment_text(results)}"]
        parts += [f"{kind}: {text}" for kind, text in notes_texts(results, columns).items() if text]
        told.setdefault("; ".join(parts), []).append(label)
    each = [text if len(told) == 1 else f"{', '.join(labels)}: {text}" for text, labels in told.items()]
    made_by = [f"made by: {command}"] if command else []
    return " · ".join([f"Protocol {columns.name} ({columns.source})", *each, *made_by])


def counts_text(counts: Counts) -> str:
    """Scenes and objects in one line."""
    states = [f"{counts.ok} ok", f"{counts.missing} missing", f"{counts.failed} failed"]
    states += [f"{counts.unusable} unusable ground truth"] if counts.unusable else []
    parts = [f"{plural(counts.scenes, 'scene')} ({', '.join(states)})"]
    parts += [f"{counts.unscored} of them not measured"] if counts.unscored else []
    parts.append(f"{plural(counts.objects, 'object')}, {counts.lost} missing, {counts.extra} extra")
    if counts.unknown:
        parts.append(f"{UNKNOWN} lacks {plural(counts.unknown, 'scene')} of unknown objects")
    return "; ".join(parts)


def alignment_text(results: Sequence[SceneResult]) -> str:
    """How predictions were brought into the ground truth's frame, each way with how often."""
    return _most_frequent([r.alignment for r in results if r.alignment], WAYS) or "none"


def notes_texts(results: Sequence[SceneResult], columns: Columns) -> dict[str, str]:
    """What a protocol has to say ("notes"), and why it could not measure ("errors"), each with how often."""
    notes = [n for r in results if (s := scores_of(r, columns)) is not None for n in s.notes]
    errors = [e for r in results if (e := failure_of(r, columns)) is not None]
    return {"notes": _most_frequent(notes, NOTES), "errors": _most_frequent(errors, NOTES)}


def _most_frequent(texts: Iterable[str], most: int) -> str:
    """Texts that differ in their numbers alone are told together, the numbers as "#"."""
    kinds: dict[str, list[str]] = {}
    for text in texts:
        kinds.setdefault(NUMBER.sub("#", text), []).append(text)
    ordered = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    told = [f"{len(same)} × [{same[0] if len(set(same)) == 1 else kind}]" for kind, same in ordered[:most]]
    others = sum(len(same) for _, same in ordered[most:])
    return ", ".join([*told, f"{others} × others"] if others else told)


def plural(n: int, noun: str) -> str:
    """A number with its noun: "1 scene", "2 scenes"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
