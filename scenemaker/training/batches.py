"""Batches made ahead of their step, in a thread of their own: they are made while the device computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


def ahead(make: Callable[[int], Any], numbers: Iterator[int], count: int) -> Generator[Any, None, None]:
    """``map(make, numbers)`` with up to ``count`` results waiting; the same results in the same order.

    Args:
        make: A pure function; its errors come out at its turn.
        numbers: Endless or not.
        count: 0 makes every batch when it is asked for.
    """
    if count == 0:
        yield from map(make, numbers)
        return
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches")
    waiting: deque[Future[Any]] = deque()
    try:
        for number in numbers:
            waiting.append(pool.submit(make, number))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
