"""Distributions as inline SVG: colours come from the page, so that light and dark both work."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

BARS = 20
WIDTH, HEIGHT = 300, 120  # user units; the picture scales with its column
LEFT, TOP, BASE = 6, 22, 98  # of the plot; BASE is the axis
LONE, LONE_STEP = 20, 58  # width and distance of the bars for what has no value
TAIL = 2.0  # the axis ends at the 98th percentile where the largest value lies so many times as far


def histogram_svg(
    values: Sequence[float],
    median: float | None,
    *,
    digits: int,
    missing: int = 0,
    unknown: int = 0,
    title: str = "",
) -> str:
    """A histogram with its median; what is missing or not known has a bar of its own at the right.

    Args:
        values: Finite numbers.
        median: To mark; it may take more into account than ``values``.
        digits: After the point, in the labels.
        missing: How many values stand for something that is missing.
        unknown: How many could not be told.
        title: For screen readers.
    """
    lone = [(n, css, word) for n, css, word in ((missing, "lost", "missing"), (unknown, "none", "not known")) if n]
    right = WIDTH - LEFT - LONE_STEP * len(lone)
    step = (right - LEFT) / BARS
    counts, low, high, more = _binned(values)
    top = max([*counts, *(n for n, _, _ in lone), 1])
    parts = [_bar(LEFT + i * step, step - 1, n, top, "bar") for i, n in enumerate(counts) if n]
    parts.append(f'<path class="axis" d="M{LEFT} {BASE + 0.5}H{WIDTH - LEFT}"/>')
    if len(set(values)) == 1:
        parts.append(_label((LEFT + right) / 2, BASE + 15, "middle", _text(values[0], digits)))
    elif values:
        parts.append(_label(LEFT, BASE + 15, "start", _text(low, digits)))
        parts.append(_label(right, BASE + 15, "end", ("≥ " if more else "") + _text(high, digits)))
    if values and median is not None:
        x = LEFT + (right - LEFT) * float(np.clip((median - low) / (high - low), 0, 1))
        anchor = "start" if x < LEFT + 60 else "end" if x > right - 60 else "middle"
        parts.append(f'<path class="median" d="M{x:.1f} {TOP - 4}V{BASE}"/>')
        parts.append(_label(x, TOP - 8, anchor, f"median {_text(median, digits)}", "strong"))
    for i, (n, css, word) in enumerate(lone):
        middle = right + (i + 0.55) * LONE_STEP
        parts.append(_bar(middle - LONE / 2, LONE, n, top, css))
        parts.append(_label(middle, BASE - _height(n, top) - 4, "middle", f"{n:,}", "strong"))
        parts.append(_label(middle, BASE + 15, "middle", word))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" class="histogram">'
        f"{''.join(parts)}</svg>"
    )


def _binned(values: Sequence[float]) -> tuple[list[int], float, float, bool]:
    """Counts, both ends of the axis, and whether the last bar holds what lies beyond."""
    if not values:
        return [0] * BARS, 0.0, 1.0, False
    v = np.asarray(values, np.float64)
    low, high = float(v.min()), float(v.max())
    bulk = float(np.percentile(v, 98))
    more = high - low > TAIL * (bulk - low) > 0
    high = bulk if more else high
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):
        pad = max(abs(low) * 0.05, 1e-6)
        low, high = low - pad, high + pad
    counts, _ = np.histogram(v.clip(low, high), bins=BARS, range=(low, high))
    return counts.tolist(), low, high, more


def _bar(x: float, width: float, n: int, top: int, css: str) -> str:
    height = _height(n, top)
    return (
        f'<rect class="{css}" x="{x:.1f}" y="{BASE - height:.1f}" width="{width:.1f}" height="{height:.1f}">'
        f"<title>{n}</title></rect>"
    )


def _height(n: int, top: int) -> float:
    """Of a bar; the smallest one can still be seen."""
    return max(1.5, (BASE - TOP) * n / top)


def _label(x: float, y: float, anchor: str, text: str, css: str = "") -> str:
    css = f' class="{css}"' if css else ""
    return f'<text{css} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _text(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}"  # no minus before zero
