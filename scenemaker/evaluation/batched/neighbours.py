"""Which point of one cloud is nearest to each of another.

Three ways find it: pytorch3d where it is installed, else KD-trees on the CPU and all pairs, in parts, on any other
device. They only find: the distance is computed from the difference of the two points afterwards, so that its value
and its gradient are the same and have full precision whoever found it. (A matrix product as in ``torch.cdist`` loses
the small distances to cancellation; pytorch3d's own gradient is of float32.)
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

PAIRS = 2**25  # distances in memory at a time: 128 MiB of float32, twice

_log = logging.getLogger(__name__)


@torch.no_grad()
def nearest_index(points: Tensor, others: Tensor, lengths: Tensor, other_lengths: Tensor) -> Tensor:
    """(b, n) int64, for each point (b, n, 3) the index of the nearest of the others (b, m, 3); 0 in the padding.

    Args:
        points: (b, n, 3), finite.
        others: (b, m, 3), finite.
        lengths: (b,) int64, how many points count.
        other_lengths: (b,) int64, how many of the others count, at least 1.
    """
    knn = knn_points()
    if knn is not None:
        return knn(points, others, lengths1=lengths, lengths2=other_lengths, K=1).idx[..., 0]
    find = by_trees if points.device.type == "cpu" else by_pairs
    return find(points, others, lengths, other_lengths)


@cache
def knn_points() -> Callable[..., Any] | None:
    """pytorch3d's ``knn_points``; None where it is not installed. One that cannot be imported is logged."""
    if find_spec("pytorch3d") is None:
        return None
    try:
        from pytorch3d.ops import knn_points as found  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        _log.warning("pytorch3d is installed but does not load (%s); neighbours are found without it", error)
        return None
    return found


def by_trees(points: Tensor, others: Tensor, lengths: Tensor, other_lengths: Tensor) -> Tensor:
    """``nearest_index`` by SciPy's KD-trees, one for each element of the batch."""
    from scenemaker.evaluation.measures.points import tree_of

    index = torch.zeros(points.shape[:2], dtype=torch.int64)
    for b, (n, m) in enumerate(zip(lengths.tolist(), other_lengths.tolist(), strict=True)):
        tree = tree_of(others[b, :m].double().numpy())
        index[b, :n] = torch.from_numpy(tree.query(points[b, :n].double().numpy())[1])
    return index


def by_pairs(points: Tensor, others: Tensor, lengths: Tensor, other_lengths: Tensor) -> Tensor:
    """``nearest_index`` by the squared distances of all pairs, ``PAIRS`` of them at a time."""
    size, n, m = points.shape[0], points.shape[1], others.shape[1]
    padding = torch.arange(m, device=others.device) >= other_lengths[:, None]  # (b, m)
    index = torch.zeros((size, n), dtype=torch.int64, device=points.device)
    step = max(1, PAIRS // (size * m))
    for start in range(0, n, step):
        part = points[:, start : start + step]  # (b, k, 3)
        squared = (part[:, :, None, 0] - others[:, None, :, 0]).square_()  # (b, k, m)
        for axis in (1, 2):
            squared += (part[:, :, None, axis] - others[:, None, :, axis]).square_()
        squared.masked_fill_(padding[:, None], torch.inf)
        index[:, start : start + step] = squared.argmin(-1)
    inside = torch.arange(n, device=points.device) < lengths[:, None]
    return index * inside
