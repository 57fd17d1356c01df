"""``scenemaker evaluate`` and ``scenemaker robustness``: what a user types, and what the answer is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from scenemaker.cli.app import app
from scenemaker.errors import ConfigError, InputError
from scenemaker.testing import make_sample


def run(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*map(str, args)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evaluate") / "gt"
    for name, n in (("a", 2), ("b", 1)):
        sample = make_sample(n, width=120, height=80)
        scene = sample.scene
        scene.amodal.update(sample.amodal)
        scene.save(root / name)
    return root


QUICK = ("-p", "midi", "-p", "layout", "--points", 256, "-j", 1)


def test_tables_page_and_numbers(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = run("evaluate", scenes, scenes, "-o", out, *QUICK)
    assert "MIDI" in text and "CD-S" in text and "2 scenes (2 ok, 0 missing, 0 failed); 3 objects, 0 missing" in text
    page = (out / "report.html").read_text()
    assert page.count("<img") >= 8 and "http://" not in page and "https://" not in page
    assert "CD-S" in (out / "report.md").read_text()
    data = json.loads((out / "results.json").read_text())
    assert [p["name"] for p in data["protocols"]] == ["midi@256", "layout@256", "pictures", "selfcheck"]
    assert [s["name"] for s in data["evaluations"]["prediction"]["scenes"]] == ["a", "b"]
    assert sorted(p.name for p in (out / "scenes").iterdir()) == ["a.json", "b.json"]


def test_missing_scenes_end_with_code_3(scenes: Path, tmp_path: Path) -> None:
    pred = tmp_path / "pred"
    shutil.copytree(scenes / "a", pred / "a")
    told = json.loads(run("evaluate", pred, scenes, *QUICK, "--json", code=3))
    states = {s["name"]: s["state"] for s in told["evaluations"]["prediction"]["scenes"]}
    assert states == {"a": "ok", "b": "missing"}
    assert told["command"].startswith("scenemaker")


def test_one_glb_against_one_folder(scenes: Path) -> None:
    told = json.loads(run("evaluate", scenes / "a/scene.glb", scenes / "a", "-p", "midi", "--points", 1024, "--json"))
    (scene,) = told["evaluations"]["prediction"]["scenes"]
    assert scene["state"] == "ok" and all(o["partner"] for o in scene["objects"])
    assert scene["scores"]["midi@1024"]["scene"]["f_s"] > 0.99


def test_without_ground_truth(scenes: Path) -> None:
    text = run("evaluate", scenes, "-j", 1)
    assert "Without ground truth" in text and "Mask IoU" in text and "CD-S" not in text


def test_pictures_are_compared_as_pictures(tmp_path: Path) -> None:
    for side in ("pred", "gt"):
        (tmp_path / side / "deep").mkdir(parents=True)
    rgba = np.full((40, 60, 4), 255, np.uint8)
    rgba[:, :30, 3] = 0
    half = rgba.copy()
    half[:, 45:, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "gt/deep/one.png")
    Image.fromarray(half).save(tmp_path / "pred/deep/one.png")
    for name in ("two", "three"):
        Image.fromarray(rgba[..., :3]).save(tmp_path / f"gt/{name}.png")
    Image.fromarray(rgba[:20, ..., :3]).save(tmp_path / "pred/two.jpg")
    told = json.loads(run("evaluate", tmp_path / "pred", tmp_path / "gt", "--json", code=3))
    scenes = {s["name"]: s for s in told["evaluations"]["prediction"]["scenes"]}
    assert {n: s["state"] for n, s in scenes.items()} == {"deep/one": "ok", "three": "missing", "two": "failed"}
    assert scenes["two"]["error"] == "expected a picture of 60x40; got 60x20; resize the prediction"
    found = scenes["deep/one"]["scores"]["completions"]["scene"]
    assert found["amodal_iou"] == 0.5 and found["psnr"] == 100 and found["ssim"] == 1  # white on white
    assert [m["key"] for m in told["protocols"][0]["measures"]] == ["psnr", "ssim", "amodal_iou"]


def test_protocols_are_listed_with_source_and_columns() -> None:
    text = run("evaluate", "--list")
    for name in ("layout", "midi-published", "iscene", "scenegen", "gen3dsr", "partcrafter", "sam3d"):
        assert f"\n{name}\n" in f"\n{text}"
    assert text.count("source: ") == text.count("\n  source: ") >= 13 and "is better" in text


def test_wrong_words_are_told(scenes: Path) -> None:
    with pytest.raises(ConfigError, match="expected a protocol; got 'midy'; choose from: layout, shape, midi"):
        run("evaluate", scenes, scenes, "-p", "midy")
    with pytest.raises(ConfigError, match="expected --match that exists; got 'colour'; choose from 'auto', 'id', "):
        run("evaluate", scenes, scenes, "--match", "colour")
    with pytest.raises(InputError, match=r"expected alexnet\* and alex\.\* in .*; got not both; put torchvision's"):
        run("evaluate", "--lpips", scenes, *_pictures(scenes.parent))


def _pictures(root: Path) -> tuple[Path, Path]:
    for side in ("p", "g"):
        (root / side).mkdir(exist_ok=True)
        Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(root / side / "x.png")
    return root / "p", root / "g"


def test_robustness_prints_a_row_per_case(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "robust"
    text = run(
        "robustness",
        scenes,
        "-o",
        out,
        "--meshes",
        "--perturb",
        "masks-eroded=2",
        "-p",
        "midi",
        "--points",
        256,
        "-j",
        1,
    )
    lines = [line for line in text.splitlines() if line.startswith(("clean", "masks-eroded=2"))]
    assert len(lines) >= 6 and (out / "report.html").is_file()
    assert (out / "masks-eroded=2/predictions/a/scene.json").is_file()
