"""Pickles of arrays, opened without running what a pickle may hold.

A pickle is a program: plain ``pickle.load`` and ``np.load(allow_pickle=True)`` run whatever it names. Here it may
name containers and NumPy arrays, and nothing else.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, cast

import numpy as np

from scenemaker.data.readers.files import read_bytes
from scenemaker.errors import InputError, expected


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Bytes as pickles of protocol 2 write them; any other codec could be made to unpack without end."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"the codec {encoding}")
    return text.encode("latin1")


def _array(*args: Any) -> Any:
    """An empty array, to be filled by its state, as NumPy's own ``_reconstruct`` of plain arrays."""
    return cast(Any, _RECONSTRUCT)(np.ndarray, *args[1:])


_RECONSTRUCT = np.zeros(1).__reduce__()[0]  # NumPy 1 and 2 keep these in modules of different names
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
    ("collections", "OrderedDict"): OrderedDict,
    **{(m, t.__name__): t for m in ("builtins", "__builtin__") for t in (set, frozenset, bytes, bytearray, complex)},
    **{
        (f"numpy.{core}.{module}", name): value
        for core in ("core", "_core")
        for module, name, value in (
            ("multiarray", "_reconstruct", _array),
            ("multiarray", "scalar", np.float64(0).__reduce__()[0]),
            ("numeric", "_frombuffer", cast(tuple[Any, ...], np.zeros(1).__reduce_ex__(5))[0]),
        )
    },
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, what: str) -> None:
        super().__init__(io.BytesIO(data))
        self.what = what

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            remedy = "do not open this file: it would run code"
            got = f"{self.what}, which names {module}.{name}"
            raise InputError(expected("a pickle of arrays and containers only", got=got, remedy=remedy))
        return _ALLOWED[module, name]


def loads(data: bytes, what: str) -> Any:
    """The containers and arrays in a pickle.

    Raises:
        InputError: It names anything else, or is damaged; the text names ``what``.
    """
    try:
        return _Unpickler(data, what).load()
    except InputError:
        raise
    except Exception as error:  # a damaged pickle can trip over anything
        got = f"{what}: {error or type(error).__name__}"
        raise InputError(expected("a whole pickle of arrays", got=got, remedy="copy it again")) from error


def load_pickle(path: Path) -> Any:
    """The containers and arrays in a ``.pkl`` file.

    Raises:
        InputError: Not there, it names anything else, or is damaged; the text names the file.
    """
    return loads(read_bytes(path), str(path))


def load_object_npy(path: Path) -> Any:
    """What ``np.save`` of a dictionary left in a ``.npy`` file (``np.load(allow_pickle=True).item()``).

    Raises:
        InputError: As ``load_pickle``, or it holds no single object.
    """
    data = read_bytes(path)
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    except (ValueError, SyntaxError, EOFError) as error:
        raise InputError(expected("a NPY file", got=f"{path}: {error}", remedy="copy it again")) from error
    if not dtype.hasobject or shape != ():
        got = f"{path}: {dtype} of shape {shape}"
        raise InputError(expected("a NPY file of one dictionary", got=got, remedy="check which file this is"))
    array = loads(data[stream.tell() :], str(path))
    if not isinstance(array, np.ndarray) or array.shape != ():
        raise InputError(expected("a NPY file of one dictionary", got=f"{path}: another", remedy="copy it again"))
    return array.item()
