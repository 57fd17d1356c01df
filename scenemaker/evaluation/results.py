"""What is kept of every evaluated scene: plain values, as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from scenemaker.evaluation.types import Scores

State = Literal["ok", "missing", "failed", "unusable"]


@dataclass(frozen=True, kw_only=True)
class ObjectRow:
    """One ground-truth object: ``partner`` is the name of the predicted object that stands for it, None if missing."""

    id: int
    name: str
    partner: str | None
    visible_fraction: float | None
    status: str
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SceneResult:
    """One scene.

    Attributes:
        name: Of the scene, unique.
        gt: Path of the ground truth; "" when a prediction was scored without one.
        pred: Path of the prediction, None when there is none.
        state: "missing" (no prediction) and "failed" (unreadable, see ``error``) count as all objects missing;
            "unusable" is a ground truth that cannot be read, for which no prediction is to blame: in no mean.
        error: Why it failed.
        alignment: How the prediction was brought into the ground truth's frame, for people.
        objects: Of the ground truth.
        extra: Names of predicted objects without a partner.
        scores: Of every protocol, by name.
        selfcheck: Scores that need no ground truth (``SceneScores.to_dict``), where the prediction is a scene folder.
        images: Picture measures by name, where both are scene folders.
        notices: What the user should know.
        seconds: Time it took.
    """

    name: str
    gt: str
    pred: str | None
    state: State
    error: str | None = None
    alignment: str = ""
    objects: tuple[ObjectRow, ...] = ()
    extra: tuple[str, ...] = ()
    scores: dict[str, Scores] = field(default_factory=dict)
    selfcheck: dict[str, Any] | None = None
    images: dict[str, float | None] | None = None
    notices: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SceneResult:
        """The result of ``to_dict``."""
        objects = tuple(ObjectRow(**{**o, "notices": tuple(o["notices"])}) for o in data["objects"])
        scores = {
            name: Scores(scene=s["scene"], objects=tuple(s["objects"]), notes=tuple(s["notes"]))
            for name, s in data["scores"].items()
        }
        rest = {key: tuple(data[key]) for key in ("extra", "notices")}
        return cls(**{**data, **rest, "objects": objects, "scores": scores})
