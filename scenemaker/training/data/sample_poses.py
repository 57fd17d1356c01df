"""Samples of the data engine as training batches: scene folders, lists, or scenes made on the fly, with colour.

A stream (``SceneShards``, a reader of public data) has no n-th sample and cannot be gone on with exactly: write it into
a pack first (``packs``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402

from scenemaker.data.datasets import SceneFolders  # noqa: E402
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
from scenemaker.training.data.shots import Shot, least_points, shot_of, stack_shots  # noqa: E402
from scenemaker.training.types import PoseSource  # noqa: E402

TRIES = 100  # samples that are looked at in place of one that cannot be used
ELSEWHERE = 1_000_003  # how far away the next of them is


class Samples(Protocol):
    """Samples by number: a list, ``SceneFolders``, ``MadeSamples``. Without a length they never end."""

    def __getitem__(self, index: int, /) -> SceneSample:
        """The sample of a number; always the same one."""
        ...


class MadeSamples:
    """The views of the scenes of a recipe, made when they are asked for.

    Attributes:
        views: Per scene.
    """

    def __init__(self, recipe: SceneRecipe) -> None:
        """Opens the sources of objects.

        Raises:
            InputError, ConfigError, BackendNotInstalledError: As ``SceneFactory``.
        """
        self._factory, self.views = SceneFactory(recipe), recipe.views.views
        self._last: MadeScene | None = None

    def __getitem__(self, index: int) -> SceneSample:
        scene, view = divmod(index, self.views)
        if self._last is None or self._last.index != scene:
            self._last = self._factory(scene)
        return self._last.samples[view % len(self._last.samples)]


def open_samples(path: Path) -> SceneFolders | MadeSamples:
    """Samples by number: of scene folders, or made on the fly from a recipe (TOML).

    Raises:
        InputError: Neither of these; shards have no n-th sample.
    """
    if path.suffix == ".toml":
        return MadeSamples(SceneRecipe.read(path))
    if path.is_dir() and any(path.glob("*.tar")):
        got, remedy = f"shards in {path}", f"type: scenemaker train pack --scenes {path} -o pack.safetensors"
        raise InputError(expected("scene folders, or a recipe (.toml)", got=got, remedy=remedy))
    return SceneFolders(path)


class SamplePoses:
    """Batches of samples: a pure function of the step.

    As in ``PosePack``, samples with an object that the bank does not have are left out, another one comes in place of
    each: what is held out of the bank is never seen, and the symmetries of all that is seen are known.
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
        device: str | torch.device = "cpu",
    ) -> None:
        """Takes samples; those with a length are gone through in random order, each epoch anew.

        Args:
            samples: By number.
            bank: Objects, with their symmetries; samples of others are left out.
            config: Of the model.
            augment: What is made worse.
            size: (width, height) of the pictures.
            seed: Of everything.
            device: Where batches are made.

        Raises:
            InputError: No samples.
        """
        self.samples, self.bank = samples, bank.to(device)
        self.config, self.augment = config or PoseModelConfig(), augment or Augment()
        self.size, self.seed, self.device = size, seed, torch.device(device)
        self.length = len(samples) if hasattr(samples, "__len__") else None  # type: ignore[arg-type]
        if self.length == 0:
            raise InputError(expected("samples", got="none", remedy="check the folder"))

    def batch(self, step: int, scenes: int) -> PoseBatch:
        """What step ``step`` sees.

        Raises:
            InputError: Samples without points, that show no object, or others than those of the bank.
        """
        return batch_of(self.posed(step, scenes), self.augment, self.config, self.seed, step)

    def posed(self, step: int, scenes: int) -> Posed:
        """The scenes of a step, before anything is made worse."""
        found = [self._shot(number) for number in range(step * scenes, (step + 1) * scenes)]
        shots, bank = [shot for shot, _ in found], self.bank
        rows = torch.tensor([row for _, own in found for row in own], device=self.device)  # (N,) of the bank
        geometry = torch.from_numpy(least_points(shots, self.config.geometry.points)).to(self.device)
        posed = stack_shots(shots, self.device)
        return posed.posed(geometry, bank.symmetries[rows], bank.axis[rows], bank.pivot[rows])

    def _shot(self, number: int) -> tuple[Shot, list[int]]:
        """A sample that can be used, and the rows of its objects in the bank."""
        others: dict[str, None] = {}
        for attempt in range(TRIES):
            shot = shot_of(self.samples[self._index(number + attempt * ELSEWHERE)], *self.size)
            if shot is None:
                continue
            known = self.bank.rows(shot.names)
            rows = [row for row in known if row is not None]
            if len(rows) == len(known):
                return shot, rows
            others |= dict.fromkeys(name for name, row in zip(shot.names, known, strict=True) if row is None)
        if not others:
            what, remedy = "samples in which an object is seen", "check the data or the size"
            raise InputError(expected(what, got=f"{TRIES} without", remedy=remedy))
        got = f"{TRIES} with others, such as {', '.join(list(others)[:3])}"
        raise InputError(expected("samples of the bank's objects", got=got, remedy="build the bank with these"))

    def _index(self, number: int) -> int:
        return number if self.length is None else in_epochs(number, self.length, self.seed)


class MixedPoses:
    """Several sources; the number of a batch (and the seed) alone decides which one it is from."""

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
        """That of a step, which is the number of a batch: processes, whose numbers differ, draw for themselves."""
        place = seed_of(self.seed, step, "which source") / 2**63
        return self.sources[min(int(np.searchsorted(self._limits, place, side="right")), len(self.sources) - 1)]

    def batch(self, step: int, scenes: int) -> PoseBatch:
        """What step ``step`` sees."""
        return self.source(step).batch(step, scenes)
