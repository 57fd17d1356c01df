"""Depth backend ``ground-plane``: single-view metrology without weights.

The camera stands at height 1 over a floor; its tilt is estimated (``tilt``), every object stands where the lower
outline of its mask touches the floor or another object (``contacts``), and its visible surface is that of an upright
solid which fills the mask (``relief``). What is not an object is floor, up to an upright backdrop (``backdrop``).

Reference: Criminisi, Reid and Zisserman, "Single View Metrology", IJCV 2000; Hoiem, Efros and Hebert, "Putting
Objects in Perspective", IJCV 2008 (the horizon and the foot give the distance).
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from scenemaker.errors import ShapeError, expected
from scenemaker.geometry.cameras import F64, K_from_fov, check_K
from scenemaker.perception import tilt
from scenemaker.perception.backdrop import backdrop_forward
from scenemaker.perception.contacts import find_outlines
from scenemaker.perception.level import level_rays, up_cam_of
from scenemaker.perception.standing import Floor, lift_distant, place
from scenemaker.scene import DepthPrompt, Instances, Photo, PointMap

LEAST_FAR = 0.5  # camera heights: looking straight down, things may stand below or behind the camera
NOTHING_STANDS_FAR = 3.0
log = logging.getLogger(__name__)


class GroundPlane:
    """Depth up to scale from the tilt of the camera and the floor contact of each mask; no weights."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    class Config(BaseModel, frozen=True, extra="forbid"):
        """What may be known better than it can be estimated."""

        fov_deg: float = Field(
            default=55.0,
            gt=5,
            lt=150,
            description="field of view across the photo's longer side when K is not known, degrees",
        )
        pitch_deg: float | None = Field(
            default=None, gt=-60, lt=90, description="how far the camera looks down, degrees; null estimates it"
        )
        roll_deg: float | None = Field(
            default=None,
            gt=-60,
            lt=60,
            description="how far the picture's up leans to the right, degrees; null estimates it",
        )

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    def estimate(self, photo: Photo, instances: Instances, prompt: DepthPrompt) -> PointMap:
        """A point map in which every pixel is valid, in camera heights.

        Raises:
            ShapeError: The masks are not of the photo's size.
            FrameError: A singular K.
        """
        labels = instances.labels
        if labels.shape != photo.rgb.shape[:2]:
            sizes = (f"{a.shape[1]}x{a.shape[0]}" for a in (photo.rgb, labels))
            raise ShapeError(expected(f"masks of {next(sizes)}", got=next(sizes), remedy="resize the masks"))
        K, notices = self._intrinsics(photo, prompt)
        up_cam, said = self._attitude(photo.rgb, labels, K)
        depth, told = _depth(photo.rgb, labels, K, up_cam)
        return PointMap.from_depth(
            depth,
            K,
            scale_kind="relative",
            up_cam=up_cam,
            ground_cam=np.append(up_cam, 1.0),
            notices=(*notices, *said, *told),
        )

    def _intrinsics(self, photo: Photo, prompt: DepthPrompt) -> tuple[F64, tuple[str, ...]]:
        for known in (prompt.K, photo.K):
            if known is not None:
                return check_K(known), ()
        fov = self.config.fov_deg
        if photo.height > photo.width:
            fov = float(2 * np.degrees(np.arctan(np.tan(np.radians(fov) / 2) * photo.width / photo.height)))
        notice = f"field of view not known: {self.config.fov_deg:g} degrees across the longer side assumed"
        return K_from_fov(fov, photo.width, photo.height), (notice,)

    def _attitude(self, rgb: NDArray[np.uint8], labels: NDArray[np.uint16], K: F64) -> tuple[F64, tuple[str, ...]]:
        pitch, roll = self.config.pitch_deg, self.config.roll_deg
        notices: tuple[str, ...] = ()
        if pitch is None:
            found = tilt.estimate(rgb, labels, K)
            pitch, roll = found.pitch_deg, found.roll_deg if roll is None else roll
            if found.spread_deg > 8:
                notices = (f"tilt uncertain: {pitch:.0f} +- {found.spread_deg:.0f} degrees",)
        up_cam = up_cam_of(np.radians(pitch), np.radians(roll or 0.0))
        log.debug("camera looks down by %.1f degrees, roll %.1f", pitch, roll or 0.0)
        return up_cam, notices


def _depth(
    rgb: NDArray[np.uint8], labels: NDArray[np.uint16], K: F64, up_cam: F64
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """(H, W) z in camera heights, finite and positive everywhere."""
    outlines = lift_distant(find_outlines(labels, K, up_cam))
    standing = [o.foot_forward for o in outlines if np.isfinite(o.foot_forward) and not o.rests_on]
    farthest = max(*standing, LEAST_FAR) if standing else NOTHING_STANDS_FAR
    end = backdrop_forward(rgb, labels, K, up_cam, farthest)
    floor = Floor(rays=level_rays(K, up_cam, *labels.shape), backdrop_forward=end)
    depth = floor.depth()
    return depth, place(outlines, floor, depth)
