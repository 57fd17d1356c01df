"""What the layout protocol reads of true objects that are turned and baked, i.e. whose frames tell nothing.

    python benchmarks/evaluation_baked.py --scenes DIR [--shuffled] [--noise 0.01]

Every object of every scene folder below DIR is turned about the centre of its box, about a random axis, and written
with its vertices in ``world``. Prints by angle how far the rotation that is read lies from the one put in, up to the
symmetries of the object, and the worst ones by name. ``--shuffled`` reorders the faces, so that other points of the
surface are drawn; ``--noise`` moves every vertex, by so much of the longest side (standard deviation along each axis).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from scenemaker.evaluation.measures.symmetry import rotation_error_deg, turns
from scenemaker.evaluation.measures.symmetry_search import symmetries_of
from scenemaker.evaluation.protocols.layout import Layout
from scenemaker.evaluation.reading import read_scene
from scenemaker.evaluation.types import Alignment, EvalObject, EvalScene, ScenePair, placed_mesh
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh

ANGLES_DEG = (0, 5, 20, 45, 90, 150)


def baked(mesh: Mesh, R: np.ndarray, rng: np.random.Generator, *, shuffled: bool, noise: float) -> Mesh:
    """The mesh turned by R about the centre of its box."""
    centre = mesh.bounds.mean(0)
    turned = mesh.transformed(transforms.rigid(R, centre - R @ centre))
    moved = turned.vertices + noise * mesh.extents.max() * rng.normal(size=turned.vertices.shape)
    faces = rng.permutation(turned.faces) if shuffled else turned.faces
    return Mesh(vertices=moved if noise else turned.vertices, faces=faces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--shuffled", action="store_true")
    parser.add_argument("--noise", type=float, default=0.0)
    options = parser.parse_args()
    rows: list[tuple[float, float, float, str]] = []
    seconds = []
    for number, path in enumerate(sorted(p.parent for p in options.scenes.glob("*/scene.json"))):
        gt = read_scene(path)
        for i, item in enumerate(gt.objects):
            rng = np.random.default_rng([number, i])
            there = placed_mesh(item, gt.T_world_frame)
            U, _, Vt = np.linalg.svd((gt.T_world_frame @ item.S_frame_obj)[:3, :3])
            for angle_deg in ANGLES_DEG:
                R = turns(transforms.unit(rng.normal(size=3)), np.radians(angle_deg))
                mesh = baked(there, R, rng, shuffled=options.shuffled, noise=options.noise)
                pair = ScenePair(
                    name=gt.name,
                    gt=replace(gt, objects=(item,)),
                    pred=EvalScene(
                        name="baked",
                        path=path,
                        objects=(EvalObject(id=1, name=item.name, mesh=mesh, S_frame_obj=np.eye(4)),),
                    ),
                    partners=(0,),
                    alignment=Alignment(S_world_pred=np.eye(4), kind="none", text=""),
                )
                started = time.process_time()
                read = (Layout()(pair).objects[0] or {})["rotation_deg"]
                seconds.append(time.process_time() - started)
                expected = rotation_error_deg(R @ U @ Vt, U @ Vt, symmetries_of(item.mesh))
                rows.append((angle_deg, expected, read, f"{path.name}/{item.name}"))
    for angle_deg in (*ANGLES_DEG, None):
        off = np.array([read - expected for a, expected, read, _ in rows if angle_deg in (None, a)])
        median, most, worst = np.median(np.abs(off)), np.percentile(np.abs(off), 95), np.abs(off).max()
        turn = "all" if angle_deg is None else f"{angle_deg} deg"
        low = f"{(off < -3).sum()} of {len(off)} more than 3 too low"
        print(f"{turn:8s} off by {median:.3f} (median), {most:.2f} (95 %), {worst:.2f} (most); {low}")
    for angle_deg, expected, read, name in sorted(rows, key=lambda row: -abs(row[2] - row[1]))[:10]:
        print(f"  {name}: {angle_deg} put in, {expected:.2f} up to symmetries, {read:.2f} read")
    print(f"{np.mean(seconds):.3f} s per object")


if __name__ == "__main__":
    main()
