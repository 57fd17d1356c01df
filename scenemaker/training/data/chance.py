"""Random tensors that a few numbers and a word decide: what makes a batch a pure function of its step."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402


def seed_of(*what: int | str) -> int:
    """A number of 63 bits from numbers and words; none of them can be had by shifting another."""
    return int.from_bytes(blake2b(repr(what).encode(), digest_size=8).digest(), "little") >> 1


def in_epochs(number: int, length: int, seed: int) -> int:
    """Which of so many things is the ``number``-th when all are gone through again and again, each time anew mixed."""
    epoch, place = divmod(number, length)
    return int(_order(length, seed, epoch)[place])


@lru_cache(maxsize=8)
def _order(length: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed_of(seed, epoch, "order")).permutation(length)


class Chance:
    """Draws of one purpose, on the device where they are used: moving them there would cost more than they do.

    Equal words give equal draws on one kind of device and one version of torch.
    """

    def __init__(self, device: str | torch.device, *what: int | str, dtype: torch.dtype = torch.float32) -> None:
        self.device, self.dtype = torch.device(device), dtype
        self.generator = torch.Generator(self.device).manual_seed(seed_of(*what))

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Even in [low, high)."""
        return low + (high - low) * torch.rand(*shape, generator=self.generator, device=self.device, dtype=self.dtype)

    def normal(self, *shape: int) -> Tensor:
        """Of mean 0 and standard deviation 1."""
        return torch.randn(*shape, generator=self.generator, device=self.device, dtype=self.dtype)

    def yes(self, share: float, *shape: int) -> Tensor:
        """True for a share of all."""
        return torch.rand(*shape, generator=self.generator, device=self.device) < share

    def below(self, high: int, *shape: int) -> Tensor:
        """Whole numbers in [0, high)."""
        return torch.randint(high, shape, generator=self.generator, device=self.device)

    def order(self, n: int) -> Tensor:
        """(n,) a permutation."""
        return torch.randperm(n, generator=self.generator, device=self.device)

    def directions(self, n: int) -> Tensor:
        """(n, 3) unit vectors, evenly over the sphere."""
        return torch.nn.functional.normalize(self.normal(n, 3), dim=-1)

    def rotations(self, n: int) -> Tensor:
        """(n, 3, 3) evenly over all rotations: a random direction, and another across it."""
        a, b = self.normal(n, 3), self.normal(n, 3)
        a = torch.nn.functional.normalize(a, dim=-1)
        b = torch.nn.functional.normalize(b - (a * b).sum(-1, keepdim=True) * a, dim=-1)
        return torch.stack([a, b, torch.linalg.cross(a, b)], -1)
