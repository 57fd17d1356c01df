"""The state of a training: what has been done, when to stop, and how it is kept."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scenemaker.cache import output_errors
from scenemaker.errors import ConfigError, DeviceError, TrainingError, expected, needs

needs("torch", "train")
import torch  # noqa: E402

from scenemaker.training.checkpoints import load_checkpoint, newest, save_checkpoint  # noqa: E402
from scenemaker.training.curves import Curves  # noqa: E402
from scenemaker.training.schedule import crossed, spent  # noqa: E402
from scenemaker.training.stepper import Stepper  # noqa: E402
from scenemaker.training.stopping import Stop  # noqa: E402

logger = logging.getLogger(__name__)
CHECKPOINTS, WEIGHTS = "checkpoints", "weights"
PATIENCE = 10  # steps in a row without a finite gradient


class Run:
    """One run of a training, from where the last one stopped.

    Attributes:
        step: Steps done, over all runs.
        seconds: Time taken, over all runs, as of the last ``tick``; equal in all processes.
        samples: Seen, over all runs.
    """

    def __init__(self, stepper: Stepper, out: Path, facts: Mapping[str, Any]) -> None:
        self._stepper, self._options, self._out = stepper, stepper.options, out
        self._process = stepper.accelerator
        self._result = _plain(
            {
                "task": stepper.task.name,
                "options": self._options.result(self._process.num_processes),
                "facts": facts,
            }
        )
        self.step, self.seconds, self.samples = 0, 0.0, 0
        self._validated, self._saved = (0, 0.0), (-1, 0.0)  # step and seconds of the last one
        self._refused = 0  # steps in a row
        self._restore()
        self._first = (self.seconds, self.samples)
        self._started = time.monotonic()

    def tick(self, stop: Stop) -> str:
        """Agrees with all processes on the time, and returns why to stop: "done", "paused", "interrupted" or ""."""
        seconds, signals = self._first[0] + time.monotonic() - self._started, float(stop.name is not None)
        if self._process.num_processes > 1:  # the clock of the main process, the signal of any
            mine = [seconds if self._process.is_main_process else 0.0, signals]
            both: Any = self._process.reduce(torch.tensor(mine, device=self._process.device), "sum")
            seconds, signals = both.tolist()
        self.seconds = seconds
        pause = self._options.pause_minutes
        if self.share >= 1:
            return "done"
        if signals:
            return "interrupted"
        return "paused" if pause and seconds - self._first[0] >= 60 * pause else ""

    @property
    def share(self) -> float:
        """Of the budget that is spent."""
        return spent(self._options, self.step, self.seconds)

    @property
    def validation_due(self) -> bool:
        """Whether a validation became due since the last one, by steps or by time."""
        (step, seconds), minutes = self._validated, self._options.validate_minutes
        by_time = crossed(seconds, self.seconds, minutes and 60 * minutes)
        return by_time or crossed(step, self.step, self._options.validate_steps)

    @property
    def saving_due(self) -> bool:
        """Whether a checkpoint became due since the last one."""
        return crossed(self._saved[1], self.seconds, 60 * self._options.save_minutes)

    def advance(self, batches: Sequence[Any]) -> dict[str, float]:
        """Does one step and returns its losses."""
        with self._memory_errors():
            done = self._stepper.step(self.step, batches, self.share)
        self.step += 1
        self.samples += done.samples
        self._refused = 0 if done.updated else self._refused + 1
        if not done.updated:
            logger.warning("step %d: the loss or its gradient is not finite; the weights stay as they are", self.step)
        if self._refused == PATIENCE:
            got = f"NaN or infinity at {PATIENCE} steps in a row, the last of them step {self.step}"
            remedy = f"start anew with a lower lr or clip; {self._kept()}"
            raise TrainingError(expected("a finite loss and gradient", got=got, remedy=remedy))
        return done.values

    def pace(self) -> dict[str, float]:
        """Samples per second of this run, share of the budget spent, seconds left."""
        seconds = time.monotonic() - self._started
        share = self.share
        return {
            "samples_per_second": (self.samples - self._first[1]) / max(seconds, 1e-9),
            "share": share,
            "seconds_left": (self._first[0] + seconds) * (1 - share) / share if share else float("inf"),
        }

    def validate(self, curves: Curves | None) -> None:
        """Measures the averaged weights, unless that was done at this step; in the main process, the others wait."""
        if self._validated[0] == self.step:
            return
        if curves is not None:
            with self._memory_errors(), self._stepper.averaged() as model:
                measures = self._stepper.task.validate(model)
            curves.validation(self.step, self.seconds, measures)
            logger.info("step %d: %s", self.step, ", ".join(f"{k} {v:.4g}" for k, v in measures.items()))
        self._validated = (self.step, self.seconds)
        self._process.wait_for_everyone()

    def save(self) -> tuple[Path, ...]:
        """Writes checkpoint and averaged weights, unless that was done at this step; main process, the others wait."""
        folder, weights = self._out / CHECKPOINTS, self._out / WEIGHTS
        new = self._saved[0] != self.step
        if self._process.is_main_process and (new or not weights.is_dir()):  # somebody may have removed the weights
            state = {
                **self._result,
                "budget": self._options.budget,
                "seconds": self.seconds,
                "samples": self.samples,
                "validated": self._validated,
            }
            with self._stepper.averaged() as model, output_errors(weights):
                weights.mkdir(parents=True, exist_ok=True)
                training = {"step": self.step, **state, "options": self._options.model_dump(mode="json")}
                self._stepper.task.write(model, weights, _plain(training))
            if new:
                tensors, options = self._stepper.tensors(), self._options
                save_checkpoint(folder, self.step, tensors, state, part_mib=options.part_mib, keep=options.keep)
        self._saved = (self.step, self.seconds)
        self._process.wait_for_everyone()
        return folder, weights

    def _restore(self) -> None:
        path = newest(self._out / CHECKPOINTS)
        if path is None:
            return
        tensors, facts = load_checkpoint(path)
        _same_result(self._result, facts)
        self._stepper.load(tensors)
        self.step, self.seconds, self.samples = facts["step"], facts["seconds"], facts["samples"]
        self._validated, self._saved = tuple(facts["validated"]), (self.step, self.seconds)
        logger.info("goes on from %s", path)
        if facts["budget"] != self._options.budget:
            logger.warning("the budget is now %s; it was %s", self._options.budget, facts["budget"])

    @contextmanager
    def _memory_errors(self) -> Iterator[None]:
        try:
            yield
        except (torch.cuda.OutOfMemoryError, MemoryError, RuntimeError) as error:
            full = isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError))
            if not full and "can't allocate memory" not in str(error):  # what torch says on a CPU
                raise
            got = f"out of memory at step {self.step + 1} ({str(error).splitlines()[0]})"
            remedy = f"take smaller batches and accumulate more of them, or precision bf16; {self._kept()}"
            raise DeviceError(
                expected(f"a step that fits into {self._process.device}", got=got, remedy=remedy)
            ) from error

    def _kept(self) -> str:
        path = newest(self._out / CHECKPOINTS)
        return f"{path} is kept" if path else "no checkpoint was written yet"


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back, so that it can be compared with what was read."""
    return json.loads(json.dumps(value))


def _same_result(mine: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    now, then = _flat({key: mine[key] for key in mine}), _flat({key: kept.get(key) for key in mine})
    for name in sorted(now.keys() | then.keys()):
        a, b = (json.dumps(d[name]) if name in d else "nothing" for d in (now, then))
        if a != b:
            what = f"{name} {b} as in the checkpoint"
            raise ConfigError(expected(what, got=a, remedy="take that, or start anew (--fresh)"))


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {name: value}
    return {k: v for key, inner in value.items() for k, v in _flat(inner, f"{name}.{key}" if name else key).items()}
