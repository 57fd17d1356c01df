"""What the training loop asks of a model, a ``Task``; and what pose models ask of data, a ``PoseSource``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.types import PoseBatch  # noqa: E402


class Task(Protocol):
    """One model to train.

    Attributes:
        name: "geometry", "points", "image", "pose", "released".
        model: What is trained; its ``state_dict`` is what is averaged (EMA) and kept.
    """

    name: str

    @property
    def model(self) -> nn.Module:
        """See above."""
        ...

    def parameters(self) -> Sequence[tuple[Sequence[nn.Parameter], float]]:
        """Groups of trained parameters, each with its factor of the learning rate. All others get no gradient."""
        ...

    def compiled(self) -> Sequence[nn.Module]:
        """Parts of the model whose forward pass is worth compiling, for ``TrainOptions.compile``; may be none."""
        ...

    def batch(self, step: int) -> Any:
        """Batch number ``step``: a pure function of it and the task's seed on one kind of device, so that a run that
        was stopped goes on with the data that it would have seen.

        No two batches of a training have one number, whatever process or step they are for: step s of n batches (see
        ``Stepper``) takes the numbers s n to (s + 1) n - 1. It has ``to(device)``, and ``len`` where it holds more than
        one sample.
        """
        ...

    def loss(self, batch: Any, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The loss and what is plotted beside it; all noise comes from ``generator`` (on the CPU).

        The names beside it are the same at every step; "loss", "lr" and "gradient" are the loop's own.
        """
        ...

    def validate(self, model: nn.Module) -> Mapping[str, float]:
        """Measures on what was never trained on, with the averaged weights in ``model``.

        The first of them decides which validation was best: lower is better.
        """
        ...

    def write(self, model: nn.Module, folder: Path, facts: Mapping[str, Any]) -> Path:
        """Writes the weights that users load (safetensors with their config); ``facts`` go into its metadata."""
        ...


class PoseSource(Protocol):
    """Where batches of pose models come from: splats, rendered scenes, packs."""

    def batch(self, step: int, scenes: int) -> PoseBatch:
        """Batch number ``step`` of so many scenes: a pure function of both."""
        ...
