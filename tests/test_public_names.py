"""The public names: a change here is a change for every user."""

from __future__ import annotations

import pytest

import scenemaker

NAMES = [
    "BackendSpec",
    "Camera",
    "DepthPrompt",
    "Instances",
    "Mesh",
    "Photo",
    "PipelineConfig",
    "PlacedObject",
    "PointMap",
    "ProgressEvent",
    "Prompts",
    "RunResult",
    "Scene",
    "SceneMakerError",
    "ScenePipeline",
    "Store",
    "__version__",
    "build_config",
    "estimate_poses",
]


def test_names() -> None:
    assert sorted(scenemaker.__all__) == NAMES
    assert dir(scenemaker) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_there_and_explains_itself(name: str) -> None:
    found = getattr(scenemaker, name)
    assert isinstance(found, str) or found.__doc__


def test_no_other() -> None:
    with pytest.raises(AttributeError) as error:
        _ = scenemaker.Sceen
    assert str(error.value) == "module 'scenemaker' has no attribute 'Sceen'"


def test_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert scenemaker.__version__ == version("scenemaker")
