"""Measures and their values as text for people."""

from __future__ import annotations

from math import isfinite

from scenemaker.evaluation.bins import BINS
from scenemaker.evaluation.summary import Visible
from scenemaker.evaluation.types import Measure

DASH = "–"
ARROWS = {"higher": "↑", "lower": "↓"}


def number(value: float | None, measure: Measure) -> str:
    """The value with the measure's digits, or a dash; without a minus before zero."""
    if value is None or not isfinite(value):
        return DASH
    return f"{round(value, measure.digits) + 0.0:.{measure.digits}f}"


def heading(measure: Measure) -> str:
    """Title and the way that is better."""
    return f"{measure.title} {ARROWS[measure.better]}"


def definition(measure: Measure) -> str:
    """What a column is, and what missing objects do to it."""
    kind = measure.level
    lost = (
        f"a missing {kind} is left out"
        if measure.missing is None
        else f"a missing {kind} counts as {measure.missing:g}"
    )
    pool = "" if kind == "scene" else f"; mean over {'all objects' if measure.pool == 'objects' else 'scenes'}"
    return f"{measure.text.rstrip('.')}; {lost}{pool}."


def visible_text(visible: Visible) -> str:
    """A bin for people: "0-40 %"."""
    if isinstance(visible, str):
        return visible
    low, high = BINS[visible]
    return f"{100 * low:.0f}–{100 * high:.0f} %"
