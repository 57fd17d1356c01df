"""Segmentation without any prompt and without weights: what stands out from walls and floor."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from scenemaker.errors import InputError, NoObjectsError, expected
from scenemaker.perception.auto_graph import patch_graph
from scenemaker.perception.auto_polish import polish
from scenemaker.perception.auto_regions import find_regions
from scenemaker.perception.labels import LabelMap, Tag, boxes, to_instances
from scenemaker.scene import Instances, Photo, Prompts


class AutoSegmenter:
    """Finds what stands out from walls and floor; needs no prompt."""

    version = "1"
    licence = "Apache-2.0"
    requires: tuple[str, ...] = ()

    class Config(BaseModel, frozen=True, extra="forbid"):
        max_regions: int = Field(default=30, ge=1, le=1000, description="Keep at most this many, the largest first.")
        min_area: float = Field(
            default=0.002, ge=0, le=0.5, description="Drop regions below this share of the photo's pixels."
        )
        together: float = Field(
            default=0.78, gt=0, lt=1, description="Merge neighbours that are one thing with this probability."
        )
        working_px: int = Field(default=288, ge=64, le=1024, description="Longest side at which regions are found.")
        patch_px: int = Field(default=8, ge=4, le=64, description="Width of the patches that regions are made of.")

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    def segment(self, photo: Photo, prompts: Prompts) -> Instances:
        """Disjoint regions, from left to right; walls and floor belong to none.

        Raises:
            NoObjectsError: Nothing stands out.
            InputError: Text, boxes, points or masks were given.
        """
        _refuse(prompts)
        options = self.config
        small = shrunk(photo.rgb, options.working_px)
        graph = patch_graph(small, options.patch_px)
        found = find_regions(graph, options.together, options.max_regions, options.min_area)
        if not found:
            remedy = "give masks or boxes, or a photo in which the objects differ from the background"
            raise NoObjectsError(expected("objects that stand out from the background", got="none", remedy=remedy))
        masks = polish(small, [region.patches[graph.patches] for region in found])
        labels = np.zeros(small.shape[:2], np.uint16)
        tags = []
        for region, mask in sorted(zip(found, masks), key=lambda pair: _left(pair[1])):
            if mask.any():
                tags.append(Tag(score=region.score))
                labels[mask] = len(tags)
        full = resize_labels(labels, photo.width, photo.height)
        return to_instances(LabelMap(full, tuple(tags)), "the photo")


def _refuse(prompts: Prompts) -> None:
    """Prompts that this backend would have to ignore are an error."""
    if prompts.text:
        got = f"text {', '.join(map(repr, prompts.text))}"
        remedy = "this backend does not read text: give boxes or masks, or use a segmentation backend that reads it"
    elif prompts.boxes_px or prompts.points_px:
        got = "boxes or points"
        remedy = 'use the segmentation backend "prompts" for them, or leave them out'
    elif prompts.masks is not None:
        got, remedy = "masks", 'use the segmentation backend "masks" for them, or leave them out'
    else:
        return
    raise InputError(expected('no prompts for the segmentation backend "auto"', got=got, remedy=remedy))


def shrunk(rgb: NDArray[np.uint8], longest_px: int) -> NDArray[np.uint8]:
    """A copy with its longest side at most that long, and no side shorter than 8 pixels."""
    h, w = rgb.shape[:2]
    k = min(1.0, longest_px / max(h, w))
    size = max(8, round(w * k)), max(8, round(h * k))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def resize_labels(labels: NDArray[np.uint16], width: int, height: int) -> NDArray[np.int32]:
    """(height, width) labels with smooth outlines: each pixel gets the region that weighs most around it."""
    best = np.full((height, width), 0.5, np.float32)
    out = np.zeros((height, width), np.int32)
    h, w = labels.shape
    for k, (y0, x0, y1, x1) in enumerate(boxes(labels, int(labels.max())).tolist(), start=1):
        if y1 == y0:
            continue
        # Only the surroundings of the region are resized; scale and offset keep pixel centres at +0.5.
        y0, x0, y1, x1 = max(0, y0 - 2), max(0, x0 - 2), min(h, y1 + 2), min(w, x1 + 2)
        top, left, bottom, right = y0 * height // h, x0 * width // w, -(-y1 * height // h), -(-x1 * width // w)
        sx, sy = w / width, h / height
        to_small = np.array([[sx, 0, (left + 0.5) * sx - 0.5], [0, sy, (top + 0.5) * sy - 0.5]])
        weight = cv2.warpAffine(
            (labels == k).astype(np.float32),
            to_small,
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        here = best[top:bottom, left:right]
        more = weight > here
        here[more] = weight[more]
        out[top:bottom, left:right][more] = k
    return out


def _left(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """First column and row of a region, to order by."""
    ys, xs = np.nonzero(mask)
    return (int(xs.min()), int(ys.min())) if xs.size else (0, 0)
