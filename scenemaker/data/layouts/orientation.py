"""How objects are turned: upright, tilted or tumbled, mixed by weight.

Convention: ``world`` and ``obj`` are y up, so an upright object has R_world_obj with the column (0, 1, 0) for y.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, Field, model_validator

from scenemaker.geometry.cameras import F64
from scenemaker.scene import Bool


class OrientationMix(BaseModel, frozen=True, extra="forbid"):
    """How often each kind of orientation is drawn; the three weights are relative."""

    upright: float = Field(default=1.0, ge=0, allow_inf_nan=False, description="Weight of a turn about the vertical.")
    tilted: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Weight of a turn, then a pitch about a horizontal axis."
    )
    tumbled: float = Field(default=0.0, ge=0, allow_inf_nan=False, description="Weight of any rotation, uniformly.")
    tilt_deg: float = Field(default=45.0, gt=0, le=180, description="Largest pitch of a tilted object, in degrees.")

    @model_validator(mode="after")
    def _some(self) -> OrientationMix:
        if not self.upright + self.tilted + self.tumbled > 0:
            raise ValueError("expected a weight above 0")
        return self

    def draw(self, n: int, rng: np.random.Generator) -> tuple[F64, Bool]:
        """R_world_obj (n, 3, 3) of n objects, and which of them (n,) are upright.

        Every object takes the same numbers from ``rng`` whatever its kind.
        """
        weights = np.array([self.upright, self.tilted, self.tumbled])
        kind = np.searchsorted(np.cumsum(weights / weights.sum())[:2], rng.random(n), side="right")  # (n,)
        half_yaw, axis = rng.uniform(0, np.pi, n), rng.uniform(0, 2 * np.pi, n)  # (n,)
        half_tilt = np.radians(rng.uniform(0, self.tilt_deg, n)) / 2
        tumbled = rng.normal(size=(n, 4))  # a normalised Gaussian is uniform on the sphere, so uniform in SO(3)
        zero = np.zeros(n)
        upright = np.stack([np.cos(half_yaw), zero, np.sin(half_yaw), zero], -1)
        pitch = np.stack([np.cos(half_tilt), np.sin(half_tilt) * np.cos(axis), zero, np.sin(half_tilt) * np.sin(axis)])
        quat_wxyz = np.choose(kind[:, None], [upright, quat_product(pitch.T, upright), tumbled])
        return R_from_quat(quat_wxyz), kind == 0


def quat_product(a_wxyz: F64, b_wxyz: F64) -> F64:
    """(n, 4) quaternions of R_a R_b: first b, then a."""
    aw, a, bw, b = a_wxyz[:, :1], a_wxyz[:, 1:], b_wxyz[:, :1], b_wxyz[:, 1:]
    return np.concatenate([aw * bw - (a * b).sum(1, keepdims=True), aw * b + bw * a + np.cross(a, b)], 1)


def R_from_quat(quat_wxyz: F64) -> F64:
    """(n, 3, 3) rotations of quaternions (n, 4), scalar first, of any length but zero."""
    w, x, y, z = (quat_wxyz / np.linalg.norm(quat_wxyz, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)
