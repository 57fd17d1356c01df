"""The Cycles renderer without Blender: a stand-in answers as ``cycles_script.py`` does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cycles_worlds import camera_at, small_world

from scenemaker.cache import process_runs
from scenemaker.data.render.cycles import SCRIPT, BlenderProcess, CyclesConfig, CyclesRenderer
from scenemaker.data.render.tone import develop
from scenemaker.data.render.truth import WorldCaster, ground_truth
from scenemaker.errors import StageError

STAND_IN = """
import json, os, sys
from pathlib import Path
import numpy as np
print(json.dumps({"ready": "0.0"}), flush=True)
jobs = 0
for line in sys.stdin:
    folder = Path(json.loads(line)["job"])
    job = json.loads((folder / "job.json").read_text())
    jobs += 1
    print(f"\\nworking at {job['samples']} samples", file=sys.stderr, flush=True)
    if job["samples"] == 13:
        print(json.dumps({"error": "ValueError: unlucky"}), flush=True)
        continue
    if job["samples"] == 3:
        print("Writing: crash.txt", file=sys.stderr, flush=True)
        os._exit(3)
    if job["samples"] == 9:
        os.kill(os.getpid(), 9)
    for i, camera in enumerate(job["cameras"]):
        shape = (camera["height"], camera["width"])
        if job["passes"]:
            index = np.full(shape, -1.0); index[0] = 0; index[1] = 2
            depth = np.where(index < 0, np.nan, 1.5 + i)
            np.save(folder / f"passes_{i}.npy", np.stack([depth, index], -1).astype(np.float32))
        else:
            light = np.linspace(0, jobs + i, shape[0] * shape[1] * 3).reshape(*shape, 3)
            np.save(folder / f"rgb_{i}.npy", light.astype(np.float32))
    print(json.dumps({"done": True}), flush=True)
"""


def renderer(tmp_path: Path, samples: int = 2) -> CyclesRenderer:
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    made = CyclesRenderer(CyclesConfig(samples=samples, python=Path(sys.executable)))
    made._blender = BlenderProcess(Path(sys.executable), script)
    return made


def with_samples(made: CyclesRenderer, samples: int) -> CyclesRenderer:
    made.config = made.config.model_copy(update={"samples": samples})
    return made


def test_cycles_view_has_blenders_picture_and_the_truth_of_the_house(tmp_path: Path) -> None:
    world, cameras = small_world(), [camera_at((1.2, 1.0, 2.0)), camera_at((-2.0, 1.5, 0.5), width=33, height=21)]
    with renderer(tmp_path) as cycles:
        views = cycles.render(world, cameras)
    caster = WorldCaster(world)
    for i, (view, camera) in enumerate(zip(views, cameras, strict=True)):
        truth, shape = ground_truth(caster, camera), (camera.height, camera.width, 3)
        light = np.linspace(0, 1 + i, np.prod(shape)).reshape(shape).astype(np.float32)
        assert np.array_equal(view.rgb, develop(light))
        for name, value in vars(truth).items():
            assert np.array_equal(getattr(view, name), value, equal_nan=True), name
        assert view.camera is camera


def test_cycles_passes_keep_nothing_and_ground_apart(tmp_path: Path) -> None:
    with renderer(tmp_path) as cycles:
        one, two = cycles.passes(small_world(), [camera_at((1.2, 1.0, 2.0))] * 2)
    assert np.isnan(one.depth[2:]).all() and (one.depth[:2] == 1.5).all() and (two.depth[:2] == 2.5).all()
    assert (one.labels[1] == 2).all() and (np.delete(one.labels, 1, 0) == 0).all()
    assert one.labels.dtype == np.uint16


def test_cycles_one_process_serves_all_jobs_and_ends_with_close(tmp_path: Path) -> None:
    world, cameras = small_world(), [camera_at((1.2, 1.0, 2.0))]
    with renderer(tmp_path) as cycles:
        first = cycles.radiance(world, cameras)[0].max()
        process = cycles._blender._process
        assert process is not None
        second = cycles.radiance(world, cameras)[0].max()
        assert cycles._blender._process is process
        assert (first, second) == (1, 2)  # the stand-in counts its jobs
    assert not process_runs(process.pid)
    assert cycles.radiance(world, cameras)[0].max() == 1  # started anew
    cycles.close()


def test_cycles_no_camera_starts_nothing(tmp_path: Path) -> None:
    with renderer(tmp_path) as cycles:
        assert cycles.render(small_world(), []) == []
        assert cycles._blender._process is None


def test_cycles_reported_error_names_it_and_the_process_lives_on(tmp_path: Path) -> None:
    world, cameras = small_world(), [camera_at((1.2, 1.0, 2.0))]
    with renderer(tmp_path, samples=20_000) as cycles:  # whose longer line must not show below
        cycles.radiance(world, cameras)
        process = cycles._blender._process
        with pytest.raises(StageError) as caught:
            with_samples(cycles, 13).radiance(world, cameras)
        assert str(caught.value) == (
            "expected a picture from Blender; got ValueError: unlucky; see what it said\nworking at 13 samples"
        )
        assert (caught.value.stage, caught.value.backend) == ("data", "cycles")
        assert with_samples(cycles, 2).radiance(world, cameras)[0].max() == 3
        assert cycles._blender._process is process


@pytest.mark.parametrize(
    ("samples", "ended"),
    [
        (3, "exit code 3; see what it said\nworking at 3 samples\nWriting: crash.txt"),
        (9, "killed by signal 9 (9: out of memory, as a rule); see what it said\nworking at 9 samples"),
    ],
)
def test_cycles_crash_tells_how_and_the_next_picture_starts_again(tmp_path: Path, samples: int, ended: str) -> None:
    world, cameras = small_world(), [camera_at((1.2, 1.0, 2.0))]
    with renderer(tmp_path) as cycles:
        with pytest.raises(StageError) as caught:
            with_samples(cycles, samples).radiance(world, cameras)
        assert str(caught.value) == f"expected Blender to answer; got its end, {ended}"
        assert with_samples(cycles, 2).radiance(world, cameras)[0].max() == 1


def test_cycles_a_process_that_died_while_idle_is_told_of_not_hung_on(tmp_path: Path) -> None:
    world, cameras = small_world(), [camera_at((1.2, 1.0, 2.0))]
    with renderer(tmp_path) as cycles:
        cycles.radiance(world, cameras)
        process = cycles._blender._process
        assert process is not None
        os.kill(process.pid, signal.SIGTERM)
        process.wait(10)
        with pytest.raises(StageError, match=r"^expected Blender to answer; got its end, killed by signal 15 "):
            cycles.radiance(world, cameras)
        assert cycles.radiance(world, cameras)[0].max() == 1


def test_cycles_interrupt_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that nobody waited for must not be taken for that of the next job."""
    world, cameras = small_world(), [camera_at((1.2, 1.0, 2.0))]
    with renderer(tmp_path) as cycles:
        cycles.radiance(world, cameras)
        process = cycles._blender._process
        assert process is not None

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(cycles._blender, "_ask", interrupted)
            with pytest.raises(KeyboardInterrupt):
                cycles.radiance(world, cameras)
        assert not process_runs(process.pid)


def test_cycles_a_python_without_bpy_is_told(tmp_path: Path) -> None:
    with CyclesRenderer(CyclesConfig(python=Path(sys.executable))) as cycles:
        with pytest.raises(StageError) as caught:
            cycles.radiance(small_world(), [camera_at((1.2, 1.0, 2.0))])
        assert str(caught.value).startswith("expected Blender to answer; got its end, exit code 1; see what it said\n")
        assert str(caught.value).endswith("ModuleNotFoundError: No module named 'bpy'")


def test_cycles_a_python_that_is_not_there_is_told(tmp_path: Path) -> None:
    nowhere = tmp_path / "python"
    with (
        CyclesRenderer(CyclesConfig(python=nowhere)) as cycles,
        pytest.raises(StageError) as caught,
    ):
        cycles.radiance(small_world(), [camera_at((1.2, 1.0, 2.0))])
    assert str(caught.value) == (
        f"expected Blender to start; got {nowhere}: No such file or directory; type: scenemaker data blender"
    )


def test_cycles_leaves_no_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with renderer(tmp_path) as cycles:
        cycles.radiance(small_world(), [camera_at((1.2, 1.0, 2.0))])
        with pytest.raises(StageError):
            with_samples(cycles, 13).radiance(small_world(), [camera_at((1.2, 1.0, 2.0))])
    assert not list((tmp_path / "temporary").iterdir())


PARENT = """
import subprocess, sys, time
child = '''
import sys, types, importlib.util, os, time
for name in ("bpy", "mathutils"):
    sys.modules[name] = types.ModuleType(name)
spec = importlib.util.spec_from_file_location("script", sys.argv[1])
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)
parent = os.getppid()
print(os.getpid(), flush=True)
script.leave_with_parent(parent, {"job": sys.argv[2]})
'''
subprocess.Popen([sys.executable, "-c", child, *sys.argv[1:]], start_new_session=True)
time.sleep(60)
"""


def test_cycles_worker_leaves_with_a_killed_parent_and_takes_its_job_along(tmp_path: Path) -> None:
    job = tmp_path / "job"
    job.mkdir()
    (job / "job.json").write_text("{}")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(SCRIPT), str(job)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert process_runs(worker)
        parent.kill()
        deadline = time.monotonic() + 8
        while job.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not job.exists()
        assert parent.stdout.read() == ""  # its pipe ends when the worker has gone too
