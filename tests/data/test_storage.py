"""Scene folders and shards: what goes in comes out, damage is named, kills and worker counts change nothing."""

from __future__ import annotations

import json
import tarfile
from dataclasses import fields
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from data_samples import meshes_of, sample_of

from scenemaker import Scene
from scenemaker.cache import folder_digest
from scenemaker.data.storage.codec import sample_files, sample_from_files
from scenemaker.data.storage.folders import FolderWriter, read_sample, scene_folders
from scenemaker.data.storage.shards import ShardWriter, read_items, read_shard, shard_paths
from scenemaker.data.types import SceneSample
from scenemaker.errors import InputError
from scenemaker.geometry.cameras import Camera
from scenemaker.geometry.raycast import render
from scenemaker.schema import scene_schema


def assert_same(a: SceneSample, b: SceneSample, *, points: float = 1.3e-4) -> None:
    """Equal to the byte, but for points and normals, which are stored as float16."""
    for f in fields(SceneSample):
        x, y = getattr(a, f.name), getattr(b, f.name)
        if f.name == "camera":
            assert np.array_equal(x.K, y.K)
            assert np.array_equal(x.T_cam_world, y.T_cam_world)
            assert (x.width, x.height) == (y.width, y.height)
        elif f.name in ("points_obj", "normals_cam") and x is not None and x.size:
            assert x.dtype == y.dtype == np.float32
            assert np.allclose(x, y, atol=5e-4, equal_nan=True)
            assert np.nanmax(np.abs(x - y)[..., :3]) <= (points if f.name == "points_obj" else 5e-4)
        elif f.name == "visible_fraction":
            assert np.allclose(x, y, atol=1e-6, equal_nan=True)
        elif isinstance(x, np.ndarray):
            assert x.dtype == y.dtype, f.name
            assert np.array_equal(x, y, equal_nan=x.dtype.kind == "f"), f.name
        else:
            assert x == y, f.name


def test_files_and_back() -> None:
    sample = sample_of("000007_01")
    files = sample_files(sample)
    assert_same(sample, sample_from_files(files, "it"))
    assert files == sample_files(sample)


def test_what_is_unknown_stays_unknown() -> None:
    known = sample_of("k", 2)
    values = {f.name: getattr(known, f.name) for f in fields(SceneSample)}
    values |= {"amodal": None, "normals_cam": None, "up_cam": None, "visible_fraction": np.array([np.nan, 0.5])}
    values |= {"scale": np.array([np.nan, 1.0]), "points_obj": np.zeros((2, 0, 6), np.float32)}
    sample = SceneSample(**values)
    files = sample_files(sample)
    assert set(files) == {"rgb.png", "labels.png", "depth.npy", "scene.json"}
    assert_same(sample, sample_from_files(files, "it"))


def test_folder_is_a_scene_folder(tmp_path: Path) -> None:
    samples = [sample_of("000004_00"), sample_of("000004_01")]
    writer = FolderWriter(tmp_path)
    assert not writer.has(4)
    writer.write_scene(4, samples, meshes_of())
    assert writer.has(4)
    folders = scene_folders(tmp_path)
    assert [str(f.relative_to(tmp_path)) for f in folders] == ["000004/00", "000004/01"]
    for folder, sample in zip(folders, samples):
        assert_same(sample, read_sample(folder))
        jsonschema.validate(json.loads((folder / "scene.json").read_text()), scene_schema())
        scene = Scene.load(folder)
        assert [o.name for o in scene.placed] == list(sample.names)
        again = render([o.mesh for o in scene.placed], [o.S_cam_obj for o in scene.placed], camera_at_origin(sample))
        assert (again.index + 1 == sample.labels).mean() > 0.999
        seen = (sample.labels > 0) & (again.index >= 0)
        assert np.abs(again.depth[seen] - sample.depth[seen]).max() < 1e-3
    shared = [(f / "objects" / "01_thing_1.glb").stat().st_ino for f in folders]
    assert shared[0] == shared[1], "views share their meshes"


def camera_at_origin(sample: SceneSample) -> Camera:
    return Camera(K=sample.camera.K, width=sample.camera.width, height=sample.camera.height)


@pytest.mark.parametrize("name", ["rgb.png", "labels.png", "depth.npy", "amodal.npz", "points.npz", "scene.json"])
def test_damaged_file_is_named(name: str) -> None:
    files = sample_files(sample_of("x"))
    with pytest.raises(InputError, match=f"{name} of some/folder"):
        sample_from_files({**files, name: files[name][: len(files[name]) // 2]}, "some/folder")


def test_missing_file_is_named() -> None:
    files = sample_files(sample_of("x"))
    del files["depth.npy"]
    with pytest.raises(InputError) as error:
        sample_from_files(files, "some/folder")
    assert str(error.value) == "expected the files of a sample; got some/folder without depth.npy; make it again"


def test_no_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="scenemaker data scenes -o OUT"):
        scene_folders(tmp_path)
    with pytest.raises(InputError, match="nowhere: no such folder"):
        scene_folders(tmp_path / "nowhere")


def write_scenes(root: Path, indices: list[int], per_shard: int = 4) -> ShardWriter:
    writer = ShardWriter(root, per_shard)
    for i in indices:
        writer.write_scene(i, [sample_of(f"{i:06d}_{v:02d}", 2) for v in range(2)], [])
        writer.collect(i)
    return writer


def test_shards_in_any_order_are_the_same(tmp_path: Path) -> None:
    write_scenes(tmp_path / "a", list(range(10))).finish()
    write_scenes(tmp_path / "b", [9, 3, 0, 7, 1, 2, 8, 5, 6, 4]).finish()
    names = ["scenes-000000-000003.tar", "scenes-000004-000007.tar", "scenes-000008-000009.tar"]
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == names
    assert folder_digest(tmp_path / "a") == folder_digest(tmp_path / "b")
    keys = [s.key for p in shard_paths(tmp_path / "a") for s in read_shard(p)]
    assert keys == [f"{i:06d}_{v:02d}" for i in range(10) for v in range(2)]


def test_killed_run_goes_on(tmp_path: Path) -> None:
    write_scenes(tmp_path / "cut", [0, 1, 2, 3, 5])  # never finished: killed
    assert [p.name for p in (tmp_path / "cut").glob("*.tar")] == ["scenes-000000-000003.tar"]
    again = ShardWriter(tmp_path / "cut", 4)
    left = [i for i in range(10) if not again.has(i)]
    assert left == [4, 6, 7, 8, 9]
    write_scenes(tmp_path / "cut", left).finish()
    write_scenes(tmp_path / "whole", list(range(10))).finish()
    assert folder_digest(tmp_path / "cut") == folder_digest(tmp_path / "whole")


def test_killed_between_joining_and_removing(tmp_path: Path) -> None:
    """Pieces that a shard already holds go; no scene is in two shards."""
    writer = write_scenes(tmp_path, [0, 1, 2])
    pieces = {p.name: p.read_bytes() for p in writer.pieces.glob("*.piece")}
    writer.finish()
    writer.pieces.mkdir()
    for name, data in pieces.items():
        (writer.pieces / name).write_bytes(data)
    again = ShardWriter(tmp_path, 4)
    again.finish()
    keys = [s.key for p in shard_paths(tmp_path) for s in read_shard(p)]
    assert keys == [f"{i:06d}_{v:02d}" for i in range(3) for v in range(2)]


def test_skipped_objects_of_a_run_are_left_out() -> None:
    files = sample_files(sample_of("x"))
    data = json.loads(files["scene.json"])
    data["objects"][1] |= {"status": "skipped", "R_cam_obj": None, "t_cam_obj": None, "size": None, "scale": None}
    del data["data"]
    del files["points.npz"]
    whole = sample_of("x")
    left = sample_from_files({**files, "scene.json": json.dumps(data).encode()}, "it")
    assert left.names == ("thing_1", "thing_3")
    assert np.array_equal(left.labels == 2, whole.labels == 3)
    assert not ((whole.labels == 2) & (left.labels > 0)).any()
    assert left.amodal is not None and whole.amodal is not None
    assert np.array_equal(left.amodal, whole.amodal[[0, 2]])


def test_more_scenes_join_later(tmp_path: Path) -> None:
    write_scenes(tmp_path, list(range(6))).finish()
    writer = ShardWriter(tmp_path, 4)
    assert [writer.has(i) for i in range(8)] == [True] * 6 + [False] * 2
    write_scenes(tmp_path, [6, 7, 8]).finish()
    keys = [s.key for p in shard_paths(tmp_path) for s in read_shard(p)]
    assert keys == [f"{i:06d}_{v:02d}" for i in range(9) for v in range(2)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves the file open
def test_webdataset_reads_shards(tmp_path: Path) -> None:
    import webdataset

    write_scenes(tmp_path, [0, 1]).finish()
    (path,) = shard_paths(tmp_path)
    items = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [i["__key__"] for i in items] == ["000000_00", "000000_01", "000001_00", "000001_01"]
    files = {k: v for k, v in items[2].items() if not k.startswith("__")}
    assert_same(sample_of("000001_00", 2), sample_from_files(files, "it"))


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_truncated_shard(tmp_path: Path, share: float) -> None:
    write_scenes(tmp_path, [0, 1, 2]).finish()
    (path,) = shard_paths(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    got = []
    with pytest.raises(InputError, match=rf"{path.name}: .* after \d whole items") as error:
        got.extend(key for key, _ in read_items(path))
    assert f"after {len(got)} whole" in str(error.value)


def test_shard_cut_between_two_members(tmp_path: Path) -> None:
    """Where tarfile itself notices nothing."""
    write_scenes(tmp_path, [0, 1]).finish()
    (path,) = shard_paths(tmp_path)
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    path.write_bytes(path.read_bytes()[: members[10].offset])
    with pytest.raises(InputError, match="no end mark"):
        list(read_items(path))


def test_no_shards(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected shards \(\*\.tar\); got none in .*; make some"):
        shard_paths(tmp_path)
    with pytest.raises(InputError, match=r"a\.tar: no such file"):
        shard_paths([tmp_path / "a.tar"])
