"""PyTorch data sets: every sample once whatever the number of workers, mixes by weight, batches without padding."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from data_samples import meshes_of, sample_of
from torch.utils.data import DataLoader

from scenemaker.data.datasets import MixedScenes, SceneFolders, SceneShards, SceneStream, collate
from scenemaker.data.make import SceneFactory
from scenemaker.data.recipe import SceneRecipe, build_recipe
from scenemaker.data.storage.folders import FolderWriter
from scenemaker.data.storage.shards import ShardWriter
from scenemaker.errors import ConfigError, InputError

# forked workers of a process with threads are warned of; ours load only NumPy and OpenCV code
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),  # more workers than processors
]


def shards(root: Path, scenes: int = 7, per_shard: int = 2) -> Path:
    writer = ShardWriter(root, per_shard)
    for i in range(scenes):
        writer.write_scene(i, [sample_of(f"{i:06d}_{v:02d}", 2) for v in range(2)], [])
    writer.finish()
    return root


def keys(loader: DataLoader) -> list[str]:
    return [key for batch in loader for key in batch["keys"]]


ALL = [f"{i:06d}_{v:02d}" for i in range(7) for v in range(2)]


@pytest.mark.parametrize("workers", [0, 1, 3, 6])
def test_shards_give_every_sample_once(tmp_path: Path, workers: int) -> None:
    """Four shards: with six workers there are more readers than shards."""
    data = SceneShards(shards(tmp_path))
    loader = DataLoader(data, batch_size=3, num_workers=workers, collate_fn=collate)
    assert sorted(keys(loader)) == ALL
    if workers == 0:
        assert keys(loader) == ALL


def test_shuffling_differs_by_epoch_and_repeats_by_seed(tmp_path: Path) -> None:
    root = shards(tmp_path)
    data, again = SceneShards(root, shuffle=8, seed=3), SceneShards(root, shuffle=8, seed=3)
    first, second = [s.key for s in data], [s.key for s in data]
    assert sorted(first) == sorted(second) == ALL
    assert first != second
    assert ALL not in (first, second)
    assert [s.key for s in again] == first


@pytest.mark.parametrize("persistent", [False, True])
def test_epochs_are_set_for_workers_too(tmp_path: Path, persistent: bool) -> None:
    data = SceneShards(shards(tmp_path), shuffle=8, seed=3)
    loader = DataLoader(data, batch_size=None, num_workers=2, persistent_workers=persistent)
    orders = []
    for epoch in (0, 1, 0):
        data.set_epoch(epoch)
        orders.append([s.key for s in loader])
    assert sorted(orders[0]) == sorted(orders[1]) == ALL
    assert orders[0] != orders[1]
    assert orders[0] == orders[2]


def test_folders(tmp_path: Path) -> None:
    writer = FolderWriter(tmp_path)
    for i in range(3):
        writer.write_scene(i, [sample_of(f"{i:06d}_00")], meshes_of())
    data = SceneFolders(tmp_path)
    assert len(data) == 3
    loader = DataLoader(data, batch_size=2, shuffle=True, num_workers=2, collate_fn=collate)
    assert sorted(keys(loader)) == ["000000_00", "000001_00", "000002_00"]


def small_recipe() -> SceneRecipe:
    return build_recipe(
        SceneRecipe,
        {
            "objects": [{"families": ("rock", "bowl")}],
            "views": {"views": 2, "sizes": [(48, 36)]},
            "points": 32,
            "layouts": [{"name": "plane", "options": {"count": (2, 2)}}],
        },
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_stream_makes_the_scenes_of_the_recipe(workers: int) -> None:
    data = SceneStream(small_recipe(), count=3, start=2)
    found = {s.key: s.rgb for s in DataLoader(data, batch_size=None, num_workers=workers)}
    factory = SceneFactory(small_recipe())
    wanted = {s.key: s.rgb for i in (2, 3, 4) for s in factory(i).samples}
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[k], wanted[k]) for k in wanted)


def test_mix_is_by_weight(tmp_path: Path) -> None:
    a, b = [sample_of("a", 1)] * 600, [sample_of("b", 1)] * 600
    counts = Counter(s.key for s, _ in zip(MixedScenes([(a, 3.0), (b, 1.0)], seed=1), range(600)))
    assert 0.70 < counts["a"] / 600 < 0.80  # three standard deviations about 0.75


def test_mix_ends_when_every_source_was_seen(tmp_path: Path) -> None:
    folders = [sample_of(f"f{i}", 1) for i in range(4)]
    streamed = SceneShards(shards(tmp_path))
    found = Counter(s.key for s in MixedScenes([(folders, 1.0), (streamed, 1.0)], seed=0))
    assert set(found) == {*ALL, "f0", "f1", "f2", "f3"}
    assert min(found[k] for k in ALL) >= 1


@pytest.mark.parametrize("workers", [1, 3])
def test_readers_share_a_mix_out(tmp_path: Path, workers: int) -> None:
    only = MixedScenes([([sample_of(f"f{i}", 1) for i in range(9)], 1.0)], seed=0)
    loader = DataLoader(only, batch_size=2, num_workers=workers, collate_fn=collate)
    assert sorted(keys(loader)) == [f"f{i}" for i in range(9)]


def test_wrong_weights() -> None:
    with pytest.raises(ConfigError, match=r"expected sources with positive weights; got \[1.0, 0\]"):
        MixedScenes([([], 1.0), ([], 0)])


def test_collate_keeps_objects_in_one_row() -> None:
    samples = [sample_of("a", 3, points=64), sample_of("b", 1, points=80), sample_of("c", 2, points=64)]
    batch = collate(samples)
    assert batch["rgb"].shape == (3, 3, 32, 48)
    assert batch["scene"].tolist() == [0, 0, 0, 1, 2, 2]
    assert batch["label_value"].tolist() == [1, 2, 3, 1, 1, 2]
    assert batch["points_obj"].shape == (6, 64, 6)
    at = 0
    for b, sample in enumerate(samples):
        assert torch.equal(batch["depth"][b].nan_to_num(), torch.from_numpy(sample.depth).nan_to_num())
        for i in range(len(sample)):
            assert torch.allclose(batch["R_cam_obj"][at].double(), torch.from_numpy(sample.R_cam_obj[i]), atol=1e-6)
            assert torch.equal(batch["points_obj"][at], torch.from_numpy(sample.points_obj[i, :64]))
            seen = batch["labels"][b] == batch["label_value"][at]
            assert int(seen.sum()) == int((sample.labels == i + 1).sum())
            at += 1


def test_collate_of_several_sizes() -> None:
    batch = collate([sample_of("a", 2), sample_of("b", 2, width=60, height=40)])
    assert [tuple(r.shape) for r in batch["rgb"]] == [(3, 32, 48), (3, 40, 60)]
    assert batch["K"].shape == (2, 3, 3)


def test_collate_says_what_is_wrong() -> None:
    with pytest.raises(ConfigError, match="expected 100 points per object; got a sample with 64"):
        collate([sample_of("a", 2)], points=100)
    with pytest.raises(ConfigError, match="expected samples; got none"):
        collate([])


def test_truncated_shard_is_named(tmp_path: Path) -> None:
    root = shards(tmp_path, 2)
    (path,) = root.glob("*.tar")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(InputError, match=path.name):
        list(SceneShards(root))
