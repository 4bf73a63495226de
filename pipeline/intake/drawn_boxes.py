"""raw/boxes.csv: the boxes that a person drew on pages and pictures, in the place of found ones.

Columns: source, page (from 0; the first where there is no such column), x0, y0, x1, y1 (pixels of
the upright scan, x1 and y1 exclusive), label; and member (of an archive), group, row, col if need
be. Each line that is not clear is a DataError with its number: nothing is guessed.
"""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.dataset.tables import LEFT_OUT, Row
from pipeline.errors import DataError, nearest, shorten
from pipeline.intake.catalogue import name_of, path_of
from pipeline.intake.names import compose_name, tidy_path
from pipeline.intake.spreadsheets import read_spreadsheet
from pipeline.subjects.drawn import Drawn
from pipeline.subjects.layouts import LAYOUTS

BOXES = "raw/boxes.csv"
_SIDES = ("x0", "y0", "x1", "y1")
_ALWAYS = ("source", "page", *_SIDES, "label")
_COLUMNS = (*_ALWAYS, "member", "group", "row", "col")
# What processed/boxes.csv and left_out.csv have beside these, from which lines are copied.
_PASSED_OVER = ("id", "score", "found", "reason")
_LARGEST = 6  # digits of a number

FileName = tuple[str, str]  # the source and the member, as the catalogue has them


@dataclass(frozen=True)
class DrawnBox:
    """A line of raw/boxes.csv: a box, and the page that it is drawn on."""

    source: str  # from the project's root, with "/"
    page: int
    drawn: Drawn
    member: str = ""
    line: int = 0  # where it was read

    @property
    def path(self) -> str:
        """The path of its file (NFC), into an archive if need be."""
        return compose_name(path_of({"source": self.source, "member": self.member}))


def boxes_file(root: Path) -> Path:
    """raw/boxes.csv."""
    return root / "raw" / "boxes.csv"


def read_drawn_boxes(
    root: Path, classes: Sequence[str], file: Path | None = None
) -> list[DrawnBox]:
    """Return the lines of raw/boxes.csv, none where there is no such file.

    `file`: what is to become it. Raises DataError when it is no plain file, or when any of its
    lines is not clear by itself.
    """
    path = file or boxes_file(root)
    if not os.path.lexists(path):
        return []
    rows = read_spreadsheet(path, BOXES, (*_COLUMNS, *_PASSED_OVER), "source")
    found = [_read_line(line, row, classes, root) for line, row in rows]
    _refuse_same_centre(found)
    return found


def place_boxes(
    boxes: Sequence[DrawnBox], catalogue: Sequence[Row]
) -> tuple[dict[FileName, dict[int, list[Drawn]]], list[str]]:
    """Return the boxes by file and page, and what has to be told of boxes that are not used.

    Raises DataError for a source that no scan has, a page that it does not have, and a box that
    does not lie on its page.
    """
    names: dict[str, list[Row]] = defaultdict(list)
    for row in catalogue:
        names[compose_name(path_of(row))].append(row)
    placed: dict[FileName, dict[int, list[Drawn]]] = defaultdict(lambda: defaultdict(list))
    notes: dict[str, str] = {}
    for box in boxes:
        row = _find_row(box, names)
        if row["status"] != "ok":
            what = f"{name_of(row)} is not used ({row['reason'] or row['status']})"
            notes.setdefault(what, f"{BOXES}: line {box.line}: {what}, nor are the boxes on it")
            continue
        _refuse_outside(box, row)
        placed[row["source"], row["member"]][box.page].append(box.drawn)
    return {name: dict(pages) for name, pages in placed.items()}, list(notes.values())


def _read_line(line: int, row: Mapping[str, str], classes: Sequence[str], root: Path) -> DrawnBox:
    """Return the box of a line."""
    where = f"{BOXES}: line {line}"
    if not row["source"]:
        raise DataError(f"{where} names no source, as in raw/pages/1.jpg")
    label = compose_name(row["label"])
    if label == LEFT_OUT:
        raise DataError(f"{where}: what is to be left out has no box here: take the line out")
    if label and label not in classes:
        raise DataError(
            f"{where}: '{shorten(label)}' is not among the classes in params.yaml."
            f"{nearest(label, classes)} Correct it, or add the class"
        )
    x0, y0, x1, y1 = (_read_number(row[side], side, where) for side in _SIDES)
    if x0 >= x1 or y0 >= y1:
        raise DataError(
            f"{where}: the box {x0}, {y0}, {x1}, {y1} is empty: x0 has to be smaller than x1, and "
            "y0 than y1"
        )
    places = [
        _read_number(row[name], name, where) if row[name] else None for name in ("row", "col")
    ]
    drawn = Drawn((x0, y0, x1, y1), label, compose_name(row["group"]), *places)
    page = _read_number(row["page"] or "0", "page", where)
    return DrawnBox(tidy_path(row["source"], root), page, drawn, row["member"], line)


def _read_number(text: str, column: str, where: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LARGEST):
        said = f"{column} '{shorten(text)}' is no whole number" if text else f"{column} is missing"
        raise DataError(
            f"{where}: {said}; boxes stand in pixels of the upright scan, as in "
            "processed/boxes.csv, and pages, rows and columns count from 0"
        )
    return int(text)


def _refuse_same_centre(boxes: Sequence[DrawnBox]) -> None:
    """Raise DataError for two boxes of one page with the same centre, which would be one id."""
    first: dict[object, DrawnBox] = {}
    for box in boxes:
        x0, y0, x1, y1 = box.drawn.box
        name = box.path
        before = first.setdefault((name, box.page, (x0 + x1) // 2, (y0 + y1) // 2), box)
        if before is not box:
            raise DataError(
                f"{BOXES}: lines {before.line} and {box.line} are boxes with the same centre on "
                f"{name}; keep one"
            )


def _find_row(box: DrawnBox, names: Mapping[str, Sequence[Row]]) -> Row:
    """Return the scan that a box is drawn on."""
    where = f"{BOXES}: line {box.line}"
    name = box.path
    rows = names.get(name, ())
    if not rows:
        raise DataError(f"{where}: no scan is '{shorten(name)}'.{nearest(name, names)}")
    files = {path_of(row) for row in rows}
    if len(files) > 1:
        raise DataError(
            f"{where}: {len(files)} files are called '{name}'; they differ only in how a letter "
            "with an accent is encoded. Rename one of them"
        )
    if LAYOUTS[rows[0]["layout"]].is_array:
        raise DataError(f"{where}: {name} is an array; boxes are drawn on pages and pictures only")
    found = [row for row in rows if int(row["page"]) == box.page]
    if not found:
        raise DataError(
            f"{where}: {name} has no page {box.page}; they count from 0 to {len(rows) - 1:,}"
        )
    return found[0]


def _refuse_outside(box: DrawnBox, row: Row) -> None:
    """Raise DataError for a box that reaches beyond its scan."""
    _, _, right, lower = box.drawn.box
    width, height = int(row["width"]), int(row["height"])
    if right > width or lower > height:
        raise DataError(
            f"{BOXES}: line {box.line}: the box {', '.join(map(str, box.drawn.box))} reaches "
            f"beyond {name_of(row)}, which is {width} x {height} pixels"
        )
