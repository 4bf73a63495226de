"""Links below a source: followed where DVC sees what lies behind them, and nowhere else.

DVC looks into an input of a stage that is a link to a folder, and into no such link below it: what
changes behind one would never be seen. Over a link that leads nowhere DVC fails, and at a pipe it
waits for ever.

Paths are relative to the project's root, with "/". `inputs` are those of ingest in dvc.yaml.
"""

import errno
import json
import os
import re
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from pipeline.errors import DataError, count_things, pass_on_machine
from pipeline.intake.names import is_clutter, printable_name


def refuse_unseen(root: Path, folders: Collection[str], inputs: Collection[str]) -> None:
    """Raise DataError when DVC does not see all that the folders hold, with what to do."""
    if unseen := find_unseen(root, folders, inputs):
        raise DataError(tell_unseen(root, unseen, inputs))


def tell_unseen(root: Path, unseen: Collection[str], inputs: Collection[str]) -> str:
    """Return the sentence about folders into which DVC does not look."""
    first, *others = unseen
    what = f"a link to {(root / first).readlink()}" if (root / first).is_symlink() else "not in raw"
    more = f" and {count_things(len(others), 'folder')} more" if others else ""
    deps = ", ".join(map(_quote, [*inputs, *unseen]))
    where = "dvc.yaml" if (root / "dvc.yaml").exists() else "dvc.yaml (prep init . makes one)"
    return (
        f"DVC does not look into {first} ({what}){more}, so dvc repro would never see what changes "
        f"there. Tell it to: in {where} the stage ingest needs the line `deps: [{deps}]`"
    )


def _quote(path: str) -> str:
    """Return a path as YAML may have it in a list."""
    return path if re.fullmatch(r"[\w./-]+", path) else json.dumps(path, ensure_ascii=False)


def find_unseen(root: Path, folders: Collection[str], inputs: Collection[str]) -> list[str]:
    """Return the folders, at, above and below the given ones, into which DVC does not look.

    Raises DataError for links that lead nowhere or in a circle: any of them may have been a class;
    and for a pipe below an input.
    """
    if pipe := next(_find_pipes(root, inputs), ""):
        raise DataError(
            f"{printable_name(pipe)} is a pipe and no file: dvc repro would wait at it for ever. "
            "Delete it"
        )
    above = [path for folder in folders for path in _find_above(root, folder, inputs)]
    lost = [path for path in above if (root / path).is_symlink() and _is_lost(root / path)]
    unseen = above.copy()
    for folder in folders if not lost else ():
        for link in _find_links(root, folder, inputs):
            (lost if _is_lost(root / link) else unseen).append(link)
    if lost:
        more = f" (and {count_things(len(lost) - 1, 'link')} more)" if len(lost) > 1 else ""
        raise DataError(
            f"{lost[0]}{more} is a link that leads nowhere or in a circle, "
            f"to {(root / lost[0]).readlink()}. Mount or put back what it leads to, or delete "
            "the link: what it stood for may be a whole class"
        )
    return sorted(set(unseen) - set(inputs))


def _find_above(root: Path, folder: str, inputs: Collection[str]) -> Iterator[str]:
    """Yield the first link on the way from an input to a folder; the folder if it lies in none."""
    way = [PurePosixPath(folder), *PurePosixPath(folder).parents][:-1]
    for number, path in enumerate(way):
        if path.as_posix() in inputs:
            between = [step for step in reversed(way[:number]) if (root / step).is_symlink()]
            yield from (step.as_posix() for step in between[:1])
            return
    yield folder


def _find_links(root: Path, folder: str, inputs: Collection[str]) -> Iterator[str]:
    """Yield each link below a folder that leads to a folder or nowhere.

    What lies behind those that are inputs is looked through too.
    """
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        for entry in list_folder(root / here):
            path = f"{here}/{entry.name}"
            if not is_folder(entry):
                if entry.is_symlink() and _is_lost(root / path):
                    yield path
            elif not entry.is_symlink():
                waiting.append(path)
            else:
                yield path
                if path in inputs and not _is_lost(root / path):
                    waiting.append(path)


def _find_pipes(root: Path, folders: Collection[str]) -> Iterator[str]:
    """Yield each pipe below the folders, whatever its name: DVC reads what is hidden too."""
    waiting = list(folders)
    while waiting:
        here = waiting.pop()
        with suppress(OSError), os.scandir(root / here) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{here}/{entry.name}")
                elif not entry.is_file() and _is_pipe(Path(entry)):
                    yield f"{here}/{entry.name}"


def _is_pipe(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:  # a link that leads nowhere is told elsewhere
        return False


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether there is a folder, also behind a link; False where that leads nowhere."""
    try:
        return entry.is_dir()
    except OSError:  # a circle
        return False


def list_folder(folder: Path) -> list[os.DirEntry[str]]:
    """Return what a folder holds, without clutter; raises OSError, for a folder is no picture."""
    try:
        with os.scandir(folder) as scan:
            return [entry for entry in scan if not is_clutter(entry.name)]
    except NotADirectoryError:  # an archive may be a source too
        return []
    except OSError as error:
        pass_on_machine(error, folder)
        raise


def _is_lost(link: Path) -> bool:
    """Return whether a link leads nowhere, or to a folder that it lies in itself."""
    try:
        target = link.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        return True
    except OSError as error:
        if error.errno == errno.ELOOP:  # a circle, as Python 3.13 tells it
            return True
        raise
    return link.parent.resolve().is_relative_to(target)
