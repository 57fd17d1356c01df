"""The SceneMaker pipeline (arXiv 2512.10957, figure 2): a readable function over roles, and the object users hold.

photo -> instances -> point map -> cut and completed views -> meshes in ``obj`` -> poses of all objects -> scene.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from scenemaker import __version__, artefacts, registry
from scenemaker.cache import Store, default_cache_dir
from scenemaker.config import (
    BACKEND_STAGES,
    STAGES,
    BackendSpec,
    PipelineConfig,
    build_config,
    preset,
)
from scenemaker.device import Residency
from scenemaker.editable import Scene
from scenemaker.errors import ConfigError, InputError, NoObjectsError, expected
from scenemaker.pipelines.compose import ComposeInput, compose_scene, finish, load_composed
from scenemaker.pipelines.run_folder import claim
from scenemaker.pipelines.steps import Artefact, ProgressEvent, StageInfo, Steps
from scenemaker.scene import DepthPrompt, ObjectFailure, Prompts, ScaleKind, by_id

OnObjectError = Literal["raise", "skip"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Request:
    """What the user gives for one photo.

    Attributes:
        photo: Path, bytes, PIL image, array, or ``Photo``; None goes on with the one in the run folder.
        prompts: Masks, boxes, points, text.
        depth: Own depth or point map.
        K: Own intrinsics of the photo: (3, 3) array, file, "fx,fy,cx,cy" or "fov=60".
        meshes: Own meshes: a folder, a list in object order, or a dict by id or name.
        known_size: Longest side of some objects in metres, by id.
    """

    photo: Any
    prompts: Prompts = field(default_factory=Prompts)
    depth: DepthPrompt = field(default_factory=DepthPrompt)
    K: Any = None
    meshes: Any = None
    known_size: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class RunResult:
    """What a run made.

    Attributes:
        scene: The scene, or None when the run stopped before it.
        stages: One entry per stage, with times and peak memory.
        failures: Objects that were skipped, with the reason.
        notices: What the user should know about this run.
        folder: The run folder, or None.
    """

    scene: Scene | None
    stages: tuple[StageInfo, ...]
    failures: tuple[ObjectFailure, ...]
    notices: tuple[str, ...]
    folder: Path | None


class Stopped(Exception):
    """The run reached the stage it was told to stop after."""


def make_scene(
    steps: Steps, request: Request, backend_of: Callable[[str], registry.Backend], config: PipelineConfig
) -> Artefact[Scene]:
    """All stages of one photo, in order. Each block is a stage; what flows is typed in ``scenemaker.scene``."""
    from scenemaker import inputs
    from scenemaker.deocclusion.views import cut_views
    from scenemaker.inputs.keys import content, meshes_key, photo_key

    photo = steps.do(
        "photo",
        inputs=(),
        params=None if request.photo is None else photo_key(request.photo, request.K),
        as_it_is=request.photo is None,
        compute=lambda _: inputs.load_photo(request.photo, K=request.K),
        save=artefacts.save_photo,
        read=artefacts.load_photo,
    )

    def in_pixels() -> tuple[Prompts, DepthPrompt]:
        depth = request.depth
        if request.K is not None:
            width, height = photo.value.source_px or (photo.value.width, photo.value.height)
            depth = replace(depth, K=inputs.load_K(request.K, width, height))
        return inputs.in_photo_pixels(photo.value, request.prompts, depth)

    instances = steps.do(
        "segmentation",
        backend=backend_of("segmentation"),
        inputs=(photo,),
        params=request.prompts,
        compute=lambda b: _some_objects(b.segment(photo.value, in_pixels()[0])),
        save=artefacts.save_instances,
        read=lambda folder: artefacts.load_instances(folder, photo.value.rgb.shape[:2]),
    )
    point_map = steps.do(
        "depth",
        backend=backend_of("depth"),
        inputs=(photo, instances),
        params={"prompt": request.depth, "K": content(request.K)},
        compute=lambda b: b.estimate(photo.value, instances.value, in_pixels()[1]),
        save=artefacts.save_point_map,
        read=lambda folder: artefacts.load_point_map(folder, photo.value.rgb.shape[:2]),
    )

    def own_meshes() -> dict[int, Any]:
        if request.meshes is None:
            return {}
        return inputs.load_meshes(request.meshes, {i.name: i.id for i in instances.value})

    def cut() -> list[Any]:
        return cut_views(photo.value, instances.value, point_map.value, max_px=config.view_px)

    def deocclude(backend: Any) -> list[Any]:
        views, own = cut(), own_meshes()
        wanted = [v for v in views if v.id not in own]
        results = backend.deocclude(wanted, seed=config.seed)
        done = by_id(steps.split("deocclusion", backend_of("deocclusion"), [v.id for v in wanted], results))
        finished = [done.get(v.id, v) for v in views if v.id in done or v.id in own]
        cut_of = by_id(views)  # pixels are what this stage makes: the rest is as it was cut, now and when read back
        return [replace(cut_of[v.id], rgba=v.rgba, completed=v.completed) for v in finished]

    views = steps.do(
        "deocclusion",
        backend=backend_of("deocclusion"),
        inputs=(photo, instances, point_map),
        params={"view_px": config.view_px, "seed": config.seed, "own": meshes_key(request.meshes)},
        compute=deocclude,
        save=artefacts.save_views,
        read=lambda folder: artefacts.load_views(folder, cut()),
    )

    def generate(backend: Any) -> list[Any]:
        own = own_meshes()
        wanted = [v for v in views.value if v.id not in own]
        results = backend.generate(wanted, seed=config.seed) if wanted else []
        made = by_id(steps.split("generation", backend_of("generation"), [v.id for v in wanted], results))
        return [own.get(v.id) or made[v.id] for v in views.value if v.id in own or v.id in made]

    geometries = steps.do(
        "generation",
        backend=backend_of("generation"),
        inputs=(photo, instances, point_map, views),
        params={"seed": config.seed, "view_px": config.view_px, "own": meshes_key(request.meshes)},
        compute=generate,
        save=artefacts.save_geometries,
        read=artefacts.load_geometries,
    )

    def estimate_poses(backend: Any) -> list[Any]:
        seen = by_id(views.value)
        ids = [g.id for g in geometries.value]
        results = backend.estimate_poses(
            photo.value, instances.value, point_map.value, [seen[i] for i in ids], geometries.value, seed=config.seed
        )
        return steps.split("pose", backend_of("pose"), ids, results)

    poses = steps.do(
        "pose",
        backend=backend_of("pose"),
        inputs=(photo, instances, point_map, views, geometries),
        params={"seed": config.seed, "view_px": config.view_px},
        compute=estimate_poses,
        save=artefacts.save_poses,
        read=artefacts.load_poses,
    )
    made_by = {i.stage: {"backend": i.backend, "version": i.version, "config": i.config} for i in steps.infos}
    given = ComposeInput(
        photo,
        instances,
        point_map,
        views,
        geometries,
        poses,
        cut,
        time.perf_counter(),
        config.compose,
        dict(request.known_size),
        steps.infos,
        {"preset": config.preset, "seed": str(config.seed), "device": steps.residency.device},
    )
    return steps.do(
        "compose",
        inputs=(photo, instances, point_map, views, geometries, poses),
        params={
            "compose": config.compose,
            "known_size": dict(request.known_size),
            "view_px": config.view_px,
            "made_by": made_by,
            "facts": given.facts,
            "failures": [f.error for a in (views, geometries, poses) for f in a.failures],
            "version": __version__,
        },
        compute=lambda _: compose_scene(given),
        save=lambda scene, folder: finish(scene, given, folder),
        read=load_composed,
        mirror=False,
    )


def _some_objects(instances: Any) -> Any:
    if not len(instances):
        raise NoObjectsError(
            expected(
                "at least one object", got="none", remedy="give --masks or --box, or another --segmentation backend"
            )
        )
    return instances


class ScenePipeline:
    """Turns photos into scenes. Holds the backends, the device and the cache; use it for many photos.

    >>> pipe = ScenePipeline.from_preset("instant", device="cpu", cache_dir=None)  # doctest: +SKIP
    >>> scene = pipe("photo.jpg", masks="masks.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        config: PipelineConfig | None = None,
        *,
        cache_dir: str | Path | Literal["default"] | None = "default",
        progress: Callable[[ProgressEvent], None] | None = None,
        **backends: Any,
    ) -> None:
        """A pipeline.

        Args:
            config: What it does; none is the preset ``instant``.
            cache_dir: Where artefacts are kept; None keeps them only until the pipeline is closed.
            progress: Called at the start and end of each stage.
            backends: ``segmentation``, ``depth``, ``deocclusion``, ``generation``, ``pose``: a class or an object
                to be used in place of the configured one.

        Raises:
            DeviceError: The device is not there.
            ConfigError: An unknown stage or option.
        """
        self.config = config or build_config()
        unknown = sorted(set(backends) - set(BACKEND_STAGES))
        if unknown:
            raise ConfigError(
                expected("a stage", got=unknown[0], remedy=f"the stages are: {', '.join(BACKEND_STAGES)}")
            )
        self._given, self._built = backends, dict[tuple[str, str], registry.Backend]()
        self._temporary = tempfile.TemporaryDirectory(prefix="scenemaker-") if cache_dir is None else None
        root = (
            default_cache_dir()
            if cache_dir == "default"
            else Path(self._temporary.name if self._temporary else cache_dir or "")
        )
        self.store = Store(root)
        self.residency = Residency(self.config.device, self.config.dtype, self.config.residency)
        self.progress = progress

    @classmethod
    def from_preset(
        cls,
        name: str = "instant",
        *,
        cache_dir: str | Path | Literal["default"] | None = "default",
        progress: Callable[[ProgressEvent], None] | None = None,
        **changes: Any,
    ) -> ScenePipeline:
        """The pipeline of a preset with changes on top.

        Args:
            name: Of the preset.
            cache_dir, progress: As in the constructor.
            changes: Fields of ``PipelineConfig``; a stage may be a backend's name, a table
                ``{"backend": name, option: value}``, a class, or an object.
        """
        objects = {
            k: v for k, v in changes.items() if k in BACKEND_STAGES and not isinstance(v, (str, Mapping, BackendSpec))
        }
        plain = {k: v for k, v in changes.items() if k not in objects}
        return cls(build_config(name, plain), cache_dir=cache_dir, progress=progress, **objects)

    def __call__(self, photo: Any, **given: Any) -> Scene:
        """The scene of one photo; see ``run`` for the arguments."""
        scene = self.run(photo, **given).scene
        if scene is None:
            raise ConfigError(
                expected("stop to be left out", got=given.get("stop"), remedy="use run(...) to stop early")
            )
        return scene

    def run(
        self,
        photo: Any,
        *,
        masks: Any = None,
        boxes: Sequence[Sequence[float]] = (),
        points: Sequence[Sequence[float]] = (),
        text: str | Sequence[str] = (),
        depth: Any = None,
        point_map: Any = None,
        scale_kind: ScaleKind | None = None,
        K: Any = None,
        meshes: Any = None,
        known_size: Mapping[int, float] | None = None,
        out: str | Path | None = None,
        on_object_error: OnObjectError = "raise",
        start: str | None = None,
        stop: str | None = None,
    ) -> RunResult:
        """All that a run of one photo makes.

        Args:
            photo: Path, bytes, PIL image, array (H, W, 3), or None to go on with the run folder's.
            masks: File, folder, label image (H, W), or stack (n, H, W); see the backend ``masks``.
            boxes: (x0, y0, x1, y1) per object, photo pixels.
            points: (x, y) per object, photo pixels.
            text: Phrases, for a segmenter that reads them.
            depth: File or array (H, W) of z; see the backend ``file``.
            point_map: (H, W, 3) points in ``cam``.
            scale_kind: "metric" when depth or point map are in metres.
            K: (3, 3) intrinsics in pixels, a file, "fx,fy,cx,cy" or "fov=60".
            meshes: Own meshes to be posed: folder, list in object order, or dict by id or name.
            known_size: Longest side of some objects in metres, by id: makes a relative scene metric.
            out: Run folder: every stage's artefacts, the scene and the report are written there.
            on_object_error: "skip" leaves failed objects out and lists them; "raise" ends the run.
            start: Redo from this stage on; earlier ones are taken from ``out`` as they are.
            stop: Stop after this stage.

        Raises:
            InputError: Something given cannot be used; the text says what to do.
            StageError: A backend failed.
        """
        for name, stage in (("start", start), ("stop", stop)):
            if stage is not None and stage not in STAGES:
                raise ConfigError(
                    expected(f"{name} to be a stage", got=repr(stage), remedy=f"choose: {', '.join(STAGES)}")
                )
        if start is not None and stop is not None and STAGES.index(start) > STAGES.index(stop):
            raise ConfigError(expected("start not to come after stop", got=f"{start}, {stop}", remedy="swap them"))
        if on_object_error not in ("raise", "skip"):
            raise ConfigError(
                expected('on_object_error "raise" or "skip"', got=repr(on_object_error), remedy="use one")
            )
        if masks is not None and (len(boxes) or len(points) or text):
            raise InputError(expected("masks, or boxes, points or text", got="both", remedy="leave one out"))
        from scenemaker.inputs.given import path_or_array

        request = Request(
            photo=photo,
            prompts=Prompts(
                masks=path_or_array(masks),
                boxes_px=_rows(boxes, 4, "boxes=[(x0, y0, x1, y1), ...]"),
                points_px=_rows(points, 2, "points=[(x, y), ...]"),
                text=(text,) if isinstance(text, str) else tuple(text),
            ),
            depth=DepthPrompt(depth=path_or_array(depth), points_cam=point_map, scale_kind=scale_kind),
            K=K,
            meshes=meshes,
            known_size=dict(known_size or {}),
        )
        folder = None if out is None else Path(out)
        if folder is None:
            return self._run(request, None, on_object_error, start, stop)
        with claim(folder, (photo, masks, depth)):
            return self._run(request, folder, on_object_error, start, stop)

    def _run(
        self, request: Request, folder: Path | None, on_object_error: OnObjectError, start: str | None, stop: str | None
    ) -> RunResult:
        steps = Steps(
            self.store,
            folder=folder,
            residency=self.residency,
            progress=self._stop_after(stop),
            start=start,
            keep_failures=on_object_error == "skip",
        )
        last = STAGES.index(stop or STAGES[-1])
        for stage in BACKEND_STAGES:  # what is misspelt or not installed is told before any work is done
            if STAGES.index(stage) <= last:
                self._backend(stage, request)
        try:
            composed = make_scene(steps, request, lambda stage: self._backend(stage, request), self.config)
        except Stopped:
            return RunResult(
                scene=None,
                stages=tuple(steps.infos),
                failures=tuple(steps.failures),
                notices=tuple(steps.notices),
                folder=folder,
            )
        provenance = self._provenance(steps.infos, on_object_error)
        if folder is not None:
            from scenemaker.export.folder import publish

            publish(composed.path, folder, provenance)
        scene = composed.value
        scene.run = {**scene.run, **provenance}
        failures = tuple(ObjectFailure(id=o.id, error="; ".join(o.notices)) for o in scene.skipped)
        return RunResult(
            scene=scene,
            stages=tuple(steps.infos),
            failures=failures,
            notices=tuple(scene.run["notices"]),
            folder=folder,
        )

    def close(self) -> None:
        """Takes models off the device and removes the temporary cache, if it has one."""
        self.residency.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> ScenePipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stop_after(self, stop: str | None) -> Callable[[ProgressEvent], None]:
        def report(event: ProgressEvent) -> None:
            if self.progress is not None:
                self.progress(event)
            if event.state == "done" and event.stage == stop and stop != STAGES[-1]:
                raise Stopped

        return report

    def _backend(self, stage: str, request: Request) -> registry.Backend:
        """The backend of a stage: given as class or object, named in the config, or chosen by what is given."""
        spec: BackendSpec = getattr(self.config, stage)
        table = preset(self.config.preset).by_input
        if spec.name is None and stage in table:
            spec = spec.model_copy(update={"name": table[stage][_kind(stage, request)]})
        chosen = self._given.get(stage, spec)
        key = (stage, repr(chosen) if isinstance(chosen, BackendSpec) else "given")
        if key not in self._built:
            self._built[key] = registry.build(stage, chosen)
        return self._built[key]

    def _provenance(self, infos: Sequence[StageInfo], on_object_error: str) -> dict[str, Any]:
        return {
            "scenemaker": __version__,
            "preset": self.config.preset,
            "seed": self.config.seed,
            "device": self.residency.device,
            "dtype": self.config.dtype,
            "on_object_error": on_object_error,
            "stages": [asdict(i) for i in infos],
            "seconds": sum(i.seconds for i in infos),
            "peak_mib": max(i.peak_mib for i in infos),
            "licences": sorted({i.licence for i in infos}),
        }


def _kind(stage: str, request: Request) -> str:
    """What the user gives for a stage, as the presets' ``by_input`` calls it."""
    if stage == "depth":
        return "nothing" if request.depth.depth is None and request.depth.points_cam is None else "depth"
    p = request.prompts
    given = {"masks": p.masks is not None, "boxes": bool(p.boxes_px or p.points_px), "text": bool(p.text)}
    return next((kind for kind, is_given in given.items() if is_given), "nothing")


def _rows(values: Any, count: int, what: str) -> Any:
    """Rows of ``count`` numbers as tuples."""
    try:
        rows = np.asarray(values, np.float64).reshape(-1, count) if len(values) else np.zeros((0, count))
        good = len(rows) == len(values)
    except (TypeError, ValueError):
        rows, good = np.zeros((0, count)), False
    if not good:
        raise InputError(expected(what, got=repr(values)[:80], remedy=f"give {count} numbers per object"))
    return tuple(tuple(float(x) for x in row) for row in rows)


__all__ = ["Request", "RunResult", "ScenePipeline", "make_scene"]
