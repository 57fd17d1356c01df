"""Light from all around: looked up sharp behind the scene, and blurred for surfaces that reflect it.

Convention: as ``types.Environment``. Blurred light is kept in octahedral maps, which are looked up without
trigonometry (Meyer et al. 2010, "On floating-point normal vectors").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from scenemaker.data.render.textures import Floats, remap
from scenemaker.data.types import World
from scenemaker.scene import F32

_SIDE = 32  # cells of an octahedral map, without its border
_ROWS = 16  # of the coarse environment that is integrated over, twice as many columns
_SHARP = 0.35  # smoother surfaces show an image of the environment, not an integral


@dataclass(frozen=True, eq=False, kw_only=True)
class OctMap:
    """A function of direction.

    Attributes:
        cells: (side + 2, side + 2, 3); the border repeats what lies across the edge.
    """

    cells: F32

    def smooth(self, directions: Floats) -> F32:
        """(n, 3) bilinear values in directions (3, n) of any length."""
        x, y = self._position(directions)
        return remap(self.cells, x, y, cv2.BORDER_REPLICATE)

    def coarse(self, directions: Floats) -> F32:
        """(n, 3) values of the cells in which directions (3, n) fall."""
        x, y = self._position(directions)
        width = self.cells.shape[1]
        at = (y + 0.5).astype(np.int32) * width + (x + 0.5).astype(np.int32)
        return self.cells.reshape(-1, 3).take(at, 0)

    def _position(self, d: Floats) -> tuple[Floats, Floats]:
        half = np.float32((len(self.cells) - 2) / 2)
        x, z = octahedral(d)
        return (x + 1) * half + np.float32(0.5), (z + 1) * half + np.float32(0.5)


def octahedral(d: Floats) -> tuple[Floats, Floats]:
    """(n,) and (n,) places in [-1, 1]^2 of directions (3, n): the upper half sphere inside, the lower folded out."""
    ax, ay, az = np.abs(d[0]), np.abs(d[1]), np.abs(d[2])
    scale = 1 / (ax + ay + az)
    down = d[1] < 0
    x, z = d[0] * scale, d[2] * scale
    if down.any():
        folded_x, folded_z = np.copysign(1 - az * scale, x), np.copysign(1 - ax * scale, z)
        x, z = np.where(down, folded_x, x), np.where(down, folded_z, z)
    return x, z


@cache
def oct_directions(side: int) -> F32:
    """((side + 2)^2, 3) unit directions of the cells of an octahedral map with its border."""
    u = (np.arange(side + 2) - 0.5) / side * 2 - 1
    x, z = (a.ravel() for a in np.meshgrid(u, u))
    for first, second in ((x, z), (z, x)):  # across an edge the map goes on mirrored
        out = np.abs(first) > 1
        first[out] = np.sign(first[out]) * 2 - first[out]
        second[out] *= -1
    y = 1 - np.abs(x) - np.abs(z)
    down = y < 0
    fx = np.where(down, np.copysign(1 - np.abs(z), x), x)
    fz = np.where(down, np.copysign(1 - np.abs(x), z), z)
    d = np.stack([fx, y, fz], 1)
    return (d / np.linalg.norm(d, axis=1, keepdims=True)).astype(np.float32)


def seen(radiance: F32, directions: Floats) -> F32:
    """(n, 3) what is seen of an equirectangular environment (h, w, 3) in directions (n, 3) of any length."""
    h, w = radiance.shape[:2]
    level = np.sqrt(directions[:, 0] ** 2 + directions[:, 2] ** 2)
    row = np.arctan2(level, directions[:, 1]) * np.float32(h / np.pi) - np.float32(0.5)
    column = (np.arctan2(directions[:, 0], -directions[:, 2]) / np.float32(2 * np.pi) + 0.5) * w + np.float32(0.5)
    wrapped = np.concatenate([radiance[:, -1:], radiance, radiance[:, :1]], 1)
    return remap(wrapped, column, row, cv2.BORDER_REPLICATE)


def equirect_directions(rows: int, columns: int) -> F32:
    """(rows, columns, 3) unit directions of the pixel centres of an equirectangular picture."""
    theta = (np.arange(rows) + 0.5) / rows * np.pi
    phi = ((np.arange(columns) + 0.5) / columns - 0.5) * 2 * np.pi
    d = np.empty((rows, columns, 3))
    d[..., 0] = np.sin(theta)[:, None] * np.sin(phi)
    d[..., 1] = np.cos(theta)[:, None]
    d[..., 2] = -np.sin(theta)[:, None] * np.cos(phi)
    return d.astype(np.float32)


def solid_angles(rows: int, columns: int) -> F32:
    """(rows, columns) steradians of the pixels of an equirectangular picture; they sum to 4 pi."""
    edge = np.cos(np.arange(rows + 1) / rows * np.pi)
    return np.repeat(((edge[:-1] - edge[1:]) * 2 * np.pi / columns)[:, None], columns, 1).astype(np.float32)


def resized(radiance: F32, rows: int) -> F32:
    """(rows, 2 rows, 3) the environment in another resolution, by area."""
    wide = np.repeat(radiance, 2 * rows, 1) if radiance.shape[1] == 1 else radiance
    return np.asarray(cv2.resize(wide, (2 * rows, rows), interpolation=cv2.INTER_AREA), np.float32)


class Surround:
    """What surfaces reflect of a world, objects apart: the environment above, the lit ground below.

    Attributes:
        ground_radiance: (3,) that the ground sends to all sides where nothing shades it.
        coarse: Radiance by direction.
        irradiance: By normal.
    """

    def __init__(self, world: World, ground_colour: Floats) -> None:
        """Integrates.

        Args:
            world: Environment and lights are used.
            ground_colour: (3,) mean linear colour of the ground, if there is one.
        """
        fine = resized(world.environment.radiance, 2 * _ROWS)
        sky = resized(fine, _ROWS)
        self.ground_radiance = np.zeros(3, np.float32)
        if world.ground is not None:
            d, area = equirect_directions(_ROWS, 2 * _ROWS), solid_angles(_ROWS, 2 * _ROWS)
            received = (sky * (np.maximum(d[..., 1], 0) * area)[..., None]).sum((0, 1))
            for light in world.lights:
                received = received + light.irradiance * max(float(light.direction_world[1]), 0)
            self.ground_radiance = (ground_colour * received / np.pi).astype(np.float32)
            sky[_ROWS // 2 :] = self.ground_radiance
            fine[_ROWS:] = self.ground_radiance
        self._fine, self._sky = fine, sky.reshape(-1, 3)
        self._lobes: dict[int, OctMap] = {}
        self.coarse = _baked(fine)
        shape = (_SIDE + 2, _SIDE + 2, 3)
        self.irradiance = OctMap(cells=(_cosines() @ self._sky).reshape(shape))

    def reflection(self, roughness: float) -> OctMap:
        """Mean radiance that a surface of that roughness reflects, by mirror direction."""
        step = round(min(max(roughness, 0.0), 1.0) * 10)
        if step not in self._lobes:
            if step / 10 < _SHARP:
                blur = 0.35 + 18 * (step / 10) ** 2  # pixels of 5.6 degrees: as wide as the lobe of that roughness
                padded = cv2.copyMakeBorder(self._fine, 0, 0, 8, 8, cv2.BORDER_WRAP)
                self._lobes[step] = _baked(np.asarray(cv2.GaussianBlur(padded, (0, 0), blur), np.float32)[:, 8:-8])
            else:
                shape = (_SIDE + 2, _SIDE + 2, 3)
                self._lobes[step] = OctMap(cells=(_lobe(step) @ self._sky).reshape(shape))
        return self._lobes[step]


def _baked(radiance: F32) -> OctMap:
    cells = seen(np.ascontiguousarray(radiance), oct_directions(_SIDE))
    return OctMap(cells=cells.reshape(_SIDE + 2, _SIDE + 2, 3))


def _between() -> NDArray[np.float32]:
    """Cosines between the cells of an octahedral map and those of the coarse environment."""
    return oct_directions(_SIDE) @ equirect_directions(_ROWS, 2 * _ROWS).reshape(-1, 3).T


@cache
def _cosines() -> F32:
    """Irradiance = this @ radiance of the coarse environment; a white one of radiance 1 gives pi exactly."""
    weight = np.maximum(_between(), 0) * solid_angles(_ROWS, 2 * _ROWS).ravel()
    return weight * (np.float32(np.pi) / weight.sum(1, keepdims=True))


@cache
def _lobe(step: int) -> F32:
    """Weights of the coarse environment in the GGX lobe about each direction, seen along it (Karis 2013)."""
    alpha2 = (step / 10) ** 4
    cosine = _between()
    half2 = (1 + cosine) / 2  # squared cosine of half the angle: between mirror direction and half vector
    density = alpha2 / (np.pi * (half2 * (alpha2 - 1) + 1) ** 2)
    weight = density * np.maximum(cosine, 0) * solid_angles(_ROWS, 2 * _ROWS).ravel()
    return weight / weight.sum(1, keepdims=True)
