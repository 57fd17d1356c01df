"""Symmetries of many objects as tensors, and what they do to a pose.

A symmetry g of a shape turns it about its ``pivot`` z, the centroid of its surface, which every symmetry leaves where
it is: p -> z + g (p - z). So the pose (R, t, s) looks like the one of rotation R g and of

    t_g = t + s (R - R g) z,

and t may stay as it is only where z = 0: not where the box of a cone that lies askew is centred beside its axis.

A ball has more symmetries than can be listed. Its row has an axis, any turn about which is a symmetry, and ``BALL``
rotations that take this axis to directions spread evenly over the sphere: the equivalent nearest to any rotation is
within 40 degrees of it, 17 on average.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenemaker.errors import needs

needs("torch", "train")
import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from scenemaker.evaluation.measures.symmetry import Symmetries  # noqa: E402
from scenemaker.geometry import transforms  # noqa: E402
from scenemaker.geometry.cameras import F64  # noqa: E402

BALL = 24  # directions of a ball's axis
_UP = np.array([0.0, 1.0, 0.0])


def padded(found: Sequence[Symmetries]) -> tuple[Tensor, Tensor]:
    """Rotations (M, G, 3, 3), filled up with the identity, and axes (M, 3), zeros where there is none."""
    rows = [_ball() if s.ball else s.rotations for s in found]
    rotations = torch.eye(3).repeat(len(rows), max(map(len, rows)), 1, 1)  # (M, G, 3, 3)
    for row, R in zip(rotations, rows, strict=True):
        row[: len(R)] = torch.from_numpy(R)
    axes = [_UP if s.ball else np.zeros(3) if s.axis is None else s.axis for s in found]
    return rotations, torch.tensor(np.stack(axes), dtype=torch.float32)


def _ball() -> F64:
    """(BALL, 3, 3) rotations that take the axis y to Fibonacci's directions, the first of which is y itself."""
    k = np.arange(BALL)
    y, angle = 1 - 2 * k / (BALL - 1), np.pi * (1 + np.sqrt(5)) * k
    r = np.sqrt(1 - y**2)
    directions = np.stack([r * np.cos(angle), y, r * np.sin(angle)], 1)  # (BALL, 3)
    return np.stack([_from_up(d) for d in directions])


def _from_up(direction: F64) -> F64:
    across = np.cross(_UP, direction)
    if np.linalg.norm(across) < 1e-9:
        return np.eye(3) if direction[1] > 0 else np.diag([1.0, -1.0, -1.0])
    return transforms.axis_angle(across, float(np.arccos(np.clip(direction[1], -1, 1))))


def turned(symmetries: Tensor, axis: Tensor, Q: Tensor) -> tuple[Tensor, Tensor]:
    """The same symmetries of shapes that were turned by Q (N, 3, 3): Q g Q^T and Q a."""
    rotations = Q[:, None] @ symmetries @ Q[:, None].mT  # (N, G, 3, 3)
    return rotations, (Q @ axis[..., None])[..., 0]


def equivalent_t(R: Tensor, t: Tensor, s: Tensor, R_equivalent: Tensor, pivot: Tensor) -> Tensor:
    """(N, S, 3) translations with which other rotations that look the same put the shape where (R, t, s) puts it.

    Args:
        R: (N, 3, 3); t: (N, 3); s: (N,) a pose.
        R_equivalent: (N, S, 3, 3) each R g for some symmetry g, as from ``nearest_symmetric``.
        pivot: (N, 3) in ``obj``.
    """
    shift = (R[:, None] - R_equivalent) @ pivot[:, None, :, None]  # (N, S, 3, 1)
    return t[:, None] + s[:, None, None] * shift[..., 0]
