"""``run.json``: what a run folder was told, so that every command can go on from there.

A command's own flags win; what they leave out is taken from here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from scenemaker.cache import digest, write_atomic
from scenemaker.config import BACKEND_STAGES, build_config, parse_settings, read_toml
from scenemaker.errors import InputError, expected

NAME = "run.json"


class RunFile(BaseModel, extra="forbid"):
    """Inputs as paths and numbers, and changes to the preset's config."""

    version: int = 1
    photo: str | None = None
    photo_digest: str | None = None
    masks: str | None = None
    text: list[str] = Field(default_factory=list)
    boxes: list[list[float]] = Field(default_factory=list)
    points: list[list[float]] = Field(default_factory=list)
    depth: str | None = None
    intrinsics: str | None = None
    meshes: str | None = None
    known_size: dict[int, float] = Field(default_factory=dict)
    preset: str = "instant"
    changes: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> RunFile | None:
        """The run file of a folder, or None when it has none."""
        path = folder / NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise InputError(
                expected("a folder for -o", got=f"{folder}: not a folder", remedy="choose another")
            ) from None
        except (OSError, ValidationError) as error:
            raise InputError(
                expected(
                    f"a run file at {path}", got=str(error).partition("\n")[0], remedy="choose another -o, or delete it"
                )
            ) from None

    def write(self, folder: Path) -> None:
        """Writes it into the run folder."""
        write_atomic(folder / NAME, self.model_dump_json(indent=1))

    def told(self, **inputs: Any) -> RunFile:
        """With new inputs on top; empty ones leave the old. New masks, boxes, points or text replace all of them."""
        new = {k: v for k, v in inputs.items() if v not in (None, [], {})}
        old = self.model_dump()
        prompts = ("masks", "boxes", "points", "text")
        if any(k in new for k in prompts):
            blank = RunFile().model_dump()
            old.update({k: blank[k] for k in prompts})
        return RunFile.model_validate({**old, **new})

    def changed(self, changes: dict[str, Any]) -> RunFile:
        """With new config changes on top, stage tables merged option by option; checked against the preset."""
        merged = dict(self.changes)
        for key, value in changes.items():
            if isinstance(value, dict) and isinstance(merged.get(key), dict):
                same = value.get("backend", merged[key].get("backend")) == merged[key].get("backend")
                merged[key] = {**merged[key], **value} if same or key not in BACKEND_STAGES else value
            else:
                merged[key] = value
        build_config(self.preset, merged)
        return self.model_copy(update={"changes": merged})

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for ``ScenePipeline.run``."""
        return {
            "masks": self.masks,
            "boxes": self.boxes,
            "points": self.points,
            "text": self.text,
            "depth": self.depth,
            "K": self.intrinsics,
            "meshes": None if self.meshes is None else Path(self.meshes),
            "known_size": self.known_size,
        }


def collect_changes(
    backends: dict[str, str | None],
    *,
    settings: list[str],
    config: Path | None,
    background: str | None = None,
    **fields: Any,
) -> tuple[str | None, dict[str, Any]]:
    """The preset named in a TOML file (or None), and all changes: TOML first, then flags, then ``--set``."""
    changes: dict[str, Any] = read_toml(config) if config else {}
    preset = changes.pop("preset", None)
    changes = {k: {"backend": v} if k in BACKEND_STAGES and isinstance(v, str) else v for k, v in changes.items()}
    for stage, name in backends.items():
        if name is not None:
            same = changes.get(stage, {}).get("backend", name) == name
            changes[stage] = {**(changes.get(stage, {}) if same else {}), "backend": name}
    if background is not None:
        changes["compose"] = {**changes.get("compose", {}), "background": background}
    changes.update({k: v for k, v in fields.items() if v is not None})
    for stage, options in parse_settings(settings).items():
        files = {k: str(Path(v).absolute()) for k, v in options.items() if isinstance(v, str) and Path(v).is_file()}
        changes[stage] = {**changes.get(stage, {}), **options, **files}  # the next run may be in another folder
    return preset, changes


def numbers(texts: list[str], count: int, flag: str) -> list[list[float]]:
    """``["1,2,3,4"]`` as ``[[1, 2, 3, 4]]``.

    Raises:
        InputError: Not that many numbers.
    """
    out = []
    for text in texts:
        try:
            values = [float(x) for x in text.split(",")]
        except ValueError:
            values = []
        if len(values) != count:
            example = ",".join("xyxy"[:count]) if count == 2 else "x0,y0,x1,y1"
            raise InputError(expected(f"{flag} {example}", got=repr(text), remedy=f"give {count} numbers with commas"))
        out.append(values)
    return out


def sizes(texts: list[str]) -> dict[int, float]:
    """``["3=0.45"]`` as ``{3: 0.45}``.

    Raises:
        InputError: Not of that form.
    """
    out = {}
    for text in texts:
        id, equals, metres = text.partition("=")
        try:
            out[int(id)] = float(metres)
        except ValueError:
            equals = ""
        if not equals:
            raise InputError(expected("--known-size ID=METRES", got=repr(text), remedy="e.g. --known-size 3=0.45"))
    return out


def absolute(path: Path | str | None) -> str | None:
    """Paths as absolute, so that a run folder can be continued from anywhere; other text as it is."""
    if path is None:
        return None
    return str(Path(path).absolute()) if isinstance(path, Path) or Path(path).exists() else path


def for_photo(file: RunFile, photo: Path, folder: Path, overwrite: bool) -> RunFile:
    """The run file for this photo.

    Raises:
        InputError: The folder holds the run of another photo.
    """
    if not photo.is_file():
        raise InputError(
            expected(
                "a photo", got=f"{photo}: {'a folder' if photo.is_dir() else 'not found'}", remedy="check the path"
            )
        )
    new = digest(photo)
    if overwrite:
        file = RunFile()
    if file.photo_digest not in (None, new):
        got = f"{folder}, a run of {Path(file.photo or '').name}"
        remedy = "choose another -o, or add --overwrite"
        raise InputError(expected(f"a folder for {photo.name}", got=got, remedy=remedy))
    return file.model_copy(update={"photo": str(photo.absolute()), "photo_digest": new})
