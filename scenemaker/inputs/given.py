"""What a user gives as a path or as an array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scenemaker.errors import InputError, expected


def path_or_array(value: Any) -> Any:
    """A path that exists, an array, or None.

    Raises:
        InputError: A path to nothing.
    """
    if value is None or isinstance(value, np.ndarray):
        return value
    if isinstance(value, (str, Path)):
        path = Path(value)
        if not path.exists():
            raise InputError(expected("a file or folder", got=f"{path}: not found", remedy="check the path"))
        return path
    return np.asarray(value)
