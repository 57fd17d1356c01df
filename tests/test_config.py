"""Presets, changes, ``--set`` and TOML: what they make, and the exact text when they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from scenemaker.config import (
    PRESETS,
    BackendSpec,
    ComposeConfig,
    PipelineConfig,
    Preset,
    build_config,
    parse_settings,
    preset,
    read_toml,
)
from scenemaker.errors import ConfigError


def message(call: object, *args: object) -> str:
    with pytest.raises(ConfigError) as error:
        call(*args)  # type: ignore[operator]
    return str(error.value)


def test_instant() -> None:
    config = build_config("instant")
    assert config == PRESETS["instant"].config
    assert (config.deocclusion.name, config.generation.name, config.pose.name) == ("symmetry", "relief", "fit")
    assert config.segmentation.name is None and config.device == "cpu"


def test_unknown_preset() -> None:
    assert message(preset, "fast") == "expected a preset; got 'fast'; choose one of: " + ", ".join(PRESETS)


def test_unknown_setting() -> None:
    assert message(build_config, "instant", {"sedd": 1}) == (
        "expected a setting; got 'sedd'; choose one of: preset, segmentation, depth, deocclusion, generation, pose, "
        "compose, view_px, seed, device, dtype, residency"
    )


def test_unknown_compose_option() -> None:
    got = message(build_config, "instant", {"compose": {"sky": 1}})
    assert got.startswith("expected a known option; got 'compose.sky'; the options are: ")


def test_bad_values() -> None:
    got = message(build_config, "instant", {"seed": -1})
    assert got == "expected seed: Input should be greater than or equal to 0; got -1; change that value"
    got = message(build_config, "instant", {"residency": "hide"})
    assert got == "expected residency: Input should be 'keep' or 'offload'; got 'hide'; change that value"
    got = message(build_config, "instant", {"depth": 3})
    assert got == "expected a backend name or a table of options; got 3; see --help"


def test_a_stage_by_name_table_or_spec() -> None:
    by_name = build_config("instant", {"depth": "file"})
    assert by_name.depth == BackendSpec(name="file")
    by_table = build_config("instant", {"generation": {"thickness": 2.0}})
    assert by_table.generation == BackendSpec(name="relief", options={"thickness": 2.0})
    other = build_config("instant", {"generation": {"backend": "x", "n": 1}})
    assert other.generation == BackendSpec(name="x", options={"n": 1})
    spec = BackendSpec(name="y", options={"a": 1})
    assert build_config("instant", {"pose": spec}).pose == spec
    assert build_config("instant", {"compose": {"background": "full"}}).compose == ComposeConfig(background="full")


def test_settings() -> None:
    told = parse_settings(
        ["depth.fov_deg=50", "depth.kind=z", "compose.report=false", "pose.list=[1, 2]", "pose.a=x=y"]
    )
    assert told == {
        "depth": {"fov_deg": 50, "kind": "z"},
        "compose": {"report": False},
        "pose": {"list": [1, 2], "a": "x=y"},
    }


@pytest.mark.parametrize("text", ["depth", "depth.fov", "fov=3", "dreams.fov=3", "depth.=3", "=3"])
def test_bad_setting(text: str) -> None:
    assert message(parse_settings, [text]) == (
        f"expected stage.option=value; got {text!r}; the stages are: segmentation, depth, deocclusion, generation, "
        "pose, compose; e.g. depth.fov_deg=50"
    )


def test_toml(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('seed = 3\n[depth]\nbackend = "file"\nfov_x_deg = 50\n')
    config = build_config("instant", read_toml(file))
    assert config.seed == 3 and config.depth == BackendSpec(name="file", options={"fov_x_deg": 50})


def test_bad_toml(tmp_path: Path) -> None:
    missing, broken = tmp_path / "no.toml", tmp_path / "b.toml"
    got = message(read_toml, missing)
    assert got == f"expected a readable TOML file; got {missing}: No such file or directory; check --config"
    broken.write_text("seed = = 3\n")
    got = message(read_toml, broken)
    assert got.startswith(f"expected a TOML file; got {broken}: ") and got.endswith("; mend that line")
    broken.write_bytes(b"\xff\xfe\x00")
    assert message(read_toml, broken).startswith("expected a TOML file; got ")


@pytest.mark.parametrize("model", [PipelineConfig, BackendSpec, ComposeConfig])
def test_configs_are_frozen_closed_and_described(model: type[BaseModel]) -> None:
    assert model.model_config.get("frozen") and model.model_config.get("extra") == "forbid"
    assert [n for n, f in model.model_fields.items() if not f.description] == []


@pytest.mark.parametrize("name", PRESETS)
def test_presets_name_backends_that_exist(name: str) -> None:
    from scenemaker import registry

    found: Preset = preset(name)
    for stage in ("segmentation", "depth", "deocclusion", "generation", "pose"):
        named = {getattr(found.config, stage).name, *found.by_input.get(stage, {}).values()} - {None}
        assert named and named <= set(registry.names(stage))
