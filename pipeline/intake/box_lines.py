"""The boxes of one page changed in raw/boxes.csv: all else in the file stays, byte for byte.

What is done is told as edits, of which each can be undone as long as nobody changed what the row
says since.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.dataset.tables import Row
from pipeline.errors import shorten
from pipeline.intake.catalogue import path_of
from pipeline.intake.drawn_boxes import BOXES, boxes_file, place_boxes, read_drawn_boxes
from pipeline.intake.label_lines import ChangedSinceError
from pipeline.intake.names import compose_name, tidy_path
from pipeline.intake.rewriting import Work, rewrite
from pipeline.intake.row_forms import ENDS, RowForm, Said, end_of, is_header
from pipeline.intake.spreadsheets import Writing, read_writing
from pipeline.subjects.boxes import Box

_SIDES = ("x0", "y0", "x1", "y1")
_COLUMNS = ("source", "page", *_SIDES, "label")
_HEADER = f"{','.join(_COLUMNS)}\n"


class Edit(NamedTuple):
    """A row before and after a change, None where there was none, and its place in the file."""

    before: str | None
    after: str | None
    place: int


class Changed(NamedTuple):
    """The file after a change (None: none is left), what was done, and how the rows are read."""

    data: bytes | None
    edits: list[Edit]
    form: RowForm


class LabelledBox(NamedTuple):
    """A box on a page, and its label, '' for what the page's layout says."""

    box: Box
    label: str


def change_boxes(
    data: bytes | None, scan: Row, wanted: Sequence[LabelledBox], root: Path
) -> Changed:
    """Return raw/boxes.csv with these boxes alone on a scan, and what was done to it.

    None: there is no file. A box that is there already, or was moved, keeps its line and what else
    stands in that; without boxes the scan is read by those that are found on it.
    """
    table = _Table(data)
    own = table.find(scan, root)
    there = {box for _, box in own}
    labels = dict(wanted)
    fresh = [one for one in wanted if one.box not in there]
    gone = [place for place, box in own if box not in labels]
    for place, box in own:
        if box in labels:
            table.change(place, LabelledBox(box, labels[box]))
    if len(fresh) == len(gone):
        for place, one in zip(gone, fresh, strict=True):
            table.change(place, one)
        return Changed(table.encode(), table.edits, table.form)
    for place in reversed(gone):
        table.replace(place, None)
    end = own[-1][0] + 1 - len(gone) if own else len(table.rows)
    for one in fresh:
        end = table.insert(end, path_of(scan), scan["page"], one)
    return Changed(table.encode(), table.edits, table.form)


def undo_boxes(data: bytes | None, edits: Sequence[Edit], form: RowForm | None) -> bytes | None:
    """Return the file as it was before some edits; None where there was none.

    form: of the edits, None for that of the file. Raises ChangedSinceError when a row says
    something else than these left there.
    """
    table = _Table(data)
    for edit in reversed(edits):
        table.undo(edit, form or table.form)
    return table.encode()


def rewrite_boxes(root: Path, classes: Sequence[str], scans: Sequence[Row], work: Work) -> None:
    """Let `work` change the bytes of raw/boxes.csv (None: there is no file).

    The file changes only if its lines are clear before and after, and their boxes lie on the scans
    of the catalogue: else DataError.
    """
    place_boxes(read_drawn_boxes(root, classes), scans)
    rewrite(
        root,
        boxes_file(root),
        BOXES,
        work,
        lambda part: _check(root, classes, scans, part),
    )


def _check(root: Path, classes: Sequence[str], scans: Sequence[Row], part: Path) -> None:
    place_boxes(read_drawn_boxes(root, classes, part), scans)


class _Table:
    """The rows of the file, and what was done to them."""

    def __init__(self, data: bytes | None) -> None:
        self.edits: list[Edit] = []
        self._said: dict[str, Said] = {}  # of rows that were read
        if data is None:
            self.writing = Writing("utf-8", "", ",", "")
            self.rows, self.top = [_HEADER], 0
            self.edits.append(Edit(None, self.rows[0], 0))
            return
        self.writing = read_writing(data, BOXES, is_header, _COLUMNS)
        self.rows = self.writing.split()
        self.top = next(place for place, row in enumerate(self.rows) if any(self._parse(row)))

    def encode(self) -> bytes | None:
        """Return the bytes of the file; None where no box is left in a file of ours."""
        return None if self.rows == [_HEADER] else self.writing.encode("".join(self.rows))

    def find(self, scan: Row, root: Path) -> list[tuple[int, Box]]:
        """Return the places of a scan's lines, and their boxes."""
        name, page = compose_name(path_of(scan)), int(scan["page"])
        found = []
        for place in range(self.top + 1, len(self.rows)):
            said = self._read(place)
            if not said.get("source"):
                continue
            own = tidy_path(said["source"], root)
            member = said.get("member", "")
            is_own = compose_name(f"{own}/{member}" if member else own) == name
            if is_own and int(said.get("page") or 0) == page:
                x0, y0, x1, y1 = (int(said[side]) for side in _SIDES)
                found.append((place, (x0, y0, x1, y1)))
        return found

    def change(self, place: int, box: LabelledBox) -> None:
        """Let a line be about a box."""
        said = self._read(place)
        wanted = _name_sides(box.box) | {"label": box.label}
        if all(said.get(name, "") == value for name, value in wanted.items()):
            return
        self._add_columns("label")
        columns = self._columns()
        cells = self._parse(self.rows[place])
        cells += [""] * (len(columns) - len(cells))
        for name, value in wanted.items():
            cells[columns.index(name)] = value
        self.replace(place, self.writing.write(cells) + end_of(self.rows[place]))

    def insert(self, place: int, source: str, page: str, box: LabelledBox) -> int:
        """Add a line; return the place behind it."""
        self._add_columns("label", *(["page"] if int(page) else []))
        end = end_of(self.rows[self.top]) or "\n"
        if not end_of(self.rows[place - 1]):
            self.replace(place - 1, self.rows[place - 1] + end)
        said = {"source": source, "page": page, **_name_sides(box.box), "label": box.label}
        row = self.writing.write([said.get(name, "") for name in self._columns()]) + end
        self.rows.insert(place, row)
        self.edits.append(Edit(None, row, place))
        return place + 1

    def replace(self, place: int, row: str | None) -> None:
        """Let another row stand in the place of one, or none."""
        self.edits.append(Edit(self.rows[place], row, place))
        self.rows[place : place + 1] = [] if row is None else [row]

    def undo(self, edit: Edit, form: RowForm) -> None:
        """Put back what a edit changed."""
        if edit.after is None:
            place = max(self.top + 1, min(edit.place, len(self.rows)))
            self._put_back(place, edit.before or "", form)
            return
        said = form.read(edit.after)
        same = [place for place, row in enumerate(self.rows) if self._tell(row) == said]
        if not (said and same):
            raise ChangedSinceError(
                f"{BOXES}: the line '{shorten(edit.after.rstrip(ENDS))}' was changed outside this "
                "page since, so the boxes stay as they are"
            )
        place = min(same, key=lambda one: abs(one - edit.place))
        if place == self.top:
            self._undo_top(edit)
        elif edit.before is None:
            del self.rows[place]
        elif self.rows[place] == edit.after:
            self.rows[place] = edit.before
        else:  # saved anew by a spreadsheet, say
            self.rows[place] = self.form.turn(edit.before, form) + end_of(self.rows[place])

    def _put_back(self, place: int, row: str, form: RowForm) -> None:
        """Insert a row that was taken out."""
        end = end_of(self.rows[self.top]) or "\n"
        if not end_of(self.rows[place - 1]):
            self.rows[place - 1] += end
        self.rows.insert(place, row if form == self.form else self.form.turn(row, form) + end)

    def _tell(self, row: str) -> Said:
        if row not in self._said:
            self._said[row] = self.form.read(row)
        return self._said[row]

    def _undo_top(self, edit: Edit) -> None:
        """Put back the first row, unless something stands in the columns that it lacked."""
        known = 0 if edit.before is None else len(edit.before.split(self.writing.separator))
        is_as_left = self.rows[self.top] == edit.after
        if (
            edit.before
            and is_as_left
            and not any(any(self._parse(row)[known:]) for row in self.rows[1:])
        ):
            self.rows[self.top] = edit.before

    def _add_columns(self, *needed: str) -> None:
        """Let the first row name the columns that are needed: without a page it is the first."""
        row, columns = self.rows[self.top], self._columns()
        missing = [name for name in needed if name not in columns]
        if missing:
            named = self.writing.separator.join([row.rstrip(ENDS), *missing])
            self.replace(self.top, named + end_of(row))

    def _read(self, place: int) -> dict[str, str]:
        return dict(zip(self._columns(), self._parse(self.rows[place]), strict=False))

    @property
    def form(self) -> RowForm:
        """How its rows are read."""
        return RowForm(self.writing.separator, tuple(self._columns()))

    def _columns(self) -> list[str]:
        return [name.casefold() for name in self._parse(self.rows[self.top])]

    def _parse(self, row: str) -> list[str]:
        return self.writing.parse(row)


def _name_sides(box: Box) -> dict[str, str]:
    return dict(zip(_SIDES, map(str, box), strict=True))
