"""What stands beside the protocols in every evaluation: picture measures, and scores without ground truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.types import Measure, Scores
from scenemaker.evaluation.unsupervised import PICTURE_MEASURES


class Columns(Protocol):
    """What names, defines and lists measures: an ``EvalProtocol``, or ``OwnScores``."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def measures(self) -> tuple[Measure, ...]: ...


@dataclass(frozen=True, kw_only=True)
class OwnScores:
    """Measures of this library that every evaluation takes along, beside the protocols."""

    name: str
    title: str
    source: str
    measures: tuple[Measure, ...]


PICTURES = OwnScores(
    name="pictures",
    title="Pictures from the ground truth's camera",
    source="scenemaker.evaluation.unsupervised.picture_scores",
    measures=tuple(
        Measure(
            key=key,
            title=title[:1].upper() + title[1:],
            level="scene",
            better="higher" if better == "higher" else "lower",
            text=text,
            missing=0.0 if key.endswith("iou") else None,
            digits=2 if key == "psnr" else 4,
        )
        for key, (title, better, text) in PICTURE_MEASURES.items()
    ),
)

_OWN = (
    ("mask_iou", "Mask IoU", "higher", 0.0, "rendered against visible masks, mean over objects"),
    ("coverage", "Coverage", "higher", 0.0, "share of the masks' pixels where the rendering shows an object"),
    ("depth_error", "Depth error", "lower", None, "median |z - z_seen| / z_seen, mean over objects"),
    ("floating", "Floating", "lower", None, "gap under the worst object that nothing holds, over its height"),
    ("penetration", "Penetration", "lower", None, "largest overlap of two objects, over the smaller volume"),
)
SELFCHECK = OwnScores(
    name="selfcheck",
    title="Without ground truth",
    source="scenemaker.evaluation.selfcheck",
    measures=tuple(
        Measure(key=k, title=t, level="scene", better="higher" if b == "higher" else "lower", missing=m, text=x)
        for k, t, b, m, x in _OWN
    ),
)


def scores_of(result: SceneResult, columns: Columns) -> Scores | None:
    """What a protocol found in a scene; None where it did not measure it."""
    own = {PICTURES.name: result.images, SELFCHECK.name: result.selfcheck}
    if columns.name not in own:
        return result.scores.get(columns.name)
    found = own[columns.name]
    return None if found is None else Scores(scene={m.key: found.get(m.key) for m in columns.measures}, objects=())


def own_columns(results: Iterable[SceneResult]) -> list[OwnScores]:
    """``PICTURES`` and ``SELFCHECK``, as far as any scene has values of them."""
    results = list(results)
    out = []
    for own in (PICTURES, SELFCHECK):
        found = [s.scene for r in results if (s := scores_of(r, own)) is not None]
        measures = tuple(m for m in own.measures if any(s[m.key] is not None for s in found))
        out += [replace(own, measures=measures)] if measures else []
    return out
