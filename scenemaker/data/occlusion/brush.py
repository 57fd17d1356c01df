"""Brush strokes: what a person rubs out, or marks badly."""

from __future__ import annotations

import numpy as np

from scenemaker.data.occlusion.severity import box, calibrated, removed_share
from scenemaker.errors import PlacementError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.scene import Bool

WIDTH = (0.05, 0.15)  # of the brush for a light touch, over the size of the object (root of its box)
WIDER = 2.0  # who rubs out much takes a wider brush: times 1 + WIDER severity
VERTICES = (3, 9)  # of a stroke's walk, before it is smoothed
STEP = (0.15, 0.5)  # from vertex to vertex, over the size
BEND_DEG = 60.0  # standard deviation of the turn at a vertex
STROKES = 200
_SUBPIXEL = 4  # bits of cv2's fixed-point coordinates


def brush(amodal: Bool, rng: np.random.Generator, severity: float) -> Bool:
    """(H, W) pixels under random strokes, the last of which ends where the asked share is reached.

    A stroke is a smooth random walk with round ends, whose width changes a little on the way.

    Reference: SceneMaker 3.2.1, "random brush strokes for user prompts".

    Args:
        amodal: (H, W) the whole object.
        rng: Draws the strokes.
        severity: Share of the object to remove.

    Raises:
        PlacementError: The strokes miss the object.
    """
    x0, y0, x1, y1 = box(amodal)
    size = float(np.sqrt((x1 - x0) * (y1 - y0)))
    width = size * rng.uniform(*WIDTH) * (1 + WIDER * severity)
    inside = np.flatnonzero(amodal)
    removed = np.zeros(amodal.shape, bool)
    for _ in range(STROKES):
        v, u = np.divmod(rng.choice(inside), amodal.shape[1])
        path = _walk(np.array([u, v], np.float64), np.array([x0, y0, x1, y1], np.float64), size, width, rng)
        before = removed

        def stroke(t: float, path: F64 = path, before: Bool = before) -> Bool:
            """A dab that grows to the brush's width until t = 1/2, then a stroke that grows in length."""
            part = path[: max(2, round((2 * t - 1) * len(path)))]
            return before | _drawn(part * [1, 1, min(1.0, 2 * t)], amodal.shape)

        removed = stroke(1.0)
        if removed_share(amodal, removed) >= severity:
            return calibrated(stroke, amodal, severity)
    got = f"{removed_share(amodal, removed):.0%} after {STROKES}"
    raise PlacementError(expected(f"strokes that hide {severity:.0%}", got=got, remedy="give a larger object"))


def _walk(start: F64, box_px: F64, size: float, width: float, rng: np.random.Generator) -> F64:
    """(n, 3) u, v and width along a stroke: a random walk that turns back outside of the box, its corners rounded."""
    n = int(rng.integers(VERTICES[0], VERTICES[1] + 1))
    heading, at = rng.uniform(0, 2 * np.pi), start
    vertices = [np.append(at, width * rng.uniform(0.7, 1.3))]
    for _ in range(n):
        heading += np.radians(rng.normal(0, BEND_DEG))
        if ((at < box_px[:2]) | (at > box_px[2:])).any():
            inwards = box_px.reshape(2, 2).mean(0) - at
            heading = np.arctan2(inwards[1], inwards[0]) + np.radians(rng.normal(0, BEND_DEG / 3))
        at = at + size * rng.uniform(*STEP) * np.array([np.cos(heading), np.sin(heading)])
        vertices.append(np.append(at, width * rng.uniform(0.7, 1.3)))
    path = np.array(vertices)
    for _ in range(4):  # Chaikin's corner cutting; the ends stay
        a, b = path[:-1], path[1:]
        cut = np.stack([0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b], 1).reshape(-1, 3)
        path = np.concatenate([path[:1], cut, path[-1:]])
    return path


def _drawn(path: F64, shape: tuple[int, ...]) -> Bool:
    """The pixels of a stroke; cv2's thick lines have round ends."""
    import cv2

    canvas = np.zeros(shape, np.uint8)
    points = np.round(path[:, :2] * 2**_SUBPIXEL).astype(np.int64).tolist()
    for a, b, width in zip(points[:-1], points[1:], path[1:, 2].tolist()):
        cv2.line(canvas, tuple(a), tuple(b), 255, max(1, round(width)), cv2.LINE_8, _SUBPIXEL)
    return canvas > 0
