"""Picture files in folders and in archives, found in a fixed order and read within limits.

An archive (.zip, .tar, .tar.gz, told by its content) is read as a folder; nothing of it is
written to a place that its names could choose. What cannot or must not be read (links that lead
out, pipes, encrypted members, bombs, names like ../x) is listed with the reason, which reading
it raises as DataError: the caller quarantines it by name.

Passed over: hidden files, what operating systems leave behind (Thumbs.db, __MACOSX, ...), and
notes (README, .md, .txt, .csv, .json, ..., when they hold text, and spreadsheets).

Names are given printable: what does not print (line breaks, invisible marks, bytes that are not
UTF-8) is written as Python's escape, such as \\n or \\udcff, and a backslash is doubled.
"""

import gzip
import io
import lzma
import os
import posixpath
import re
import stat
import struct
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import IO, Literal, cast

from pipeline.errors import OUT_OF_MEMORY, DataError


@dataclass(frozen=True)
class Limits:
    """What a file or an archive may cost before it is refused."""

    file: int = 2**30  # bytes of one file, unpacked
    total: int = 16 * 2**30  # bytes of one archive, unpacked
    members: int = 1_000_000  # files of one archive


LIMITS = Limits()

_CHUNK = 2**16  # bytes read at a time; longer headers are refused in a tar
_HEAD = 4096  # bytes that tell what a file is
_TAR_BLOCK = 512

_CLUTTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"}
_NOTES = {
    ".csv", ".dvc", ".htm", ".html", ".json", ".log", ".md", ".rst", ".toml", ".tsv", ".txt",
    ".xml", ".yaml", ".yml",
}  # fmt: skip
_NOTE_STEMS = {"readme", "license", "licence", "copying"}
_SPREADSHEETS = {".xlsx", ".ods"}  # zip archives by their content
_NESTED = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")

_ESCAPE = re.compile(r"\\(?:[\\nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")

# What zipfile, tarfile and the libraries under them are known to raise on broken archives.
_ARCHIVE_ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error,
    ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, AttributeError,
)  # fmt: skip

_ONE_AT_A_TIME = threading.Lock()  # the members of an archive share one open file


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


def printable_name(name: str) -> str:
    """Return a file's name with all that does not print, and backslashes, as escapes."""
    if name.isprintable() and "\\" not in name:
        return name
    return "".join(
        letter
        if letter.isprintable() and letter != "\\"
        else letter.encode("unicode_escape").decode("ascii")
        for letter in name
    )


def plain_name(printable: str) -> str:
    """Return the name that printable_name was given."""
    return _ESCAPE.sub(lambda escape: escape[0].encode("ascii").decode("unicode_escape"), printable)


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


def _is_clutter(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _CLUTTER


def _is_note_by_name(name: str) -> bool:
    path = PurePosixPath(name.casefold())
    return path.suffix in _NOTES | _SPREADSHEETS or path.stem in _NOTE_STEMS


def _is_note(name: str, head: bytes) -> bool:
    """Return whether a file holds notes: its name says so and its first bytes do not deny it."""
    if not _is_note_by_name(name):
        return False
    if PurePosixPath(name.casefold()).suffix in _SPREADSHEETS:
        return head.startswith(b"PK")
    # Text has none of the lowest control characters, pictures have; UTF-16 is told by its mark.
    return head.startswith((b"\xff\xfe", b"\xfe\xff")) or min(head, default=9) > 8


def _archive_kind(head: bytes) -> Literal["", "zip", "tar", "tar.gz"]:
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        try:
            start = zlib.decompressobj(wbits=31).decompress(head, _TAR_BLOCK)
        except zlib.error:
            return ""
        return "tar.gz" if _archive_kind(start) == "tar" else ""
    try:
        tarfile.TarInfo.frombuf(head[:_TAR_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return ""
    return "tar"


def _distrust_name(name: str) -> str:
    """Return why a member's name is refused, "" when it stays inside its archive everywhere."""
    if (
        name.startswith("/")
        or "\\" in name
        or "\0" in name
        or ".." in name.split("/")
        or re.match("[A-Za-z]:", name)
        or posixpath.normpath(name) == "."
    ):
        return "refused: its name could lead out of the archive"
    return ""


@dataclass(eq=False)
class _Archive:
    """An open archive; the file under it is closed with the last reference to this."""

    limits: Limits
    listing: list[tuple[str, str]] = field(default_factory=list)  # names, and what ails them
    openers: dict[str, Callable[[], IO[bytes]]] = field(default_factory=dict)  # of the sound
    total: int = 0

    def add(self, name: str, size: int, trouble: str, opener: Callable[[], IO[bytes]]) -> None:
        """Take up one member; raises DataError when the archive becomes too large."""
        self.total += size
        if self.total > self.limits.total or len(self.listing) >= self.limits.members:
            raise DataError(
                f"too large an archive: the limit is {self.limits.members:,} files of "
                f"{self.limits.total:,} bytes in all"
            )
        trouble = trouble or _distrust_name(name) or self._distrust(name, size)
        clean = posixpath.normpath(name)  # tar writes ./cat/1.jpg
        if not trouble and any(_is_clutter(part) for part in clean.split("/")):
            return
        shown = printable_name(name if _distrust_name(name) else clean)
        if not trouble and shown in self.openers:
            trouble = "a second file with the same name in the archive"
        self.listing.append((shown, trouble))
        if not trouble:
            self.openers[shown] = opener

    def _distrust(self, name: str, size: int) -> str:
        if size > self.limits.file:
            return f"too large: {size:,} bytes unpacked, the limit is {self.limits.file:,}"
        if name.casefold().endswith(_NESTED):
            return "an archive inside an archive: not opened"
        return ""

    def head(self, member: str) -> bytes:
        """Return the first bytes of a member, none when it cannot be read."""
        try:
            with _ONE_AT_A_TIME, _reasons("file in the archive"), self.openers[member]() as stream:
                return stream.read(_HEAD)
        except DataError:
            return b""


def _open_archive(path: Path, limits: Limits) -> _Archive:
    """Return an archive, open; raises DataError when it is damaged, too large or gone."""
    with _reasons("archive"):
        state = path.stat()
        # A process that was forked must not share the position in its parent's open file.
        return _open_state(path, state.st_size, state.st_mtime_ns, os.getpid(), limits)


@lru_cache(maxsize=2)
def _open_state(path: Path, size: int, changed: int, process: int, limits: Limits) -> _Archive:
    with ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(_open_file(path))
        kind = _archive_kind(stream.read(_HEAD))
        stream.seek(0)
        if kind == "tar.gz":  # into a nameless file, for a gzip can't be read from its middle
            unpacked = stack.enter_context(tempfile.TemporaryFile())
            _unpack(stream, unpacked, limits.total)
            stream = unpacked
            stream.seek(0)
        archive = _list_zip(stream, limits) if kind == "zip" else _list_tar(stream, limits)
        weakref.finalize(archive, stack.pop_all().close)
        return archive


def _unpack(packed: IO[bytes], unpacked: IO[bytes], limit: int) -> None:
    with gzip.GzipFile(fileobj=packed) as stream:
        while chunk := stream.read(_CHUNK):
            unpacked.write(chunk)
            if unpacked.tell() > limit:
                raise DataError(f"too large an archive: more than the limit of {limit:,} bytes")


def _list_zip(stream: IO[bytes], limits: Limits) -> _Archive:
    archive = _Archive(limits)
    file = zipfile.ZipFile(stream)
    for info in file.infolist():
        if not info.is_dir():
            opener = partial(file.open, info)
            archive.add(info.filename, info.file_size, _distrust_zipped(info), opener)
    return archive


def _distrust_zipped(info: zipfile.ZipInfo) -> str:
    if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG}:
        return "a link or a device in an archive: not followed"
    if info.flag_bits & 1:
        return "encrypted: unpack the archive with its password first"
    return ""


def _list_tar(stream: IO[bytes], limits: Limits) -> _Archive:
    archive = _Archive(limits)
    file = tarfile.TarFile(fileobj=cast("IO[bytes]", _BoundedReads(stream)))
    for info in file:
        if not info.isdir():
            trouble = "" if info.isreg() else "a link or a device in an archive: not followed"
            opener = cast("Callable[[], IO[bytes]]", partial(file.extractfile, info))
            archive.add(info.name, info.size, trouble, opener)
    # tarfile takes a damaged header for the end; the end proper is a block of zeros.
    stream.seek(file.offset)
    if stream.read(_TAR_BLOCK) != bytes(_TAR_BLOCK):
        raise DataError(f"damaged archive: it breaks off after {len(archive.listing):,} files")
    return archive


@dataclass(frozen=True)
class _BoundedReads:
    """A stream as tarfile may see it: no header of a gigabyte is read into memory."""

    stream: IO[bytes]

    def read(self, size: int) -> bytes:
        if size > _CHUNK:
            raise tarfile.ReadError("a header is too long")
        return self.stream.read(size)

    def seek(self, position: int) -> int:
        return self.stream.seek(position)

    def tell(self) -> int:
        return self.stream.tell()


@contextmanager
def _reasons(what: str) -> Iterator[None]:
    """Turn whatever reading a file or an archive raises into DataError."""
    try:
        yield
    except OSError as error:
        if error.strerror:
            raise DataError(f"the {what} cannot be read: {error.strerror}") from error
        raise DataError(_describe_damage(what, error)) from error
    except MemoryError as error:
        raise DataError(OUT_OF_MEMORY) from error
    except _ARCHIVE_ERRORS as error:
        raise DataError(_describe_damage(what, error)) from error


def _describe_damage(what: str, error: Exception) -> str:
    return f"damaged {what}: {printable_name(str(error))[:100] or type(error).__name__}"


def _open_file(path: Path) -> IO[bytes]:
    if not stat.S_ISREG(path.stat().st_mode):
        raise DataError("not a file but a pipe, a socket or a device")
    return path.open("rb")


def _read_within(stream: IO[bytes], limit: int) -> bytes:
    """Read to the end, or raise DataError as soon as there is more than the limit."""
    data = io.BytesIO()  # whose bytes, unlike those of a list of chunks, are there only once
    while chunk := stream.read(_CHUNK):
        data.write(chunk)
        if data.tell() > limit:
            raise DataError(f"too large: more than the limit of {limit:,} bytes")
    return data.getvalue()
