"""Field types that the configs of layouts and viewpoints share."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import AfterValidator


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if not (np.isfinite(span).all() and span[0] <= span[1]):
        raise ValueError("expected (least, greatest)")
    return span


def _positive(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] <= 0:
        raise ValueError("expected a least value above 0")
    return span


def _not_negative(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] < 0:
        raise ValueError("expected a least value of 0 or more")
    return span


def _counts(span: tuple[int, int]) -> tuple[int, int]:
    if not 1 <= span[0] <= span[1]:
        raise ValueError("expected (least, greatest), from 1")
    return span


Span = Annotated[tuple[float, float], AfterValidator(_ordered)]
PositiveSpan = Annotated[Span, AfterValidator(_positive)]
SpanFromZero = Annotated[Span, AfterValidator(_not_negative)]
Count = Annotated[tuple[int, int], AfterValidator(_counts)]

__all__ = ["Count", "PositiveSpan", "Span", "SpanFromZero"]
