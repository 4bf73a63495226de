"""Picture files in folders and in archives, found in a fixed order and read within limits.

What cannot or must not be read (links that lead out, pipes, encrypted members, bombs, names like
../x) is listed with the reason, which reading it raises as DataError: the caller quarantines it by
name.
"""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import DataError, explain, pass_on_machine
from pipeline.intake.archives import (
    HEAD,
    LIMITS,
    Archive,
    ArchiveLimits,
    open_archive_file,
    open_file,
    read_within,
    reasons,
    tell_kind,
)
from pipeline.intake.links import is_folder, list_folder
from pipeline.intake.names import (
    compose_name,
    distrust_name,
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
            with reasons("file", path), open_file(path) as stream:
                return read_within(stream, limits.file)
        with open_archive_file(path, limits).open_member(self.member) as stream:
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


def find_files(
    root: Path,
    folder: str,
    *,
    limits: ArchiveLimits = LIMITS,
    followed: Collection[str] = (),
) -> list[PictureFile]:
    """Return every file below root/folder, which may be an archive too, sorted by name.

    Notes are not among them (see `find_files_and_notes`, and for all else too).
    """
    return find_files_and_notes(root, folder, limits=limits, followed=followed)[0]


def find_files_and_notes(
    root: Path,
    folder: str,
    *,
    limits: ArchiveLimits = LIMITS,
    followed: Collection[str] = (),
) -> tuple[list[PictureFile], list[PictureFile]]:
    """Return every file below root/folder, which may be an archive too, and the notes; sorted.

    `folder` is relative to root, with "/", and so are the links to folders that are `followed`.
    Links to files inside the folder are read; links that lead out of it, or to other folders, are
    listed with that reason. Raises DataError when there is no such folder, OSError when the machine
    does not let a file or folder be read.
    """
    folder = PurePosixPath(folder).as_posix()
    base = Path(root, folder)
    with reasons(f"folder {folder}", base):
        if not base.exists():
            raise DataError(f"{folder}: there is no such folder")
    listed = _walk(root, folder, followed) if base.is_dir() else [(folder, "")]
    found: list[PictureFile] = []
    notes: list[PictureFile] = []
    closed: list[PermissionError] = []
    for source, trouble in listed:
        try:
            for file, noted in _look_into(root, source, trouble, limits):
                (notes if noted else found).append(file)
        except PermissionError as error:
            closed.append(error)
    if len(closed) > 1:
        raise DataError(f"{explain(closed[0])} So it is with {len(closed) - 1:,} more in {folder}.")
    if closed:
        raise closed[0]
    return sorted(found), sorted(notes)


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


def _walk(root: Path, folder: str, followed: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the path, with "/", of everything below that is no folder, and what ails it."""
    below = [path for path in followed if path.startswith(f"{folder}/")]
    homes = [Path(root, path).resolve() for path in (folder, *below)]
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        for entry in list_folder(Path(root, here)):
            path = f"{here}/{entry.name}"
            if is_folder(entry) and (path in below or not entry.is_symlink()):
                waiting.append(path)
            else:
                yield path, _distrust_link(entry, homes) if entry.is_symlink() else ""


def _distrust_link(link: os.DirEntry[str], homes: Collection[Path]) -> str:
    """Return why a symbolic link is not followed, "" when it leads to a file in a home."""
    try:
        target = Path(link.path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            pass_on_machine(error, link.path)
        return "a link that leads nowhere or in a circle"
    if not any(target.is_relative_to(home) for home in homes):
        return "a link that leads out of the source's folder: not followed"
    return "a link to a folder: not followed" if target.is_dir() else ""


def _look_into(
    root: Path, source: str, trouble: str, limits: ArchiveLimits
) -> Iterator[tuple[PictureFile, bool]]:
    """Yield a file or the members of an archive, and whether each holds notes."""
    shown, path = printable_name(source), Path(root, source)
    try:
        if trouble:
            raise DataError(trouble)
        with reasons("file", path), open_file(path) as stream:
            head = stream.read(HEAD)
        noted = is_note(source, head)
        if noted or not tell_kind(head):
            yield PictureFile(shown), noted
            return
        yield from _list_members(shown, open_archive_file(path, limits))
    except DataError as error:
        yield PictureFile(shown, trouble=str(error)), False
    except MemoryError as error:
        pass_on_machine(error, path)


def _list_members(source: str, archive: "Archive") -> Iterator[tuple[PictureFile, bool]]:
    for member, trouble in archive.listing:
        noted = is_note_by_name(member) and not trouble and is_note(member, archive.head(member))
        yield PictureFile(source, member, trouble), noted
