"""The conformance kit over every registered backend and every tiny one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scenemaker import registry
from scenemaker.testing import (
    Subject,
    TinyDeoccluder,
    TinyDepth,
    TinyGenerator,
    TinyModel,
    TinyPose,
    TinyRefiner,
    TinySceneGenerator,
    TinySegmenter,
    check_backend,
    checks,
)

GIVEN: dict[str, Any] = {"masks": "masks", "prompts": "boxes"}  # segmenters that follow prompts, and which
# What random weights cannot do: nothing corrects what they sample.
LEARNT = {"pose-dit-released": ("poses", "where_seen")}
REGISTERED = [(role, name) for role in registry.ROLES for name in registry.names(role)]
CASES = [
    pytest.param(role, name, check, id=f"{role}-{name}-{check.name}")
    for role, name in REGISTERED
    for check in checks(role)
    if check.name not in LEARNT.get(name, ())
]
SUBJECTS: dict[tuple[str, str], Subject] = {}
TINY = {
    "segmentation": TinySegmenter,
    "depth": TinyDepth,
    "deocclusion": TinyDeoccluder,
    "generation": TinyGenerator,
    "pose": TinyPose,
    "scene_generation": TinySceneGenerator,
    "refinement": TinyRefiner,
}


def pose_dit(cls: type, folder: Path) -> Any:
    from made_weights import tiny_pose_weights

    weights = tiny_pose_weights(folder / "tiny.safetensors")
    return cls(cls.Config(weights=str(weights), samples=4, steps=2, n_refined=1, resolution_px=40))


def released(cls: type, folder: Path) -> Any:
    from released_tiny import write_checkpoint

    return cls(cls.Config(weights=write_checkpoint(folder / "released"), steps=2))


WITH_WEIGHTS: dict[str, Callable[[Any, Path], Any]] = {"pose-dit": pose_dit, "pose-dit-released": released}


def subject(role: str, name: str, folder: Path) -> Subject:
    if (role, name) not in SUBJECTS:
        cls = registry.load(role, name)
        made = WITH_WEIGHTS[name](cls, folder) if name in WITH_WEIGHTS else cls
        SUBJECTS[role, name] = Subject(role, made, given=GIVEN.get(name))
    return SUBJECTS[role, name]


@pytest.mark.parametrize(("role", "name", "check"), CASES)
def test_registered(role: str, name: str, check: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(subject(role, name, tmp_path_factory.mktemp(name)))


def test_all_of_ours_are_registered() -> None:
    assert {role: registry.names(role) for role in registry.ROLES if registry.names(role)} == {
        "segmentation": ["auto", "masks", "prompts"],
        "depth": ["file", "ground-plane"],
        "deocclusion": ["symmetry"],
        "generation": ["relief"],
        "pose": ["fit", "pose-dit", "pose-dit-released"],
    }


@pytest.mark.parametrize("role", registry.ROLES)
def test_tiny(role: str) -> None:
    assert check_backend(role, TINY[role]) == [c.name for c in checks(role)]


def test_prompted_by_points_and_a_movable_model() -> None:
    check_backend("segmentation", registry.load("segmentation", "prompts"), given="points")
    model = TinyModel()
    check_backend("generation", model)
    assert model.moves == [("cpu", "float32")]


def test_a_factory_will_do() -> None:
    check_backend("generation", lambda: TinyGenerator(TinyGenerator.Config(noise=0)))
