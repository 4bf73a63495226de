"""The road's tables as CSV: text in, text out, UTF-8, `\\n`, written whole."""

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.atomic import whole_file
from pipeline.errors import DataError

COLUMNS = {
    "catalogue": (
        "source", "page", "member", "sha256", "layout", "label", "group", "split",
        "width", "height", "status", "reason",
    ),
    "boxes": (
        "id", "source", "page", "x0", "y0", "x1", "y1", "label", "group", "row", "col", "score",
    ),
    "quarantine": ("source", "page", "member", "reason"),
    "balanced": ("id", "label", "group"),
    "split": ("id", "split", "fold", "group"),
    "predictions": ("id", "fold", "seed", "label", "predicted"),  # then p0, p1, ...
    "history": ("step", "loss", "accuracy", "val_loss", "val_accuracy"),
}  # fmt: skip

Row = dict[str, str]


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows under the given columns; a missing value is an empty field."""
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """Read the rows of a table that has at least the given columns.

    Raises DataError when it is no such table, or when a row lacks one of these fields.
    """
    return list(scan_table(path, columns))


def scan_table(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield what `read_table` returns, a row at a time."""
    try:
        # utf-8-sig: a spreadsheet may have put a byte order mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            names = next(reader, [])
            _check_columns(path, names, columns)
            least = 1 + max((names.index(name) for name in columns), default=0)
            for cells in filter(None, reader):
                if not least <= len(cells) <= len(names):
                    raise DataError(f"{path}: line {reader.line_num} lacks fields or has too many")
                # A spreadsheet may leave out what is empty at a line's end.
                yield dict(itertools.zip_longest(names, cells, fillvalue=""))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV table in UTF-8: {error}") from error


def _check_columns(path: Path, found: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in found]
    if missing:
        hint = " Save it with commas instead of semicolons." if ";" in "".join(found) else ""
        raise DataError(
            f"{path} lacks the column{'s'[: len(missing) > 1]} {', '.join(missing)}.{hint}"
        )
