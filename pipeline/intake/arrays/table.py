"""MNIST as a table: a row a picture, a column a pixel, and one column of labels."""

import io
import math
import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.intake.arrays.content import ArrayPart, Values, quote
from pipeline.intake.arrays.words import find_said
from pipeline.intake.columns import NUMBERS, find_separator, simplify, split_line

_WINDOW = 2048  # rows that are parsed at once: their numbers take eight times a byte
_MOST_CLASSES = 1000


@dataclass(frozen=True)
class Rows:
    """A table from the first line on in which something stands, with or without its header."""

    start: str  # that line
    number: int  # of the line with which `body` begins, as an editor counts
    body: bytes

    @property
    def separator(self) -> str:
        """What parts the fields."""
        return find_separator(self.start)

    @property
    def fields(self) -> list[str]:
        """The fields of the first line."""
        return split_line(self.start, self.separator)

    def cut_header(self) -> "Rows":
        """Return the table without its first line, which names the columns."""
        below = self.body.partition(b"\n")[2]
        return Rows(self.start, self.number + 1, below)

    def split_lines(self) -> list[tuple[int, str]]:
        """Return the lines in which something stands, each with its number."""
        try:
            text = self.body.decode()
        except UnicodeDecodeError as error:
            line = self.number + self.body.count(b"\n", 0, error.start)
            raise DataError(f"line {line} is not in UTF-8: save it as CSV UTF-8") from error
        lines = enumerate(text.split("\n"), self.number)
        return [(number, line.strip("\r")) for number, line in lines if line.strip()]

    def find_line(self, row: int) -> int:
        """Return the line of a row: blank ones are none."""
        lines = enumerate(self.body.split(b"\n"), self.number)
        return [line for line, text in lines if text.strip(b" \r")][row]


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table are what; -1: none is."""

    pixels: list[int]
    label: int
    group: int
    count: int


def open_rows(data: bytes) -> Rows:
    """Return the rows of a table's bytes; DataError when it is empty."""
    if not data.strip(b"\xef\xbb\xbf\r\n \t"):
        raise DataError("it is empty: copy or download it again")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    data = data.removeprefix(b"\xef\xbb\xbf")
    blank = re.match(rb"(?:[ \r]*\n)*", data)
    assert blank is not None
    body = data[blank.end() :]
    start = body[: 2**20].split(b"\n", 1)[0].rstrip(b"\r").decode(errors="replace")
    return Rows(start, blank[0].count(b"\n") + 1, body)


def read_table(data: bytes) -> ArrayPart:
    """Return the pictures (N, P) of a CSV file and its labels; raises DataError with the line."""
    rows = open_rows(data)
    names = [field.lower() for field in rows.fields]
    if _is_header(names):
        rows = rows.cut_header()
        columns = _find_by_name(names, rows.number - 1)
    else:
        columns = _find_by_number(rows)
    windows: list[Values] = []
    texts: dict[int, list[str]] = {columns.label: [], columns.group: []}
    count = 0
    for frame in _read_windows(rows, columns.count, {columns.label, columns.group} - {-1}):
        for place in texts.keys() - {-1}:
            texts[place] += frame[place].tolist()
        pixels = frame[columns.pixels]
        _check_cells(pixels, rows, count, columns)
        windows.append(_shrink(pixels.to_numpy()))
        count += len(frame)
    if not count:
        raise DataError("it holds no picture, only the names of columns")
    labels, groups = (
        np.array(texts[place], str) if place >= 0 else None
        for place in (columns.label, columns.group)
    )
    return ArrayPart(
        np.concatenate(windows), labels, groups=groups,
        where=lambda number: f"line {rows.find_line(number)}",
    )  # fmt: skip


def _is_header(names: Sequence[str]) -> bool:
    """Return whether a first line holds the names of columns: words, or 0, 1, 2, ... of them."""
    if len(names) > 4 and all(map(str.isdigit, names)) and _counts(names):
        return True
    return not all(map(is_number, names)) and not _looks_like_text_label(names)


def is_number(cell: str) -> bool:
    """Return whether a cell is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _counts(cells: Sequence[str]) -> bool:
    """Return whether numbers are a count of columns: 0, 1, 2, ... or 1, 2, 3, ..."""
    numbers = list(map(float, cells)) if all(map(is_number, cells)) else []
    return numbers in ([*range(len(cells))], [*range(1, len(cells) + 1)])


def _looks_like_text_label(names: Sequence[str]) -> bool:
    """Return whether a first line holds numbers but for a label in words, as in a,0,0,12,..."""
    inner = names[1:-1]
    words = [name for name in (names[0], names[-1]) if not is_number(name)]
    return len(inner) > 2 and all(map(is_number, inner)) and len(words) == 1 and not _counts(inner)


def _find_by_name(names: Sequence[str], line: int) -> _Columns:
    """Return which columns are pixels and which the label, by their names."""
    label, group = find_said(names, "labels"), find_said(names, "groups")
    pixels = [
        place
        for place, name in enumerate(names)
        if simplify(name) not in NUMBERS and place not in (label, group)
    ]
    if label < 0 and not _is_picture(len(pixels)) and _is_picture(len(pixels) - 1):
        ends = [place for place in (pixels[0], pixels[-1]) if not re.search(r"\d", names[place])]
        label = (ends or pixels)[0]
        pixels.remove(label)
    said = f" and the label '{quote(names[label], 40)}'" if label >= 0 else ""
    _check_count(len(pixels), said, line)
    return _Columns(pixels, label, group, len(names))


def _find_by_number(rows: Rows) -> _Columns:
    """Return the columns of a table without names: the label is the first, or the last."""
    count = len(rows.fields)
    # A thousand rows are enough to see which column counts classes.
    sample = next(_read_windows(rows, count, {0, count - 1}))
    first, last = (_may_be_label(sample[place].tolist()) for place in (0, count - 1))
    if _is_picture(count):
        if first and count > 9 and len(set(sample[1][:100].tolist())) == 1:
            raise DataError(
                f"its lines have {count:,} values, of which the first looks like a label: the "
                f"other {count - 1:,} make no square picture. If all are pixels, add a first line "
                "with names: pixel0,pixel1,..."
            )
        return _Columns(list(range(count)), -1, -1, count)
    label = count - 1 if last and not first else 0
    pixels = [place for place in range(count) if place != label]
    _check_count(len(pixels), " and a label", rows.number)
    return _Columns(pixels, label, -1, count)


def _may_be_label(column: Sequence[str]) -> bool:
    """Return whether a column looks like labels: a few whole numbers, or words, none too often."""
    said = [text.strip() for text in column if text.strip()]
    values, counts = np.unique(said, return_counts=True)
    if not 1 < len(values) <= _MOST_CLASSES or counts.max() > 0.9 * len(column):
        return False
    if not all(map(is_number, values)):
        return True
    numbers = values.astype(float)
    return bool(np.all(numbers == np.floor(numbers)) and numbers.min() >= 0)


def _is_picture(count: int) -> bool:
    """Return whether so many values are a square picture, grey or in three colours."""
    return count > 3 and any(
        rest == 0 and math.isqrt(pixels) ** 2 == pixels
        for pixels, rest in ((count, 0), divmod(count, 3))
    )


def _check_count(count: int, said: str, line: int) -> None:
    if _is_picture(count):
        return
    if count <= 8:
        raise DataError(
            f"line {line}: it has {count:,} values{said}, too few for a picture: a set as a table "
            "has a number a pixel, 0 to 255, and a column named label. If it is about something "
            "else, take it out of the source"
        )
    near = round(math.sqrt(count))
    raise DataError(
        f"line {line}: it has {count:,} values{said}, which make no square picture ({near} x "
        f"{near} would be {near * near:,}). Write a table of as many values a line as a picture "
        "has pixels, and a column named label"
    )


def _read_windows(rows: Rows, count: int, texts: Collection[int]) -> Iterator[Any]:
    """Yield data frames of some rows each, columns by number, those in `texts` as written."""
    import pandas as pd

    try:
        reader = pd.read_csv(
            io.BytesIO(rows.body), sep=r"\s+" if rows.separator == " " else rows.separator,
            header=None, names=range(count), chunksize=_WINDOW, encoding="utf-8",
            index_col=False, low_memory=False, on_bad_lines="error", engine="c",
            dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=[""],
            skipinitialspace=True,
        )  # fmt: skip
        with reader:
            while len(frame := _read_window(reader)):
                frame[list(texts)] = frame[list(texts)].fillna("")
                yield frame
    except pd.errors.ParserWarning:
        raise DataError(
            f"it has lines with more than the {count} values of its first line, or a quote that is "
            "not closed. Mend or delete them"
        ) from None
    except pd.errors.EmptyDataError:
        raise DataError("it holds no picture, only the names of columns") from None
    except (pd.errors.ParserError, UnicodeDecodeError, OverflowError, ValueError) as error:
        found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        if found:
            line = rows.number + int(found[2]) - 1
            told = f"line {line}: it has {found[3]} values, the first line {found[1]}"
            raise DataError(f"{told}. Mend or delete that line") from error
        raise DataError(f"it is no table of numbers: {quote(str(error))}") from error


def _read_window(reader: Any) -> Any:
    """Return the next rows, none at the end; ParserWarning where some of their values are lost."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return next(reader, ())


def _check_cells(pixels: Any, rows: Rows, before: int, columns: _Columns) -> None:
    """Raise DataError for the first cell that is no number; `before` counts the rows above."""
    import pandas as pd

    kinds = [dtype.kind for dtype in pixels.dtypes]
    if all(kind in "iub" for kind in kinds):
        return
    numbers = pixels
    if any(kind not in "iubf" for kind in kinds):
        numbers = pixels.apply(pd.to_numeric, errors="coerce")
    bad = numbers.isna().to_numpy()
    if not bad.any():
        pixels[:] = numbers
        return
    row, place = np.argwhere(bad)[0]
    cell, line = pixels.iloc[row, place], rows.find_line(before + int(row))
    if isinstance(cell, float) and bad[row, place:].all() and place > 0:
        found = columns.pixels[place]
        raise DataError(
            f"line {line}: it has {found} values, the first line {columns.count}. Mend or delete "
            "that line"
        )
    shown = "nothing" if isinstance(cell, float) else f"'{quote(str(cell), 40)}'"
    raise DataError(
        f"line {line}: {shown} stands where a number should, in column "
        f"{columns.pixels[place] + 1}. A table of pictures has a number a pixel, 0 to 255"
    )


def _shrink(values: Values) -> Values:
    """Return the numbers of some rows as bytes where they fit."""
    if values.dtype == object:
        values = values.astype(np.float64)
    whole = values.dtype.kind in "iub" or bool(np.all(values == np.floor(values)))
    if whole and values.size and values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    return values.astype(np.float32)
