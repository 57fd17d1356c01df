"""Results of many scenes in few numbers: nothing is dropped without being counted.

Whoever misses an object pays what its measure says (``Measure.missing``). Where a measure has no worst value, the
summary tells how many values are left out. A missing or failed scene counts as all of its objects missing, and so does
a scene that a protocol could not measure. Where the objects of a failed scene are not known (its process died), the
scene enters means over scenes with the worst value; wherever it cannot enter, ``Value.unknown`` tells it beside the
number. A scene whose ground truth is unusable is counted and enters nothing: no prediction can be blamed for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean, median
from typing import Literal

from scenemaker.evaluation.bins import BINS, bin_of
from scenemaker.evaluation.own_scores import SELFCHECK, Columns, OwnScores, scores_of
from scenemaker.evaluation.results import ObjectRow, SceneResult
from scenemaker.evaluation.types import Measure

Visible = int | Literal["unknown"]  # index in ``BINS``, or objects whose visible fraction is not known
VISIBLE: tuple[Visible, ...] = (*range(len(BINS)), "unknown")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What was there to measure.

    Attributes:
        scenes: All of them; ``ok`` + ``missing`` + ``failed`` + ``unusable``.
        unusable: Scenes whose ground truth cannot be used.
        unscored: Of the scenes that are ok those which these measures are not known of.
        unknown: Failed scenes whose ground-truth objects are not known.
        objects: Ground-truth objects that are known.
        lost: Those without a predicted object that has a shape and a place, failed and missing scenes included.
        extra: Predicted objects without a partner.
    """

    scenes: int
    ok: int
    missing: int
    failed: int
    unusable: int
    unscored: int
    unknown: int
    objects: int
    lost: int
    extra: int


@dataclass(frozen=True, kw_only=True)
class Value:
    """One measure over all scenes.

    Attributes:
        mean: As ``Measure.pool`` says; None where there is no value.
        median: Over scenes or over objects, by ``Measure.level``.
        count: Values that entered: measured ones and worst values.
        worst: Those of them that stand for something missing.
        total: Scenes or objects there are; ``total - count`` could not be counted.
        unknown: Failed scenes whose objects are not known, so that they are not in ``total`` nor in ``median``.
        blamed: Those of them that entered ``mean`` all the same, with the worst value: none or all.
    """

    mean: float | None
    median: float | None
    count: int
    worst: int
    total: int
    unknown: int = 0
    blamed: int = 0

    @property
    def complete(self) -> bool:
        """Whether every number was measured: nothing left out, nothing counted as missing."""
        return self.count == self.total and not self.worst and not self.unknown


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One protocol over all scenes, or over the objects of one bin of visible fraction."""

    protocol: str
    visible: Visible | None
    counts: Counts
    values: dict[str, Value]


@dataclass(frozen=True)
class Entry:
    """The value of one scene or of one ground-truth object; ``lost`` where it stands for something missing."""

    value: float | None
    lost: bool


def summarise(results: Sequence[SceneResult], columns: Columns, visible: Visible | None = None) -> Summary:
    """Every measure of a protocol over all scenes.

    Args:
        results: Of all scenes. Those without a ground truth count for ``SELFCHECK`` alone.
        columns: The protocol, or ``PICTURES`` or ``SELFCHECK``.
        visible: Only objects of this bin, and only measures of objects; None takes all.
    """
    told = counted(results, columns)
    judged = [r for r in told if r.state != "unusable"]
    rows = [(r, o) for r in judged for o in r.objects if visible is None or bin_name(o) == visible]
    counts = Counts(
        scenes=len(told),
        ok=sum(r.state == "ok" for r in told),
        missing=sum(r.state == "missing" for r in told),
        failed=sum(r.state == "failed" for r in told),
        unusable=len(told) - len(judged),
        unscored=sum(r.state == "ok" and scores_of(r, columns) is None for r in told),
        unknown=sum(_unknown(r) for r in told),
        objects=len(rows),
        lost=sum(is_lost(r, o) for r, o in rows),
        extra=sum(len(r.extra) for r in told),
    )
    measures = [m for m in columns.measures if visible is None or m.level == "object"]
    values = {m.key: _value(judged, columns, m, visible) for m in measures}
    return Summary(protocol=columns.name, visible=visible, counts=counts, values=values)


def counted(results: Sequence[SceneResult], columns: Columns) -> list[SceneResult]:
    """The results that measures apply to: without a ground truth only ``SELFCHECK`` does."""
    return [r for r in results if r.gt or columns.name == SELFCHECK.name]


def bin_name(item: ObjectRow) -> Visible:
    """The bin of visible fraction that an object belongs to."""
    return "unknown" if item.visible_fraction is None else bin_of(item.visible_fraction)


def is_lost(result: SceneResult, item: ObjectRow) -> bool:
    """Whether nothing with a shape and a place stands for an object."""
    failed = item.status in ("failed", "skipped")
    return result.state != "ok" or failed or (bool(result.gt) and item.partner is None)


def scene_value(result: SceneResult, columns: Columns, measure: Measure) -> float | None:
    """The value of a scene: of a measure of objects the mean over those that have one."""
    if _unknown(result):
        return measure.missing
    return _mean([e.value for e in entries_of(result, columns, measure)])


def entries_of(result: SceneResult, columns: Columns, measure: Measure, visible: Visible | None = None) -> list[Entry]:
    """One value per ground-truth object, in order, or the one of the scene; none of an unusable ground truth."""
    if result.state == "unusable":
        return []
    scores = scores_of(result, columns) if result.state == "ok" else None
    if measure.level == "scene":
        lost = scores is None and (result.state != "ok" or not isinstance(columns, OwnScores))
        measured = None if scores is None else _finite(scores.scene.get(measure.key))
        return [Entry(measure.missing if lost else measured, lost)]
    found = (None,) * len(result.objects) if scores is None else scores.objects
    return [
        Entry(measure.missing if s is None else _finite(s.get(measure.key)), s is None)
        for o, s in zip(result.objects, found, strict=True)
        if visible is None or bin_name(o) == visible
    ]


def _value(results: Sequence[SceneResult], columns: Columns, measure: Measure, visible: Visible | None) -> Value:
    scenes = [entries_of(r, columns, measure, visible) for r in results]
    entries = [e for scene in scenes for e in scene]
    known = [e.value for e in entries if e.value is not None]
    unknown = sum(map(_unknown, results)) if measure.level == "object" else 0
    by_scene = measure.level == "object" and measure.pool == "scenes"
    blamed = unknown if by_scene and visible is None and measure.missing is not None else 0
    if by_scene:
        mean = _mean([_mean([e.value for e in scene]) for scene in scenes] + [measure.missing] * blamed)
    else:
        mean = _mean(known)
    return Value(
        mean=mean,
        median=median(known) if known else None,
        count=len(known),
        worst=sum(e.lost and e.value is not None for e in entries),
        total=len(entries),
        unknown=unknown,
        blamed=blamed,
    )


def _unknown(result: SceneResult) -> bool:
    return result.state == "failed" and not result.objects


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of those that are not None: quicker than ``mean_or_none`` where there are a million short lists."""
    known = [v for v in values if v is not None]
    return fmean(known) if known else None


def _finite(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else float(value)
