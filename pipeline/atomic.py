"""Outputs that appear whole or not at all: written beside their place, then renamed.

Before that they are synced to the disk, so that no power cut leaves a name with nothing behind it.
What lands in a project's processed/ is noted there by its digest (notes.py).

What is unfinished is called `.part-<process>-<name>`. A process that is killed leaves it behind;
the next one that writes into the same folder throws it away.
"""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import NO_ROOM
from pipeline.notes import note

_PART = ".part-"

_written_to: set[Path] = set()  # the folders in which this process has begun something


@contextmanager
def whole_file(path: Path, *, synced: bool = True, folder: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` only if the block succeeds.

    The temporary name keeps the suffix (Keras insists on `.keras`). What is quickly made again need
    not be `synced`; what is part of a whole folder is, with that. `folder`: another one on the same
    disk, where DVC watches the own one.
    """
    synced = synced and not any(part.startswith(_PART) for part in path.parts)
    with _part_beside(path if folder is None else folder / path.name) as part:
        yield part
        note(part, path)
        if synced:
            _sync(part)
        part.replace(path)
        if synced:
            _sync(path.parent)


@contextmanager
def whole_folder(path: Path, *, synced: bool = True) -> Iterator[Path]:
    """Yield an empty temporary folder; it replaces the folder `path` only if the block succeeds.

    Many small pictures that are quickly made again need not be `synced`: each waits for the disk.
    """
    with _part_beside(path) as part:
        part.mkdir()
        yield part
        note(part, path)
        if synced:
            for inside in (*part.rglob("*"), part):
                _sync(inside)
        _rename_folder(part, path)
        if synced:
            _sync(path.parent)


def remove_at_once(path: Path) -> None:
    """Remove a file, or a folder with all that is in it: there is never half of it."""
    aside = _part_of(path.with_name(f"old-{path.name}"))
    with suppress(FileNotFoundError):
        path.replace(aside)
    _remove(aside)


def remove_left_over(folder: Path) -> None:
    """Remove what processes that are no more have left unfinished in a folder."""
    _sweep(folder, is_gone)


def remove_unfinished() -> None:
    """Remove all that this process has begun and not finished, because it will never be."""
    for folder in list(_written_to):
        _sweep(folder, _is_own)


def _sync(path: Path) -> None:
    """Wait until a file's bytes, or the names in a folder, are on the disk itself."""
    is_folder = path.is_dir()
    if is_folder and os.name == "nt":  # which can't
        return
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if not (is_folder and error.errno == errno.EINVAL):  # some network drives sync no folder
            error.filename = str(path)
            raise
    finally:
        os.close(handle)


@contextmanager
def _part_beside(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(path.parent)
    # From here on what bears this process's number is its own. Until now it was another's, of
    # the same number: in a fresh container every process may get the same.
    if path.parent not in _written_to:
        _sweep(path.parent, _is_own)
        _written_to.add(path.parent)
    part = _part_of(path)
    try:
        yield part
    except OSError as error:
        if error.errno in NO_ROOM and error.filename is None:  # a write does not say where
            error.filename = str(path)
        raise
    finally:
        _remove(part)


def _part_of(path: Path) -> Path:
    return path.with_name(f"{_PART}{os.getpid()}-{path.name}")


def _rename_folder(part: Path, path: Path) -> None:
    """Rename a folder over another, which the system does only over an empty one."""
    while True:
        remove_at_once(path)
        try:
            part.replace(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return  # otherwise another process has just put its own there: the last one stays


def _sweep(folder: Path, unwanted: Callable[[int], bool]) -> None:
    """Remove the parts in a folder whose process is unwanted."""
    for part in folder.glob(f"{_PART}*"):
        process = re.match(r"\.part-(\d{1,9})-", part.name)
        if process and unwanted(int(process[1])):
            _remove(part)


def _is_own(process: int) -> bool:
    return process == os.getpid()


def is_gone(process: int) -> bool:
    """Return whether there is no process of that number; on Windows nobody can ask."""
    if os.name == "nt":
        return False  # what only asks elsewhere, kills there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it is somebody else's
    return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # there is none, or it is somebody else's
            path.unlink()
