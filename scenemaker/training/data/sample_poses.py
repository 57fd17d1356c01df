"""Samples of the data engine as training batches: scene folders, lists, or scenes made on the fly, with colour.

A stream (``SceneShards``, a reader of public data) has no n-th sample and cannot be gone on with exactly: write it into
a pack first (``packs``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402

from scenemaker.data.make import MadeScene, SceneFactory  # noqa: E402
from scenemaker.data.recipe import SceneRecipe  # noqa: E402
from scenemaker.data.types import SceneSample  # noqa: E402
from scenemaker.errors import ConfigError, InputError, expected  # noqa: E402
from scenemaker.pose.dit.config import PoseModelConfig  # noqa: E402
from scenemaker.pose.dit.types import PoseBatch  # noqa: E402
from scenemaker.training.data.augment import Augment, batch_of  # noqa: E402
from scenemaker.training.data.bank import ObjectBank  # noqa: E402
from scenemaker.training.data.chance import in_epochs, seed_of  # noqa: E402
from scenemaker.training.data.posed import Posed  # noqa: E402
from scenemaker.training.data.shots import Shot, least_points, shot_of, stack_shots, symmetries_by_name  # noqa: E402

TRIES = 20  # samples that are looked at in place of one that shows no object
ELSEWHERE = 1_000_003  # how far away the next of them is


class Samples(Protocol):
    """Samples by number: a list, ``SceneFolders``, ``MadeSamples``. Without a length they never end."""

    def __getitem__(self, index: int, /) -> SceneSample:
        """The sample of a number; always the same one."""
        ...


class MadeSamples:
    """The views of the scenes of a recipe, made when they are asked for."""

    def __init__(self, recipe: SceneRecipe) -> None:
        """Opens the sources of objects.

        Raises:
            InputError, ConfigError, BackendNotInstalledError: As ``SceneFactory``.
        """
        self._factory, self._views = SceneFactory(recipe), recipe.views.views
        self._last: MadeScene | None = None

    def __getitem__(self, index: int) -> SceneSample:
        scene, view = divmod(index, self._views)
        if self._last is None or self._last.index != scene:
            self._last = self._factory(scene)
        return self._last.samples[view % len(self._last.samples)]


class SamplePoses:
    """Batches of samples: a pure function of the step.

    Attributes:
        unknown: Names of the objects met so far that the bank does not have: they count as not symmetric.
    """

    def __init__(
        self,
        samples: Samples,
        bank: ObjectBank,
        config: PoseModelConfig | None = None,
        augment: Augment | None = None,
        *,
        size: tuple[int, int] = (128, 96),
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        device: str | torch.device = "cpu",
    ) -> None:
        """Takes samples; those with a length are gone through in random order, each epoch anew.

        Args:
            samples: By number.
            bank: Where the symmetries of objects are known.
            config: Of the model.
            augment: What is made worse.
            size: (width, height) of the pictures.
            seed: Of everything.
            rank, ranks: Of the process, and how many there are: they share the samples out.
            device: Where batches are made.

        Raises:
            InputError: No samples.
        """
        self.samples, self.bank = samples, bank.to(device)
        self.config, self.augment = config or PoseModelConfig(), augment or Augment()
        self.size, self.seed, self.rank, self.ranks, self.device = size, seed, rank, ranks, torch.device(device)
        self.length = len(samples) if hasattr(samples, "__len__") else None  # type: ignore[arg-type]
        if self.length == 0:
            raise InputError(expected("samples", got="none", remedy="check the folder"))
        self.unknown: set[str] = set()

    def batch(self, step: int, scenes: int) -> PoseBatch:
        """What step ``step`` sees.

        Raises:
            InputError: Samples without points, or that show no object.
        """
        return batch_of(self.posed(step, scenes), self.augment, self.config, self.seed, self.rank, step)

    def posed(self, step: int, scenes: int) -> Posed:
        """The scenes of a step, before anything is made worse."""
        first = (step * self.ranks + self.rank) * scenes
        shots = [self._shot(first + b) for b in range(scenes)]
        names = [name for shot in shots for name in shot.names]
        rows = self.bank.rows(names)
        self.unknown |= {name for name, row in zip(names, rows, strict=True) if row is None}
        geometry = torch.from_numpy(least_points(shots, self.config.geometry.points)).to(self.device)
        return stack_shots(shots, self.device).posed(geometry, *symmetries_by_name(self.bank, rows))

    def _shot(self, number: int) -> Shot:
        for attempt in range(TRIES):
            shot = shot_of(self.samples[self._index(number + attempt * ELSEWHERE)], *self.size)
            if shot is not None:
                return shot
        got = f"{TRIES} without"
        raise InputError(expected("samples in which an object is seen", got=got, remedy="check the data or the size"))

    def _index(self, number: int) -> int:
        return number if self.length is None else in_epochs(number, self.length, self.seed)


class PoseSource(Protocol):
    """Where batches come from."""

    def batch(self, step: int, scenes: int) -> PoseBatch:
        """So many scenes; a pure function of the step."""
        ...


class MixedPoses:
    """Several sources; the step alone decides which one a batch is from."""

    def __init__(self, sources: Sequence[tuple[PoseSource, float]], *, seed: int = 0) -> None:
        """Takes sources and how often each is drawn from.

        Raises:
            ConfigError: No source, or a weight that is not positive.
        """
        weights = np.array([weight for _, weight in sources], np.float64)
        if not len(weights) or not (np.isfinite(weights) & (weights > 0)).all():
            raise ConfigError(
                expected("sources with positive weights", got=weights.tolist(), remedy="leave out those of 0")
            )
        self.sources, self.seed = [source for source, _ in sources], seed
        self._limits = np.cumsum(weights / weights.sum())

    def source(self, step: int) -> PoseSource:
        """That of a step; all processes take the same one, so that none waits for another."""
        place = seed_of(self.seed, step, "which source") / 2**63
        return self.sources[min(int(np.searchsorted(self._limits, place, side="right")), len(self.sources) - 1)]

    def batch(self, step: int, scenes: int) -> PoseBatch:
        """What step ``step`` sees."""
        return self.source(step).batch(step, scenes)
