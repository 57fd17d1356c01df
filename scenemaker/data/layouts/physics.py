"""``physics``: objects dropped on the ground and on each other, settled by a rigid-body engine, then measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, Field

from scenemaker.data.layouts.boxes import Bodies, check_count, hull_points, log_uniform
from scenemaker.data.layouts.decomposition import PartsConfig
from scenemaker.data.layouts.drops import Drop, mixed, pile, rest
from scenemaker.data.layouts.mujoco_world import PhysicsOptions, RigidWorld
from scenemaker.data.layouts.options import Count, PositiveSpan, SpanFromZero
from scenemaker.data.layouts.orientation import OrientationMix
from scenemaker.data.layouts.parts_store import PartsStore
from scenemaker.data.penetration import gaps, scene_penetration
from scenemaker.data.types import Arrangement, DataObject
from scenemaker.errors import PlacementError, expected, needs
from scenemaker.geometry.cameras import F64

Mode = Literal["rest", "pile", "mixed"]
DROPS = {"rest": rest, "pile": pile, "mixed": mixed}


class PhysicsLayout:
    """Stable resting poses and piles by MuJoCo.

    ``rest`` drops each object on a patch of its own; ``pile`` drops them one after another into a narrow bin and takes
    its walls away, so that they heap up, lean and hide each other; ``mixed`` drops later objects onto earlier ones.
    The engine collides convex parts that contain the meshes; what it returns is measured on the meshes and thrown
    again where it is not within the tolerances.

    Reference: HiScene, appendix B.1: rigid-body simulation until the final stable state, for natural contact.
    """

    name = "physics"

    class Config(BaseModel, frozen=True, extra="forbid"):
        """What can be set."""

        mode: Mode = Field(default="mixed", description="rest: side by side; pile: on a heap; mixed: some on others.")
        count: Count = Field(default=(2, 8), description="Least and greatest number of objects.")
        size: PositiveSpan = Field(default=(0.35, 1.2), description="Longest side of an object, evenly by ratio.")
        spacing: SpanFromZero = Field(
            default=(0.0, 0.6), description="Largest gap between patches over the mean longest side; drawn per scene."
        )
        drop: SpanFromZero = Field(
            default=(0.02, 0.25), description="Height from which an object falls, over its longest side."
        )
        orientation: OrientationMix = Field(
            default=OrientationMix(upright=0.5, tilted=0.2, tumbled=0.3),
            description="How objects are turned before they fall.",
        )
        bin: PositiveSpan = Field(
            default=(1.0, 1.3), description="Side of the bin of a pile over that of the widest object as it falls."
        )
        parts: PartsConfig = Field(default=PartsConfig(), description="How closely convex parts follow the meshes.")
        engine: PhysicsOptions = Field(default=PhysicsOptions(), description="Friction, step, when all is at rest.")
        penetration: float = Field(
            default=0.01, gt=0, description="Deepest penetration, over the longest side of the smaller object."
        )
        gap: float = Field(
            default=0.01, gt=0, description="Largest gap to what carries an object, over its longest side."
        )
        spread: float = Field(
            default=2.0, gt=0, description="Largest side of the scene over the sum of longest sides: none rolls away."
        )
        throws: int = Field(default=6, ge=1, description="How often a scene is thrown until it settles within these.")

    def __init__(self, config: Config | None = None, *, cache_dir: Path | None = None) -> None:
        """A layout.

        Args:
            config: What can be set.
            cache_dir: Where convex parts are kept between runs and shared between processes; None keeps them in
                memory alone.

        Raises:
            BackendNotInstalledError: MuJoCo or libigl is missing; the text gives the line to type.
        """
        for package in ("mujoco", "igl"):
            needs(package, "physics")
        self.config = config or self.Config()
        self.count = self.config.count
        self.parts = PartsStore(self.config.parts, cache_dir)

    def arrange(self, objects: Sequence[DataObject], rng: np.random.Generator) -> Arrangement:
        """Drops every object and lets them settle; the footprint of the scene is about the origin.

        Raises:
            InputError: More or fewer objects than ``count``, or a mesh that has no convex parts.
            PlacementError: No throw settled within the tolerances.
            BackendNotInstalledError: MuJoCo or libigl is missing.
        """
        config = self.config
        check_count(objects, self.count, self.name)
        parts = [self.parts.get(o) for o in objects]
        why: PlacementError | None = None
        for throw in range(config.throws):
            try:
                return self._throw(objects, parts, rng, throw + 1)
            except PlacementError as error:
                why = error
        keys = ", ".join(o.key for o in objects)
        raise PlacementError(f"{keys} in {self.name} after {config.throws} throws: {why}") from why

    def _throw(
        self, objects: Sequence[DataObject], parts: Sequence[Sequence[F64]], rng: np.random.Generator, throw: int
    ) -> Arrangement:
        """One throw with new sizes and orientations.

        Raises:
            PlacementError: It does not settle, or not within the tolerances.
        """
        config, n = self.config, len(objects)
        scale = log_uniform(config.size, n, rng)
        R_world_obj, _ = config.orientation.draw(n, rng)
        bodies = Bodies.of(objects, R_world_obj, scale)
        bin_half = float(rng.uniform(*config.bin) * bodies.half[:, [0, 2]].max())
        drop = Drop(
            world=RigidWorld(parts, scale, config.engine, bin_half if config.mode == "pile" else None),
            bodies=bodies,
            corners=[hull_points(o.mesh) for o in objects],
            height=rng.uniform(*config.drop, n) * scale,
            spacing=float(rng.uniform(*config.spacing) * scale.mean()),
            bin_half=bin_half,
        )
        DROPS[config.mode](drop, rng)
        return self._checked(drop.world, objects, scale, throw)

    def _checked(self, world: RigidWorld, objects: Sequence[DataObject], scale: F64, throw: int) -> Arrangement:
        """What settled, about the origin and on the ground, if it is within the tolerances."""
        R, t = world.poses()
        made = {"objects": tuple(objects), "R_world_obj": R, "scale": scale, "support": tuple(world.support())}
        made |= {"layout": f"{self.name} {self.config.mode}", "tries": throw}
        boxes = Arrangement(t_world_obj=t, **made).boxes_world
        low, high = boxes[:, 0].min(0), boxes[:, 1].max(0)
        shift = np.array([(low[0] + high[0]) / 2, min(low[1], 0.0), (low[2] + high[2]) / 2])
        out = Arrangement(t_world_obj=t - shift, **made)
        self._check("penetration", scene_penetration(out) / np.minimum(scale[:, None], scale), self.config.penetration)
        hover = gaps(out) / scale
        self._check("gap", np.where(np.isnan(hover), np.inf, hover), self.config.gap)
        self._check("spread", np.array([out.size / scale.sum()]), self.config.spread)
        return out

    def _check(self, what: str, share: F64, most: float) -> None:
        """Refuses a share of the longest side that is beyond its option.

        Raises:
            PlacementError: As said.
        """
        if share.max() > most:
            got, remedy = f"{share.max():.4f}", "draw other objects, or allow more"
            raise PlacementError(expected(f"a {what} of at most {most}", got=got, remedy=remedy))


__all__ = ["PhysicsLayout"]
