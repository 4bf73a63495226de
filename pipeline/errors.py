"""The one exception that users see as a sentence instead of a traceback."""

import difflib
import errno
import re
from collections.abc import Iterable
from pathlib import PurePath


class DataError(Exception):
    """Something in the user's files, settings or command is wrong.

    The message is written for the person at the keyboard: what is wrong, where, what to do.
    `cli.main` prints it and exits with code 1.
    """


class UnusableFileError(DataError):
    """A file can't be used: `reason` goes on from its name, `remedy` says what to do about it."""

    def __init__(self, path: PurePath, reason: str, remedy: str) -> None:
        super().__init__(path, reason, remedy)  # so that it can be pickled
        self.path, self.reason, self.remedy = path, reason, remedy

    def __str__(self) -> str:
        """Return the three as sentences."""
        return f"{self.path} {self.reason}. {self.remedy}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ' Did you mean X?' for the closest known word, or '' if nothing is close."""
    close = find_nearest(word, known)
    return f" Did you mean '{close}'?" if close else ""


def find_nearest(word: str, known: Iterable[str]) -> str:
    """Return the closest known word, or '' if nothing is close."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[close[0]] if close else ""


def count_things(number: int, noun: str) -> str:
    """Return '1 file' or '1,200 files': a number as a sentence says it, of what takes an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def write_duration(seconds: float) -> str:
    """Return a time as a person says it: '20 s', '4 min', '1.5 h'."""
    if seconds < 90:
        return f"{max(round(seconds, -1), 10):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def shorten(text: str, most: int = 100) -> str:
    """Return a value as a message may quote it: one line, of no more characters than that."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


OUT_OF_MEMORY = "too large for the memory that it may take"  # of a picture, or its archive

NO_MEMORY = (
    "there was not enough memory. Close other programs or raise the limit (ulimit -v); a training "
    "needs less with --jobs 1 or a smaller train.batch_size"
)

# What a lock on a file says: another program has it, or the disk knows no locks.
_LOCKED = {errno.EAGAIN, errno.EDEADLK}
NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that there is no memory, even for a library or TensorFlow."""
    said = ("failed to map segment", "annot allocate memory", "bad_alloc", "ResourceExhausted")
    told = f"{type(error).__name__}: {error}"
    full = isinstance(error, OSError) and error.errno == errno.ENOMEM
    return full or isinstance(error, MemoryError) or any(words in told for words in said)


def explain(error: OSError) -> str:
    """Return in a sentence what the system refused to do, with which file, and what to do."""
    reason = error.strerror or str(error)
    # A file is written beside its place, under another name (atomic.py).
    path = re.sub(r"\.part-\d+-(old-)?", "", str(error.filename or ""))
    if error.errno in NO_ROOM:
        return f"there is no room for {path or 'the output'} ({reason}). Make room and try again."
    if error.errno in _LOCKED and path:
        program = "another program (a notebook, HDFView?)"
        return f"{path} is open in {program}: close it there and run again"
    if error.errno in NO_LOCKS and path:
        return (
            f"{path} lies on a disk that knows no locks ({reason}). Set "
            "HDF5_USE_FILE_LOCKING=FALSE in the environment and run again"
        )
    if error.errno in _NOT_ALLOWED:
        return (
            f"{path or 'something'} can't be opened or changed ({reason}). See to it that you may "
            "read and write in your project's folder, and try again."
        )
    if error.errno == errno.ENOENT and not path:  # as os.getcwd says it
        return "the folder that you are in is not there any more. Go to your project's folder"
    if error.errno == errno.ENOENT:
        made = "processed" in PurePath(path).parts
        remedy = " any more. Bring all up to date with: dvc repro" if made else ""
        return f"there is no {path}{remedy}"
    return f"{path or 'something'} can't be read or written ({reason})"
