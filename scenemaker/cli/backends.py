"""``scenemaker backends``."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer

from scenemaker.cli import options as opt
from scenemaker.cli.state import STATE


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("backends")(backends)


def backends(as_json: opt.Json = False) -> None:
    """Lists presets, and the backends of every role with licence, package and what they still need."""
    from scenemaker.config import PRESETS

    STATE.json = as_json
    rows = backend_rows()
    if as_json:
        presets = {name: p.summary for name, p in PRESETS.items()}
        sys.stdout.write(json.dumps({"presets": presets, "backends": rows}) + "\n")
        return
    sys.stdout.write("presets\n")
    for name, p in PRESETS.items():
        sys.stdout.write(f"  {name:<14}{p.summary}\n")
    for role in dict.fromkeys(r["role"] for r in rows):
        sys.stdout.write(f"\n{role}\n")
        for r in (r for r in rows if r["role"] == role):
            sys.stdout.write(f"  {r['name']:<14}{r['summary']}\n")
            if r["needs"]:
                sys.stdout.write(f"  {'':<14}needs: {r['needs']}\n")
            for option, text in r["options"].items():
                sys.stdout.write(f"  {'':<16}{role}.{option}  {text}\n")


def backend_rows() -> list[dict[str, Any]]:
    """One row per registered backend; one that does not import says so in ``needs`` and does not harm the others."""
    from scenemaker import registry
    from scenemaker.errors import BackendNotFoundError, BackendNotInstalledError

    rows = []
    for role in registry.ROLES:
        for name in registry.names(role):
            row: dict[str, Any] = {"role": role, "name": name, "summary": "", "licence": "", "needs": "", "options": {}}
            try:
                row["package"] = registry.package_of(role, name)
                cls = registry.load(role, name)
                row["summary"], row["licence"] = registry.summary(cls), getattr(cls, "licence", "unknown")
                config = getattr(cls, "Config", None)
                if config is not None:
                    row["options"] = {
                        k: f"({'required' if f.is_required() else f.default}) {f.description or ''}"
                        for k, f in config.model_fields.items()
                    }
            except (BackendNotFoundError, BackendNotInstalledError) as error:
                row["needs"] = str(error)
            rows.append(row)
    return rows
