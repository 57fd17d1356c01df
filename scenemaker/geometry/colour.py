"""sRGB and linear light (IEC 61966-2-1): textures are sRGB, glTF's COLOR_0 is linear."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.cameras import F64


def linear_from_srgb(srgb: NDArray[Any]) -> F64:
    """Linear light in [0, 1] of sRGB in [0, 1]."""
    x = np.asarray(srgb, np.float64)
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(linear: NDArray[Any]) -> F64:
    """sRGB in [0, 1] of linear light in [0, 1]."""
    x = np.clip(np.asarray(linear, np.float64), 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)
