"""Object cut-outs: another object's silhouette, without its background, in front of the object."""

from __future__ import annotations

import numpy as np

from scenemaker.data.occlusion.severity import box, calibrated, removed_share
from scenemaker.errors import PlacementError, expected
from scenemaker.geometry.cameras import F64
from scenemaker.scene import U8, Bool

REACH = (0.4, 1.3)  # longer side of the silhouette over that of the object, before it must grow
GROWTH, GROWTHS = 1.25, 14
TURN_DEG = 25.0  # standard deviation


def cutout(amodal: Bool, rng: np.random.Generator, severity: float, silhouette: Bool) -> Bool:
    """(H, W) pixels of an occluder, on the object and beside it.

    The silhouette is turned, mirrored, scaled, and slid in from outside until it hides the asked share; one that is
    too small or too thin for that grows.

    Reference: SceneMaker 3.2.1, "object cutouts without background for object occlusion".

    Args:
        amodal: (H, W) the whole object.
        rng: Draws size, turn, direction and the place where it would come to lie.
        severity: Share of the object to remove.
        silhouette: (h, w) of another object.

    Raises:
        PlacementError: A silhouette too thin to hide so much.
    """
    x0, y0, x1, y1 = box(amodal)
    left, top, right, bottom = box(silhouette)
    scale = rng.uniform(*REACH) * max(x1 - x0, y1 - y0) / max(right - left, bottom - top)
    turn, mirror = np.radians(rng.normal(0, TURN_DEG)), rng.choice([-1.0, 1.0])
    heading = rng.uniform(0, 2 * np.pi)
    away = np.array([np.cos(heading), np.sin(heading)])
    A = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag([mirror, 1.0])
    soft = _soft(silhouette)
    for growth in GROWTH ** np.arange(GROWTHS):
        A_px = A * scale * growth
        goal = _pixel(amodal, rng) - A_px @ _pixel(silhouette, rng)  # where these two pixels meet
        far = float(np.hypot(*amodal.shape) + np.hypot(*silhouette.shape) * scale * growth)

        def slid(t: float, A_px: F64 = A_px, goal: F64 = goal, far: float = far) -> Bool:
            return _placed(soft, A_px, goal + (1 - t) * far * away, amodal.shape)

        if removed_share(amodal, slid(1.0)) >= severity:
            return calibrated(slid, amodal, severity)
    got = f"one that hides less at {GROWTH ** (GROWTHS - 1):.0f} times its size"
    raise PlacementError(expected(f"a silhouette that hides {severity:.0%}", got=got, remedy="give a fuller one"))


def _pixel(mask: Bool, rng: np.random.Generator) -> F64:
    """(2,) centre (u, v) of a random pixel of the mask."""
    v, u = np.divmod(rng.choice(np.flatnonzero(mask)), mask.shape[1])
    return np.array([u + 0.5, v + 0.5])


def _soft(mask: Bool) -> U8:
    """0 to 255, blurred so little that only the steps of the outline go: they would show where it is enlarged."""
    import cv2

    return np.asarray(cv2.GaussianBlur(mask.astype(np.uint8) * 255, (0, 0), 1.0), np.uint8)


def _placed(soft: U8, A: F64, b: F64, shape: tuple[int, ...]) -> Bool:
    """A mask of 0 to 255 moved by p -> A p + b, on a canvas (H, W)."""
    import cv2

    half = np.array([0.5, 0.5])  # cv2 puts the centre of the top-left pixel at (0, 0)
    M = np.column_stack([A, A @ half + b - half])
    warped = cv2.warpAffine(soft, M, (shape[1], shape[0]), flags=cv2.INTER_LINEAR)
    return np.asarray(warped) >= 128
