"""Backends by name, class and object; every error lists what exists."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from scenemaker import registry
from scenemaker.config import BackendSpec
from scenemaker.errors import BackendNotFoundError, BackendNotInstalledError, ConfigError
from scenemaker.testing import TinyDepth, TinyGenerator, TinyRefiner


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points of a role of which there are two good ones, one that needs a package, one that does not import."""

    def entry(name: str, value: str) -> tuple[EntryPoint, ...]:
        return (EntryPoint(name=name, value=value, group="scenemaker.generation"),)

    found = {
        "boxes": entry("boxes", "scenemaker.testing:TinyGenerator"),
        "needy": entry("needy", "tests_needy:Needy"),
        "needy-extra": entry("needy-extra", "tests_needy:NeedyExtra"),
        "torn": entry("torn", "no_such_module:Torn"),
        "twin": (*entry("twin", "a:Twin"), *entry("twin", "b:Twin")),
    }
    module: Any = type(sys)("tests_needy")
    module.Needy = type("Needy", (), {"requires": ("no_such_module", "numpy", "nor_this")})
    module.NeedyExtra = type("NeedyExtra", (), {"requires": ("no_such_module",), "extra": "models"})
    monkeypatch.setitem(sys.modules, "tests_needy", module)
    monkeypatch.setattr(registry, "_entries", lambda role: found)
    return found


def test_ours_by_name() -> None:
    backend = registry.build("depth", BackendSpec(name="file", options={"fov_x_deg": 50}))
    assert backend.name == "file" and backend.licence == "Apache-2.0"
    assert backend.fingerprint is not None
    assert backend.fingerprint["class"] == "scenemaker.perception.depth_file:DepthFile"
    assert backend.fingerprint["config"]["fov_x_deg"] == 50
    assert registry.package_of("depth", "file").startswith("scenemaker ")


@pytest.mark.usefixtures("entries")
def test_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(BackendNotFoundError) as error:
        registry.build("generation", "box")
    want = "expected a generation backend; got 'box'; those installed are: boxes, needy, needy-extra, torn, twin"
    assert str(error.value) == want


def test_unknown_role() -> None:
    with pytest.raises(BackendNotFoundError) as error:
        registry.names("cooking")
    assert str(error.value) == (
        "expected a role; got 'cooking'; the roles are: segmentation, depth, deocclusion, generation, pose, "
        "scene_generation, refinement"
    )


def test_none_of_a_role_is_installed() -> None:
    with pytest.raises(BackendNotFoundError) as error:
        registry.load("refinement", "x")
    assert str(error.value) == "expected a refinement backend; got 'x'; those installed are: none"


@pytest.mark.usefixtures("entries")
def test_missing_packages_give_the_line_to_type() -> None:
    with pytest.raises(BackendNotInstalledError) as error:
        registry.load("generation", "needy")
    assert str(error.value) == (
        "the generation backend 'needy' needs no_such_module, nor_this; type: pip install no_such_module nor_this"
    )
    with pytest.raises(BackendNotInstalledError) as error:
        registry.load("generation", "needy-extra")
    assert str(error.value) == (
        "the generation backend 'needy-extra' needs no_such_module; type: pip install \"scenemaker[models]\""
    )


@pytest.mark.usefixtures("entries")
def test_one_that_does_not_import_breaks_only_itself() -> None:
    with pytest.raises(BackendNotInstalledError) as error:
        registry.load("generation", "torn")
    assert str(error.value) == (
        "the generation backend 'torn' (no_such_module:Torn) does not import: ModuleNotFoundError: "
        "No module named 'no_such_module'; mend or remove the package unknown, or choose another: "
        "boxes, needy, needy-extra, torn, twin"
    )
    assert isinstance(error.value.__cause__, ModuleNotFoundError)
    assert registry.load("generation", "boxes") is TinyGenerator


@pytest.mark.usefixtures("entries")
def test_two_of_one_name() -> None:
    with pytest.raises(BackendNotFoundError) as error:
        registry.load("generation", "twin")
    want = "expected one generation backend named 'twin'; got two (a:Twin, b:Twin); uninstall one of the packages"
    assert str(error.value) == want


def test_one_entry_point_seen_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [EntryPoint(name="b", value="m:B", group="scenemaker.depth")] * 2
    monkeypatch.setattr(registry, "entry_points", lambda group: twice)
    assert {k: len(v) for k, v in registry._entries.__wrapped__("depth").items()} == {"b": 1}


@pytest.mark.usefixtures("entries")
def test_unknown_option_lists_those_that_exist() -> None:
    with pytest.raises(ConfigError) as error:
        registry.build("generation", BackendSpec(name="boxes", options={"thick": 1}))
    assert str(error.value) == (
        "generation 'boxes': expected a known option; got 'thick'; the options are: fail_ids, thickness, noise"
    )
    with pytest.raises(ConfigError) as error:
        registry.build("generation", BackendSpec(name="boxes", options={"thickness": 0}))
    assert str(error.value) == (
        "generation 'boxes': expected thickness: Input should be greater than 0; got 0; change that value"
    )


def test_options_for_one_that_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint(name="tiny", value="scenemaker.testing:TinyRefiner", group="scenemaker.refinement")
    monkeypatch.setattr(registry, "_entries", lambda role: {"tiny": (entry,)})
    assert isinstance(registry.build("refinement", "tiny").call, TinyRefiner)
    with pytest.raises(ConfigError) as error:
        registry.build("refinement", BackendSpec(name="tiny", options={"b": 1, "a": 2}))
    assert str(error.value) == "expected no options for refinement 'tiny'; got ['a', 'b']; remove them"


def test_no_name() -> None:
    with pytest.raises(ConfigError) as error:
        registry.build("depth", BackendSpec())
    assert str(error.value) == f"expected a depth backend; got none; choose: {', '.join(registry.names('depth'))}"


def test_a_class_or_an_object() -> None:
    assert isinstance(registry.build("depth", TinyDepth).call, TinyDepth)
    mine = TinyDepth(TinyDepth.Config(depth=2))
    backend = registry.build("depth", mine)
    assert backend.call is mine and backend.name == "TinyDepth"
    assert backend.fingerprint == {
        "class": "scenemaker.testing.tiny:TinyDepth",
        "version": "1",
        "config": {"depth": 2.0, "fov_x_deg": 60.0},
        "weights": None,
    }


def test_without_version_nothing_identifies_it() -> None:
    class Bare:
        def estimate(self) -> None:
            return None

    backend = registry.build("depth", Bare)
    assert backend.fingerprint is None and backend.licence == "unknown"


def test_an_object_without_the_verb() -> None:
    with pytest.raises(ConfigError) as error:
        registry.build("generation", TinyDepth)
    assert str(error.value) == (
        "expected a generation backend with the method generate(); got TinyDepth; see scenemaker.stages"
    )
