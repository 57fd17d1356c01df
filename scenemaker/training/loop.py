"""The training loop, one for every ``Task``: one CPU, one GPU, or many processes under ``accelerate launch``.

::

    out/
        checkpoints/step-00000500/   all that is needed to go on, in parts (see ``checkpoints``)
        weights/                     the averaged weights, as the task writes them for users
        log.jsonl  validation.md  tensorboard/
        old-1/                       all of this, of a training in whose place a new one was started
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from scenemaker.cache import locked, output_errors
from scenemaker.training.batches import ahead
from scenemaker.training.checkpoints import newest
from scenemaker.training.curves import BOARD, LOG, TABLE, Curves
from scenemaker.training.options import TrainOptions
from scenemaker.training.run import CHECKPOINTS, WEIGHTS, Run
from scenemaker.training.schedule import crossed
from scenemaker.training.stepper import Stepper
from scenemaker.training.stopping import stop_signals
from scenemaker.training.types import Task

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """After a step: steps done, loss, learning rate, samples per second of this run, share of the budget, time left."""

    step: int
    loss: float
    lr: float
    samples_per_second: float
    share: float
    seconds_left: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run of ``train`` did.

    Attributes:
        stopped: "done" (the budget is spent), "paused" (``pause_minutes``) or "interrupted" (a signal came).
        steps: Done in all runs of this training; ``seconds`` and ``samples`` likewise.
        losses: "loss" and what is plotted beside it, of the last step of this run; empty when it did none.
        best: Step and measures of the validation with the lowest first measure, or None.
        files: Checkpoint, weights, log, table, TensorBoard folder.
    """

    stopped: str
    steps: int
    seconds: float
    samples: int
    losses: Mapping[str, float]
    best: tuple[int, Mapping[str, float]] | None
    files: tuple[Path, ...]


def train(
    task: Task,
    options: TrainOptions,
    out: Path,
    *,
    facts: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    resume: bool = True,
) -> Report:
    """Trains until the budget is spent, a pause is due, or Ctrl-C; a training that was stopped goes on.

    It goes on exactly, to the bit, under a budget of steps on one kind of device. Under one of minutes the learning
    rate and the averaging hang on the clock, so that no two runs are alike.

    Args:
        task: What is trained.
        options: How.
        out: Folder of this training, and of it alone.
        facts: Plain data that shapes the result (configs of model and data): it is kept with the weights, and a
            training goes on only under the same.
        progress: Called after every step, in the main process.
        resume: Goes on from the newest checkpoint in ``out`` where there is one; else what is there is moved into
            ``out/old-1`` (or the next free number), and a new training begins.

    Raises:
        ConfigError: Options or facts are not those of the checkpoint.
        TrainingError: The loss stays infinite or NaN.
        CacheError: The checkpoint is damaged.
        DeviceError: A step does not fit into memory.
        OutputError: The folder cannot be written.
    """
    with ExitStack() as stack:
        stepper = Stepper(task, options)
        main = stepper.accelerator.is_main_process
        if main:
            stack.enter_context(locked(out))
            if not resume:
                set_aside(out)
        stepper.accelerator.wait_for_everyone()
        run = Run(stepper, out, dict(facts or {}))
        curves = stack.enter_context(closing(Curves(out, run.step))) if main else None
        numbers = (number for step in count(run.step) for number in stepper.numbers(step))
        batches = stack.enter_context(closing(ahead(stepper.batch, numbers, options.prefetch)))
        stop = stack.enter_context(stop_signals())

        losses: Mapping[str, float] = {}
        while not (stopped := run.tick(stop)):
            if run.validation_due:
                run.validate(curves)
            if run.saving_due:
                run.save()
            losses = run.advance(list(islice(batches, options.accumulate)))
            if curves and crossed(run.step - 1, run.step, options.log_steps):
                curves.step(run.step, run.seconds, losses)
            if progress and main:
                progress(Progress(step=run.step, loss=losses["loss"], lr=losses["lr"], **run.pace()))
        if stopped == "done":
            run.validate(curves)
        elif main:
            logger.warning("%s at step %d of %s; the same command goes on", stopped, run.step, options.budget)
        written = run.save()
        return Report(
            stopped=stopped,
            steps=run.step,
            seconds=run.seconds,
            samples=run.samples,
            losses=losses,
            best=curves.best if curves else None,
            files=(*written, *(curves.files if curves else ())),
        )


def can_resume(out: Path) -> bool:
    """Whether a folder holds a training to go on with."""
    return newest(out / CHECKPOINTS) is not None


def set_aside(out: Path) -> Path | None:
    """Moves all that a training wrote into ``old-1``, ``old-2``, ... of its folder; None if there is nothing.

    Raises:
        OutputError: The folder cannot be written.
    """
    there = [path for name in (CHECKPOINTS, WEIGHTS, LOG, TABLE, BOARD) if (path := out / name).exists()]
    if not there:
        return None
    old = next(path for i in count(1) if not (path := out / f"old-{i}").exists())
    with output_errors(out):
        old.mkdir()
        for path in there:
            path.replace(old / path.name)
    logger.warning("the training in %s is now in %s", out, old)
    return old
