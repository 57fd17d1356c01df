"""Seeded clouds of asymmetric objects, on which public code was run too."""

from __future__ import annotations

import numpy as np


def bodies(rng: np.random.Generator, objects: int, points: int) -> np.ndarray:
    """(objects, points, 3) points on unit wedges, narrower towards +y."""
    p = rng.uniform(-0.5, 0.5, (objects, points, 3))
    axis = rng.integers(0, 3, (objects, points, 1))
    np.put_along_axis(p, axis, np.sign(np.take_along_axis(p, axis, 2)) / 2, 2)
    p[..., 0] *= 0.75 - p[..., 1] / 2
    return p


def scene(seed: int, objects: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    """(objects, points, 3) predicted and true points: each object a bit off, and all of them turned by 0.3 rad."""
    rng = np.random.default_rng(seed)
    size, centre = rng.uniform(0.2, 0.7, (objects, 1, 3)), rng.uniform(-0.7, 0.7, (objects, 1, 3))
    gt = bodies(rng, objects, points) * size + centre
    pred = bodies(rng, objects, points) * size * rng.uniform(0.9, 1.1, (objects, 1, 3))
    for i, angle in enumerate(rng.uniform(-0.4, 0.4, objects)):
        c, s = np.cos(angle), np.sin(angle)
        pred[i] = pred[i] @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    pred = pred + centre + rng.normal(0, 0.04, (objects, 1, 3))
    c, s = np.cos(0.3), np.sin(0.3)
    return pred @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + [0.05, -0.02, 0.03], gt
