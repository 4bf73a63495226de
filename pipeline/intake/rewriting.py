"""A file of the user's in raw/ changed by a program: whole or not at all, and only if it is clear.

Nothing else appears in raw/ meanwhile, for DVC lists what lies there.
"""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from pipeline.atomic import whole_file
from pipeline.errors import DataError
from pipeline.intake.spreadsheets import read_file

Work = Callable[[bytes | None], bytes | None]  # the bytes of a file, None: there is none


class MeanwhileError(DataError):
    """Somebody else saved the file while it was being changed; nothing was written."""


def rewrite(root: Path, path: Path, name: str, work: Work, check: Callable[[Path], None]) -> None:
    """Let `work` change the bytes of a file that errors call `name`.

    check: raises DataError for what the file may not become; it is given it under another name.
    Raises MeanwhileError where an editor, say, saved the file in between.
    """
    data = _read(path, name)
    made = work(data)
    _refuse_another(path, name, data)
    if made is None:
        path.unlink(missing_ok=True)
        return
    target = path.resolve()
    if data is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only", str(path))
    rooms = _list_rooms(root, target)
    for room in rooms:
        try:
            with whole_file(target, folder=room) as part:
                part.write_bytes(made)
                if data is not None:
                    part.chmod(stat.S_IMODE(target.stat().st_mode))
                check(part)
                with part.open("rb") as file:  # what takes long comes before the last look
                    os.fsync(file.fileno())
                _refuse_another(path, name, data)
        except OSError as error:
            if error.errno != errno.EXDEV or room == rooms[-1]:
                error.filename = str(path)  # and not the one that was to become it
                raise
        else:
            return


def _read(path: Path, name: str) -> bytes | None:
    return read_file(path, name) if os.path.lexists(path) else None


def _refuse_another(path: Path, name: str, data: bytes | None) -> None:
    if _read(path, name) != data:
        raise MeanwhileError(f"{name} was saved by another program at this moment: try again")


def _list_rooms(root: Path, target: Path) -> list[Path]:
    """Return the folders from which a file may be renamed to `target`, those outside raw/ first.

    They are on its disk. But parts of one disk may be mounted apart, as in a container, and no file
    goes from one to another then.
    """
    disk = target.parent.stat().st_dev
    outside = (root / "processed", (root / "raw").resolve().parent)
    fit = [one for one in outside if one.is_dir() and one.stat().st_dev == disk]
    return [*(one for one in fit if os.access(one, os.W_OK)), target.parent]
