"""Robustness runs: the pipeline on the masks and depth of scenes with ground truth, made worse step by step.

Reference: SceneMaker, arXiv 2512.10957, supplement (perturbed segmentation masks and depth maps).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scenemaker.artefacts import write_json
from scenemaker.cache import locked, output_errors, sweep
from scenemaker.config import PipelineConfig
from scenemaker.editable import Scene
from scenemaker.errors import ConfigError, InputError, SceneMakerError, expected
from scenemaker.evaluation.evaluate import Evaluation, Job, Settings, evaluate_jobs
from scenemaker.evaluation.kept import key_of
from scenemaker.evaluation.perturb import KINDS, perturb
from scenemaker.evaluation.reading import scenes_in
from scenemaker.parallel import each
from scenemaker.pipelines.scenemaker import ScenePipeline

logger = logging.getLogger(__name__)
CLEAN = "clean"
PREDICTIONS = "predictions"


@dataclass(frozen=True)
class Case:
    """One row of the table: masks and depth as they are (level 0), or one perturbation."""

    kind: str = CLEAN
    level: int = 0

    @property
    def name(self) -> str:
        """As typed and as in tables, e.g. "masks-eroded=2"."""
        return self.kind if self.level == 0 else f"{self.kind}={self.level}"

    @classmethod
    def parse(cls, text: str) -> Case:
        """``clean``, ``KIND`` or ``KIND=LEVEL``.

        Raises:
            ConfigError: Anything else.
        """
        kind, _, level = text.partition("=")
        if text == CLEAN:
            return cls()
        if kind not in KINDS or not (level or "1").isdecimal() or int(level or 1) < 1:
            remedy = f"choose clean or one of {', '.join(KINDS)}, with =LEVEL from 1"
            raise ConfigError(expected("a perturbation", got=repr(text), remedy=remedy))
        return cls(kind, int(level or 1))


@dataclass(frozen=True)
class _Run:
    """Predicts one scene; what is sent to the worker processes."""

    config: PipelineConfig
    meshes: bool
    seed: int
    fresh: bool

    def __call__(self, item: tuple[Case, Job]) -> str:
        """What went wrong, "" when all is well."""
        case, job = item
        if job.gt is None or job.pred is None:
            return ""
        key = key_of(job.name, [case, self.config, self.meshes, self.seed], job.gt)
        mark = job.pred / "robustness.json"
        if not self.fresh and key is not None and mark.is_file() and f'"{key}"' in mark.read_text():
            return ""
        try:
            truth = Scene.load(job.gt)
            predict(truth, case, self.config, meshes=self.meshes, name=job.name, seed=self.seed).save(job.pred)
        except SceneMakerError as error:
            return str(error)
        except Exception as error:  # a defect of ours or of a library: the other scenes go on
            logger.error("scene %s", job.name, exc_info=error)
            return f"{type(error).__name__}: {error}"
        write_json(mark, {"key": key, "case": case.name})
        return ""


def predict(truth: Scene, case: Case, config: PipelineConfig, *, meshes: bool, name: str = "", seed: int = 0) -> Scene:
    """The pipeline's scene of a ground-truth scene's picture, K, and worsened masks and depth.

    Args:
        truth: The scene.
        case: How masks and depth are made worse.
        config: Of the pipeline.
        meshes: Gives the true meshes, so that poses alone are predicted (the paper's ablation setting).
        name: Of the scene, and
        seed: of the perturbation.

    Raises:
        InputError: Nothing is left of the masks.
        StageError: A backend failed on the whole scene.
    """
    labels, depth = truth.labels, truth.depth
    if case.level:
        labels, depth = perturb(labels, depth, case.kind, case.level, name=name, seed=seed)
    own = {o.id: o.mesh for o in truth.placed} if meshes else None
    with ScenePipeline(config, cache_dir=None) as pipe:
        run = pipe.run(
            truth.rgb,
            masks=labels,
            depth=depth,
            scale_kind=truth.scale_kind,
            K=truth.camera.K,
            meshes=own,
            on_object_error="skip",
        )
    if run.scene is None:
        raise InputError(expected("a scene", got="none", remedy="see the notices"))
    return run.scene


def robustness(
    gt: str | Path,
    out: str | Path,
    cases: Sequence[Case],
    config: PipelineConfig,
    settings: Settings | None = None,
    *,
    meshes: bool = False,
    workers: int = 1,
    fresh: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, Evaluation], dict[str, str]]:
    """Predicts every scene under every case and evaluates them all.

    Predictions are kept as scene folders in ``OUT/CASE/predictions`` and results beside them; what is there is not
    made again. A scene on which the pipeline fails has no prediction and counts as missing.

    Returns:
        Evaluations by the name of the case, in order; and what went wrong, by "CASE/SCENE".

    Raises:
        InputError: No scene folders.
        OutputError: ``out`` cannot be written, or another process writes there.
    """
    folder, settings = Path(out), settings or Settings()
    found = {name: path for name, path in scenes_in(Path(gt)).items() if path.is_dir()}
    if not found:
        raise InputError(expected("ground-truth scene folders", got=f"none in {gt}", remedy="check the path"))
    items = [
        (case, Job(name, path, folder / case.name / PREDICTIONS / name))
        for case in cases
        for name, path in found.items()
    ]
    failed: dict[str, str] = {}
    with locked(folder), output_errors(folder):
        sweep(folder)
        work = _Run(config, meshes, settings.seed, fresh)
        for done, (i, error) in enumerate(each(work, items, workers), start=1):
            if error is None or error:
                case, job = items[i]
                failed[f"{case.name}/{job.name}"] = error or "its process died; out of memory? try fewer --workers"
            if progress is not None:
                progress(done, len(items))
    evaluations = {}
    for case in cases:
        jobs = [
            replace(job, pred=None) if f"{case.name}/{job.name}" in failed else job for c, job in items if c == case
        ]
        evaluations[case.name] = evaluate_jobs(jobs, folder / case.name, settings, workers=workers, fresh=fresh)
    return evaluations, failed
