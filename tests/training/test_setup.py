"""From what is told to a task: settings, sources, held-out objects, weights that are started from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from few_objects import KEYS, few_bank

from scenemaker.errors import ConfigError, InputError
from scenemaker.pose.dit.encoders.geometry import GeometryVAE
from scenemaker.pose.dit.weights import save_encoder, save_model
from scenemaker.training.config import TrainingConfig, build_training
from scenemaker.training.data.bank import ObjectBank, pack_of
from scenemaker.training.data.sample_poses import MadeSamples, open_samples
from scenemaker.training.data.splat_poses import SplatPoses
from scenemaker.training.facts import check_unseen, facts_of
from scenemaker.training.image_sources import EVERY, ImageSource, OfScenes, Showing, Without
from scenemaker.training.setup import _BUILD, build_task
from scenemaker.training.sources import Repeated, open_sources, split_bank
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
        ("dit.heads=5", "expected width / heads to be an even number; got width 48, heads 5; change one of them"),
    ],
)
def test_wrong_settings_are_told(setting: str, text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(text)) as error:
        config("pose", None, [setting])
    assert "Value error" not in str(error.value) and str(error.value).count("expected ") == 1


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
    for source in (sources.held_out, sources.exact):
        assert isinstance(source, SplatPoses) and not trained & set(source.bank.keys)


def test_models_are_validated_as_they_are_used_and_on_exact_data(bank: Path) -> None:
    """Of the same scenes: one row with frames turned anyhow, noise, and `up` unknown for half; one with nothing."""
    sources = open_sources(config("pose", bank, data={"held_packs": ("one_pack",)}))
    used, exact = (source.batch(0, 64) for source in (sources.held_out, sources.exact))
    assert torch.equal(used.visible_fraction, exact.visible_fraction)
    known = used.inputs.up.norm(dim=1) > 0
    assert 0.3 < known.float().mean() < 0.7 and (exact.inputs.up.norm(dim=1) > 0).all()
    # frames: made ones stand upright or lean a little; those of meshes in use point anywhere, evenly
    R = used.target.R @ exact.target.R.mT  # (N, 3, 3) from one frame to the other; R turned by Q is any rotation
    trace = R.diagonal(dim1=1, dim2=2).sum(1)
    assert abs(float(trace.mean())) < 0.4  # evenly over all rotations it is 0
    tilt = used.target.R[:, :, 1]
    assert float(tilt.mean(0).norm()) < 0.25 < float(exact.target.R[:, :, 1].mean(0).norm())
    # points lie on the surface of exact data, and beside it of the others
    away = []
    for batch in (used, exact):
        placed = batch.target.s[:, None, None] * batch.inputs.geometry[..., :3] @ batch.target.R.mT
        placed = placed + batch.target.t[:, None]
        seen = batch.inputs.cloud * batch.inputs.radius[:, None, None] + batch.inputs.centre[:, None]
        nearest = torch.cdist(seen, placed).amin(-1) / batch.target.s[:, None]  # (N, P)
        away.append(float(nearest[torch.arange(nearest.shape[1]) < batch.inputs.cloud_count[:, None]].quantile(0.99)))
    assert away[0] > 1.2 * away[1]
    shapes = open_sources(config("points", bank, data={"held_packs": ("one_pack",)}), exact_shapes=True)
    assert isinstance(shapes.held_out, SplatPoses) and shapes.held_out.augment.shapes.nothing


class One:
    """A sample whose objects are all seen, but those in ``hidden``."""

    def __init__(self, *names: str, hidden: int = 0) -> None:
        self.names, self.info = names, {"objects": list(names)}
        self.labels = np.arange(1 + len(names) - hidden)[None]


def test_scenes_that_show_held_out_objects_are_passed_over_or_chosen() -> None:
    bank = few_bank(1024)
    scenes = [One("few:one_pack__brick"), One("few:two_pack__cone", "few:three/7"), One("few:three/7")]
    held = bank.select([1])
    kept = Without(scenes, held)  # type: ignore[arg-type]
    assert [scenes.index(kept[i]) for i in range(3)] == [1, 1, 2]  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected samples without held-out objects; got 100 with one"):
        Without(scenes[:1], held)[0]  # type: ignore[arg-type]
    shown = Showing([*scenes, One("few:three/7", "few:one_pack__brick", hidden=1)], held)  # type: ignore[arg-type]
    assert [shown[i] is scenes[0] for i in range(4)] == [True] * 4
    with pytest.raises(InputError) as error:
        Showing(scenes[1:], held)[1]  # type: ignore[arg-type]
    assert str(error.value) == (
        "expected samples that show one of 1 held-out objects; got 100 without, from number 1 on; the first of these "
        "is few:one_pack__brick; make scenes of the bank's objects, or hold out others"
    )


def test_maps_of_validation_are_of_held_out_objects_alone(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        "scenemaker.training.image_sources.image_batch", lambda samples, *_, measured: seen.append((samples, measured))
    )
    scene, made = One("few:three/7", "few:one_pack__brick"), config("image", bank)
    ImageSource(made, [[scene]], held=few_bank(1024).select([1]))(0)  # type: ignore[list-item]
    ImageSource(made, [[scene]])(0)  # type: ignore[list-item]
    (samples, measured), (_, all_) = seen
    assert samples == [scene] * 2 and measured(scene).tolist() == [False, True] and all_ is None


def views(root: Path, scenes: int, views: int) -> Path:
    """Empty scene folders, to be listed."""
    for name in (f"{scene:06d}/{view:02d}" for scene in range(scenes) for view in range(views)):
        (root / name).mkdir(parents=True)
        (root / name / "scene.json").touch()
    return root


def test_without_a_bank_whole_scenes_are_held_out(tmp_path: Path) -> None:
    folders = open_samples(views(tmp_path / "scenes", 21, 3))
    assert not isinstance(folders, MadeSamples)
    sides = [OfScenes(folders, held_out=side) for side in (False, True)]
    names = [[folders.folders[i].parent.name for i in side.numbers or []] for side in sides]
    assert set(names[1]) == {"000000", "000010", "000020"} and not set(names[0]) & set(names[1])
    assert len(names[0]) == 18 * 3 and len(sides[1]) == 9
    with pytest.raises(InputError, match="expected scenes to train on and to hold out; got one, "):
        OfScenes(open_samples(views(tmp_path / "one", 1, 4)), held_out=True)

    class Numbers(MadeSamples):
        def __init__(self) -> None:
            self.views = 4

        def __getitem__(self, index: int) -> Any:
            return divmod(index, 4)

    made = [OfScenes(Numbers(), held_out=side) for side in (False, True)]
    seen: list[set[Any]] = [{side[i] for i in range(4 * n)} for side, n in zip(made, (2 * EVERY - 2, 2), strict=True)]
    assert seen[0] | seen[1] == {(s, v) for s in range(2 * EVERY) for v in range(4)}
    assert {s for s, _ in seen[1]} == {0, EVERY} and not seen[0] & seen[1]


def test_pictures_of_several_widths(bank: Path) -> None:
    made = config("pose", bank, ["data.widths=[48,96]"], data={"held_packs": ("two_pack",)})
    source = open_sources(made).train
    seen = {source.posed(step, 2).pictures.labels.shape[2] for step in range(8)}  # type: ignore[attr-defined]
    assert seen == {48, 96}


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
    small = made.model.model_copy(update={"points": made.model.points.model_copy(update={"points": 32})})
    other = build_task(made.model_copy(update={"start": tmp_path / "pose.safetensors", "model": small}))
    assert other.batch(0).inputs.cloud.shape[1] == made.model.points.points  # the weights say what they are given
    resumed = build_task(made, resumes=True)
    assert isinstance(resumed, PoseTask)
    assert bool((resumed.model.variables.mean == 0).all())  # a checkpoint brings its own
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
    assert here["held_out"] == {"packs": ["two_pack"], "share": 0.1}  # the pack that the share chose, by name
    on_gpu = facts_of(config("pose", bank, ["train.device=cuda:1"]))
    assert (here["device"], on_gpu["device"]) == ("cpu", "cuda")
    assert facts_of(config("pose", bank, ["train.device=cuda"])) == on_gpu != here


def test_facts_change_with_scenes_recipes_and_folders_of_weights(bank: Path, tmp_path: Path) -> None:
    def facts(**told: Any) -> dict[str, Any]:
        return facts_of(config("pose", bank, **told))

    scenes, recipe = views(tmp_path / "scenes", 2, 1), tmp_path / "scenes.toml"
    recipe.write_text("seed = 1\n")
    weights = tmp_path / "released"
    weights.mkdir()
    (weights / "model.bin").write_bytes(b"1234")
    before = [facts(data={"scenes": (scenes,)}), facts(data={"scenes": (recipe,)}), facts(start=weights)]
    assert len({str(f) for f in [*before, facts()]}) == 4
    assert facts(data={"scenes": (scenes.rename(tmp_path / "moved"),)}) == before[0]
    (tmp_path / "moved" / "000000" / "00" / "scene.json").write_bytes(b"1")  # of another size
    recipe.write_text("seed = 2\n")
    (weights / "model.bin").write_bytes(b"1235")  # of the same size
    after = [facts(data={"scenes": (tmp_path / "moved",)}), facts(data={"scenes": (recipe,)}), facts(start=weights)]
    assert all(a != b for a, b in zip(before, after, strict=True))
    with pytest.raises(InputError, match=r"expected a readable file; got .*none\.toml: No such file.*; check the path"):
        facts(data={"scenes": (tmp_path / "none.toml",)})


def test_weights_that_saw_what_is_held_out_are_refused(
    bank: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def encoder(name: str, bank: Path, *packs: str) -> Path:
        made = config("geometry", bank, data={"held_packs": packs})
        path = tmp_path / f"{name}.safetensors"
        save_encoder(GeometryVAE(made.model.geometry), path, {"step": 1, "facts": facts_of(made)})
        return path

    here = config("pose", bank, data={"held_packs": ("two_pack",)})
    same, both = encoder("same", bank, "two_pack"), encoder("both", bank, "two_pack", "one_pack")
    other = encoder("other", bank, "one_pack")
    check_unseen([same, both], here.data)
    assert not caplog.text
    with pytest.raises(ConfigError) as error:
        build_task(here.model_copy(update={"adopt": (same, other)}))
    assert str(error.value) == (
        f"expected weights that have not seen what is held out; got {other}, trained on 1 of 1 of these "
        "(few:two_pack__cone); hold out what it did not see (packs one_pack and data.held_share=0.1), or train it again"
    )
    foreign = encoder("foreign", few_bank(512).save(tmp_path / "foreign_bank"), "one_pack")
    check_unseen([foreign], here.data)
    assert f"{foreign} saw another bank: held-out objects may be in it, such as few:two_pack__cone" in caplog.text
    save_encoder(GeometryVAE(here.model.geometry), tmp_path / "silent", {})
    check_unseen([tmp_path / "silent"], here.data)
    assert "silent does not say which objects it has seen: held-out ones may be among them" in caplog.text


def test_shards_are_told_to_be_packed(tmp_path: Path) -> None:
    (tmp_path / "0.tar").touch()
    with pytest.raises(InputError, match=re.escape(f"type: scenemaker train pack --scenes {tmp_path}")):
        open_samples(tmp_path)


def test_other_kinds_say_what_they_need(bank: Path) -> None:
    with pytest.raises(ConfigError, match="expected scenes with colour; got none; make some: scenemaker data scenes"):
        build_task(config("image", None))
    with pytest.raises(ConfigError, match="expected a released checkpoint to start from; got none; give --released"):
        build_task(config("released", bank))


def test_every_process_has_its_own_gpu(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def device(told: str) -> str:
        return config("pose", bank, [f"train.device={told}"]).train.process_device

    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert [device(d) for d in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda", "cuda:1"]
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert [device(d) for d in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda:3", "cuda:1"]
    used = []
    monkeypatch.setattr("scenemaker.training.setup.check_device", lambda device: device)
    monkeypatch.setattr(torch.cuda, "set_device", used.append)
    monkeypatch.setitem(_BUILD, "pose", lambda config, _: used.append(config.train.device))
    build_task(config("pose", bank, ["train.device=cuda"]))
    assert used == ["cuda:3", "cuda:3"]  # in use before any data are put there
