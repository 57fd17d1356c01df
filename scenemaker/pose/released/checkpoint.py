"""Published checkpoints: a folder of ``config.yaml`` and ``model.safetensors``, ``model.bin`` or ``model.ckpt``."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenemaker.errors import InputError, ShapeError, expected, needs

needs("torch", "models")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.pose.released.config import ReleasedConfig, read_config  # noqa: E402
from scenemaker.pose.released.images import timm_names  # noqa: E402
from scenemaker.pose.released.model import ReleasedModel  # noqa: E402
from scenemaker.pose.released.names import IMAGES, left_out, published_shapes  # noqa: E402

FILES = ("model.safetensors", "model.bin", "model.ckpt")
CONFIG = "config.yaml"
WRAP, PREFIX = "state_dict", "_forward_module."  # around and before the weights, as Lightning writes them
NAMED = 3  # names in an error text; the rest are counted


def weights_file(weights: Path) -> Path:
    """The file with the weights: the given one, or that of a folder.

    Raises:
        InputError: There is none.
    """
    if weights.is_file():
        return weights
    for name in FILES:
        if (weights / name).is_file():
            return weights / name
    got = f"none in {weights}" if weights.is_dir() else f"no file or folder {weights}"
    remedy = "give the folder of the published checkpoint"
    raise InputError(expected(f"{CONFIG} and {', '.join(FILES[:-1])} or {FILES[-1]}", got=got, remedy=remedy))


def revision(weights: Path) -> str:
    """What tells one checkpoint from another, quickly: a digest of its config, its size, both ends and places between.

    The end of a ``.bin`` holds checksums of all its tensors.
    """
    file = weights_file(weights)
    size = file.stat().st_size
    config = file.with_name(CONFIG)
    digest = hashlib.sha256(config.read_bytes() if config.is_file() else b"")
    digest.update(str(size).encode())
    with file.open("rb") as stream:
        for start, length in [(0, 2**20), *((size * i // 64, 2**16) for i in range(64)), (max(0, size - 2**20), 2**20)]:
            stream.seek(start)
            digest.update(stream.read(length))
    return digest.hexdigest()[:16]


def load_released(weights: Path) -> ReleasedModel:
    """The model of a checkpoint, in float32 on the CPU, ready for use.

    Raises:
        InputError: No such files, unreadable ones, or weights of other names.
        ShapeError: A weight of another shape.
        ConfigError: A config that is not rebuilt here.
    """
    file = weights_file(weights)
    config = read_config(file.with_name(CONFIG))
    state = published_state(file, config)
    return build(config, state).eval()


def published_state(file: Path, config: ReleasedConfig) -> dict[str, Tensor]:
    """All weights of a file by published name, checked against the config."""
    state = _unwrapped(_read(file), file)
    _check(state, config, file)
    return state


def build(config: ReleasedConfig, state: Mapping[str, Tensor]) -> ReleasedModel:
    """The model that holds these weights, which are checked; no memory is spent on others."""
    with torch.device("meta"):
        model = ReleasedModel(config)
    unused = left_out(config).keys()
    own = {k: v for k, v in state.items() if not k.startswith(IMAGES) and k not in unused}
    images = {k.removeprefix(IMAGES): v for k, v in state.items() if k.startswith(IMAGES)}
    dino = timm_names(images, config.dino.num_hidden_layers)
    model.load_state_dict({**own, **{IMAGES + k: v for k, v in dino.items()}}, strict=True, assign=True)
    return model.float().requires_grad_(False)


def write_released(model: ReleasedModel, source: Path, folder: Path, metadata: Mapping[str, str]) -> Path:
    """``model.safetensors`` and ``config.yaml`` as they are published; returns the first.

    What the model does not hold under its published name (images, decoders) is copied from the checkpoint that it was
    loaded from.

    Args:
        model: Whose weights are written.
        source: The checkpoint that it came from.
        folder: Is made; a checkpoint in it is replaced.
        metadata: Goes into the file.
    """
    from safetensors.torch import save_file

    file = weights_file(source)
    state = published_state(file, model.config)
    own = {k: v for k, v in model.state_dict().items() if k in state and not k.startswith(IMAGES)}
    out = {k: own.get(k, v).detach().float().cpu().contiguous() for k, v in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILES[0]
    unfinished = path.with_name(f".{path.name}.tmp")
    save_file(out, unfinished, metadata=dict(metadata))
    unfinished.replace(path)
    if folder.resolve() != file.parent.resolve():
        shutil.copyfile(file.with_name(CONFIG), folder / CONFIG)
    return path


def _read(file: Path) -> Any:
    try:
        if file.suffix == ".safetensors":
            needs("safetensors", "models")
            from safetensors.torch import load_file

            return load_file(file)
        # tensors of a zip file are not read before they are used
        return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:  # of many kinds, by the place where the file is cut
        first = str(error).strip().partition("\n")[0]
        remedy = "fetch it again; of a file that holds more than tensors, save these alone as .safetensors"
        raise InputError(expected("readable weights", got=f"{file.name}: {first}", remedy=remedy)) from error


def _unwrapped(state: Any, file: Path) -> dict[str, Tensor]:
    if isinstance(state, Mapping) and isinstance(state.get(WRAP), Mapping):
        state = state[WRAP]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        remedy = "give model.safetensors, model.bin or model.ckpt"
        raise InputError(expected("a state dict of tensors", got=f"something else in {file.name}", remedy=remedy))
    return {str(k).removeprefix(PREFIX): v for k, v in state.items()}


def _check(state: Mapping[str, Tensor], config: ReleasedConfig, file: Path) -> None:
    held = "shape2vectset-autoencoder" if "pcd_emb.weight" in state else "pcd-encoder"
    remedy = f"give the {CONFIG} that was published with {file.name}"
    if held != config.point_kind and any(k.startswith("pcd_model.") for k in state):
        raise InputError(
            expected(f"the point encoder {config.point_kind} of {CONFIG}", got=f"{held} in {file.name}", remedy=remedy)
        )
    wanted = published_shapes(config)
    differ = {"without": sorted(wanted.keys() - state.keys()), "with": sorted(state.keys() - wanted.keys())}
    if any(differ.values()):
        got = " and ".join(f"{word} {_some(names)}" for word, names in differ.items() if names)
        raise InputError(
            expected(f"the {len(wanted)} weights of {CONFIG} in {file.name}", got=f"a file {got}", remedy=remedy)
        )
    for name, shape in wanted.items():
        if tuple(state[name].shape) != shape:
            got = tuple(state[name].shape)
            raise ShapeError(expected(f"{name} of shape {shape} in {file.name}", got=got, remedy=remedy))


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
