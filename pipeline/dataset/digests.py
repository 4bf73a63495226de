"""processed/.digests.json: the SHA-256 of each file that a stage made, noted as it was made.

With each digest stand the file's size and time. As long as both are the same the digest is believed
without reading the file, as git and DVC do with theirs; where they are not, somebody has replaced
it (by hand, with `dvc checkout`), and it is read again. Losing the notes costs nothing but that.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict, cast

from pipeline.dataset.content import digest_file
from pipeline.dataset.documents import read_object, write_document
from pipeline.errors import DataError
from pipeline.project import MADE_BY, Project

NOTES = ".digests.json"


class Note(TypedDict):
    """What was noted of a file."""

    sha256: str
    size: int  # bytes
    changed: int  # nanoseconds


def note_files(project: Project, stage: str) -> None:
    """Note the digest of each file of a stage that is not as it was noted before."""
    notes = _read_notes(project)
    for name in (name for name, maker in MADE_BY.items() if maker == stage):
        place = project.output(name)
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and not _is_same(path, notes.get(project.relative(path))):
                notes[project.relative(path)] = _describe(path)
    there = {file: note for file, note in notes.items() if (project.root / file).is_file()}
    write_document(project.output(NOTES), there)


def find_digest(project: Project, path: Path) -> str:
    """Return the SHA-256 of a file, as noted where it is the same, else of its bytes."""
    note = _read_notes(project).get(project.relative(path))
    return note["sha256"] if note and _is_same(path, note) else digest_file(path)


def find_damaged(project: Project) -> Iterator[str]:
    """Yield the files whose bytes changed while size and time did not: no program does that."""
    for file, note in _read_notes(project).items():
        path = project.root / file
        if path.is_file() and _is_same(path, note) and digest_file(path) != note["sha256"]:
            yield file


def _describe(path: Path) -> Note:
    state = path.stat()
    return {"sha256": digest_file(path), "size": state.st_size, "changed": state.st_mtime_ns}


def _is_same(path: Path, note: Note | None) -> bool:
    state = path.stat()
    return note is not None and (note["size"], note["changed"]) == (
        state.st_size,
        state.st_mtime_ns,
    )


def _read_notes(project: Project) -> dict[str, Note]:
    """Return the notes by path from the root; none where there are no such, or damaged ones."""
    try:
        found = read_object(project.output(NOTES), "")
    except DataError:
        return {}
    keys = Note.__annotations__.keys()
    return {
        file: cast(Note, note)
        for file, note in found.items()
        if isinstance(note, dict) and note.keys() == keys and ".." not in Path(file).parts
    }
