"""Ctrl-C and SIGTERM end a training after the step in progress; a second one ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether a signal came.

    Attributes:
        name: "SIGINT", "SIGTERM", or None as long as none came.
    """

    name: str | None = None


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """The time in which the first signal only says so; outside of the main thread signals stay as they are."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, _: FrameType | None) -> None:
        stop.name = signal.Signals(number).name
        for each, handler in before.items():
            signal.signal(each, handler)

    try:
        for number in SIGNALS:
            signal.signal(number, note)
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
