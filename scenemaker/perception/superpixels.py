"""A photo cut into a few hundred pieces of even colour, and which of them touch."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.perception.merging import merge
from scenemaker.scene import U8

CELL_PX = 6  # spacing of the first seeds; legs of chairs are about as thin at working size
PIECES = 400
BY_COLOUR = (1.0, 0.5, 0.3, 0.0)  # weights of ``merge`` for joining pixels of one surface


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of a small copy of the photo.

    Attributes:
        index: (h, w) int, piece of each pixel, 0..n-1.
        lab: (h, w, 3) float32 Lab.
        edge: (h, w) float32 colour gradient, in Lab units per pixel.
        area: (n,) pixels.
        mean: (n, 3) Lab.
        border: (n,) pixels on the border of the photo.
        pairs: (e, 2) pieces that touch, the lower first.
        length: (e,) pixels along which they touch.
        contrast: (e,) mean gradient along that line.
    """

    index: NDArray[np.int64]
    lab: NDArray[np.float32]
    edge: NDArray[np.float32]
    area: NDArray[np.float64]
    mean: NDArray[np.float64]
    border: NDArray[np.float64]
    pairs: NDArray[np.int64]
    length: NDArray[np.float64]
    contrast: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.area)


def cut_into_pieces(rgb: U8) -> Pieces:
    """About ``PIECES`` pieces of a small photo (h, w, 3): watershed from a grid of seeds, then merged by colour."""
    smooth = to_lab(cv2.bilateralFilter(rgb, 0, 20, 2.5))
    lab = to_lab(rgb)
    edge = colour_gradient(lab, 0.8)
    fine = measure(_watershed(smooth), smooth, edge)
    joined = merge(fine.area, fine.mean, fine.pairs, fine.length, fine.contrast, BY_COLOUR, stop=PIECES)
    root = np.arange(len(fine) + len(joined))
    for k in range(len(joined) - 1, -1, -1):
        root[list(joined[k])] = root[len(fine) + k]
    index = np.unique(root[fine.index], return_inverse=True)[1].reshape(fine.index.shape)
    return measure(index, lab, edge)


def to_lab(rgb: NDArray[np.generic]) -> NDArray[np.float32]:
    """(h, w, 3) float32 CIE Lab, L in 0..100, of uint8 sRGB."""
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float32)


def colour_gradient(lab: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """(h, w) largest directional derivative of the colour.

    Reference: Di Zenzo, "A note on the gradient of a multi-image", 1986.
    """
    soft = cv2.GaussianBlur(lab, (0, 0), sigma_px)
    gx, gy = (cv2.Scharr(soft, cv2.CV_32F, *d) / 32 for d in ((1, 0), (0, 1)))
    xx, yy, xy = (gx * gx).sum(-1), (gy * gy).sum(-1), (gx * gy).sum(-1)
    return np.sqrt((xx + yy + np.sqrt((xx - yy) ** 2 + 4 * xy * xy)) / 2)


def _watershed(lab: NDArray[np.float32]) -> NDArray[np.int64]:
    """(h, w) pieces grown from the flattest pixel of each cell of a grid."""
    h, w = lab.shape[:2]
    edge = cv2.GaussianBlur(colour_gradient(lab, 0.7), (0, 0), 1.0)
    ny, nx = max(1, h // CELL_PX), max(1, w // CELL_PX)
    rows, cols = (np.arange(ny + 1) * h) // ny, (np.arange(nx + 1) * w) // nx
    seeds = np.zeros((h, w), np.int32)
    for i in range(ny):
        for j in range(nx):
            cell = edge[rows[i] : rows[i + 1], cols[j] : cols[j + 1]]
            y, x = divmod(int(cell.argmin()), cell.shape[1])
            seeds[rows[i] + y, cols[j] + x] = i * nx + j + 1
    lab8 = np.clip(lab * np.array([2.55, 1, 1], np.float32) + np.array([0, 128, 128], np.float32), 0, 255).astype(
        np.uint8
    )
    grown = cv2.watershed(lab8, seeds).astype(np.float32)
    # The watershed lines, and the border that OpenCV leaves out, go to a piece beside them.
    while (grown <= 0).any():
        grown = np.where(grown <= 0, cv2.dilate(grown, np.ones((3, 3))), grown)
    return np.unique(grown.astype(np.int64), return_inverse=True)[1].reshape(h, w)


def measure(index: NDArray[np.int64], lab: NDArray[np.float32], edge: NDArray[np.float32]) -> Pieces:
    """The pieces of an index map (h, w) with everything that is asked of them later."""
    n, flat = int(index.max()) + 1, index.reshape(-1)
    area = np.bincount(flat, minlength=n).astype(np.float64)
    mean = np.stack([np.bincount(flat, lab[..., c].reshape(-1), n) for c in range(3)], 1) / area[:, None]
    border = np.bincount(np.r_[index[0], index[-1], index[:, 0], index[:, -1]], minlength=n).astype(np.float64)
    keys, strengths = [], []
    right = index[:, :-1], index[:, 1:], np.maximum(edge[:, :-1], edge[:, 1:])
    below = index[:-1], index[1:], np.maximum(edge[:-1], edge[1:])
    for one, other, strength in (right, below):
        touch = one != other
        keys.append(np.minimum(one, other)[touch] * n + np.maximum(one, other)[touch])
        strengths.append(strength[touch])
    pairs, which = np.unique(np.concatenate(keys), return_inverse=True)
    length = np.bincount(which, minlength=len(pairs)).astype(np.float64)
    contrast = np.bincount(which, np.concatenate(strengths), len(pairs)) / length
    both = np.stack(np.divmod(pairs, n), 1)
    return Pieces(index, lab, edge, area, mean, border, both, length, contrast)
