"""``scenemaker doctor``: what is installed, what is missing, and the line to type."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import Any

import typer

from scenemaker.cli import options as opt
from scenemaker.cli.state import STATE


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor")(doctor)


def doctor(as_json: opt.Json = False) -> None:
    """Checks this installation: packages, extras, devices, backends. Exit code 1 if `instant` cannot run."""
    STATE.json = as_json
    found = examine()
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        _print(found)
    if not found["instant_works"]:
        raise typer.Exit(1)


def examine() -> dict[str, Any]:
    """All that ``doctor`` prints, as JSON values."""
    from scenemaker.cache import default_cache_dir
    from scenemaker.cli.backends import backend_rows

    packages: dict[str, dict[str, str | None]] = {}
    for line in requires("scenemaker") or []:
        requirement, _, marker = line.partition(";")
        extra = marker.split("extra ==")[1].strip().strip("\"'") if "extra ==" in marker else "core"
        name = requirement.split(">")[0].split("=")[0].split("[")[0].strip()
        packages.setdefault(extra, {})[name] = _version(name)
    problems = [
        {"problem": f"{name} is missing", "type": "pip install scenemaker"}
        for name, v in packages["core"].items()
        if v is None
    ]
    if _version("opencv-python") and _version("opencv-python-headless"):
        problems.append(
            {
                "problem": "opencv-python and opencv-python-headless are both installed and overwrite each other",
                "type": "pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python-headless",
            }
        )
    backends = backend_rows()
    instant = [b for b in backends if b["needs"] and b.get("package", "").startswith("scenemaker ")]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "scenemaker": _version("scenemaker"),
        "packages": packages,
        "extras_missing": {
            extra: f'pip install "scenemaker[{extra}]"'
            for extra, found in packages.items()
            if extra != "core" and any(v is None for v in found.values())
        },
        "devices": _devices(),
        "blender": _blender(),
        "cache": str(default_cache_dir()),
        "backends": backends,
        "problems": problems,
        "instant_works": not problems and not instant,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> list[str]:
    devices = ["cpu"]
    if find_spec("torch") is not None:
        import torch  # pyright: ignore[reportMissingImports]

        if torch.cuda.is_available():
            devices += [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    return devices


def _blender() -> str | None:
    """The Python in which Blender renders, or None."""
    from scenemaker.data.render.blender import find_blender_python
    from scenemaker.errors import BackendNotInstalledError

    try:
        return str(find_blender_python())
    except BackendNotInstalledError:
        return None


def _print(found: dict[str, Any]) -> None:
    write = sys.stdout.write
    write(f"scenemaker {found['scenemaker']}, Python {found['python']}, {found['platform']}\n")
    write(f"devices: {', '.join(found['devices'])}\ncache: {found['cache']}\n")
    blender = found["blender"] or "not installed; for path-traced data type: scenemaker data blender"
    write(f"blender: {blender}\n\npackages\n")
    for extra, packages in found["packages"].items():
        listed = ", ".join(f"{n} {v or 'missing'}" for n, v in packages.items())
        write(f"  {extra:<14}{listed}\n")
        if extra in found["extras_missing"]:
            write(f"  {'':<14}type: {found['extras_missing'][extra]}\n")
    write("\nbackends\n")
    for b in found["backends"]:
        write(f"  {b['role'] + '.' + b['name']:<28}{'ready' if not b['needs'] else 'not ready: ' + b['needs']}\n")
    write("\n")
    for p in found["problems"]:
        write(f"problem: {p['problem']}\n  type: {p['type']}\n")
    write("the preset `instant` works here\n" if found["instant_works"] else "the preset `instant` cannot run here\n")
