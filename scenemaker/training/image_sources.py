"""Opens what image encoders are trained on and validated on: samples of scenes, divided by objects or by scenes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scenemaker.data.types import SceneSample
from scenemaker.errors import ConfigError, InputError, expected, needs

needs("torch", "train")
import torch  # noqa: E402

from scenemaker.data.datasets import SceneFolders  # noqa: E402
from scenemaker.training.config import TrainingConfig  # noqa: E402
from scenemaker.training.data.bank import ObjectBank  # noqa: E402
from scenemaker.training.data.sample_poses import MadeSamples, Samples, open_samples  # noqa: E402
from scenemaker.training.tasks.image import ImageBatch, image_batch  # noqa: E402

ENDLESS = 1 << 40
TRIES = 100  # samples looked at in place of one that does not fit
EVERY = 10  # of so many scenes the first is held out, where no bank says what to hold out


def image_sources(config: TrainingConfig, held: ObjectBank | None) -> tuple[ImageSource, ImageSource]:
    """What image encoders are trained on, and what they are validated on.

    Args:
        config: Of the training.
        held: Objects that are never trained on: scenes that show one are validated on, and measured on these objects
            alone. None holds out every tenth scene, whatever objects it shows.

    Raises:
        ConfigError: No scenes with colour.
        InputError: They cannot be read, or there are none for one of the sides.
    """
    samples = [open_samples(path) for path in config.data.scenes]
    if not samples:
        remedy = "make some: scenemaker data scenes -o out/scenes -n 50, then --scenes out/scenes"
        raise ConfigError(expected("scenes with colour", got="none", remedy=remedy))
    if held is None:
        train, held_out = ([OfScenes(s, held_out=side) for s in samples] for side in (False, True))
    else:
        train, held_out = [Without(s, held) for s in samples], [Showing(s, held) for s in samples]
        for shown in held_out:
            shown[0]  # nothing to validate on is told now, not after the first minutes
    return ImageSource(config, train), ImageSource(config, held_out, held=held)


class OfScenes:
    """The views of the first of every ``EVERY`` scenes, or those of all others."""

    def __init__(self, samples: SceneFolders | MadeSamples, *, held_out: bool) -> None:
        """Divides them.

        Raises:
            InputError: One scene alone.
        """
        self.samples, self.held_out, self.numbers = samples, held_out, None
        if isinstance(samples, SceneFolders):  # ROOT/SCENE/VIEW
            scenes = [folder.parent for folder in samples.folders]
            place = {scene: i for i, scene in enumerate(dict.fromkeys(scenes))}
            if len(place) == 1:
                what, remedy = "scenes to train on and to hold out", "make more: scenemaker data scenes -n 50"
                raise InputError(expected(what, got=f"one, {scenes[0]}", remedy=remedy))
            self.numbers = [i for i, scene in enumerate(scenes) if (place[scene] % EVERY == 0) == held_out]

    def __len__(self) -> int:
        return ENDLESS if self.numbers is None else len(self.numbers)

    def __getitem__(self, index: int) -> SceneSample:
        if self.numbers is not None:
            return self.samples[self.numbers[index]]
        views = self.samples.views  # type: ignore[union-attr]
        k, view = divmod(index, views)
        scene = EVERY * k if self.held_out else EVERY * (k // (EVERY - 1)) + 1 + k % (EVERY - 1)
        return self.samples[scene * views + view]


class Without:
    """Samples with the next one in place of each that has an object of a bank: what is held out is never seen."""

    def __init__(self, samples: Samples, held: ObjectBank) -> None:
        self.samples, self.held = samples, held

    def __len__(self) -> int:
        return len(self.samples) if hasattr(self.samples, "__len__") else ENDLESS  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> SceneSample:
        for k in range(TRIES):
            sample = self.samples[(index + k) % len(self)]
            if self.fits(sample):
                return sample
        raise InputError(self.none_fits(index))

    def fits(self, sample: SceneSample) -> bool:
        """Whether it is given."""
        return not of_bank(sample, self.held).any()

    def none_fits(self, index: int) -> str:
        """What is told when none does."""
        got = f"{TRIES} with one, from number {index} on"
        return expected("samples without held-out objects", got=got, remedy="make scenes of other objects")


class Showing(Without):
    """The other way round: samples in which an object of a bank is seen."""

    def fits(self, sample: SceneSample) -> bool:
        """Whether it is given."""
        return bool(np.isin(sample.labels, 1 + np.flatnonzero(of_bank(sample, self.held))).any())

    def none_fits(self, index: int) -> str:
        """What is told when none does."""
        got = f"{TRIES} without, from number {index} on; the first of these is {self.held.keys[0]}"
        remedy = "make scenes of the bank's objects, or hold out others"
        return expected(f"samples that show one of {len(self.held)} held-out objects", got=got, remedy=remedy)


def of_bank(sample: SceneSample, bank: ObjectBank) -> NDArray[np.bool_]:
    """(n,) which of a sample's objects a bank has."""
    return np.array([row is not None for row in bank.rows(sample.info.get("objects", sample.names))], bool)


class ImageSource:
    """Batches of samples in random order; with ``held``, maps are of these objects alone."""

    def __init__(self, config: TrainingConfig, samples: Sequence[Samples], *, held: ObjectBank | None = None) -> None:
        self.config, self.samples, self.held = config, samples, held

    def __call__(self, step: int) -> ImageBatch:
        rng = np.random.default_rng([self.config.train.seed, step])
        chosen = [self._draw(rng) for _ in range(self.config.batch)]
        held = self.held
        measured = None if held is None else lambda sample: of_bank(sample, held)
        return image_batch(chosen, self.config.model, torch.Generator().manual_seed(step), measured=measured)

    def _draw(self, rng: np.random.Generator) -> SceneSample:
        """A sample that shows an object."""
        for _ in range(TRIES):
            samples = self.samples[int(rng.integers(len(self.samples)))]
            sample = samples[int(rng.integers(len(samples)))]  # type: ignore[arg-type]
            if sample.labels.any():
                return sample
        got = f"none in {TRIES} draws"
        raise InputError(expected("samples that show an object", got=got, remedy="check the scenes"))
