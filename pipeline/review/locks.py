"""Whether `dvc repro` reads raw/ at this moment, by the lock that it has meanwhile.

A DVC that was killed leaves its lock behind, and its number may be another program's since.
"""

import json
import stat
from contextlib import suppress
from pathlib import Path

import psutil

from pipeline.review.answering import BusyError

_LOCK = ".dvc/tmp/rwlock"
_APART = 60  # seconds by which a file's clock and the one of the processes may differ


def refuse_busy(root: Path) -> None:
    """Raise BusyError while `dvc repro` is at a stage that reads raw/."""
    if is_read_by_dvc(root):
        raise BusyError(
            "dvc repro is reading raw/ just now; this is saved as soon as it has done so"
        )


def is_read_by_dvc(root: Path) -> bool:
    """Return whether `dvc repro` is at a stage that reads raw/.

    What changes there meanwhile DVC takes for read when the stage ends, and never runs it again.
    """
    raw = (root / "raw").resolve()
    with suppress(
        OSError, ValueError, AttributeError, TypeError, KeyError, RecursionError, StopIteration
    ):
        # The project may be one folder of many in DVC's own.
        lock = next(one / _LOCK for one in (root, *root.parents) if (one / ".dvc").is_dir())
        state = lock.stat()
        readers = json.loads(lock.read_bytes())["read"] if stat.S_ISREG(state.st_mode) else {}
        return any(
            Path(path).resolve().is_relative_to(raw) and _is_dvc(int(one["pid"]), state.st_mtime)
            for path, those in readers.items()
            for one in those
        )
    return False


def _is_dvc(number: int, written: float) -> bool:
    """Return whether a process is there, and may be a DVC that wrote its lock at that time."""
    try:
        process = psutil.Process(number)
        if process.create_time() > written + _APART:
            return False
        words = (process.name(), *process.cmdline()[:2])
        return any(name in word.casefold() for word in words for name in ("dvc", "python"))
    except psutil.NoSuchProcess:  # or dead, and nobody has asked how it ended
        return False
    except psutil.Error:  # it is somebody else's
        return True
