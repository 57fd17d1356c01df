"""A photo as a graph of small even patches: what the search for objects works on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

F32, I32 = NDArray[np.float32], NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class PatchGraph:
    """Patches of one picture and the borders between them.

    Attributes:
        patches: (h, w) int32, the patch of each pixel, 0..n-1.
        area: (n,) pixels.
        lab: (n, 3) mean colour, L in [0, 100].
        box: (n, 4) x0, y0, x1, y1, half-open.
        rim: (n,) pixels on the frame of the picture.
        pairs: (e, 2) neighbours, the smaller number first.
        length: (e,) pixels of common border.
        step: (e,) mean strength of the edge along that border, in Lab per pixel.
    """

    patches: I32
    area: F32
    lab: F32
    box: F32
    rim: F32
    pairs: I32
    length: F32
    step: F32

    @property
    def n(self) -> int:
        return len(self.area)

    @property
    def colour_step(self) -> F32:
        """(e,) Lab distance of the two mean colours."""
        return np.linalg.norm(self.lab[self.pairs[:, 0]] - self.lab[self.pairs[:, 1]], axis=1).astype(np.float32)


def patch_graph(rgb: NDArray[np.uint8], cell_px: int) -> PatchGraph:
    """The graph of a small picture (h, w, 3); patches are about ``cell_px`` wide and follow its edges."""
    smooth = cv2.bilateralFilter(rgb, 5, 20, 3)
    lab = np.asarray(cv2.cvtColor(smooth.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    strength = edge_strength(lab)
    patches = _watershed(lab, strength, cell_px)
    flat, n = patches.ravel(), int(patches.max()) + 1
    area = np.bincount(flat, minlength=n)
    mean = np.stack([np.bincount(flat, lab[..., c].ravel(), n) / area for c in range(3)], 1)
    rim = sum(np.bincount(side, minlength=n) for side in (patches[0], patches[-1], patches[:, 0], patches[:, -1]))
    pairs, length, step = _borders(patches, strength, n)
    return PatchGraph(
        patches=patches,
        area=area.astype(np.float32),
        lab=mean.astype(np.float32),
        box=_boxes(patches, n),
        rim=np.asarray(rim, np.float32),
        pairs=pairs,
        length=length,
        step=step,
    )


def edge_strength(lab: F32) -> F32:
    """(h, w) gradient magnitude over the three channels, in Lab per pixel."""
    total = np.zeros(lab.shape[:2], np.float32)
    for c in range(3):
        gx = cv2.Sobel(lab[..., c], cv2.CV_32F, 1, 0, scale=0.25)
        gy = cv2.Sobel(lab[..., c], cv2.CV_32F, 0, 1, scale=0.25)
        total += gx * gx + gy * gy
    return np.sqrt(total)


def _watershed(lab: F32, strength: F32, cell_px: int) -> I32:
    """(h, w) patches that grow from the flattest pixel of every cell of a square lattice."""
    h, w = strength.shape
    rows, cols = max(1, round(h / cell_px)), max(1, round(w / cell_px))
    calm = cv2.GaussianBlur(strength, (0, 0), 1.0)
    ys, xs = np.linspace(0, h, rows + 1).astype(int), np.linspace(0, w, cols + 1).astype(int)
    markers, k = np.zeros((h, w), np.int32), 0
    for y0, y1 in pairwise(ys.tolist()):
        for x0, x1 in pairwise(xs.tolist()):
            # Only the middle of the cell, so that seeds of neighbouring cells never touch.
            my, mx = (y1 - y0) // 4, (x1 - x0) // 4
            part = calm[y0 + my : y1 - my, x0 + mx : x1 - mx]
            y, x = divmod(int(part.argmin()), part.shape[1])
            k += 1
            markers[y0 + my + y, x0 + mx + x] = k
    low, high = lab.min(), lab.max()
    cv2.watershed(np.ascontiguousarray(((lab - low) * (255 / max(high - low, 1e-3))).astype(np.uint8)), markers)
    # Watershed leaves lines between patches, and a frame, without a patch: they join a neighbour.
    while (open_ := markers <= 0).any():
        grown = cv2.dilate(np.where(open_, 0, markers).astype(np.float32), np.ones((3, 3), np.uint8))
        markers = np.where(open_, grown.astype(np.int32), markers)
    return (np.unique(markers, return_inverse=True)[1].reshape(h, w)).astype(np.int32)


def _borders(patches: I32, strength: F32, n: int) -> tuple[I32, F32, F32]:
    """Neighbours (e, 2), length of their border and the mean edge strength along it."""
    keys, values = [], []
    for a, b, ga, gb in (
        (patches[:, :-1], patches[:, 1:], strength[:, :-1], strength[:, 1:]),
        (patches[:-1], patches[1:], strength[:-1], strength[1:]),
    ):
        differ = a != b
        low, high = np.minimum(a, b)[differ].astype(np.int64), np.maximum(a, b)[differ]
        keys.append(low * n + high)
        values.append(np.maximum(ga, gb)[differ])
    unique, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    length = np.bincount(inverse, minlength=len(unique))
    step = np.bincount(inverse, np.concatenate(values), len(unique)) / np.maximum(length, 1)
    pairs = np.stack([unique // n, unique % n], 1).astype(np.int32)
    return pairs, length.astype(np.float32), step.astype(np.float32)


def _boxes(patches: I32, n: int) -> F32:
    """(n, 4) x0, y0, x1, y1 of every patch, half-open."""
    h, w = patches.shape
    ys, xs = np.mgrid[:h, :w].astype(np.float32)
    box = np.full((n, 4), -np.inf, np.float32)
    box[:, :2] = np.inf
    flat = patches.ravel()
    np.minimum.at(box[:, 0], flat, xs.ravel())
    np.minimum.at(box[:, 1], flat, ys.ravel())
    np.maximum.at(box[:, 2], flat, xs.ravel() + 1)
    np.maximum.at(box[:, 3], flat, ys.ravel() + 1)
    return box
