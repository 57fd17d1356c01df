"""Samples of the data engine as batches, from folders, recipes and packs; and mixes of sources."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from data_samples import meshes_of, sample_of

from scenemaker.data.objects.procedural import ProceduralSource
from scenemaker.data.recipe import ObjectsFrom, SceneRecipe
from scenemaker.data.types import DataObject, SceneSample
from scenemaker.data.viewpoints import Viewpoints
from scenemaker.errors import ConfigError, InputError
from scenemaker.geometry.mesh import normalise
from scenemaker.pose.dit.config import CONFIGS
from scenemaker.pose.dit.types import PoseBatch
from scenemaker.training.data.augment import Augment
from scenemaker.training.data.bank import ObjectBank, build_bank
from scenemaker.training.data.packs import PosePack, write_pack
from scenemaker.training.data.sample_poses import MadeSamples, MixedPoses, SamplePoses
from scenemaker.training.data.shots import OTHER, shot_of

TINY = CONFIGS["tiny"]


class Things:
    """The objects of ``sample_of``, as its samples name them."""

    name = "made"

    def draw(self, rng: np.random.Generator) -> str:
        return "thing_1"

    def get(self, key: str) -> DataObject:
        return DataObject(key=key, mesh=normalise(meshes_of()[int(key[-1]) - 1])[0], source="made")


def samples(count: int = 5) -> list[SceneSample]:
    out = []
    for i in range(count):
        sample = sample_of(f"s{i}", 3 if i else 2, width=96, height=64, points=300)
        names = [f"made:{name}" for name in sample.names]
        # scenes are told apart by their camera's place along z
        out.append(replace(sample, info={**sample.info, "objects": names}, source=f"{i}"))
    return out


@pytest.fixture(scope="module")
def bank() -> ObjectBank:
    return build_bank(Things(), ["thing_1", "thing_2", "thing_3"], points=512)[0]


def poses(bank: ObjectBank, **options: object) -> SamplePoses:
    return SamplePoses(samples(), bank, TINY, Augment.none(), size=(60, 45), **options)  # type: ignore[arg-type]


def test_shots_show_what_samples_show() -> None:
    sample = samples()[1]
    shot = shot_of(sample, 60, 45)  # 96 x 64 is wider: the middle 85 x 64 of it
    assert shot is not None
    assert shot.rgb.shape == (45, 60, 3)
    K = sample.camera.K
    left = (96 - 85) // 2
    assert np.allclose(shot.K[0], [K[0, 0] * 60 / 85, 0, (K[0, 2] - left) * 60 / 85])
    assert np.allclose(shot.K[1], [0, K[1, 1] * 45 / 64, K[1, 2] * 45 / 64])
    for v in range(0, 45, 7):
        for u in range(0, 60, 7):
            row, column = int((v + 0.5) * 64 / 45), left + int((u + 0.5) * 85 / 60)
            label = sample.labels[row, column]
            assert shot.labels[v, u] == label
            if label:
                assert shot.depth[v, u] == sample.depth[row, column]
    assert shot.names == ("made:thing_1", "made:thing_2", "made:thing_3")
    assert np.allclose(shot.rgb.mean((0, 1)), sample.rgb[:, left : left + 85].mean((0, 1)), atol=1)


def test_objects_that_cannot_be_placed_are_left_out() -> None:
    sample = samples()[1]
    scale = sample.scale.copy()
    scale[1] = np.nan
    shot = shot_of(replace(sample, scale=scale), 96, 64)
    assert shot is not None
    assert shot.names == ("made:thing_1", "made:thing_3")
    assert np.array_equal(shot.labels == OTHER, sample.labels == 2), "it may still hide others"
    assert np.array_equal(shot.labels == 2, sample.labels == 3)
    assert np.allclose(shot.t, sample.t_cam_obj[[0, 2]])
    few = sample.labels.copy()
    few[few == 3] = 0
    few[:2, :5] = 3  # ten pixels
    shot = shot_of(replace(sample, labels=few), 96, 64)
    assert shot is not None
    assert shot.names == ("made:thing_1", "made:thing_2")
    assert shot_of(replace(sample, scale=np.full(3, np.nan)), 96, 64) is None


def distances(batch: PoseBatch) -> torch.Tensor:
    """(T,) of observed points to the shapes that the targets place, in longest sides."""
    inputs, target = batch.inputs, batch.target
    placed = target.s[:, None, None] * inputs.geometry[..., :3] @ target.R.mT + target.t[:, None]
    seen = inputs.cloud * inputs.radius[:, None, None] + inputs.centre[:, None]
    away = torch.cdist(seen, placed).amin(-1) / target.s[:, None]  # (N, P)
    return away[torch.arange(away.shape[1]) < inputs.cloud_count[:, None]]


def test_targets_place_shapes_on_what_is_seen(bank: ObjectBank) -> None:
    batch = poses(bank).batch(0, 4)
    assert distances(batch).median() < 0.06  # the shapes have 256 points
    assert batch.symmetries.shape == (len(batch.target.s), *bank.symmetries.shape[1:])
    assert batch.inputs.crop[:, :3].abs().max() > 0.2, "in colour"
    assert torch.isfinite(batch.visible_fraction).all()


def test_every_epoch_has_all_samples_once(bank: ObjectBank) -> None:
    """Batch by batch: two processes, which take every other number, share them out."""
    seen: list[list[int]] = []

    class Watched(list[SceneSample]):
        def __getitem__(self, index: int) -> SceneSample:  # type: ignore[override]
            seen[-1].append(index)
            return super().__getitem__(index)

    made = SamplePoses(Watched(samples(6)), bank, TINY, Augment.none(), size=(60, 45))
    for number in range(8):
        seen.append([])
        made.posed(number, 3)
    assert all(sorted(a + b) == list(range(6)) for a, b in zip(seen[::2], seen[1::2], strict=True))
    assert len({tuple(order) for order in seen[::2]}) > 1


def test_batches_are_functions_of_the_step(bank: ObjectBank) -> None:
    def made() -> SamplePoses:
        return SamplePoses(samples(), bank, TINY, Augment(), size=(60, 45), seed=2)

    one = made()
    first = [one.batch(step, 3) for step in (0, 7)]
    again = made().batch(7, 3)
    assert torch.equal(first[1].inputs.crop, again.inputs.crop)
    assert torch.equal(first[1].target.t, again.target.t)
    assert not torch.equal(first[0].inputs.crop, first[1].inputs.crop)


def test_samples_with_objects_that_the_bank_does_not_have_are_left_out(bank: ObjectBank, tmp_path: Path) -> None:
    """As of packs: the first alone shows things 1 and 2 only."""
    made = poses(bank.select([1, 0]))
    write_pack(samples(), tmp_path / "a.pack", size=(60, 45))
    pack = PosePack(tmp_path / "a.pack", bank.select([1, 0]), TINY, Augment.none())
    for source in (made, pack):
        posed = source.posed(2, 4)
        assert posed.pictures.layout.counts == (2, 2, 2, 2)
        assert torch.equal(posed.symmetries[:2], bank.symmetries[:2]) and torch.equal(posed.pivot[:2], bank.pivot[:2])
    with pytest.raises(InputError) as error:
        poses(bank.select([2])).batch(0, 5)
    got = "100 with others, such as made:thing_1, made:thing_2"
    assert str(error.value) == f"expected samples of the bank's objects; got {got}; build the bank with these"
    with pytest.raises(InputError, match="expected samples; got none; check the folder"):
        SamplePoses([], bank)
    blank = [replace(s, points_obj=np.zeros((len(s), 0, 6), np.float32)) for s in samples()]
    with pytest.raises(InputError, match="expected samples with points of their shapes; got 0 points"):
        SamplePoses(blank, bank, TINY).batch(0, 2)
    empty = [replace(s, scale=np.full(len(s), np.nan)) for s in samples()]
    with pytest.raises(InputError, match="expected samples in which an object is seen; got 100 without"):
        SamplePoses(empty, bank, TINY).batch(0, 2)


def test_scenes_are_made_on_the_fly() -> None:
    recipe = SceneRecipe(
        objects=(ObjectsFrom(families=("crate",)),),
        views=Viewpoints.Config(views=2, sizes=((64, 48),)),
        points=256,
        normals=False,
    )
    made = MadeSamples(recipe)
    third = made[3]
    assert third.key == "000001_01"
    assert MadeSamples(recipe)[3].rgb.tobytes() == third.rgb.tobytes()
    crates = ProceduralSource(families=("crate",))
    keys = [name.partition(":")[2] for i in range(0, 4, 2) for name in made[i].info["objects"]]
    own = build_bank(crates, keys, points=256)[0]
    source = SamplePoses([made[i] for i in range(4)], own, TINY, Augment.none(), size=(64, 48))
    assert distances(source.batch(0, 2)).median() < 0.08


def test_packs_hold_the_same_scenes(bank: ObjectBank, tmp_path: Path) -> None:
    data = samples(6)
    report = write_pack([*data, replace(data[0], scale=np.full(2, np.nan))], tmp_path / "a.pack", size=(60, 45))
    assert (report.scenes, report.objects, report.left_out) == (6, 17, 1)
    assert report.bytes == (tmp_path / "a.pack").stat().st_size
    pack = PosePack(tmp_path / "a.pack", bank, TINY, Augment.none(), seed=1)
    direct = SamplePoses(data, bank, TINY, Augment.none(), size=(60, 45), seed=1)
    a, b = pack.posed(0, 6), direct.posed(0, 6)
    for name in ("R", "t", "s", "symmetries", "axis", "pivot", "visible_fraction"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name
    assert torch.equal(a.pictures.labels, b.pictures.labels)
    assert torch.equal(a.pictures.K, b.pictures.K)
    assert torch.equal(a.pictures.up, b.pictures.up)
    z, z_true = a.pictures.points_cam[..., 2], b.pictures.points_cam[..., 2]
    on = a.pictures.labels > 0
    assert torch.equal(z[on].isnan(), z_true[on].isnan())
    assert ((z - z_true).abs()[on]).nan_to_num().max() < 1e-3 * z_true.nan_to_num().max()
    assert a.pictures.rgb is not None
    assert b.pictures.rgb is not None
    assert (a.pictures.rgb - b.pictures.rgb).abs().mean() < 0.03
    assert distances(pack.batch(0, 4)).median() < 0.06
    again = PosePack(tmp_path / "a.pack", bank, TINY, Augment.none(), seed=1)
    assert torch.equal(pack.batch(3, 4).inputs.crop, again.batch(3, 4).inputs.crop)


def test_equal_samples_give_equal_packs(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        write_pack(samples(2), path, size=(60, 45))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_pictures_with_objects_that_are_held_out_are_never_seen(bank: ObjectBank, tmp_path: Path) -> None:
    write_pack(samples(6), tmp_path / "a.pack", size=(60, 45))  # the first shows things 1 and 2 only
    pack = PosePack(tmp_path / "a.pack", bank.select([0, 1]), TINY, Augment.none())
    assert (len(pack), pack.left_out) == (1, 5)
    assert all(pack.posed(step, 2).pictures.layout.counts == (2, 2) for step in range(4))
    with pytest.raises(InputError, match=r"with objects of the bank; got none of 6; its objects are made:thing_1"):
        PosePack(tmp_path / "a.pack", bank.select([0]), TINY)


def test_packs_that_cannot_be_read(bank: ObjectBank, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a pose pack; got .*none\.pack: no such file; check the path"):
        PosePack(tmp_path / "none.pack", bank)
    bank.save(tmp_path / "bank")
    with pytest.raises(InputError, match="bank: scenemaker object bank 1; write it again"):
        PosePack(tmp_path / "bank", bank)
    write_pack(samples(2), tmp_path / "a.pack", size=(60, 45))
    data = (tmp_path / "a.pack").read_bytes()
    at = data.index(b"\x89PNG")
    (tmp_path / "b.pack").write_bytes(data[:at] + bytes(60) + data[at + 60 :])
    with pytest.raises(InputError, match=r"expected a pose pack; got .*b\.pack: a damaged picture"):
        PosePack(tmp_path / "b.pack", bank)
    with pytest.raises(InputError, match="expected samples that show an object; got 0 without; check the data"):
        write_pack([], tmp_path / "c.pack")


class Named:
    def __init__(self, name: str) -> None:
        self.name = name

    def batch(self, step: int, scenes: int) -> PoseBatch:
        raise AssertionError(f"{self.name}, {step}, {scenes}")


def test_mixes_by_weight_and_step() -> None:
    a, b = Named("a"), Named("b")
    mixed = MixedPoses([(a, 3.0), (b, 1.0)], seed=1)
    chosen = [mixed.source(step) for step in range(2000)]
    assert 0.72 < chosen.count(a) / 2000 < 0.78
    assert chosen == [MixedPoses([(a, 0.75), (b, 0.25)], seed=1).source(step) for step in range(2000)]
    assert chosen != [MixedPoses([(a, 3.0), (b, 1.0)], seed=2).source(step) for step in range(2000)]
    with pytest.raises(AssertionError, match="[ab], 5, 7"):
        mixed.batch(5, 7)
    with pytest.raises(ConfigError) as error:
        MixedPoses([(a, 1.0), (b, 0.0)])
    assert str(error.value) == ("expected sources with positive weights; got [1.0, 0.0]; leave out those of 0")
