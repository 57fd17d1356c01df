"""The contact sheet and the statistics of data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_samples import meshes_of, sample_of

from scenemaker.data.show import OUTLINE, TILE_PX, as_text, contact_sheet, infos, pictures, statistics
from scenemaker.data.storage.folders import FolderWriter
from scenemaker.data.storage.shards import ShardWriter
from scenemaker.errors import InputError


def both(tmp_path: Path) -> tuple[Path, Path]:
    folders, shards = FolderWriter(tmp_path / "folders"), ShardWriter(tmp_path / "shards", 2)
    for i in range(5):
        samples = [sample_of(f"{i:06d}_{v:02d}") for v in range(2)]
        for s in samples:
            s.info["index"] = i
            s.info["redrawn"] = ["too tight"] * i
        folders.write_scene(i, samples, meshes_of())
        shards.write_scene(i, samples, [])
    shards.finish()
    return tmp_path / "folders", tmp_path / "shards"


def test_statistics_are_the_same_in_both_forms(tmp_path: Path) -> None:
    folders, shards = both(tmp_path)
    a, b = statistics(infos(folders)), statistics(infos(shards))
    assert a == b
    assert (a["scenes"], a["views"], a["objects"]) == (5, 10, 30)
    assert a["objects_per_view"] == {"3": 10}
    assert a["redrawn"] == {"too tight": 10}, "counted once per scene, not per view"
    sample = sample_of("x")
    f = sample.visible_fraction
    assert a["bins"]["0.7-1"] == 10 * (f >= 0.7).sum()
    assert sum(a["bins"].values()) == 30
    assert a["visible_fraction"][1] == pytest.approx(np.median(f), abs=1e-3)
    assert a["elevation_deg"] == pytest.approx([22.0] * 3, abs=1e-3)  # the pitch of the made scene
    ratio = sample.size.max(1) / np.linalg.norm(sample.t_cam_obj, axis=1)
    assert a["size_over_distance"][1] == pytest.approx(np.median(ratio), abs=1e-3)
    share = [(sample.labels == i + 1).mean() for i in range(3)]
    assert a["picture_share"][1] == pytest.approx(np.median(share), abs=1e-3)
    text = as_text(a)
    assert "5 scenes, 10 views, 30 objects" in text
    assert "     10  too tight" in text


def test_pictures_show_the_outlines(tmp_path: Path) -> None:
    folders, shards = both(tmp_path)
    a, b = pictures(folders, 10), pictures(shards, 10)
    assert len(a) == len(b) == 10
    assert all(np.array_equal(x, y) for x, y in zip(a, b))
    sample = sample_of("000000_00")
    drawn = (a[0] == OUTLINE).all(-1)
    assert drawn.any()
    assert not (drawn & (sample.labels == 0)).any(), "outlines lie inside their objects"
    assert (a[0][~drawn] == sample.rgb[~drawn]).all()


def test_a_few_are_spread_over_all(tmp_path: Path) -> None:
    folders, shards = both(tmp_path)
    tints = [np.median(sample_of(f"{i:06d}_00").rgb) for i in (0, 4)]
    for root in (folders, shards):
        few = pictures(root, 2)
        assert len(few) == 2
        assert abs(np.median(few[0]) - tints[0]) <= 1
        assert abs(np.median(few[1]) - tints[1]) <= 1


def test_sheet_keeps_shapes() -> None:
    wide, high = np.full((10, 40, 3), 7, np.uint8), np.full((40, 10, 3), 9, np.uint8)
    sheet = contact_sheet([wide, high, wide], columns=2)
    assert sheet.shape == (2 * (TILE_PX // 2 + 4) + 4, 2 * (2 * TILE_PX + 4) + 4, 3)
    assert (sheet == 7).all(-1).sum() == 2 * (2 * TILE_PX) * (TILE_PX // 2)
    assert (sheet == 9).all(-1).sum() == (TILE_PX // 2) * (TILE_PX // 8)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a data set; got .*; make one: scenemaker data scenes -o OUT"):
        pictures(tmp_path, 4)
    with pytest.raises(InputError, match="nowhere: no such folder"):
        pictures(tmp_path / "nowhere", 4)
    (tmp_path / "a.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(InputError, match=r"expected a whole shard; got .*a\.tar"):
        list(infos(tmp_path))
