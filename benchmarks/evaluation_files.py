"""Are files of other systems brought home? Scenes in other axes and scales, with an object too many or few.

    python -m benchmarks.evaluation_files --scenes SCENES

SCENES holds ground-truth scene folders. Every scene is written as GLB files without a camera or names that tell: with
y, z, x or -z up or in the camera's axes, at a random yaw, place and scale of 0.1 to 10, its objects shuffled, and y up
with an object missing and with one too many. Each is paired with its folder again. Home: the mean distance of the
vertices from where they are in the ground truth is below 1 % of the scene.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import trimesh

from scenemaker.evaluation.pairing import make_pair
from scenemaker.evaluation.reading import read_scene, scenes_in
from scenemaker.evaluation.types import EvalScene, placed_mesh
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64

CASES = ("y up", "z up", "x up", "-z up", "camera axes", "one missing", "one too many")
UP = {  # turns the y axis to the axis that is up
    "z up": transforms.axis_angle([1, 0, 0], np.pi / 2),
    "x up": transforms.axis_angle([0, 0, 1], -np.pi / 2),
    "-z up": transforms.axis_angle([1, 0, 0], -np.pi / 2),
}


def written(gt: EvalScene, case: str, path: Path, rng: np.random.Generator) -> tuple[list[int], F64]:
    """Writes one file; gives the ground-truth object of each of its nodes (-1: none) and S_file_world (4, 4)."""
    turn = transforms.axis_angle([0, 1, 0], rng.uniform(0, 2 * np.pi))
    if case == "camera axes":
        turn = gt.T_world_frame[:3, :3].T
    elif case in UP:
        turn = UP[case] @ turn
    S_file_world = transforms.similarity(turn, rng.normal(size=3), 10 ** rng.uniform(-1, 1))
    order = [int(i) for i in rng.permutation(len(gt.objects))][case == "one missing" :]
    meshes = [placed_mesh(gt.objects[i], gt.T_world_frame) for i in order]
    if case == "one too many":
        shift = transforms.rigid(np.eye(3), rng.normal(size=3))
        meshes, order = [*meshes, meshes[0].transformed(shift)], [*order, -1]
    scene = trimesh.Scene()
    for n, mesh in enumerate(meshes):
        moved = mesh.transformed(S_file_world)
        scene.add_geometry(trimesh.Trimesh(moved.vertices, moved.faces, process=False), node_name=f"geometry_{n}")
    scene.export(path)
    return order, S_file_world


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True)
    args = parser.parse_args()
    rng, home, right, lost = np.random.default_rng(0), dict.fromkeys(CASES, 0), dict.fromkeys(CASES, 0), []
    scenes = scenes_in(args.scenes)
    with tempfile.TemporaryDirectory() as folder:
        for name, source in scenes.items():
            gt = read_scene(source, name)
            for case in CASES:
                path = Path(folder) / "scene.glb"
                order, S_file_world = written(gt, case, path, rng)
                pair = make_pair(gt, read_scene(path))
                S = pair.alignment.S_world_pred @ S_file_world  # the identity, when it is brought home
                points = np.concatenate([m.vertices for m in pair.gt_meshes])
                error = float(np.linalg.norm(transforms.apply(S, points) - points, axis=1).mean()) / pair.scene_size
                home[case] += error < 0.01
                lost += [] if error < 0.01 else [f"{name} ({case}, {len(gt.objects)} objects)"]
                wanted = [order.index(i) if i in order else None for i in range(len(gt.objects))]
                right[case] += list(pair.partners) == wanted
    print(f"# python -m benchmarks.evaluation_files --scenes SCENES ({len(scenes)} scenes)")
    print("| file | home | every partner right |\n|---|---|---|")
    for case in CASES:
        print(f"| {case} | {home[case]} of {len(scenes)} | {right[case]} of {len(scenes)} |")
    print(f"not home: {', '.join(lost) or 'none'}")


if __name__ == "__main__":
    main()
