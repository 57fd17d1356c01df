"""Fits the constants of the far side of ``relief`` on renderings of training meshes.

    python benchmarks/solids_fit.py --meshes DIR [--count 240] [--rounds 2]

Each mesh stands upright on the ground at a random yaw; two cameras look down on it by 8 to 48 degrees. What is
maximised is the mean volume IoU, along the rays of the view, of the space between front and back with the true solid
(``occupancy`` of ``solids.py``): one constant of ``Prior`` after the other is moved up and down while that helps.
Prints the mean before and after, on the views it fits on and on every fifth mesh, which it does not see.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from solids import occupancy, read_mesh

from scenemaker.generation.back import PRIOR, Prior, far_side
from scenemaker.generation.front import Front, read_front
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64, Camera, K_from_fov, project
from scenemaker.geometry.mesh import Mesh
from scenemaker.geometry.raycast import RayCaster
from scenemaker.scene import Bool, ObjectView

CROP_PX, DEPTHS, CELLS = 160, 64, 48
FITTED = ("gain", "pillow_power", "column_power", "column_floor", "bulge", "flat_gain", "compact_fill")


@dataclass(frozen=True, eq=False, kw_only=True)
class Example:
    """A front, and the truth (n, DEPTHS) at depths tau (DEPTHS,) behind its nodes, every ``step``-th."""

    front: Front
    step: int
    truth: Bool
    tau: F64


def random_view(mesh: Mesh, rng: np.random.Generator) -> tuple[ObjectView, F64] | None:
    """A view of the mesh and its S_cam_obj; None where the camera is too near or sees next to nothing."""
    fov_deg, pitch = rng.uniform(30, 60), np.radians(rng.uniform(8, 48))
    K = K_from_fov(fov_deg, 640, 480)
    up = np.array([0, -np.cos(pitch), -np.sin(pitch)])
    R = transforms.R_cam_world_from_up(up) @ transforms.axis_angle([0, 1, 0], rng.uniform(0, 2 * np.pi))
    distance = rng.uniform(1.4, 3.1)
    S = transforms.similarity(R, np.array([*rng.uniform(-0.2, 0.2, 2) * distance, distance]))
    placed = transforms.apply(S, mesh.vertices)
    if placed[:, 2].min() < 0.1:
        return None
    px = project(K, placed)
    lo, hi = np.floor(px.min(0)) - 6, np.ceil(px.max(0)) + 6
    scale = min(1.0, CROP_PX / float((hi - lo).max()))
    w, h = ((hi - lo) * scale).astype(int) + 1
    camera = Camera(
        K=np.array([[scale, 0, -scale * lo[0]], [0, scale, -scale * lo[1]], [0, 0, 1]]) @ K, width=w, height=h
    )
    seen = RayCaster([mesh], [S]).render(camera)
    mask = seen.index >= 0
    if mask.sum() < 150:
        return None
    view = ObjectView(
        id=1,
        rgba=np.dstack([seen.rgb, mask * np.uint8(255)]),
        mask_modal=mask,
        mask_hidden=np.zeros_like(mask),
        origin_px=(float(lo[0]), float(lo[1])),
        scale=scale,
        K_photo=K,
        points_cam=(camera.rays_cam() * seen.depth[..., None]).astype(np.float32),
        up_cam=up,
        ground_cam=np.array([*up, -(placed @ up).min()]),
    )
    return view, S


def example(view: ObjectView, S_cam_obj: F64, solid: Bool, lo: F64, hi: F64) -> Example:
    """The truth at samples along the rays of a view; ``solid`` (n, n, n) fills the mesh's box lo..hi."""
    front = read_front(view)
    step = -(-max(front.inside.shape) // 40)
    sub = (slice(None, None, step),) * 2
    tau = (np.arange(DEPTHS) + 0.5) / DEPTHS * 2 * front.size
    z = front.z[sub][front.inside[sub]][:, None] + tau
    points = front.rays[sub][front.inside[sub]][:, None] * z[..., None]
    cell = np.floor((transforms.apply(transforms.invert(S_cam_obj), points) - lo) / (hi - lo) * len(solid)).astype(int)
    within = ((cell >= 0) & (cell < len(solid))).all(-1)
    i, j, k = np.moveaxis(cell.clip(0, len(solid) - 1), -1, 0)
    return Example(front=front, step=step, truth=solid[i, j, k] & within, tau=tau)


def iou(e: Example, prior: Prior) -> float:
    """Volume IoU along the rays of one example."""
    sub = (slice(None, None, e.step),) * 2
    inside = e.front.inside[sub]
    z = e.front.z[sub][inside]
    thickness = far_side(e.front, prior=prior)[0][sub][inside] - z
    ours = e.tau < thickness[:, None]
    weight = (z[:, None] + e.tau) ** 2  # a ray's cross-section grows with the square of z
    return float((weight * (ours & e.truth)).sum() / max((weight * (ours | e.truth)).sum(), 1e-12))


def mean_iou(examples: Sequence[Example], prior: Prior) -> float:
    """Mean over examples."""
    return float(np.mean([iou(e, prior) for e in examples]))


def fit(examples: Sequence[Example], prior: Prior, rounds: int) -> Prior:
    """Coordinate ascent in steps of 20 and 8 per cent."""
    best = mean_iou(examples, prior)
    for factor in (1.2, 1.08)[:rounds]:
        for name in FITTED:
            for ratio in (factor, 1 / factor):
                while True:
                    moved = replace(prior, **{name: round(getattr(prior, name) * ratio, 4)})
                    score = mean_iou(examples, moved)
                    if score <= best + 1e-4:
                        break
                    prior, best = moved, score
                    print(f"  {name:14s} {getattr(prior, name):7.4f}  IoU {best:.4f}", flush=True)
    return prior


def main() -> None:
    """Prints the constants found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meshes", type=Path, required=True)
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    files = sorted(args.meshes.glob("*.glb"))
    seen: list[Example] = []
    held_out: list[Example] = []
    for n, k in enumerate(rng.permutation(len(files))[: args.count]):
        mesh = read_mesh(files[k])
        lo, hi = mesh.bounds[0] - 1e-6, mesh.bounds[1] + 1e-6
        solid = occupancy(mesh, lo, hi, CELLS)
        for _ in range(2):
            if (found := random_view(mesh, rng)) is not None:
                one = example(*found, solid, lo, hi)
                if one.truth.any():
                    (held_out if n % 5 == 0 else seen).append(one)
    print(f"{len(seen)} views, {len(held_out)} held out")
    print(f"before: IoU {mean_iou(seen, PRIOR):.4f}, held out {mean_iou(held_out, PRIOR):.4f}")
    prior = fit(seen, PRIOR, args.rounds)
    print(f"after:  IoU {mean_iou(seen, prior):.4f}, held out {mean_iou(held_out, prior):.4f}\n{prior}")


if __name__ == "__main__":
    main()
