"""How much light leaves points of a world towards the camera, in linear RGB.

Direct light of the lamps with shadows, light from all around with occlusion and one bounce, and what shiny surfaces
mirror. Reflectance is glTF's metallic-roughness model.

Convention: a matt white surface under a lamp of irradiance E that it faces has the radiance E / pi.
Reference: glTF 2.0, appendix B (the model); Karis 2014, "Physically based shading on mobile" (its integral over the
environment); Hanika 2021, "Hacking the shadow terminator" (shadow rays of smooth-shaded facets).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenemaker.data.render.environments import Surround
from scenemaker.data.render.textures import Floats, linear_table, look_up, pyramid
from scenemaker.data.render.truth import Hits, WorldCaster, dot, turned
from scenemaker.data.types import GROUND, Finish, Light, World

_LIFT = 2e-4  # how far shadow rays start above a surface, in sizes of the scene
_BOUNCE = 0.5  # of the light that a surface would get, were it alone, reaches one that others shade
_NEAR = 0.12  # in sizes of the scene: the ground nearer than this to an object lies in its shade
_DIELECTRIC = 0.04  # reflectance of what is no metal, seen from the front


@dataclass(frozen=True, eq=False, kw_only=True)
class Points:
    """n places on surfaces, seen from the camera, in the order of their index. Vectors are columns: that is faster.

    Attributes:
        index: (n,) int32, ``GROUND`` or the object; never falling.
        position: (3, n) in ``world``.
        start: (n, 3) where rays that leave the surface start.
        facet: (3, n) unit geometric normals turned towards the camera.
        normal: (3, n) unit normals for the light.
        view: (3, n) unit directions towards the camera.
        albedo: (3, n) linear.
    """

    index: NDArray[np.int32]
    position: Floats
    start: Floats
    facet: Floats
    normal: Floats
    view: Floats
    albedo: Floats

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: NDArray[Any]) -> Points:
        """Some of the points; the rows in rising order."""
        return Points(
            index=self.index.take(rows),
            start=self.start.take(rows, 0),
            **{name: getattr(self, name).take(rows, 1) for name in _COLUMNS},
        )

    def part(self, rows: slice) -> Points:
        """Some of the points, without a copy."""
        return Points(
            index=self.index[rows],
            start=self.start[rows],
            **{name: getattr(self, name)[:, rows] for name in _COLUMNS},
        )


_COLUMNS = ("position", "facet", "normal", "view", "albedo")


def groups(index: NDArray[np.int32]) -> list[tuple[int, slice]]:
    """Each value of a rising index, and its rows."""
    cuts = [0, *(np.flatnonzero(index[1:] != index[:-1]) + 1).tolist(), len(index)]
    return [(int(index[a]), slice(a, b)) for a, b in pairwise(cuts)] if len(index) else []


class Stage:
    """A world made ready for light: one for all its views."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.caster = WorldCaster(world)
        ground = world.ground
        self.ground_texture = None if ground is None else pyramid(linear_table()[ground.texture[..., :3]])
        black = np.zeros(3, np.float32)
        ground_colour = black if self.ground_texture is None else self.ground_texture[-1].reshape(3)
        self.surround = Surround(world, ground_colour)
        self.colours = np.stack([*(s.mean_colour for s in self.caster.surfaces), ground_colour])  # GROUND is the last
        self.finishes = dict(enumerate(world.finishes))
        if ground is not None:
            self.finishes[GROUND] = ground.finish
        self.size = self.caster.size

    def points(self, origin: Floats, directions: Floats, hits: Hits, pixel: float) -> Points:
        """The points that rays hit. Every ray has hit something, and the hits are in the order of their index.

        Args:
            origin: (3,) the camera.
            directions: (n, 3) of the rays, z_cam = 1.
            hits: Of the rays.
            pixel: Side of a pixel at depth 1.
        """
        n = len(directions)
        rays = columns(directions)
        length = np.sqrt(dot(rays, rays))
        view = rays / -length
        position = rays * hits.distance + origin[:, None]
        facet, normal, albedo = (np.empty((3, n), np.float32) for _ in range(3))
        lift = np.zeros((3, n), np.float32)
        footprint = pixel * hits.distance
        for i, on in groups(hits.index):
            if i == GROUND:
                facet[:, on] = normal[:, on] = np.array([[0], [1 if origin[1] >= 0 else -1], [0]])
                albedo[:, on] = self._ground_albedo(position[:, on], view[1, on], footprint[on])
                continue
            parts = self._object_points(i, hits.face[on], hits.bary[on], view[:, on], footprint[on])
            facet[:, on], normal[:, on], lift[:, on], albedo[:, on] = parts
        lift += facet * np.float32(_LIFT * self.size + 2e-6 * float(np.abs(origin).max()))
        return Points(
            index=hits.index,
            position=position,
            start=columns(position + lift),
            facet=facet,
            normal=normal,
            view=view,
            albedo=albedo,
        )

    def _object_points(
        self, i: int, face: NDArray[np.int32], bary: Floats, view: Floats, footprint: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """(3, n) facet normals, shading normals, lifts onto the smooth surface and albedos of points of object i."""
        surface = self.caster.surfaces[i]
        mesh = surface.mesh
        M, turn = self.caster.M_world_obj[i], self.caster.M_obj_world[i].T  # normals turn by the inverse transpose
        b, c = columns(bary)
        w = (1 - b - c, b, c)
        facet = unit(columns(turned(surface.face_normals.take(face, 0), turn)))
        corners = columns(mesh.faces.take(face, 0))
        normal, lift = np.zeros_like(facet), np.zeros_like(facet)
        vertices = [columns(mesh.vertices.take(corners[k], 0)) for k in range(3)]
        place = w[0] * vertices[0] + w[1] * vertices[1] + w[2] * vertices[2]
        for k in range(3):
            normal_k = columns(surface.normals_by_corner[k].take(face, 0))
            normal += w[k] * normal_k
            below = np.minimum(dot(place - vertices[k], normal_k), 0)
            lift -= (w[k] * below) * normal_k
        normal = unit(columns(turned(normal.T, turn)))
        away = np.where(dot(facet, view) < 0, np.float32(-1), np.float32(1))
        facet *= away
        normal *= away
        lift = columns(turned(lift.T, M)) * (away > 0)  # inside a shell the smooth surface lies behind the facet
        behind = dot(normal, view)
        bent = np.flatnonzero(behind < 0.02)  # seen from behind: bend it until it is just seen
        if len(bent):
            seen = view.take(bent, 1)
            normal[:, bent] = unit(normal.take(bent, 1) + (0.02 - behind[bent]) * seen)
        if surface.texture is not None and mesh.uv is not None:
            uv = w[0] * columns(mesh.uv.take(corners[0], 0))
            uv += w[1] * columns(mesh.uv.take(corners[1], 0)) + w[2] * columns(mesh.uv.take(corners[2], 0))
            scale = np.cbrt(abs(float(np.linalg.det(M))))
            slant = np.sqrt(np.maximum(np.abs(dot(facet, view)), 0.05))
            foot = footprint * np.float32(surface.uv_density / scale) / slant
            return facet, normal, lift, columns(look_up(surface.texture, uv, foot, repeat=False))
        if len(surface.colours) == 1:
            return facet, normal, lift, np.broadcast_to(surface.colours.T, facet.shape)
        albedo = w[0] * columns(surface.colours.take(corners[0], 0))
        albedo += w[1] * columns(surface.colours.take(corners[1], 0))
        albedo += w[2] * columns(surface.colours.take(corners[2], 0))
        return facet, normal, lift, albedo

    def _ground_albedo(self, position: Floats, rise: Floats, footprint: Floats) -> Floats:
        ground = self.world.ground
        if ground is None or self.ground_texture is None:
            return np.zeros_like(position)
        slant = np.maximum(np.abs(rise), 1e-3) ** np.float32(0.7)  # between the two sides of the long foot
        uv = position[::2] * np.float32(1 / ground.tile)
        return columns(look_up(self.ground_texture, uv, footprint / slant * np.float32(1 / ground.tile), repeat=True))

    def lamp_places(self, light: Light, spread: Floats) -> Floats:
        """(..., 3) places on a lamp, for points (..., 2) of the unit disc: of a sun, at distance 1."""
        across, up = frame(light.direction_world)
        towards = light.direction_world.astype(np.float32)
        if light.distance is None:
            offset = spread * np.float32(np.tan(light.size / 2))
            return towards + offset[..., :1] * across + offset[..., 1:] * up
        offset = square_from_disc(spread) * np.float32(light.size / 2)
        return towards * np.float32(light.distance) + offset[..., :1] * across + offset[..., 1:] * up

    def lamp_seen(self, starts: Floats, light: Light, places: Floats) -> Floats:
        """(n,) 1 where nothing stands between starts (n, 3) and places (n, 3) on the lamp, else 0."""
        sun = light.distance is None
        rays, reach = (places, np.inf) if sun else (places - starts, 1.0)
        return (~self.caster.blocked(starts, rays, reach)).astype(np.float32)

    def lamp_light(self, points: Points, light: Light) -> tuple[Floats, Floats]:
        """(3, n or 1) unit directions to the lamp's centre; (3, n or 1) irradiance when facing it, unshaded."""
        towards = light.direction_world.astype(np.float32)[:, None]
        colour = np.asarray(light.irradiance, np.float32)[:, None]
        if light.distance is None:
            return towards, colour
        path = towards * np.float32(light.distance) - points.position
        squared = dot(path, path)
        direction = path / np.sqrt(squared)
        emitted = np.maximum(dot(direction, towards), 0)  # the lamp faces the origin and is dark behind
        return direction, colour * (emitted * np.float32(light.distance**2) / squared)

    def incoming(self, starts: Floats, directions: Floats, alone: Floats) -> Floats:
        """(n, 3) radiance that arrives at starts (n, 3) from directions (3, n), by one ray each and a guess beyond.

        ``alone`` (n, 3) would arrive if there were no objects.
        """
        met = self.caster.everything.first_index(starts, columns(directions))
        light = alone.copy()
        if self.world.ground is not None:  # the ground is shaded where it is near
            height = starts[:, 1]
            down = np.flatnonzero((directions[1] < -1e-3) & (height > 0) & (met < 0))
            t = height[down] / -directions[1, down]
            light[down] *= (t / (t + np.float32(_NEAR * self.size)))[:, None]
        on = np.flatnonzero(met >= 0)
        if len(on):
            back = -directions.take(on, 1)
            received = self.surround.irradiance.coarse(back)
            for lamp in self.world.lights:
                facing = np.maximum(dot(back, lamp.direction_world.astype(np.float32)), 0)
                received = received + facing[:, None] * np.asarray(lamp.irradiance, np.float32)
            light[on] = self.colours.take(met[on], 0) * received * np.float32(_BOUNCE / np.pi)
        return light

    def ambient(self, points: Points, samples: Floats) -> tuple[Floats, Floats]:
        """Light from all around by cosine-distributed rays: (n, 3) as it arrives, and (n, 3) as if nothing shaded.

        Args:
            points: Of the surfaces.
            samples: (n, k, 2) points in the unit disc.
        """
        n, k = samples.shape[:2]
        across, up = frames(points.normal)
        arrives, open_ = np.zeros((n, 3), np.float32), np.zeros((n, 3), np.float32)
        for s in range(k):
            x, y = columns(samples[:, s])
            d = x * across + y * up + np.sqrt(np.maximum(1 - x * x - y * y, 1e-4)) * points.normal
            under = np.minimum(dot(d, points.facet), 0)
            d -= (2 * under) * points.facet
            alone = self.surround.coarse.coarse(d)
            open_ += alone
            arrives += self.incoming(points.start, d, alone)
        return arrives / k, open_ / k

    def lit(self, points: Points, ambient_share: Floats, lamp_share: list[Floats]) -> Floats:
        """(3, n) radiance towards the camera.

        Args:
            points: Of the surfaces.
            ambient_share: (3, n) of the light from all around that arrives, after ``ambient``.
            lamp_share: Per lamp, (n,) how much of it is seen.
        """
        out = np.empty((3, len(points)), np.float32)
        for i, on in groups(points.index):
            shares = [share[on] for share in lamp_share]
            out[:, on] = self._lit(points.part(on), self.finishes[i], ambient_share[:, on], shares)
        return out

    def _lit(self, p: Points, finish: Finish, ambient_share: Floats, lamp_share: list[Floats]) -> Floats:
        matt = np.float32((1 - finish.metallic) / np.pi)
        front = np.float32(_DIELECTRIC * (1 - finish.metallic)) + p.albedo * np.float32(finish.metallic)
        if not finish.metallic:
            front = np.full((3, 1), _DIELECTRIC, np.float32)
        cos_view = np.maximum(dot(p.normal, p.view), 1e-3)
        level = p.normal[:, :1] if p.index[0] == GROUND else p.normal  # all its normals are equal
        out = columns(self.surround.irradiance.smooth(level)) * ambient_share
        out *= p.albedo * matt
        weight_front, weight_edge = environment_brdf(finish.roughness, cos_view)
        share = ambient_share.mean(0)
        seen = np.clip((cos_view + share) ** np.float32(2 ** (-16 * finish.roughness - 1)) - 1 + share, 0, 1)
        mirror = (2 * cos_view) * p.normal - p.view
        mirrored = columns(self.surround.reflection(finish.roughness).smooth(mirror))
        out += mirrored * (front * (weight_front * seen) + weight_edge * seen)
        for light, visible in zip(self.world.lights, lamp_share, strict=True):
            direction, irradiance = self.lamp_light(p, light)
            cos_light = dot(p.normal, direction)
            arrives = np.maximum(cos_light, 0) * visible
            fresnel, lobe = reflected(p.normal, p.view, direction, np.maximum(cos_light, 1e-3), cos_view, finish, front)
            out += ((1 - fresnel) * (p.albedo * matt) + lobe) * irradiance * arrives
        return out


def reflected(
    normal: Floats, view: Floats, light: Floats, cos_light: Floats, cos_view: Floats, finish: Finish, front: Floats
) -> tuple[Floats, Floats]:
    """Fresnel reflectance and GGX lobe, both (3, n), for columns of directions: glTF 2.0, appendix B.3."""
    alpha2 = np.float32(max(finish.roughness, 0.08) ** 4)
    half = unit(light + view)
    cos_half = dot(normal, half)
    density = cos_half * cos_half * (alpha2 - 1) + 1
    shade = cos_light * np.sqrt(alpha2 + (1 - alpha2) * (cos_view * cos_view))
    shade += cos_view * np.sqrt(alpha2 + (1 - alpha2) * (cos_light * cos_light))  # Smith, height-correlated
    edge = np.maximum(1 - dot(view, half), 0)
    edge = (edge * edge) * (edge * edge) * edge
    fresnel = front + (1 - front) * edge
    return fresnel, fresnel * (np.float32(0.5 / np.pi) * alpha2 / (density * density * shade))


def environment_brdf(roughness: float, cos_view: Floats) -> tuple[Floats, Floats]:
    """(n,) factors (a, b): a surface mirrors front * a + b of its surroundings (Karis 2014)."""
    x, y, z, w = (roughness * c0 + c1 for c0, c1 in ((-1, 1), (-0.0275, 0.0425), (-0.572, 1.04), (0.022, -0.04)))
    a = np.minimum(np.float32(x * x), np.exp2(np.float32(-9.28) * cos_view)) * np.float32(x) + np.float32(y)
    return -np.float32(1.04) * a + np.float32(z), np.float32(1.04) * a + np.float32(w)


def square_from_disc(spread: Floats) -> Floats:
    """(..., 2) points of the square [-1, 1]^2 for points in the unit disc: equal areas stay equal (Shirley)."""
    x, y = spread[..., 0], spread[..., 1]
    radius = np.sqrt(x * x + y * y)
    angle = np.arctan2(y, x) / np.float32(np.pi / 4)  # -4..4: every side takes two
    side = np.floor((angle + 1) / 2)
    along = radius * (angle - 2 * side)
    turn = side.astype(np.int32) % 4
    u = np.choose(turn, [radius, -along, -radius, along])
    v = np.choose(turn, [along, radius, -along, -radius])
    return np.stack([u, v], -1).astype(np.float32)


def columns(vectors: NDArray[Any]) -> NDArray[Any]:
    """(k, n) of (n, k), or the other way round; contiguous."""
    return np.ascontiguousarray(vectors.T)


def unit(v: Floats) -> Floats:
    """(3, n) of length one; zero stays zero."""
    return v / np.maximum(np.sqrt(dot(v, v)), np.float32(1e-20))


def frame(direction: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """(3,) and (3,) unit vectors that complete a unit vector to a frame."""
    across, up = frames(np.asarray(direction, np.float32)[:, None])
    return across[:, 0], up[:, 0]


def frames(normal: Floats) -> tuple[Floats, Floats]:
    """(3, n) and (3, n) that complete unit vectors to frames (Duff et al. 2017)."""
    x, y, z = normal
    sign = np.copysign(np.float32(1), z)
    a = -1 / (sign + z)
    b = x * y * a
    return (
        np.stack([1 + sign * x * x * a, sign * b, -sign * x]),
        np.stack([b, sign + y * y * a, -y]),
    )
