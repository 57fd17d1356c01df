"""``scene.json`` against its schema: what we write, what datasets hold, and what must not pass."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from scenemaker import Scene
from scenemaker.errors import InputError
from scenemaker.pipelines.steps import StageInfo
from scenemaker.scene import PlacedObject
from scenemaker.schema import check_scene_json, scene_schema
from scenemaker.testing import box_mesh, make_sample

SCENES = Path(__file__).resolve().parents[2] / "shared" / "scenes"
STAGE = StageInfo(
    stage="pose", backend="fit", origin="computed", seconds=0.5, computed_seconds=0.5, peak_mib=200.0,
    peak_cuda_mib=None, licence="Apache-2.0", config={"n_yaws": 24}, version="1", key="k", digest="d",
)  # fmt: skip


def our_scene() -> Scene:
    """All that a scene can hold: a skipped and a flagged object, per-axis scale, a background, a run block."""
    scene = make_sample(4).scene
    first, second = scene.objects[1], scene.objects[2]
    assert first.pose is not None and second.pose is not None
    scene.objects[1] = replace(first, pose=replace(first.pose, scale=None), notices=("stretched",))
    scene.objects[2] = replace(second, status="flagged", label="ball")
    scene.objects[3] = PlacedObject(id=3, name="lost", mesh=None, pose=None, status="skipped", notices=("why",))
    scene.background = {"ground": box_mesh((4, 0.1, 4), (90, 90, 90))}
    scene.run = {"scenemaker": "0.1.0", "seed": 0, "stages": [asdict(STAGE)], "notices": ["n"], "scores": {}}
    return scene


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = our_scene().save(tmp_path_factory.mktemp("scene"))
    return json.loads((folder / "scene.json").read_text("utf-8"))


def test_the_schema_is_one() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(scene_schema())


def test_what_we_write(data: Any) -> None:
    check_scene_json(data)
    assert [o["status"] for o in data["objects"]] == ["ok", "flagged", "skipped", "ok"]


def test_early_form_of_datasets(data: Any) -> None:
    early = {k: v for k, v in data.items() if k not in ("depth_scale", "ground_cam", "background", "run")}
    keys = ("name", "label", "mesh", "R_cam_obj", "t_cam_obj", "size", "scale")
    early["objects"] = [{k: o[k] for k in keys} for o in data["objects"] if o["status"] != "skipped"]
    check_scene_json(early)


def test_scene_folders(tmp_path: Path) -> None:
    """One that we write, and the datasets that are at hand."""
    make_sample(3).scene.save(tmp_path)
    for file in [tmp_path / "scene.json", *sorted(SCENES.glob("*/scene.json"))]:
        check_scene_json(json.loads(file.read_text("utf-8")))


def put(path: str, value: Any) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        *way, last = [int(k) if k.isdigit() else k for k in path.split(".")]
        for key in way:
            data = data[key]
        data[last] = value

    return change


def drop(*keys: str) -> Callable[[Any], None]:
    return lambda data: [data.pop(k) for k in keys] and None


BROKEN: list[tuple[Callable[[Any], None], str]] = [
    (put("version", 2), "expected version as scene.schema.json says; got 1 was expected; mend scene.json"),
    (drop("K"), "expected scene.json as scene.schema.json says; got 'K' is a required property; mend scene.json"),
    (put("K", [[1, 0], [0, 1]]), "expected K as"),
    (put("depth_scale", "feet"), "expected depth_scale as"),
    (put("objects.0.mesh", "../../etc/passwd.glb"), "expected objects.0.mesh as"),
    (put("objects.0.mesh", "/etc/passwd.glb"), "expected objects.0.mesh as"),
    (put("objects.0.R_cam_obj", None), "expected objects.0.R_cam_obj as"),
    (put("objects.2.t_cam_obj", [0, 0, 1]), "expected objects.2.t_cam_obj as"),
    (put("objects.0.scale", 0), "expected objects.0.scale as"),
    (put("objects.0.pose", {}), "expected objects.0 as"),
    (put("objects.0.id", 0), "expected objects.0.id as"),
    (put("objects.1.id", 1), "expected ids that differ; got [1, 1, 3, 4]; give every object its own id"),
    (put("run.stages.0.stage", "dream"), "expected run.stages.0.stage as"),
]


@pytest.mark.parametrize(("change", "text"), BROKEN)
def test_broken(data: Any, change: Callable[[Any], None], text: str) -> None:
    broken = copy.deepcopy(data)
    change(broken)
    with pytest.raises(InputError) as error:
        check_scene_json(broken)
    assert str(error.value).startswith(text)
