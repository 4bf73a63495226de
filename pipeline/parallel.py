"""Work on arrays spread over processes by joblib, its results in order whatever their number."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 1.0  # seconds of work; starting the processes takes about as long
_spent: dict[int, float] = defaultdict(float)  # seconds worked alone, by number of processes


def map_in_order(
    work: Callable[[Item], Result], items: Iterable[Item], jobs: int | None = None
) -> Iterator[Result]:
    """Yield work(item) for each item, in order, whatever the number of processes.

    `jobs` is how many processes (None: as many as the processors that this one may use). Work that
    is done within a second in all never starts any. `work`, items and results are pickled.
    """
    from joblib import Parallel, cpu_count, delayed

    count = jobs or cpu_count()
    remaining = iter(items)
    if _spent[count] < PATIENCE or count == 1:
        for item in remaining:
            started = time.monotonic()
            result = work(item)
            _spent[count] += time.monotonic() - started
            yield result
            if count > 1 and _spent[count] > PATIENCE:
                break
        else:
            return
    alone = partial(_work_alone, work, os.getpid())
    yield from Parallel(count, return_as="generator")(delayed(alone)(item) for item in remaining)


def _work_alone(work: Callable[[Item], Result], parent: int, item: Item) -> Result:
    import cv2

    _end_with(parent)
    cv2.setNumThreads(1)  # the processes share the processors already
    return work(item)


@cache
def _end_with(parent: int) -> None:
    """Let this process end when the one that started it is killed: joblib's waits five minutes."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    if os.getppid() == parent:
        Thread(target=watch, daemon=True).start()
