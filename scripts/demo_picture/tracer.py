"""A small path tracer over the library's ray caster: sun, lamp and sky, one diffuse and one glossy bounce."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo_picture.furniture import Part
from demo_picture.shapes import F64
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster

EPS_M = 1e-3


@dataclass(frozen=True, eq=False)
class Placed:
    """One part in the room: p_world = R p + t."""

    part: Part
    R: F64
    t: F64
    label: int  # 0: background


@dataclass(frozen=True)
class Light:
    """Sun (a disc of directions) and lamp (a sphere of points) and sky; linear RGB."""

    sun_towards: F64
    sun_spread: float
    sun: F64
    lamp_at: F64
    lamp_radius: float
    lamp: F64
    sky: F64
    ambient: F64


class Tracer:
    """Traces pictures of placed parts."""

    def __init__(self, placed: list[Placed], light: Light) -> None:
        self.placed, self.light = placed, light
        meshes = [Mesh(vertices=p.part.surface[0] @ p.R.T + p.t, faces=p.part.surface[1]) for p in placed]
        self.caster = RayCaster(meshes)
        self.normals = [_vertex_normals(mesh) for mesh in self.caster.meshes]
        self.labels = np.array([0, *(p.label for p in placed)])

    def label_image(self, camera: Camera) -> np.ndarray:
        """(H, W) label at the pixel centres."""
        return self.labels[self.caster.render(camera, shade=False).index + 1]

    def picture(self, camera: Camera, strata: int, seed: int) -> F64:
        """(H, W, 3) linear radiance, ``strata`` x ``strata`` jittered rays per pixel."""
        h, w = camera.height, camera.width
        out = np.zeros((h, w, 3))
        R_world_cam, centre = camera.T_cam_world[:3, :3].T, camera.centre_world
        rays = camera.rays_cam()
        inv_fx, inv_fy = 1 / camera.K[0, 0], 1 / camera.K[1, 1]
        rng = np.random.default_rng(seed)
        for k in range(strata * strata):
            du = (k % strata + rng.random((h, w))) / strata - 0.5
            dv = (k // strata + rng.random((h, w))) / strata - 0.5
            d = rays + np.stack([du * inv_fx, dv * inv_fy, np.zeros((h, w))], -1)
            d = d.reshape(-1, 3) @ R_world_cam.T
            d /= np.linalg.norm(d, axis=1, keepdims=True)
            seen = self.radiance(np.broadcast_to(centre, d.shape), d, rng)
            out += np.minimum(seen, 6.0).reshape(h, w, 3)  # a lone bright path would leave a spot
        return out / strata**2

    def radiance(self, origins: F64, d: F64, rng: np.random.Generator) -> F64:
        """(n, 3) light that comes back along rays: direct, one diffuse bounce, one glossy bounce."""
        met, x, n, albedo, coat, rough = self.surface(origins, d)
        out = np.broadcast_to(self.light.sky, (len(d), 3)).copy()
        if not met.any():
            return out
        x, n, view = x[met], n[met], d[met]
        direct = self.direct(x, n, rng)
        bounce = _cosine(n, rng)
        indirect = self.once(x + EPS_M * n, bounce, rng)
        colour = albedo[met] * (direct + indirect)
        shiny = np.flatnonzero(coat[met] > 0)
        if len(shiny):
            r, m = rough[met][shiny], n[shiny]
            half = m + 0.5 * r[:, None] ** 2 * rng.standard_normal((len(shiny), 3))
            half /= np.linalg.norm(half, axis=1, keepdims=True)
            mirror = view[shiny] - 2 * (view[shiny] * half).sum(1, keepdims=True) * half
            mirror -= np.minimum((mirror * m).sum(1, keepdims=True), 0) * m
            facing = np.abs((view[shiny] * half).sum(1)).clip(0, 1)
            fresnel = coat[met][shiny] * (0.04 + 0.96 * (1 - facing) ** 5)
            seen = self.once(x[shiny] + EPS_M * m, mirror, rng)
            colour[shiny] = (1 - fresnel[:, None]) * colour[shiny] + fresnel[:, None] * np.minimum(seen, 4.0)
        out[met] = colour
        return out

    def once(self, origins: F64, d: F64, rng: np.random.Generator) -> F64:
        """(n, 3) light along rays, without a further bounce: an even ambient light stands for it."""
        met, x, n, albedo, _, _ = self.surface(origins, d)
        out = np.broadcast_to(self.light.sky, (len(d), 3)).copy()
        if met.any():
            out[met] = albedo[met] * (self.direct(x[met], n[met], rng) + self.light.ambient)
        return out

    def direct(self, x: F64, n: F64, rng: np.random.Generator) -> F64:
        """(n, 3) irradiance over pi from sun and lamp, one shadow ray each."""
        light = self.light
        towards = light.sun_towards + light.sun_spread * rng.standard_normal(x.shape)
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        out = light.sun * (self.lit(x, n, towards, np.inf) * np.maximum((n * towards).sum(1), 0))[:, None]
        point = light.lamp_at + light.lamp_radius * _sphere(len(x), rng)
        gap = point - x
        distance = np.linalg.norm(gap, axis=1)
        gap /= distance[:, None]
        fall = self.lit(x, n, gap, distance) * np.maximum((n * gap).sum(1), 0) / distance**2
        return out + light.lamp * fall[:, None]

    def lit(self, x: F64, n: F64, towards: F64, distance: F64 | float) -> F64:
        """(n,) 1 where nothing stands between a point and the light."""
        hits = self.caster.cast(x + EPS_M * n, towards)
        return (hits.distance >= distance).astype(float)

    def surface(self, origins: F64, d: F64) -> tuple[np.ndarray, F64, F64, F64, F64, F64]:
        """What rays meet: hit, point, normal towards the ray's side, albedo, coat, roughness."""
        hits = self.caster.cast(origins, d)
        met = hits.index >= 0
        x, n, albedo = np.zeros_like(d), np.zeros_like(d), np.zeros_like(d)
        coat, rough = np.zeros(len(d)), np.zeros(len(d))
        for i, placed in enumerate(self.placed):
            on = np.flatnonzero(hits.index == i)
            if not len(on):
                continue
            x[on] = origins[on] + hits.distance[on, None] * d[on]
            corners = self.caster.meshes[i].faces[hits.face[on]]
            b = hits.bary[on].astype(np.float64)
            weights = np.stack([1 - b.sum(1), b[:, 0], b[:, 1]], 1)[..., None]
            n[on] = (self.normals[i][corners] * weights).sum(1)
            albedo[on] = placed.part.material.albedo((x[on] - placed.t) @ placed.R).clip(0, 0.95)
            coat[on], rough[on] = placed.part.material.coat, placed.part.material.roughness
        n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-12)
        n *= np.where((n * d).sum(1, keepdims=True) > 0, -1.0, 1.0)
        return met, x, n, albedo, coat, rough


def _vertex_normals(mesh: Mesh) -> F64:
    """(n, 3) area-weighted normals; vertices in one place share theirs unless their faces meet at a sharp edge."""
    triangles = mesh.triangles
    face_normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    _, weld = np.unique(np.round(mesh.vertices, 5), axis=0, return_inverse=True)
    weld = weld.reshape(-1)
    own = np.zeros((len(mesh.vertices), 3))
    shared = np.zeros((int(weld.max()) + 1, 3))
    for corner in range(3):
        np.add.at(own, mesh.faces[:, corner], face_normals)
        np.add.at(shared, weld[mesh.faces[:, corner]], face_normals)
    both = [a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-20) for a in (own, shared[weld])]
    smooth = (both[0] * both[1]).sum(1, keepdims=True) > 0.7
    return np.where(smooth, both[1], both[0])


def _cosine(n: F64, rng: np.random.Generator) -> F64:
    """(n, 3) directions about normals, as often as their cosine."""
    d = n + (1 - 1e-6) * _sphere(len(n), rng)
    return d / np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-9)


def _sphere(count: int, rng: np.random.Generator) -> F64:
    """(count, 3) even directions."""
    d = rng.standard_normal((count, 3))
    return d / np.linalg.norm(d, axis=1, keepdims=True)
