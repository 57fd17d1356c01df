"""The artefact store: keys by content, atomic writes, several writers, damage, full disks."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from scenemaker.cache import META, Store, default_cache_dir, digest, folder_digest, output_errors, write_atomic
from scenemaker.errors import CacheError, OutputError
from scenemaker.scene import Prompts


def put(store: Store, stage: str, key: str, text: str = "x") -> Path:
    return store.put(stage, key, lambda f: (f / "a.txt").write_text(text) and None, lambda: {"backend": "b"})[0]


def test_digest_sees_every_change_of_content(tmp_path: Path) -> None:
    class Config(BaseModel):
        a: int = 1

    file = tmp_path / "m.png"
    file.write_bytes(b"1")
    folder = tmp_path / "masks"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"1")
    array = np.arange(6, dtype=np.uint8)
    values = [None, 0, False, 0.0, "", "0", b"0", [], [0], [[0]], {}, {"a": 1}, {"a": 2}, {"b": 1}, ["a", 1]]
    values += [array, array.reshape(2, 3), array.astype(np.int16), array[::-1], file, folder]
    values += [Config(), Config(a=2), Prompts(masks=array), Prompts(), Prompts(boxes_px=((1, 2, 3, 4),))]
    keys = [digest(v) for v in values]
    assert digest(Config()) == digest({"a": 1}) and digest(Config(a=2)) == digest({"a": 2})
    assert len(set(keys)) == len(keys) - 2  # a config is its content
    assert digest(0) != digest(0.0) and digest(0) != digest(False)
    before = digest(folder), digest(file)
    (folder / "1.png").rename(folder / "2.png")
    file.write_bytes(b"2")
    assert digest(folder) != before[0] and digest(file) != before[1]


def test_digest_does_not_depend_on_where_or_when(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.png").write_bytes(b"same")
    os.utime(tmp_path / "here" / "m.png", (0, 0))
    assert digest(tmp_path / "here" / "m.png") == digest(tmp_path / "there" / "m.png")
    assert digest(tmp_path / "here") == digest(tmp_path / "there")
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_what_cannot_be_hashed_raises() -> None:
    with pytest.raises(CacheError, match="expected content that can be hashed; got function; give a path"):
        digest({"f": test_what_cannot_be_hashed_raises})


def test_put_then_get_and_the_first_writer_wins(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.get("depth", "k") is None
    path = put(store, "depth", "k", "first")
    again = put(store, "depth", "k", "second")
    found = store.get("depth", "k")
    assert path == again and found is not None and found[0] == path
    assert (path / "a.txt").read_text() == "first"
    assert found[1]["digest"] == folder_digest(path) and found[1]["backend"] == "b"
    assert not list((tmp_path / "tmp").iterdir())


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def broken(folder: Path) -> None:
        (folder / "half.png").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.put("depth", "k", broken, dict)
    assert store.get("depth", "k") is None and not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("damage", ["cut", "delete", "meta"])
def test_a_damaged_artefact_is_removed_and_said(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    path = put(store, "depth", "k", "long enough")
    if damage == "cut":
        (path / "a.txt").write_text("long")
    elif damage == "delete":
        (path / "a.txt").unlink()
    else:
        (path / META).write_text("{")
    assert store.get("depth", "k") is None and not path.exists()
    assert "removed a damaged artefact" in caplog.text


def test_a_killed_writer_harms_nobody(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import sys, os, signal
        from pathlib import Path
        from scenemaker.cache import Store
        def write(folder):
            (folder / "half.png").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        Store(Path(sys.argv[1])).put("depth", "k", write, dict)
        """
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    store = Store(tmp_path)
    leftovers = list((tmp_path / "tmp").iterdir())
    assert store.get("depth", "k") is None and len(leftovers) == 1
    put(store, "depth", "k", "whole")
    assert store.get("depth", "k") is not None
    os.utime(leftovers[0], (0, 0))
    store.prune(max_bytes=10**9)
    assert not leftovers[0].exists() and store.get("depth", "k") is not None


def test_two_processes_may_write_the_same_artefacts(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from scenemaker.cache import Store
        store = Store(Path(sys.argv[1]))
        for n in range(40):
            store.put("depth", str(n), lambda f: (f / "a.txt").write_text(str(n) * 1000), dict)
            assert store.get("depth", str(n))
        """
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [r.wait() for r in runs] == [0, 0]
    entries = Store(tmp_path).entries()
    assert sorted(int(e.key) for e in entries) == list(range(40))
    assert all((e.path / "a.txt").read_text() == e.key * 1000 for e in entries)


def test_prune_keeps_what_was_used_last(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for n, key in enumerate(("old", "middle", "new")):
        path = put(store, "depth", key, "x" * 1000)
        os.utime(path / META, (time.time() - 1000 + n, time.time() - 1000 + n))
    assert [e.key for e in store.entries()] == ["new", "middle", "old"]
    store.get("depth", "old")
    size = store.entries()[0].bytes
    assert [e.key for e in store.prune(max_bytes=size)] == ["new", "middle"]
    assert [e.key for e in store.entries()] == ["old"]
    assert [e.key for e in store.prune(unused_days=-1)] == ["old"]


def test_clear_removes_only_ours(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("keep")
    put(Store(tmp_path), "depth", "k")
    Store(tmp_path).clear()
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


def test_write_atomic_keeps_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scene.json"
    write_atomic(path, "old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(OutputError, match="the disk is full; free some space or choose another folder"):
        write_atomic(path, "new")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["scene.json"]


def test_a_store_that_is_a_file_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="expected a writable folder at .*file; got Not a directory; choose another"):
        put(Store(blocked), "depth", "k")


def test_other_operating_system_errors_pass_through() -> None:
    with pytest.raises(OSError, match="Input/output") as caught, output_errors(Path("x")):
        raise OSError(errno.EIO, "Input/output error")
    assert not isinstance(caught.value, OutputError)


def test_default_cache_dir_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "scenemaker"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / ".cache" / "scenemaker"


def test_meta_lists_the_files(tmp_path: Path) -> None:
    path = put(Store(tmp_path), "pose", "k", "abc")
    assert json.loads((path / META).read_text())["files"] == {"a.txt": 3}
