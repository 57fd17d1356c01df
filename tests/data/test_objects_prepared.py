"""Prepared objects on disk and whole prepared folders: read back bit for bit, resumable, the same for any workers."""

from __future__ import annotations

import errno
import json
import logging
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from object_shapes import LID, ball, box, flipped, thing, union, without, write_mesh, write_ply

from scenemaker.data.objects import prepared
from scenemaker.data.objects.folder import FolderSource
from scenemaker.data.objects.prepare import PrepareConfig, PreparedObject, prepare
from scenemaker.data.objects.prepared import PreparedObjects, prepare_folder
from scenemaker.errors import InputError, OutputError

TINY = PrepareConfig(surface_points=500, edge_points=200, near_points=150, box_points=203, agreement_points=200)


def same(one: PreparedObject, two: PreparedObject) -> bool:
    for f in fields(PreparedObject):
        a, b = getattr(one, f.name), getattr(two, f.name)
        if isinstance(a, np.ndarray):
            if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes():
                return False
        elif a != b:
            return False
    return True


def refuse(*_: Any) -> Any:
    raise AssertionError("nothing is to be computed here")


def test_what_is_read_back_is_what_was_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PreparedObjects(tmp_path, TINY)
    for mesh in (union(box(1, 0.5, 0.3), ball(0.3)), ball(0.5), without(box(1, 1, 0.2), LID)):
        fresh = prepare(thing(mesh), TINY)
        assert same(store.get(thing(mesh)), fresh)
        with monkeypatch.context() as patch:
            patch.setattr(prepared, "prepare", refuse)
            assert same(store.get(thing(mesh)), fresh)
            assert store.get(thing(mesh, "copy")).key == "copy"  # one file for equal geometry
            assert store.surface(thing(mesh)).tobytes() == fresh.surface_obj.tobytes()
    assert len(list(tmp_path.rglob("*.npz"))) == 3
    size = store.path(thing(ball(0.5))).stat().st_size
    assert size < 500 * 12 + 503 * (6 + 2) + 503 / 8 + 3000


def test_config_and_seed_have_files_of_their_own(tmp_path: Path) -> None:
    obj = thing(box(1, 0.5, 0.3))
    other = TINY.model_copy(update={"sharp_deg": 40.0})
    paths = {PreparedObjects(tmp_path, c, seed=s).path(obj) for c, s in ((TINY, 0), (TINY, 1), (other, 0))}
    assert len(paths) == 3
    assert PreparedObjects(tmp_path, TINY, seed=1).surface(obj).shape == (500, 6)  # computed where it is missing
    assert [p for p in paths if p.exists()] == [PreparedObjects(tmp_path, TINY, seed=1).path(obj)]


def test_a_damaged_file_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, obj = PreparedObjects(tmp_path, TINY), thing(ball(0.5, fine=1))
    fresh, path = store.get(obj), store.path(obj)
    whole = path.read_bytes()
    for damaged in (whole[:2000], b"", b"no archive"):
        for read in (lambda: store.get(obj).surface_obj, lambda: store.surface(obj)):
            path.write_bytes(damaged)
            with caplog.at_level(logging.WARNING):
                assert read().tobytes() == fresh.surface_obj.tobytes()
            assert path.read_bytes() == whole
    assert set(caplog.messages) == {f"a damaged file is made anew: {path}"}


def folder(path: Path) -> FolderSource:
    write_mesh(path / "a.glb", box(1, 2, 3))
    write_mesh(path / "sub" / "b.ply", without(box(1, 1, 1), LID))
    write_mesh(path / "sub" / "c.obj", union(box(2, 1, 1), flipped(ball(0.9))))
    write_ply(path / "bad.ply", [[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    (path / "labels.json").write_text('{"a": "crate"}')
    return FolderSource(path)


def contents(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_a_folder_has_a_row_per_object_and_per_skip(tmp_path: Path) -> None:
    source = folder(tmp_path / "in")
    steps: list[tuple[int, int]] = []
    report = prepare_folder(source, tmp_path / "out", TINY, progress=lambda *step: steps.append(step))
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    data = json.loads((tmp_path / "out" / "objects.json").read_text())
    assert [(row["key"], row["label"]) for row in data["objects"]] == [("a", "crate"), ("sub/b", None), ("sub/c", None)]
    first = data["objects"][0]
    assert first["extents"] == [pytest.approx(1 / 3, abs=1e-6), pytest.approx(2 / 3, abs=1e-6), 1]
    assert (first["closedness"]["faces"], first["closedness"]["watertight"], first["agreement"]) == (12, True, 1)
    stored = PreparedObjects(tmp_path / "out" / "prepared", TINY)
    assert [tmp_path / "out" / row["file"] for row in data["objects"]] == [
        stored.path(source.get(key)) for key in source.keys
    ]
    assert all((tmp_path / "out" / row["file"]).is_file() for row in data["objects"])
    detail = f"{tmp_path}/in/bad.ply: flat (1 faces)"
    assert data["skipped"] == [{"file": "bad.ply", "reason": "flat", "detail": detail}]
    assert data["config"]["surface_points"] == 500
    assert data["summary"] == report.summary()
    assert report.summary()["watertight_share"] == pytest.approx(2 / 3)
    assert report.summary()["skipped_by_reason"] == {"flat": 1}
    assert report.summary()["faces_max"] == 1292
    rated = [replace(row, agreement=value) for row, value in zip(report.objects, (0.9, 0.5, 0.8), strict=True)]
    worst = replace(report, objects=tuple(rated)).summary()["agreement_worst"]
    assert worst == [["sub/b", 0.5], ["sub/c", 0.8], ["a", 0.9]]
    text = (tmp_path / "out" / "objects.md").read_text()
    assert text.startswith(
        "# 3 objects of folder\n\n- skipped: 1, left out by choice: 0\n- faces: median 12, most 1292\n"
    )
    assert "- watertight: 66.7 % of the objects; " in text and text.endswith("\n| bad.ply | flat |\n")


def test_workers_and_interruptions_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder(tmp_path / "in")
    prepare_folder(source, tmp_path / "one", TINY)
    prepare_folder(source, tmp_path / "two", TINY, workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path / "one", killed)
    (killed / "objects.json").unlink()
    file = PreparedObjects(killed / "prepared", TINY).path(source.get("sub/b"))
    file.unlink()
    (file.parent / ".tmp-999999999-x").write_bytes(b"half")  # what a killed process leaves
    made: list[str] = []

    def counted(obj: Any, *args: Any) -> PreparedObject:
        made.append(obj.key)
        return prepare(obj, *args)

    monkeypatch.setattr(prepared, "prepare", counted)
    prepare_folder(source, killed, TINY)
    assert made == ["sub/b"] and contents(killed) == contents(tmp_path / "one")


def test_an_object_that_fails_is_a_skip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder(tmp_path / "in")
    (tmp_path / "in" / "sub" / "b.ply").unlink()
    report = prepare_folder(source, tmp_path / "out", TINY)
    assert [row.key for row in report.objects] == ["a", "sub/c"]
    gone = report.skipped[1]
    assert (gone.file, gone.reason) == ("sub/b.ply", "not prepared")
    assert gone.detail == f"expected a mesh file; got {tmp_path}/in/sub/b.ply: no such file; check the path"

    def broken(*_: Any) -> Any:
        raise InputError("expected a sound mesh; got another; repair it")

    monkeypatch.setattr(prepared, "prepare", broken)
    nothing = prepare_folder(source, tmp_path / "other", TINY)
    assert nothing.objects == () and len(nothing.skipped) == 4
    assert nothing.skipped[0].detail == f"{tmp_path}/in/a.glb: expected a sound mesh; got another; repair it"
    assert nothing.summary()["objects"] == 0 and nothing.markdown().startswith("# 0 objects of folder\n")
    json.loads((tmp_path / "other" / "objects.json").read_text(), parse_constant=refuse)


def test_a_full_disk_is_an_error_that_keeps_what_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder(tmp_path / "in")
    replaced, move = [], Path.replace

    def full(self: Path, target: Path) -> Path:
        replaced.append(target)
        if len(replaced) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="expected room to write .*npz; got the disk is full; free some space"):
        prepare_folder(source, tmp_path / "out", TINY)
    assert len(list((tmp_path / "out").rglob("*"))) == len(list((tmp_path / "out" / "prepared").rglob("*"))) + 1
    assert len(list((tmp_path / "out").rglob("*.npz"))) == 2
    prepare_folder(source, tmp_path / "out", TINY)
    assert len(replaced) == 3 + 1 + 2  # the third object, and two reports


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    source = folder(tmp_path / "in")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a writable folder at .*/file/prepared/.*; got .*; choose another"):
        prepare_folder(source, tmp_path / "file", TINY)
