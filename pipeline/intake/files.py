"""Picture files in folders and in archives, found in a fixed order and read within limits.

What cannot or must not be read (links that lead out, pipes, encrypted members, bombs, names like
../x) is listed with the reason, which reading it raises as DataError: the caller quarantines it by
name.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import DataError
from pipeline.intake.archives import (
    HEAD,
    LIMITS,
    ONE_AT_A_TIME,
    Archive,
    ArchiveLimits,
    open_archive_file,
    open_file,
    read_within,
    reasons,
    tell_kind,
)
from pipeline.intake.names import (
    compose_name,
    distrust_name,
    is_clutter,
    is_note,
    is_note_by_name,
    plain_name,
    printable_name,
)


@dataclass(frozen=True, order=True)
class PictureFile:
    """A file to be read: its path from the project's root, or its archive's and its name there."""

    source: str  # with "/"
    member: str = ""  # with "/"; "" for a plain file
    trouble: str = ""  # why it cannot be read, as far as that is known

    def open_archive(self, root: Path, *, limits: ArchiveLimits = LIMITS) -> None:
        """Open the archive that the file lies in, so that reading it costs no more than its bytes.

        A whole .tar.gz is unpacked for that. Raises DataError with the reason when it can't be.
        """
        if self.member and not self.trouble:
            open_archive_file(Path(root, plain_name(self.source)), limits)

    def read(self, root: Path, *, limits: ArchiveLimits = LIMITS) -> bytes:
        """Return the file's bytes; raises DataError with the reason when that cannot be done.

        The archives read last stay open, so that reading many members is quick.
        """
        if self.trouble:
            raise DataError(self.trouble)
        path = Path(root, plain_name(self.source))
        if not self.member:
            with reasons("file"), open_file(path) as stream:
                return read_within(stream, limits.file)
        opener = open_archive_file(path, limits).openers.get(self.member)
        if opener is None:
            raise DataError("the archive holds no such file any more")
        with ONE_AT_A_TIME, reasons("file in the archive"), opener() as stream:
            return read_within(stream, limits.file)


def locate(root: Path, path: str) -> str:
    """Return a path from root, with "/", as its parts are spelt on the disk, accents and all.

    A part that is not there stays as it is. Raises DataError where two differ in accents only.
    """
    found = ""
    for part in PurePosixPath(path).parts:
        here = f"{found}{part}"
        if not Path(root, here).exists() and Path(root, found).is_dir():
            names = [entry.name for entry in os.scandir(Path(root, found))]
            same = [name for name in names if compose_name(name) == compose_name(part)]
            if len(same) > 1:
                raise DataError(
                    f"{path}: {len(same)} folders are called '{part}'; they differ only in how a "
                    "letter with an accent is encoded. Rename one of them"
                )
            here = f"{found}{same[0] if same else part}"
        found = f"{here}/"
    return found.rstrip("/")


def find_files(root: Path, folder: str, *, limits: ArchiveLimits = LIMITS) -> list[PictureFile]:
    """Return every file below root/folder, which may be an archive too, sorted by name.

    `folder` is relative to root, with "/". Links to files inside the folder are read; links that
    lead out of it, or to folders, are listed with that reason. Raises DataError when there is no
    such folder.
    """
    folder = PurePosixPath(folder).as_posix()
    base = Path(root, folder)
    with reasons(f"folder {folder}"):
        if not base.exists():
            raise DataError(f"{folder}: there is no such folder")
    listed = _walk(base) if base.is_dir() else [("", "")]
    return sorted(
        file
        for below, trouble in listed
        for file in _look_into(root, f"{folder}/{below}".rstrip("/"), trouble, limits)
    )


def folder_of(file: PictureFile, source_folder: str) -> str:
    """Return the first folder below the source's folder that a file lies in, "" for none.

    An archive there is such a folder, with its name up to the suffix: with the source
    raw/photos, raw/photos/cat.zip holding 1.jpg gives "cat". Its own folders go before that:
    pets.zip holding cat/1.jpg gives "cat", and so does pets/cat/1.jpg in it, for a folder
    that only repeats the archive's name is passed over.
    """
    base = printable_name(PurePosixPath(source_folder).as_posix())
    below = PurePosixPath(file.source).relative_to(base).parts
    if len(below) > 1:
        return below[0]
    if not file.member or distrust_name(file.member):
        return ""
    stem = re.sub(r"(?<=.)(\.tar)?\.[^.]+$", "", PurePosixPath(file.source).name)
    folders = file.member.split("/")[:-1]
    if folders and compose_name(folders[0]) == compose_name(stem):
        del folders[0]
    return folders[0] if folders else stem if below else ""


def _walk(base: Path) -> Iterator[tuple[str, str]]:
    """Yield the path below base, with "/", of everything that is no folder, and what ails it."""
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(base / folder) as scan:
                entries = list(scan)
        except OSError as error:
            yield folder, f"the folder cannot be read: {error.strerror}"
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if is_clutter(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            else:
                yield path, _distrust_link(entry, base) if entry.is_symlink() else ""


def _distrust_link(link: os.DirEntry[str], base: Path) -> str:
    """Return why a symbolic link is not followed, "" when it leads to a file inside base."""
    try:
        target = Path(link.path).resolve(strict=True)
    except (OSError, RuntimeError):
        return "a link that leads nowhere or in a circle"
    if not target.is_relative_to(base.resolve()):
        return "a link that leads out of the source's folder: not followed"
    return "a link to a folder: not followed" if target.is_dir() else ""


def _look_into(
    root: Path, source: str, trouble: str, limits: ArchiveLimits
) -> Iterator[PictureFile]:
    """Yield a file, the members of an archive, or nothing for a note."""
    shown, path = printable_name(source), Path(root, source)
    try:
        if trouble:
            raise DataError(trouble)
        with reasons("file"), open_file(path) as stream:
            head = stream.read(HEAD)
        if is_note(source, head):
            return
        if not tell_kind(head):
            yield PictureFile(shown)
            return
        yield from _list_members(shown, open_archive_file(path, limits))
    except DataError as error:
        yield PictureFile(shown, trouble=str(error))


def _list_members(source: str, archive: "Archive") -> Iterator[PictureFile]:
    for member, trouble in archive.listing:
        if trouble or not is_note_by_name(member) or not is_note(member, archive.head(member)):
            yield PictureFile(source, member, trouble)
