"""Lines of raw/labels.csv changed one by one: all else in the file stays, byte for byte.

A row is its text as it stands in the file, with the end of its line. What is done to the file is
told as hunks, of which each can be undone as long as nobody changed the row since.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import DataError, shorten
from pipeline.intake.labels import COLUMNS, LABELS, Override, labels_file, read_overrides
from pipeline.intake.names import compose_name
from pipeline.intake.rewriting import Work, rewrite
from pipeline.intake.spreadsheets import Writing, read_writing

_NEEDED = ("id", "label")  # columns, beside source
_ENDS = "\r\n"


class Line(NamedTuple):
    """What a line of raw/labels.csv is to say of a box: source as the catalogue has it."""

    source: str  # of a file in an archive: the archive's, "/" and the file's name there
    id: str
    label: str  # a class, or LEFT_OUT


class Hunk(NamedTuple):
    """A row before and after a change; None where there was none."""

    before: str | None
    after: str | None
    place: int = -1  # of the row in the file, where that counts


class ChangedSinceError(DataError):
    """A row is not as it was left: somebody else changed it."""


def change_lines(data: bytes | None, wanted: Sequence[Line]) -> tuple[bytes, list[Hunk]]:
    """Return raw/labels.csv with what is wanted, and what was done to it; None: there is no file.

    The label of an id's line is changed where it has one; else a line is appended.
    """
    table = _Table(data)
    for line in wanted:
        places = table.find(line.id)
        for place in places:
            table.set_label(place, line.label)
        if not places:
            table.append(line)
    return table.encode(), table.hunks


def undo_lines(data: bytes | None, hunks: Sequence[Hunk]) -> bytes | None:
    """Return the file as it was before some hunks; None where there was none.

    Raises ChangedSinceError when a row is not as these left it.
    """
    table = _Table(data)
    for hunk in reversed(hunks):
        table.undo(hunk)
    return table.encode() or None


def rewrite_labels(
    root: Path,
    classes: Sequence[str],
    work: Work,
    wanted: Sequence[Line] = (),
) -> None:
    """Let `work` change the bytes of raw/labels.csv (None: there is no file).

    The file changes only if it can be read before, and says what is wanted after: else DataError.
    """
    path = labels_file(root)
    read_overrides(root, classes)
    rewrite(
        root,
        path,
        LABELS,
        work,
        lambda part: _refuse_misread(read_overrides(root, classes, part), wanted),
    )


def _refuse_misread(said: Sequence[Override], wanted: Sequence[Line]) -> None:
    """Raise DataError where a line, as it was read back, does not say what was wanted.

    Space at the end of a file's name is lost, for instance.
    """
    found = {one.id: one for one in said if one.id}
    for line in wanted:
        one = found.get(line.id)
        if one is None or one.label != line.label:
            raise DataError(f"{LABELS} can't give '{shorten(line.id)}' the label '{line.label}'")
        if compose_name(one.source) != compose_name(line.source):
            raise DataError(
                f"{LABELS} can't name the file '{shorten(line.source)}': rename it, without space "
                "at the ends of its name"
            )


class _Table:
    """The rows of the file, and what was done to them."""

    def __init__(self, data: bytes | None) -> None:
        self.hunks: list[Hunk] = []
        if data is None:
            self.writing, self.rows, self.top = Writing("utf-8", "", ",", ""), list[str](), 0
            return
        self.writing = read_writing(data, LABELS, _is_header, COLUMNS)
        self.rows = self.writing.split()
        self.top = next(place for place, row in enumerate(self.rows) if any(self._parse(row)))

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        return self.writing.encode("".join(self.rows))

    def find(self, name: str) -> list[int]:
        """Return the places of an id's lines."""
        columns = self._columns()
        if "id" not in columns:
            return []
        place = columns.index("id")
        return [
            number
            for number, row in enumerate(self.rows)
            if number > self.top and name in row and self._parse(row)[place : place + 1] == [name]
        ]

    def set_label(self, place: int, label: str) -> None:
        """Let a line give a label."""
        self._add_columns()
        columns, row = self._columns(), self.rows[place]
        cells = self._parse(row)
        cells += [""] * (len(columns) - len(cells))
        if cells[columns.index("label")] != label:
            cells[columns.index("label")] = label
            self._replace(place, self.writing.write(cells) + _end_of(row))

    def append(self, line: Line) -> None:
        """Add a line at the end."""
        self._add_columns()
        end = _end_of(self.rows[self.top]) or "\n"
        if not _end_of(self.rows[-1]):
            self._replace(len(self.rows) - 1, self.rows[-1] + end)
        said = line._asdict()
        row = self.writing.write([said.get(name, "") for name in self._columns()])
        self.rows.append(row + end)
        self.hunks.append(Hunk(None, row + end))

    def undo(self, hunk: Hunk) -> None:
        """Put back what a hunk changed."""
        after = (hunk.after or "").rstrip(_ENDS)
        same = [n for n, row in enumerate(self.rows) if row.rstrip(_ENDS) == after]
        if not same:
            raise ChangedSinceError(
                f"{LABELS}: the line '{shorten(after)}' was changed outside this page since, "
                "so it stays as it is"
            )
        place = same[-1]
        if place == self.top and not self._may_lose_columns(hunk.before):
            return
        if hunk.before is None:
            del self.rows[place]
        elif _end_of(hunk.before) or place == len(self.rows) - 1:
            self.rows[place] = hunk.before

    def _may_lose_columns(self, before: str | None) -> bool:
        """Return whether nothing stands in the columns that a first row did not have before."""
        known = 0 if before is None else len(self._parse(before))
        return not any(any(self._parse(row)[known:]) for row in self.rows[self.top + 1 :])

    def _add_columns(self) -> None:
        """Let the first row name the columns that are needed."""
        if not self.rows:
            self.rows.append("source,id,label\n")
            self.hunks.append(Hunk(None, self.rows[0]))
        row, columns = self.rows[self.top], self._columns()
        missing = [name for name in _NEEDED if name not in columns]
        if missing:
            named = self.writing.separator.join([row.rstrip(_ENDS), *missing])
            self._replace(self.top, named + _end_of(row))

    def _replace(self, place: int, row: str) -> None:
        self.hunks.append(Hunk(self.rows[place], row))
        self.rows[place] = row

    def _columns(self) -> list[str]:
        return [name.casefold() for name in self._parse(self.rows[self.top])] if self.rows else []

    def _parse(self, row: str) -> list[str]:
        return self.writing.parse(row)


def _is_header(fields: list[str]) -> bool:
    return "source" in [field.casefold() for field in fields]


def _end_of(row: str) -> str:
    return row[len(row.rstrip(_ENDS)) :]
