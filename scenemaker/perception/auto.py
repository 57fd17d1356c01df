"""Segmentation without any prompt: the regions of a photo that look like objects."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from scenemaker.errors import InputError, NoObjectsError, expected
from scenemaker.perception.background import BY_COLOUR, BY_EDGES, boundary_connectivity
from scenemaker.perception.box_masks import mask_in_box
from scenemaker.perception.labels import LabelMap, Tag, to_instances
from scenemaker.perception.mask_layers import Layer
from scenemaker.perception.merging import merge
from scenemaker.perception.objectness import objectness
from scenemaker.perception.superpixels import Pieces, cut_into_pieces
from scenemaker.scene import U8, Instances, Photo, Prompts

BY_CONTACT = (1.0, 0.2, 0.5, 1.0)  # weights of ``merge`` for joining the parts of an object: colour counts little
CUTS = (2.0, 4.0, 8.0)  # boundary connectivity above which a piece is background
SIZES = (0.0015, 0.5)  # shares of the photo that a region may cover
AGREE = 0.6  # IoU of a region and the object cut out of its box above which the sharper outline is taken


class AutoSegmenter:
    """Finds the objects by itself: closed regions that stand out from walls and floor."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    class Config(BaseModel, frozen=True, extra="forbid"):
        max_regions: int = Field(default=30, ge=1, le=1000, description="Most regions to return.")
        min_score: float = Field(
            default=0.5, ge=0, le=1, description="Leave out regions that look less like an object; 0 keeps all."
        )
        working_px: int = Field(
            default=320, ge=64, le=1024, description="Side of the square whose area the working copy has."
        )
        refined: int = Field(default=12, ge=0, description="Regions, best first, whose outline is cut out again.")

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    def segment(self, photo: Photo, prompts: Prompts) -> Instances:
        """Disjoint object regions, the most object-like first; what is behind them is left out.

        Raises:
            NoObjectsError: Nothing stands out from the background.
            InputError: Prompts were given, which this backend does not read.
        """
        if prompts.boxes_px or prompts.points_px or prompts.text or prompts.masks is not None:
            remedy = 'use the segmentation backend "masks" or "prompts", or leave them out'
            raise InputError(expected("no prompts", got="masks, boxes, points or text", remedy=remedy))
        scale = min(1.0, self.config.working_px / np.sqrt(photo.width * photo.height))
        size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
        found = _Found(np.zeros(0), [])
        if min(size) >= 16:
            found = _find(cv2.resize(photo.rgb, size, interpolation=cv2.INTER_AREA), self.config)
        layers = []
        for k, region in enumerate(found.masks):
            layers.append(_enlarge(region, photo, found.scores[k], sharpen=k < self.config.refined))
        labels = np.zeros((photo.height, photo.width), np.int32)
        for k in range(len(layers) - 1, -1, -1):
            (y, x), mask = layers[k].origin, layers[k].mask
            labels[y : y + mask.shape[0], x : x + mask.shape[1]][mask] = k + 1
        if not layers:
            remedy = "give masks, boxes or points, or lower min_score"
            raise NoObjectsError(expected("objects that stand out in the photo", got="none", remedy=remedy))
        return to_instances(LabelMap(labels, tuple(layer.tag for layer in layers)), "the photo")
