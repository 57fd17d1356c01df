"""The conformance kit over every registered backend and every tiny one."""

from __future__ import annotations

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
REGISTERED = [(role, name) for role in registry.ROLES for name in registry.names(role)]
CASES = [
    pytest.param(role, name, check, id=f"{role}-{name}-{check.name}")
    for role, name in REGISTERED
    for check in checks(role)
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


def subject(role: str, name: str) -> Subject:
    if (role, name) not in SUBJECTS:
        SUBJECTS[role, name] = Subject(role, registry.load(role, name), given=GIVEN.get(name))
    return SUBJECTS[role, name]


@pytest.mark.parametrize(("role", "name", "check"), CASES)
def test_registered(role: str, name: str, check: Any) -> None:
    check(subject(role, name))


def test_all_of_ours_are_registered() -> None:
    assert {role: registry.names(role) for role in registry.ROLES if registry.names(role)} == {
        "segmentation": ["auto", "masks", "prompts"],
        "depth": ["file", "ground-plane"],
        "deocclusion": ["symmetry"],
        "generation": ["relief"],
        "pose": ["fit"],
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
