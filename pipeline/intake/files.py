"""TODO pipeline/intake/files.py."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import DataError
from pipeline.intake.archives import (
    _HEAD,
    _ONE_AT_A_TIME,
    LIMITS,
    Limits,
    _Archive,
    _archive_kind,
    _open_archive,
    _open_file,
    _read_within,
    _reasons,
)
from pipeline.intake.names import (
    _distrust_name,
    _is_clutter,
    _is_note,
    _is_note_by_name,
    plain_name,
    printable_name,
)


@dataclass(frozen=True, order=True)
class PictureFile:
    """A file to be read: its path from the project's root, or its archive's and its name there."""

    source: str  # with "/"
    member: str = ""  # with "/"; "" for a plain file
    trouble: str = ""  # why it cannot be read, as far as that is known

    def open_archive(self, root: Path, *, limits: Limits = LIMITS) -> None:
        """Open the archive that the file lies in, so that reading it costs no more than its bytes.

        A whole .tar.gz is unpacked for that. Raises DataError with the reason when it can't be.
        """
        if self.member and not self.trouble:
            _open_archive(Path(root, plain_name(self.source)), limits)

    def read(self, root: Path, *, limits: Limits = LIMITS) -> bytes:
        """Return the file's bytes; raises DataError with the reason when that cannot be done.

        The archives read last stay open, so that reading many members is quick.
        """
        if self.trouble:
            raise DataError(self.trouble)
        path = Path(root, plain_name(self.source))
        if not self.member:
            with _reasons("file"), _open_file(path) as stream:
                return _read_within(stream, limits.file)
        opener = _open_archive(path, limits).openers.get(self.member)
        if opener is None:
            raise DataError("the archive holds no such file any more")
        with _ONE_AT_A_TIME, _reasons("file in the archive"), opener() as stream:
            return _read_within(stream, limits.file)


def find_files(root: Path, folder: str, *, limits: Limits = LIMITS) -> list[PictureFile]:
    """Return every file below root/folder, which may be an archive too, sorted by name.

    `folder` is relative to root, with "/". Links to files inside the folder are read; links that
    lead out of it, or to folders, are listed with that reason. Raises DataError when there is no
    such folder.
    """
    folder = PurePosixPath(folder).as_posix()
    base = Path(root, folder)
    with _reasons(f"folder {folder}"):
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
    if not file.member or _distrust_name(file.member):
        return ""
    stem = re.sub(r"(?<=.)(\.tar)?\.[^.]+$", "", PurePosixPath(file.source).name)
    folders = file.member.split("/")[:-1]
    if folders[:1] == [stem]:
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
            if _is_clutter(entry.name):
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


def _look_into(root: Path, source: str, trouble: str, limits: Limits) -> Iterator[PictureFile]:
    """Yield a file, the members of an archive, or nothing for a note."""
    shown, path = printable_name(source), Path(root, source)
    try:
        if trouble:
            raise DataError(trouble)
        with _reasons("file"), _open_file(path) as stream:
            head = stream.read(_HEAD)
        if _is_note(source, head):
            return
        if not _archive_kind(head):
            yield PictureFile(shown)
            return
        yield from _list_members(shown, _open_archive(path, limits))
    except DataError as error:
        yield PictureFile(shown, trouble=str(error))


def _list_members(source: str, archive: "_Archive") -> Iterator[PictureFile]:
    for member, trouble in archive.listing:
        if trouble or not _is_note_by_name(member) or not _is_note(member, archive.head(member)):
            yield PictureFile(source, member, trouble)
