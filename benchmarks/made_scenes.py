"""Random scenes to calibrate and check single-view geometry on: meshes standing on a textured ground, known camera.

    python -m benchmarks.made_scenes MESHES -o SCENES.npz --count 400

MESHES is a folder of GLB files that may be trained on. Deterministic for a seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera, K_from_fov
from scenemaker.geometry.mesh import Mesh, normalise
from scenemaker.geometry.raycast import RayCaster, surface_colours


@dataclass(frozen=True, eq=False, kw_only=True)
class MadeScene:
    """One scene: rgb (H, W, 3), labels (H, W), depth (H, W) of z, K, up in ``cam``."""

    rgb: np.ndarray
    labels: np.ndarray
    depth: np.ndarray
    K: F64
    up_cam: F64

    @property
    def pitch_deg(self) -> float:
        """How far the camera looks down."""
        return float(np.degrees(np.arcsin(-self.up_cam[2])))


def load_meshes(folder: Path, limit: int | None = None) -> list[Mesh]:
    """Canonical meshes of a folder of GLB files with vertex colours."""
    import trimesh

    meshes = []
    for path in sorted(folder.glob("*.glb"))[:limit]:
        loaded = trimesh.load(path, force="mesh", process=False)
        colors = np.asarray(loaded.visual.vertex_colors)[:, :3] if loaded.visual.kind == "vertex" else None
        mesh = Mesh(vertices=loaded.vertices, faces=loaded.faces, colors=colors)
        meshes.append(normalise(mesh)[0])
    return meshes


def make_scene(meshes: list[Mesh], rng: np.random.Generator, *, size: int = 320) -> MadeScene:
    """Two to five objects on a plane, seen from 2 to 62 degrees above; half of the flat views have a wall."""
    pitch = np.radians(rng.uniform(2, 62))
    aspect = rng.choice([1.0, 1.0, 1.5, 2 / 3])
    width, height = (size, round(size / aspect)) if aspect >= 1 else (round(size * aspect), size)
    K = K_from_fov(rng.uniform(33, 65), width, height)
    poses, chosen = _arrange(meshes, rng)
    up_world = np.array([0.0, 1.0, 0.0])
    forward = np.array([0.0, -np.sin(pitch), -np.cos(pitch)])  # the yaw is in the arrangement
    R_world_cam = np.stack([np.cross(forward, up_world) / np.cos(pitch), np.zeros(3), forward], 1)
    R_world_cam[:, 1] = np.cross(R_world_cam[:, 2], R_world_cam[:, 0])
    thin = [m.vertices[:: max(1, len(m.vertices) // 200)] for m in chosen]
    corners = np.concatenate([transforms.apply(S, v) for v, S in zip(thin, poses)])
    target = corners.mean(0) + rng.normal(0, 0.12, 3) * [1, 0, 1]
    p_cam = (corners - target) @ R_world_cam
    half = np.array([width, height]) / 2 / K[0, 0]
    fill = rng.uniform(0.7, 1.15)
    distance = max(float((np.abs(p_cam[:, :2]) / (half * fill) - p_cam[:, 2:]).max()), 0.5)
    centre = target - forward * distance
    if centre[1] < 0.25:  # a flat view still stands above the ground
        centre[1] = 0.25
    camera = Camera(K=K, width=width, height=height)
    return _render(chosen, poses, camera, R_world_cam, centre, pitch, rng)


def _arrange(meshes: list[Mesh], rng: np.random.Generator) -> tuple[list[F64], list[Mesh]]:
    """Objects of 0.4 to 1.3 units, side by side without overlap, each standing on y = 0."""
    poses, chosen, discs = [], [], []
    for _ in range(int(rng.integers(2, 6))):
        mesh = meshes[int(rng.integers(len(meshes)))]
        s = rng.uniform(0.4, 1.3)
        radius = float(np.linalg.norm(mesh.extents[[0, 2]])) / 2 * s
        spot, spread = np.zeros(2), 0.3
        while any(np.hypot(*(spot - o)) < 0.8 * (radius + r) for o, r in discs):
            spot, spread = rng.normal(0, spread, 2), spread * 1.05
        discs.append((spot, radius))
        R = transforms.axis_angle([0, 1, 0], rng.uniform(0, 2 * np.pi))
        poses.append(transforms.similarity(R, [spot[0], s * mesh.extents[1] / 2, spot[1]], s))
        chosen.append(mesh)
    return poses, chosen


def _render(
    meshes: list[Mesh],
    poses: list[F64],
    camera: Camera,
    R_world_cam: F64,
    centre: F64,
    pitch: float,
    rng: np.random.Generator,
) -> MadeScene:
    h, w = camera.height, camera.width
    caster = RayCaster(meshes, poses)
    rays = camera.rays_cam().reshape(-1, 3) @ R_world_cam.T
    hits = caster.cast(centre, rays)
    with np.errstate(divide="ignore"):
        ground = np.where(rays[:, 1] < -1e-4, -centre[1] / rays[:, 1], np.inf)
    has_wall = rng.random() < (0.6 if pitch < np.radians(25) else 0.1)
    back = min(float(m.vertices[:, 2].min()) for m in caster.meshes) - rng.uniform(0.05, 1.5)
    wall = np.where(rays[:, 2] < 0, (back - centre[2]) / rays[:, 2], np.inf) if has_wall else np.full(h * w, np.inf)
    surface = np.minimum(ground, wall)
    depth = np.minimum(np.where(hits.index >= 0, hits.distance, np.inf), surface)
    points = centre + rays * np.where(np.isfinite(depth), depth, 0)[:, None]
    light = transforms.unit([rng.normal(0, 0.6), 1.0, rng.normal(0, 0.6)])
    above = points + np.array([0, 2e-3, 0])
    shade = np.where(caster.cast(above, np.broadcast_to(light, points.shape)).index >= 0, 0.55, 1.0)
    shade = cv2.GaussianBlur(shade.reshape(h, w), (0, 0), 1.0).ravel()
    rgb = np.empty((h * w, 3))
    on_wall = wall < ground
    noise = _noise(points[:, [0, 2]], rng) * rng.uniform(2, 10)
    rgb[:] = rng.uniform(90, 240, 3) + noise[:, None]
    rgb[on_wall] = rng.uniform(90, 240, 3)
    rgb *= np.where(on_wall, 1, shade)[:, None]
    rgb[~np.isfinite(depth)] = rng.uniform(150, 250)
    for i, mesh in enumerate(caster.meshes):
        on = np.flatnonzero((hits.index == i) & (hits.distance < surface))
        a, b, c = np.moveaxis(mesh.vertices[mesh.faces[hits.face[on]]], 1, 0)
        n = np.cross(b - a, c - a)
        n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-20)
        n *= -np.sign((n * rays[on]).sum(1, keepdims=True))
        lit = 0.4 + 0.6 * np.maximum(n @ light, 0)
        rgb[on] = surface_colours(mesh, hits.face[on], hits.bary[on]) * lit[:, None]
    labels = np.where(hits.distance < surface, hits.index + 1, 0).reshape(h, w)
    rgb = cv2.GaussianBlur(rgb.reshape(h, w, 3), (0, 0), 0.6) + rng.normal(0, 1, (h, w, 1))
    return MadeScene(
        rgb=rgb.clip(0, 255).astype(np.uint8),
        labels=labels.astype(np.uint16),
        depth=np.where(np.isfinite(depth), depth, np.nan).reshape(h, w).astype(np.float32),
        K=camera.K,
        up_cam=R_world_cam.T @ [0.0, 1.0, 0.0],
    )


def _noise(xy: F64, rng: np.random.Generator) -> F64:
    """Isotropic value noise of three octaves at points (n, 2)."""
    grid, out = rng.normal(0, 1, (64, 64)), np.zeros(len(xy))
    base = rng.uniform(1, 4)
    for octave in range(3):
        at = xy * base * 2**octave
        cell = np.floor(at).astype(np.int64)
        (i, j), (a, b) = cell.T % 64, (at - cell).T
        k, m = (i + 1) % 64, (j + 1) % 64
        near, far = grid[i, j] * (1 - b) + grid[i, m] * b, grid[k, j] * (1 - b) + grid[k, m] * b
        out += (near * (1 - a) + far * a) / 2**octave
    return out


def save(scenes: list[MadeScene], path: Path) -> None:
    """All scenes in one NPZ."""
    arrays = {}
    for i, scene in enumerate(scenes):
        arrays |= {f"{i}.{name}": getattr(scene, name) for name in ("rgb", "labels", "depth", "K", "up_cam")}
    np.savez_compressed(path, **arrays)


def load(path: Path) -> Iterator[MadeScene]:
    """The scenes of ``save``, in order."""
    with np.load(path) as arrays:
        for i in range(len(arrays.files) // 5):
            yield MadeScene(**{name: arrays[f"{i}.{name}"] for name in ("rgb", "labels", "depth", "K", "up_cam")})


def main() -> None:
    """Makes and saves the scenes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("meshes", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--size", type=int, default=384)
    args = parser.parse_args()
    meshes = load_meshes(args.meshes)
    scenes = []
    rng = np.random.default_rng(0)
    while len(scenes) < args.count:
        scene = make_scene(meshes, rng, size=args.size)
        if len(np.unique(scene.labels)) > 2:  # at least two objects are seen
            scenes.append(scene)
    save(scenes, args.out)
    print(f"{len(scenes)} scenes in {args.out}")


if __name__ == "__main__":
    main()
