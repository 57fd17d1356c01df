"""``scenemaker train``: from meshes to weights that place them, each command by its real path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from scenemaker.cli import main
from scenemaker.cli.app import app
from scenemaker.pose.dit.weights import load_model, read_facts
from scenemaker.training.data.bank import ObjectBank

runner = CliRunner()
FEW = ["--config", "tiny", "--batch", "2", "--set", "splats.points=256", "--set", "splats.count=[1,2]"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bank of six procedural objects."""
    folder = tmp_path_factory.mktemp("train")
    done = runner.invoke(
        app, ["train", "bank", "-o", str(folder / "bank.safetensors"), "-n", "6", "--points", "512", "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["objects"] == 6
    return folder


def weights_of(home: Path, *args: str) -> tuple[Path, str]:
    out = home / args[0]
    data = ["--bank", str(home / "bank.safetensors"), "--set", "data.held_share=0.4"]
    done = runner.invoke(app, ["train", args[0].split("-")[0], "-o", str(out), *data, *FEW, *args[1:]])
    assert done.exit_code == 0, done.output + str(done.exception)
    return out / "weights", done.stdout


def test_bank(home: Path) -> None:
    bank = ObjectBank.load(home / "bank.safetensors")
    assert len(bank) == 6 and bank.points_obj.shape == (6, 512, 6)
    assert len(set(bank.keys)) == 6


def test_encoders_then_pose_then_on(home: Path) -> None:
    geometry, _ = weights_of(home, "geometry", "--steps", "2")
    points, _ = weights_of(home, "points", "--steps", "2")
    adopt = ["--encoder", str(geometry / "geometry.safetensors"), "--encoder", str(points / "points.safetensors")]
    pose, told = weights_of(home, "pose", "--steps", "2", *adopt)
    assert "done after 2 steps" in told and "rotation_deg" in told
    facts = read_facts(pose / "pose.safetensors")
    told_of = facts["facts"]["facts"]
    assert told_of["kind"] == "pose" and len(told_of["files"]) == 3
    before = load_model(pose / "pose.safetensors").state_dict()
    pose, told = weights_of(home, "pose", "--steps", "4", *adopt)
    assert "done after 4 steps" in told
    after = load_model(pose / "pose.safetensors").state_dict()
    assert any(not torch.equal(after[name], value) for name, value in before.items())
    lines = [json.loads(line) for line in (home / "pose" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "validation" in line] == [2, 4]


def test_dry_run_writes_nothing(home: Path) -> None:
    data = ["--bank", str(home / "bank.safetensors"), "--set", "data.held_share=0.4"]
    args = ["train", "pose", "-o", str(home / "dry"), *data, *FEW, "--minutes", "2", "--dry-run"]
    done = runner.invoke(app, [*args, "--json"])
    assert done.exit_code == 0, done.output
    cost = json.loads(done.stdout)
    assert cost["parameters"] == cost["trained"] > 1e5 and cost["steps"] > 1 and cost["memory_mib"]["weights"] > 0
    assert cost["minutes"] == pytest.approx(2, abs=1.0)
    assert not (home / "dry").exists()


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["pose", "--steps", "1"], "expected an object bank; got none; make one: scenemaker train bank"),
        (["pose", "--bank", "BANK"], "expected a budget; got neither steps nor minutes; give one of them"),
        (["pose", "--bank", "BANK", "--steps", "1", "--config", "huge"], "expected a config of PoseDiT; got 'huge'"),
        (["pose", "--bank", "BANK", "--steps", "1", "--encoders", "free"], "'joint' or 'frozen'"),
        (["pose", "--bank", "BANK", "--steps", "1", "--device", "cuda:99"], "use --device cpu"),
        (["pose", "--bank", "none.safetensors", "--steps", "1"], "expected an object bank; got none.safetensors"),
        (["image", "--steps", "1"], "expected scenes with colour; got none; make some"),
    ],
)
def test_what_is_wrong_is_one_line(
    home: Path, args: list[str], text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [str(home / "bank.safetensors") if a == "BANK" else a for a in args]
    size = [] if "--config" in told else ["--config", "tiny"]
    monkeypatch.setattr("sys.argv", ["scenemaker", "train", *told, *size, "-o", str(home / "wrong")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and text in lines[0] and lines[0].startswith("error: ")


def test_scenes_with_colour_are_packed_and_learnt_from(home: Path) -> None:
    scenes = home / "scenes"
    made = runner.invoke(
        app, ["data", "scenes", "-o", str(scenes), "-n", "12", "--views", "2", "--size", "96x64", "-j", "1"]
    )
    assert made.exit_code == 0, made.output
    packed = runner.invoke(
        app, ["train", "pack", "-o", str(home / "p.safetensors"), "--scenes", str(scenes), "--size", "48x32"]
    )
    assert packed.exit_code == 0 and " views, " in packed.stdout, packed.output
    done = runner.invoke(
        app,
        [
            "train",
            "image",
            "-o",
            str(home / "image"),
            "--scenes",
            str(scenes),
            "--config",
            "tiny",
            "--batch",
            "2",
            "--steps",
            "1",
        ],
    )
    assert done.exit_code == 0 and "crop_canonical_percent" in done.stdout, done.output
