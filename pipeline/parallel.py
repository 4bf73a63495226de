"""Work on arrays spread over processes by joblib, its results in order whatever their number."""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from threading import Thread
from typing import TypeVar

from pipeline.errors import DataError

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
    from joblib.externals.loky.process_executor import TerminatedWorkerError

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
    parallel = Parallel(
        count, return_as="generator", initializer=_settle_in, initargs=(os.getpid(),)
    )
    try:
        yield from parallel(delayed(work)(item) for item in remaining)
    except TerminatedWorkerError as error:
        raise DataError(
            "the system ended one of the processes at work, as it does when memory runs out. "
            "Close other programs, or work with fewer processes (--jobs 1), and try again."
        ) from error


def _settle_in(parent: int) -> None:
    """Make a process one of several: they share the processors, and end when their parent does.

    When that is killed, joblib's own would wait five minutes for more to do. Ctrl-C reaches all
    processes of a terminal: the parent answers it, and ends the others before they say anything.
    """
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
