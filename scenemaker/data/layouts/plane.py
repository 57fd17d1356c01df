"""``plane``: the scenes of SceneMaker: a few objects close together on one plane, their boxes apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.data.layouts.boxes import Bodies, check_count, log_uniform
from scenemaker.data.layouts.cluster import group
from scenemaker.data.layouts.options import Count, PositiveSpan, SpanFromZero
from scenemaker.data.layouts.orientation import OrientationMix
from scenemaker.data.types import GROUND, Arrangement, DataObject


class PlaneLayout:
    """Two to five objects with their lowest points on y = 0 and their boxes disjoint.

    Reference: SceneMaker, arXiv 2512.10957, section 3.3.2: "place the lowest point of each object on the same plane
    and enforce that their bounding boxes do not intersect"; a random rotation each, and a random pitch. The paper
    gives no sizes and no distances: they are options.
    """

    name = "plane"

    class Config(BaseModel, frozen=True, extra="forbid"):
        """What can be set."""

        count: Count = Field(default=(2, 5), description="Least and greatest number of objects.")
        size: PositiveSpan = Field(default=(0.35, 1.2), description="Longest side of an object, evenly by ratio.")
        spacing: SpanFromZero = Field(
            default=(0.0, 0.6),
            description="Largest gap between neighbours over the mean longest side; drawn per scene. Small: clutter.",
        )
        margin: float = Field(default=0.01, ge=0, allow_inf_nan=False, description="Least gap between boxes.")
        orientation: OrientationMix = Field(
            default=OrientationMix(upright=0.7, tilted=0.2, tumbled=0.1), description="How objects are turned."
        )
        tries: int = Field(default=400, ge=1, description="Most candidate places per object.")

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
        R_world_obj, _ = config.orientation.draw(n, rng)
        bodies = Bodies.of(objects, R_world_obj, log_uniform(config.size, n, rng))
        half = bodies.half
        flat, tries = group(
            half[:, [0, 2]],
            objects,
            rng,
            margin=config.margin,
            gap=rng.uniform(*config.spacing) * float(bodies.scale.mean()),
            tries=config.tries,
            layout=self.name,
        )
        centre = np.stack([flat[:, 0], half[:, 1], flat[:, 1]], 1)
        return bodies.placed(centre, [GROUND] * n, self.name, tries, ground=True)
