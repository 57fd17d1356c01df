"""Evaluates one scene or thousands: in parallel, resumable, nothing dropped.

Every finished scene is kept as ``OUT/scenes/NAME.json`` under a key of everything that changes it (the files of both
sides, the settings), so that a run that was killed, or one with more scenes, computes only what is new.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scenemaker.artefacts import read_json, write_json
from scenemaker.cache import digest, locked, output_errors, sweep
from scenemaker.errors import ConfigError, InputError, SceneMakerError, expected
from scenemaker.evaluation.pairing import make_pair
from scenemaker.evaluation.protocols import PROTOCOLS, protocol
from scenemaker.evaluation.reading import pair_scenes, read_scene, scenes_in
from scenemaker.evaluation.results import ObjectRow, SceneResult
from scenemaker.evaluation.types import EvalProtocol, EvalScene, ScenePair
from scenemaker.evaluation.unsupervised import picture_scores, score_scene
from scenemaker.parallel import each

logger = logging.getLogger(__name__)
SCHEMA = 1  # of the kept results: another number makes all of them anew
READ = ("scene.json", "labels.png", "depth.npy", "amodal.npz", "rgb.png")  # of a scene folder, with the meshes
Progress = Callable[[int, int], None]


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
    selfcheck: bool = Field(default=True, description="Scores that need no ground truth.")
    seed: int = Field(default=0, ge=0, description="Of the surface points.")

    def instances(self) -> list[EvalProtocol]:
        """The protocols.

        Raises:
            ConfigError: No protocol of a name.
        """
        names = list(PROTOCOLS) if "all" in self.protocols else list(dict.fromkeys(self.protocols))
        return [protocol(name) if self.points is None else protocol(name, points=self.points) for name in names]


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
    protocols = tuple(settings.instances())  # a misspelt name is told before any work is done
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
        file, key = self.folder / f"{job.name}.json", self._key(job)
        kept = None if self.fresh else _kept(file, key)
        if kept is not None:
            return kept, False
        result = evaluate_scene(job, self.settings)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"key": key, "result": result.to_dict()})
        return result, True

    def _key(self, job: Job) -> str:
        files = [None if p is None else [(f.name, f) for f in _files_read(p)] for p in (job.gt, job.pred)]
        return digest([SCHEMA, job.name, self.settings, files])


def _files_read(path: Path) -> Iterator[Path]:
    """The files of a scene that an evaluation reads, in order."""
    if path.is_file():
        yield path
    elif (path / "scene.json").is_file():
        yield from (path / name for name in READ if (path / name).is_file())
        yield from sorted((path / "objects").glob("*.glb"))
    else:
        yield from sorted(p for p in path.iterdir() if p.is_file())


def _kept(file: Path, key: str) -> SceneResult | None:
    """The stored result when it is of this key and whole."""
    try:
        data = read_json(file)
        return SceneResult.from_dict(data["result"]) if data["key"] == key else None
    except (InputError, OSError, KeyError, TypeError, ValueError):
        return None


def evaluate_scene(job: Job, settings: Settings) -> SceneResult:
    """Evaluates one scene; whatever is wrong with it is in the result and does not end the others."""
    start = time.perf_counter()
    try:
        result = _evaluate(job, settings)
    except SceneMakerError as error:
        result = replace(_empty(job, "failed"), error=str(error))
    except Exception as error:  # a defect of ours or of a library on this scene's data: the other scenes go on
        logger.exception("scene %s", job.name)
        result = replace(_empty(job, "failed"), error=f"{type(error).__name__}: {error}")
    return replace(result, seconds=round(time.perf_counter() - start, 3))


def _empty(job: Job, state: Literal["missing", "failed"]) -> SceneResult:
    return SceneResult(
        name=job.name, gt=str(job.gt or ""), pred=None if job.pred is None else str(job.pred), state=state
    )


def _evaluate(job: Job, settings: Settings) -> SceneResult:
    if job.gt is None:
        return _alone(job, settings)
    gt = read_scene(job.gt, job.name)
    rows = tuple(_row(gt, i, None) for i in range(len(gt.objects)))
    if job.pred is None:
        return replace(_empty(job, "missing"), objects=rows)
    try:
        pred = read_scene(job.pred, job.name)
        pair = make_pair(gt, pred, match=settings.match, align=settings.align, seed=settings.seed, name=job.name)
    except SceneMakerError as error:
        return replace(_empty(job, "failed"), objects=rows, error=str(error))
    scores, notices = {}, list(dict.fromkeys([*gt.notices, *pred.notices]))
    for measure in settings.instances():
        try:
            scores[measure.name] = measure(pair)
        except SceneMakerError as error:  # counts as missing in the tables of this protocol
            notices.append(f"{measure.name}: {error}")
    taken = {k for k in pair.partners if k is not None}
    return SceneResult(
        name=job.name,
        gt=str(job.gt),
        pred=str(job.pred),
        state="ok",
        alignment=pair.alignment.text,
        objects=tuple(_row(pair.gt, i, pair) for i in range(len(pair.gt.objects))),
        extra=tuple(o.name for k, o in enumerate(pair.pred.objects) if k not in taken),
        scores=scores,
        selfcheck=score_scene(pred) if settings.selfcheck else None,
        images=picture_scores(pair) if settings.pictures else None,
        notices=tuple(notices),
    )


def _alone(job: Job, settings: Settings) -> SceneResult:
    """A prediction without ground truth."""
    if job.pred is None:
        raise ConfigError(expected("a prediction", got="none", remedy="give a scene folder or a GLB file"))
    pred = read_scene(job.pred, job.name)
    return SceneResult(
        name=job.name,
        gt="",
        pred=str(job.pred),
        state="ok",
        objects=tuple(_row(pred, i, None) for i in range(len(pred.objects))),
        selfcheck=score_scene(pred),
        notices=pred.notices,
    )


def _row(gt: EvalScene, i: int, pair: ScenePair | None) -> ObjectRow:
    item = gt.objects[i]
    k = None if pair is None else pair.partners[i]
    partner = None if pair is None or k is None else pair.pred.objects[k]
    return ObjectRow(
        id=item.id,
        name=item.name,
        partner=None if partner is None else partner.name,
        visible_fraction=item.visible_fraction,
        status=item.status if partner is None and pair is None else "missing" if partner is None else _status(partner),
        notices=() if partner is None else partner.notices,
    )


def _status(partner: Any) -> str:
    return partner.status if partner.placed else "failed"


__all__ = ["Evaluation", "Job", "Settings", "evaluate", "evaluate_scene"]
