"""Every ``python`` block and every ``scenemaker`` line of README.md and docs/ is run, each file in its own folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scenemaker.assets import demo_masks, demo_photo

ROOT = Path(__file__).resolve().parents[1]
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLI = "from scenemaker.cli import main; main()"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line it starts at."""

    language: str
    text: str
    line: int


def blocks(text: str) -> list[Block]:
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 1) for m in FENCE.finditer(text)]


def commands(block: Block) -> list[list[str]]:
    """The ``scenemaker`` lines of a shell block, as arguments; comments and other commands are left out."""
    lines = block.text.replace("\\\n", " ").splitlines()
    told = [line.removeprefix("$ ") for line in lines]
    return [shlex.split(line, comments=True)[1:] for line in told if re.match(r"scenemaker\b", line)]


def run(args: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "XDG_CACHE_HOME": str(cwd / "cache"), "COLUMNS": "120"}
    return subprocess.run([sys.executable, *args], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def run_file(file: Path, cwd: Path) -> list[str]:
    """Runs a file's blocks in order and returns what went wrong."""
    wrong = []
    for block in blocks(file.read_text("utf-8")):
        if block.language == "python":
            done = run(["-W", "error", "-c", block.text], cwd)
            if done.returncode:
                wrong.append(f"{file.name}:{block.line}: {done.stderr}")
        elif block.language in ("bash", "sh", "console"):
            for args in commands(block):
                done = run(["-c", CLI, *args], cwd)
                if done.returncode:
                    wrong.append(f"{file.name}:{block.line}: scenemaker {shlex.join(args)}: {done.stderr}")
    return wrong


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as a reader has it: photo.jpg and masks.png."""
    shutil.copyfile(demo_photo(), tmp_path / "photo.jpg")
    shutil.copyfile(demo_masks(), tmp_path / "masks.png")
    return tmp_path


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_blocks_run(file: Path, folder: Path) -> None:
    assert run_file(file, folder) == []


def test_conventions_have_numbers() -> None:
    found = [b.text for b in blocks((ROOT / "docs" / "conventions.md").read_text("utf-8")) if b.language == "python"]
    assert len(found) >= 7 and all("assert " in text for text in found)


def test_the_runner_bites(folder: Path) -> None:
    file = folder / "made.md"
    file.write_text(
        "```python\nassert 1 + 1 == 3\n```\ntext\n```bash\npip install x\n$ scenemaker backends  # fine\n"
        "scenemaker dance\n```\n"
        "```text\nscenemaker dance\n```\n```python title\nimport warnings; warnings.warn('w')\n```\n"
    )
    wrong = run_file(file, folder)
    assert [w.partition(": ")[0] for w in wrong] == ["made.md:1", "made.md:5", "made.md:13"]
    assert "AssertionError" in wrong[0] and "scenemaker dance" in wrong[1] and "UserWarning" in wrong[2]


def test_long_commands_are_joined() -> None:
    (block,) = blocks("```bash\nscenemaker run a.jpg \\\n  -o 'my out'\n```\n")
    assert commands(block) == [["run", "a.jpg", "-o", "my out"]]
