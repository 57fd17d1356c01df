"""How far the camera looks down: what the masks suggest, corrected by what straight edges show.

The masks give a normal distribution over the pitch (a linear regression), the edges a likelihood; the median of their
product is the answer. The roll is then what makes the edges fit best, near zero unless they say otherwise.
Calibration: ``python -m benchmarks.ground_plane_calibration`` on made scenes with pitches of 2 to 62 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenemaker.geometry.cameras import F64
from scenemaker.perception import lines, silhouettes
from scenemaker.perception.level import up_cam_of

PITCHES_DEG = np.arange(-4.0, 80.0, 1.0)
WORK_SIDE_PX = 512
# Of the features in `features`, in degrees; and the residual standard deviation.
COEFFICIENTS = np.array([38.59, 3.96, 10.2, 2.99, 5.64, -9.22, -10.56, -44.67, 6.93, 5.33])
RESIDUAL_DEG = 14.9
COARSE_PITCHES_DEG, COARSE_ROLLS_DEG = PITCHES_DEG[::3], np.arange(-12.0, 12.5, 2.0)
ROLLS_DEG = np.arange(-12.0, 12.5, 0.5)
LEVEL_SHARE, LEVEL_SD_DEG, TILTED_SD_DEG = 0.97, 0.5, 5.0  # most cameras are held level, the others are not at all
NO_CUES_DEG, NO_CUES_SD_DEG = 15.0, 15.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Tilt:
    """The camera's attitude.

    Attributes:
        pitch_deg, roll_deg: See ``level``.
        spread_deg: Half the interval that holds the middle 68 % of the posterior of the pitch.
    """

    pitch_deg: float
    roll_deg: float
    spread_deg: float

    @property
    def up_cam(self) -> F64:
        """(3,) against gravity."""
        return up_cam_of(np.radians(self.pitch_deg), np.radians(self.roll_deg))


def features(cues: silhouettes.Cues) -> F64:
    """(10,) numbers that the pitch is regressed on; a missing cue takes a neutral value."""
    several = np.isfinite(cues.spread)
    spread = np.clip(cues.spread, -2.5, 1.5) if several else 0.0
    count = min(cues.count, 6) - 3 if several else 0
    bend = cues.bend if np.isfinite(cues.bend) else 0.25
    top_bend = cues.top_bend if np.isfinite(cues.top_bend) else 0.25
    return np.array(
        [
            1.0,
            float(several),
            spread,
            count,
            count * spread,
            np.clip(bend, 0, 1),
            np.clip(cues.foot_y, -1, 1),
            np.clip(cues.foot_y_min, -1, 1),
            np.clip(cues.aspect, -1.5, 1.5),
            np.clip(top_bend, 0, 1),
        ]
    )


def estimate(rgb: NDArray[np.uint8], labels: NDArray[np.uint16], K: F64) -> Tilt:
    """The attitude of the camera that took a picture (H, W, 3) with masks (H, W)."""
    rgb, labels, K = _small(rgb, labels, K)
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    cues = silhouettes.measure(labels, K)
    segments = lines.find_segments(grey, labels)
    roll = _coarse_roll(cues, segments, K)
    posterior = pitch_posterior(cues, lines.log_likelihood(segments, K, np.radians(PITCHES_DEG), np.radians(roll)))
    low, pitch, high = quantiles(posterior, (0.16, 0.5, 0.84))
    return Tilt(pitch_deg=pitch, roll_deg=_roll(segments, K, pitch), spread_deg=(high - low) / 2)


def _coarse_roll(cues: silhouettes.Cues | None, segments: lines.Segments, K: F64) -> float:
    """Most probable of a few rolls in degrees, whatever the pitch; a leaning picture misleads about the pitch."""
    mean, sd = masks_suggest(cues)
    from_masks = -0.5 * ((COARSE_PITCHES_DEG - mean) / sd) ** 2
    scores = []
    for roll in COARSE_ROLLS_DEG:
        joint = from_masks + lines.log_likelihood(segments, K, np.radians(COARSE_PITCHES_DEG), float(np.radians(roll)))
        scores.append(np.logaddexp.reduce(joint) + np.log(_roll_prior(roll)))
    return float(COARSE_ROLLS_DEG[int(np.argmax(scores))])


def _roll_prior(roll_deg: ArrayLike) -> F64:
    """Density of rolls, not normalised: most cameras are held level."""
    roll = np.asarray(roll_deg, np.float64)
    level, tilted = (np.exp(-0.5 * (roll / sd) ** 2) / sd for sd in (LEVEL_SD_DEG, TILTED_SD_DEG))
    return LEVEL_SHARE * level + (1 - LEVEL_SHARE) * tilted


def _roll(segments: lines.Segments, K: F64, pitch_deg: float) -> float:
    """Median roll in degrees, given the pitch: edges' likelihood times a prior that the camera was held level."""
    pitch = np.radians([pitch_deg])
    edges = np.array([lines.log_likelihood(segments, K, pitch, float(r))[0] for r in np.radians(ROLLS_DEG)])
    p = np.exp(edges - edges.max()) * _roll_prior(ROLLS_DEG)
    return quantiles(p / p.sum(), (0.5,), ROLLS_DEG)[0]


def pitch_posterior(cues: silhouettes.Cues | None, edges: F64) -> F64:
    """(p,) probability of each of ``PITCHES_DEG`` from the masks' cues and the edges' log-likelihood (p,)."""
    return combine(*masks_suggest(cues), edges)


def masks_suggest(cues: silhouettes.Cues | None) -> tuple[float, float]:
    """Mean and standard deviation of the pitch in degrees, as the masks have it."""
    if cues is None:
        return NO_CUES_DEG, NO_CUES_SD_DEG
    return float(features(cues) @ COEFFICIENTS), RESIDUAL_DEG


def combine(mean_deg: float, sd_deg: float, edges: F64) -> F64:
    """(p,) probability of each of ``PITCHES_DEG``: a normal distribution times a likelihood (p,) given as its log."""
    log_p = -0.5 * ((PITCHES_DEG - mean_deg) / sd_deg) ** 2 + edges
    p = np.exp(log_p - log_p.max())
    return p / p.sum()


def quantiles(posterior: F64, at: tuple[float, ...], grid: F64 = PITCHES_DEG) -> tuple[float, ...]:
    """Values of an even grid (p,) below which the given shares of the posterior (p,) lie."""
    step = grid[1] - grid[0]
    edges = np.append(grid - step / 2, grid[-1] + step / 2)
    return tuple(float(q) for q in np.interp(at, np.append(0.0, np.cumsum(posterior)), edges))


def _small(
    rgb: NDArray[np.uint8], labels: NDArray[np.uint16], K: F64
) -> tuple[NDArray[np.uint8], NDArray[np.uint16], F64]:
    """All three at a working size: edges and outlines need no more."""
    h, w = labels.shape
    k = WORK_SIDE_PX / max(h, w)
    if k >= 1:
        return rgb, labels, K
    size = max(1, round(w * k)), max(1, round(h * k))
    S = np.diag([size[0] / w, size[1] / h, 1.0])
    return (
        np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8),
        np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint16),
        S @ K,
    )
