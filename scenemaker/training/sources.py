"""Opens what a training sees: splats of a bank's objects, rendered scenes, packs; and what is held out of each."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenemaker.errors import ConfigError, expected, needs

needs("torch", "train")

from scenemaker.pose.dit.types import PoseBatch  # noqa: E402
from scenemaker.training.config import DataConfig, TrainingConfig  # noqa: E402
from scenemaker.training.data.augment import Augment  # noqa: E402
from scenemaker.training.data.augment_shapes import ShapeAugment  # noqa: E402
from scenemaker.training.data.bank import ObjectBank, pack_of  # noqa: E402
from scenemaker.training.data.packs import PosePack  # noqa: E402
from scenemaker.training.data.posed import Posed  # noqa: E402
from scenemaker.training.data.sample_poses import MixedPoses, SamplePoses, open_samples  # noqa: E402
from scenemaker.training.data.splat_poses import SplatPoses  # noqa: E402
from scenemaker.training.tasks.released import PosedSource  # noqa: E402
from scenemaker.training.types import PoseSource  # noqa: E402

HELD_SEED = 1 << 20  # added to the seed of held-out scenes


@dataclass(frozen=True, eq=False, kw_only=True)
class Sources:
    """What is trained on, and what is validated on: scenes of splats of objects that are never trained on.

    Attributes:
        train: Made worse by the config's ``augment``.
        held_out: Like what models are used on: ``Augment.in_use``.
        exact: The same scenes, nothing made worse: the easiest case.
    """

    train: PoseSource
    held_out: PoseSource
    exact: PoseSource


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
    size = (data.splats.width, data.splats.height)
    mine, held = split_bank(data)
    augment, in_use = (
        worse.model_copy(update={"shapes": ShapeAugment.none()}) if exact_shapes else worse
        for worse in (data.augment, Augment.in_use())
    )

    def splats(bank: ObjectBank, augment: Augment, seed: int) -> SplatPoses:
        more = {"ground": data.ground, "widths": data.widths, "device": device}
        return SplatPoses(bank, data.splats, config.model, augment, seed=seed, **more)

    def pack(path: Path) -> PoseSource:
        return PosePack(path, mine, config.model, augment, seed=seed, device=device)

    def scenes(path: Path) -> PoseSource:
        return SamplePoses(open_samples(path), mine, config.model, augment, size=size, seed=seed, device=device)

    coloured = [*map(pack, data.packs), *map(scenes, data.scenes)]
    train: PoseSource = splats(mine, augment, seed)
    if coloured and data.colour:
        shares = [(source, data.colour / len(coloured)) for source in coloured]
        plain = [(train, 1 - data.colour)] if data.colour < 1 else []
        train = MixedPoses([*plain, *shares], seed=seed)
    if data.repeat is not None:
        train = Repeated(train, data.repeat)
    held_out, exact = (splats(held, worse, seed + HELD_SEED) for worse in (in_use, Augment.none()))
    return Sources(train=train, held_out=held_out, exact=exact)


class Repeated:
    """The first batches of a source again and again: a finite set of scenes."""

    def __init__(self, source: PoseSource, period: int) -> None:
        self.source, self.period = source, period

    def batch(self, step: int, scenes: int) -> PoseBatch:
        """That of step ``step % period``."""
        return self.source.batch(step % self.period, scenes)


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
    return bank.split(_packs_to_hold(bank, data), share=data.held_share)


def packs_to_hold(data: DataConfig) -> tuple[str, ...]:
    """The packs that ``split_bank`` holds out, as named or as chosen.

    Raises:
        InputError: The bank cannot be read.
    """
    return () if data.bank is None else _packs_to_hold(ObjectBank.load(data.bank), data)


def _packs_to_hold(bank: ObjectBank, data: DataConfig) -> tuple[str, ...]:
    """Those named; else packs in the order of a hash of their names, up to the share of the objects of packs."""
    if data.held_packs:
        return data.held_packs
    counts = Counter(pack for key in bank.keys if (pack := pack_of(key)) is not None)
    held: list[str] = []
    for pack in sorted(counts, key=lambda name: zlib.crc32(name.encode()))[:-1]:
        if sum(counts[p] for p in held) >= data.held_share * counts.total():
            break
        held.append(pack)
    return tuple(held)
