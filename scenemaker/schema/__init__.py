"""The JSON Schema of ``scene.json``, version 1, and a check against it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scenemaker.errors import InputError, expected


def scene_schema() -> dict[str, Any]:
    """The schema (JSON Schema, draft 2020-12)."""
    return json.loads((Path(__file__).parent / "scene.schema.json").read_text("utf-8"))


def check_scene_json(data: Any) -> None:
    """Checks the content of a ``scene.json``. Needs the package ``jsonschema``.

    Raises:
        InputError: It does not follow the schema; the text names the place.
    """
    from jsonschema import Draft202012Validator

    errors = sorted(Draft202012Validator(scene_schema()).iter_errors(data), key=lambda e: list(map(str, e.path)))
    if errors:
        first = errors[0]
        where = ".".join(map(str, first.absolute_path)) or "scene.json"
        raise InputError(expected(f"{where} as scene.schema.json says", got=first.message, remedy="mend scene.json"))
    ids = [item["id"] for item in data["objects"] if "id" in item]
    if len(set(ids)) != len(ids):
        raise InputError(expected("ids that differ", got=ids, remedy="give every object its own id"))
