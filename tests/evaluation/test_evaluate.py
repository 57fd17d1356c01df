"""The runner: one scene or many, in parallel, resumed, with everything that is wrong counted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from scenemaker.errors import ConfigError, InputError
from scenemaker.evaluation.evaluate import Evaluation, Job, Settings, evaluate, evaluate_scene
from scenemaker.evaluation.kept import files_read, key_of
from scenemaker.evaluation.results import SceneResult
from scenemaker.testing import make_sample

QUICK = Settings(protocols=("midi",), points=512)


def made(root: Path, *names: str, objects: int = 2) -> Path:
    """A tree of scene folders, all of the same made scene."""
    sample = make_sample(objects, width=96, height=64)
    scene = sample.scene
    scene.amodal.update(sample.amodal)
    for name in names:
        scene.save(root / name)
    return root


def f_s(evaluation: Evaluation) -> list[float | None]:
    return [r.scores["midi@512"].scene["f_s"] if r.scores else None for r in evaluation.results]


def test_the_ground_truth_itself_is_perfect(tmp_path: Path) -> None:
    gt = made(tmp_path / "gt", "only") / "only"
    (result,) = evaluate(gt, gt, settings=QUICK).results
    assert result.state == "ok" and result.error is None and result.extra == ()
    assert [o.partner for o in result.objects] == ["object_1", "object_2"]
    assert [o.status for o in result.objects] == ["ok", "ok"]
    assert result.scores["midi@512"].scene["f_s"] > 0.99
    assert result.selfcheck is not None and result.selfcheck["mask_iou"] > 0.99
    assert result.images is not None and result.images["amodal_iou"] == 1
    assert SceneResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_what_is_wrong_is_counted_and_the_others_are_unharmed(tmp_path: Path) -> None:
    gt = made(tmp_path / "gt", "a/0", "a/1", "b/0", "c")
    pred = made(tmp_path / "pred", "a/0", "a/1", "b/0", "extra")
    (pred / "a/1/scene.json").write_text("{broken")
    (pred / "b/0/objects").rename(pred / "b/0/gone")
    done = evaluate(pred, gt, tmp_path / "out", QUICK)
    states = {r.name: r.state for r in done.results}
    assert states == {"a/0": "ok", "a/1": "failed", "b/0": "ok", "c": "missing"}
    assert done.unmatched == ("extra",)
    by_name = {r.name: r for r in done.results}
    assert by_name["a/0"].scores["midi@512"].scene["f_s"] > 0.99
    assert "scene.json" in (by_name["a/1"].error or "")
    assert len(by_name["a/1"].objects) == len(by_name["c"].objects) == 2  # known, and missing
    assert [o.status for o in by_name["b/0"].objects] == ["failed", "failed"]
    assert by_name["b/0"].scores["midi@512"].scene["f_s"] == 0


def test_a_damaged_ground_truth_is_nobodys_fault(tmp_path: Path) -> None:
    gt, pred = made(tmp_path / "gt", "a", "b"), made(tmp_path / "pred", "a", "b")
    next((gt / "a/objects").iterdir()).write_bytes(b"not a mesh")
    first, second = evaluate(pred, gt, settings=QUICK).results
    assert first.state == "unusable" and first.error is not None and "object_" in first.error
    assert second.state == "ok"


def test_one_broken_measure_costs_that_measure_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gt = made(tmp_path / "gt", "a")

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("scenemaker.evaluation.protocols.shape.Shape.__call__", broken)
    settings = Settings(protocols=("shape", "midi"), points=512)
    (result,) = evaluate(gt, gt, settings=settings).results
    assert result.state == "ok" and list(result.scores) == ["midi@512"]
    assert "shape@512: ZeroDivisionError: a defect" in result.notices


@pytest.mark.parametrize("where", [[1e40, 0, 1], [1e9, 0, 1]])
def test_an_object_out_of_this_world_costs_that_object_alone(tmp_path: Path, where: list[float]) -> None:
    gt, pred = made(tmp_path / "gt", "a"), made(tmp_path / "pred", "a")
    data = json.loads((pred / "a/scene.json").read_text())
    data["objects"][0]["t_cam_obj"] = where
    (pred / "a/scene.json").write_text(json.dumps(data))
    settings = Settings(protocols=("layout",), points=512)
    (result,) = evaluate(pred, gt, settings=settings).results
    assert result.selfcheck is not None and result.images is not None and result.selfcheck["skipped"] == [1]
    lost, kept = result.scores["layout@512"].objects
    assert result.state == "ok" and (lost is None or lost["iou_obb"] == 0)
    assert kept is not None and kept["rotation_deg"] is not None and kept["rotation_deg"] < 1e-3


def test_finished_scenes_are_taken_up_again_and_changes_are_seen(tmp_path: Path) -> None:
    gt, pred, out = made(tmp_path / "gt", "a", "b"), made(tmp_path / "pred", "a", "b"), tmp_path / "out"
    first = evaluate(pred, gt, out, QUICK)
    assert (first.computed, evaluate(pred, gt, out, QUICK).computed) == (2, 0)
    assert evaluate(pred, gt, out, QUICK).results == first.results
    made(pred, "b", objects=1)  # another prediction under the same name
    again = evaluate(pred, gt, out, QUICK)
    assert again.computed == 1 and again.results[0] == first.results[0] and again.results[1] != first.results[1]
    assert evaluate(pred, gt, out, QUICK, fresh=True).computed == 2
    assert evaluate(pred, gt, out, QUICK.model_copy(update={"seed": 1})).computed == 2
    (out / "scenes/a.json").write_text('{"key": ')  # killed while writing would not leave this, an editor may
    assert evaluate(pred, gt, out, QUICK).computed == 2  # a is made again, and b was of another seed


def test_a_moved_tree_is_not_computed_again_and_told_where_it_is(tmp_path: Path) -> None:
    gt, pred, out = made(tmp_path / "gt", "a"), made(tmp_path / "pred", "a"), tmp_path / "out"
    evaluate(pred, gt, out, QUICK)
    moved = evaluate(shutil.move(pred, tmp_path / "elsewhere"), gt, out, QUICK)
    assert moved.computed == 0 and moved.results[0].pred == str(tmp_path / "elsewhere/a")


def test_meshes_beside_the_usual_folder_and_buffers_beside_a_gltf_are_seen_to_change(tmp_path: Path) -> None:
    gt, pred, out = made(tmp_path / "gt", "a"), made(tmp_path / "pred", "a"), tmp_path / "out"
    (pred / "a/objects").rename(pred / "a/shapes")
    text = (pred / "a/scene.json").read_text()
    (pred / "a/scene.json").write_text(text.replace("objects/", "shapes/"))
    assert [evaluate(pred, gt, out, QUICK).computed for _ in range(2)] == [1, 0]
    first, second = sorted((pred / "a/shapes").iterdir())
    first.write_bytes(second.read_bytes())
    assert evaluate(pred, gt, out, QUICK).computed == 1

    import trimesh

    box = trimesh.creation.box((1, 2, 3))
    for name, data in trimesh.Scene([box]).export(file_type="gltf").items():
        (tmp_path / name).write_bytes(data)
    files = list(files_read(tmp_path / "model.gltf"))
    assert [f.suffix for f in files][:2] == [".gltf", ".bin"]
    key = key_of("a", QUICK, tmp_path / "model.gltf")
    files[1].write_bytes(files[1].read_bytes()[::-1])
    assert key is not None and key_of("a", QUICK, tmp_path / "model.gltf") != key


def test_a_file_that_cannot_be_read_is_that_scenes_failure(tmp_path: Path) -> None:
    gt, pred, out = made(tmp_path / "gt", "a", "b"), made(tmp_path / "pred", "a", "b"), tmp_path / "out"
    mesh = next((pred / "a/objects").iterdir())
    mesh.unlink()
    mesh.symlink_to(tmp_path / "nowhere.glb")
    first, second = evaluate(pred, gt, out, QUICK).results
    assert [o.status for o in first.objects] != ["ok", "ok"] and [o.status for o in second.objects] == ["ok", "ok"]


def test_processes_change_nothing(tmp_path: Path) -> None:
    names = [f"{i:02d}" for i in range(4)]
    gt, pred = made(tmp_path / "gt", *names), made(tmp_path / "pred", *names[:3])
    steps: list[tuple[int, int]] = []
    alone = evaluate(pred, gt, settings=QUICK)
    together = evaluate(pred, gt, settings=QUICK, workers=2, progress=lambda done, total: steps.append((done, total)))
    assert [r.to_dict() | {"seconds": 0} for r in alone.results] == [
        r.to_dict() | {"seconds": 0} for r in together.results
    ]
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    names = [f"{i:02d}" for i in range(12)]
    gt, out = made(tmp_path / "gt", *names), tmp_path / "out"
    code = f"""
from scenemaker.evaluation.evaluate import Settings, evaluate
evaluate({str(gt)!r}, {str(gt)!r}, {str(out)!r}, Settings(protocols=("midi",), points=512))
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    while len(list((out / "scenes").glob("*.json"))) < 2:
        assert process.poll() is None or len(list((out / "scenes").glob("*.json"))) >= 2
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = len(list((out / "scenes").glob("*.json")))
    done = evaluate(gt, gt, out, QUICK)
    assert done.computed == len(names) - kept
    assert all(f is not None and f > 0.99 for f in f_s(done)) and len(done.results) == len(names)


def test_without_ground_truth_there_are_the_scores_that_need_none(tmp_path: Path) -> None:
    pred = made(tmp_path / "pred", "a", "b")
    done = evaluate(pred, None, settings=QUICK)
    assert [(r.name, r.gt, r.scores) for r in done.results] == [("a", "", {}), ("b", "", {})]
    assert all(r.selfcheck is not None and r.selfcheck["mask_iou"] > 0.99 for r in done.results)
    assert done.protocols == ()


def test_a_defect_in_one_scene_is_that_scenes_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gt = made(tmp_path / "gt", "a")

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("scenemaker.evaluation.evaluate.make_pair", broken)
    result = evaluate_scene(Job("a", gt / "a", gt / "a"), QUICK)
    assert (result.state, result.error) == ("failed", "ZeroDivisionError: a defect")


def test_nothing_to_evaluate_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected scene folders or GLB files; got none in"):
        evaluate(tmp_path, None)
    with pytest.raises(ConfigError) as error:
        gt = made(tmp_path / "gt", "a")
        evaluate(gt, gt, settings=Settings(protocols=("midy",)))
    assert "expected a protocol; got 'midy'" in str(error.value)


def test_results_are_plain_numbers(tmp_path: Path) -> None:
    gt = made(tmp_path / "gt", "a")
    (result,) = evaluate(gt, gt, settings=QUICK).results
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert np.isfinite(json.loads(text)["seconds"])
