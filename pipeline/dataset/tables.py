"""The road's tables as CSV: text in, text out, UTF-8, `\\n`, written whole."""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from pipeline.atomic import whole_file
from pipeline.errors import DataError, find_nearest, shorten

LEFT_OUT = "-"  # in the place of a label: this picture, page or box is none

COLUMNS = {
    "catalogue": (
        "source", "page", "member", "sha256", "layout", "label", "group", "split",
        "width", "height", "status", "reason",
    ),
    "boxes": (
        "id", "source", "page", "x0", "y0", "x1", "y1", "label", "group", "row", "col", "score",
        "found",
    ),
    "left_out": (
        "id", "source", "member", "page", "x0", "y0", "x1", "y1", "label", "row", "col", "reason",
    ),
    "quarantine": ("source", "page", "member", "reason"),
    "balanced": ("id", "label", "group"),
    "split": ("id", "split", "fold", "group"),
    "predictions": ("id", "fold", "seed", "label", "predicted"),  # then p0, p1, ...
    "history": ("step", "loss", "accuracy", "val_loss", "val_accuracy"),
}  # fmt: skip

# Columns that tables of an older prep lack; they read as empty.
OPTIONAL = {"found"}

# Columns of whole numbers; of those in `_OR_NOTHING` a field may be empty.
_NUMBERS = {"page", "x0", "y0", "x1", "y1", "fold"}
_OR_NOTHING = {"width", "height"}

_BLOCK = 1 << 14  # rows that are read at once

Row = dict[str, str]

SEPARATORS = {";": "semicolons", "\t": "tabs"}  # that spreadsheets write where commas belong


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows under the given columns; a missing value is an empty field."""
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """Read the rows of a table that has at least the given columns.

    Raises DataError when it is no such table, or when a row lacks one of these fields, or has a
    word where a number belongs.
    """
    return list(scan_table(path, columns))


def tell_found(box: Row, classes: Sequence[str]) -> str:
    """Return the class that a row of boxes.csv was found with, '' for none."""
    found = box["found"] or box["label"]
    return found if found in classes else ""  # a folder may have had a name that is no class


def read_numbers(path: Path, columns: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
    """Return columns (N,) of a table that hold numbers; raises DataError as read_table does."""
    rows = read_table(path, columns)
    try:
        return {name: np.array([float(row[name]) for row in rows]) for name in columns}
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}") from error


def scan_table(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield what `read_table` returns, a row at a time."""
    checked = [name for name in columns if name in _NUMBERS | _OR_NOTHING | {"score"}]
    needed = [name for name in columns if name not in OPTIONAL]
    absent = dict.fromkeys(OPTIONAL.intersection(columns), "")
    with _open_table(path) as file:
        for line, row in parse_rows(file, needed, str(path)):
            _check_numbers(path, line, row, checked)
            yield absent | row


def scan_columns(path: Path, columns: Sequence[str]) -> Iterator[dict[str, tuple[str, ...]]]:
    """Yield what `read_table` returns as columns, some thousand rows at a time: much faster."""
    with _open_table(path) as file:
        parsed = _parse_cells(file, columns, str(path))
        while block := list(itertools.islice(parsed, _BLOCK)):
            names = block[0][1]
            fields = list(zip(*(cells for _, _, cells in block), strict=True))
            found = {name: fields[names.index(name)] for name in columns}
            for name in _NUMBERS.intersection(columns):
                if not all(map(_is_number, set(found[name]))):
                    for (line, _, _), text in zip(block, found[name], strict=True):
                        _check_numbers(path, line, {name: text}, [name])
            yield found


@contextmanager
def _open_table(path: Path) -> Iterator[TextIO]:
    try:
        # utf-8-sig: a spreadsheet may have put a byte order mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no CSV table in UTF-8: {error}") from error


def _check_numbers(path: Path, line: int, row: Row, columns: Sequence[str]) -> None:
    for column in columns:
        text = row[column]
        if column in _NUMBERS or (column in _OR_NOTHING and text):
            good = _is_number(text)
        elif column == "score":
            good = re.fullmatch(r"[01]\.\d+", text) is not None
        else:
            continue
        if not good:
            raise DataError(f"{path}: line {line}: {column} '{shorten(text)}' is no number")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def parse_rows(
    lines: Iterable[str], columns: Sequence[str], name: str
) -> Iterator[tuple[int, Row]]:
    """Yield each row of a table that has at least the given columns, and its first line's number.

    Raises DataError as `read_table` does, calling the table by the given name.
    """
    for line, names, cells in _parse_cells(lines, columns, name):
        yield line, dict(zip(names, cells, strict=True))


def _parse_cells(
    lines: Iterable[str], columns: Sequence[str], name: str
) -> Iterator[tuple[int, list[str], list[str]]]:
    """Yield of each row its first line's number, the columns' names and their fields."""
    reader = csv.reader(lines, strict=True)
    start = 1
    try:
        names = next(reader, [])
        _check_columns(name, names, columns)
        least = 1 + max((names.index(column) for column in columns), default=0)
        start = reader.line_num + 1
        for cells in reader:
            if cells and not least <= len(cells) <= len(names):
                raise DataError(f"{name}: line {start} lacks fields or has too many")
            if cells:
                # A spreadsheet may leave out what is empty at a line's end.
                cells += [""] * (len(names) - len(cells))
                yield start, names, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f'{name} is no CSV table: in line {start} a quote (") is opened and not closed where '
            "its field ends"
        ) from error


def _check_columns(name: str, found: Sequence[str], columns: Sequence[str]) -> None:
    twice = [column for column, count in Counter(filter(None, found)).items() if count > 1]
    if twice:
        raise DataError(f"{name} has two columns with the name '{shorten(twice[0])}'")
    missing = [column for column in columns if column not in found]
    if missing:
        raise DataError(
            f"{name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}."
            f"{_advise(missing[0], found)}"
        )


def _advise(missing: str, found: Sequence[str]) -> str:
    """Return what to do about a missing column, '' where nothing suggests itself."""
    for mark, separator in SEPARATORS.items():
        if mark in "".join(found):
            return f" Save it with commas instead of {separator}."
    close = find_nearest(missing, found)
    return f" Rename '{shorten(close)}' to '{missing}'." if close else ""
