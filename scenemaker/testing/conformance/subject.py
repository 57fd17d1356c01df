"""A backend under test, and what a check is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np

from scenemaker.cache import digest
from scenemaker.errors import SceneMakerError
from scenemaker.geometry.cameras import F64
from scenemaker.registry import ROLES
from scenemaker.scene import DepthPrompt, Instances, ObjectFailure, ObjectView, Prompts
from scenemaker.testing.samples import Sample, make_sample

Given = Literal["masks", "boxes", "points", "text"]
Variant = Literal["landscape", "portrait", "many", "bad_object", "empty"]
BAD_ID = 2


class ConformanceError(SceneMakerError, AssertionError):
    """A backend that does not do what its role asks for."""


@dataclass(frozen=True)
class Check:
    """One thing that a backend must do; call it with a ``Subject``."""

    name: str
    text: str
    run: Callable[[Subject], None]

    def __call__(self, subject: Subject) -> None:
        """Runs the check.

        Raises:
            ConformanceError: With the name of the check, and what came instead.
        """
        try:
            self.run(subject)
        except ConformanceError as error:
            raise ConformanceError(f"{subject.role} {subject.name}: {self.name} ({self.text}): {error}") from error
        except Exception as error:
            what = f"raised {type(error).__name__}: {error}"
            raise ConformanceError(f"{subject.role} {subject.name}: {self.name} ({self.text}): {what}") from error


def make_checks(*functions: Callable[[Subject], None]) -> tuple[Check, ...]:
    """Checks from functions: their names, and the first lines of their docstrings."""
    return tuple(
        Check(f.__name__.removeprefix("check_"), (f.__doc__ or "").partition("\n")[0].rstrip("."), f) for f in functions
    )


def demand(fine: Any, message: str) -> None:
    """Raises ``ConformanceError`` unless fine."""
    if not bool(fine):
        raise ConformanceError(message)


class Subject:
    """A backend under test. It is built once; its result on each made scene is computed once."""

    def __init__(self, role: str, backend: Any, *, given: Given | None = None) -> None:
        """Names the backend.

        Args:
            role: E.g. ``"depth"``.
            backend: A class, a function without arguments that makes one, or a ready object.
            given: For a segmenter that follows prompts: which ones it is given. None: it finds objects by itself.
        """
        self.role = role
        self.given: Given | None = given
        self._source, self._built = backend, None
        self._results: dict[Variant, Any] = {}

    @property
    def backend(self) -> Any:
        """The backend, built with its default config."""
        if self._built is None:
            self._built = build_default(self._source)
        return self._built

    @property
    def cls(self) -> type:
        return self._source if isinstance(self._source, type) else type(self.backend)

    @property
    def name(self) -> str:
        return self._source.__name__ if hasattr(self._source, "__name__") else type(self._source).__name__

    def result(self, variant: Variant = "landscape") -> Any:
        """What the verb returned on a made scene."""
        if variant not in self._results:
            self._results[variant] = self.call(self.inputs(variant))
        return self._results[variant]

    def call(self, inputs: tuple[tuple[Any, ...], dict[str, Any]]) -> Any:
        """Calls the verb."""
        args, kwargs = inputs
        return getattr(self.backend, ROLES[self.role])(*args, **kwargs)

    def inputs(self, variant: Variant, **more: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Fresh arguments for the verb; ``more`` goes to the prompt of a depth estimator."""
        sample = sample_of(variant)
        seed = {"seed": 7}
        photo, instances, point_map = sample.photo, sample.instances, sample.point_map
        if self.role == "segmentation":
            return (photo, prompts_of(sample, self.given)), {}
        if self.role == "depth":
            prompt = {"depth": sample.point_map.depth.copy(), "K": point_map.K, "scale_kind": "metric", **more}
            return (photo, instances, DepthPrompt(**prompt)), {}
        if self.role == "deocclusion":
            return (sample.views_cut,), seed
        if self.role == "generation":
            return (sample.views_whole,), seed
        if self.role == "pose":
            return (photo, instances, point_map, sample.views_whole, sample.geometries), seed
        if self.role == "scene_generation":
            return (replace(photo, K=point_map.K), instances), seed
        return (sample.scene,), {}


def build_default(source: Any) -> Any:
    """A backend with its default config, from a class, a factory or a ready object."""
    if isinstance(source, type):
        config = getattr(source, "Config", None)
        return source() if config is None else source(config())
    has_verb = any(callable(getattr(source, verb, None)) for verb in ROLES.values())
    return source() if callable(source) and not has_verb else source


def same_bytes(a: Any, b: Any) -> bool:
    """Whether two results are equal to the last bit."""
    return digest(a) == digest(b)


def prompts_of(sample: Sample, given: Given | None) -> Prompts:
    """The prompts that a segmenter is given."""
    if given == "masks":
        return Prompts(masks=sample.instances.labels.copy())
    if given == "boxes":
        return Prompts(boxes_px=sample.boxes_px)
    if given == "points":
        return Prompts(points_px=sample.points_px)
    return Prompts(text=("box", "ball")) if given == "text" else Prompts()


@cache
def _sample(n: int, width: int, height: int) -> Sample:
    return make_sample(n, width=width, height=height)


def sample_of(variant: Variant) -> Sample:
    """A fresh copy of a made scene. None is square."""
    if variant == "portrait":
        return copy.deepcopy(_sample(3, 128, 192))
    if variant == "many":
        return copy.deepcopy(_sample(12, 240, 160))
    sample = copy.deepcopy(_sample(3, 192, 128))
    if variant == "empty":
        nothing = Instances(labels=np.zeros_like(sample.instances.labels), items=())
        return replace(sample, instances=nothing, views_cut=[], views_whole=[], geometries=[], poses=[], amodal={})
    return _with_bad_object(sample) if variant == "bad_object" else sample


def _with_bad_object(sample: Sample) -> Sample:
    """The sample with one object of which nothing is seen."""
    labels = np.where(sample.instances.labels == BAD_ID, 0, sample.instances.labels).astype(np.uint16)

    def blind(view: ObjectView) -> ObjectView:
        if view.id != BAD_ID:
            return view
        rgba, nothing = view.rgba.copy(), np.zeros_like(view.mask_modal)
        rgba[..., 3] = 0
        return replace(view, rgba=rgba, mask_modal=nothing, points_cam=np.full_like(view.points_cam, np.nan))

    return replace(
        sample,
        instances=replace(sample.instances, labels=labels),
        views_cut=[blind(v) for v in sample.views_cut],
        views_whole=[blind(v) for v in sample.views_whole],
    )


def check_results(results: Any, ids: Sequence[int], kind: type, what: str) -> list[Any]:
    """The results that are not failures, after checking types, ids and order."""
    demand(isinstance(results, list), f"expected a list; got {type(results).__name__}")
    for r in results:
        demand(isinstance(r, (kind, ObjectFailure)), f"expected {what} or ObjectFailure; got {type(r).__name__}")
    got = [r.id for r in results]
    demand(got == list(ids), f"expected one result per object with the ids {list(ids)} in this order; got {got}")
    return [r for r in results if not isinstance(r, ObjectFailure)]


def check_no_failures(results: Any) -> None:
    """Nothing may fail on a good scene."""
    bad = [f"object {r.id}: {r.error}" for r in results if isinstance(r, ObjectFailure)]
    demand(not bad, f"expected no failure on a good scene; got {'; '.join(bad)}")


def check_rotation(R: F64, what: str) -> None:
    """A rotation: orthonormal, determinant +1, within 1e-4."""
    R = np.asarray(R)
    demand(R.shape == (3, 3) and np.isfinite(R).all(), f"expected {what} finite of shape (3, 3); got {R.tolist()}")
    off = float(np.abs(R @ R.T - np.eye(3)).max())
    demand(off <= 1e-4 and np.linalg.det(R) > 0, f"expected {what} to be a rotation; got {R.tolist()}")
