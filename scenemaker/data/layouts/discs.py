"""``discs``: the random scenes of I-Scene: many objects on a plane as Poisson discs, some standing on others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.data.layouts.boxes import CLEAR, Bodies, check_count, log_uniform, no_place
from scenemaker.data.layouts.options import Count, PositiveSpan, SpanFromZero
from scenemaker.data.layouts.orientation import OrientationMix
from scenemaker.data.layouts.poisson import poisson_discs
from scenemaker.data.layouts.stacking import top_of
from scenemaker.data.types import GROUND, Arrangement, DataObject
from scenemaker.geometry.cameras import F64
from scenemaker.scene import Bool

THIN = 0.05  # least radius of a disc over the longest side: a sword on its tip is not a point


class DiscLayout:
    """Two to twelve objects on y = 0 with a clearance around each, and objects standing on flat tops of others.

    Reference: I-Scene, arXiv 2512.13683, appendix "Collision-free Random Layout". The paper takes the radius from
    the extents of the mesh along x and z; here it is half the diagonal of the extents after the rotation, so that a
    disc holds the box along the axes of ``world`` and no two boxes can meet. The paper stacks on tables; here any
    upright object with a flat top (``stacking``) may carry one.
    """

    name = "discs"

    class Config(BaseModel, frozen=True, extra="forbid"):
        """What can be set."""

        count: Count = Field(default=(2, 12), description="Least and greatest number of objects.")
        size: PositiveSpan = Field(default=(0.35, 1.2), description="Longest side of an object, evenly by ratio.")
        clearance: SpanFromZero = Field(
            default=(0.0, 0.4), description="The paper's s: gap over the mean radius of the discs; drawn per scene."
        )
        orientation: OrientationMix = Field(
            default=OrientationMix(upright=0.7, tilted=0.2, tumbled=0.1), description="How objects are turned."
        )
        stack_probability: float = Field(
            default=0.8, ge=0, le=1, description="How often an object with a flat top carries another."
        )
        least_top: float = Field(
            default=0.12, gt=0, allow_inf_nan=False, description="Least radius of a top that carries, in world units."
        )
        fill: float = Field(default=0.5, gt=0, le=1, description="Area of the discs over that of the first region.")
        tries: int = Field(default=30, ge=1, description="Candidates for an object before the region grows by 10 %.")
        growths: int = Field(default=50, ge=0, description="How often the region may grow for one object.")

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()
        self.count = self.config.count

    def arrange(self, objects: Sequence[DataObject], rng: np.random.Generator) -> Arrangement:
        """Places every object; the footprint of the scene is about the origin.

        Raises:
            InputError: More or fewer objects than ``count``.
            PlacementError: No place was found for one of them.
        """
        config, n = self.config, len(objects)
        check_count(objects, self.count, self.name)
        R_world_obj, upright = config.orientation.draw(n, rng)
        bodies = Bodies.of(objects, R_world_obj, log_uniform(config.size, n, rng))
        support, bodies = self._stack(bodies, upright, rng)
        half = bodies.half
        standing = np.flatnonzero(support == GROUND)
        radius = np.maximum(np.hypot(half[:, 0], half[:, 2]), THIN * bodies.scale)[standing] + CLEAR
        gap = rng.uniform(*config.clearance) * float(radius.mean())
        places, tries, lost = poisson_discs(
            radius, gap, rng, fill=config.fill, tries=config.tries, growths=config.growths
        )
        if lost is not None:
            raise no_place(objects[standing[lost]].key, self.name, tries, "raise its tries or growths")
        centre = np.zeros((n, 3))
        centre[standing] = np.stack([places[:, 0], half[standing, 1], places[:, 1]], 1)
        for rider in np.flatnonzero(support != GROUND):
            centre[rider] = self._on_top(bodies, int(support[rider]), int(rider), centre, rng)
        return bodies.placed(centre, support.tolist(), self.name, tries + n - len(standing), ground=True)

    def _stack(self, bodies: Bodies, upright: Bool, rng: np.random.Generator) -> tuple[np.ndarray, Bodies]:
        """What each object rests on (n,), and the bodies with those that stand on others made to fit.

        The scale of a rider is as drawn, but no larger than its carrier, and its disc fits on the top.
        """
        n = len(bodies.objects)
        support, scale = np.full(n, GROUND), bodies.scale.copy()
        half_diagonal = np.hypot(bodies.half[:, 0], bodies.half[:, 2]) / bodies.scale  # of an object 1 long
        wanted = rng.random(n) < self.config.stack_probability
        share = rng.uniform(0.6, 0.95, n)  # of the top's radius that the rider may cover
        for carrier in np.argsort(-bodies.scale, kind="stable"):
            if not (wanted[carrier] and upright[carrier] and support[carrier] == GROUND):
                continue
            free = upright & (support == GROUND) & ~np.isin(np.arange(n), support)
            free[carrier] = False
            radius = top_of(bodies.objects[carrier].mesh).radius * scale[carrier]
            if radius < self.config.least_top or not free.any():
                continue
            rider = int(rng.choice(np.flatnonzero(free)))
            fits = share[carrier] * radius / max(half_diagonal[rider], THIN)
            scale[rider] = min(scale[rider], scale[carrier], fits)
            support[rider] = carrier
        return support, bodies.resized(scale)

    def _on_top(self, bodies: Bodies, carrier: int, rider: int, centre: F64, rng: np.random.Generator) -> F64:
        """(3,) centre of the box of a rider, anywhere on the largest disc of its carrier's top where it fits."""
        top, s, half = top_of(bodies.objects[carrier].mesh), bodies.scale[carrier], bodies.half
        t_world_obj = centre[carrier] - (bodies.low[carrier] + bodies.high[carrier]) / 2
        anchor = bodies.R_world_obj[carrier] @ (s * top.anchor_obj) + t_world_obj
        slack = max(top.radius * s - float(np.hypot(half[rider, 0], half[rider, 2])), 0.0)
        angle, r = 2 * np.pi * rng.random(), slack * np.sqrt(rng.random())
        height = centre[carrier, 1] + half[carrier, 1] + half[rider, 1]
        return np.array([anchor[0] + r * np.cos(angle), height, anchor[2] + r * np.sin(angle)])
