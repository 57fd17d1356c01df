"""What scenes to make: a frozen config, in TOML or in code, that with a scene's number decides every byte of it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator

from scenemaker.data.objects.curation import Curation
from scenemaker.data.render.surroundings import SurroundingsConfig
from scenemaker.data.viewpoints import Viewpoints
from scenemaker.errors import ConfigError, InputError, expected
from scenemaker.evaluation.bins import BINS

LAYOUTS = {  # module, class, its config
    "plane": ("layouts.plane", "PlaneLayout", "PlaneLayout.Config"),
    "discs": ("layouts.discs", "DiscLayout", "DiscLayout.Config"),
    "floating": ("layouts.floating", "FloatingLayout", "FloatingLayout.Config"),
    "physics": ("layouts.physics", "PhysicsLayout", "PhysicsLayout.Config"),
}
RENDERERS = {
    "fast": ("render.fast", "FastRenderer", "FastConfig"),
    "cycles": ("render.cycles", "CyclesRenderer", "CyclesConfig"),
}


class ObjectsFrom(BaseModel, frozen=True, extra="forbid"):
    """One source of objects."""

    path: str = Field(default="procedural", min_length=1, description="A folder of mesh files, or `procedural`.")
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="How often it is drawn from.")
    color_space: Literal["linear", "srgb"] = Field(default="linear", description="Of vertex colours in GLB files.")
    curation: Curation = Field(default_factory=Curation, description="Which files are left out.")
    families: tuple[str, ...] = Field(default=(), description="Of procedural objects; none takes all.")


class LayoutShare(BaseModel, frozen=True, extra="forbid"):
    """One way to arrange objects."""

    name: str = Field(default="plane", description=f"One of {', '.join(LAYOUTS)}.")
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="How often it is taken.")
    options: dict[str, Any] = Field(default_factory=dict, description="Of the layout.")

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in LAYOUTS:
            raise ValueError(expected(f"one of {', '.join(LAYOUTS)}", got=repr(name), remedy="choose one of these"))
        return name


class SceneRecipe(BaseModel, frozen=True, extra="forbid"):
    """How scenes are made. Scene n depends on this and on n, never on how many workers make it."""

    name: str = Field(default="made", description="Of the data set.")
    seed: int = Field(default=0, ge=0, description="Of everything that is random.")
    objects: tuple[ObjectsFrom, ...] = Field(
        default=(ObjectsFrom(),), min_length=1, description="Where objects are from."
    )
    layouts: tuple[LayoutShare, ...] = Field(default=(LayoutShare(),), min_length=1, description="How they stand.")
    views: Viewpoints.Config = Field(default_factory=Viewpoints.Config, description="Cameras and picture sizes.")
    surroundings: SurroundingsConfig = Field(default_factory=SurroundingsConfig, description="Ground, light, sky.")
    renderer: Literal["fast", "cycles"] = Field(default="fast", description="Who takes the pictures.")
    renderer_options: dict[str, Any] = Field(default_factory=dict, description="Of the renderer.")
    points: int = Field(default=4096, ge=0, description="Complete surface points stored per object.")
    normals: bool = Field(default=True, description="Store normals.")
    hidden: Literal["keep", "drop"] = Field(
        "drop", description="What is done with a view in which an object is fully hidden (I-Scene drops it)."
    )
    bins: bool = Field(
        default=False,
        description=f"For validation: every view of scene n has a `chosen` object whose visible fraction is in bin n "
        f"modulo {len(BINS)} of {BINS}: the chosen ones fill the bins alike.",
    )
    tries: int = Field(default=40, ge=1, description="Draws per scene before it is given up.")

    @classmethod
    def read(cls, path: Path) -> SceneRecipe:
        """The recipe of a TOML file.

        Raises:
            InputError: No such file, or not TOML.
            ConfigError: An unknown option or value.
        """
        return build_recipe(cls, read_toml(path))


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a recipe file; paths in it are relative to its folder.

    Raises:
        InputError: No such file, or not TOML.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(expected("a recipe as a TOML file", got=f"{path}: {error}", remedy="check the file")) from None
    home = path.absolute().parent  # paths in it are relative to the file
    for source in data.get("objects", ()):
        if source.get("path", "procedural") != "procedural":
            source["path"] = str(home / source["path"])
    for table, name in ((data, "images"), (data.get("surroundings", {}), "environments")):
        if name in table:
            table[name] = str(home / table[name])
    return data


def build_recipe(kind: type[Any], data: dict[str, Any]) -> Any:
    """A recipe of some kind from a dict.

    Raises:
        ConfigError: An unknown option or value; the text names it.
    """
    try:
        return kind(**data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"]) or kind.__name__
        got = f"{where} = {first.get('input')!r}: {first['msg']}"
        remedy = f"its fields are: {', '.join(kind.model_fields)}"
        raise ConfigError(expected("a valid recipe", got=got, remedy=remedy)) from None


__all__ = ["LAYOUTS", "RENDERERS", "LayoutShare", "ObjectsFrom", "SceneRecipe", "build_recipe", "read_toml"]
