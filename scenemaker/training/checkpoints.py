"""Checkpoints: a folder of safetensors files, none above a given size, and ``state.json``.

::

    checkpoints/step-00000500/
        state.json                          facts, shapes of all tensors, name, size and SHA-256 of every part
        state-00001-of-00007.safetensors    the tensors one after the other; one that does not fit goes on, flat,
        ...                                 under the same name in the next part

A checkpoint is written to a hidden folder and renamed, the older ones are removed after that: whoever is killed, a
whole checkpoint remains. The parts may be carried to another machine one by one and joined there.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenemaker.cache import output_errors, sweep, temporary_prefix
from scenemaker.errors import CacheError, ConfigError, expected, needs

needs("torch", "train")
needs("safetensors", "train")
import torch  # noqa: E402
from safetensors.torch import load, save  # noqa: E402
from torch import Tensor  # noqa: E402

FORMAT = 1
STATE = "state.json"
HEADER_BYTES = 256  # of a safetensors file, and again at most of each tensor in it, its name not counted


def newest(folder: Path) -> Path | None:
    """The checkpoint of the most steps, or None."""
    return max(folder.glob("step-*"), default=None)


def save_checkpoint(
    folder: Path, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], *, part_mib: float, keep: int = 1
) -> Path:
    """Writes ``folder/step-<step>`` and removes all but the newest ``keep``. One that is there already stays as it is.

    Args:
        folder: Of all checkpoints of one training.
        step: Steps done.
        tensors: Of any shape and dtype.
        facts: Plain data beside them.
        part_mib: Size of the largest file, MiB.
        keep: How many checkpoints stay.

    Raises:
        OutputError: The folder cannot be written or the disk is full.
    """
    target = folder / f"step-{step:08d}"
    if target.exists():
        return target
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        temporary = Path(tempfile.mkdtemp(dir=folder, prefix=temporary_prefix()))
        try:
            new = temporary / "new"
            new.mkdir()
            _write(new, tensors, {**facts, "step": step}, int(part_mib * 2**20))
            new.replace(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        for old in sorted(folder.glob("step-*"))[:-keep]:
            shutil.rmtree(old)
    return target


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors (on the CPU) and facts of one checkpoint.

    Raises:
        CacheError: A part is missing, truncated or altered; the text names it.
    """
    state = read_state(path)
    shapes, pieces = state["shapes"], defaultdict[str, list[Tensor]](list)
    for part in state["parts"]:
        for name, piece in load(_read(path / part["name"], part)).items():
            pieces[name].append(piece)
    flat = {name: torch.cat(parts) for name, parts in pieces.items()}
    if {k: math.prod(shape) for k, shape in shapes.items()} != {k: value.numel() for k, value in flat.items()}:
        raise CacheError(_damaged(path / STATE, "shapes that are not those of the parts"))
    return {name: flat[name].view(shape) for name, shape in shapes.items()}, state["facts"]


def read_state(path: Path) -> dict[str, Any]:
    """``state.json`` of a checkpoint.

    Raises:
        CacheError: It is not there, or is not one of this version.
    """
    file = path / STATE
    try:
        state = json.loads(file.read_text())
        if state["format"] != FORMAT or not {"facts", "shapes", "parts"} <= state.keys():
            raise ValueError(f"format {state['format']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CacheError(_damaged(file, f"{type(error).__name__}: {error}")) from error
    return state


def _write(folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], part_bytes: int) -> None:
    plan = _plan(tensors, part_bytes)
    parts = []
    for number, pieces in enumerate(plan, start=1):
        name = f"state-{number:05d}-of-{len(plan):05d}.safetensors"
        # a copy of each piece: tensors that share memory are written apart, and one part at a time is on the CPU
        data = save({key: tensors[key].detach().reshape(-1)[a:b].cpu().clone() for key, a, b in pieces})
        (folder / name).write_bytes(data)
        parts.append({"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    shapes = {key: list(tensor.shape) for key, tensor in tensors.items()}
    state = {"format": FORMAT, "facts": facts, "shapes": shapes, "parts": parts}
    (folder / STATE).write_text(json.dumps(state, indent=1))


def _plan(tensors: Mapping[str, Tensor], part_bytes: int) -> list[list[tuple[str, int, int]]]:
    """The pieces (name, first element, end) of every part, filled one after the other."""
    parts: list[list[tuple[str, int, int]]] = [[]]
    room = part_bytes - HEADER_BYTES
    for name, tensor in tensors.items():
        overhead = HEADER_BYTES + len(json.dumps(name))
        if overhead + HEADER_BYTES + tensor.element_size() > part_bytes:
            raise ConfigError(expected("larger parts", got=f"{part_bytes} bytes", remedy="raise part_mib"))
        begin, total = 0, tensor.numel()
        while begin < total or (total == 0 and begin == 0):
            fits = (room - overhead) // tensor.element_size()
            if fits < 1:
                parts.append([])
                room = part_bytes - HEADER_BYTES
                continue
            end = min(begin + fits, total)
            parts[-1].append((name, begin, end))
            room -= overhead + (end - begin) * tensor.element_size()
            begin = end if total else 1
    return parts


def _read(file: Path, part: Mapping[str, Any]) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CacheError(_damaged(file, error.strerror)) from error
    if len(data) != part["bytes"]:
        raise CacheError(_damaged(file, f"{len(data)} bytes instead of {part['bytes']}"))
    if hashlib.sha256(data).hexdigest() != part["sha256"]:
        raise CacheError(_damaged(file, "other content than was written"))
    return data


def _damaged(file: Path, got: object) -> str:
    remedy = "copy it again, or remove the folder to go on from an older checkpoint or anew"
    return expected(f"a whole checkpoint with {file}", got=got, remedy=remedy)
