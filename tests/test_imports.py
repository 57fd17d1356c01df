"""What starting up loads: nothing heavy, never torch, no warning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from scenemaker.testing import make_sample

HEAVY = ("torch", "scipy", "trimesh", "cv2", "embreex", "PIL", "skimage")


def loaded(code: str, cwd: Path, *flags: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running code."""
    tell = "sys.stderr.write('\\n' + json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    script = f"import sys, json\n{code}\n{tell}"
    env = {**os.environ, "XDG_CACHE_HOME": str(cwd / "cache")}
    done = subprocess.run(
        [sys.executable, *flags, "-c", script], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_import_is_light_and_silent(tmp_path: Path) -> None:
    modules = loaded("import scenemaker", tmp_path, "-W", "error")
    assert modules & {*HEAVY, "numpy", "pydantic"} == set()


def test_public_names_import_no_torch(tmp_path: Path) -> None:
    modules = loaded("from scenemaker import *", tmp_path, "-W", "error")
    assert "torch" not in modules


@pytest.mark.parametrize("command", [[], ["run"], ["segment"], ["demo"], ["cache"], ["doctor"]])
def test_help_is_light(tmp_path: Path, command: list[str]) -> None:
    code = f"""
from scenemaker.cli import main
sys.argv = ["scenemaker", *{command!r}, "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code
"""
    assert loaded(code, tmp_path) & {*HEAVY, "numpy"} == set()


def test_instant_runs_without_torch(tmp_path: Path) -> None:
    sample = make_sample(2)
    Image.fromarray(sample.photo.rgb).save(tmp_path / "photo.png")
    Image.fromarray(sample.instances.labels.astype("uint8")).save(tmp_path / "masks.png")
    code = """
class NoTorch:  # as where torch is not installed
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, NoTorch())
from scenemaker import ScenePipeline
with ScenePipeline.from_preset("instant", device="cpu", cache_dir=None) as pipe:
    scene = pipe("photo.png", masks="masks.png")
scene.export("scene.glb")
assert len(scene.placed) == 2
"""
    modules = loaded(code, tmp_path)
    assert modules & {"torch", "skimage", "trimesh"} == set()
    assert (tmp_path / "scene.glb").stat().st_size > 1000
