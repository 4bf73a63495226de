"""processed/.corrections: what the page did to files in raw/, so that it can be undone later.

A line a correction, JSON, only ever appended: the rows before and after, and what to call it; or
that the last one that stands was undone. One that a kill cut short is as good as none.
"""

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import NO_LOCKS, DataError
from pipeline.intake.box_lines import Edit
from pipeline.intake.label_lines import Hunk
from pipeline.intake.rewriting import MeanwhileError
from pipeline.intake.row_forms import RowForm, read_form

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


def _read_correction(line: dict[str, Any]) -> Correction:
    """Return what a line of the journal says; ValueError for what the page never wrote."""
    told, ids, hunks, edits = (line.get(name, []) for name in ("told", "ids", "hunks", "edits"))
    try:
        read = [Hunk(*one) for one in hunks], [Edit(*one) for one in edits]
        form = read_form(line["form"]) if line.get("form") else None
        texts = [told, *ids, *(text for hunk in read[0] for text in (hunk.before, hunk.after))]
    except TypeError as error:
        raise ValueError("a line of another kind") from error
    is_text = all(text is None or isinstance(text, str) for text in texts)
    if not is_text or not isinstance(told, str):
        raise ValueError("a line of another kind")
    return Correction(told, tuple(ids), tuple(read[0]), tuple(read[1]), form)


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
        if self.path.is_symlink():
            raise DataError(
                f"processed/{NAME} is a link, which nothing is written through: delete it"
            )
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
                self._append(asdict(correction))
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
        self._append({"undone": True})

    def last(self) -> Correction | None:
        """Return the last correction that stands, None where there is none."""
        undone = 0
        for line in self._read_backwards():
            if "undone" in line:
                undone += 1
            elif undone:
                undone -= 1
            else:
                return _read_correction(line)
        return None

    def _append(self, content: dict[str, Any]) -> None:
        # Behind a line that was cut short a new one begins.
        text = f"\n{json.dumps(content)}\n".encode()
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

    def _read_backwards(self) -> Iterator[dict[str, Any]]:
        try:
            lines: Sequence[bytes] = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in filter(None, reversed(lines)):
            with suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict) and ("undone" in found or _read_correction(found)):
                    yield found
