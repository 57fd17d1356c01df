"""Opens what a training sees: splats of a bank's objects, rendered scenes, packs; and what is held out of each."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenemaker.data.recipe import SceneRecipe
from scenemaker.data.types import SceneSample
from scenemaker.errors import ConfigError, InputError, expected, needs

needs("torch", "train")
import torch  # noqa: E402

from scenemaker.data.datasets import SceneFolders  # noqa: E402
from scenemaker.pose.dit.types import PoseBatch  # noqa: E402
from scenemaker.training.config import DataConfig, TrainingConfig  # noqa: E402
from scenemaker.training.data.augment import Augment  # noqa: E402
from scenemaker.training.data.augment_shapes import ShapeAugment  # noqa: E402
from scenemaker.training.data.bank import ObjectBank, pack_of  # noqa: E402
from scenemaker.training.data.packs import PosePack  # noqa: E402
from scenemaker.training.data.posed import Posed  # noqa: E402
from scenemaker.training.data.sample_poses import MadeSamples, MixedPoses, SamplePoses, Samples  # noqa: E402
from scenemaker.training.data.splat_poses import SplatPoses  # noqa: E402
from scenemaker.training.tasks.image import ImageBatch, image_batch  # noqa: E402
from scenemaker.training.tasks.pose import PoseSource  # noqa: E402
from scenemaker.training.tasks.released import PosedSource  # noqa: E402

HELD_SEED = 1 << 20  # added to the seed of held-out scenes
ENDLESS = 1 << 40
TRIES = 100  # samples looked at in place of one with a held-out object


@dataclass(frozen=True, eq=False, kw_only=True)
class Sources:
    """What is trained on, and what is validated on: other objects, nothing made worse but what ``augment`` says."""

    train: PoseSource
    held_out: PoseSource


def open_sources(config: TrainingConfig, *, exact_shapes: bool = False) -> Sources:
    """The sources that a config names: splats of the bank's objects, and with colour a share of other batches.

    Args:
        config: Of the training.
        exact_shapes: Shapes stay as they are: where they are the truth to be reconstructed.

    Raises:
        ConfigError: No bank.
        InputError: A file cannot be read, or nothing is left on one side.
    """
    data, seed, device = config.data, config.train.seed, config.train.device
    augment = data.augment.model_copy(update={"shapes": ShapeAugment.none()}) if exact_shapes else data.augment
    mine, held = split_bank(data)

    def splats(bank: ObjectBank, augment: Augment, seed: int) -> SplatPoses:
        return SplatPoses(bank, data.splats, config.model, augment, seed=seed, ground=data.ground, device=device)

    size = (data.splats.width, data.splats.height)

    def pack(path: Path) -> PoseSource:
        return PosePack(path, mine, config.model, augment, seed=seed, device=device)

    def scenes(path: Path) -> PoseSource:
        samples = Without(open_samples(path), held)
        return SamplePoses(samples, mine, config.model, augment, size=size, seed=seed, device=device)

    coloured = [*map(pack, data.packs), *map(scenes, data.scenes)]
    train: PoseSource = splats(mine, augment, seed)
    if coloured and data.colour:
        shares = [(source, data.colour / len(coloured)) for source in coloured]
        plain = [(train, 1 - data.colour)] if data.colour < 1 else []
        train = MixedPoses([*plain, *shares], seed=seed)
    if data.repeat is not None:
        train = Repeated(train, data.repeat)
    return Sources(train=train, held_out=splats(held, Augment.none(), seed + HELD_SEED))


class Repeated:
    """The first batches of a source again and again: a finite set of scenes."""

    def __init__(self, source: PoseSource, period: int) -> None:
        self.source, self.period = source, period

    def batch(self, step: int, scenes: int) -> PoseBatch:
        """That of step ``step % period``."""
        return self.source.batch(step % self.period, scenes)


def open_samples(path: Path) -> Samples:
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


class Without:
    """Samples with the next one in place of each that shows an object of a bank: what is held out is never seen."""

    def __init__(self, samples: Samples, held: ObjectBank) -> None:
        self.samples, self.held = samples, held

    def __len__(self) -> int:
        return length_of(self.samples)

    def __getitem__(self, index: int) -> SceneSample:
        for k in range(TRIES):
            sample = self.samples[(index + k) % len(self)]
            if all(row is None for row in self.held.rows(sample.info.get("objects", sample.names))):
                return sample
        got = f"{TRIES} with one, from number {index} on"
        raise InputError(expected("samples without held-out objects", got=got, remedy="make scenes of other objects"))


def released_sources(config: TrainingConfig) -> tuple[PosedSource, PosedSource]:
    """Packs for the released form, which wants colour: pictures of the bank's objects, and of those held out.

    Raises:
        ConfigError: No bank, or no packs.
        InputError: One cannot be read, or has no picture for one side.
    """
    data, seed, device = config.data, config.train.seed, config.train.device
    mine, held = split_bank(data)
    if not data.packs:
        remedy = "make some: scenemaker train pack -o out/pack.safetensors --scenes out/scenes, then --pack"
        raise ConfigError(expected("pose packs, for the released form wants colour", got="none", remedy=remedy))

    def packs(bank: ObjectBank) -> PosedSource:
        return InTurn([PosePack(path, bank, config.model, seed=seed, device=device) for path in data.packs])

    return packs(mine), packs(held)


class InTurn:
    """Several packs, one after another, step by step."""

    def __init__(self, packs: Sequence[PosePack]) -> None:
        self.packs = packs

    def posed(self, step: int, scenes: int) -> Posed:
        """The pictures of a step."""
        turn, which = divmod(step, len(self.packs))
        return self.packs[which].posed(turn, scenes)


def image_sources(config: TrainingConfig) -> tuple[ImageSource, ImageSource]:
    """What image encoders are trained on, and what they are validated on.

    Raises:
        ConfigError: No scenes with colour.
        InputError: They cannot be read.
    """
    samples = [open_samples(path) for path in config.data.scenes]
    if not samples:
        remedy = "make some: scenemaker data scenes -o out/scenes -n 50, then --scenes out/scenes"
        raise ConfigError(expected("scenes with colour", got="none", remedy=remedy))
    return ImageSource(config, samples, held_out=False), ImageSource(config, samples, held_out=True)


class ImageSource:
    """Batches of samples in random order; of every hundred numbers the first ten are held out."""

    def __init__(self, config: TrainingConfig, samples: Sequence[Samples], *, held_out: bool) -> None:
        self.config, self.samples, self.held_out = config, samples, held_out

    def __call__(self, step: int) -> ImageBatch:
        rng = np.random.default_rng([self.config.train.seed, step, int(self.held_out)])
        chosen = [self._draw(rng) for _ in range(self.config.batch)]
        return image_batch(chosen, self.config.model, torch.Generator().manual_seed(step))

    def _draw(self, rng: np.random.Generator) -> SceneSample:
        """A sample of this side that shows an object."""
        for _ in range(TRIES):
            samples = self.samples[int(rng.integers(len(self.samples)))]
            number = int(rng.integers(length_of(samples)))
            if (number % 100 < 10) == self.held_out:
                sample = samples[number]
                if sample.labels.any():
                    return sample
        got, remedy = f"none in {TRIES} draws", "give 20 views or more, in which objects are seen"
        raise InputError(expected("samples to train on and to hold out", got=got, remedy=remedy))


def length_of(samples: Samples) -> int:
    """Of samples by number; very large where they never end."""
    return len(samples) if hasattr(samples, "__len__") else ENDLESS  # type: ignore[arg-type]


def split_bank(data: DataConfig) -> tuple[ObjectBank, ObjectBank]:
    """The bank's objects to train on and those held out: named packs, else whole packs up to the share.

    Raises:
        ConfigError: No bank.
        InputError: It cannot be read, or nothing is left on one side.
    """
    if data.bank is None:
        remedy = "make one: scenemaker train bank -o out/bank.safetensors, then --bank out/bank.safetensors"
        raise ConfigError(expected("an object bank", got="none", remedy=remedy))
    bank = ObjectBank.load(data.bank)
    packs = data.held_packs or _packs_to_hold(bank, data.held_share)
    return bank.split(packs, share=data.held_share)


def _packs_to_hold(bank: ObjectBank, share: float) -> tuple[str, ...]:
    """Packs in the order of a hash of their names, as many as make up the share of the objects of packs."""
    counts = Counter(pack for key in bank.keys if (pack := pack_of(key)) is not None)
    held: list[str] = []
    for pack in sorted(counts, key=lambda name: zlib.crc32(name.encode()))[:-1]:
        if sum(counts[p] for p in held) >= share * counts.total():
            break
        held.append(pack)
    return tuple(held)
