"""Work spread over processes with its results in order: the only module that knows joblib."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 1.0  # seconds; starting the processes takes about as long


def map_in_order(
    work: Callable[[Item], Result], items: Iterable[Item], jobs: int | None = None
) -> Iterator[Result]:
    """Yield work(item) for each item, in order, whatever the number of processes.

    `jobs` is how many processes (None: as many as the processors that this one may use). Work that
    is done within a second never leaves this process. `work`, items and results are pickled.
    """
    from joblib import Parallel, cpu_count, delayed

    count = jobs or cpu_count()
    remaining = iter(items)
    deadline = time.monotonic() + PATIENCE
    for item in remaining:
        yield work(item)
        if count > 1 and time.monotonic() > deadline:
            break
    alone = partial(_work_alone, work)
    yield from Parallel(count, return_as="generator")(delayed(alone)(item) for item in remaining)


def _work_alone(work: Callable[[Item], Result], item: Item) -> Result:
    import cv2

    cv2.setNumThreads(1)  # the processes share the processors already
    return work(item)
