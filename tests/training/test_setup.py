"""From what is told to a task: settings, sources, held-out objects, weights that are started from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from few_objects import KEYS, few_bank

from scenemaker.errors import ConfigError, InputError
from scenemaker.pose.dit.encoders.geometry import GeometryVAE
from scenemaker.pose.dit.weights import save_encoder, save_model
from scenemaker.training.config import TrainingConfig, build_training
from scenemaker.training.data.bank import ObjectBank, pack_of
from scenemaker.training.setup import build_task, facts_of
from scenemaker.training.sources import Repeated, Without, open_samples, open_sources, split_bank
from scenemaker.training.tasks.pose import PoseTask

FAST = ["splats.points=256", "splats.count=[1,2]"]


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    return few_bank(1024).save(tmp_path / "bank.safetensors")


def config(kind: Any, bank: Path | None, settings: list[str] | None = None, **told: Any) -> TrainingConfig:
    data = {"bank": bank, **told.pop("data", {})}
    return build_training(
        kind,
        {"data": data, "train": {"steps": 2}, "batch": 2, **told},
        size="tiny",
        settings=[*FAST, *(settings or [])],
    )


def test_settings_reach_their_section() -> None:
    made = config(
        "pose",
        None,
        ["dit.layers=3", "geometry.tokens=1", "augment.pictures.occluders=0.25", "train.lr=1e-3", "data.repeat=7"],
    )
    assert made.model.dit.layers == 3 and made.model.geometry.tokens == 1 and made.model.dit.width == 48
    assert made.data.augment.pictures.occluders == 0.25 and made.data.repeat == 7
    assert made.data.splats.points == 256 and made.data.splats.width == 112  # the others stay as for poses
    assert made.train.lr == 1e-3 and made.train.steps == 2


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("lr=1", "expected SECTION.OPTION=VALUE; got 'lr=1'; the sections are: dit, geometry, points, image, data, "),
        ("nets.layers=1", "got 'nets.layers=1'; the sections are: "),
        ("dit.layer=1", "expected a known option; got 'model.dit.layer'"),
        ("dit.layers=many", "model.dit.layers: Input should be a valid integer"),
        ("train.steps=0", "train.steps"),
        ("dit.heads=5", "expected width / heads to be an even number; got width 48, heads 5"),
    ],
)
def test_wrong_settings_are_told(setting: str, text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(text)):
        config("pose", None, [setting])


def test_no_bank_tells_how_to_make_one() -> None:
    with pytest.raises(ConfigError, match=re.escape("type: scenemaker train bank") + "|scenemaker train bank -o"):
        build_task(config("pose", None))


def test_whole_packs_are_held_out(bank: Path) -> None:
    mine, held = split_bank(config("pose", bank).data)
    packs = {pack_of(k) for k in mine.keys}, {pack_of(k) for k in held.keys}
    assert held.keys and not (packs[0] & packs[1] - {None})
    named = config("pose", bank, data={"held_packs": ("two_pack",)})
    assert split_bank(named.data)[1].keys == ("few:two_pack__cone",)
    assert sorted((*mine.keys, *held.keys)) == sorted(f"few:{k}" for k in KEYS)
    with pytest.raises(InputError, match="expected packs of the bank; got no_pack"):
        split_bank(config("pose", bank, data={"held_packs": ("no_pack",)}).data)


def test_held_out_objects_are_not_trained_on(bank: Path) -> None:
    sources = open_sources(config("pose", bank, data={"held_packs": ("one_pack",)}))
    trained = set(sources.train.bank.keys)  # type: ignore[attr-defined]
    assert trained == {"few:two_pack__cone", "few:three/7"}
    assert not trained & set(sources.held_out.bank.keys)  # type: ignore[attr-defined]


def test_scenes_with_held_out_objects_are_passed_over() -> None:
    bank = few_bank(1024)

    class One:
        def __init__(self, *names: str) -> None:
            self.names, self.info = names, {"objects": list(names)}

    scenes = [One("few:one_pack__brick"), One("few:two_pack__cone", "few:three/7"), One("few:three/7")]
    held = bank.select([1])
    kept = Without(scenes, held)  # type: ignore[arg-type]
    assert [scenes.index(kept[i]) for i in range(3)] == [1, 1, 2]  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected samples without held-out objects; got 100 with one"):
        Without(scenes[:1], held)[0]  # type: ignore[arg-type]


def test_repeated_batches(bank: Path) -> None:
    sources = open_sources(config("pose", bank, data={"repeat": 2, "held_packs": ("two_pack",)}))
    assert isinstance(sources.train, Repeated)
    first, second, third = (sources.train.batch(step, 2) for step in range(3))
    assert torch.equal(first.inputs.cloud, third.inputs.cloud)
    assert not torch.equal(first.target.t, second.target.t)


def test_weights_and_encoders_are_taken_over(bank: Path, tmp_path: Path) -> None:
    made = config("pose", bank, data={"held_packs": ("two_pack",)})
    torch.manual_seed(3)
    vae = GeometryVAE(made.model.geometry)
    save_encoder(vae, tmp_path / "geometry.safetensors", {})
    task = build_task(made.model_copy(update={"adopt": (tmp_path / "geometry.safetensors",)}))
    assert isinstance(task, PoseTask)
    own = task.model.geometry.state_dict()
    assert all(torch.equal(own[k], v) for k, v in vae.state_dict().items() if not k.startswith("decoder."))
    task.model.variables.mean.fill_(0.5)
    save_model(task.model, tmp_path / "pose.safetensors", {})
    again = build_task(made.model_copy(update={"start": tmp_path / "pose.safetensors"}))
    assert isinstance(again, PoseTask)
    assert bool((again.model.variables.mean == 0.5).all())  # statistics of weights are kept
    with pytest.raises(InputError, match="scenemaker.pose-dit|scenemaker.encoder"):
        build_task(config("geometry", bank, start=tmp_path / "pose.safetensors", data={"held_packs": ("two_pack",)}))


def test_equal_seeds_give_equal_models(bank: Path) -> None:
    def weight(seed: int) -> torch.Tensor:
        made = config("pose", bank, [f"train.seed={seed}"], data={"held_packs": ("two_pack",)})
        return next(build_task(made).model.parameters()).detach()

    assert torch.equal(weight(1), weight(1)) and not torch.equal(weight(1), weight(2))


def test_facts_name_files_by_content(bank: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.safetensors"
    moved.write_bytes(bank.read_bytes())
    here, there = facts_of(config("pose", bank)), facts_of(config("pose", moved))
    assert here == there
    other = ObjectBank.load(bank).select([0, 1]).save(tmp_path / "other.safetensors")
    assert facts_of(config("pose", other)) != here
    assert facts_of(config("pose", bank, ["dit.layers=1"])) != here
    assert facts_of(config("pose", bank, ["train.lr=1"])) == here  # the loop compares these itself


def test_shards_are_told_to_be_packed(tmp_path: Path) -> None:
    (tmp_path / "0.tar").touch()
    with pytest.raises(InputError, match=re.escape(f"type: scenemaker train pack --scenes {tmp_path}")):
        open_samples(tmp_path)


def test_other_kinds_say_what_they_need(bank: Path) -> None:
    with pytest.raises(ConfigError, match="expected scenes with colour; got none; make some: scenemaker data scenes"):
        build_task(config("image", None))
    with pytest.raises(ConfigError, match="expected a released checkpoint to start from; got none; give --released"):
        build_task(config("released", bank))
