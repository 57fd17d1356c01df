"""Checkpoints in parts: what goes in comes out, no file is too large, and no accident leaves none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import scenemaker.training.checkpoints as checkpoints
from scenemaker.errors import CacheError, ConfigError, OutputError
from scenemaker.training.checkpoints import load_checkpoint, newest, read_state, save_checkpoint

KIB = 1 / 1024  # of a MiB


def many_kinds():
    draw = torch.Generator().manual_seed(0)
    shared = torch.randn(6, 5, generator=draw)
    return {
        "large": torch.randn(37, 41, generator=draw),  # 6 KiB
        "step": torch.tensor(7.0),
        "count": torch.tensor(2**60 + 1, dtype=torch.int64),
        "half": torch.randn(3, 700, generator=draw).bfloat16(),
        "flags": torch.tensor([True, False, True]),
        "empty": torch.zeros(0, 4),
        "turned": shared.T,
        'a "quoted" náme': shared,
        "tied": shared,
        **{f"scalar {i}": torch.tensor(float(i)) for i in range(60)},
        "one row": torch.randn(1, 3000, generator=draw),
        "bytes": torch.arange(5000, dtype=torch.uint8),
    }


def same(a, b):
    assert list(a) == list(b)
    for name in a:
        assert a[name].dtype == b[name].dtype and a[name].shape == b[name].shape, name
        assert torch.equal(a[name], b[name]), name


@pytest.mark.parametrize("kib", [2, 3, 7, 1000])
def test_tensors_come_back_and_no_part_is_larger_than_asked(tmp_path, kib):
    path = save_checkpoint(tmp_path, 500, many_kinds(), {"seconds": 1.5}, part_mib=kib * KIB)
    tensors, facts = load_checkpoint(path)
    same(tensors, many_kinds())
    assert facts == {"seconds": 1.5, "step": 500}
    sizes = [p.stat().st_size for p in path.glob("*.safetensors")]
    assert max(sizes) <= kib * 1024
    assert len(sizes) <= sum(sizes) // (kib * 1024 - 10 * 256 if kib > 3 else 1024) + 1  # and none is nearly empty
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000500"]
    assert path.stat().st_mode & 0o777 == 0o755 and (path / "state.json").stat().st_mode & 0o444 == 0o444


def test_parts_are_plain_safetensors_named_by_number_and_total(tmp_path):
    path = save_checkpoint(tmp_path, 1, many_kinds(), {}, part_mib=7 * KIB)
    names = sorted(p.name for p in path.glob("*.safetensors"))
    total = len(names)
    assert names == [f"state-{i:05d}-of-{total:05d}.safetensors" for i in range(1, total + 1)]
    first, second = load_file(path / names[0]), load_file(path / names[1])
    joined = torch.cat([first["large"], second["large"]]) if "large" in second else first["large"]
    assert torch.equal(joined.view(37, 41), many_kinds()["large"])


def test_the_order_of_files_on_disk_does_not_matter_to_a_carried_checkpoint(tmp_path):
    path = save_checkpoint(tmp_path / "here", 12, many_kinds(), {}, part_mib=3 * KIB)
    there = tmp_path / "there" / path.name
    there.mkdir(parents=True)
    for file in sorted(path.iterdir(), reverse=True):
        shutil.copyfile(file, there / file.name)
    same(load_checkpoint(there)[0], many_kinds())


@pytest.mark.parametrize("harm", ["missing", "truncated", "altered", "swapped"])
def test_a_damaged_part_is_named(tmp_path, harm):
    path = save_checkpoint(tmp_path, 1, many_kinds(), {}, part_mib=3 * KIB)
    parts = sorted(path.glob("*.safetensors"))
    file, data = parts[1], bytearray(parts[1].read_bytes())
    if harm == "missing":
        file.unlink()
        got = "No such file or directory"
    elif harm == "truncated":
        file.write_bytes(data[:-5])
        got = f"{len(data) - 5} bytes instead of {len(data)}"
    elif harm == "altered":
        data[-3] ^= 1
        file.write_bytes(data)
        got = "other content than was written"
    else:
        file.write_bytes(parts[2].read_bytes()[: len(data)].ljust(len(data)))
        got = "other content than was written"
    with pytest.raises(CacheError) as error:
        load_checkpoint(path)
    remedy = "copy it again, or remove the folder to go on from an older checkpoint or anew"
    assert str(error.value) == f"expected a whole checkpoint with {file}; got {got}; {remedy}"


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"format": 99, "facts": {}, "shapes": {}, "parts": []}'])
def test_a_damaged_index_is_named(tmp_path, text):
    path = save_checkpoint(tmp_path, 1, {"a": torch.ones(2)}, {}, part_mib=1)
    (path / "state.json").unlink() if text is None else (path / "state.json").write_text(text)
    with pytest.raises(CacheError, match=f"expected a whole checkpoint with {path / 'state.json'}; got "):
        read_state(path)


def test_an_index_that_promises_more_than_the_parts_hold(tmp_path):
    path = save_checkpoint(tmp_path, 1, {"a": torch.ones(2, 3), "b": torch.ones(2)}, {}, part_mib=1)
    state = json.loads((path / "state.json").read_text())
    for shapes in ({**state["shapes"], "a": [3, 3]}, {**state["shapes"], "c": [1]}, {"a": [2, 3]}):
        (path / "state.json").write_text(json.dumps({**state, "shapes": shapes}))
        with pytest.raises(
            CacheError, match=f"expected a whole checkpoint with {path / 'state.json'}; got shapes that"
        ):
            load_checkpoint(path)


def test_only_the_newest_stay(tmp_path):
    for step in (5, 90, 100, 100_000):
        save_checkpoint(tmp_path, step, {"a": torch.tensor(step)}, {}, part_mib=1, keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000100", "step-00100000"]
    path = newest(tmp_path)
    assert path is not None and load_checkpoint(path)[0]["a"] == 100_000
    assert newest(tmp_path / "nothing") is None


def test_an_interrupted_writer_leaves_the_old_one(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 5, many_kinds(), {}, part_mib=3 * KIB)
    true_save, calls = checkpoints.save, []

    def interrupted(tensors):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return true_save(tensors)

    monkeypatch.setattr(checkpoints, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, 6, many_kinds(), {}, part_mib=3 * KIB)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000005"]
    same(load_checkpoint(tmp_path / "step-00000005")[0], many_kinds())


KILLED = """
import os, sys, torch
from pathlib import Path
import scenemaker.training.checkpoints as checkpoints
true_save, calls = checkpoints.save, []
def killed(tensors):
    calls.append(1)
    if len(calls) == 3:
        os._exit(9)
    return true_save(tensors)
folder = Path(sys.argv[1])
checkpoints.save_checkpoint(folder, 5, {"a": torch.arange(3000.0)}, {}, part_mib=1)
checkpoints.save = killed
checkpoints.save_checkpoint(folder, 6, {"a": torch.arange(3000.0)}, {}, part_mib=3 / 1024)
"""


def test_a_killed_writer_leaves_the_old_one_and_its_rest_is_swept_up(tmp_path):
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False).returncode == 9
    assert len(list(tmp_path.iterdir())) == 2  # the old one, and what the killed process was at
    path = newest(tmp_path)
    assert path is not None and torch.equal(load_checkpoint(path)[0]["a"], torch.arange(3000.0))
    save_checkpoint(tmp_path, 7, {"a": torch.zeros(1)}, {}, part_mib=1)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000007"]


def test_parts_that_hold_nothing_and_folders_that_cannot_be(tmp_path):
    with pytest.raises(ConfigError, match="expected larger parts; got 100 bytes; raise part_mib"):
        save_checkpoint(tmp_path / "a", 1, many_kinds(), {}, part_mib=100 / 2**20)
    Path(tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a writable folder at"):
        save_checkpoint(tmp_path / "file", 1, many_kinds(), {}, part_mib=1)
