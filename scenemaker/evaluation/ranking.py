"""Which scenes are the worst, and by which measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scenemaker.errors import ConfigError, expected
from scenemaker.evaluation.own_scores import Columns
from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.summary import Entry, entries_of
from scenemaker.evaluation.types import Measure, mean_or_none

STATES = ("unusable", "failed", "missing", "ok")


def worst_first(results: Iterable[SceneResult], columns: Columns, measure: Measure) -> list[SceneResult]:
    """The scenes from the worst to the best, by the measure, then by name.

    Before all others stand those with an unusable ground truth, then failed, missing, and without a value.

    For this order alone a missing object counts as the worst value of all where the measure itself has none.
    """
    results = list(results)
    sign = -1 if measure.better == "higher" else 1
    known = [sign * e.value for r in results for e in entries_of(r, columns, measure) if e.value is not None]
    bottom = max(known, default=0.0)

    def key(result: SceneResult) -> tuple[int, float, str]:
        bad = mean_or_none([_badness(e, sign, bottom) for e in entries_of(result, columns, measure)])
        if result.state != "ok" or bad is None:
            return STATES.index(result.state), 0.0, result.name
        return len(STATES), -bad, result.name

    return sorted(results, key=key)


def _badness(entry: Entry, sign: int, bottom: float) -> float | None:
    if entry.value is None:
        return bottom if entry.lost else None
    return sign * entry.value


def chosen_measure(protocols: Sequence[Columns], key: str | None = None) -> tuple[Columns, Measure]:
    """The measure that tells good scenes from bad ones.

    Args:
        protocols: That measured.
        key: "PROTOCOL:KEY" (with or without the "@points" of its name) or "KEY"; none takes the first measure of
            objects, or the first of all.

    Raises:
        ConfigError: No such measure.
    """
    every = [(f"{p.name}:{m.key}", p, m) for p in protocols for m in p.measures]
    wanted = [e for e in every if key in (None, e[0], f"{e[1].name.partition('@')[0]}:{e[2].key}", e[2].key)]
    if not wanted:
        remedy = f"choose from: {', '.join(name for name, *_ in every) or 'none'}"
        raise ConfigError(expected("a measure of these protocols", got=repr(key), remedy=remedy))
    _, columns, measure = next((e for e in wanted if e[2].level == "object"), wanted[0])
    return columns, measure
