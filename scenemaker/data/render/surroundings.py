"""What an arrangement stands in, drawn by chance: ground, light from all around, lamps, and the finish of surfaces."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from scenemaker.data.render import skies
from scenemaker.data.render.environments import equirect_directions, resized, solid_angles
from scenemaker.data.render.grounds import KINDS, ground_texture
from scenemaker.data.types import NOTHING, Arrangement, Environment, Finish, Ground, Light, World
from scenemaker.errors import ConfigError, InputError, expected
from scenemaker.scene import F32


class SurroundingsConfig(BaseModel):
    """What may be drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ground: Literal["auto", "always", "never"] = Field(
        default="auto", description="Whether there is a ground; auto: unless all objects float."
    )
    grounds: tuple[str, ...] = Field(default=tuple(KINDS), min_length=1, description="Kinds of ground.")
    skies: tuple[str, ...] = Field(default=tuple(skies.DRAWN), min_length=1, description="Kinds of drawn environments.")
    environments: Path | None = Field(
        default=None, description="Folder of equirectangular pictures (.hdr, .exr, .png, .jpg) to draw from."
    )
    environment_share: float = Field(default=1.0, ge=0, le=1, description="Share of worlds with such a picture.")
    lamps: Literal["mixed", "area", "suns", "sun", "none"] = Field(
        default="mixed",
        description="Lamps: HiScene's area lamp or four suns, one sun, none but the environment, or any of these.",
    )
    shiny_share: float = Field(default=0.15, ge=0, le=1, description="Share of glossy or metallic objects.")

    @model_validator(mode="after")
    def _known(self) -> SurroundingsConfig:
        for name, kinds, known in (("grounds", self.grounds, KINDS), ("skies", self.skies, skies.DRAWN)):
            for kind in kinds:
                if kind not in known:
                    raise ValueError(expected(f"{name} of {', '.join(known)}", got=repr(kind), remedy="correct it"))
        return self


def draw_world(arrangement: Arrangement, rng: np.random.Generator, config: SurroundingsConfig | None = None) -> World:
    """The arrangement in surroundings drawn by chance, all in proportion to its size.

    Raises:
        ConfigError: The folder of environments holds none.
        InputError: A picture of it cannot be used; the text names the file.
    """
    config = config or SurroundingsConfig()
    size = max(arrangement.size, 1e-6)
    floats = all(s == NOTHING for s in arrangement.support)
    grounded = config.ground == "always" or (config.ground == "auto" and not floats)
    ground = _ground(rng, config, size) if grounded else None
    radiance, suns = _environment(rng, config)
    fill = _light_from_above(radiance)
    outdoors = not suns and _is_open(radiance)
    lamps = suns if suns else _lamps(rng, config, size, fill, sun_likely=outdoors)
    if ground is not None:  # below the ground they light nothing
        lamps = [lamp for lamp in lamps if lamp.direction_world[1] > 0.02]
    return World(
        meshes=tuple(o.mesh for o in arrangement.objects),
        S_world_obj=arrangement.S_world_obj,
        finishes=tuple(_finish(rng, config) for _ in arrangement.objects),
        environment=Environment(radiance=radiance),
        lights=tuple(lamps),
        ground=ground,
    )


def check_environments(folder: Path) -> None:
    """Reads every picture of a folder of environments once.

    Raises:
        ConfigError: There are none.
        InputError: Some cannot be used; the text names them.
    """
    wrong = []
    for file in environment_files(folder):
        try:
            skies.read_environment(file)
        except InputError as error:
            wrong.append(str(error))
    if wrong:
        raise InputError(expected("environments that can all be used", got="; ".join(wrong[:5]), remedy="remove these"))


def environment_files(folder: Path) -> list[Path]:
    """The pictures in a folder and below, in order of their names.

    Raises:
        ConfigError: There are none.
    """
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in skies.SUFFIXES) if folder.is_dir() else []
    if not found:
        got = f"{folder} without any" if folder.is_dir() else f"{folder}: no such folder"
        remedy = "put equirectangular pictures there, or leave environments out"
        raise ConfigError(expected(f"a folder with {', '.join(skies.SUFFIXES)}", got=got, remedy=remedy))
    return found


_files = lru_cache(maxsize=8)(environment_files)
_picture = lru_cache(maxsize=4)(skies.read_environment)  # a large one takes a second to read


def _environment(rng: np.random.Generator, config: SurroundingsConfig) -> tuple[F32, list[Light]]:
    """Radiance, and the sun that was cut out of it."""
    from_picture = rng.random() < config.environment_share
    if config.environments is None or not from_picture:
        kind = config.skies[int(rng.integers(len(config.skies)))]
        return skies.DRAWN[kind](rng), []
    files = _files(config.environments)
    path = files[int(rng.integers(len(files)))]
    radiance = _picture(path)
    if radiance.shape[0] < 2 or radiance.shape[1] < 2:
        raise InputError(expected("an equirectangular picture", got=f"{path} of {radiance.shape}", remedy="replace it"))
    radiance = np.roll(radiance, int(rng.integers(radiance.shape[1])), axis=1)
    cut, direction, irradiance = skies.without_sun(radiance)
    if direction is None:
        return radiance, []
    return cut, [Light(direction_world=direction, irradiance=irradiance.astype(np.float64), size=0.0093)]


def _ground(rng: np.random.Generator, config: SurroundingsConfig, size: float) -> Ground:
    kind = config.grounds[int(rng.integers(len(config.grounds)))]
    _, tile, roughness = KINDS[kind]
    return Ground(
        texture=ground_texture(kind, rng),
        tile=size * rng.uniform(*tile),
        radius=size * float(np.exp(rng.uniform(np.log(12), np.log(60)))),
        finish=Finish(roughness=round(rng.uniform(*roughness), 3)),
    )


def _lamps(
    rng: np.random.Generator, config: SurroundingsConfig, size: float, fill: float, *, sun_likely: bool
) -> list[Light]:
    """The lamps of HiScene (algorithm 1), or one sun; ``fill`` is what arrives from all around on a level surface.

    Convention: HiScene's lengths are of scenes of side 2, so that its unit is half of ``size``; its powers only count
    in proportion to each other, for the exposure is found from the picture.
    """
    kind = config.lamps
    if kind == "mixed":
        if sun_likely:
            kind = "sun" if rng.random() < 0.7 else "none"
        else:
            kind = ("area", "suns", "sun", "none")[int(rng.choice(4, p=[0.6, 0.15, 0.15, 0.1]))]
    strength = fill * float(np.exp(rng.uniform(np.log(0.8), np.log(6))))
    white = skies.tint(rng)
    azimuth = rng.uniform(0, 2 * np.pi)
    if kind == "area":
        direction = skies.direction(azimuth, np.radians(rng.uniform(40, 89.9)))
        power, distance = rng.uniform(800, 1200) / 1000, rng.uniform(4, 6)
        irradiance = white.astype(np.float64) * strength * power * (5 / distance) ** 2
        side = rng.uniform(0.8, 1.2)
        return [
            Light(direction_world=direction, irradiance=irradiance, distance=distance * size / 2, size=side * size / 2)
        ]
    if kind == "suns":
        direction = skies.direction(azimuth, np.radians(rng.uniform(30, 80)))
        angle = rng.uniform(0.1, 0.5)
        lights = []
        for quarter, power in enumerate((5.0, 3.0, 3.0, 3.0)):
            c, s = np.round(np.cos(quarter * np.pi / 2)), np.round(np.sin(quarter * np.pi / 2))
            turned = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ direction
            irradiance = white.astype(np.float64) * strength * power / 5
            lights.append(Light(direction_world=turned, irradiance=irradiance, size=angle))
        return lights
    if kind == "sun":
        direction = skies.direction(azimuth, np.radians(rng.uniform(25, 80)))
        size_rad = float(np.exp(rng.uniform(np.log(0.01), np.log(0.15))))
        return [Light(direction_world=direction, irradiance=white.astype(np.float64) * strength, size=size_rad)]
    return []


def _finish(rng: np.random.Generator, config: SurroundingsConfig) -> Finish:
    shiny, metal = rng.random() < config.shiny_share, rng.random() < 0.4
    rough = rng.uniform(0.15, 0.45) if shiny else rng.uniform(0.45, 1.0)
    return Finish(roughness=round(float(rough), 3), metallic=1.0 if shiny and metal else 0.0)


def _light_from_above(radiance: F32) -> float:
    """Mean irradiance on a level surface."""
    small = resized(radiance, 16).mean(2)
    weight = np.maximum(equirect_directions(16, 32)[..., 1], 0) * solid_angles(16, 32)
    return max(float((small * weight).sum()), 1e-6)


def _is_open(radiance: F32) -> bool:
    """Whether the upper half is bluish all over: an open sky, where a sun is likelier than a lamp."""
    upper = resized(radiance, 16)[:6].mean((0, 1))
    return bool(radiance.shape[1] > 1 and upper[2] > 1.15 * upper[0])
