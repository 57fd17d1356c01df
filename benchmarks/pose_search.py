"""Search and refinement of sampled poses, on scenes with ground truth: no network, samples are made from the truth.

    python -m benchmarks.pose_search --scenes SCENES [--disturb none noise no-points hidden-60 ...] [--mesh warped]

SCENES holds scene folders. Of every object there are K = 8 hypotheses: one is the truth turned by 5 to 10 degrees,
moved by 5 % of the size and up to 5 % larger or smaller, seven have random rotations and are fitted to the picture
(``place_known_rotation``). `right` is the share of objects of which the one near the truth is chosen, by score alone
and after the best three were moved; `as good` also counts others that end within 1 % of the size of it (symmetric
objects) by the mean distance of surface points to the true surface. Errors are those of the one near the truth, alone,
before and after refinement: rotation (plain angle: a ball counts as wrong), translation and size in % of the size, and
the mean shift of surface points in %. Milliseconds are of one object on one core. ``--mesh warped`` stretches every
mesh by up to 10 % along each axis, as generated ones are never exact; errors then hold those of the unknown best pose.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from benchmarks.pose_fit import DISTURB
from scenemaker.deocclusion.views import cut_views
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.pose.dit.evidence import evidence_of
from scenemaker.pose.dit.refine import gates_of, refine
from scenemaker.pose.dit.search import rank
from scenemaker.pose.known_rotation import place_known_rotation
from scenemaker.pose.target import Placement
from scenemaker.scene import Instance, Instances, ObjectView, Photo, PointMap

K_SAMPLES = 8
KINDS = ("none", "noise", "no-points", "hidden-40", "hidden-60")

Object = tuple[ObjectView, Instances, PointMap, Mesh, Placement]


def objects(scenes: Path, disturb: str, warped: bool) -> Iterator[Object]:
    """Every visible object of every scene: what is seen of it, its mesh and its true pose."""
    for folder in sorted(p.parent for p in scenes.glob("*/scene.json")):
        scene = json.loads((folder / "scene.json").read_text())
        labels = np.asarray(Image.open(folder / "labels.png")).astype(np.uint16)
        seen = [i for i in range(1, 1 + len(scene["objects"])) if (labels == i).any()]
        K = np.array(scene["K"])
        photo = Photo(rgb=np.asarray(Image.open(folder / "rgb.png").convert("RGB")), K=K)
        instances = Instances(labels=labels, items=tuple(Instance(id=i, name=str(i)) for i in seen))
        points = PointMap.from_depth(np.load(folder / "depth.npy"), K, up_cam=np.array(scene["up_cam"]))
        given, points = DISTURB[disturb](instances, points)
        for view in cut_views(photo, given, points):
            if view.id not in seen:
                continue
            truth = scene["objects"][view.id - 1]
            loaded = trimesh.load(folder / truth["mesh"], force="mesh", process=False)
            stretch = np.random.default_rng(view.id).uniform(0.9, 1.1, 3) if warped else np.ones(3)
            mesh = Mesh(vertices=np.asarray(loaded.vertices) * stretch, faces=np.asarray(loaded.faces))
            R, t = np.array(truth["R_cam_obj"]), np.array(truth["t_cam_obj"])
            yield view, given, points, mesh, Placement(R=R, s=truth["scale"], t=t)


def near(truth: Placement, rng: np.random.Generator) -> Placement:
    """A pose that a network might find."""
    turn = transforms.axis_angle(rng.standard_normal(3), np.radians(rng.uniform(5, 10)))
    shift = 0.05 * truth.s * transforms.unit(rng.standard_normal(3))
    return Placement(R=turn @ truth.R, s=truth.s * float(np.exp(rng.uniform(-0.05, 0.05))), t=truth.t + shift)


def errors(place: Placement, truth: Placement, surface: np.ndarray) -> tuple[float, ...]:
    """Rotation in degrees; translation, size and mean shift of surface points in % of the size."""
    shift = transforms.apply(place.S, surface) - transforms.apply(truth.S, surface)
    return (
        transforms.rotation_angle_deg(place.R, truth.R),
        100 * float(np.linalg.norm(place.t - truth.t)) / truth.s,
        100 * abs(float(np.log(place.s / truth.s))),
        100 * float(np.linalg.norm(shift, axis=1).mean()) / truth.s,
    )


def on_object(found: Object, rng: np.random.Generator, resolution_px: int) -> dict[str, np.ndarray | float]:
    """All numbers of one object."""
    view, instances, points, mesh, truth = found
    start = time.process_time()
    evidence = evidence_of(view, instances, points, mesh, resolution_px=resolution_px)
    ms_evidence = 1e3 * (time.process_time() - start)

    right, place = int(rng.integers(K_SAMPLES)), near(truth, rng)
    samples = [
        place_known_rotation(mesh, Rotation.random(rng=rng).as_matrix(), evidence.prober, evidence.coarse, view)[0]
        for _ in range(K_SAMPLES - 1)
    ]
    samples.insert(right, place)
    start = time.process_time()
    ranked = rank(evidence, samples)
    ms_rank = 1e3 * (time.process_time() - start)
    start = time.process_time()
    chosen = refine(evidence, ranked, gates_of(evidence))
    ms_refine = 1e3 * (time.process_time() - start)
    alone = rank(evidence, [place])
    moved = refine(evidence, alone, gates_of(evidence))

    surface = sample_surface(mesh, 1000, seed=1)[0]
    true = KDTree(transforms.apply(truth.S, sample_surface(mesh, 4000)[0]))

    def off(p: Placement) -> float:
        return float(true.query(transforms.apply(p.S, surface))[0].mean()) / truth.s

    return {
        "right by score": ranked[0].sample == right,
        "as good by score": ranked[0].sample == right or off(ranked[0].placement) <= off(place) + 0.01,
        "right": chosen.sample == right,
        "as good": chosen.sample == right or off(chosen.placement) <= off(moved.placement) + 0.01,
        "worse score": moved.agreement.score < alone[0].agreement.score,
        "before": np.array(errors(place, truth, surface)),
        "after": np.array(errors(moved.placement, truth, surface)),
        "ms": np.array([ms_evidence, ms_rank, ms_refine]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True, help="folder of scene folders")
    parser.add_argument("--disturb", nargs="+", choices=DISTURB, default=list(KINDS))
    parser.add_argument("--resolution", type=int, default=80, help="rays along the longer side of a box")
    parser.add_argument("--mesh", choices=["exact", "warped"], default="exact")
    args = parser.parse_args()
    for kind in args.disturb:
        rng = np.random.default_rng(0)
        found = objects(args.scenes, kind, args.mesh == "warped")
        rows = [on_object(one, rng, args.resolution) for one in found]
        share = {
            name: np.mean([row[name] for row in rows]) for name in rows[0] if name not in ("before", "after", "ms")
        }
        print(f"{kind}, {args.mesh} meshes, {len(rows)} objects")
        print("  chosen of 8: " + ", ".join(f"{name} {value:.3f}" for name, value in share.items()))
        for name in ("before", "after"):
            values = np.stack([row[name] for row in rows])
            parts = zip(("rotation_deg", "translation_%", "size_%", "shift_%"), values.T, strict=True)
            text = "  ".join(f"{part} {np.median(v):5.2f} / {np.percentile(v, 90):5.2f}" for part, v in parts)
            print(f"  {name:<7} (median / 90 %) {text}")
        ms = np.median(np.stack([row["ms"] for row in rows]), 0)
        print(
            f"  ms per object: evidence {ms[0]:.1f}, scores of 8 {ms[1]:.1f}, refinement of 3 {ms[2]:.0f}", flush=True
        )


if __name__ == "__main__":
    main()
