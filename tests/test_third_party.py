"""The example package is built, installed beside us, and swapped in by name; bad packages break only themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scenemaker.testing import make_sample

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "third_party_backend"
CLI = "from scenemaker.cli import main; main()"


def python(*args: str, path: list[Path], cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "XDG_CACHE_HOME": str(cwd / "cache")}
    return subprocess.run([sys.executable, *args], env=env, cwd=cwd, capture_output=True, text=True, check=False)


def scenemaker(*args: str, path: list[Path], cwd: Path) -> subprocess.CompletedProcess[str]:
    return python("-c", CLI, *args, path=path, cwd=cwd)


def fake_package(folder: Path, name: str, entry: str, module: str = "", source: str = "") -> Path:
    """A package as pip leaves it: metadata with one entry point, and perhaps a module."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[scenemaker.generation]\n{entry}\n")
    if module:
        (folder / f"{module}.py").write_text(source)
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built from its pyproject.toml and installed by pip."""
    target = tmp_path_factory.mktemp("site")
    pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-compile"]
    done = python(*pip, "--disable-pip-version-check", "--target", str(target), str(EXAMPLE), path=[], cwd=target)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    sample = make_sample(2)
    Image.fromarray(sample.photo.rgb).save(tmp_path / "photo.png")
    Image.fromarray(sample.instances.labels.astype("uint8")).save(tmp_path / "masks.png")
    return tmp_path


def test_its_own_tests_pass(installed: Path, tmp_path: Path) -> None:
    done = python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests"), path=[installed], cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout and "skipped" not in done.stdout


def test_listed(installed: Path, tmp_path: Path) -> None:
    done = scenemaker("backends", "--json", path=[installed], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {(r["role"], r["name"]): r for r in json.loads(done.stdout)["backends"]}
    row = rows["generation", "voxel-blocks"]
    assert row["summary"] == "Objects built from blocks, rounder where the silhouette is wider."
    assert row["package"] == "scenemaker-voxel-blocks 0.1.0" and row["needs"] == ""
    assert row["options"] == {"resolution": "(24) Blocks along the longer side of an object."}
    assert ("generation", "relief") in rows


def test_swapped_in_by_name(installed: Path, inputs: Path) -> None:
    options = ["--generation", "voxel-blocks", "--set", "generation.resolution=8", "-o", "out"]
    done = scenemaker("run", "photo.png", "--masks", "masks.png", *options, path=[installed], cwd=inputs)
    assert done.returncode == 0, done.stderr
    scene = json.loads((inputs / "out" / "scene.json").read_text("utf-8"))
    made = next(s for s in scene["run"]["stages"] if s["stage"] == "generation")
    assert (made["backend"], made["config"], made["licence"]) == ("voxel-blocks", {"resolution": 8}, "Apache-2.0")
    from scenemaker import Scene

    heights = {v for o in Scene.load(inputs / "out").placed if o.mesh for v in o.mesh.vertices[:, 1].round(4)}
    assert 4 <= len(heights) <= 18  # blocks: few distinct heights; a relief has hundreds


def test_one_name_of_two_packages(installed: Path, inputs: Path) -> None:
    clash = fake_package(inputs / "clash", "clash", "voxel-blocks = clash_backend:Blocks")
    path = [installed, clash]
    args = ["run", "photo.png", "--masks", "masks.png", "--generation", "voxel-blocks", "-o", "out"]
    done = scenemaker(*args, path=path, cwd=inputs)
    assert done.returncode == 1
    assert done.stderr == (
        "error: expected one generation backend named 'voxel-blocks'; got two "
        "(scenemaker_voxel_blocks:VoxelBlocks, clash_backend:Blocks); uninstall one of the packages\n"
    )
    listed = scenemaker("backends", path=path, cwd=inputs)
    assert listed.returncode == 0 and "uninstall one of the packages" in listed.stdout


BROKEN = (
    "the generation backend 'broken' (broken_backend:Broken) does not import: RuntimeError: boom; "
    "mend or remove the package broken 1.0, or choose another: broken, relief"
)


@pytest.fixture
def broken(inputs: Path) -> Path:
    source = "raise RuntimeError('boom')\n"
    return fake_package(inputs / "site", "broken", "broken = broken_backend:Broken", "broken_backend", source)


def test_a_package_that_does_not_import_breaks_only_itself(broken: Path, inputs: Path) -> None:
    masks = ["photo.png", "--masks", "masks.png"]
    good = scenemaker("run", *masks, "-o", "good", "--to", "generation", path=[broken], cwd=inputs)
    assert good.returncode == 0, good.stderr
    bad = scenemaker("run", *masks, "-o", "bad", "--generation", "broken", path=[broken], cwd=inputs)
    assert (bad.returncode, bad.stderr) == (1, f"error: {BROKEN}\n")
    debug = scenemaker("--debug", "run", *masks, "-o", "bad", "--generation", "broken", path=[broken], cwd=inputs)
    assert debug.returncode != 0 and "broken_backend.py" in debug.stderr and "RuntimeError: boom" in debug.stderr


def test_what_is_broken_is_listed(broken: Path, inputs: Path) -> None:
    done = scenemaker("backends", "--json", path=[broken], cwd=inputs)
    assert done.returncode == 0, done.stderr
    rows: dict[Any, Any] = {r["name"]: r for r in json.loads(done.stdout)["backends"] if r["role"] == "generation"}
    assert rows["broken"]["needs"] == BROKEN and rows["relief"]["needs"] == ""
