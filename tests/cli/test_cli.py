"""The command line as a user types it: help, runs, stage commands, continuing, errors, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scenemaker.cli.state import STATE
from scenemaker.testing.samples import make_sample

SAMPLE = make_sample(3, width=150, height=100)
COMMANDS = [
    "run",
    "demo",
    "segment",
    "depth",
    "deocclude",
    "generate",
    "pose",
    "compose",
    "backends",
    "doctor",
    "cache",
]
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """Runs ``scenemaker ARGS`` in this process: exit code, stdout, stderr."""
    from scenemaker.cli import main

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def call(*args: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["scenemaker", *map(str, args)])
        STATE.json = STATE.debug = False
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "my photo ü.png"
    Image.fromarray(SAMPLE.photo.rgb).save(path)
    return path


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    path = tmp_path / "masks.png"
    Image.fromarray(SAMPLE.instances.labels.astype(np.uint8)).save(path)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(cli: Cli, command: str) -> None:
    code, out, _ = cli(command, "--help")
    assert code == 0 and f"Usage: scenemaker {command}" in out and len(out.splitlines()) > 5


def test_no_command_is_wrong_usage_and_shows_the_help(cli: Cli) -> None:
    code, out, err = cli()
    assert code == 2 and "demo -o out/" in out + err
    code, _, err = cli("run")
    assert code == 2 and "PHOTO" in err


def test_run_writes_what_the_readme_lists(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, stdout, stderr = cli("run", photo, "--masks", masks, "-o", out)
    assert code == 0, stderr
    assert stdout.splitlines()[0].startswith("3 objects in ")
    for name in (
        "scene.glb",
        "scene.json",
        "report.html",
        "rgb.png",
        "labels.png",
        "depth.npy",
        "amodal.npz",
        "run.json",
    ):
        assert (out / name).stat().st_size > 0
    assert len(list((out / "objects").glob("*.glb"))) == 3
    assert [line.split()[0] for line in stderr.splitlines() if line.startswith("  ")] == [
        "photo", "segmentation", "depth", "deocclusion", "generation", "pose", "compose",
    ]  # fmt: skip


def test_json_is_one_object_and_nothing_else(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    code, stdout, stderr = cli("run", photo, "--masks", masks, "-o", tmp_path / "out", "--json")
    data = json.loads(stdout)
    assert code == 0 and stderr == ""
    assert [o["id"] for o in data["objects"]] == [1, 2, 3] and data["scores"]["mask_iou"] > 0.5
    code, stdout, stderr = cli("run", tmp_path / "none.jpg", "-o", tmp_path / "out", "--json")
    assert (code, stdout) == (1, "") and "not found" in json.loads(stderr)["error"]


def test_stage_by_stage_gives_the_same_scene_as_run(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    steps, whole = tmp_path / "steps", tmp_path / "whole"
    assert cli("segment", photo, "--masks", masks, "-o", steps)[0] == 0
    for command in ("depth", "deocclude", "generate", "pose", "compose"):
        code, _, err = cli(command, steps)
        assert code == 0, err
    assert cli("run", photo, "--masks", masks, "-o", whole, "--cache-dir", tmp_path / "other")[0] == 0
    for name in ("scene.glb", "labels.png", "depth.npy"):
        assert (steps / name).read_bytes() == (whole / name).read_bytes()


def test_run_goes_on_from_a_redone_stage(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cli("run", photo, "--masks", masks, "-o", out)
    before = (out / "scene.glb").read_bytes()
    np.save(tmp_path / "depth.npy", SAMPLE.point_map.depth)
    code, _, err = cli("depth", out, "--backend", "file", "--depth", tmp_path / "depth.npy", "--set", "fov_x_deg=70")
    assert code == 0, err
    code, stdout, err = cli("run", photo, "-o", out, "--json")
    stages = {s["stage"]: s for s in json.loads(stdout)["stages"]}
    assert code == 0 and stages["depth"]["backend"] == "file" and stages["depth"]["origin"] == "run folder"
    assert stages["segmentation"]["origin"] == "run folder" and stages["deocclusion"]["origin"] == "computed"
    assert stages["depth"]["config"]["fov_x_deg"] == 70
    assert (out / "scene.glb").read_bytes() != before


def test_from_and_to(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, stdout, _ = cli("run", photo, "--masks", masks, "-o", out, "--to", "depth")
    assert code == 0 and stdout.strip() == str(out / "stages" / "depth") and not (out / "scene.json").exists()
    code, stdout, _ = cli("run", photo, "-o", out, "--from", "depth", "--json")
    assert [s["origin"] for s in json.loads(stdout)["stages"]][:3] == ["run folder", "run folder", "computed"]


def test_several_photos_with_a_bad_one_are_partial(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    many = tmp_path / "masks"
    many.mkdir()
    masks.rename(many / f"{photo.stem}_masks.png")
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    code, stdout, stderr = cli("run", photo, bad, "--masks", many, "-o", tmp_path / "out")
    assert code == 3 and (tmp_path / "out" / photo.stem / "scene.glb").exists()
    assert f"error: {bad}: " in stderr and not (tmp_path / "out" / "bad" / "scene.json").exists()
    code, stdout, _ = cli("run", photo, bad, "--masks", many, "-o", tmp_path / "out", "--json")
    assert code == 3 and ["error" in line for line in json.loads(stdout)] == [False, True]


def test_a_folder_keeps_to_its_photo(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cli("run", photo, "--masks", masks, "-o", out, "--to", "segmentation")
    other = tmp_path / "other.png"
    Image.fromarray(SAMPLE.photo.rgb[:, ::-1].copy()).save(other)
    code, _, err = cli("run", other, "-o", out, "--to", "photo")
    assert code == 1
    got = f"{out}, a run of {photo.name}; choose another -o, or add --overwrite"
    assert err == f"error: expected a folder for other.png; got {got}\n"
    assert cli("run", other, "-o", out, "--to", "photo", "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--preset", "turbo"], "expected a preset; got 'turbo'; choose one of: instant"),
        (["--depth-backend", "moge"], "expected a depth backend; got 'moge'; those installed are: file, ground-plane"),
        (["--set", "depth.fow=50"], "expected a known option; got 'fow'; the options are: "),
        (["--set", "fov=50"], "expected stage.option=value; got 'fov=50'; the stages are: segmentation, depth,"),
        (["--box", "1,2,3"], "expected --box x0,y0,x1,y1; got '1,2,3'; give 4 numbers with commas"),
        (["--known-size", "1"], "expected --known-size ID=METRES; got '1'; e.g. --known-size 3=0.45"),
        (["--device", "tpu"], 'expected "cpu", "cuda" or "cuda:1"; got \'tpu\'; use --device cpu'),
        (["--masks", "none.png"], "expected a file or folder; got "),
        (["--config", "none.toml"], "expected a readable TOML file; got none.toml: No such file or directory"),
        (["--background", "sea"], "background"),
        (["--from", "mesh"], "expected start to be a stage; got 'mesh'"),
    ],
)
def test_wrong_values_say_what_to_type(cli: Cli, photo: Path, tmp_path: Path, args: list[str], message: str) -> None:
    code, out, err = cli("run", photo, "-o", tmp_path / "out", *args)
    assert code == 1 and out == "" and err.startswith("error: ") and message in err and err.count("\n") == 1


def test_a_config_file_names_backends_and_options(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    toml = tmp_path / "c.toml"
    toml.write_text('seed = 3\n[depth]\nbackend = "ground-plane"\n[compose]\nbackground = "none"\nreport = false\n')
    code, _, err = cli("run", photo, "--masks", masks, "-o", tmp_path / "out", "--config", toml)
    assert code == 0, err
    run = json.loads((tmp_path / "out" / "scene.json").read_text())["run"]
    assert run["seed"] == 3 and not (tmp_path / "out" / "report.html").exists()
    toml.write_text("seed = [")
    code, _, err = cli("run", photo, "-o", tmp_path / "out", "--config", toml)
    assert code == 1 and err.startswith(f"error: expected a TOML file; got {toml}: ")


def test_a_stage_command_needs_a_run(cli: Cli, photo: Path, tmp_path: Path) -> None:
    code, _, err = cli("depth", tmp_path / "nothing")
    assert code == 1 and "expected a run folder; got " in err and "start one: scenemaker segment PHOTO -o" in err
    code, _, err = cli("segment", photo)
    assert code == 1 and "expected a run folder for the result; got none; add -o out/" in err


def test_debug_shows_the_trace(photo: Path, tmp_path: Path) -> None:
    code = "from scenemaker.cli import main; main()"
    command = [sys.executable, "-c", code, "--debug", "run", str(tmp_path / "no.jpg"), "-o", str(tmp_path / "o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" in done.stderr and "InputError" in done.stderr


def test_cache_commands(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    cache = ["--cache-dir", tmp_path / "c"]
    cli("run", photo, "--masks", masks, "-o", tmp_path / "out", "--to", "depth", *cache)
    rows = json.loads(cli("cache", "ls", "--json", *cache)[1])
    assert sorted(r["stage"] for r in rows) == ["depth", "photo", "segmentation"]
    assert len(cli("cache", "ls", *cache)[1].splitlines()) == 3
    assert (
        "3" not in cli("cache", "info", *cache)[1].splitlines()[1].split()[1:2]
        and str(tmp_path / "c") in cli("cache", "info", *cache)[1]
    )
    code, _, err = cli("cache", "prune", *cache)
    assert code == 1 and "expected --max-gb or --unused-days; got neither" in err
    assert cli("cache", "prune", "--max-gb", "0", *cache)[1].startswith("removed 3 artefacts")
    assert cli("cache", "clear", "--yes", *cache)[0] == 0 and not list((tmp_path / "c").iterdir())


def test_backends_and_doctor(cli: Cli) -> None:
    rows = json.loads(cli("backends", "--json")[1])["backends"]
    assert {"masks", "prompts", "auto", "file", "ground-plane", "symmetry", "relief", "fit"} <= {
        r["name"] for r in rows
    }
    assert all(r["summary"] and r["licence"] and not r["needs"] for r in rows if r["package"].startswith("scenemaker "))
    code, out, _ = cli("doctor")
    assert code == 0 and "the preset `instant` works here" in out and 'pip install "scenemaker[models]"' in out
    assert json.loads(cli("doctor", "--json")[1])["instant_works"] is True


def test_doctor_tells_of_blender(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SCENEMAKER_BLENDER_PYTHON", raising=False)
    assert "blender: not installed; for path-traced data type: scenemaker data blender" in cli("doctor")[1]
    monkeypatch.setenv("SCENEMAKER_BLENDER_PYTHON", sys.executable)
    assert json.loads(cli("doctor", "--json")[1])["blender"] == sys.executable


def test_demo(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("demo", "-o", tmp_path / "demo")
    assert code == 0, err
    assert (tmp_path / "demo" / "report.html").exists()


def test_a_failed_run_can_be_continued_stage_by_stage(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, _, err = cli("run", photo, "--masks", masks, "--known-size", "9=1", "-o", out)
    assert code == 1 and "expected known_size of a placed object; got id 9" in err
    assert cli("pose", out)[0] == 0
    run = json.loads((out / "run.json").read_text())
    assert run["masks"] == str(masks)  # not forgotten


def test_depth_takes_new_intrinsics(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cli("run", photo, "--masks", masks, "-o", out)
    assert cli("depth", out, "--intrinsics", "fov=90")[0] == 0
    assert json.loads((out / "stages" / "depth" / "camera.json").read_text())["K"][0][0] == pytest.approx(75.0)


def test_ctrl_c_says_how_to_go_on(photo: Path, masks: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from scenemaker.perception.ground_plane import GroundPlane\n"
        "GroundPlane.estimate = lambda *a, **k: os.kill(os.getpid(), signal.SIGINT)\n"
        "from scenemaker.cli import main\n"
        "main()\n"
    )
    arguments = [
        "run",
        str(photo),
        "--masks",
        str(masks),
        "-o",
        str(tmp_path / "o"),
        "--cache-dir",
        str(tmp_path / "c"),
    ]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error: interrupted; finished stages are kept: type the same command to go on" in done.stderr
    assert not list((tmp_path / "o").rglob(".tmp-*")) and not (tmp_path / "o" / ".lock").exists()


def test_the_demo_folder_keeps_to_the_demo_picture(cli: Cli, photo: Path, tmp_path: Path) -> None:
    cli("demo", "-o", tmp_path / "demo")
    code, _, err = cli("run", photo, "-o", tmp_path / "demo")
    assert code == 1 and "a run of demo.jpg; choose another -o, or add --overwrite" in err


def test_a_folder_of_somebody_else_stays_as_it_is(cli: Cli, photo: Path, masks: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "project"
    theirs.mkdir()
    (theirs / "report.html").write_text("mine")
    code, _, err = cli("run", photo, "--masks", masks, "-o", theirs)
    assert code == 1 and "expected a new folder, or that of a run; got " in err
    assert [p.name for p in theirs.iterdir()] == ["report.html"] and (theirs / "report.html").read_text() == "mine"


def test_a_mistyped_option_is_not_remembered_and_overwrite_forgets(
    cli: Cli, photo: Path, masks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert cli("run", photo, "--masks", masks, "--depth-backend", "moge", "-o", out)[0] == 1
    assert cli("run", photo, "--masks", masks, "--set", "depth.fov_deg=70", "-o", out, "--to", "depth")[0] == 0
    assert json.loads((out / "run.json").read_text())["changes"] == {"depth": {"fov_deg": 70}}
    assert cli("run", photo, "--masks", masks, "-o", out, "--to", "depth", "--overwrite")[0] == 0
    assert json.loads((out / "run.json").read_text())["changes"] == {}
