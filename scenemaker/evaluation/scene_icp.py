"""Brings one scene's points onto another's, both ways and robust, object by object where the partners are known.

Both ways: a free scale would else shrink the source into the target. Robust: a point that has no like (of a missing or
an extra object, or of what a system made up behind one) pulls little. Object by object: a neighbour is looked for in
the partner only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from scenemaker.evaluation.constellation import two_object_guesses
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.registration import scale_of, umeyama

Freedom = Literal["scale", "rigid", "similarity"]
CAP = 0.05  # of the scene size: how far off a point can count
FAR = 1e4  # distance between objects that are no partners, in scene sizes


class Fit(NamedTuple):
    """A transform (4, 4) of the target from the source, and its error: a share of the target's size."""

    S: F64
    error: float


class SceneIcp:
    """Points of two scenes, with what is needed to bring one onto the other.

    Args:
        source: (n, 3) points of every object of one scene; the same n for all objects of both.
        target: (n, 3) points of every object of the other scene.
        source_groups: Number of the pair that each object belongs to; every number is on both sides.
        target_groups: The same.
    """

    def __init__(
        self, source: Sequence[F64], target: Sequence[F64], source_groups: Sequence[int], target_groups: Sequence[int]
    ) -> None:
        from scipy.spatial import KDTree

        self._clouds, self._groups = (source, target), (source_groups, target_groups)
        self.source, self.target = np.concatenate(source), np.concatenate(target)
        self.size = _size(self.target)
        # a fourth coordinate holds the groups apart
        self._source_mark = _marks(source, source_groups), FAR * _size(self.source)
        self._target_mark = _marks(target, target_groups), FAR * self.size
        self._source_tree = KDTree(np.hstack([self.source, self._source_mark[0] * self._source_mark[1]]))
        self._target_tree = KDTree(np.hstack([self.target, self._target_mark[0] * self._target_mark[1]]))

    def thinned(self, step: int) -> SceneIcp:
        """The same scenes with every ``step``-th point of every object."""
        source, target = ([cloud[::step] for cloud in clouds] for clouds in self._clouds)
        return SceneIcp(source, target, *self._groups)

    def moved(self, T: F64) -> SceneIcp:
        """The source in another frame, by a (4, 4) transform."""
        return SceneIcp([transforms.apply(T, cloud) for cloud in self._clouds[0]], self._clouds[1], *self._groups)

    def mirrored(self) -> SceneIcp:
        """The source as a mirror image."""
        source = [cloud * [-1.0, 1.0, 1.0] for cloud in self._clouds[0]]
        return SceneIcp(source, self._clouds[1], *self._groups)

    def distance_ratio(self, T_target_source: F64) -> float:
        """Median over the pairs of the distances of their centres from the source's origin, target over source."""
        origin = T_target_source[:3, 3]
        there, here = (_centres(c, g) for c, g in zip(reversed(self._clouds), reversed(self._groups), strict=True))
        ratios = [np.linalg.norm(there[g] - origin) / max(np.linalg.norm(here[g]), 1e-12) for g in there]
        return float(np.median(ratios))

    def start(self, R: F64, scale: float | None = None) -> F64:
        """(4, 4) with a rotation, that brings the centres (and, with no scale given, the spreads) together."""
        centre, there = self.source.mean(0), self.target.mean(0)
        if scale is None:
            spread = [
                float(np.sqrt(((p - c) ** 2).sum(1).mean())) for p, c in ((self.source, centre), (self.target, there))
            ]
            scale = spread[1] / max(spread[0], 1e-12)
        return transforms.similarity(R, there - scale * (R @ centre), scale)

    def guesses(self, rotations: Sequence[F64], count: int) -> list[F64]:
        """(4, 4) starts from how the objects stand to each other; see ``constellation``."""
        source, target = self._clouds
        same = np.equal.outer(np.asarray(self._groups[1]), np.asarray(self._groups[0]))
        return two_object_guesses(target, source, same, rotations, count)

    def error(self, S: F64) -> float:
        """Mean distance to the nearest point, each at most ``CAP``, in target sizes; the greater of both ways."""
        return self._pairs(S)[3]

    def refined(self, S: F64, freedom: Freedom, iterations: int, tolerance: float = 1e-5) -> Fit:
        """The transform after at most so many steps; never worse than at the start."""
        best = Fit(S, np.inf)
        for _ in range(iterations):
            x, y, weights, error = self._pairs(S)
            gained = best.error - error
            if error < best.error:
                best = Fit(S, error)
            if gained <= tolerance * error:
                return best
            S = (
                _scaled_only(S, x, y, weights)
                if freedom == "scale"
                else _fitted(S, x, y, weights, freedom == "similarity")
            )
        error = self.error(S)
        return Fit(S, error) if error < best.error else best

    def _pairs(self, S: F64) -> tuple[F64, F64, F64, float]:
        """Pairs of points (source, target) with their weights, and the error."""
        moved, back_moved = transforms.apply(S, self.source), transforms.apply(transforms.invert(S), self.target)
        near = self._target_tree.query(np.hstack([moved, self._source_mark[0] * self._target_mark[1]]))
        back = self._source_tree.query(np.hstack([back_moved, self._target_mark[0] * self._source_mark[1]]))
        x = np.concatenate([self.source, self.source[np.asarray(back[1])]])
        y = np.concatenate([self.target[np.asarray(near[1])], self.target])
        away = [np.asarray(near[0]) / self.size, np.asarray(back[0]) * scale_of(S) / self.size]
        weights = np.concatenate([1 / (1 + (d / CAP) ** 2) ** 2 / len(d) for d in away])
        return x, y, weights, max(float(np.minimum(d, CAP).mean()) for d in away)


def _fitted(S: F64, x: F64, y: F64, weights: F64, scale: bool) -> F64:
    return umeyama(transforms.apply(S, x), y, weights, scale=scale) @ S


def _scaled_only(S: F64, x: F64, y: F64, weights: F64) -> F64:
    """S with another scale about the origin of the source's frame, by least squares."""
    direction = transforms.apply(S, x) - S[:3, 3]
    k = weights @ (direction * (y - S[:3, 3])).sum(1) / max(weights @ (direction**2).sum(1), 1e-300)
    return S @ transforms.similarity(np.eye(3), np.zeros(3), float(k) if k > 0 else 1.0)


def _size(points: F64) -> float:
    return max(float(np.ptp(points, axis=0).max()), 1e-12)


def _marks(clouds: Sequence[F64], groups: Sequence[int]) -> F64:
    """(n, 1) group of every point."""
    return np.repeat(np.asarray(groups, np.float64), [len(c) for c in clouds])[:, None]


def _centres(clouds: Sequence[F64], groups: Sequence[int]) -> dict[int, F64]:
    """Mean of the points of every group."""
    members = {g: [c for c, h in zip(clouds, groups, strict=True) if h == g] for g in groups}
    return {g: np.concatenate(c).mean(0) for g, c in members.items()}
