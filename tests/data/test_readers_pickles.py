"""Pickles of public data: arrays are read, code is not run."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenemaker.data.readers import InstPifuFront
from scenemaker.data.readers.pickles import load_object_npy, load_pickle, loads
from scenemaker.errors import InputError

TREE = {
    "rgb": np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
    "poses": np.random.default_rng(0).normal(size=(2, 4, 4)),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "jid": np.array(["a", "bcd"]),
    "objects": np.array([{"x": 1}, [2]], dtype=object),
    "scalar": np.float32(1.5),
    "empty": np.zeros((0, 3)),
    "plain": [1, 2.5, "text", b"bytes", None, True, (1, 2), {3}, frozenset({4}), 1 + 2j, bytearray(b"x")],
    "ordered": OrderedDict(a=1),
}


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return type(a) is type(b) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    return type(a) is type(b) and bool(a == b)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_containers_and_arrays_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(TREE, protocol))
    got = load_pickle(tmp_path / "a.pkl")
    assert same(got, TREE)


@pytest.mark.parametrize("old", [b"numpy.core.multiarray", b"numpy.core.numeric"])
def test_names_of_numpy_1(old: bytes) -> None:
    data = pickle.dumps(TREE["poses"], 2 if b"multi" in old else 5)
    new = old.replace(b"core", b"_core")
    assert new in data
    text = data.replace(new, old) if b"multi" in old else data
    if b"numeric" in old:  # lengths stand before names in newer protocols
        text = data.replace(bytes([len(new)]) + new, bytes([len(old)]) + old)
        frame = text.index(b"\x95") + 1
        size = int.from_bytes(text[frame : frame + 8], "little") - 1
        text = text[:frame] + size.to_bytes(8, "little") + text[frame + 8 :]
    assert same(loads(text, "old"), TREE["poses"])


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Runs(), f"{os.system.__module__}.system"),
        (eval, "builtins.eval"),
        (getattr, "builtins.getattr"),
        (np.load, "numpy.load"),
        (Path("x"), "pathlib.PosixPath"),
        (InstPifuFront, "scenemaker.data.readers.instpifu.InstPifuFront"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Any, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.pkl"
    want = f"expected a pickle of arrays and containers only; got {path}, which names {name}; do not open this file: "
    for data in (value, {"deep": [np.zeros(2), value]}):
        path.write_bytes(pickle.dumps(data))
        with pytest.raises(InputError) as error:
            load_pickle(path)
        assert str(error.value) == want + "it would run code"
    np.save(tmp_path / "a.npy", np.array({"x": value}, dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=f"a.npy, which names {name}; do not open this file"):
        load_object_npy(tmp_path / "a.npy")
    assert not (tmp_path / "pwned").exists()


def test_codecs_that_unpack_are_refused() -> None:
    data = b"c_codecs\nencode\n(Vx\nVzlib_codec\ntR."
    with pytest.raises(InputError, match=r"a whole pickle of arrays; got here: the codec zlib_codec"):
        loads(data, "here")


def test_damaged_pickles() -> None:
    whole = pickle.dumps(TREE)
    for cut in (0, 1, 20, len(whole) // 2, len(whole) - 1):
        with pytest.raises(InputError, match="a whole pickle of arrays; got here"):
            loads(whole[:cut], "here")
    with pytest.raises(InputError, match="a whole pickle of arrays; got here"):
        loads(b"cnumpy\nndarray\n((I1000000000000000\ntR.", "here")  # an array of a petabyte


def test_object_npy(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array({"K": np.eye(3)}, dtype=object), allow_pickle=True)
    np.testing.assert_array_equal(load_object_npy(path)["K"], np.eye(3))
    np.save(path, np.eye(3))
    with pytest.raises(InputError, match=r"a NPY file of one dictionary; got .*a\.npy: float64 of shape \(3, 3\)"):
        load_object_npy(path)
    np.save(path, np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"one dictionary; got .*a\.npy: object of shape \(2,\)"):
        load_object_npy(path)
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "|O", "fortran_order": False, "shape": ()})
    path.write_bytes(out.getvalue() + pickle.dumps([1]))
    with pytest.raises(InputError, match=r"one dictionary; got .*a\.npy: another"):
        load_object_npy(path)
    path.write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(InputError, match=r"a NPY file; got .*a\.npy"):
        load_object_npy(path)
    with pytest.raises(InputError, match=r"a file; got .*none\.npy: not found"):
        load_object_npy(tmp_path / "none.npy")
