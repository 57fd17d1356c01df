"""What a run is told: one frozen config, its presets, and the three ways to change it (flags, ``--set``, TOML).

Everything that changes a result is in here or in the user's inputs, and all of it is in the cache key.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from scenemaker.errors import ConfigError, SceneMakerError, expected

STAGES = ("photo", "segmentation", "depth", "deocclusion", "generation", "pose", "compose")
BACKEND_STAGES = ("segmentation", "depth", "deocclusion", "generation", "pose")


class BackendSpec(BaseModel, frozen=True, extra="forbid"):
    """A backend by name, with its options; the backend's own ``Config`` validates them when it is built."""

    name: str | None = Field(default=None, description="Name of the backend; none: chosen by what the user gives.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the backend.")


class ComposeConfig(BaseModel, frozen=True, extra="forbid"):
    """How the placed objects become a scene."""

    background: Literal["none", "ground", "full"] = Field(
        default="ground", description="Add nothing, the floor, or the floor and a backdrop, textured from the photo."
    )
    report: bool = Field(default=True, description="Write report.html and its pictures.")


class PipelineConfig(BaseModel, frozen=True, extra="forbid"):
    """Everything that a run can be told, apart from the user's inputs."""

    preset: str = Field(default="instant", description="The preset this config started from.")
    segmentation: BackendSpec = Field(default_factory=BackendSpec, description="Who finds the objects.")
    depth: BackendSpec = Field(default_factory=BackendSpec, description="Who finds depth and camera.")
    deocclusion: BackendSpec = Field(default_factory=BackendSpec, description="Who completes hidden parts.")
    generation: BackendSpec = Field(default_factory=BackendSpec, description="Who makes the meshes.")
    pose: BackendSpec = Field(default_factory=BackendSpec, description="Who places the meshes.")
    compose: ComposeConfig = Field(default_factory=ComposeConfig, description="How the scene is put together.")
    view_px: int = Field(default=512, ge=32, le=4096, description="Longer side of an object's crop at most, in pixels.")
    seed: int = Field(default=0, ge=0, description="Seed of every random stage.")
    device: str = Field(default="cpu", description='"cpu", "cuda" or "cuda:1".')
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="Of models that run on a device."
    )
    residency: Literal["keep", "offload"] = Field(
        default="keep", description="After its stage a model stays on the device, or goes back to the CPU."
    )


class Preset(BaseModel, frozen=True, extra="forbid"):
    """A named set of backends. ``by_input`` names the backend that reads what the user gives, stage by stage."""

    summary: str
    config: PipelineConfig
    by_input: dict[str, dict[str, str]]


PRESETS: dict[str, Preset] = {
    "instant": Preset(
        summary="No weights, no network, any photo on a CPU in seconds: image geometry only.",
        config=PipelineConfig(
            deocclusion=BackendSpec(name="symmetry"),
            generation=BackendSpec(name="relief"),
            pose=BackendSpec(name="fit"),
        ),
        by_input={
            "segmentation": {"masks": "masks", "boxes": "prompts", "text": "prompts", "nothing": "auto"},
            "depth": {"depth": "file", "nothing": "ground-plane"},
        },
    ),
}


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ConfigError: There is none; the text lists those that exist.
    """
    if name not in PRESETS:
        raise ConfigError(expected("a preset", got=repr(name), remedy=f"choose one of: {', '.join(PRESETS)}"))
    return PRESETS[name]


def build_config(preset_name: str = "instant", changes: Mapping[str, Any] | None = None) -> PipelineConfig:
    """The config of a preset with changes on top.

    Args:
        preset_name: Name of the preset.
        changes: Top-level fields by name; for a backend stage a name, a ``BackendSpec`` or a table
            ``{"backend": name, option: value}``; for ``compose`` a table of its fields.

    Raises:
        ConfigError: Unknown preset, field or value; the text lists those that exist.
    """
    data = preset(preset_name).config.model_dump()
    data["preset"] = preset_name
    for key, value in (changes or {}).items():
        if key not in PipelineConfig.model_fields:
            known = ", ".join(PipelineConfig.model_fields)
            raise ConfigError(expected("a setting", got=repr(key), remedy=f"choose one of: {known}"))
        if key in BACKEND_STAGES:
            data[key] = _merge_backend(data[key], value)
        elif key == "compose" and isinstance(value, Mapping):
            data[key] = {**data[key], **value}
        else:
            data[key] = value
    try:
        return PipelineConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError(validation_text(error, PipelineConfig)) from None


def _merge_backend(old: dict[str, Any], value: Any) -> dict[str, Any]:
    if isinstance(value, BackendSpec):
        return value.model_dump()
    if isinstance(value, str):
        value = {"backend": value}
    if not isinstance(value, Mapping):
        raise ConfigError(expected("a backend name or a table of options", got=repr(value), remedy="see --help"))
    options = {k: v for k, v in value.items() if k != "backend"}
    name = value.get("backend", old["name"])
    kept = old["options"] if name == old["name"] else {}
    return {"name": name, "options": {**kept, **options}}


def parse_settings(settings: list[str]) -> dict[str, dict[str, Any]]:
    """``["depth.fov_deg=50"]`` as ``{"depth": {"fov_deg": 50}}``; values are JSON, else text.

    Raises:
        ConfigError: Not of the form ``stage.option=value``.
    """
    out: dict[str, dict[str, Any]] = {}
    for text in settings:
        path, equals, raw = text.partition("=")
        stage, dot, option = path.strip().partition(".")
        if not equals or not dot or not option or stage not in (*BACKEND_STAGES, "compose"):
            stages = ", ".join((*BACKEND_STAGES, "compose"))
            raise ConfigError(
                expected(
                    "stage.option=value", got=repr(text), remedy=f"the stages are: {stages}; e.g. depth.fov_deg=50"
                )
            )
        try:
            value = json.loads(raw)
        except json.JSONDecodeError:
            value = raw
        out.setdefault(stage, {})[option] = value
    return out


def read_toml(path: Path) -> dict[str, Any]:
    """The changes written in a TOML file: top-level fields, and one table per stage with ``backend`` and options.

    Raises:
        ConfigError: The file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(
            expected("a readable TOML file", got=f"{path}: {error.strerror}", remedy="check --config")
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(expected("a TOML file", got=f"{path}: {error}", remedy="mend that line")) from None


def validation_text(error: ValidationError, model: type[BaseModel]) -> str:
    """One line for a failed validation: what is wrong, and which options exist; our own errors speak for themselves."""
    parts = []
    for item in error.errors():
        where = ".".join(str(p) for p in item["loc"])
        if item["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields) or "none"
            parts.append(expected("a known option", got=repr(where), remedy=f"the options are: {known}"))
        elif isinstance(own := item.get("ctx", {}).get("error"), SceneMakerError):
            parts.append(str(own))
        else:
            parts.append(expected(f"{where}: {item['msg']}", got=repr(item["input"]), remedy="change that value"))
    return "; ".join(parts)
