"""What a training would cost, measured on a few steps; nothing is written and the model is left as it was."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scenemaker.device import PeakMemory
from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.training.options import TrainOptions  # noqa: E402
from scenemaker.training.stepper import Stepper  # noqa: E402
from scenemaker.training.types import Task  # noqa: E402

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Cost of a training.

    Attributes:
        parameters: Of the model; ``trained`` of them; ``by_part`` for each of its direct parts.
        memory_mib: "weights", "gradients", "optimizer", "average", and "step": what a step takes beside these
            (activations, the batch), from the measured peak.
        seconds_per_step: Median of the measured steps, data included.
        steps: That the budget gives; ``samples`` likewise, ``minutes`` the time they take.
        checkpoint_mib: One checkpoint; ``weights_mib``: the averaged weights in float32.
    """

    device: str
    parameters: int
    trained: int
    by_part: Mapping[str, int]
    memory_mib: Mapping[str, float]
    seconds_per_step: float
    samples_per_second: float
    steps: int
    samples: int
    minutes: float
    checkpoint_mib: float
    weights_mib: float

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {number / 1e6:.2f} M" for name, number in self.by_part.items())
        memory = ", ".join(f"{name} {mib:.0f}" for name, mib in self.memory_mib.items())
        return "\n".join(
            [
                f"parameters  {self.parameters / 1e6:.2f} M, {self.trained / 1e6:.2f} M trained ({parts})",
                f"memory      {sum(self.memory_mib.values()):.0f} MiB on {self.device} ({memory})",
                f"speed       {self.seconds_per_step:.3g} s a step, {self.samples_per_second:.3g} samples a second",
                f"budget      {self.steps} steps, {self.samples} samples, {self.minutes:.1f} minutes",
                f"files       {self.checkpoint_mib:.0f} MiB a checkpoint, {self.weights_mib:.0f} MiB of weights",
            ]
        )


def plan(task: Task, options: TrainOptions, *, steps: int = 3) -> Plan:
    """Does a first step and ``steps`` measured ones, then puts the weights back.

    Raises:
        ConfigError, DeviceError: As ``train`` would.
    """
    stepper = Stepper(task, options)
    device = stepper.device
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    memory, resident = PeakMemory(str(device)), _resident_mib(device)
    times, samples = [], 0
    for step in range(steps + 1):
        started = time.perf_counter()
        batches = [task.batch(number) for number in stepper.numbers(step)]
        samples = stepper.step(step, batches, 0.0).samples  # it reads the loss: the device has finished
        times.append(time.perf_counter() - started)
    peak = memory.cuda_mib() if device.type == "cuda" else memory.host_mib()
    seconds = sorted(times[1:])[steps // 2]  # the first one starts libraries and compiles

    tensors = stepper.tensors()
    trained = _mib(stepper.parameters)
    fixed = {
        "weights": _mib(before),
        "gradients": trained,
        "optimizer": _mib({k: v for k, v in tensors.items() if k.startswith("optimizer.")}),
        "average": _mib(stepper.average.values),
    }
    step_mib = max((peak or 0.0) - resident - fixed["gradients"] - fixed["optimizer"], 0.0)
    task.model.load_state_dict(before)

    total = _steps(options, seconds)
    return Plan(
        device=str(device),
        parameters=sum(p.numel() for p in task.model.parameters()),
        trained=sum(p.numel() for p in stepper.parameters.values()),
        by_part={name: sum(p.numel() for p in part.parameters()) for name, part in task.model.named_children()},
        memory_mib={**fixed, "step": step_mib},
        seconds_per_step=seconds,
        samples_per_second=samples / seconds,
        steps=total,
        samples=total * samples,
        minutes=total * seconds / 60,
        checkpoint_mib=_mib(tensors),
        weights_mib=_mib(before),
    )


def _steps(options: TrainOptions, seconds: float) -> int:
    """That the budget gives, at so many seconds each."""
    of_time = max(math.ceil(60 * options.minutes / seconds), 1) if options.minutes else None
    return min(n for n in (options.steps, of_time) if n is not None)


def _mib(tensors: Mapping[str, Tensor]) -> float:
    return sum(t.numel() * t.element_size() for t in tensors.values()) / MIB


def _resident_mib(device: torch.device) -> float:
    """What is in memory now: of the device, or of this process."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device) / MIB
    import psutil  # a dependency of accelerate

    return psutil.Process().memory_info().rss / MIB
