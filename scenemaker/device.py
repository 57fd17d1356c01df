"""The one place that places and moves models. Backends never call ``.cuda()``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from scenemaker.errors import DeviceError, expected

Policy = Literal["keep", "offload"]


def check_device(device: str) -> str:
    """The device, after making sure that it is there. torch is imported only when CUDA is asked for.

    Raises:
        DeviceError: Unknown spelling, no torch, no CUDA, or no such index; the text names ``--device cpu``.
    """
    if device == "cpu":
        return device
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if not match:
        raise DeviceError(expected('"cpu", "cuda" or "cuda:1"', got=repr(device), remedy="use --device cpu"))
    if find_spec("torch") is None:
        raise DeviceError(
            expected(
                f"torch for {device}", got="no torch", remedy='use --device cpu, or pip install "scenemaker[models]"'
            )
        )
    import torch  # pyright: ignore[reportMissingImports]

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(match[1] or 0) >= count:
        raise DeviceError(expected(device, got=f"{count} CUDA devices", remedy="use --device cpu"))
    return device


class Residency:
    """Puts a backend's models on the device for its call and, under ``offload``, back on the CPU after it."""

    def __init__(self, device: str = "cpu", dtype: str = "float32", policy: Policy = "keep") -> None:
        self.device, self.dtype, self.policy = check_device(device), dtype, policy
        self._resident: list[Any] = []

    @contextmanager
    def on_device(self, backend: Any) -> Iterator[None]:
        """The time in which a backend is called. Backends without ``to`` hold no models and are left alone."""
        move = getattr(backend, "to", None)
        if move is None:
            yield
            return
        move(self.device, self.dtype)
        if not any(b is backend for b in self._resident):
            self._resident.append(backend)
        try:
            yield
        finally:
            if self.policy == "offload":
                self._release(backend)

    def close(self) -> None:
        """Takes everything off the device."""
        for backend in list(self._resident):
            self._release(backend)

    def _release(self, backend: Any) -> None:
        backend.to("cpu", self.dtype)
        self._resident = [b for b in self._resident if b is not backend]
        if self.device != "cpu":
            import torch  # pyright: ignore[reportMissingImports]

            torch.cuda.empty_cache()


class PeakMemory:
    """Peak memory of a stretch of work: of the process in MiB, and of CUDA where torch runs on it.

    On Linux the kernel's high-water mark is reset at the start, so that each stage gets its own; elsewhere the mark
    is that of the whole process so far.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        if device != "cpu":
            import torch  # pyright: ignore[reportMissingImports]

            torch.cuda.reset_peak_memory_stats(device)

    def host_mib(self) -> float:
        """Peak resident memory of this process, MiB."""
        try:
            status = Path("/proc/self/status").read_text()
            return int(status.split("VmHWM:")[1].split()[0]) / 1024
        except (OSError, IndexError):
            import resource

            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def cuda_mib(self) -> float | None:
        """Peak memory allocated on the CUDA device, MiB; None on a CPU."""
        if self._device == "cpu":
            return None
        import torch  # pyright: ignore[reportMissingImports]

        return torch.cuda.max_memory_allocated(self._device) / 2**20
