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
from collections.abc import Mapping
from pathlib import Path

from pipeline.console import warn
from pipeline.errors import count_things

NOTES = ".digests"

Versions = Mapping[str, set[str]]  # of a file by its path from processed/: the SHA-256 of each

_read_before: dict[Path, tuple[tuple[int, int, int], Versions]] = {}


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def note(made: Path, target: Path) -> None:
    """Note a file, or all files of a folder, that is about to become `target`.

    Nothing is noted outside a project's processed/, nor of what is hidden.
    """
    folder = find_processed(target)
    if folder is None:
        return
    known = read_versions(folder)
    lines = []
    for file in sorted(made.rglob("*")) if made.is_dir() else [made]:
        inside = (target / file.relative_to(made)).absolute().relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in inside.parts):
            digest = digest_file(file)
            if digest not in known.get(inside.as_posix(), ()):
                lines.append(_write_line(digest, inside.as_posix()))
    _append(folder / NOTES, lines)


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
        state = path.stat()
    except FileNotFoundError:
        return {}
    now = (state.st_ino, state.st_size, state.st_mtime_ns)
    before, versions = _read_before.get(path, ((0, 0, 0), {}))
    if before != now:
        lines = list(filter(None, path.read_bytes().split(b"\n")))
        found: dict[str, set[str]] = defaultdict(set)
        for file, digest in filter(None, map(_read_line, lines)):
            found[file].add(digest)
        if damaged := sum(_read_line(line) is None for line in lines):
            warn(
                f"processed/{NOTES}: {count_things(damaged, 'line')} can't be read; of what stands "
                "there no damage would be seen. Take it out with: prep check files --tidy"
            )
        versions = dict(found)
        _read_before[path] = now, versions
    return versions


def tidy_notes(folder: Path) -> None:
    """Write a project's notes anew without lines that can't be read and files that are gone."""
    path, part = folder / NOTES, folder / f".part-{os.getpid()}-{NOTES}"
    kept = [
        _write_line(digest, file)
        for file, versions in read_versions(folder).items()
        for digest in sorted(versions)
        if (folder / file).exists()
    ]
    if path.exists():
        part.write_text("".join(kept), encoding="utf-8")
        part.replace(path)


def _append(path: Path, lines: list[str]) -> None:
    """Append lines in one piece: other processes append theirs to the same file."""
    if not lines:
        return
    # Behind a line that a full disk cut short a new one begins.
    text = "".join(["\n", *lines]).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    place = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(place, text)
        os.fsync(place)  # never later on the disk than the file that it is of
    finally:
        os.close(place)


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
