"""From the config of a training to its task: models made, weights taken over, data opened."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from scenemaker.device import check_device
from scenemaker.errors import ConfigError, InputError, expected, needs

needs("torch", "train")
import torch  # noqa: E402
from torch import nn  # noqa: E402

from scenemaker.pose.dit.encoders.geometry import GeometryVAE  # noqa: E402
from scenemaker.pose.dit.encoders.images import ImageEncoders  # noqa: E402
from scenemaker.pose.dit.encoders.points import PointEncoder  # noqa: E402
from scenemaker.pose.dit.feature_cache import FeatureCache  # noqa: E402
from scenemaker.pose.dit.pose_model import PoseModel  # noqa: E402
from scenemaker.pose.dit.weights import adopt_encoder, load_encoder, load_model  # noqa: E402
from scenemaker.training.config import Kind, TrainingConfig  # noqa: E402
from scenemaker.training.sources import image_sources, open_sources, released_sources, split_bank  # noqa: E402
from scenemaker.training.tasks.geometry import GeometryTask  # noqa: E402
from scenemaker.training.tasks.image import ImageTask  # noqa: E402
from scenemaker.training.tasks.points import PointsTask  # noqa: E402
from scenemaker.training.tasks.pose import PoseTask  # noqa: E402
from scenemaker.training.tasks.released import ReleasedTask  # noqa: E402
from scenemaker.training.types import Task  # noqa: E402

Encoder = TypeVar("Encoder", bound=nn.Module)


def build_task(config: TrainingConfig) -> Task:
    """The task of a training, its model started from what the config says.

    Raises:
        ConfigError, InputError: Weights or data that cannot be used; the text says what to do.
        DeviceError: The device is not there.
    """
    check_device(config.train.device)
    torch.manual_seed(config.train.seed)
    return _BUILD[config.kind](config)


def facts_of(config: TrainingConfig) -> dict[str, Any]:
    """What shapes the result, as plain data: the config, with a checksum of every file in place of its path."""
    facts = config.model_dump(mode="json", exclude={"train", "data", "start", "adopt", "dino"})
    data = config.data.model_dump(mode="json", exclude={"bank", "packs", "scenes"})
    files = [*filter(None, (config.data.bank, config.start, config.dino)), *config.data.packs, *config.adopt]
    return {**facts, "data": data, "files": [_checksum(path) for path in files if path.is_file()]}


def _checksum(path: Path) -> str:
    try:
        return f"{zlib.crc32(path.read_bytes()):08x}"
    except OSError as error:
        raise InputError(
            expected("a readable file", got=f"{path}: {error.strerror}", remedy="check the path")
        ) from None


def _geometry(config: TrainingConfig) -> Task:
    mine, held = split_bank(config.data)
    model = _encoder(config, GeometryVAE, lambda: GeometryVAE(config.model.geometry))
    bank = mine.to(config.train.device).points_obj
    return GeometryTask(model, bank, held.points_obj, batch_size=config.batch, seed=config.train.seed)


def _points(config: TrainingConfig) -> Task:
    sources = open_sources(config, exact_shapes=True)
    return PointsTask(
        _encoder(config, PointEncoder, lambda: PointEncoder(config.model.points)),
        lambda step: sources.train.batch(step, config.batch),
        lambda step: sources.held_out.batch(step, config.batch),
        seed=config.train.seed,
    )


def _image(config: TrainingConfig) -> Task:
    train, held_out = image_sources(config)
    return ImageTask(_encoder(config, ImageEncoders, lambda: ImageEncoders(config.model.image)), train, held_out)


def _pose(config: TrainingConfig) -> Task:
    model = PoseModel(config.model) if config.start is None else load_model(config.start, dino=config.dino).train()
    for path in config.adopt:
        adopt_encoder(model, path)
    sources = open_sources(config)
    return PoseTask(
        model,
        sources.train,
        sources.held_out,
        scenes=config.batch,
        levels=config.levels,
        encoders=config.encoders,
        encoder_lr=config.encoder_lr,
        drop=config.drop,
        validate_scenes=config.validate_scenes,
        statistics=config.start is None,
        cache=FeatureCache() if config.encoders == "frozen" and config.data.repeat is not None else None,
    )


def _released(config: TrainingConfig) -> Task:
    weights = _wanted(config.start)
    train, held_out = released_sources(config)
    validate = min(config.validate_scenes, 16)
    return ReleasedTask(weights, train, held_out, scenes=config.batch, drop=config.drop, validate_scenes=validate)


def _wanted(start: Path | None) -> Path:
    """The released checkpoint.

    Raises:
        ConfigError: None is given.
    """
    if start is None:
        remedy = "give --released FOLDER with config.yaml and model.safetensors, .bin or .ckpt"
        raise ConfigError(expected("a released checkpoint to start from", got="none", remedy=remedy))
    return start


def _encoder(config: TrainingConfig, kind: type[Encoder], make: Callable[[], Encoder]) -> Encoder:
    """A new encoder, or the one of ``start``."""
    if config.start is None:
        return make()
    found = load_encoder(config.start).train()
    if not isinstance(found, kind):
        remedy = f"give weights that `scenemaker train {config.kind}` wrote"
        raise InputError(expected(f"a {config.kind} encoder", got=f"another in {config.start}", remedy=remedy))
    return found


_BUILD: dict[Kind, Callable[[TrainingConfig], Task]] = {
    "geometry": _geometry,
    "points": _points,
    "image": _image,
    "pose": _pose,
    "released": _released,
}
