"""processed/.corrections: what the page did to files in raw/, so that it can be undone later.

A line a correction, JSON, only ever appended: the rows before and after, and what to call it; or
that the last one that stands was undone. One that a kill cut short is as good as none.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from pipeline.errors import NO_LOCKS, DataError
from pipeline.intake.box_lines import Edit
from pipeline.intake.label_lines import Hunk
from pipeline.intake.rewriting import MeanwhileError
from pipeline.intake.row_forms import RowForm

NAME = ".corrections"
_threads = threading.Lock()


TRIES = 5  # at a file that another program saves at the same time


@dataclass(frozen=True)
class Correction:
    """One thing that was done: to which tiles, as a person says it, and the rows."""

    told: str
    ids: tuple[str, ...]
    hunks: tuple[Hunk, ...] = ()  # of raw/labels.csv
    edits: tuple[Edit, ...] = ()  # of raw/boxes.csv
    form: RowForm | None = None  # of these rows


_CORRECTIONS = TypeAdapter(Correction)
_UNDONE = b'{"undone": true}'


Note = Callable[[Correction], None]


class Journal:
    """The journal of a project; whoever changes such a file holds it meanwhile."""

    def __init__(self, processed: Path) -> None:
        """Keep the journal in a project's processed/."""
        self.path = processed / NAME

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no other thread or program correct labels meanwhile."""
        self.path.parent.mkdir(exist_ok=True)
        self._refuse_another_thing()
        with _threads, self.path.open("ab") as file:
            with suppress(ImportError):  # Windows
                import fcntl

                try:
                    fcntl.flock(file, fcntl.LOCK_EX)
                except OSError as error:
                    if error.errno not in NO_LOCKS:
                        raise
            yield

    def correct(self, change: Callable[[Note], None]) -> None:
        """Let `change` change a file; it is given what notes a correction before it is made.

        It is called again where another program saved the file at that moment. What could not be
        done does not stay in the journal.
        """
        for left in reversed(range(TRIES)):
            noted: list[Correction] = []

            def note(correction: Correction, noted: list[Correction] = noted) -> None:
                self._append(_CORRECTIONS.dump_json(correction))
                noted.append(correction)

            try:
                return change(note)
            except BaseException as error:
                if noted:
                    self.drop()
                if not (left and isinstance(error, MeanwhileError)):
                    raise
        return None

    def drop(self) -> None:
        """Say that the last correction that stands does so no more."""
        self._append(_UNDONE)

    def last(self) -> Correction | None:
        """Return the last correction that stands, None where there is none."""
        undone = 0
        for correction in self._read_backwards():
            if correction is None:
                undone += 1
            elif undone:
                undone -= 1
            else:
                return correction
        return None

    def _append(self, line: bytes) -> None:
        text = b"\n%b\n" % line  # behind a line that was cut short a new one begins
        with self.path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(text) < len(text):
                    raise OSError(28, os.strerror(28), str(self.path))
                os.fsync(file.fileno())
            except OSError as error:
                file.truncate(before)
                error.filename = error.filename or str(self.path)
                raise

    def _read_backwards(self) -> Iterator[Correction | None]:
        """Yield the corrections, None for an undo; what the page never wrote is passed over."""
        self._refuse_another_thing()
        try:
            lines: Sequence[bytes] = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in filter(None, reversed(lines)):
            if line == _UNDONE:
                yield None
            else:
                with suppress(ValueError):
                    yield _CORRECTIONS.validate_json(line, strict=True)

    def _refuse_another_thing(self) -> None:
        """Raise DataError for a link, which nothing is written through, and for what is no file."""
        if self.path.is_symlink():
            raise DataError(
                f"processed/{NAME} is a link, which nothing is written through: delete it"
            )
        if self.path.exists() and not self.path.is_file():
            raise DataError(f"processed/{NAME} is no file: delete it")
