"""One step of training: gradients of all processes, AdamW, the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenemaker.device import check_device
from scenemaker.errors import ConfigError, expected, needs

needs("torch", "train")
needs("accelerate", "train")
import torch  # noqa: E402
from accelerate import Accelerator  # noqa: E402
from accelerate.state import AcceleratorState  # noqa: E402
from accelerate.utils import DistributedDataParallelKwargs  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.training.ema import Average  # noqa: E402
from scenemaker.training.options import TrainOptions  # noqa: E402
from scenemaker.training.schedule import ema_decay, learning_rate  # noqa: E402
from scenemaker.training.types import Task  # noqa: E402


@dataclass(frozen=True, kw_only=True)
class Done:
    """What one step did.

    Attributes:
        values: "loss", what the task plots beside it, "gradient" (norm before clipping) and "lr": means over all
            batches of all processes.
        samples: That it saw, of all processes.
        updated: False when the gradient was not finite, so that the weights were left as they are.
    """

    values: dict[str, float]
    samples: int
    updated: bool


class Stepper:
    """A model with its optimizer and its average, on the device and in the process group.

    Step s takes the batches s * n to (s + 1) * n - 1, n = accumulate * processes. Batch and noise depend on that
    number alone: nothing of the data is in a checkpoint, and two processes do what one does that accumulates two.
    """

    def __init__(self, task: Task, options: TrainOptions) -> None:
        self.task, self.options = task, options
        self.accelerator = _accelerator(options)
        self.device = self.accelerator.device
        task.model.to(self.device)
        if options.compile:
            _compile(task)
        names = _trained(task)
        groups = _groups(task, options.weight_decay)
        self.parameters = {names[p]: p for group in groups for p in group["params"]}  # in the optimizer's order
        on_gpu = self.device.type == "cuda"
        self.optimizer = torch.optim.AdamW(groups, lr=options.lr, betas=options.betas, fused=on_gpu)
        self.loss = self.accelerator.prepare_model(_Loss(task, options, self.device.type))
        self.average = Average(self.parameters)

    @property
    def batches(self) -> int:
        """Per step, of all processes."""
        return self.options.accumulate * self.accelerator.num_processes

    def numbers(self, step: int) -> list[int]:
        """Of the batches that this process sees in a step."""
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        return [step * self.batches + i * processes + rank for i in range(self.options.accumulate)]

    def batch(self, number: int) -> Any:
        """The task's batch of a number, made in any thread: each has a CUDA device of its own that is in use."""
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        return self.task.batch(number)

    def step(self, step: int, batches: Sequence[Any], share: float) -> Done:
        """Does one step.

        Args:
            step: Steps done before.
            batches: Those of ``numbers(step)``.
            share: Of the budget that is spent, for the schedules.
        """
        lr = learning_rate(self.options, step, share)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["factor"]
        self.optimizer.zero_grad()
        seen: list[dict[str, Tensor]] = []
        for i, (number, batch) in enumerate(zip(self.numbers(step), batches, strict=True), start=1):
            # gradients of the processes are averaged once, with the last batch
            with nullcontext() if i == len(batches) else self.accelerator.no_sync(self.loss):
                loss, parts = self.loss(batch.to(self.device), _noise(self.options.seed, number))
                (loss / len(batches)).backward()
            seen.append({"loss": loss.detach(), **{name: value.detach() for name, value in parts.items()}})
        norm = nn.utils.clip_grad_norm_(self.parameters.values(), self.options.clip)
        values = {**self._mean(seen), "gradient": float(norm), "lr": lr}
        updated = math.isfinite(values["gradient"]) and math.isfinite(values["loss"])
        if updated:
            self.optimizer.step()
            self.average.update(ema_decay(self.options, step, share))
        samples = sum(map(samples_of, batches)) * self.accelerator.num_processes
        return Done(values=values, samples=samples, updated=updated)

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """The model with the averaged weights, for validation and writing."""
        modes = {module: module.training for module in self.task.model.modules()}
        self.task.model.eval()
        try:
            with self.average.in_model(), torch.no_grad():
                yield self.task.model
        finally:
            for module, training in modes.items():
                module.training = training

    def tensors(self) -> dict[str, Tensor]:
        """All that a stopped training needs to go on: model, optimizer, average."""
        model = {f"model.{name}": value for name, value in self.task.model.state_dict().items()}
        average = {f"average.{name}": value for name, value in self.average.values.items()}
        names, state = list(self.parameters), self.optimizer.state_dict()["state"]
        optimizer = {f"optimizer.{key}.{names[i]}": value for i in state for key, value in state[i].items()}
        return {**model, **average, **optimizer}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes what ``tensors`` gave.

        Raises:
            ConfigError: They are those of another model; the text names the first difference.
        """
        _same_shapes({k: v for k, v in self.tensors().items() if not k.startswith("optimizer.")}, tensors)
        model = self.task.model.state_dict()
        self.task.model.load_state_dict({name: tensors[f"model.{name}"] for name in model})
        for name, value in self.average.values.items():
            value.copy_(tensors[f"average.{name}"])
        state: dict[int, dict[str, Tensor]] = {}
        for i, name in enumerate(self.parameters):
            known = {k: f"optimizer.{k}.{name}" for k in ("step", "exp_avg", "exp_avg_sq")}
            if known["step"] in tensors:  # a parameter that never had a gradient has no state
                state[i] = {k: tensors[full] for k, full in known.items()}
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})

    def _mean(self, seen: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
        """Means over batches and processes; a task plots the same names at every step."""
        rows = torch.stack([torch.stack([row[name].float() for name in seen[0]]) for row in seen])  # (batches, names)
        means: Any = self.accelerator.reduce(rows.mean(0), "mean")  # (names,)
        return dict(zip(seen[0], means.tolist(), strict=True))


class _Loss(nn.Module):
    """The task's loss as the forward pass of a module, so that processes may share its gradients."""

    def __init__(self, task: Task, options: TrainOptions, kind: str) -> None:
        super().__init__()
        self.model = task.model
        self._kind, self._bf16 = kind, options.precision == "bf16"
        self._loss = task.loss

    def forward(self, batch: Any, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        with torch.autocast(self._kind, torch.bfloat16, enabled=self._bf16):
            return self._loss(batch, generator)


def samples_of(batch: Any) -> int:
    """Samples in a batch: its length where it has one, else it counts as one."""
    return len(batch) if hasattr(batch, "__len__") else 1


def _accelerator(options: TrainOptions) -> Accelerator:
    device = torch.device(check_device(options.process_device))
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    # Accelerate keeps the device of the first training in this process for all that follow, unless told to forget it
    AcceleratorState._reset_state(reset_partial_state=True)
    # some conditions are dropped at some steps: not every parameter has a gradient in every process
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(cpu=device.type == "cpu", mixed_precision="no", kwargs_handlers=[unused])


def _compile(task: Task) -> None:
    """Compiles the parts that the task names, in place, for batches of any shape."""
    parts = task.compiled()
    if not parts:
        got = f"the task {task.name!r}, which has none"
        raise ConfigError(expected("parts that are worth compiling", got=got, remedy="leave out train.compile"))
    for part in parts:
        part.compile(dynamic=True)


def _trained(task: Task) -> dict[nn.Parameter, str]:
    """The names of the task's parameters. All others of the model get no gradient."""
    names = {p: name for name, p in task.model.named_parameters()}
    listed = {p for group, _ in task.parameters() for p in group}
    if not listed or listed - names.keys():
        got = "one that is not in the model" if listed else "none"
        raise ConfigError(expected("trained parameters of the task's model", got=got, remedy="mend task.parameters()"))
    for p in names:
        p.requires_grad_(p in listed)
    return names


def _groups(task: Task, weight_decay: float) -> list[dict[str, Any]]:
    """The optimizer's: each of the task's in two, matrices and what does not decay (norms, biases, other 1-d ones)."""
    return [
        {"params": chosen, "factor": factor, "weight_decay": decay}
        for group, factor in task.parameters()
        for decay, chosen in (
            (weight_decay, [p for p in group if p.ndim > 1]),
            (0.0, [p for p in group if p.ndim <= 1]),
        )
        if chosen
    ]


def _noise(seed: int, number: int) -> torch.Generator:
    """The stream of one batch's noise, on the CPU."""
    mixed = np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(mixed[0]))


def _same_shapes(mine: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    for name in sorted(mine.keys() | {k for k in given if not k.startswith("optimizer.")}):
        a, b = (tuple(d[name].shape) if name in d else "nothing" for d in (mine, given))
        if a != b:
            got = f"{b} for {name} in the checkpoint"
            raise ConfigError(expected(f"{a} for {name}", got=got, remedy="use the config it was made with"))
