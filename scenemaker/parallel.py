"""Work on many items in processes of their own; an item that kills its process is found and does not end the rest."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_workers() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int = 1
) -> Iterator[tuple[int, Result | None]]:
    """Index and result of every item, in the order in which they come; None where its process died (out of memory).

    At most two items per worker wait or are in work, so that memory does not grow with their number.

    Args:
        work: What pickles: it goes to each process once. What it raises ends the iteration.
        items: What it is called with, one by one.
        workers: Processes; with 1 the work is done in this process.
    """
    if workers <= 1:
        for i, item in enumerate(items):
            yield i, work(item)
        return
    todo = deque(enumerate(items))
    while todo:
        running: dict[Future[Result], tuple[int, Item]] = {}
        try:
            with _one_thread_each(), _pool(workers, work) as pool:
                while todo or running:
                    while todo and len(running) < 2 * workers:
                        running[pool.submit(_call, todo[0][1])] = todo[0]
                        todo.popleft()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        result = future.result()
                        yield running.pop(future)[0], result
        except BrokenProcessPool:  # one of those that ran is to blame: each again, alone
            for i, item in running.values():
                yield i, _alone(work, item)


def _alone(work: Callable[[Item], Result], item: Item) -> Result | None:
    try:
        with _one_thread_each(), _pool(1, work) as pool:
            return pool.submit(_call, item).result()
    except BrokenProcessPool:
        return None


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that start now do their linear algebra in one thread: each has a processor to itself, no more."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _pool(workers: int, work: Callable[[Any], Any]) -> ProcessPoolExecutor:
    """Fresh interpreters: a fork of a process with threads (Embree, libigl) can hang."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_receive, initargs=(work,))


_received: list[Callable[[Any], Any]] = []


def _receive(work: Callable[[Any], Any]) -> None:
    """Readies a worker: one OpenCV thread, Ctrl-C left to the parent, and an end when the parent is gone."""
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    _received[:] = [work]


def _call(item: Any) -> Any:
    return _received[0](item)
