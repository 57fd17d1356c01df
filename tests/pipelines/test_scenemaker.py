"""The pipeline with tiny backends: order, cache, what a change recomputes, hand edits, failures, resuming."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenemaker import Scene, ScenePipeline
from scenemaker.artefacts import read_png, write_png
from scenemaker.config import STAGES
from scenemaker.errors import ConfigError, InputError, NoObjectsError, OutputError, StageError
from scenemaker.pipelines.steps import ProgressEvent
from scenemaker.scene import Instances, ObjectFailure
from scenemaker.testing.samples import make_sample
from scenemaker.testing.tiny import (
    TinyDeoccluder,
    TinyDepth,
    TinyGenerator,
    TinyModel,
    TinyPose,
    TinySegmenter,
)

SAMPLE = make_sample(3, width=150, height=100)
TINY = {
    "segmentation": TinySegmenter,
    "depth": TinyDepth,
    "deocclusion": TinyDeoccluder,
    "generation": TinyGenerator,
    "pose": TinyPose,
}
SAME_BYTES = ("*.glb", "*.png", "*.npy", "*.npz")


def pipeline(cache: Path, progress: Any = None, **swap: Any) -> ScenePipeline:
    plain = {k: v for k, v in swap.items() if k in ("seed", "compose", "residency", "dtype", "view_px")}
    return ScenePipeline.from_preset(
        cache_dir=cache, progress=progress, **plain, **{**TINY, **{k: v for k, v in swap.items() if k not in plain}}
    )


def run(pipe: ScenePipeline, **given: Any) -> Any:
    return pipe.run(SAMPLE.photo.rgb, **{"masks": SAMPLE.instances.labels, **given})


def origins(result: Any) -> dict[str, str]:
    return {i.stage: i.origin for i in result.stages}


def computed(result: Any) -> list[str]:
    return [i.stage for i in result.stages if i.origin == "computed"]


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for pattern in SAME_BYTES
        for p in folder.rglob(pattern)
        if "edited" not in p.as_posix()
    }


def test_stages_run_in_order_and_say_so(tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    result = run(pipeline(tmp_path / "cache", events.append))
    assert [e.stage for e in events if e.state == "start"] == list(STAGES)
    assert [(e.state, e.index, e.total) for e in events[:2]] == [("start", 0, 7), ("done", 0, 7)]
    assert computed(result) == list(STAGES)
    assert all(i.seconds >= 0 and i.peak_mib > 10 and i.peak_cuda_mib is None for i in result.stages)
    assert [o.id for o in result.scene.placed] == [1, 2, 3] and not result.failures


def test_a_second_run_computes_nothing_and_gives_the_same_bytes(tmp_path: Path) -> None:
    first = run(pipeline(tmp_path / "cache"), out=tmp_path / "a")
    again = run(pipeline(tmp_path / "cache"), out=tmp_path / "b")
    here = run(pipeline(tmp_path / "cache"), out=tmp_path / "a")
    assert computed(again) == [] and set(origins(again).values()) == {"cache"}
    assert computed(here) == [] and set(origins(here).values()) == {"run folder", "cache"}  # compose is in the cache
    fresh = run(pipeline(tmp_path / "cache2"), out=tmp_path / "c")
    assert computed(fresh) == computed(first) == list(STAGES)
    a, b, c = files(tmp_path / "a"), files(tmp_path / "b"), files(tmp_path / "c")
    assert len(a) > 20 and a == b == c


@pytest.mark.parametrize(
    ("swap", "given", "expected"),
    [
        ({"depth": TinyDepth(TinyDepth.Config(depth=2.0))}, {}, STAGES[2:]),
        ({"generation": TinyGenerator(TinyGenerator.Config(thickness=0.7))}, {}, STAGES[4:]),
        ({"compose": {"background": "none"}}, {}, STAGES[6:]),
        ({}, {"known_size": {1: 0.5}}, STAGES[6:]),
        ({"seed": 7}, {}, STAGES[3:]),
        ({}, {"masks": np.where(SAMPLE.instances.labels == 3, 0, SAMPLE.instances.labels)}, STAGES[1:]),
        ({}, {"K": [[200, 0, 75], [0, 200, 50], [0, 0, 1]]}, STAGES),
    ],
)
def test_a_change_recomputes_exactly_what_follows(tmp_path: Path, swap: Any, given: Any, expected: Any) -> None:
    run(pipeline(tmp_path))
    changed = run(pipeline(tmp_path, **swap), **given)
    untouched = [s for s in STAGES if s not in expected]
    assert [s for s, o in origins(changed).items() if o == "cache"][: len(untouched)] == untouched
    assert computed(changed)[:1] == [expected[0]]
    assert computed(run(pipeline(tmp_path, **swap), **given)) == []


def test_the_seed_changes_only_what_depends_on_the_draw(tmp_path: Path) -> None:
    run(pipeline(tmp_path))
    other = run(pipeline(tmp_path, seed=7))
    assert {"photo", "segmentation", "depth"} == {s for s, o in origins(other).items() if o == "cache"}


def test_a_stage_is_swapped_by_class_object_and_name(tmp_path: Path) -> None:
    class Upside(TinyPose):
        """Turns everything over."""

        version = "2"

    result = run(pipeline(tmp_path, pose=Upside))
    assert result.stages[5].backend == "Upside"
    named = ScenePipeline.from_preset(cache_dir=tmp_path, **{**TINY, "segmentation": "masks"})
    assert run(named).stages[1].backend == "masks"
    with pytest.raises(ConfigError, match="expected a pose backend with the method estimate_poses"):
        pipeline(tmp_path, pose=TinyDepth()).run(SAMPLE.photo.rgb)


def test_a_backend_that_cannot_be_identified_is_never_taken_from_the_cache(tmp_path: Path) -> None:
    class Nameless:
        def generate(self, views: Any, *, seed: int) -> Any:
            return TinyGenerator().generate(views, seed=seed)

    for _ in range(2):
        assert "generation" in computed(run(pipeline(tmp_path, generation=Nameless())))


def test_a_mask_edited_by_hand_is_kept_and_used(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(pipeline(tmp_path / "cache"), out=out)
    path = out / "stages" / "segmentation" / "labels.png"
    labels = read_png(path)
    edited = np.where(labels == 2, 0, labels)
    edited[:12, :12] = 9
    write_png(path, edited)
    result = run(pipeline(tmp_path / "cache"), out=out)
    assert origins(result)["segmentation"] == "edited by hand"
    assert computed(result) == list(STAGES[2:])
    assert sorted(result.scene.objects) == [1, 3, 9] and result.scene.objects[9].name == "object_9"
    assert "segmentation: result edited by hand" in result.notices
    assert np.array_equal(read_png(path), edited)


def test_an_edit_whose_input_changed_is_put_aside_not_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "out"
    run(pipeline(tmp_path / "cache"), out=out)
    path = out / "stages" / "depth" / "depth.npy"
    np.save(path, np.load(path) * 2)
    result = run(pipeline(tmp_path / "cache"), out=out, masks=SAMPLE.instances.labels.clip(0, 2))
    assert origins(result)["depth"] == "computed"
    assert np.allclose(np.load(out / "stages" / "depth.edited-1" / "depth.npy"), np.load(path) * 2, equal_nan=True)
    assert "depth was edited by hand" in caplog.text


def test_one_stage_is_redone_in_a_run_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(pipeline(tmp_path / "cache"), out=out)
    redone = pipeline(tmp_path / "cache").run(None, out=out, start="generation", stop="generation")
    assert redone.scene is None and [i.stage for i in redone.stages] == list(STAGES[:5])
    assert origins(redone) == {**dict.fromkeys(STAGES[:4], "run folder"), "generation": "computed"}
    with pytest.raises(InputError, match="expected a finished stage 'photo' to go on from; got no photo in"):
        pipeline(tmp_path / "cache").run(None, out=tmp_path / "empty", start="depth")
    with pytest.raises(ConfigError, match="expected start to be a stage; got 'mesh'; choose: photo, segmentation"):
        run(pipeline(tmp_path / "cache"), start="mesh")


def test_a_failed_object_ends_the_run_or_is_skipped(tmp_path: Path) -> None:
    failing = TinyGenerator(TinyGenerator.Config(fail_ids=(2,)))
    with pytest.raises(StageError, match="generation .* failed on object 2: ") as caught:
        run(pipeline(tmp_path, generation=failing))
    assert (caught.value.stage, caught.value.object_id) == ("generation", 2)
    result = run(pipeline(tmp_path, generation=failing), on_object_error="skip", out=tmp_path / "out")
    assert [f.id for f in result.failures] == [2] and [o.id for o in result.scene.placed] == [1, 3]
    alone = run(pipeline(tmp_path / "other"))
    for id in (1, 3):
        assert np.array_equal(result.scene.objects[id].mesh.vertices, alone.scene.objects[id].mesh.vertices)
    data = json.loads((tmp_path / "out" / "scene.json").read_text())
    assert [o["status"] for o in data["objects"]] == ["ok", "skipped", "ok"]
    assert data["objects"][1]["R_cam_obj"] is None and data["objects"][1]["mesh"] is None
    again = run(pipeline(tmp_path, generation=failing), on_object_error="skip")
    assert [f.id for f in again.failures] == [2] and computed(again) == []
    with pytest.raises(StageError, match="on_object_error"):  # a cached failure still ends a run that wants none
        run(pipeline(tmp_path, generation=failing))


@pytest.mark.parametrize("stage", ["deocclusion", "generation", "pose"])
def test_when_every_object_fails_the_run_fails(tmp_path: Path, stage: str) -> None:
    failing = TINY[stage](TINY[stage].Config(fail_ids=(1, 2, 3)))
    with pytest.raises(NoObjectsError, match="expected at least one object that could be placed"):
        run(pipeline(tmp_path, **{stage: failing}), on_object_error="skip")


def test_a_backend_that_breaks_or_returns_nonsense_is_named(tmp_path: Path) -> None:
    class Breaks(TinyDepth):
        def estimate(self, *args: Any, **kw: Any) -> Any:
            raise RuntimeError("no luck")

    with pytest.raises(StageError, match="depth .Breaks. failed: RuntimeError: no luck") as caught:
        run(pipeline(tmp_path, depth=Breaks))
    assert isinstance(caught.value.__cause__, RuntimeError)

    class Loses(TinyPose):
        def estimate_poses(self, *args: Any, **kw: Any) -> Any:
            return [ObjectFailure(id=1, error="x")]

    with pytest.raises(StageError, match=r"expected one result per object, ids \[1, 2, 3\]; got \[1\]"):
        run(pipeline(tmp_path, pose=Loses))


def test_no_objects_is_an_error(tmp_path: Path) -> None:
    class Blind(TinySegmenter):
        def segment(self, photo: Any, prompts: Any) -> Any:
            return Instances(labels=np.zeros(photo.rgb.shape[:2], np.uint16), items=())

    with pytest.raises(NoObjectsError, match="expected at least one object; got none; give --masks or --box"):
        run(pipeline(tmp_path, segmentation=Blind))


def test_known_size_makes_the_scene_metric_and_changes_no_pixel(tmp_path: Path) -> None:
    plain = run(pipeline(tmp_path)).scene
    metric = run(pipeline(tmp_path), known_size={2: 0.45}).scene
    assert (plain.scale_kind, metric.scale_kind) == ("relative", "metric")
    assert metric.objects[2].pose.size.max() == pytest.approx(0.45)
    k = 0.45 / plain.objects[2].pose.size.max()
    np.testing.assert_allclose(metric.objects[1].pose.t_cam_obj, plain.objects[1].pose.t_cam_obj * k)
    np.testing.assert_allclose(metric.depth, plain.depth * np.float32(k), rtol=1e-5)
    assert (metric.render() != plain.render()).any(-1).mean() < 0.002
    with pytest.raises(InputError, match="expected known_size of a placed object; got id 8; the ids are: 1, 2, 3"):
        run(pipeline(tmp_path), known_size={8: 1.0})
    with pytest.raises(InputError, match="expected a size in metres above 0; got 0"):
        run(pipeline(tmp_path), known_size={1: 0})


def test_own_meshes_are_posed_and_nothing_else_is_made(tmp_path: Path) -> None:
    mesh = make_sample(1).geometries[0].mesh
    asked: list[int] = []

    class Watch(TinyGenerator):
        def generate(self, views: Any, *, seed: int) -> Any:
            asked.extend(v.id for v in views)
            return super().generate(views, seed=seed)

    result = run(pipeline(tmp_path, generation=Watch), meshes={2: mesh})
    assert asked == [1, 3]
    own = result.scene.objects[2]
    np.testing.assert_allclose(own.mesh.extents.max(), 1.0, rtol=1e-5)
    assert own.S_obj_mesh is not None and result.scene.objects[1].S_obj_mesh is None
    with pytest.raises(InputError):
        run(pipeline(tmp_path), meshes={7: mesh})


def test_models_move_by_policy(tmp_path: Path) -> None:
    for policy, moves in (("keep", ["cpu"]), ("offload", ["cpu", "cpu"])):
        model = TinyModel()
        with pipeline(tmp_path / policy, generation=model, residency=policy) as pipe:
            run(pipe)
            assert [m[0] for m in model.moves] == moves
        assert model.moves[-1][0] == "cpu"


def test_the_pipeline_is_reusable_and_its_temporary_cache_goes(tmp_path: Path) -> None:
    with ScenePipeline.from_preset(cache_dir=None, **TINY) as pipe:
        root = pipe.store.root
        scenes = [pipe(SAMPLE.photo.rgb, masks=SAMPLE.instances.labels), pipe(make_sample(2).photo)]
        assert root.exists() and len(scenes[0].placed) == 3
        assert scenes[1].camera.width == 192
    assert not root.exists()
    assert scenes[0].render().shape == (100, 150, 3)  # a scene outlives its pipeline


@pytest.mark.parametrize("stage", STAGES)
def test_killed_in_any_stage_it_resumes_to_the_same_bytes(tmp_path: Path, stage: str) -> None:
    whole = tmp_path / "whole"
    run(pipeline(tmp_path / "cache-whole"), out=whole)
    np.save(tmp_path / "rgb.npy", SAMPLE.photo.rgb)
    np.save(tmp_path / "labels.npy", SAMPLE.instances.labels)
    code = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        import numpy as np
        from scenemaker import ScenePipeline, artefacts, cache
        from scenemaker.testing import tiny
        work, stage, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
        if how == "kill":
            real = cache.folder_digest
            def at_the_end_of_writing(folder):
                if "-" in folder.name and (folder.parent.name == "tmp") and STAGE == stage:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(folder)
            cache.folder_digest = at_the_end_of_writing
        STAGE = ""
        def progress(event):
            global STAGE
            STAGE = event.stage
        pipe = ScenePipeline.from_preset(cache_dir=work / "cache", progress=progress, segmentation=tiny.TinySegmenter,
            depth=tiny.TinyDepth, deocclusion=tiny.TinyDeoccluder, generation=tiny.TinyGenerator, pose=tiny.TinyPose)
        result = pipe.run(np.load(work / "rgb.npy"), masks=np.load(work / "labels.npy"), out=work / "out")
        print(sum(i.origin == "computed" for i in result.stages))
        """
    )
    command = [sys.executable, "-c", code, str(tmp_path), stage]
    assert subprocess.run([*command, "kill"], check=False).returncode == -9
    assert not (tmp_path / "out" / "scene.json").exists()
    done = subprocess.run([*command, "go"], check=True, capture_output=True, text=True)
    assert int(done.stdout) == len(STAGES) - STAGES.index(stage)
    assert files(tmp_path / "out") == files(whole)


def test_ctrl_c_leaves_finished_stages_and_no_litter(tmp_path: Path) -> None:
    class Slow(TinyPose):
        def estimate_poses(self, *args: Any, **kw: Any) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pipeline(tmp_path / "cache", pose=Slow), out=tmp_path / "out")
    assert not list(tmp_path.rglob(".tmp-*")) and not list((tmp_path / "cache" / "tmp").iterdir())
    assert computed(run(pipeline(tmp_path / "cache"), out=tmp_path / "out")) == ["pose", "compose"]


@pytest.mark.parametrize("where", ["cache", "out"])
def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Any, target: Any, **_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if where == "cache":
            patch.setattr("scenemaker.artefacts.save_poses", full)
        else:
            patch.setattr("shutil.copyfile", full)
        with pytest.raises(OutputError, match="the disk is full; free some space or choose another folder, then type"):
            run(pipeline(tmp_path / "cache"), out=tmp_path / "out")
    assert not list(tmp_path.rglob(".tmp-*")) and not list((tmp_path / "cache" / "tmp").iterdir())
    kept = list(STAGES[: 5 if where == "cache" else 1])
    assert computed(run(pipeline(tmp_path / "cache"), out=tmp_path / "out")) == [s for s in STAGES if s not in kept]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="expected a writable folder at .*file"):
        run(pipeline(tmp_path / "cache"), out=blocked / "out")


def test_many_objects(tmp_path: Path) -> None:
    labels = np.zeros((120, 180), np.uint16)
    for n in range(300):
        labels[(n // 20) * 8 : (n // 20) * 8 + 6, (n % 20) * 9 : (n % 20) * 9 + 7] = n + 1
    photo = np.full((120, 180, 3), 90, np.uint8)
    result = pipeline(tmp_path, compose={"report": False}).run(photo, masks=labels)
    assert len(result.scene.placed) == 300


def test_names_write_nothing_outside_of_the_folder(tmp_path: Path) -> None:
    class Evil(TinySegmenter):
        def segment(self, photo: Any, prompts: Any) -> Any:
            from dataclasses import replace

            found = super().segment(photo, prompts)
            names = ("../../evil", "<script>alert(1)</script>", "a b/ü\n.glb")
            return replace(
                found, items=tuple(replace(i, name=n, label=n) for i, n in zip(found.items, names, strict=True))
            )

    out = tmp_path / "run" / "out"
    result = run(pipeline(tmp_path / "cache", segmentation=Evil), out=out)
    assert {p.name for p in tmp_path.iterdir()} == {"run", "cache"} and [
        p.name for p in (tmp_path / "run").iterdir()
    ] == ["out"]
    assert {p.name for p in (out / "objects").iterdir()} == {
        "1_evil.glb",
        "2_script_alert_1_script.glb",
        "3_a_b_glb.glb",
    }
    page = (out / "report.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert [o.name for o in Scene.load(out).objects.values()] == [o.name for o in result.scene.objects.values()]


def test_nothing_of_the_photos_metadata_reaches_an_output(tmp_path: Path) -> None:
    from PIL import Image

    image = Image.fromarray(SAMPLE.photo.rgb)
    exif = Image.Exif()
    exif[0x010F] = "SECRETCAMERA"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (59.0, 12.0, 34.5)
    path = tmp_path / "secret.jpg"
    image.save(path, exif=exif)
    pipeline(tmp_path / "cache").run(path, masks=SAMPLE.instances.labels, out=tmp_path / "out")
    for file in [*(tmp_path / "out").rglob("*"), *(tmp_path / "cache").rglob("*")]:
        if file.is_file():
            data = file.read_bytes()
            assert b"SECRETCAMERA" not in data and b"eXIf" not in data and b"Exif\0" not in data, file


def test_the_run_block_tells_where_all_came_from(tmp_path: Path) -> None:
    run(pipeline(tmp_path / "cache"), out=tmp_path / "out")
    block = json.loads((tmp_path / "out" / "scene.json").read_text())["run"]
    assert [s["stage"] for s in block["stages"]] == list(STAGES)
    assert block["stages"][2]["backend"] == "TinyDepth" and block["stages"][2]["config"]["depth"] == 3.0
    assert {"preset", "seed", "device", "seconds", "peak_mib", "licences", "scores", "notices"} <= block.keys()
    assert os.environ.get("HOME", "/nonexistent-home") not in json.dumps(block)


def test_a_redo_keeps_a_hand_edit_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "out"
    run(pipeline(tmp_path / "cache"), out=out)
    path = out / "stages" / "segmentation" / "labels.png"
    edited = np.where(read_png(path) == 2, 0, read_png(path))
    write_png(path, edited)
    pipeline(tmp_path / "cache").run(None, masks=SAMPLE.instances.labels, out=out, start="segmentation")
    assert np.array_equal(read_png(out / "stages" / "segmentation.edited-1" / "labels.png"), edited)
    assert "segmentation was edited by hand and is made anew" in caplog.text


def test_none_goes_on_with_the_photo_of_the_run_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run(pipeline(tmp_path / "cache"), out=out)
    again = run_again = pipeline(tmp_path / "cache").run(None, masks=SAMPLE.instances.labels, out=out)
    assert computed(again) == [] and run_again.scene is not None
    assert np.array_equal(again.scene.render(), first.scene.render())


def test_a_stopped_run_tells_its_failures_and_notices(tmp_path: Path) -> None:
    failing = TinyGenerator(TinyGenerator.Config(fail_ids=(2,)))
    half = SAMPLE.instances.labels[::2, ::2]
    with ScenePipeline.from_preset(
        cache_dir=tmp_path, **{**TINY, "segmentation": "masks", "generation": failing}
    ) as pipe:
        result = pipe.run(SAMPLE.photo.rgb, masks=half, stop="generation", on_object_error="skip")
    assert [f.id for f in result.failures] == [2] and any("resized" in n for n in result.notices)


def test_a_new_K_reaches_a_redone_depth(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(pipeline(tmp_path / "cache"), out=out)
    pipeline(tmp_path / "cache").run(None, K="fov=90", out=out, start="depth")
    K = json.loads((out / "stages" / "depth" / "camera.json").read_text())["K"]
    assert K[0][0] == pytest.approx(75.0)  # 150 px wide at 90 degrees


def test_what_a_backend_adds_beyond_pixels_does_not_survive_only_in_memory(tmp_path: Path) -> None:
    """A run that computes and one that resumes hand the same views on."""
    from dataclasses import replace

    seen: list[float] = []

    class Shifts(TinyDeoccluder):
        def deocclude(self, views: Any, *, seed: int) -> Any:
            return [replace(v, points_cam=v.points_cam + 1) for v in views]

    class Looks(TinyGenerator):
        def generate(self, views: Any, *, seed: int) -> Any:
            seen.append(float(np.nanmean(views[0].points_cam)))
            return super().generate(views, seed=seed)

    for _ in range(2):
        run(pipeline(tmp_path / "cache", deocclusion=Shifts, generation=Looks), start=None)
        for entry in pipeline(tmp_path / "cache").store.entries():
            if entry.stage == "generation":
                pipeline(tmp_path / "cache").store.discard("generation", entry.key)
    assert seen[0] == seen[1]


def test_files_of_others_are_not_written_over(tmp_path: Path) -> None:
    theirs = tmp_path / "project"
    (theirs / "objects").mkdir(parents=True)
    (theirs / "objects" / "scan.glb").write_text("precious")
    with pytest.raises(
        OutputError, match="expected a new folder, or that of a run; got .*project with objects that no"
    ):
        run(pipeline(tmp_path / "cache"), out=theirs)
    assert (theirs / "objects" / "scan.glb").read_text() == "precious" and len(list(theirs.iterdir())) == 1
    out = tmp_path / "out"
    scene = run(pipeline(tmp_path / "cache"), out=out).scene
    (out / "objects" / "mine.txt").write_text("precious")
    run(pipeline(tmp_path / "cache"), out=out, masks=SAMPLE.instances.labels.clip(0, 1))
    assert {p.name for p in (out / "objects").iterdir()} == {"1_object_1.glb", "mine.txt"}  # ours go, theirs stay
    with pytest.raises(InputError, match="expected inputs that the run does not write over in .*; got rgb.png"):
        pipeline(tmp_path / "cache").run(out / "rgb.png", out=out)
    with pytest.raises(OutputError, match="expected a new folder, or a scene's; got .*project with objects of another"):
        scene.save(theirs)


def test_a_run_folder_is_used_by_one_run_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(pipeline(tmp_path / "cache"), out=out)
    other = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    (out / ".lock").write_text(str(other.pid))
    with pytest.raises(OutputError, match=f"in use by process {other.pid}; wait for it, or choose another -o"):
        run(pipeline(tmp_path / "cache"), out=out)
    other.communicate(b"")
    run(pipeline(tmp_path / "cache"), out=out)  # the lock of a dead run does not hold
    assert not (out / ".lock").exists()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("segmentation/labels.png", b"", "expected a readable PNG; got .*labels.png"),
        ("segmentation/labels.png", np.zeros((100, 150), np.uint8), "expected objects in .*labels.png; got none"),
        ("segmentation/labels.png", np.ones((10, 15), np.uint8), "expected labels.png of 150x100 grey"),
        ("depth/depth.npy", np.ones((10, 10), "f4"), "expected depth.npy of 150x100 .W x H.; got an array of shape"),
        ("depth/depth.npy", np.full((100, 150), np.nan, "f4"), "expected valid depth in .*depth.npy; got none"),
        ("pose/poses.json", b'{"poses": [{"id": 1, "t_cam_obj": [NaN, 0, 1]', "expected JSON in .*poses.json"),
    ],
)
def test_bad_hand_edits_are_named(tmp_path: Path, file: str, content: Any, message: str) -> None:
    out = tmp_path / "out"
    run(pipeline(tmp_path / "cache"), out=out)
    path = out / "stages" / file
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif path.suffix == ".npy":
        np.save(path, content)
    else:
        write_png(path, content)
    with pytest.raises(InputError, match=message):
        run(pipeline(tmp_path / "cache"), out=out)


def test_masks_saved_as_rgb_by_an_editor_are_read(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(pipeline(tmp_path / "cache"), out=out)
    path = out / "stages" / "segmentation" / "labels.png"
    labels = read_png(path)
    write_png(path, np.repeat(np.where(labels == 3, 0, labels)[..., None], 3, -1))
    assert sorted(run(pipeline(tmp_path / "cache"), out=out).scene.objects) == [1, 2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"masks": None, "boxes": (10, 10, 60, 60)}, r"expected boxes=\[\(x0, y0, x1, y1\), ...\]; got"),
        ({"masks": None, "points": [("a", 1)]}, r"expected points=\[\(x, y\), ...\]; got"),
        ({"boxes": [(1, 2, 30, 40)]}, "expected masks, or boxes, points or text; got both"),
    ],
)
def test_prompts_of_the_wrong_form(tmp_path: Path, given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(pipeline(tmp_path), **given)
