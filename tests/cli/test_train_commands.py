"""``scenemaker train``: from meshes to weights that place them, each command by its real path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import Result
from released_tiny import write_checkpoint
from typer.testing import CliRunner

from scenemaker.cli import main
from scenemaker.cli.app import app
from scenemaker.data.storage.folders import object_glb_bytes
from scenemaker.pose.dit.config import model_config
from scenemaker.pose.dit.weights import load_model, read_facts
from scenemaker.pose.released.checkpoint import load_released
from scenemaker.testing.samples import box_mesh, sphere_mesh
from scenemaker.training.data.bank import ObjectBank
from scenemaker.training.data.packs import PosePack

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
    assert told_of["kind"] == "pose" and len(told_of["files"]["adopt"]) == 2
    assert told_of["held_out"] == {"packs": [], "share": 0.4}
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
        (["pose", "--bank", "BANK"], "error: expected a budget; got neither steps nor minutes; give one of them"),
        (["pose", "--bank", "BANK", "--steps", "1", "--config", "huge"], "expected a config of PoseDiT; got 'huge'"),
        (["pose", "--bank", "BANK", "--steps", "1", "--encoders", "free"], "'joint' or 'frozen'"),
        (["pose", "--bank", "BANK", "--steps", "1", "--device", "cuda:99"], "use --device cpu"),
        (["pose", "--bank", "none.safetensors", "--steps", "1"], "got none.safetensors: no such file; check the path"),
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
    assert lines[0].count("expected ") == 1


def test_fresh_moves_the_old_training_aside(home: Path) -> None:
    first, _ = weights_of(home, "geometry-fresh", "--steps", "2")
    before = (first / "geometry.safetensors").read_bytes()
    again, told = weights_of(home, "geometry-fresh", "--steps", "3", "--fresh", "--seed", "5")
    assert "done after 3 steps" in told
    assert (home / "geometry-fresh" / "old-1" / "weights" / "geometry.safetensors").read_bytes() == before
    assert (again / "geometry.safetensors").read_bytes() != before


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bank of two packs of meshes, and scenes of each pack alone."""
    folder = tmp_path_factory.mktemp("coloured")
    meshes = {
        "red__brick": box_mesh((1.0, 0.4, 0.6), (200, 30, 30)),
        "red__plate": box_mesh((1.0, 0.1, 0.7), (150, 40, 90)),
        "blue__post": box_mesh((0.3, 1.0, 0.5), (30, 60, 200)),
        "blue__egg": sphere_mesh((0.8, 1.0, 0.6), (60, 90, 160), n=16),
    }
    for name, mesh in meshes.items():
        home = folder / name.partition("__")[0]
        home.mkdir(exist_ok=True)
        (home / f"{name}.glb").write_bytes(object_glb_bytes(mesh, name))
    both = ["--objects", str(folder / "red"), "--objects", str(folder / "blue")]
    commands = [["train", "bank", "-o", str(folder / "bank"), *both, "-n", "4", "--points", "512"]]
    for name in ("red", "blue"):
        made = ["data", "scenes", "-o", str(folder / f"{name}_scenes"), "--objects", str(folder / name)]
        commands.append([*made, "-n", "3", "--views", "2", "--size", "96x64", "-j", "1"])
    for command in commands:
        done = runner.invoke(app, command)
        assert done.exit_code == 0, done.output
    (folder / "all_scenes").mkdir()
    for name in ("red", "blue"):
        (folder / f"{name}_scenes").rename(folder / "all_scenes" / name)
    return folder


def scenes_of(folder: Path, *names: str) -> list[str]:
    return [word for name in names for word in ("--scenes", str(folder / "all_scenes" / name))]


def test_released_weights_are_tuned_on_a_pack(coloured: Path) -> None:
    """From scenes to a checkpoint as it is published, which loads and is validated on the pack that is held out."""
    file, out = coloured / "pack", coloured / "tuned"
    packed = runner.invoke(
        app, ["train", "pack", "-o", str(file), *scenes_of(coloured, "red", "blue"), "--size", "96x64", "--json"]
    )
    assert packed.exit_code == 0, packed.output
    assert json.loads(packed.stdout.splitlines()[-1])["scenes"] >= 8
    weights = write_checkpoint(coloured / "released")
    data = ["--bank", str(coloured / "bank"), "--pack", str(file), "--hold-out", "blue"]
    args = ["train", "pose", "--released", str(weights), *data, "--batch", "2", "--steps", "3", "-o", str(out)]
    done = runner.invoke(app, [*args, "--set", "train.lr=1e-3", "--json"])
    assert done.exit_code == 0, done.output + str(done.exception)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["stopped"] == "done" and told["steps"] == 3 and told["losses"]["loss"] > 0
    before, after = (load_released(folder).state_dict() for folder in (weights, out / "weights"))
    moved = {name.partition(".")[0] for name, value in before.items() if not torch.equal(after[name], value)}
    assert moved == {"denoiser_model", "pose_model", "pose_emb", "pcd_model"}
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    measures = next(line["validation"] for line in lines if "validation" in line)
    assert next(iter(measures)) == "rotation_deg" and measures["objects"] > 1
    again = runner.invoke(app, [*args, "--set", "train.lr=1e-3", "--steps", "4"])
    assert again.exit_code == 0 and "done after 4 steps" in again.stdout, again.output


def test_image_encoders_are_validated_on_objects_that_they_never_saw(coloured: Path) -> None:
    few = ["--config", "tiny", "--batch", "2", "--steps", "1"]
    held = ["--bank", str(coloured / "bank"), "--hold-out", "blue"]

    def trained(name: str, *more: str) -> Result:
        return runner.invoke(app, ["train", "image", "-o", str(coloured / name), *few, *more])

    done = trained("any", *scenes_of(coloured, "red"))  # of three scenes one is held out
    assert done.exit_code == 0 and ": other_scenes_crop_canonical_percent" in done.stdout, done.output
    done = trained("nothing", *held, *scenes_of(coloured, "red"))
    assert "expected samples that show one of 2 held-out objects; got 100 without" in str(done.exception)
    done = trained("both", *held, *scenes_of(coloured, ""))
    assert done.exit_code == 0 and ": crop_canonical_percent" in done.stdout, done.output
    done = trained("only", *held, *scenes_of(coloured, "blue"))  # nothing is left to train on
    assert "expected samples without held-out objects; got 100 with one" in str(done.exception)


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


def test_a_bank_of_the_objects_of_scenes(tmp_path: Path) -> None:
    """Procedural objects are drawn anew in every scene: a bank of them comes from the scenes themselves."""
    few = ["-n", "3", "--views", "1", "--size", "96x64", "-j", "1", "--layout", "floating"]
    assert runner.invoke(app, ["data", "scenes", "-o", str(tmp_path / "s"), *few]).exit_code == 0
    bank, pack = tmp_path / "bank.safetensors", tmp_path / "pack.safetensors"
    given = ["--scenes", str(tmp_path / "s")]
    done = runner.invoke(app, ["train", "bank", "-o", str(bank), "--points", "512", "-j", "1", *given])
    assert done.exit_code == 0, done.output
    packed = runner.invoke(app, ["train", "pack", "-o", str(pack), "--size", "48x32", *given])
    assert packed.exit_code == 0, packed.output
    made = PosePack(pack, ObjectBank.load(bank), model_config("tiny"))
    assert len(made) == 3 and made.left_out == 0
    batch = made.batch(0, 2)
    assert len(batch) == 2 and torch.isfinite(batch.target.t).all()
    other = runner.invoke(app, ["train", "bank", "-o", str(bank), *given, "--objects", str(tmp_path)])
    assert other.exit_code != 0
