"""Keeps the measures out of half precision, also inside ``torch.autocast``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from scenemaker.errors import ShapeError, expected

P = ParamSpec("P")
Result = TypeVar("Result")


def full_precision(function: Callable[P, Result]) -> Callable[P, Result]:
    """Runs a function on float32 where it is given half precision, and with autocast off.

    A sum of 20,480 squares overflows float16, and a rotation rounded to bfloat16 is off by a tenth of a degree.

    Raises:
        ShapeError: When called without a tensor.
    """

    @wraps(function)
    def wide(*args: P.args, **kwargs: P.kwargs) -> Result:
        devices = [x.device.type for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        if not devices:
            got, remedy = " and ".join(type(x).__name__ for x in args), "use torch.as_tensor, or evaluation.measures"
            raise ShapeError(expected("tensors", got=got, remedy=remedy))
        with torch.autocast(devices[0], enabled=False):
            return function(*map(_wide, args), **{key: _wide(x) for key, x in kwargs.items()})  # pyright: ignore[reportCallIssue]

    return wide


def _wide(x: Any) -> Any:
    half = isinstance(x, Tensor) and x.dtype in (torch.float16, torch.bfloat16)
    return x.float() if half else x
