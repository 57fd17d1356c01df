"""How close the solids of ``relief`` come to the true ones, beside two plain baselines.

    python benchmarks/solids.py --scenes DIR [--deocclusion symmetry] [--points 20480]

DIR holds scene folders (version 1) with depth and ground-truth meshes. Each object is generated from its view with the
scene's own masks, depth and K, and stands where the depth puts it; nothing is fitted to the truth. Printed per object
and as means:

- IoU: of volumes, on a 64^3 grid around the union of both boxes in ``cam``. A cell centre is inside a mesh when most of
  six signed crossing counts (both ways along three axes) are positive; the true meshes are not closed, and a count of
  signed crossings, unlike parity, forgives parts that overlap.
- CD-O, F-O: protocol ``midi``, object level: points sampled evenly on both surfaces, in the axes of the true object,
  min-max normalised to [-0.95, 0.95] per axis, rigid ICP, then mean squared distance both ways, summed; F-score at 0.1.
- T/W: median thickness along the rays over the width of the silhouette (square root of its area), for ours and truth.

Baselines: ``flat``, the same front with a back 5 % of its width behind it; ``ellipsoid``, the principal axes of the
visible points, as long as the points reach.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from scenemaker.deocclusion.views import cut_views
from scenemaker.generation.front import read_front
from scenemaker.generation.relief import ReliefGenerator
from scenemaker.generation.solid import build
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.geometry.raycast import RayCaster
from scenemaker.scene import Bool, Instance, Instances, ObjectFailure, ObjectView, Photo, PointMap

CELLS = 64


@dataclass(frozen=True, eq=False, kw_only=True)
class Truth:
    """One object of a scene: its name, and its true mesh placed in ``cam``."""

    name: str
    mesh_cam: Mesh
    R_cam_obj: F64


def read_mesh(path: Path) -> Mesh:
    """Vertices and faces of a GLB."""
    import trimesh

    loaded = trimesh.load(path, force="mesh", process=False)
    return Mesh(vertices=loaded.vertices, faces=loaded.faces)


def read_scene(folder: Path) -> tuple[Photo, Instances, PointMap, dict[int, Truth]]:
    """A scene folder: photo, masks, point map with the ground found under the objects, and the truth by id."""
    scene = json.loads((folder / "scene.json").read_text())
    labels = np.array(Image.open(folder / "labels.png")).astype(np.uint16)
    K, up = np.array(scene["K"]), np.array(scene["up_cam"])
    points = PointMap.from_depth(np.load(folder / "depth.npy"), K, scale_kind="metric", up_cam=up)
    height = np.nanmedian((points.points_cam @ up)[labels == 0])  # the background is ground
    points = replace(points, ground_cam=np.array([*up, -height]))
    truths = {
        i: Truth(
            name=entry["name"],
            mesh_cam=read_mesh(folder / entry["mesh"]).transformed(
                transforms.similarity(entry["R_cam_obj"], entry["t_cam_obj"], entry["scale"])
            ),
            R_cam_obj=np.array(entry["R_cam_obj"]),
        )
        for i, entry in enumerate(scene["objects"], 1)
    }
    seen = tuple(Instance(id=i, name=t.name) for i, t in truths.items() if (labels == i).any())
    photo = Photo(rgb=np.array(Image.open(folder / "rgb.png").convert("RGB")), K=K, name=folder.name)
    return photo, Instances(labels=labels, items=seen), points, truths


def crossings(mesh: Mesh, origins: F64, axis: int, reach: float) -> tuple[F64, F64, F64]:
    """Ray, distance and sign (+1 going in) of every surface met by rays along an axis; three flat arrays."""
    caster, normals = RayCaster([mesh]), np.cross(*np.moveaxis(np.diff(mesh.triangles, axis=1), 1, 0))
    direction = np.eye(3)[axis]
    ray, start = np.arange(len(origins)), np.zeros(len(origins))
    found: list[tuple[F64, F64, F64]] = []
    for _ in range(100):
        hits = caster.cast(origins[ray] + start[ray, None] * direction, np.broadcast_to(direction, (len(ray), 3)))
        met = hits.index >= 0
        ray = ray[met]
        if not len(ray):
            break
        distance = start[ray] + hits.distance[met]
        found.append((ray, distance, -np.sign(normals[hits.face[met], axis])))
        start[ray] = distance + 1e-5 * reach
    if not found:
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    ray, distance, sign = (np.concatenate(column) for column in zip(*found))
    return ray, distance, sign


def occupancy(mesh: Mesh, lo: F64, hi: F64, n: int = CELLS) -> Bool:
    """(n, n, n) cell centres of the box that are inside, by the majority of six signed crossing counts."""
    step, reach = (hi - lo) / n, float((hi - lo).max())
    votes = np.zeros((n, n, n), np.int64)
    for axis in range(3):
        a, b = (k for k in range(3) if k != axis)
        origins = np.zeros((n * n, 3))
        origins[:, a] = np.repeat(lo[a] + step[a] * (np.arange(n) + 0.501), n)
        origins[:, b] = np.tile(lo[b] + step[b] * (np.arange(n) + 0.5013), n)
        origins[:, axis] = lo[axis] - 0.1 * reach
        ray, distance, sign = crossings(mesh, origins, axis, reach)
        first = np.ceil((distance - 0.1 * reach) / step[axis] - 0.5).clip(0, n).astype(int)
        change = np.zeros((n * n, n + 1))
        np.add.at(change, (ray, first), sign)
        ahead = np.cumsum(change, 1)[:, :n]
        behind = ahead - change.sum(1, keepdims=True)
        votes += np.moveaxis(((ahead > 0.5).astype(int) + (behind > 0.5)).reshape(n, n, n), 2, axis)
    return votes >= 4


def volume_iou(a: Mesh, b: Mesh) -> float:
    """IoU of two solids in one frame."""
    lo, hi = np.minimum(a.bounds[0], b.bounds[0]) - 1e-6, np.maximum(a.bounds[1], b.bounds[1]) + 1e-6
    in_a, in_b = occupancy(a, lo, hi), occupancy(b, lo, hi)
    return float((in_a & in_b).sum() / max((in_a | in_b).sum(), 1))


def surface_scores(ours: Mesh, truth: Mesh, R_cam_obj: F64, n: int) -> tuple[float, float]:
    """CD-O and F-O of two meshes in ``cam``, normalised in the axes of the true object."""
    p, q = (_normalised(sample_surface(m, n)[0] @ R_cam_obj) for m in (ours, truth))
    tree_q, last = cKDTree(q), np.inf
    for _ in range(50):
        distance, nearest = tree_q.query(p)
        if abs(last - distance.mean()) < 1e-5:
            break
        last = distance.mean()
        cp, cq = p.mean(0), q[nearest].mean(0)
        U, _, Vt = np.linalg.svd((p - cp).T @ (q[nearest] - cq))
        R = (U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt).T
        p = (p - cp) @ R.T + cq
    to_q, to_p = tree_q.query(p)[0], cKDTree(p).query(q)[0]
    precision, recall = (to_q < 0.1).mean(), (to_p < 0.1).mean()
    return float((to_q**2).mean() + (to_p**2).mean()), float(2 * precision * recall / max(precision + recall, 1e-12))


def _normalised(points: F64) -> F64:
    lo, hi = points.min(0), points.max(0)
    return ((points - lo) / np.maximum(hi - lo, 1e-9) * 2 - 1) * 0.95


def flat_relief(view: ObjectView) -> Mesh:
    """Baseline: the front surface with a constant thickness of 5 % of its width, in ``cam``."""
    front = read_front(view)
    x = front.points_cam[front.inside] @ front.R_cam_obj[:, 0]
    mesh, S_cam_obj = build(view, front, front.z + 0.05 * float(np.ptp(x)))
    return mesh.transformed(S_cam_obj)


def ellipsoid(view: ObjectView) -> Mesh:
    """Baseline: the ellipsoid along the principal axes of the visible points that reaches as far as they do."""
    points = view.points_cam[np.isfinite(view.points_cam).all(-1)].astype(np.float64)
    axes = np.linalg.eigh(np.cov(points.T))[1]
    along = points @ axes
    lo, hi = np.percentile(along, 0.5, axis=0), np.percentile(along, 99.5, axis=0)
    theta, phi = np.linspace(0, np.pi, 25), np.arange(48) * (2 * np.pi / 48)
    ball = np.stack(
        [
            np.sin(theta)[:, None] * np.cos(phi),
            np.sin(theta)[:, None] * np.sin(phi),
            np.cos(theta)[:, None] + 0 * phi,
        ],
        -1,
    ).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(24), np.arange(48), indexing="ij")
    a, b, c, d = (((i + di) * 48 + (j + dj) % 48).ravel() for di, dj in ((0, 0), (1, 0), (1, 1), (0, 1)))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    half = np.maximum((hi - lo) / 2, 0.01 * (hi - lo).max())
    vertices = (ball * half + (lo + hi) / 2) @ axes.T
    mesh = Mesh(vertices=vertices.astype(np.float32), faces=faces.astype(np.int32))
    return mesh if mesh.volume() > 0 else replace(mesh, faces=mesh.faces[:, ::-1])


def thickness_over_width(mesh_cam: Mesh, view: ObjectView) -> float:
    """Median over the rays that meet it of last hit minus first hit, over the root of the silhouette's area."""
    rays = view.camera.rays_cam()[::2, ::2].reshape(-1, 3)
    caster = RayCaster([mesh_cam])
    near = caster.cast(np.zeros(3), rays)
    on = near.index >= 0
    far_z = 2 * float(mesh_cam.bounds[1, 2])
    back = caster.cast(rays[on] * far_z, -rays[on])  # the last surface of a ray is the first from behind
    z = near.distance[on]
    width = float(np.median(z)) * np.sqrt(4 * on.sum() / (view.K[0, 0] * view.K[1, 1]))
    return float(np.median(far_z - back.distance - z)) / width


def deoccluded(views: Sequence[ObjectView], name: str) -> list[ObjectView]:
    """The views, completed by a registered de-occluder, or as they are."""
    if name == "none":
        return list(views)
    from scenemaker.registry import build as build_backend

    out = build_backend("deocclusion", name).call.deocclude(views, seed=0)
    return [v if isinstance(d, ObjectFailure) else d for d, v in zip(out, views, strict=True)]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--deocclusion", default="none", help="a registered de-occluder, or none")
    parser.add_argument("--points", type=int, default=20480)
    args = parser.parse_args()
    generator = ReliefGenerator()
    rows: list[list[float]] = []
    given = f"--scenes {args.scenes.name} --deocclusion {args.deocclusion} --points {args.points}"
    print(f"python benchmarks/solids.py {given}")
    methods = ("relief", "flat", "ellipsoid")
    print(f"{'object':34s}" + "".join(f"{m:>10s} IoU  CD-O   F-O" for m in methods) + "   T/W  true  faces      s")
    for folder in sorted(p.parent for p in args.scenes.glob("*/scene.json")):
        photo, instances, points, truths = read_scene(folder)
        for view in deoccluded(cut_views(photo, instances, points), args.deocclusion):
            truth = truths[view.id]
            start = time.perf_counter()
            geometry, S_cam_obj = generator.generate_placed(view)
            seconds = time.perf_counter() - start
            ours = geometry.mesh.transformed(S_cam_obj)
            row: list[float] = []
            for mesh in (ours, flat_relief(view), ellipsoid(view)):
                row += [volume_iou(mesh, truth.mesh_cam)]
                row += surface_scores(mesh, truth.mesh_cam, truth.R_cam_obj, args.points)
            row += [thickness_over_width(ours, view), thickness_over_width(truth.mesh_cam, view)]
            row += [len(ours.faces), seconds]
            rows.append(row)
            print(_line(f"{folder.name} {truth.name.split('__')[-1]}", row), flush=True)
    print(_line(f"mean of {len(rows)} objects", np.mean(rows, 0).tolist()))
    print(_line("median", np.median(rows, 0).tolist()))


def _line(name: str, row: Sequence[float]) -> str:
    scores = "".join(f"{row[k]:14.3f}{row[k + 1]:6.3f}{row[k + 2]:6.3f}" for k in (0, 3, 6))
    return f"{name[:34]:34s}{scores}{row[9]:6.2f}{row[10]:6.2f}{row[11]:7.0f}{row[12]:7.3f}"


if __name__ == "__main__":
    main()
