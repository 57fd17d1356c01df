"""What the evaluator passes around: scenes to compare, pairs of them, measures, scores.

Order of an evaluation: ``reading`` makes two ``EvalScene`` of files, ``matching`` and ``alignment`` make a
``ScenePair`` of them, every ``EvalProtocol`` turns it into ``Scores``, ``tables`` sums them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from scenemaker.geometry import transforms
from scenemaker.geometry.cameras import F64
from scenemaker.geometry.mesh import Mesh, sample_surface
from scenemaker.scene import Status

if TYPE_CHECKING:
    from scenemaker.editable import Scene

Alignments = Literal["none", "scale", "rigid", "similarity"]
Better = Literal["higher", "lower"]


@dataclass(frozen=True, eq=False, kw_only=True)
class EvalObject:
    """One object of a scene to evaluate.

    Attributes:
        id: Unique in its scene.
        name: As the file gives it.
        mesh: Its shape, or None where the system failed on it.
        S_frame_obj: (4, 4) that places the mesh in the scene's frame (uniform or per-axis scale), or None.
        label: What it is, when known.
        status: "ok", "flagged" or "skipped".
        visible_fraction: Visible pixels over pixels of the whole object in the picture; None where not known.
        notices: What the user should know of it (empty mesh, NaN vertices).
    """

    id: int
    name: str
    mesh: Mesh | None
    S_frame_obj: F64 | None
    label: str | None = None
    status: Status = "ok"
    visible_fraction: float | None = None
    notices: tuple[str, ...] = ()

    @property
    def placed(self) -> bool:
        """Whether it has a shape and a place."""
        return self.mesh is not None and self.S_frame_obj is not None


@dataclass(frozen=True, eq=False, kw_only=True)
class EvalScene:
    """One scene to evaluate, of a scene folder or of a GLB file.

    Attributes:
        name: For people.
        path: Where it comes from.
        objects: All of them, failed ones too.
        frame: What ``S_frame_obj`` leads to: "cam" of its camera, or the file's own ``world``.
        T_world_frame: (4, 4) from that frame to the scene's ``world`` (y up).
        scene: The scene folder's editable scene (pictures, masks, depth, camera); None for a bare file.
        notices: What the user should know (axes turned, nodes left out, no gravity).
    """

    name: str
    path: Path
    objects: tuple[EvalObject, ...]
    frame: Literal["cam", "world"] = "world"
    T_world_frame: F64 = field(default_factory=lambda: np.eye(4))
    scene: Scene | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Alignment:
    """How a prediction was brought into the ground truth's ``world`` before anything was measured.

    Attributes:
        S_world_pred: (4, 4) ground truth's ``world`` from the prediction's frame.
        kind: "none" when they are taken as they are; else the freedom that was used.
        text: For people, e.g. "same K, scale 1.07 about the camera" or "z up: turned to y up, similarity".
    """

    S_world_pred: F64
    kind: Alignments
    text: str


@dataclass(frozen=True, eq=False, kw_only=True)
class ScenePair:
    """A prediction beside its ground truth, in the ground truth's ``world``.

    Attributes:
        name: Of the scene.
        gt: Ground truth; every object of it has a mesh and a place.
        pred: Prediction.
        partners: For every object of ``gt`` the place of its partner in ``pred.objects``, or None (missing).
        alignment: Of the prediction.
        seed: Of all surface points.
    """

    name: str
    gt: EvalScene
    pred: EvalScene
    partners: tuple[int | None, ...]
    alignment: Alignment
    seed: int = 0

    @cached_property
    def gt_meshes(self) -> tuple[Mesh, ...]:
        """Every ground-truth object, in ``world``."""
        return tuple(placed_mesh(o, self.gt.T_world_frame) for o in self.gt.objects)

    @cached_property
    def pred_meshes(self) -> tuple[Mesh | None, ...]:
        """The partner of every ground-truth object, in ``world``; None where missing or failed."""
        S = self.alignment.S_world_pred
        chosen = [None if k is None else self.pred.objects[k] for k in self.partners]
        return tuple(None if o is None or not o.placed else placed_mesh(o, S) for o in chosen)

    @cached_property
    def extra_meshes(self) -> tuple[Mesh, ...]:
        """Predicted objects without a partner, in ``world``."""
        taken = {k for k in self.partners if k is not None}
        S = self.alignment.S_world_pred
        return tuple(placed_mesh(o, S) for k, o in enumerate(self.pred.objects) if k not in taken and o.placed)

    @cached_property
    def scene_size(self) -> float:
        """Longest side of the box around all ground-truth objects in ``world``."""
        bounds = np.array([m.bounds for m in self.gt_meshes])
        return float((bounds[:, 1].max(0) - bounds[:, 0].min(0)).max())

    def clouds(self, points: int) -> Clouds:
        """Surface points of every object, the same whenever and in whatever order they are asked for."""
        if points not in self._clouds:
            self._clouds[points] = Clouds(
                gt=tuple(_points(m, points, self.seed, i) for i, m in enumerate(self.gt_meshes)),
                pred=tuple(
                    None if m is None else _points(m, points, self.seed + 1, i) for i, m in enumerate(self.pred_meshes)
                ),
                extra=tuple(_points(m, points, self.seed + 2, i) for i, m in enumerate(self.extra_meshes)),
            )
        return self._clouds[points]

    @cached_property
    def _clouds(self) -> dict[int, Clouds]:
        return {}


def placed_mesh(item: EvalObject, S_world_frame: F64) -> Mesh:
    """The mesh of a placed object in ``world``."""
    if item.mesh is None or item.S_frame_obj is None:
        raise ValueError(f"{item.name} has no mesh")  # the callers ask for placed objects only
    return item.mesh.transformed(S_world_frame @ item.S_frame_obj)


def _points(mesh: Mesh, n: int, seed: int, index: int) -> F64:
    number = int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
    return sample_surface(mesh, n, seed=number)[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class Clouds:
    """Surface points of a pair, in the ground truth's ``world``.

    Attributes:
        gt: (p, 3) of every ground-truth object.
        pred: (p, 3) of the partner of each, None where missing.
        extra: (p, 3) of every predicted object without a partner.
    """

    gt: tuple[F64, ...]
    pred: tuple[F64 | None, ...]
    extra: tuple[F64, ...] = ()

    @cached_property
    def scene_gt(self) -> F64:
        """(n p, 3), all objects."""
        return np.concatenate(self.gt)

    @cached_property
    def scene_pred(self) -> F64:
        """(m p, 3), all predicted objects, with and without a partner; (0, 3) where there is none."""
        return np.concatenate([np.zeros((0, 3)), *(p for p in self.pred if p is not None), *self.extra])

    @property
    def matched(self) -> tuple[tuple[int, F64, F64], ...]:
        """(index, predicted points, ground-truth points) of every object that has a partner."""
        both = zip(self.pred, self.gt, strict=True)
        return tuple((i, p, g) for i, (p, g) in enumerate(both) if p is not None)

    def transformed(self, S: F64) -> Clouds:
        """All points moved by a (4, 4) transform."""
        return Clouds(
            gt=tuple(transforms.apply(S, p) for p in self.gt),
            pred=tuple(None if p is None else transforms.apply(S, p) for p in self.pred),
            extra=tuple(transforms.apply(S, p) for p in self.extra),
        )


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One column of a table.

    Attributes:
        key: In JSON, e.g. "cd_s".
        title: In tables, e.g. "CD-S".
        level: Whether there is one value per scene or one per ground-truth object.
        better: Which way is better.
        text: What it is, with its unit, in one sentence.
        missing: What a missing object (or scene) counts as; None: it cannot be counted, and the table tells how many
            are left.
        pool: Whether the mean is over scenes (of the means in each) or over all objects alike.
        digits: After the point.
    """

    key: str
    title: str
    level: Literal["scene", "object"]
    better: Better
    text: str
    missing: float | None = None
    pool: Literal["scenes", "objects"] = "scenes"
    digits: int = 4


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a protocol finds in one pair.

    Attributes:
        scene: Value by key of every measure of level "scene"; None where it cannot be told.
        objects: One entry per ground-truth object, in order: value by key of every measure of level "object";
            None for a missing object.
        notes: What the user should know (a fallback that the protocol itself prescribes, a clamp).
    """

    scene: dict[str, float | None]
    objects: tuple[dict[str, float | None] | None, ...]
    notes: tuple[str, ...] = ()


class EvalProtocol(Protocol):
    """A way to measure. One file each in ``protocols/``; the class's docstring tells it in full, with its source.

    Attributes:
        name: As typed: "midi".
        title: For tables.
        source: Where it is defined: paper, section, equation, or file and line of the public code.
        measures: Columns.
    """

    name: str
    title: str
    source: str
    measures: tuple[Measure, ...]

    def __call__(self, pair: ScenePair) -> Scores:
        """Measures one pair; must not change it. At least one ground-truth object exists; any may miss its partner."""
        ...


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """Mean of those that are not None; None where there is none."""
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None
