"""From the config of a training to its task: models made, weights taken over, data opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

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
from scenemaker.training.facts import check_unseen  # noqa: E402
from scenemaker.training.image_sources import image_sources  # noqa: E402
from scenemaker.training.sources import open_sources, released_sources, split_bank  # noqa: E402
from scenemaker.training.tasks.geometry import GeometryTask  # noqa: E402
from scenemaker.training.tasks.image import ImageTask  # noqa: E402
from scenemaker.training.tasks.points import PointsTask  # noqa: E402
from scenemaker.training.tasks.pose import PoseTask  # noqa: E402
from scenemaker.training.tasks.released import ReleasedTask  # noqa: E402
from scenemaker.training.types import Task  # noqa: E402

Encoder = TypeVar("Encoder", bound=nn.Module)
OTHER_SCENES = "other_scenes_"  # of measures: maybe of the same objects, for no bank says which are held out


def build_task(config: TrainingConfig, *, resumes: bool = False) -> Task:
    """The task of a training, its model started from what the config says.

    Args:
        config: Of the training.
        resumes: A checkpoint will overwrite what is in the model: what is learnt from the data at first is left out.

    Raises:
        ConfigError, InputError: Weights or data that cannot be used; the text says what to do.
        DeviceError: The device is not there.
    """
    device = check_device(config.train.process_device)
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    config = config.model_copy(update={"train": config.train.model_copy(update={"device": device})})
    torch.manual_seed(config.train.seed)
    return _BUILD[config.kind](config, resumes)


def _geometry(config: TrainingConfig, _: bool) -> Task:
    mine, held = split_bank(config.data)
    model = _encoder(config, GeometryVAE, lambda: GeometryVAE(config.model.geometry))
    bank = mine.to(config.train.device).points_obj
    return GeometryTask(model, bank, held.points_obj, batch_size=config.batch, seed=config.train.seed)


def _points(config: TrainingConfig, _: bool) -> Task:
    sources = open_sources(config, exact_shapes=True)
    return PointsTask(
        _encoder(config, PointEncoder, lambda: PointEncoder(config.model.points)),
        lambda step: sources.train.batch(step, config.batch),
        lambda step: sources.held_out.batch(step, config.batch),
        seed=config.train.seed,
    )


def _image(config: TrainingConfig, _: bool) -> Task:
    held = None if config.data.bank is None else split_bank(config.data)[1]
    train, held_out = image_sources(config, held)
    model = _encoder(config, ImageEncoders, lambda: ImageEncoders(config.model.image))
    return ImageTask(model, train, held_out, prefix=OTHER_SCENES if held is None else "")


def _pose(config: TrainingConfig, resumes: bool) -> Task:
    model = PoseModel(config.model) if config.start is None else load_model(config.start, dino=config.dino).train()
    config = config.model_copy(update={"model": model.config})  # that of the weights, where they are given
    for path in config.adopt:
        adopt_encoder(model, path)
    sources = open_sources(config)
    check_unseen([*config.adopt, *filter(None, [config.start])], config.data)
    return PoseTask(
        model,
        sources.train,
        sources.held_out,
        exact=sources.exact,
        scenes=config.batch,
        levels=config.levels,
        encoders=config.encoders,
        encoder_lr=config.encoder_lr,
        drop=config.drop,
        validate_scenes=config.validate_scenes,
        statistics=config.start is None and not resumes,
        cache=FeatureCache() if config.encoders == "frozen" and config.data.repeat is not None else None,
    )


def _released(config: TrainingConfig, _: bool) -> Task:
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


_BUILD: dict[Kind, Callable[[TrainingConfig, bool], Task]] = {
    "geometry": _geometry,
    "points": _points,
    "image": _image,
    "pose": _pose,
    "released": _released,
}
