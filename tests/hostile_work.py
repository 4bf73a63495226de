"""Work that dies, hangs or is hungry, for other processes to do: a module that imports little."""

import ctypes
import os
import signal
import time
from pathlib import Path

from pipeline.errors import DataError
from pipeline.isolation import held_to


def crash():
    ctypes.string_at(0)  # reads where nothing is


def spin():
    while True:
        pass


DEATHS = {
    "crash": crash,
    "leave": lambda: os._exit(7),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "asleep": lambda: time.sleep(60),
    "busy": spin,
}


def meet(item: str) -> tuple[str, int]:
    """Return the item and where it was worked on, unless its name says what happens instead."""
    with held_to(0.7, memory_mb=100):
        DEATHS.get(item, int)()
    return item, os.getpid()


def eat(megabytes: int) -> str:
    """Return whether so much memory was given."""
    try:
        with held_to(60, memory_mb=100):
            return f"{len(bytearray(megabytes * 10**6)) // 10**6} MB"
    except MemoryError:
        return "refused"


def die_the_first_time(folder: Path, item: int) -> int:
    """Return the item, but be killed on the first try at every third."""
    tried = folder / str(item)
    if item % 3 == 0 and not tried.exists():
        tried.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def refuse_seven(item: int) -> int:
    if item == 7:
        raise DataError("seven is no good")
    return item


class Unwelcome:
    """Work that no process can take in."""

    __module__ = __name__

    def __reduce__(self):
        return os._exit, (3,)

    def __call__(self, item):
        return item


def report_and_wait(folder: str) -> None:
    """Leave a file that is named after this process, and work for a minute."""
    Path(folder, str(os.getpid())).touch()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        pass
