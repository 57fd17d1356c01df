"""Weights files: one safetensors file with the config it belongs to and facts on how it was trained.

Metadata: ``format``, ``version``, ``config`` (JSON), ``facts`` (JSON), of an encoder ``kind``, of a model that looks
through DINOv2 ``dino``: a digest of that model's weights, which are read from their own file and never kept twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from scenemaker.errors import ConfigError, InputError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from scenemaker.pose.dit.config import GeometryConfig, ImageConfig, PointsConfig, PoseModelConfig  # noqa: E402
from scenemaker.pose.dit.encoders.dino import DinoEncoder  # noqa: E402
from scenemaker.pose.dit.encoders.geometry import GeometryVAE  # noqa: E402
from scenemaker.pose.dit.encoders.images import ImageEncoders  # noqa: E402
from scenemaker.pose.dit.encoders.points import PointEncoder  # noqa: E402
from scenemaker.pose.dit.pose_model import PoseModel  # noqa: E402
from scenemaker.pose.dit.weights_file import (  # noqa: E402
    ANEW,
    ENCODER,
    MODEL,
    config_of,
    fill,
    read,
    read_metadata,
    state_digest,
    write,
)

KINDS: dict[str, tuple[type[BaseModel], type[nn.Module]]] = {
    "geometry": (GeometryConfig, GeometryVAE),
    "points": (PointsConfig, PointEncoder),
    "image": (ImageConfig, ImageEncoders),
}


def save_model(model: PoseModel, path: Path, facts: Mapping[str, Any], *, dtype: torch.dtype | None = None) -> None:
    """Writes a pose model, all but DINOv2.

    Args:
        model: What to write.
        path: The file.
        facts: How it was trained; JSON.
        dtype: What matrices are stored as, ``torch.bfloat16`` say; as they are without.

    Raises:
        OutputError: The file cannot be written.
    """
    vit = {"dino": state_digest(model.image.vit)} if isinstance(model.image, DinoEncoder) else {}
    write(path, _own(model), {"format": MODEL, **vit}, model.config, facts, dtype)


def load_model(path: Path, device: str | torch.device = "cpu", *, dino: Path | None = None) -> PoseModel:
    """The pose model of a file, in float32, ready to be used.

    Args:
        path: The file.
        device: Where it goes.
        dino: Weights of DINOv2 as timm publishes them, for a model that looks through it.

    Raises:
        InputError: Not such a file, a damaged one, or tensors that do not fit its config.
        ConfigError: A config that this version does not know, or no ``dino`` where one is needed.
    """
    metadata, tensors = read(path, MODEL)
    with torch.random.fork_rng(devices=[]):  # random weights, soon replaced, that nobody shall notice
        model = PoseModel(config_of(PoseModelConfig, metadata, path))
    if isinstance(model.image, DinoEncoder):
        _load_dino(model.image, dino, metadata.get("dino"))
    fill(_own(model), tensors, path)
    return model.to(device).eval()


def save_encoder(encoder: nn.Module, path: Path, facts: Mapping[str, Any], *, dtype: torch.dtype | None = None) -> None:
    """Writes a ``GeometryVAE``, ``PointEncoder`` or ``ImageEncoders`` with its decoders; arguments as ``save_model``.

    Raises:
        OutputError: The file cannot be written.
    """
    kind = next(kind for kind, (_, cls) in KINDS.items() if isinstance(encoder, cls))
    write(path, encoder.state_dict(), {"format": ENCODER, "kind": kind}, encoder.config, facts, dtype)  # type: ignore[arg-type]


def load_encoder(path: Path, device: str | torch.device = "cpu") -> GeometryVAE | PointEncoder | ImageEncoders:
    """The encoder of a file, in float32, ready to be used.

    Raises:
        InputError: Not such a file, a damaged one, or tensors that do not fit its config.
        ConfigError: A config that this version does not know.
    """
    metadata, tensors = read(path, ENCODER)
    kind = metadata.get("kind")
    if kind not in KINDS:
        raise InputError(expected(f"an encoder of {', '.join(KINDS)} in {path}", got=repr(kind), remedy=ANEW))
    config, cls = KINDS[kind]
    with torch.random.fork_rng(devices=[]):
        encoder = cls(config_of(config, metadata, path))
    fill(encoder.state_dict(), tensors, path)
    return encoder.to(device).eval()  # type: ignore[return-value]


def adopt_encoder(model: PoseModel, path: Path) -> None:
    """Puts a trained encoder, without its decoders, into its place in a pose model.

    Raises:
        InputError: Not such a file, or a damaged one.
        ConfigError: Its config is not that of the model.
    """
    encoder = load_encoder(path)
    if isinstance(encoder, GeometryVAE):
        pairs = [(encoder, model.geometry)]
    elif isinstance(encoder, PointEncoder):
        pairs = [(encoder, model.points)]
    else:
        pairs = [(encoder.crops, model.image), (encoder.pictures, model.scene_image)]
    for source, target in pairs:
        _same_config(source.config, target.config, path)
        state = {name: x for name, x in source.state_dict().items() if not name.startswith("decoder.")}
        fill(target.state_dict(), state, path)


def read_facts(path: Path) -> dict[str, Any]:
    """What a weights file says of itself: format, version, config, facts, and kind or dino where it has them.

    Raises:
        InputError: Not a weights file of this library.
    """
    metadata = read_metadata(path, None)
    return {**metadata, "config": json.loads(metadata["config"]), "facts": json.loads(metadata["facts"])}


def _own(model: PoseModel) -> dict[str, Tensor]:
    """What the file of a model holds: its state without DINOv2."""
    return {name: x for name, x in model.state_dict().items() if ".vit." not in name}


def _same_config(source: BaseModel, target: BaseModel, path: Path) -> None:
    a, b = source.model_dump(), target.model_dump()
    other = [f"{name} {a[name]} for {b[name]}" for name in a if a[name] != b[name]]
    if other:
        remedy = "train the encoder with the model's config, or the model with the encoder's"
        raise ConfigError(expected(f"the model's config of the encoder in {path}", got=", ".join(other), remedy=remedy))


def _load_dino(encoder: DinoEncoder, dino: Path | None, digest_then: str | None) -> None:
    if dino is None:
        what, remedy = f"weights of {encoder.config.model} beside the model's", "give the file that timm publishes"
        raise ConfigError(expected(what, got="none", remedy=remedy))
    encoder.load_vit(dino)
    if state_digest(encoder.vit) != digest_then:
        remedy = "give the file that the model was trained with"
        raise InputError(expected(f"the {encoder.config.model} of the model", got=f"another in {dino}", remedy=remedy))
