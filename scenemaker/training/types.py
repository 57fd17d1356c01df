"""What the training loop asks of a model: a ``Task``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402


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
        """Groups of trained parameters, each with its factor of the learning rate."""
        ...

    def batch(self, step: int) -> Any:
        """What step ``step`` sees: a pure function of it (of seed and process rank), so that a run that was
        stopped goes on exactly. It has ``to(device)``."""
        ...

    def loss(self, batch: Any, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The loss and what is plotted beside it; all noise comes from ``generator`` (on the CPU)."""
        ...

    def validate(self, model: nn.Module) -> Mapping[str, float]:
        """Measures on what was never trained on, with the averaged weights in ``model``."""
        ...

    def write(self, model: nn.Module, folder: Path, facts: Mapping[str, Any]) -> Path:
        """Writes the weights that users load (safetensors with their config); ``facts`` go into its metadata."""
        ...
