"""Evaluates one scene or thousands: in parallel, resumable, nothing dropped.

Every finished scene is kept as ``OUT/scenes/NAME.json`` under a key of everything that changes it (the files of both
sides, the settings), so that a run that was killed, or one with more scenes, computes only what is new.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from scenemaker.cache import locked, output_errors, sweep
from scenemaker.errors import InputError, SceneMakerError, expected
from scenemaker.evaluation.judges import Judges, load_judges
from scenemaker.evaluation.kept import keep_result, kept_result, key_of
from scenemaker.evaluation.pairing import check_ground_truth, make_pair
from scenemaker.evaluation.protocols import PROTOCOLS, protocol
from scenemaker.evaluation.reading import pair_scenes, read_scene, scenes_in
from scenemaker.evaluation.results import ObjectRow, SceneResult, State
from scenemaker.evaluation.types import EvalObject, EvalProtocol, ScenePair
from scenemaker.evaluation.unsupervised import picture_scores, score_scene
from scenemaker.parallel import each

logger = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
Result = TypeVar("Result")


class Settings(BaseModel):
    """What changes the numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocols: tuple[str, ...] = Field(default=("layout", "midi"), description="Names of protocols, or `all`.")
    match: Literal["auto", "id", "name", "mask", "geometry"] = Field(
        default="auto", description="How objects find each other."
    )
    align: Literal["auto", "none", "scale", "rigid", "similarity"] = Field(
        default="auto", description="Freedom with which a prediction is brought into the ground truth's frame first."
    )
    points: int | None = Field(default=None, ge=16, description="Surface points, not each protocol's own number.")
    pictures: bool = Field(default=True, description="Picture measures, where both sides are scene folders.")
    lpips: Path | None = Field(default=None, description="Folder of LPIPS' weights, for picture measures.")
    clip: Path | None = Field(default=None, description="Folder of a CLIP model, for picture measures.")
    selfcheck: bool = Field(default=True, description="Scores that need no ground truth.")
    seed: int = Field(default=0, ge=0, description="Of the surface points.")

    def instances(self) -> list[EvalProtocol]:
        """The protocols.

        Raises:
            ConfigError: No protocol of a name.
        """
        names = list(PROTOCOLS) if "all" in self.protocols else list(dict.fromkeys(self.protocols))
        return [protocol(name) if self.points is None else protocol(name, points=self.points) for name in names]

    def judges(self) -> Judges:
        """The networks that judge pictures.

        Raises:
            InputError: Their files are not there.
        """
        return load_judges(self.lpips, self.clip)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All results of one run.

    Attributes:
        results: One per ground-truth scene, by name; with no ground truth one per prediction.
        protocols: That measured.
        settings: Of the run.
        unmatched: Predictions without a ground truth, by name.
        computed: How many results were made now; the others were there.
    """

    results: tuple[SceneResult, ...]
    protocols: tuple[EvalProtocol, ...]
    settings: Settings
    unmatched: tuple[str, ...] = ()
    computed: int = 0


@dataclass(frozen=True)
class Job:
    """One scene to evaluate: name, ground truth (None: none is given), prediction (None: missing)."""

    name: str
    gt: Path | None
    pred: Path | None


def evaluate(
    pred: str | Path,
    gt: str | Path | None,
    out: str | Path | None = None,
    settings: Settings | None = None,
    *,
    workers: int = 1,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluates predictions against ground truth.

    Args:
        pred: A scene folder, a GLB file, a folder of part files, or a tree of any of these.
        gt: The same, of the ground truth; None gives only the scores that need none.
        out: Where results are kept; None keeps nothing.
        settings: What to measure.
        workers: Processes. Cost grows with scenes / workers; memory with workers.
        fresh: Computes everything again.
        progress: Called with (done, total).

    Raises:
        InputError: Nothing to evaluate, or folders that do not match.
        ConfigError: A setting that does not exist.
        OutputError: ``out`` cannot be written, or another process writes there.
    """
    jobs, unmatched = _jobs(Path(pred), None if gt is None else Path(gt))
    done = evaluate_jobs(jobs, out, settings or Settings(), workers=workers, fresh=fresh, progress=progress)
    return replace(done, unmatched=unmatched)


def evaluate_jobs(
    jobs: Sequence[Job],
    out: str | Path | None,
    settings: Settings,
    *,
    workers: int = 1,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """``evaluate`` of scenes that are paired already."""
    protocols = tuple(settings.instances())  # what is misspelt or not there is told before any work is done
    settings.judges()
    if out is None:
        results, computed = _run(jobs, _Work(settings), workers, progress)
    else:
        folder = Path(out)
        with locked(folder), output_errors(folder):
            sweep(folder)
            results, computed = _run(jobs, _Work(settings, folder / "scenes", fresh), workers, progress)
    alone = all(job.gt is None for job in jobs)
    return Evaluation(
        results=tuple(results), protocols=() if alone else protocols, settings=settings, computed=computed
    )


def _jobs(pred: Path, gt: Path | None) -> tuple[list[Job], tuple[str, ...]]:
    if gt is None:
        found = scenes_in(pred)
        if not found:
            raise InputError(expected("scene folders or GLB files", got=f"none in {pred}", remedy="check the path"))
        return [Job(name, None, path) for name, path in found.items()], ()
    pairs, extra = pair_scenes(pred, gt)
    return [Job(name, gt_path, pred_path) for name, gt_path, pred_path in pairs], tuple(extra)


def _run(jobs: Sequence[Job], work: _Work, workers: int, progress: Progress | None) -> tuple[list[SceneResult], int]:
    found: dict[str, SceneResult] = {}
    computed = 0
    for done, (i, answer) in enumerate(each(work, jobs, min(workers, max(len(jobs), 1))), start=1):
        if answer is None:
            error = "its process died; out of memory? try fewer --workers"
            answer = replace(_empty(jobs[i], "failed"), error=error), True
        found[jobs[i].name], new = answer
        computed += new
        if progress is not None:
            progress(done, len(jobs))
    return [found[job.name] for job in jobs], computed


@dataclass(frozen=True)
class _Work:
    """Evaluates one job, or takes the kept result; what is sent to the worker processes."""

    settings: Settings
    folder: Path | None = None
    fresh: bool = False

    def __call__(self, job: Job) -> tuple[SceneResult, bool]:
        if self.folder is None:
            return evaluate_scene(job, self.settings), True
        file, key = self.folder / f"{job.name}.json", key_of(job.name, self.settings, job.gt, job.pred)
        kept = None if self.fresh else kept_result(file, key)
        if kept is not None:
            return replace(kept, gt=str(job.gt or ""), pred=None if job.pred is None else str(job.pred)), False
        result = evaluate_scene(job, self.settings)
        if key is not None:
            keep_result(file, key, result)
        return result, True


def evaluate_scene(job: Job, settings: Settings) -> SceneResult:
    """Evaluates one scene; whatever is wrong with it is in the result and does not end the others."""
    start = time.perf_counter()
    result = _alone(job) if job.gt is None else _against(job, job.gt, settings)
    return replace(result, seconds=round(time.perf_counter() - start, 3))


def _against(job: Job, path: Path, settings: Settings) -> SceneResult:
    """A prediction against ground truth."""
    try:
        gt = read_scene(path, job.name)
        check_ground_truth(gt)
    except Exception as error:
        return replace(_empty(job, "unusable"), error=_told(error, job))
    rows = tuple(_row(o, None, "missing") for o in gt.objects)
    if job.pred is None:
        return replace(_empty(job, "missing"), objects=rows)
    try:
        pred = read_scene(job.pred, job.name)
        pair = make_pair(gt, pred, match=settings.match, align=settings.align, seed=settings.seed, name=job.name)
    except Exception as error:
        return replace(_empty(job, "failed"), objects=rows, error=_told(error, job))
    notices = list(dict.fromkeys([*gt.notices, *pred.notices]))

    def tried(name: str, measure: Callable[[], Result]) -> Result | None:
        try:
            return measure()
        except Exception as error:  # counts as missing in the tables of this protocol alone
            notices.append(f"{name}: {_told(error, job)}")
            return None

    found = {p.name: tried(p.name, partial(p, pair)) for p in settings.instances()}
    S_world_pred = pair.alignment.S_world_pred
    selfcheck = tried("selfcheck", lambda: score_scene(pair.pred, S_world_pred)) if settings.selfcheck else None
    images = tried("pictures", lambda: picture_scores(pair, settings.judges())) if settings.pictures else None
    taken = {k for k in pair.partners if k is not None}
    return replace(
        _empty(job, "ok"),
        alignment=pair.alignment.text,
        objects=_rows(pair),
        extra=tuple(o.name for k, o in enumerate(pair.pred.objects) if k not in taken),
        scores={name: scores for name, scores in found.items() if scores is not None},
        selfcheck=selfcheck,
        images=images,
        notices=tuple(notices),
    )


def _alone(job: Job) -> SceneResult:
    """A prediction without ground truth."""
    try:
        pred = read_scene(job.pred or "", job.name)
        selfcheck = score_scene(pred)
    except Exception as error:
        return replace(_empty(job, "failed"), error=_told(error, job))
    rows = tuple(_row(o, None, o.status) for o in pred.objects)
    return replace(_empty(job, "ok"), objects=rows, selfcheck=selfcheck, notices=pred.notices)


def _told(error: Exception, job: Job) -> str:
    """What went wrong; a defect of ours or of a library is logged with its trace, and the other scenes go on."""
    if isinstance(error, SceneMakerError):
        return str(error)
    logger.error("scene %s", job.name, exc_info=error)
    return f"{type(error).__name__}: {error}"


def _empty(job: Job, state: State) -> SceneResult:
    return SceneResult(
        name=job.name, gt=str(job.gt or ""), pred=None if job.pred is None else str(job.pred), state=state
    )


def _row(item: EvalObject, partner: EvalObject | None, status: str) -> ObjectRow:
    return ObjectRow(
        id=item.id,
        name=item.name,
        partner=None if partner is None else partner.name,
        visible_fraction=item.visible_fraction,
        status=status,
        notices=() if partner is None else partner.notices,
    )


def _rows(pair: ScenePair) -> tuple[ObjectRow, ...]:
    partners = [None if k is None else pair.pred.objects[k] for k in pair.partners]
    states = ["missing" if p is None else p.status if p.placed else "failed" for p in partners]
    return tuple(_row(o, p, s) for o, p, s in zip(pair.gt.objects, partners, states, strict=True))


__all__ = ["Evaluation", "Job", "Settings", "evaluate", "evaluate_scene"]
