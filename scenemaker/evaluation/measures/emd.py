"""The earth mover's distance of point clouds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scenemaker.errors import ShapeError, expected
from scenemaker.evaluation.measures.points import cloud


def emd(pred: ArrayLike, gt: ArrayLike) -> float:
    """Mean distance of matched points, for the one-to-one match of two clouds (n, 3) that makes it least; exact.

    Not the approximations (Sinkhorn, auction) of common CUDA kernels. Memory and time grow with n squared and n
    cubed; published numbers use n = 2,048 (32 MB).

    Reference: Rubner, Tomasi and Guibas, "The earth mover's distance as a metric for image retrieval", IJCV 2000, for
    equal weights; the match is found by ``scipy.optimize.linear_sum_assignment``.

    Raises:
        ShapeError: Clouds of unequal size.
        InputError: A cloud without points, or with NaN.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    p, g = cloud(pred), cloud(gt)
    if len(p) != len(g):
        got = f"{len(p)} and {len(g)}"
        raise ShapeError(expected("two clouds of equally many points", got=got, remedy="sample both alike"))
    cost = cdist(p, g)
    rows, columns = linear_sum_assignment(cost)
    return float(np.mean(cost[rows, columns]))
