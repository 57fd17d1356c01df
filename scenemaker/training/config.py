"""What is trained on what: the config of a whole training, as the commands make it and as it is kept beside weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from scenemaker.config import validation_text
from scenemaker.errors import ConfigError, expected, needs

needs("torch", "train")
from scenemaker.data.render.splats import SplatConfig  # noqa: E402
from scenemaker.pose.dit.config import PoseModelConfig, model_config  # noqa: E402
from scenemaker.training.data.augment import Augment  # noqa: E402
from scenemaker.training.data.splat_poses import POSE_SPLATS  # noqa: E402
from scenemaker.training.options import TrainOptions  # noqa: E402

Kind = Literal["geometry", "points", "image", "pose", "released"]
SECTIONS = (
    "dit",
    "geometry",
    "points",
    "image",
    "data",
    "splats",
    "augment",
    "train",
)  # of `--set SECTION.OPTION=VALUE`


class DataConfig(BaseModel, frozen=True, extra="forbid"):
    """Where scenes come from: splats of a bank's objects, rendered scenes, packs of them; mixed by weight."""

    bank: Path | None = Field(default=None, description="Object bank (`scenemaker train bank`).")
    scenes: tuple[Path, ...] = Field(default=(), description="Scene folders (`scenemaker data scenes`), or recipes.")
    packs: tuple[Path, ...] = Field(default=(), description="Pose packs (`scenemaker train pack`).")
    colour: float = Field(default=0.5, ge=0, le=1, description="Share of batches with colour, beside those of splats.")
    held_packs: tuple[str, ...] = Field(default=(), description="Packs of meshes (PACK__NAME) that are held out.")
    held_share: float = Field(default=0.1, ge=0, lt=1, description="Share of the other objects that is held out.")
    repeat: int | None = Field(
        default=None,
        ge=1,
        description="So many batches again and again; features of frozen encoders are then computed once.",
    )
    ground: float = Field(default=0.7, ge=0, le=1, description="Share of splat scenes with points of a ground.")
    widths: tuple[int, ...] = Field(
        default=(), description="Widths of splat pictures, one per step; none: that of `splats` alone."
    )
    splats: SplatConfig = Field(default=POSE_SPLATS, description="What splat scenes look like.")
    augment: Augment = Field(default_factory=Augment, description="What is made worse.")


class TrainingConfig(BaseModel, frozen=True, extra="forbid"):
    """One training."""

    kind: Kind = Field(description="What is trained.")
    model: PoseModelConfig = Field(default_factory=PoseModelConfig, description="PoseDiT with its encoders.")
    data: DataConfig = Field(default_factory=DataConfig, description="What it sees.")
    train: TrainOptions = Field(description="How.")
    batch: int = Field(default=32, ge=1, description="Scenes (objects, for `geometry`) per step and process.")
    levels: int = Field(default=8, ge=1, description="Noise levels per scene and step.")
    encoders: Literal["joint", "frozen"] = Field(default="joint", description="Trained too, or left as they are.")
    encoder_lr: float = Field(default=0.3, gt=0, description="Learning rate of the encoders over that of PoseDiT.")
    drop: float = Field(default=0.1, ge=0, lt=1, description="Share of scenes trained without conditions.")
    validate_scenes: int = Field(default=64, ge=1, description="Held-out scenes that are validated on.")
    start: Path | None = Field(default=None, description="Weights to start from; a released checkpoint's folder.")
    adopt: tuple[Path, ...] = Field(default=(), description="Trained encoders that are put into the model.")
    dino: Path | None = Field(default=None, description="Weights of DINOv2 as timm publishes them, for `base`.")


def build_training(
    kind: Kind, told: dict[str, Any], *, size: str = "mini", settings: list[str] | None = None
) -> TrainingConfig:
    """The config of a training.

    Args:
        kind: What is trained.
        told: Fields of ``TrainingConfig``, with ``data`` and ``train`` as tables.
        size: Name of the model's config.
        settings: ``SECTION.OPTION=VALUE``; values are JSON, else text.

    Raises:
        ConfigError: An unknown section, option or value; the text lists those that exist.
    """
    data = {"kind": kind, **told, "model": told.get("model") or model_config(size).model_dump()}
    data.setdefault("data", {})
    for text in settings or []:
        section, path, value = _setting(text)
        home = data["model"] if section in data["model"] else data["data"] if section in ("splats", "augment") else data
        if section == "splats":
            home.setdefault(section, POSE_SPLATS.model_dump())
        table = home.setdefault(section, {})
        for name in path[:-1]:
            table = table.setdefault(name, {})
        table[path[-1]] = value
    try:
        return TrainingConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError(validation_text(error, TrainingConfig)) from None


def _setting(text: str) -> tuple[str, list[str], Any]:
    import json

    path, equals, raw = text.partition("=")
    section, *names = path.strip().split(".")
    if not equals or not names or section not in SECTIONS:
        remedy = f"the sections are: {', '.join(SECTIONS)}; e.g. dit.layers=4 or train.lr=3e-4"
        raise ConfigError(expected("SECTION.OPTION=VALUE", got=repr(text), remedy=remedy))
    try:
        return section, names, json.loads(raw)
    except json.JSONDecodeError:
        return section, names, raw
