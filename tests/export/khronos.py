"""The Khronos glTF validator for tests: ``validate(*paths)`` gives one report per file."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[1] / "tools"


def validate(*paths: Path) -> list[dict[str, Any]]:
    """{file, errors, warnings, infos, messages} per file; fails the test where the validator is not installed."""
    node = shutil.which("node")
    if node is None or not (TOOLS / "node_modules" / "gltf-validator").is_dir():
        missing = "Node.js (https://nodejs.org)" if node is None else "the package gltf-validator"
        pytest.fail(f"expected {missing} for the glTF validator; got none; type: npm ci --prefix tests/tools")
    command = [node, str(TOOLS / "validate_glb.js"), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(reports) == len(paths), done.stderr
    return reports


def assert_valid(*paths: Path) -> None:
    """No errors and no warnings in any file."""
    for report in validate(*paths):
        assert report["errors"] == report["warnings"] == 0, report
