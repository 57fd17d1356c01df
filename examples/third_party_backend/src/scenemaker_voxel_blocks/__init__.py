"""Objects made of blocks: an example of a third-party backend for scenemaker."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from pydantic import BaseModel, Field

from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.scene import ObjectFailure, ObjectGeometry, ObjectView

# Corners of the six sides of a unit cube, counter-clockwise seen from outside, by (axis, direction).
_SIDES = {
    (0, -1): [[0, 0, 0], [0, 0, 1], [0, 1, 1], [0, 1, 0]],
    (0, 1): [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]],
    (1, -1): [[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]],
    (1, 1): [[0, 1, 0], [0, 1, 1], [1, 1, 1], [1, 1, 0]],
    (2, -1): [[0, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]],
    (2, 1): [[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]],
}


class VoxelBlocks:
    """Objects built from blocks, rounder where the silhouette is wider."""

    version = "1"
    licence = "Apache-2.0"
    closed = True

    class Config(BaseModel, frozen=True, extra="forbid"):
        resolution: int = Field(default=24, ge=4, le=128, description="Blocks along the longer side of an object.")

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    def generate(self, views: Sequence[ObjectView], *, seed: int) -> list[ObjectGeometry | ObjectFailure]:
        """One mesh per view; an object of which nothing is seen fails alone. ``seed`` is not used."""
        return [self._one(view) for view in views]

    def _one(self, view: ObjectView) -> ObjectGeometry | ObjectFailure:
        mask = view.mask_amodal
        if not mask.any():
            return ObjectFailure(id=view.id, error="expected a visible object; got an empty mask; draw its mask")
        rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        crop = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
        colours, blocks = self._blocks(view.rgba[crop][..., :3], mask[crop])
        mesh, _ = normalise(_surface(colours, blocks))
        # x right, y up, z towards the viewer: turned by half about x this is the camera's frame
        return ObjectGeometry(id=view.id, mesh=mesh, R_cam_obj=np.diag([1.0, -1.0, -1.0]))

    def _blocks(self, rgb: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colours (h, w, 3) and occupancy (h, w, depth) on a coarse grid."""
        shrink = self.config.resolution / max(mask.shape)
        size = max(1, round(mask.shape[1] * shrink)), max(1, round(mask.shape[0] * shrink))
        weight = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        colour = cv2.resize(rgb * mask[..., None].astype(np.float32), size, interpolation=cv2.INTER_AREA)
        filled = weight >= min(0.5, float(weight.max()))
        inside = cv2.distanceTransform(np.pad(filled, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        half = np.where(filled, np.ceil(0.8 * inside), 0).astype(int)  # blocks before and behind the middle
        reach = int(half.max())
        z = np.arange(-reach, reach)
        blocks = (z >= -half[..., None]) & (z < half[..., None])
        return (colour / np.maximum(weight, 1e-6)[..., None]).clip(0, 255).astype(np.uint8), blocks


def _surface(colours: np.ndarray, blocks: np.ndarray) -> Mesh:
    """The outer sides of all blocks."""
    solid = blocks[::-1].transpose(1, 0, 2)  # (x right, y up, z)
    padded = np.pad(solid, 1)
    corners, tints = [], []
    for (axis, direction), quad in _SIDES.items():
        beside = np.roll(padded, -direction, axis)[1:-1, 1:-1, 1:-1]
        x, y, z = np.nonzero(solid & ~beside)
        corners.append(np.stack([x, y, z], 1)[:, None] + np.array(quad))
        tints.append(np.repeat(colours[len(colours) - 1 - y, x], 4, 0))
    vertices = np.concatenate(corners).reshape(-1, 3).astype(np.float32)
    first = np.arange(0, len(vertices), 4)
    faces = np.concatenate([np.stack([first, first + 1, first + 2], 1), np.stack([first, first + 2, first + 3], 1)])
    return Mesh(vertices=vertices, faces=faces.astype(np.int32), colors=np.concatenate(tints))
