"""Why the protocol matters: the same predictions under all of them, and a perfect prediction in four frames.

    python -m benchmarks.evaluation --scenes SCENES [--only protocols|frames] [--points N]

SCENES holds ground-truth scene folders. The imperfect prediction is the ground truth with every object moved by 2 % of
the scene's size in a random direction, turned by 10 degrees about a random axis, and made larger or smaller by 10 %;
every protocol then scores the same prediction, and the table prints its means over all scenes.

A perfect prediction is the ground truth itself, its surface sampled anew. Both sides are given in the frame of the
row; with an alignment that works the frame cannot matter.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from scenemaker.evaluation.protocols import PROTOCOLS, protocol
from scenemaker.evaluation.protocols.midi import Midi
from scenemaker.evaluation.reading import read_scene, scenes_in
from scenemaker.evaluation.tables import number
from scenemaker.evaluation.types import Alignment, EvalScene, ScenePair, Scores, mean_or_none
from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64

SHIFT, TURN_DEG, GROW = 0.02, 10.0, 1.10


def paired(gt: EvalScene, pred: EvalScene, S_world_frame: F64) -> ScenePair:
    """A prediction with its objects in the ground truth's order and frame, both put into the frame of a table's row."""
    alignment = Alignment(S_world_pred=S_world_frame, kind="none", text="same frame")
    partners = tuple(range(len(gt.objects)))
    return ScenePair(
        name=gt.name, gt=replace(gt, T_world_frame=S_world_frame), pred=pred, partners=partners, alignment=alignment
    )


def imperfect(gt: EvalScene, rng: np.random.Generator, size: float) -> EvalScene:
    """Every object moved, turned about its own centre, and scaled."""
    objects = []
    for item in gt.objects:
        S = np.asarray(item.S_frame_obj)
        way, axis = transforms.unit(rng.standard_normal(3)), rng.standard_normal(3)
        turn = transforms.axis_angle(axis, np.radians(TURN_DEG)) * GROW ** rng.choice([-1, 1])
        moved = S.copy()
        moved[:3, :3] = turn @ S[:3, :3]
        moved[:3, 3] += SHIFT * size * way
        objects.append(replace(item, S_frame_obj=moved))
    return replace(gt, objects=tuple(objects))


def under_every_protocol(scenes: Sequence[EvalScene], points: int | None) -> None:
    """A perfect and an imperfect prediction per scene, scored by all protocols."""
    rng = np.random.default_rng(0)
    perfect = [paired(gt, gt, gt.T_world_frame) for gt in scenes]
    worse = [paired(gt, imperfect(gt, rng, p.scene_size), gt.T_world_frame) for gt, p in zip(scenes, perfect)]
    made = f"objects moved by {SHIFT:.0%} of the scene, turned by {TURN_DEG:.0f} degrees, size x {GROW} or 1/{GROW}"
    print(f"{len(scenes)} scenes; imperfect: {made}")
    print("| protocol | measure | perfect | imperfect | s per scene |\n|---|---|---|---|---|")
    for name in PROTOCOLS:
        instance = protocol(name) if points is None else protocol(name, points=points)
        start = time.perf_counter()
        found = [[instance(pair) for pair in pairs] for pairs in (perfect, worse)]
        told = f"{(time.perf_counter() - start) / (2 * len(scenes)):.1f}"
        label = f"`{instance.name}`"
        for m in instance.measures:
            cells = [number(mean_of(f, m.key), m) for f in found]
            print(f"| {label} | {m.title} | {' | '.join(cells)} | {told} |", flush=True)
            label = told = ""


def mean_of(found: Sequence[Scores], key: str) -> float | None:
    """Mean over scenes of a measure."""
    per_scene = [
        s.scene[key] if key in s.scene else mean_or_none([None if o is None else o.get(key) for o in s.objects])
        for s in found
    ]
    return mean_or_none(per_scene)


def in_four_frames(scenes: Sequence[EvalScene], points: int | None) -> None:
    """Prediction = ground truth, in its world, turned by 30 degrees, in the camera's frame, and tumbled."""
    rng = np.random.default_rng(1)
    tumble = transforms.axis_angle(rng.standard_normal(3), np.radians(75))
    frames = {
        "world axes": np.eye(3),
        "yaw 30 degrees": transforms.axis_angle([0, 1, 0], np.radians(30)),
        "camera of the photo": None,
        "tumbled by 75 degrees": tumble,
    }
    print(f"{len(scenes)} scenes, prediction = ground truth sampled anew: CD-S / F-S@0.1")
    print("| both given in | without ICP | published ICP | corrected ICP |\n|---|---|---|---|")
    given = {} if points is None else {"points": points}
    protocols = [None, protocol("midi-published", **given), protocol("midi", **given)]
    for text, R in frames.items():
        cells = []
        for instance in protocols:
            found = []
            for gt in scenes:
                S = np.eye(4) if R is None else transforms.rigid(R, np.zeros(3)) @ gt.T_world_frame
                found.append(unaligned(paired(gt, gt, S), points) if instance is None else instance(paired(gt, gt, S)))
            cells.append(f"{mean_of(found, 'cd_s'):.5f} / {mean_of(found, 'f_s'):.3f}")
        print(f"| {text} | {' | '.join(cells)} |", flush=True)


def unaligned(pair: ScenePair, points: int | None) -> Scores:
    """CD-S and F-S of `midi` without its ICP."""
    from scenemaker.evaluation.measures.points import chamfer_squared, fscore, nearest_distances
    from scenemaker.evaluation.protocols.midi import S_unit_world

    clouds = pair.clouds(points or Midi().points).transformed(S_unit_world(pair))
    near = nearest_distances(clouds.scene_pred, clouds.scene_gt)
    return Scores(scene={"cd_s": chamfer_squared(near), "f_s": fscore(near, 0.1)}, objects=())


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--only", choices=("protocols", "frames"))
    parser.add_argument("--points", type=int)
    args = parser.parse_args()
    scenes = [read_scene(path, name) for name, path in scenes_in(args.scenes).items()]
    if args.only != "frames":
        under_every_protocol(scenes, args.points)
    if args.only != "protocols":
        in_four_frames(scenes, args.points)


if __name__ == "__main__":
    main()
