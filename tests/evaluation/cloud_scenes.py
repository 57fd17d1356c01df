"""Scenes given as clouds: seeded, so that public code could be run on the very same points."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scenemaker.evaluation.types import Alignment, Clouds, EvalObject, EvalScene, ScenePair
from scenemaker.geometry import transforms
from scenemaker.geometry.mesh import Mesh

YAW = transforms.axis_angle([0, 1, 0], np.radians(30))
FRAMES = {
    "aligned": np.eye(3),
    "yaw": YAW,
    "oblique": transforms.axis_angle([1, 0, 0], np.radians(25)) @ YAW,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class CloudPair(ScenePair):
    """A pair whose surface points are given; its meshes have no more than the right boxes."""

    given: Clouds = field(default_factory=lambda: Clouds(gt=(), pred=()))

    def clouds(self, points: int) -> Clouds:
        return self.given


def pair_of(pred, gt, extra=()) -> CloudPair:
    """A pair of lists of clouds (n, 3); None in ``pred`` is a missing object."""
    there = [p for p in pred if p is not None]
    partners, k = [], 0
    for p in pred:
        partners.append(None if p is None else k)
        k += p is not None
    return CloudPair(
        name="scene",
        gt=EvalScene(name="gt", path=Path("gt"), objects=_objects(gt)),
        pred=EvalScene(name="pred", path=Path("pred"), objects=_objects([*there, *extra])),
        partners=tuple(partners),
        alignment=Alignment(S_world_pred=np.eye(4), kind="none", text=""),
        given=Clouds(gt=tuple(gt), pred=tuple(pred), extra=tuple(extra)),
    )


def _objects(clouds) -> tuple[EvalObject, ...]:
    meshes = [Mesh(vertices=np.stack([c.min(0), c.max(0), c[0]]), faces=np.array([[0, 1, 2]])) for c in clouds]
    return tuple(EvalObject(id=i, name=str(i), mesh=m, S_frame_obj=np.eye(4)) for i, m in enumerate(meshes))


def lopsided(rng, sides, points=1000):
    """(points, 3) on a box with a smaller box on one of its corners."""
    p = rng.uniform(-0.5, 0.5, (points, 3))
    axis = rng.integers(0, 3, points)
    p[np.arange(points), axis] = np.sign(rng.uniform(-1, 1, points)) * 0.5
    p = p * sides
    small = rng.random(points) < 0.25
    p[small] = p[small] * [0.2, 0.3, 0.2] + sides * [0.4, 0.6, 0.3]
    return p


def scene(seed, frame="aligned", *, error=True, objects=4, points=1000):
    """Predicted and true clouds, a list each; with an error of some degrees and percent, or only sampled anew."""
    rng = np.random.default_rng(seed)
    R = FRAMES[frame]
    pred, gt = [], []
    for i in range(objects):
        sides = rng.uniform(0.2, 1, 3)
        yaw = transforms.axis_angle([0, 1, 0], rng.uniform(0, 6))
        S = transforms.similarity(R @ yaw, R @ [i % 2 - 0.5, 0, i // 2 - 0.5], rng.uniform(0.3, 0.6))
        turn = transforms.axis_angle(rng.normal(size=3), np.radians(6))
        off = transforms.similarity(turn, rng.normal(size=3) * 0.03, rng.uniform(0.95, 1.05))
        gt.append(transforms.apply(S, lopsided(rng, sides, points)))
        pred.append(transforms.apply(off @ S if error else S, lopsided(rng, sides, points)))
    return pred, gt


def means(scores) -> dict[str, float]:
    """Every measure of a scene; those of objects as means over the objects."""
    return {**scores.scene, **{k: float(np.mean([o[k] for o in scores.objects])) for k in scores.objects[0]}}
