"""Weights of a network from a file, checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenemaker.errors import InputError, ShapeError, expected, needs

if TYPE_CHECKING:
    from torch import Tensor


def weights_of(path: Path, shapes: dict[str, tuple[int, ...]], *, ignored: str | None = None) -> dict[str, Tensor]:
    """Exactly these weights, of a state dict in a .pth or .safetensors file.

    Args:
        path: Of the file.
        shapes: Shape by key of every weight.
        ignored: Beginning of the keys that may be in the file and are not wanted; any other key is an error.

    Raises:
        BackendNotInstalledError: A .safetensors file without the package safetensors.
        InputError: No such file, one that cannot be read, or other keys.
        ShapeError: A weight of another shape.
    """
    if not path.is_file():
        raise InputError(expected("a file of weights", got=f"no file {path}", remedy="check the path"))
    found = {k: v for k, v in _state(path).items() if ignored is None or not k.startswith(ignored)}
    differ = {"without": sorted(shapes.keys() - found.keys()), "with": sorted(found.keys() - shapes.keys())}
    if any(differ.values()):
        got = " and ".join(f"a file {word} {_some(keys)}" for word, keys in differ.items() if keys)
        what = f"the weights {_some(list(shapes))} in {path.name}"
        raise InputError(expected(what, got=got, remedy="give the file of this network"))
    for key, shape in shapes.items():
        if tuple(found[key].shape) != shape:
            got, remedy = tuple(found[key].shape), "give the file of this network"
            raise ShapeError(expected(f"{key} of shape {shape} in {path.name}", got=got, remedy=remedy))
    return found


def _state(path: Path) -> dict[str, Tensor]:
    import torch

    if path.suffix == ".safetensors":
        needs("safetensors", "models")
    try:
        state = _load(path)
    except Exception as error:  # of many kinds, by the place where the file is cut
        first = str(error).partition("\n")[0]
        raise InputError(expected("readable weights", got=f"{path.name}: {first}", remedy="fetch it again")) from error
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        got, remedy = f"something else in {path.name}", "save model.state_dict()"
        raise InputError(expected("a state dict of tensors", got=got, remedy=remedy))
    return state


def _load(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file  # pyright: ignore[reportMissingImports]

        return load_file(path)
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:2]) + (" ..." if len(keys) > 2 else "")
