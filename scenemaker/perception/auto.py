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
from scenemaker.perception.objectness import WEAK_EDGE, objectness
from scenemaker.perception.superpixels import Pieces, cut_into_pieces
from scenemaker.scene import Instances, Photo, Prompts

BY_CONTACT = (1.0, 0.2, 0.5, 1.0)  # weights of ``merge`` for joining the parts of an object: colour counts little
CUTS = (2.0, 4.0, 8.0)  # boundary connectivity above which a piece is background
SIZES = (0.0015, 0.5)  # shares of the photo that a region may cover
LEAST_PX = 16  # a smaller copy has no room for pieces
MIDDLE = -4.4  # objectness that gets the score 0.5
FAINT = 0.3  # contrast of an edge, over that of the outline, below which it is only noise
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
        regions = _find(photo, self.config)
        layers = [_enlarge(m, photo, score) for m, score in regions]
        for k, layer in enumerate(layers[: self.config.refined]):
            layers[k] = _sharpen(layer, photo)
        labels = np.zeros((photo.height, photo.width), np.int32)
        for k in range(len(layers) - 1, -1, -1):
            (y, x), mask = layers[k].origin, layers[k].mask
            labels[y : y + mask.shape[0], x : x + mask.shape[1]][mask] = k + 1
        if not layers:
            remedy = "give masks, boxes or points, or lower min_score"
            raise NoObjectsError(expected("objects that stand out in the photo", got="none", remedy=remedy))
        return to_instances(LabelMap(labels, tuple(layer.tag for layer in layers)), "the photo")


def _find(photo: Photo, config: AutoSegmenter.Config) -> list[tuple[NDArray[np.bool_], float]]:
    """Disjoint regions (h, w) of a small copy of the photo with their scores, best first."""
    scale = min(1.0, config.working_px / np.sqrt(photo.width * photo.height))
    width, height = round(photo.width * scale), round(photo.height * scale)
    if min(width, height) < LEAST_PX:
        return []
    small = np.asarray(cv2.resize(photo.rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    pieces = cut_into_pieces(small)
    if len(pieces) < 3:
        return []
    connectivity = [boundary_connectivity(pieces, variant) for variant in (BY_COLOUR, BY_EDGES)]
    regions = _candidates(pieces, connectivity)
    scores = objectness(pieces, regions, connectivity)
    taken = np.zeros(len(pieces), bool)
    found: list[tuple[NDArray[np.bool_], float]] = []
    for k in np.argsort(-scores, kind="stable"):
        # The middle of the scale is where about half of the regions are objects.
        score = float(1 / (1 + np.exp(MIDDLE - scores[k])))
        if score < config.min_score or len(found) == config.max_regions:
            break
        if not (regions[k] & taken).any():
            taken |= regions[k]
            found.append((regions[k], score))
    return [(region[pieces.index], score) for region, score in _joined(pieces, found)]


def _joined(pieces: Pieces, found: list[tuple[NDArray[np.bool_], float]]) -> list[tuple[NDArray[np.bool_], float]]:
    """Regions (n,) with those joined between which there is no edge to see: the halves of one long thing."""
    whole: list[tuple[NDArray[np.bool_], float]] = []
    a, b = pieces.pairs.T

    def contrast(edge: NDArray[np.bool_]) -> float:
        return float(np.average(pieces.contrast[edge], weights=pieces.length[edge])) if edge.any() else np.inf

    def one_thing(x: NDArray[np.bool_], y: NDArray[np.bool_]) -> bool:
        outline = (x | y)[a] ^ (x | y)[b]
        return contrast((x[a] & y[b]) | (x[b] & y[a])) < max(WEAK_EDGE, FAINT * contrast(outline))

    for region, score in found:
        parts = [k for k, (other, _) in enumerate(whole) if one_thing(region, other)]
        for k in parts:
            region, score = region | whole[k][0], max(score, whole[k][1])
        whole = [item for k, item in enumerate(whole) if k not in parts] + [(region, score)]
    return sorted(whole, key=lambda item: -item[1])


def _candidates(pieces: Pieces, connectivity: list[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """(r, n) sets of pieces: all that merging the pieces in front of each cut of the background makes on its way."""
    n = len(pieces)
    sets = [np.zeros((0, n), bool)]
    for bc in connectivity:
        for cut in CUTS:
            front = bc < cut
            merges = merge(
                pieces.area, pieces.mean, pieces.pairs, pieces.length, pieces.contrast, BY_CONTACT, allowed=front
            )
            members = np.concatenate([np.eye(n, dtype=bool), np.zeros((len(merges), n), bool)])
            for k, (a, b) in enumerate(merges):
                members[n + k] = members[a] | members[b]
            sets.append(members[np.r_[front, np.ones(len(merges), bool)]])
    unique = np.unique(np.packbits(np.concatenate(sets), axis=1), axis=0)
    regions = np.unpackbits(unique, axis=1, count=n).astype(bool)
    share = regions @ pieces.area / pieces.index.size
    return regions[(share >= SIZES[0]) & (share <= SIZES[1])]


def _enlarge(region: NDArray[np.bool_], photo: Photo, score: float) -> Layer:
    """The region (h, w) of the small copy in pixels of the photo, with a smooth outline."""
    h, w = region.shape
    sx, sy = photo.width / w, photo.height / h
    rows, cols = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    y0, y1 = int(max(0, rows[0] - 1) * sy), int(np.ceil(min(h, rows[-1] + 2) * sy))
    x0, x1 = int(max(0, cols[0] - 1) * sx), int(np.ceil(min(w, cols[-1] + 2) * sx))
    # Pixel centres lie at +0.5: photo column x shows column (x + 0.5) / sx - 0.5 of the copy.
    to_copy = np.array([[1 / sx, 0, (x0 + 0.5) / sx - 0.5], [0, 1 / sy, (y0 + 0.5) / sy - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    soft = cv2.warpAffine(
        region.astype(np.float32), to_copy, (x1 - x0, y1 - y0), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return Layer.cut(soft > 0.5, Tag(score=score), (y0, x0))


def _sharpen(layer: Layer, photo: Photo) -> Layer:
    """The object cut out of the region's box when it is much the same as the region, else the region."""
    (y, x), (h, w) = layer.origin, layer.mask.shape
    if not layer.mask.any():
        return layer
    cut = mask_in_box(photo.rgb, (x, y, x + w, y + h)).mask
    same = np.count_nonzero(cut & layer.mask) / np.count_nonzero(cut | layer.mask)
    return Layer(layer.origin, cut, layer.tag) if same >= AGREE else layer
