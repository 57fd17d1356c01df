"""Robustness runs: the same scenes under worse masks and depth, one row each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenemaker.config import build_config
from scenemaker.editable import Scene
from scenemaker.errors import ConfigError, InputError
from scenemaker.evaluation.evaluate import Settings
from scenemaker.pipelines.robustness import Case, robustness
from scenemaker.testing import make_sample

QUICK = Settings(protocols=("midi",), points=256, match="id", pictures=False, selfcheck=False)
CONFIG = build_config("instant", {"device": "cpu"})


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("robust") / "gt"
    for name, n in (("a", 2), ("b", 3)):
        sample = make_sample(n, width=160, height=120)
        scene = sample.scene
        scene.amodal.update(sample.amodal)
        scene.save(root / name)
    return root


def test_each_case_is_predicted_evaluated_and_kept(scenes: Path, tmp_path: Path) -> None:
    cases = [Case(), Case.parse("depth-scaled=2"), Case.parse("masks-eroded")]
    found, failed = robustness(scenes, tmp_path, cases, CONFIG, QUICK, meshes=True)
    assert list(found) == ["clean", "depth-scaled=2", "masks-eroded=1"] and failed == {}
    midi = {k: [r.scores["midi@256"].scene["cd_s"] for r in v.results] for k, v in found.items()}
    assert all(len(v) == 2 and None not in v for v in midi.values())
    clean = Scene.load(tmp_path / "clean/predictions/a")
    scaled = Scene.load(tmp_path / "depth-scaled=2/predictions/a")
    ratio = scaled.objects[1].pose.t_cam_obj[2] / clean.objects[1].pose.t_cam_obj[2]  # pyright: ignore
    assert abs(np.log(ratio)) == pytest.approx(0.15, abs=0.03)
    eroded = Scene.load(tmp_path / "masks-eroded=1/predictions/a")
    assert ((eroded.labels > 0).sum() < (clean.labels > 0).sum()) and set(np.unique(eroded.labels)) <= {0, 1, 2}
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("predictions/*/scene.json")}
    again, _ = robustness(scenes, tmp_path, cases, CONFIG, QUICK, meshes=True)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("predictions/*/scene.json")} == stamps
    assert [v.computed for v in again.values()] == [0, 0, 0]
    other, _ = robustness(scenes, tmp_path, cases[:1], CONFIG, QUICK, meshes=False)  # another setting is another run
    assert other["clean"].computed == 2


def test_a_scene_on_which_the_pipeline_fails_counts_as_missing(scenes: Path, tmp_path: Path) -> None:
    import shutil

    gt = Path(shutil.copytree(scenes, tmp_path / "gt"))
    (gt / "b/labels.png").write_bytes((gt / "a/labels.png").read_bytes())
    import cv2

    cv2.imwrite(str(gt / "b/labels.png"), np.zeros((120, 160), np.uint8))
    found, failed = robustness(gt, tmp_path / "out", [Case()], CONFIG, QUICK, meshes=True)
    assert list(failed) == ["clean/b"] and failed["clean/b"]
    assert [r.state for r in found["clean"].results] == ["ok", "missing"]
    assert len(found["clean"].results[1].objects) == 3


def test_a_case_is_typed_as_it_is_shown() -> None:
    assert [Case.parse(t).name for t in ("clean", "both", "both=2")] == ["clean", "both=1", "both=2"]
    for wrong in ("fog", "both=0", "both=x", "clean=1"):
        with pytest.raises(ConfigError) as error:
            Case.parse(wrong)
        assert str(error.value) == (
            f"expected a perturbation; got '{wrong}'; choose clean or one of masks-eroded, masks-dilated, "
            "masks-broken, depth-scaled, depth-noisy, depth-holes, both, with =LEVEL from 1"
        )


def test_no_scenes_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected ground-truth scene folders; got none in"):
        robustness(tmp_path, tmp_path / "out", [Case()], CONFIG)
