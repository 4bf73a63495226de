"""Archives, opened and read within limits: .zip, .tar and .tar.gz, told by their content.

An archive is read as a folder; nothing of it is written to a place that its names could choose.
What must not be read is listed with the reason (see intake/files.py).
"""

import gzip
import io
import lzma
import os
import posixpath
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
from pathlib import Path
from typing import IO, Literal, cast

from pipeline.errors import DataError, pass_on_machine
from pipeline.intake.names import distrust_name, is_clutter, printable_name


@dataclass(frozen=True)
class ArchiveLimits:
    """What a file or an archive may cost before it is refused."""

    file: int = 2**30  # bytes of one file, unpacked
    total: int = 16 * 2**30  # bytes of one archive, unpacked
    members: int = 1_000_000  # files of one archive


LIMITS = ArchiveLimits()
_CHUNK = 2**16  # bytes read at a time; longer headers are refused in a tar
HEAD = 4096  # bytes that tell what a file is
_TAR_BLOCK = 512
_NESTED = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")

# What zipfile, tarfile and the libraries under them are known to raise on broken archives.
_ARCHIVE_ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error,
    ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, AttributeError,
)  # fmt: skip
_ONE_AT_A_TIME = threading.Lock()  # the members of an archive share one open file


def tell_kind(head: bytes) -> Literal["", "zip", "tar", "tar.gz"]:
    """Return what archive a file is by its first bytes, "" for none."""
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        try:
            start = zlib.decompressobj(wbits=31).decompress(head, _TAR_BLOCK)
        except zlib.error:
            return ""
        return "tar.gz" if tell_kind(start) == "tar" else ""
    try:
        tarfile.TarInfo.frombuf(head[:_TAR_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return ""
    return "tar"


@dataclass(eq=False)
class Archive:
    """An open archive; the file under it is closed with the last reference to this."""

    path: Path
    limits: ArchiveLimits
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
        trouble = trouble or distrust_name(name) or self._distrust(name, size)
        clean = posixpath.normpath(name)  # tar writes ./cat/1.jpg
        if not trouble and any(is_clutter(part) for part in clean.split("/")):
            return
        shown = printable_name(name if distrust_name(name) else clean)
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
            with self.open_member(member) as stream:
                return stream.read(HEAD)
        except DataError:
            return b""

    @contextmanager
    def open_member(self, member: str) -> Iterator[IO[bytes]]:
        """Open a member to be read, alone; raises DataError when there is none or it is damaged."""
        opener = self.openers.get(member)
        if opener is None:
            raise DataError("the archive holds no such file any more")
        with _ONE_AT_A_TIME, reasons("file in the archive", self.path), opener() as stream:
            yield stream


def open_archive_file(path: Path, limits: ArchiveLimits) -> Archive:
    """Return an archive, open; raises DataError when it is damaged, too large or gone."""
    with reasons("archive", path):
        state = path.stat()
        # A process that was forked must not share the position in its parent's open file.
        return _open_state(path, state.st_size, state.st_mtime_ns, os.getpid(), limits)


@lru_cache(maxsize=2)
def _open_state(
    path: Path, size: int, changed: int, process: int, limits: ArchiveLimits
) -> Archive:
    with ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(open_file(path))
        kind = tell_kind(stream.read(HEAD))
        stream.seek(0)
        if kind == "tar.gz":  # into a nameless file, for a gzip can't be read from its middle
            stream = _unpack(stream, limits.total, stack)
        archive = Archive(path, limits)
        (_list_zip if kind == "zip" else _list_tar)(archive, stream)
        weakref.finalize(archive, stack.pop_all().close)
        return archive


def _unpack(packed: IO[bytes], limit: int, stack: ExitStack) -> IO[bytes]:
    """Return a gzip's content in a nameless file of the folder for temporary files."""
    with _in_temporary_folder():
        # Without a buffer: what waits in one is written, and fails again, as the file is closed.
        unpacked = stack.enter_context(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
    with gzip.GzipFile(fileobj=packed) as stream:
        while chunk := stream.read(_CHUNK):
            left = memoryview(chunk)
            while left:
                with _in_temporary_folder():
                    left = left[unpacked.write(left) :]
            if unpacked.tell() > limit:
                raise DataError(f"too large an archive: more than the limit of {limit:,} bytes")
    unpacked.seek(0)
    return stack.enter_context(io.BufferedReader(unpacked))


@contextmanager
def _in_temporary_folder() -> Iterator[None]:
    """Say of an error that the folder for temporary files is what it is about."""
    try:
        yield
    except OSError as error:
        # Of no usable folder at all the error lists those that were tried.
        if error.filename or tempfile.tempdir:
            error.filename = tempfile.gettempdir()
        raise


def _list_zip(archive: Archive, stream: IO[bytes]) -> None:
    file = zipfile.ZipFile(stream)
    for info in file.infolist():
        if not info.is_dir():
            opener = partial(file.open, info)
            archive.add(info.filename, info.file_size, _distrust_zipped(info), opener)


def _distrust_zipped(info: zipfile.ZipInfo) -> str:
    if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG}:
        return "a link or a device in an archive: not followed"
    if info.flag_bits & 1:
        return "encrypted: unpack the archive with its password first"
    return ""


def _list_tar(archive: Archive, stream: IO[bytes]) -> None:
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
def reasons(what: str, place: Path) -> Iterator[None]:
    """Turn what reading a file or an archive raises because of what it is into DataError."""
    try:
        yield
    except OSError as error:
        pass_on_machine(error, place)
        if error.strerror:
            raise DataError(f"the {what} cannot be read: {error.strerror}") from error
        raise DataError(_describe_damage(what, error)) from error
    except _ARCHIVE_ERRORS as error:
        raise DataError(_describe_damage(what, error)) from error


def _describe_damage(what: str, error: Exception) -> str:
    return f"damaged {what}: {printable_name(str(error))[:100] or type(error).__name__}"


def open_file(path: Path) -> IO[bytes]:
    """Open a plain file for reading; raises DataError for a pipe, a socket or a device."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise DataError("not a file but a pipe, a socket or a device")
    return path.open("rb")


def read_within(stream: IO[bytes], limit: int) -> bytes:
    """Read to the end, or raise DataError as soon as there is more than the limit."""
    data = io.BytesIO()  # whose bytes, unlike those of a list of chunks, are there only once
    while chunk := stream.read(_CHUNK):
        data.write(chunk)
        if data.tell() > limit:
            raise DataError(f"too large: more than the limit of {limit:,} bytes")
    return data.getvalue()
