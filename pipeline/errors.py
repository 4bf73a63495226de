"""The one exception that users see as a sentence instead of a traceback."""

import difflib
import errno
import os
import re
from collections.abc import Iterable
from contextlib import suppress
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
_TOO_MANY_OPEN = {errno.EMFILE, errno.ENFILE}
# What a network drive says has more numbers than names; Windows lacks some of these names.
_DISK_FAILS = {
    getattr(errno, name)
    for name in (
        "EIO", "ESTALE", "ENXIO", "ENODEV", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH",
        "ENETDOWN", "ENETUNREACH", "EREMOTEIO", "EUCLEAN", "EBADMSG",
    )
    if hasattr(errno, name)
}  # fmt: skip
# What the system says of a single file, for its name or for where its content has it look.
_OF_THE_FILE = {
    errno.EINVAL, errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ, errno.EOVERFLOW, errno.EISDIR,
    errno.EFAULT,
}  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that there is no memory, even for a library or TensorFlow."""
    said = (
        "failed to map segment", "annot allocate memory", "bad_alloc", "ResourceExhausted",
        "(-4:Insufficient memory)",  # OpenCV
    )  # fmt: skip
    told = f"{type(error).__name__}: {error}"
    full = isinstance(error, OSError) and error.errno == errno.ENOMEM
    return full or isinstance(error, MemoryError) or any(words in told for words in said)


def pass_on_machine(error: BaseException, place: PurePath | str) -> None:
    """Raise an OSError, with the place, if an error tells of the machine and not of a file.

    Every error with a number comes from the system, and but for a few it says nothing about what
    is in a file: there is no room, no right, no disk. The same file may be read a minute later.
    """
    if isinstance(error, MemoryError):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), str(place)) from error
    if isinstance(error, OSError) and error.errno and error.errno not in _OF_THE_FILE:
        # h5py's own text is a paragraph.
        text = os.strerror(error.errno) if "errno = " in str(error) else error.strerror
        raise OSError(error.errno, text, str(error.filename or place)) from error


def explain(error: OSError | MemoryError) -> str:
    """Return in a sentence what the system refused to do, with which file, and what to do."""
    if isinstance(error, MemoryError):
        error = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    reason = error.strerror or str(error)
    # A file is written beside its place, under another name (atomic.py).
    path = re.sub(r"\.part-\d+-(old-)?", "", str(error.filename or ""))
    if error.errno == errno.ENOENT:
        return _explain_absence(path, reason)
    if error.errno in NO_ROOM:
        return _explain_no_room(error, path, reason)
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
    if error.errno in _TOO_MANY_OPEN:
        what = f"{path} can't be opened, for" if path else "there are"
        return (
            f"{what} too many files open already ({reason}). Close other programs, or raise the "
            "limit (ulimit -n 4096), and try again."
        )
    if error.errno in _DISK_FAILS:
        return (
            f"{path or 'something'} can't be read or written ({reason}): its disk or network drive "
            "fails or is gone. See to that, and try again."
        )
    if error.errno in {errno.ENOMEM, errno.EAGAIN} and not path:
        return f"the system gives no more memory or processes ({reason}). {_LESS}"
    if error.errno == errno.ENOMEM:
        return f"there is not enough memory for {path} ({reason}). {_LESS}"
    return f"{path or 'something'} can't be read or written ({reason})"


_LESS = "Close other programs, or work with fewer processes (--jobs 1), and try again."


def _is_temporary(path: str) -> bool:
    """Return whether a path is the folder for temporary files."""
    import tempfile  # which takes a while, and only errors need it

    with suppress(OSError):
        return path == tempfile.gettempdir()
    return False


def _explain_no_room(error: OSError, path: str, reason: str) -> str:
    """Return what to do where a disk, or a limit, takes no more."""
    where = " there, or name a folder that has some in TMPDIR," if _is_temporary(path) else ""
    cure = "Make room"
    if error.errno == errno.EFBIG:  # of a single file: a limit, or a disk that knows no larger
        cure = "Raise the limit (ulimit -f), or use a disk that takes larger files,"
    return f"there is no room for {path or 'the output'} ({reason}). {cure}{where} and try again."


def _explain_absence(path: str, reason: str) -> str:
    """Return what to do about a file or folder that is not there."""
    if path and _is_temporary(path):
        return f"the folder for temporary files, {path}, is gone. Make it, or name one in TMPDIR."
    if "temporary" in reason:  # as tempfile says it, with its folders
        return f"{reason}. Make room in one of them, or name a folder that has some in TMPDIR."
    if not path:  # as os.getcwd says it
        return "the folder that you are in is not there any more. Go to your project's folder"
    # From anywhere inside a project: the parts that lead up out of the current folder say nothing.
    first = next((part for part in PurePath(os.path.relpath(path)).parts if part != ".."), "")
    if first == "processed":
        return f"there is no {path} any more. Bring all up to date with: dvc repro"
    if first == "raw":
        return (
            f"there is no {path} any more. Put it back (is its disk mounted?), or bring all up to "
            "date with: dvc repro"
        )
    return f"there is no {path}"
