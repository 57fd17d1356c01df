"""What stands beside the protocols in every evaluation: picture measures, and scores without ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from scenemaker.evaluation.results import SceneResult
from scenemaker.evaluation.types import Measure, Scores


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
    measures=(
        Measure(
            key="psnr",
            title="PSNR",
            level="scene",
            better="higher",
            digits=2,
            text="of both scenes rendered alike, dB, inside either outline; 100 when equal",
        ),
        Measure(key="ssim", title="SSIM", level="scene", better="higher", text="of the same pictures"),
        Measure(
            key="mask_iou",
            title="Mask IoU",
            level="scene",
            better="higher",
            missing=0.0,
            text="visible part, rendered, against the ground truth's mask; mean over objects",
        ),
        Measure(
            key="amodal_iou",
            title="Amodal mIoU",
            level="scene",
            better="higher",
            missing=0.0,
            text="whole outline, rendered alone, against the ground truth's; mean over objects",
        ),
        Measure(
            key="depth_error",
            title="Depth error",
            level="scene",
            better="lower",
            text="median |z - z_gt| / z_gt where both show the object; mean over objects",
        ),
        Measure(key="lpips", title="LPIPS", level="scene", better="lower", text="AlexNet, v0.1, of the same pictures"),
        Measure(
            key="clip_image", title="CLIP-I", level="scene", better="higher", text="cosine of both rendered pictures"
        ),
    ),
)

SELFCHECK = OwnScores(
    name="selfcheck",
    title="Without ground truth",
    source="scenemaker.evaluation.selfcheck",
    measures=(
        Measure(
            key="mask_iou",
            title="Mask IoU",
            level="scene",
            better="higher",
            missing=0.0,
            text="rendered against visible masks, mean over objects",
        ),
        Measure(
            key="coverage",
            title="Coverage",
            level="scene",
            better="higher",
            missing=0.0,
            text="share of the masks' pixels where the rendering shows an object",
        ),
        Measure(
            key="depth_error",
            title="Depth error",
            level="scene",
            better="lower",
            text="median |z - z_seen| / z_seen, mean over objects",
        ),
        Measure(
            key="supported",
            title="Supported",
            level="scene",
            better="higher",
            missing=0.0,
            text="share of the placed objects that the ground or another object holds, where the ground is known",
        ),
        Measure(
            key="floating",
            title="Floating",
            level="scene",
            better="lower",
            text="gap under the worst object that nothing holds, over its height",
        ),
        Measure(
            key="floating_distance",
            title="Floating distance",
            level="scene",
            better="lower",
            text="largest such gap in scene units",
        ),
        Measure(
            key="penetration",
            title="Penetration",
            level="scene",
            better="lower",
            text="largest overlap of two objects, over the smaller volume",
        ),
        Measure(
            key="penetration_volume",
            title="Penetration volume",
            level="scene",
            better="lower",
            text="of all overlaps together, in cubic scene units",
        ),
    ),
)


def scores_of(result: SceneResult, columns: Columns) -> Scores | None:
    """What a protocol found in a scene; None where it did not measure it."""
    if columns.name == PICTURES.name:
        found = result.images
    elif columns.name == SELFCHECK.name:
        found = result.selfcheck and {**result.selfcheck, "supported": _supported(result.selfcheck)}
    else:
        return result.scores.get(columns.name)
    return None if found is None else Scores(scene={m.key: found.get(m.key) for m in columns.measures}, objects=())


def failure_of(result: SceneResult, columns: Columns) -> str | None:
    """Why a protocol could not measure a scene whose prediction and ground truth could be read."""
    if scores_of(result, columns) is not None:
        return None
    start = f"{columns.name}: "
    return next((n.removeprefix(start) for n in result.notices if n.startswith(start)), None)


def own_columns(results: Iterable[SceneResult]) -> list[OwnScores]:
    """``PICTURES`` and ``SELFCHECK``, as far as any scene has values of them, and whole where they could not be had."""
    results = list(results)
    out = []
    for own in (PICTURES, SELFCHECK):
        found = [s.scene for r in results if (s := scores_of(r, own)) is not None]
        measures = tuple(m for m in own.measures if any(s[m.key] is not None for s in found))
        if measures:
            out.append(replace(own, measures=measures))
        elif any(failure_of(r, own) for r in results):
            out.append(own)
    return out


def _supported(selfcheck: Mapping[str, Any]) -> float | None:
    known = [o for o in selfcheck.get("objects", ()) if o["floating_distance"] is not None]
    return sum(o["support"] is not None for o in known) / len(known) if known else None
