"""What straight edges tell about the pitch: upright ones point at the nadir, level ones at the horizon.

Every object, and the background, has one yaw of its own; all share the vertical (an "Atlanta world"). An edge is
vertical, along or across its group's yaw, or none of these; the yaw is integrated out.
Reference: the mixture over edges follows Coughlan and Yuille, "Manhattan World", ICCV 1999.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.geometry.cameras import F64
from scenemaker.perception.level import up_cam_of

MAX_SEGMENTS = 240
ANGLE_SD_RAD = np.radians(2.0)
SHARE_VERTICAL, SHARE_LEVEL = 0.25, 0.15  # of the edges; level is per direction, the rest points anywhere
CURVE_TURN_RAD = np.radians([5.0, 30.0])
# Edges of one group are not independent (a plank has two sides, a shutter fifty): n of them count as
# TEMPER * (20 n)^0.5, and a group may have no such directions at all (a cat). Found on made scenes, by
# cross-validation.
TEMPER, BACKGROUND_TEMPER = 0.3, 0.2
SHAPELESS = 0.3
YAWS_RAD = np.radians(np.arange(0, 90, 3.0))


@dataclass(frozen=True, eq=False, kw_only=True)
class Segments:
    """Straight edges: (n, 2) end points in pixels, and the label (n,) of the object they lie on (0 background)."""

    start_px: F64
    end_px: F64
    group: NDArray[np.int64]

    @property
    def length_px(self) -> F64:
        """(n,) lengths."""
        return np.linalg.norm(self.end_px - self.start_px, axis=1)


def find_segments(grey: NDArray[np.uint8], labels: NDArray[np.uint16]) -> Segments:
    """The longest straight edges of a picture (H, W), in its pixels."""
    found = cv2.createLineSegmentDetector().detect(grey)[0]
    lines = np.zeros((0, 4)) if found is None else np.asarray(found, np.float64).reshape(-1, 4) + 0.5
    length = np.hypot(lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1])
    keep = np.argsort(-length, kind="stable")[:MAX_SEGMENTS]
    keep = keep[length[keep] > 0.025 * max(grey.shape)]
    lines = lines[keep]
    lines = lines[~_on_curve(lines, 0.012 * max(grey.shape))]
    a, b = lines[:, :2], lines[:, 2:]
    return Segments(start_px=a, end_px=b, group=_group(a, b, labels))


def _on_curve(lines: F64, reach_px: float) -> NDArray[np.bool_]:
    """(n,) pieces of round outlines: the next piece begins where they end, turned by a little."""
    ends = lines.reshape(-1, 2, 2)
    along = ends[:, 1] - ends[:, 0]
    angle = np.arctan2(along[:, 1], along[:, 0])
    turn = np.abs((angle[:, None] - angle + np.pi / 2) % np.pi - np.pi / 2)
    gap = np.linalg.norm(ends[:, None, :, None] - ends[None, :, None, :], axis=-1).min((2, 3))
    return ((gap < reach_px) & (turn > CURVE_TURN_RAD[0]) & (turn < CURVE_TURN_RAD[1])).any(1)


def _group(a: F64, b: F64, labels: NDArray[np.uint16]) -> NDArray[np.int64]:
    """The nearer label on either side of the middle: an outline belongs to the object, not to what is behind."""
    along = (b - a) / np.maximum(np.linalg.norm(b - a, axis=1, keepdims=True), 1e-9)
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    h, w = labels.shape
    sides = []
    for offset in (0.0, 2.5, -2.5):
        at = ((a + b) / 2 + offset * across).astype(np.int64)
        sides.append(labels[at[:, 1].clip(0, h - 1), at[:, 0].clip(0, w - 1)].astype(np.int64))
    return np.where(sides[0] > 0, sides[0], np.maximum(sides[1], sides[2]))


def log_likelihood(segments: Segments, K: F64, pitch_rad: F64, roll_rad: float = 0.0) -> F64:
    """(p,) how well each pitch explains the edges, relative to edges that point anywhere, in nats.

    Args:
        segments: Edges of a picture.
        K: (3, 3) of that picture.
        pitch_rad: (p,) candidates.
        roll_rad: The roll they share.
    """
    if not len(segments.group):
        return np.zeros(len(pitch_rad))
    middle, along = _normalised(segments, K)
    up = up_cam_of(pitch_rad, np.full(len(pitch_rad), roll_rad))  # (p, 3)
    right = np.tile([np.cos(roll_rad), np.sin(roll_rad), 0.0], (len(up), 1))
    forward = np.cross(right, up)
    weight = np.minimum(segments.length_px / np.median(segments.length_px), 3.0)
    sigma = ANGLE_SD_RAD + 0.7 / segments.length_px
    vertical = SHARE_VERTICAL * _density(_miss(up[:, None], middle, along), sigma)  # (p, 1, n)
    cos, sin = np.cos(YAWS_RAD)[None, :, None], np.sin(YAWS_RAD)[None, :, None]
    one = _density(_miss(cos * right[:, None] + sin * forward[:, None], middle, along), sigma)  # (p, y, n)
    two = _density(_miss(-sin * right[:, None] + cos * forward[:, None], middle, along), sigma)
    outlier = 1 - SHARE_VERTICAL - 2 * SHARE_LEVEL
    score = weight.astype(np.float32) * np.log(outlier + vertical + SHARE_LEVEL * (one + two))  # (p, y, n)
    total = np.zeros(len(up))
    for group in np.unique(segments.group):
        on = segments.group == group
        per_yaw = score[:, :, on].sum(-1).astype(np.float64)
        best = per_yaw.max(1)
        evidence = best + np.log(np.exp(per_yaw - best[:, None]).mean(1))
        evidence *= (TEMPER if group else BACKGROUND_TEMPER) * np.sqrt(20 / on.sum())
        total += np.logaddexp(np.log(SHAPELESS), np.log(1 - SHAPELESS) + evidence)
    return total


def _normalised(segments: Segments, K: F64) -> tuple[F64, F64]:
    """(n, 2) middles and (n, 2) unit directions on the plane z = 1."""
    Kinv = np.linalg.inv(K)
    a, b = (p @ Kinv[:2, :2].T + Kinv[:2, 2] for p in (segments.start_px, segments.end_px))
    return (a + b) / 2, (b - a) / np.maximum(np.linalg.norm(b - a, axis=1, keepdims=True), 1e-12)


def _miss(direction: F64, middle: F64, along: F64) -> NDArray[np.float32]:
    """(..., n) sine of the angle between edges and the lines from their middles to the vanishing point of (..., 3)."""
    d = direction.astype(np.float32)[..., None, :]
    m, s = middle.astype(np.float32), along.astype(np.float32)
    tx, ty = d[..., 0] - d[..., 2] * m[:, 0], d[..., 1] - d[..., 2] * m[:, 1]
    cross = np.abs(s[:, 0] * ty - s[:, 1] * tx)
    return (cross / np.maximum(np.hypot(tx, ty), 1e-6)).astype(np.float32)


def _density(sine: NDArray[np.float32], sigma: F64) -> NDArray[np.float32]:
    """Density of the angle in [0, pi/2], over that of an edge that points anywhere."""
    sd = sigma.astype(np.float32)
    return (np.sqrt(np.pi / 2) / sd * np.exp(-0.5 * (sine / sd) ** 2)).astype(np.float32)
