"""Items made by several processes: in any order, each by itself, so that the n-th is the same whoever makes it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

from scenemaker.errors import StageError, expected

T = TypeVar("T")
Make = Callable[[int], T]
_made: dict[str, Any] = {}  # what this worker process works with


def available_workers() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_items(open_maker: Callable[[], Make[T]], indices: Iterable[int], workers: int) -> Iterator[tuple[int, T]]:
    """(index, result) of every index, as they are finished; at most two per worker wait or are in work.

    Args:
        open_maker: Called once in every process (so it must pickle); what it returns is called with each index.
        indices: Which items to make.
        workers: Processes; 1 works in this one.

    Raises:
        StageError: A worker was killed, for want of memory as a rule.
    """
    if workers <= 1:
        make = open_maker()
        for index in indices:
            yield index, make(index)
        return
    context = multiprocessing.get_context("spawn")
    todo = iter(indices)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(open_maker,))
    running: dict[Future[T], int] = {}
    try:
        running = {pool.submit(_make, index): index for index in islice(todo, 2 * workers)}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                index = running.pop(future)
                yield index, future.result()
                running.update({pool.submit(_make, i): i for i in islice(todo, 1)})
    except BrokenProcessPool:
        got = "one that was killed (out of memory, as a rule)"
        remedy = "type the same command with fewer --workers: what is finished is kept"
        text = expected("workers that live", got=got, remedy=remedy)
        raise StageError(text, stage="data", backend="workers") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(open_maker: Callable[[], Make[Any]]) -> None:
    """Readies a worker: one OpenCV thread each, no answer to Ctrl-C of its own, and an end when its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import cv2

    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    _made["make"] = open_maker()


def _make(index: int) -> Any:
    return _made["make"](index)
