"""The exponential moving average of the weights: what is validated and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.optim.swa_utils import get_ema_multi_avg_fn  # noqa: E402


class Average:
    """average <- decay * average + (1 - decay) * weights, in float32 on the device of the weights."""

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = parameters
        self.values: dict[str, Tensor] = {name: p.detach().float().clone() for name, p in parameters.items()}

    def update(self, decay: float) -> None:
        """After a step of the optimizer."""
        now = [p.detach().float() for p in self._parameters.values()]
        get_ema_multi_avg_fn(decay)(list(self.values.values()), now, torch.tensor(0))

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """The time in which the model holds the averaged weights; then it gets its own back, to the last bit."""
        own = [p.detach().clone() for p in self._parameters.values()]
        try:
            self._set(list(self.values.values()))
            yield
        finally:
            self._set(own)

    @torch.no_grad()
    def _set(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self._parameters.values(), values, strict=True):
            parameter.copy_(value)
