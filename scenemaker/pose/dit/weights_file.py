"""The files of weights: safetensors with a config and facts, read with care and written at one stroke."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from scenemaker.cache import digest, write_atomic
from scenemaker.errors import ConfigError, InputError, expected, needs

needs("torch", "models")
needs("safetensors", "models")
import torch  # noqa: E402
from safetensors import SafetensorError, safe_open  # noqa: E402
from safetensors.torch import save  # noqa: E402
from torch import Tensor, nn  # noqa: E402

MODEL, ENCODER, VERSION = "scenemaker.pose-dit", "scenemaker.encoder", "1"
NAMED = 3  # names in an error text, the rest are counted
ANEW = "fetch or train it anew"

C = TypeVar("C", bound=BaseModel)


def write(
    path: Path,
    state: Mapping[str, Tensor],
    metadata: dict[str, str],
    config: BaseModel,
    facts: Mapping[str, Any],
    dtype: torch.dtype | None,
) -> None:
    """Writes tensors with metadata, config and facts; matrices in ``dtype`` where one is given.

    Raises:
        OutputError: The file cannot be written.
    """
    texts = {"version": VERSION, "config": config.model_dump_json(), "facts": json.dumps(dict(facts))}
    tensors = {name: x.detach().cpu().contiguous() for name, x in state.items()}
    if dtype is not None:  # vectors (norms, biases, statistics) are few, and their rounding would move everything
        tensors = {name: x.to(dtype) if x.ndim > 1 else x for name, x in tensors.items()}
    write_atomic(path, save(tensors, {**metadata, **texts}))


def read(path: Path, form: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a file of format ``form``.

    Raises:
        InputError: Not such a file, or a damaged one.
    """
    metadata = read_metadata(path, form)
    with safe_open(path, "pt") as file:
        return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def read_metadata(path: Path, form: str | None) -> dict[str, str]:
    """Metadata of a whole file of format ``form``, or of either where it is None.

    Raises:
        InputError: Not such a file, or a damaged one.
    """
    try:
        _check_whole(path)
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
    except OSError as error:
        got = error.strerror or str(error)
        raise InputError(expected(f"a weights file at {path}", got=got, remedy="check the path")) from error
    except SafetensorError as error:
        raise InputError(expected(f"a safetensors file at {path}", got=str(error), remedy=ANEW)) from error
    _check_format(metadata, form, path)
    return metadata


def _check_whole(path: Path) -> None:
    """Tells a file of another kind from one cut short: eight bytes of length, a JSON header, then the tensors."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 10 or file.read(1) != b"{" or length > 100_000_000:
            got = f"a file of {size} bytes that does not begin as one"
            raise InputError(expected(f"a safetensors file at {path}", got=got, remedy="check the path"))
        header = b"{" + file.read(length - 1)
    if len(header) == length:
        try:
            ends = [entry["data_offsets"][1] for name, entry in json.loads(header).items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            got = "a header that cannot be read"
            raise InputError(expected(f"a safetensors file at {path}", got=got, remedy=ANEW)) from error
        whole = 8 + length + max(ends, default=0)
    else:
        whole = 8 + length
    if size < whole:
        got = f"{size} of at least {whole} bytes"
        raise InputError(expected(f"a whole file at {path}", got=got, remedy="copy or fetch it again"))


def _check_format(metadata: Mapping[str, str], form: str | None, path: Path) -> None:
    found, version = metadata.get("format"), metadata.get("version")
    if found not in ((MODEL, ENCODER) if form is None else (form,)) or not {"config", "facts"} <= set(metadata):
        what = f"weights of format {form or f'{MODEL} or {ENCODER}'} in {path}"
        remedy = "give a file that `scenemaker train` wrote"
        raise InputError(expected(what, got=f"format {found}", remedy=remedy))
    if version != VERSION:
        remedy = "use the version of scenemaker that wrote it, or train anew"
        raise InputError(expected(f"version {VERSION} of {found} in {path}", got=f"version {version}", remedy=remedy))


def config_of(cls: type[C], metadata: Mapping[str, str], path: Path) -> C:
    """The config of a file.

    Raises:
        ConfigError: One that this version does not know.
    """
    try:
        return cls.model_validate_json(metadata["config"])
    except ValidationError as error:
        first = error.errors()[0]
        got = f"{'.'.join(map(str, first['loc'])) or 'config'}: {first['msg']}"
        remedy = "use the version of scenemaker that wrote it"
        raise ConfigError(expected(f"a config that this version knows in {path}", got=got, remedy=remedy)) from error


def fill(state: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: Path) -> None:
    """Copies tensors into those of a module.

    Raises:
        InputError: A name or a shape does not fit.
    """
    both = state.keys() & tensors.keys()
    shapes = {name: (tuple(tensors[name].shape), tuple(state[name].shape)) for name in both}
    misfits = {f"{name} {came} for {needed}" for name, (came, needed) in shapes.items() if came != needed}
    faults = {
        "missing": state.keys() - both,
        "unexpected": tensors.keys() - both,
        "of another shape": misfits,
    }
    if any(faults.values()):
        got = "; ".join(f"{len(names)} {what} ({_first(sorted(names))})" for what, names in faults.items() if names)
        remedy = f"the file does not fit its own config: {ANEW}"
        raise InputError(expected(f"the {len(state)} tensors of its config in {path}", got=got, remedy=remedy))
    with torch.no_grad():
        for name, x in state.items():
            x.copy_(tensors[name])


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def state_digest(module: nn.Module) -> str:
    """SHA-256 of a module's weights by name, dtype, shape and content."""
    return tensors_digest(module.state_dict())


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors by name, dtype, shape and content."""
    plain = {
        name: [str(x.dtype), tuple(x.shape), x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()]
        for name, x in tensors.items()
    }
    return digest(plain)
