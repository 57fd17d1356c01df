"""Where models are put: devices that are not there, and the two residency policies."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from scenemaker import device
from scenemaker.device import PeakMemory, Residency, check_device
from scenemaker.errors import DeviceError
from scenemaker.testing import TinyGenerator, TinyModel


class FakeTorch(ModuleType):
    """As much of torch as ``device`` uses, with two CUDA devices."""

    def __init__(self, count: int) -> None:
        super().__init__("torch")
        self.emptied = 0
        self.cuda: Any = type(
            "Cuda",
            (),
            {
                "is_available": staticmethod(lambda: count > 0),
                "device_count": staticmethod(lambda: count),
                "empty_cache": staticmethod(self._empty),
                "reset_peak_memory_stats": staticmethod(lambda device: None),
                "max_memory_allocated": staticmethod(lambda device: 3 * 2**20),
            },
        )

    def _empty(self) -> None:
        self.emptied += 1


def with_torch(monkeypatch: pytest.MonkeyPatch, count: int) -> FakeTorch:
    torch = FakeTorch(count)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(device, "find_spec", lambda name: object())
    return torch


def refused(name: str) -> str:
    with pytest.raises(DeviceError) as error:
        check_device(name)
    return str(error.value)


def test_cpu_needs_nothing() -> None:
    assert check_device("cpu") == "cpu"


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CUDA", "c", ""])
def test_unknown_spelling(name: str) -> None:
    assert refused(name) == f'expected "cpu", "cuda" or "cuda:1"; got {name!r}; use --device cpu'


def test_cuda_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "find_spec", lambda name: None)
    assert refused("cuda") == (
        'expected torch for cuda; got no torch; use --device cpu, or pip install "scenemaker[models]"'
    )


def test_cuda_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch(monkeypatch, 0)
    assert refused("cuda") == "expected cuda; got 0 CUDA devices; use --device cpu"
    with_torch(monkeypatch, 2)
    assert refused("cuda:2") == "expected cuda:2; got 2 CUDA devices; use --device cpu"
    assert check_device("cuda:1") == "cuda:1" and check_device("cuda") == "cuda"


def test_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch(monkeypatch, 1)
    model, residency = TinyModel(), Residency("cuda", "bfloat16", "keep")
    for _ in range(2):
        with residency.on_device(model):
            assert model.moves[-1] == ("cuda", "bfloat16")
    assert ("cpu", "bfloat16") not in model.moves
    residency.close()
    assert model.moves[-1] == ("cpu", "bfloat16")
    moves = len(model.moves)
    residency.close()
    assert len(model.moves) == moves


def test_offload(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = with_torch(monkeypatch, 1)
    model, residency = TinyModel(), Residency("cuda:0", "float16", "offload")
    for _ in range(2):
        with residency.on_device(model):
            pass
    assert model.moves == [("cuda:0", "float16"), ("cpu", "float16")] * 2
    assert torch.emptied == 2


def test_offload_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch(monkeypatch, 1)
    model, residency = TinyModel(), Residency("cuda", "float32", "offload")
    with pytest.raises(ValueError, match="boom"), residency.on_device(model):
        raise ValueError("boom")
    assert model.moves[-1] == ("cpu", "float32")


def test_backends_without_a_model_are_left_alone() -> None:
    residency = Residency(policy="offload")
    with residency.on_device(TinyGenerator()), residency.on_device(None):
        assert residency._resident == []
    residency.close()


def test_peak_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = PeakMemory()
    before = memory.host_mib()
    block = bytearray(80 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    assert memory.host_mib() - before > 60
    assert memory.cuda_mib() is None
    with_torch(monkeypatch, 1)
    assert PeakMemory("cuda").cuda_mib() == 3.0
