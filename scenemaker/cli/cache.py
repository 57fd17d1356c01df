"""``scenemaker cache ls|info|prune|clear``."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any, Optional

import typer

from scenemaker.cli import options as opt
from scenemaker.cli.state import STATE

app = typer.Typer(
    no_args_is_help=True, help="The artefacts that runs leave behind: list, count, prune, clear.", rich_markup_mode=None
)


def _store(cache_dir: Any, as_json: bool = False) -> Any:
    from scenemaker.cache import Store, default_cache_dir

    STATE.json = as_json
    return Store(cache_dir or default_cache_dir())


def _row(entry: Any) -> dict[str, Any]:
    return {
        "stage": entry.stage,
        "backend": entry.backend,
        "key": entry.key,
        "bytes": entry.bytes,
        "used": time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used)),
        "path": str(entry.path),
    }


@app.command("ls")
def ls(cache_dir: opt.CacheDir = None, as_json: opt.Json = False) -> None:
    """Lists the artefacts, last used first."""
    rows = [_row(e) for e in _store(cache_dir, as_json).entries()]
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    for r in rows:
        sys.stdout.write(f"{r['used']}  {r['stage']:<13}{r['backend']:<14}{_size(r['bytes']):>9}  {r['key'][:12]}\n")


@app.command("info")
def info(cache_dir: opt.CacheDir = None, as_json: opt.Json = False) -> None:
    """Says where the cache lies and how much it holds, stage by stage."""
    store = _store(cache_dir, as_json)
    stages: dict[str, dict[str, int]] = {}
    for e in store.entries():
        row = stages.setdefault(e.stage, {"artefacts": 0, "bytes": 0})
        row["artefacts"] += 1
        row["bytes"] += e.bytes
    total = sum(r["bytes"] for r in stages.values())
    if as_json:
        sys.stdout.write(json.dumps({"path": str(store.root), "bytes": total, "stages": stages}) + "\n")
        return
    sys.stdout.write(f"{store.root}: {_size(total)}\n")
    for stage, row in stages.items():
        sys.stdout.write(f"  {stage:<13}{row['artefacts']:>6} artefacts {_size(row['bytes']):>9}\n")


@app.command("prune")
def prune(
    max_gb: Annotated[Optional[float], typer.Option("--max-gb", help="Keep the last used up to this size.")] = None,
    unused_days: Annotated[
        Optional[float], typer.Option("--unused-days", help="Remove what was not used for so long.")
    ] = None,
    cache_dir: opt.CacheDir = None,
    as_json: opt.Json = False,
) -> None:
    """Removes old artefacts: by size, by age, or both."""
    from scenemaker.errors import ConfigError, expected

    if max_gb is None and unused_days is None:
        raise ConfigError(expected("--max-gb or --unused-days", got="neither", remedy="e.g. cache prune --max-gb 5"))
    store = _store(cache_dir, as_json)
    removed = store.prune(max_bytes=None if max_gb is None else int(max_gb * 1e9), unused_days=unused_days)
    freed = sum(e.bytes for e in removed)
    if as_json:
        sys.stdout.write(json.dumps({"removed": [_row(e) for e in removed], "bytes": freed}) + "\n")
    else:
        sys.stdout.write(f"removed {len(removed)} artefacts, {_size(freed)}\n")


@app.command("clear")
def clear(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False, cache_dir: opt.CacheDir = None
) -> None:
    """Removes all artefacts of this library."""
    store = _store(cache_dir)
    if not yes and not typer.confirm(f"Remove every artefact in {store.root}?"):
        raise typer.Exit(1)
    store.clear()
    sys.stdout.write(f"cleared {store.root}\n")


def _size(n: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"
