"""processed/.digests: the SHA-256 of every version of a file that prep wrote into that folder.

A line is appended for each version before the file takes its place (atomic.py), so that whatever is
killed when, a file that prep wrote is noted, and what is no version of it was damaged or edited.
A line also holds a check of itself: one that is damaged is as good as none.
"""

import hashlib
import json
import os
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.console import warn
from pipeline.errors import NO_LOCKS, count_things

NOTES = ".digests"
_HEAD = 200  # bytes

Versions = Mapping[str, set[str]]  # of a file by its path from processed/: the SHA-256 of each


@dataclass
class _Read:
    """What was read of some notes so far: they only grow, unless somebody puts others there."""

    head: bytes = b""  # what they began with
    end: int = 0  # bytes
    changed: int = 0  # when, in nanoseconds
    versions: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    damaged: int = 0  # lines


_read_before: dict[Path, _Read] = {}


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_if_there(path: Path) -> str:
    """Return the SHA-256 of a file, '' where there is none."""
    return digest_file(path) if path.is_file() else ""


def note(made: Path, target: Path) -> None:
    """Note a file, or all files of a folder, that is about to become `target`.

    Nothing is noted outside a project's processed/, nor of what is hidden.
    """
    folder = find_processed(target)
    if folder is None:
        return
    made_files = sorted(made.rglob("*")) if made.is_dir() else [made]
    inside = {
        file: (target / file.relative_to(made)).absolute().relative_to(folder)
        for file in made_files
    }
    shown = [file for file, place in inside.items() if not _is_hidden(place) and file.is_file()]
    if not shown:
        return
    known = read_versions(folder)
    digests = {inside[file].as_posix(): digest_file(file) for file in shown}
    _append(
        folder / NOTES,
        [
            _write_line(digest, file)
            for file, digest in digests.items()
            if digest not in known.get(file, ())
        ],
    )


def _is_hidden(place: Path) -> bool:
    return any(part.startswith(".") for part in place.parts)


def find_processed(path: Path) -> Path | None:
    """Return the processed/ of a project that a path lies in, None where it lies in none."""
    for folder in path.absolute().parents:
        if folder.name == "processed" and (folder.parent / "params.yaml").is_file():
            return folder
    return None


def read_versions(folder: Path) -> Versions:
    """Return what is noted in a project's processed/: nothing where there are no notes."""
    path = folder / NOTES
    try:
        with path.open("rb") as file:
            state, head = os.fstat(file.fileno()), file.read(_HEAD)
            read = _read_before.get(path, _Read())
            grown = state.st_size > read.end or state.st_mtime_ns == read.changed
            if state.st_size < read.end or not grown or not head.startswith(read.head):
                read = _Read()
            file.seek(read.end)
            new, _, cut = file.read().rpartition(b"\n")
    except FileNotFoundError:
        return {}
    read.changed, _read_before[path] = state.st_mtime_ns, read
    if not new and not cut:
        return read.versions
    if new:
        read.end, read.head = read.end + len(new) + 1, head
    damaged = _parse(new, read.versions) + bool(cut)  # by a full disk, and never read on
    if damaged and not read.damaged:
        warn(
            f"processed/{NOTES}: {count_things(damaged, 'line')} can't be read; of what stands "
            "there no damage would be seen. Take it out with: prep check files --tidy"
        )
    read.damaged += damaged
    return read.versions


def _parse(text: bytes, versions: dict[str, set[str]]) -> int:
    """Add the versions that some lines tell of; return how many lines can't be read."""
    damaged = 0
    for line in filter(None, text.split(b"\n")):
        told = _read_line(line)
        if told is None:
            damaged += 1
        else:
            versions[told[0]].add(told[1])
    return damaged


def tidy_notes(folder: Path) -> None:
    """Write a project's notes anew without lines that can't be read and files that are gone."""
    path, part = folder / NOTES, folder / f".part-{os.getpid()}-{NOTES}"
    if not path.exists():
        return
    with _locked(path):
        kept = [
            _write_line(digest, file)
            for file, versions in read_versions(folder).items()
            for digest in sorted(versions)
            if (folder / file).exists()
        ]
        part.write_bytes("".join(kept).encode())
        part.replace(path)


def _append(path: Path, lines: list[str]) -> None:
    """Append lines in one piece: other processes append theirs to the same file."""
    if not lines:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path) as place:
        # Behind a line that a full disk cut short a new one begins.
        left = memoryview("".join(["\n", *lines]).encode())
        while left:
            left = left[os.write(place, left) :]
        os.fsync(place)  # never later on the disk than the file that it is of


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Yield the notes, open to be appended to, while no other process writes them."""
    binary = getattr(os, "O_BINARY", 0)  # Windows
    while True:
        place = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | binary, 0o666)
        try:
            _lock(place)
            if os.name == "nt" or os.fstat(place).st_ino == path.stat().st_ino:
                yield place
                return
            # Another process has tidied them up meanwhile.
        finally:
            os.close(place)


def _lock(place: int) -> None:
    """Wait for the only right to write; not where the system or the disk has no locks."""
    with suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(place, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise


def _write_line(digest: str, file: str) -> str:
    said = f"{digest} {json.dumps(file)}"
    return f"{zlib.crc32(said.encode()):08x} {said}\n"


def _read_line(line: bytes) -> tuple[str, str] | None:
    """Return file and digest of a line, None for one that is not whole."""
    check, _, said = line.partition(b" ")
    if check != f"{zlib.crc32(said):08x}".encode():
        return None
    digest, _, file = said.decode().partition(" ")
    return json.loads(file), digest
