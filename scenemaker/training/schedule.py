"""What changes over a training, as functions of the step and of the share of the budget that is spent. No torch."""

from __future__ import annotations

import math

from scenemaker.training.options import TrainOptions


def spent(options: TrainOptions, step: int, seconds: float) -> float:
    """Share of the budget that is spent, in [0, 1]: the larger one of steps and of time.

    >>> spent(TrainOptions(steps=100, minutes=10), step=20, seconds=300)
    0.5
    """
    of_steps = step / options.steps if options.steps else 0.0
    of_time = seconds / (60 * options.minutes) if options.minutes else 0.0
    return min(max(of_steps, of_time), 1.0)


def learning_rate(options: TrainOptions, step: int, share: float) -> float:
    """A cosine from ``lr`` to ``final_lr`` over the budget, times a linear rise.

    The rise ends after ``warmup`` steps or a tenth of the budget, whichever comes first: short runs have a short one.

    Args:
        options: Of the training.
        step: Steps done before this one.
        share: Of the budget that is spent before this one.
    """
    rise = min(max((step + 1) / options.warmup, 10 * share), 1.0) if options.warmup else 1.0
    return rise * (options.final_lr + (options.lr - options.final_lr) * (1 + math.cos(math.pi * share)) / 2)


def ema_decay(options: TrainOptions, step: int, share: float) -> float:
    """Rises from ``ema_start`` to ``ema``; while few steps are averaged at most (1 + step) / (10 + step)."""
    start = min(options.ema_start, options.ema)
    return min(start + (options.ema - start) * share, (1 + step) / (10 + step))


def crossed(before: float, now: float, period: float | None) -> bool:
    """Whether a multiple of ``period`` lies in (before, now]: what is due every so many steps or seconds.

    >>> crossed(9, 10, 10), crossed(10, 11, 10), crossed(9, 10, None)
    (True, False, False)
    """
    return period is not None and now // period > before // period
