"""What starting up loads: nothing heavy, never torch, no warning."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import scenemaker
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


@pytest.mark.parametrize(
    "command", [[], ["run"], ["segment"], ["demo"], ["cache"], ["doctor"], ["data"], ["data", "scenes"]]
)
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


RANK = {
    **{"errors": 0, "geometry": 1, "scene": 2, "editable": 2, "stages": 3},
    **{"config": 1, "cache": 1, "parallel": 1, "device": 1, "registry": 3, "inputs": 4, "artefacts": 6},
    **dict.fromkeys(("perception", "deocclusion", "generation", "pose"), 5),
    **{"export": 6, "evaluation": 6, "viewer": 7, "data": 7, "training": 8, "pipelines": 8, "cli": 9},
}


def test_imports_point_one_way() -> None:
    """geometry <- scene <- stages <- backends <- export, viewer <- pipelines <- cli; backends never import each other.

    ``Scene``'s own methods (load, save, export, replace) reach up lazily, so that users find them on the object.
    """
    root = Path(scenemaker.__file__).parent
    wrong = []
    for file in sorted(root.rglob("*.py")):
        home = file.relative_to(root).parts[0].removesuffix(".py")
        if home not in RANK or home == "editable":
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                parts = name.split(".")
                other = parts[1] if parts[0] == "scenemaker" and len(parts) > 1 else home
                upwards = RANK.get(other, -1) > RANK[home]
                sideways = RANK[home] == 5 and RANK.get(other) == 5 and other != home
                if upwards or sideways:
                    wrong.append(f"{file.relative_to(root)} imports {name}")
    assert not wrong, wrong
