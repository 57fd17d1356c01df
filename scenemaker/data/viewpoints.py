"""Where pictures of an arrangement are taken from: at random, evenly all around, or isometric.

Convention: azimuth and elevation as in ``framing.looking``; ``T_cam_world`` is OpenCV, pixels are square and the
principal point is the centre of the picture.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, Field, model_validator

from scenemaker.data.framing import framed, looking, placed
from scenemaker.data.layouts.boxes import hull_points
from scenemaker.data.layouts.options import PositiveSpan, Span
from scenemaker.data.types import NOTHING, Arrangement
from scenemaker.errors import PlacementError, expected
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera

ISOMETRIC_DEG = float(np.degrees(np.arctan(1 / np.sqrt(2))))  # 35.264: the three axes look equally long
GOLDEN_DEG = 180 * (3 - np.sqrt(5))
REDRAWS = 100  # of a random camera that stands too low
Size = tuple[int, int]


class Viewpoints:
    """Draws the cameras of a scene.

    Reference: ``random`` is SceneMaker, arXiv 2512.10957, section 3.3.2 (20 views, elevation in [15, 60] degrees);
    ``sphere`` I-Scene, arXiv 2512.13683, appendix 8 (150 views "evenly distributed from all directions looking at the
    scene center": here a Fibonacci lattice at one distance, turned by a random azimuth); ``isometric`` HiScene, arXiv
    2504.13072, section 3.1 (a lens so long that it is nearly orthographic). The papers give no field of view and no
    framing: they are options.
    """

    class Config(BaseModel, frozen=True, extra="forbid"):
        """What can be set."""

        mode: Literal["random", "sphere", "isometric"] = Field(default="random", description="How views are chosen.")
        views: int = Field(default=20, ge=1, description="Views per scene; of isometric ones there are at most four.")
        elevation_deg: Span = Field(default=(15.0, 60.0), description="How far a random view looks down.")
        fov_deg: PositiveSpan = Field(
            default=(35.0, 65.0), description="Field of view along the longer side, of random and sphere views."
        )
        isometric_fov_deg: float = Field(default=6.0, gt=0, lt=90, description="The same of isometric views.")
        sizes: tuple[Size, ...] = Field(
            default=((512, 512),), min_length=1, description="(width, height) in pixels, of which one is drawn."
        )
        fill: PositiveSpan = Field(
            default=(0.6, 1.05),
            description="What the scene (of sphere views: the ball around it) spans of the picture along the axis that "
            "it fills more; above 1 it is cut.",
        )
        jitter: float = Field(default=0.5, ge=0, le=1, description="How far off centre random views go; 1: the border.")
        roll_deg: float = Field(default=0.0, ge=0, le=180, description="Largest roll of random views to either side.")
        directions: Literal["auto", "upper", "all"] = Field(
            default="auto", description="Of sphere views: above the ground, or all; auto: all where there is no ground."
        )
        clearance: float = Field(
            default=0.05, ge=0, allow_inf_nan=False, description="Least height above the ground over the scene's size."
        )

        @model_validator(mode="after")
        def _usable(self) -> Viewpoints.Config:
            if min(min(size) for size in self.sizes) < 1:
                raise ValueError("expected sizes of at least one pixel")
            if self.fov_deg[1] >= 180:
                raise ValueError("expected a field of view below 180 degrees")
            if not -90 <= self.elevation_deg[0] <= self.elevation_deg[1] <= 90:
                raise ValueError("expected an elevation in [-90, 90] degrees")
            return self

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    def draw(self, arrangement: Arrangement, rng: np.random.Generator) -> list[Camera]:
        """The cameras of one scene.

        Raises:
            PlacementError: Every random camera that was tried stands too low over the ground.
        """
        views = {"random": self._random, "sphere": self._sphere, "isometric": self._isometric}
        return views[self.config.mode](arrangement, rng)

    def towards(
        self, arrangement: Arrangement, elevation_deg: float, azimuth_deg: float, rng: np.random.Generator
    ) -> Camera | None:
        """A random view from a given direction, or None where it stands too low over the ground."""
        config = self.config
        K, size = self._lens(config.fov_deg, rng)
        roll_deg = rng.uniform(-config.roll_deg, config.roll_deg)
        shift = rng.uniform(-config.jitter, config.jitter, 2)
        camera = framed(
            scene_points(arrangement),
            looking(elevation_deg, azimuth_deg, roll_deg),
            K,
            size,
            fill=rng.uniform(*config.fill),
            shift=(float(shift[0]), float(shift[1])),
        )
        low = has_ground(arrangement) and camera.centre_world[1] < config.clearance * arrangement.size
        return None if low else camera

    def _random(self, arrangement: Arrangement, rng: np.random.Generator) -> list[Camera]:
        cameras = []
        for _ in range(self.config.views):
            for _ in range(REDRAWS):
                camera = self.towards(arrangement, rng.uniform(*self.config.elevation_deg), rng.uniform(0, 360), rng)
                if camera is not None:
                    cameras.append(camera)
                    break
            else:
                what = f"a camera {self.config.clearance:g} scene sizes above the ground"
                remedy = "raise elevation_deg, or lower clearance"
                raise PlacementError(expected(what, got=f"none in {REDRAWS} tries", remedy=remedy))
        return cameras

    def _sphere(self, arrangement: Arrangement, rng: np.random.Generator) -> list[Camera]:
        K, size = self._lens(self.config.fov_deg, rng)
        points = scene_points(arrangement)
        centre = (points.min(0) + points.max(0)) / 2
        ball = float(np.linalg.norm(points - centre, axis=1).max())
        tangent = rng.uniform(*self.config.fill) * min(size) / (2 * K[0, 0])
        distance = ball / np.sin(np.arctan(tangent))
        upper = has_ground(arrangement) if self.config.directions == "auto" else self.config.directions == "upper"
        cameras, turn_deg = [], rng.uniform(0, 360)
        for elevation_deg, azimuth_deg in lattice(self.config.views, upper=upper):
            R_cam_world = looking(elevation_deg, azimuth_deg + turn_deg)
            cameras.append(placed(K, size, R_cam_world, centre - distance * R_cam_world[2]))
        return cameras

    def _isometric(self, arrangement: Arrangement, rng: np.random.Generator) -> list[Camera]:
        K, size = self._lens((self.config.isometric_fov_deg, self.config.isometric_fov_deg), rng)
        fill, points = rng.uniform(*self.config.fill), scene_points(arrangement)
        corners_deg = 45.0 + 90 * rng.permutation(4)[: self.config.views]
        return [framed(points, looking(ISOMETRIC_DEG, a), K, size, fill=fill, shift=(0, 0)) for a in corners_deg]

    def _lens(self, fov_deg: tuple[float, float], rng: np.random.Generator) -> tuple[F64, Size]:
        """K (3, 3) and the size of a picture."""
        width, height = self.config.sizes[rng.integers(len(self.config.sizes))]
        f_px = max(width, height) / 2 / np.tan(np.radians(rng.uniform(*fov_deg)) / 2)
        return np.array([[f_px, 0, width / 2], [0, f_px, height / 2], [0, 0, 1]]), (width, height)


def lattice(n: int, *, upper: bool) -> F64:
    """(n, 2) elevation and azimuth in degrees of directions spread evenly over a sphere, or its upper half.

    Reference: Fibonacci lattice (Swinbank and Purser 2006): heights at equal steps, so that every view has the same
    area, each turned by the golden angle from the one before.
    """
    step = (np.arange(n) + 0.5) / n
    height = 1 - step if upper else 1 - 2 * step
    return np.stack([np.degrees(np.arcsin(height)), np.arange(n) * GOLDEN_DEG % 360], 1)


def scene_points(arrangement: Arrangement) -> F64:
    """(k, 3) points in ``world`` whose projection has the same outline box as the whole scene, from anywhere."""
    placed = zip(arrangement.objects, arrangement.S_world_obj, strict=True)
    return np.concatenate([transforms.apply(S, hull_points(o.mesh)) for o, S in placed])


def has_ground(arrangement: Arrangement) -> bool:
    """Whether anything stands on something."""
    return any(support != NOTHING for support in arrangement.support)
