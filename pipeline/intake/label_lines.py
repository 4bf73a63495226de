"""Lines of raw/labels.csv changed one by one: all else in the file stays, byte for byte.

A row is its text as it stands in the file, with the end of its line. What is done to the file is
told as hunks, of which each can be undone as long as nobody changed what the row says since.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import DataError, shorten
from pipeline.intake.labels import COLUMNS, LABELS, Override, labels_file, read_overrides
from pipeline.intake.names import compose_name
from pipeline.intake.rewriting import rewrite
from pipeline.intake.row_forms import ENDS, RowForm, Said, end_of, is_header
from pipeline.intake.spreadsheets import Writing, read_writing

_NEEDED = ("id", "label")  # columns, beside source


class Line(NamedTuple):
    """What a line of raw/labels.csv is to say of a box: source as the catalogue has it."""

    source: str  # of a file in an archive: the archive's, "/" and the file's name there
    id: str
    label: str  # a class, or LEFT_OUT


class Hunk(NamedTuple):
    """A row before and after a change; None where there was none."""

    before: str | None
    after: str


class Changed(NamedTuple):
    """The file after a change, what was done to its rows, and how these are to be read."""

    data: bytes
    hunks: list[Hunk]
    form: RowForm


Work = Callable[[bytes | None, Sequence[Override]], bytes | None]


class ChangedSinceError(DataError):
    """A row is not as it was left: somebody else changed it."""


def change_lines(data: bytes | None, wanted: Sequence[Line]) -> Changed:
    """Return raw/labels.csv with what is wanted, and what was done to it; None: there is no file.

    The label of an id's line is changed where it has one; else a line is appended.
    """
    table = _Table(data)
    for line in wanted:
        table.write(line)
    return Changed(table.encode(), table.hunks, table.form)


def undo_lines(
    data: bytes | None, hunks: Sequence[Hunk], form: RowForm | None
) -> tuple[bytes | None, int]:
    """Return the file as it was before some hunks (None: there was none), and how many rows stay.

    Those stay that say something else than the hunks left there. form: of the hunks, None for that
    of the file. Raises ChangedSinceError when all stay.
    """
    table, stay, undone = _Table(data), list[ChangedSinceError](), 0
    for hunk in reversed(hunks):
        try:
            undone += table.undo(hunk, form or table.form)
        except ChangedSinceError as error:
            stay.append(error)
    if stay and not undone:
        raise stay[0]
    return None if table.is_empty else table.encode(), len(stay)


def rewrite_labels(
    root: Path,
    classes: Sequence[str],
    work: Work,
    wanted: Sequence[Line] = (),
) -> None:
    """Let `work` change the bytes of raw/labels.csv (None: there is no file), given what they say.

    The file changes only if it can be read before, and says what is wanted after: else DataError.
    """
    rewrite(
        root,
        labels_file(root),
        LABELS,
        lambda data: work(data, read_overrides(root, classes)),
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
    """The rows of the file, and what was done to them; a row that was taken out is ''."""

    def __init__(self, data: bytes | None) -> None:
        self.hunks: list[Hunk] = []
        self.writing = Writing("utf-8", "", ",", "")
        if data is not None:
            self.writing = read_writing(data, LABELS, is_header, COLUMNS)
        self.rows = self.writing.split()
        cells = [[cell.strip() for cell in row] for row in self.writing.read()]
        self.top = next((place for place, row in enumerate(cells) if any(row)), 0)
        self.columns = [name.casefold() for name in cells[self.top]] if cells else []
        self.of_id: dict[str, list[int]] = defaultdict(list)  # places of lines
        for place in range(len(self.rows)):
            if place > self.top and "id" in self.columns:
                self.of_id["".join(cells[place][self.columns.index("id") :][:1])].append(place)

    @cached_property
    def of_said(self) -> dict[Said, list[int]]:
        """The places of the rows, by what they say."""
        places: dict[Said, list[int]] = defaultdict(list)
        for place, row in enumerate(self.rows):
            places[self.form.read(row)].append(place)
        return places

    @property
    def form(self) -> RowForm:
        """How its rows are read."""
        return RowForm(self.writing.separator, tuple(self.columns))

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in it, the columns' names included."""
        return not any(any(self.writing.parse(row)) for row in self.rows)

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        return self.writing.encode("".join(self.rows))

    def write(self, line: Line) -> None:
        """Let a line say what is wanted of an id: those that it has, or a new one."""
        self._add_columns()
        for place in self.of_id[line.id]:
            self._set_label(place, line.label)
        if not self.of_id[line.id]:
            self._append(line)

    def undo(self, hunk: Hunk, form: RowForm) -> bool:
        """Put back what a hunk changed; return whether that is a line, and not the columns."""
        said = form.read(hunk.after)
        places = self.of_said[said]
        if not (said and places):
            raise ChangedSinceError(
                f"{LABELS}: the line '{shorten(hunk.after)}' was changed outside this page since, "
                "so it stays as it is"
            )
        place = places.pop()
        before, row = hunk.before or "", self.rows[place]
        is_as_left = row.rstrip(ENDS) == hunk.after.rstrip(ENDS)
        if place == self.top and not (
            (is_as_left or not before) and self._may_lose_columns(hunk.before)
        ):
            return False
        if before and not is_as_left:  # saved anew by a spreadsheet, say
            before = self.form.turn(before, form) + end_of(row)
        if not before or end_of(before) or not any(self.rows[place + 1 :]):
            self.rows[place] = before
        self.of_said[self.form.read(before)].append(place)
        return place != self.top

    def _set_label(self, place: int, label: str) -> None:
        row, number = self.rows[place], self.columns.index("label")
        cells = self.writing.parse(row)
        cells += [""] * (len(self.columns) - len(cells))
        if cells[number] != label:
            cells[number] = label
            self._replace(place, self.writing.write(cells) + end_of(row))

    def _append(self, line: Line) -> None:
        end = end_of(self.rows[self.top]) or "\n"
        if not end_of(self.rows[-1]):
            self._replace(len(self.rows) - 1, self.rows[-1] + end)
        said = line._asdict()
        row = self.writing.write([said.get(name, "") for name in self.columns]) + end
        self.of_id[line.id].append(len(self.rows))
        self.rows.append(row)
        self.hunks.append(Hunk(None, row))

    def _may_lose_columns(self, before: str | None) -> bool:
        """Return whether nothing stands in the columns that a first row did not have before."""
        known = 0 if before is None else len(before.split(self.writing.separator))
        return not any(any(self.writing.parse(row)[known:]) for row in self.rows[self.top + 1 :])

    def _add_columns(self) -> None:
        """Let the first row name the columns that are needed."""
        if not self.rows:
            self.columns = ["source", *_NEEDED]
            self.rows.append(",".join(self.columns) + "\n")
            self.hunks.append(Hunk(None, self.rows[0]))
        missing = [name for name in _NEEDED if name not in self.columns]
        if missing:
            row = self.rows[self.top]
            named = self.writing.separator.join([row.rstrip(ENDS), *missing])
            self._replace(self.top, named + end_of(row))
            self.columns += missing

    def _replace(self, place: int, row: str) -> None:
        self.hunks.append(Hunk(self.rows[place], row))
        self.rows[place] = row
