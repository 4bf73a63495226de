"""MNIST as a table: a row a picture, a column a pixel, and one column of labels."""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.intake.arrays.content import Part, Values, quote
from pipeline.intake.names import compose_name

_LABELS = {"label", "labels", "class", "classes", "target", "y", "digit", "character", "letter"}
_NUMBERS = {"", "id", "index", "imageid", "image_id", "unnamed: 0"}  # columns that count the rows
_WINDOW = 2048  # rows that are parsed at once: their numbers take eight times a byte
_MOST_CLASSES = 1000


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table are what; `label` -1: none is."""

    pixels: list[int]
    label: int
    has_header: bool
    separator: str
    count: int


def read_table(data: bytes) -> Part:
    """Return the pictures (N, P) of a CSV file and its labels; raises DataError with the line."""
    first = _first_line(data)
    columns = _find_columns(data, first)
    skipped = data[: data.find(first)].count(b"\n") + columns.has_header
    windows: list[Values] = []
    labels: list[Any] = []
    row = 0
    for frame in _read_windows(data, columns):
        if columns.label >= 0:
            labels.extend(frame[columns.label].to_numpy(object))
        pixels = frame[columns.pixels]
        _check_cells(pixels, row + skipped + 1, columns)
        windows.append(_shrink(pixels.to_numpy()))
        row += len(frame)
    if not row:
        raise DataError("it holds no picture, only the names of columns")
    said = np.array(labels, object) if columns.label >= 0 else None
    return Part(np.concatenate(windows), _to_labels(said), first_line=skipped + 1)


def read_column(data: bytes) -> Values:
    """Return the last column of a table of labels; raises DataError when it is empty."""
    first = _first_line(data)
    separator = _find_separator(first.decode(errors="replace"))
    cells = first.decode(errors="replace").split(separator)
    head = cells[-1].strip().strip('"').lower()
    has_header = head in _LABELS or (len(cells) > 1 and not _is_number(cells[0]))
    columns = _Columns([], len(cells) - 1, has_header, separator, len(cells))
    frames = [frame[len(cells) - 1] for frame in _read_windows(data, columns)]
    found = _to_labels(np.concatenate([frame.to_numpy(object) for frame in frames]))
    assert found is not None
    return found


def read_names(data: bytes) -> dict[int, tuple[str, ...]]:
    """Return the names of labels: of a list, a name a line and the first of label 0, or a mapping.

    A mapping has the label first in each line, then its name, or as EMNIST's the codes of its
    characters.
    """
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    written = {number: line.strip() for number, line in enumerate(lines, 1) if line.strip()}
    words = {number: re.split(r"[\s,;]+", line, maxsplit=1) for number, line in written.items()}
    numbered = [_is_digits(found[0]) and len(found) == 2 for found in words.values()]
    if not numbered or not numbered[0]:
        return {label: (compose_name(line),) for label, line in enumerate(written.values())}
    if not all(numbered):
        number = list(written)[numbered.index(False)]
        raise DataError(
            f"line {number}: '{quote(written[number], 40)}' is no label with its name or with the "
            "code of its character, as in: 10 65"
        )
    return {int(label): _read_codes(number, name) for number, (label, name) in words.items()}


def _read_codes(number: int, text: str) -> tuple[str, ...]:
    """Return the characters of a line's codes, or its text if these are no codes."""
    codes = re.split(r"[\s,;]+", text)
    if not all(map(_is_digits, codes)):
        return (compose_name(text),)
    if any(len(code) > 7 or int(code) > 0x10FFFF for code in codes):
        raise DataError(f"line {number}: {max(codes, key=len)} is the code of no character")
    return tuple(dict.fromkeys(compose_name(chr(int(code))) for code in codes))


def _is_digits(word: str) -> bool:
    return word.isascii() and word.isdigit()


def _first_line(data: bytes) -> bytes:
    """Return the first line that is not empty."""
    start = len(data) - len(data.lstrip(b"\r\n"))
    line = data[start : start + 2**20].split(b"\n", 1)[0]
    if not data.strip():
        raise DataError("it is empty: copy or download it again")
    return line.rstrip(b"\r")


def _find_separator(line: str) -> str:
    counts = {mark: line.count(mark) for mark in ",;\t"}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else r"\s+" if " " in line.strip() else ","


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _find_columns(data: bytes, first: bytes) -> _Columns:
    """Return which columns are pixels and which the label, by their names or their number."""
    text = first.decode("utf-8-sig", errors="replace")
    separator = _find_separator(text)
    cells = re.split(r"\s+", text.strip()) if separator == r"\s+" else text.split(separator)
    names = [cell.strip().strip('"').strip().lower() for cell in cells]
    counted = [str(number) for number in range(len(names))]
    has_header = not all(map(_is_number, names)) or (len(names) > 4 and names == counted)
    if has_header and _looks_like_text_label(names):
        has_header = False
    if not has_header:
        return _find_by_number(data, separator, len(names))
    used = [place for place, name in enumerate(names) if name not in _NUMBERS]
    label = next((place for place in used if names[place] in _LABELS), -1)
    pixels = [place for place in used if place != label]
    if label < 0 and not _is_picture(len(pixels)) and _is_picture(len(pixels) - 1):
        ends = [place for place in (pixels[0], pixels[-1]) if not re.search(r"\d", names[place])]
        label = (ends or pixels)[0]
        pixels.remove(label)
    _check_count(len(pixels), label, names)
    return _Columns(pixels, label, True, separator, len(names))


def _looks_like_text_label(names: Sequence[str]) -> bool:
    """Return whether a first line holds numbers but for a label in words, as in a,0,0,12,..."""
    ends = [names[0], names[-1]]
    inner = names[1:-1]
    words = [name for name in ends if not _is_number(name)]
    return len(inner) > 2 and all(map(_is_number, inner)) and len(words) == 1 and _varies(inner)


def _varies(inner: Sequence[str]) -> bool:
    """Return whether numbers are no count of columns: 1, 2, 3, ..."""
    return len(set(inner)) < len(inner)


def _find_by_number(data: bytes, separator: str, count: int) -> _Columns:
    """Return the columns of a table without names: the label is the first, or the last."""
    whole = _Columns(list(range(count)), -1, False, separator, count)
    # A thousand rows are enough to see which column counts classes.
    sample = next(iter(_read_windows(data, whole)))
    first, last = (_may_be_label(sample[place].to_numpy()) for place in (0, count - 1))
    if _is_picture(count):
        second = sample[1].to_numpy() if count > 1 else np.zeros(1)
        if first and count > 9 and len(set(second[:100].tolist())) == 1:
            raise DataError(
                f"its lines have {count:,} values, of which the first looks like a label: the "
                f"other {count - 1:,} make no square picture. If all are pixels, add a first line "
                "with names: pixel0,pixel1,..."
            )
        return whole
    label = count - 1 if last and not first else 0
    pixels = [place for place in range(count) if place != label]
    _check_count(len(pixels), label, [])
    return _Columns(pixels, label, False, separator, count)


def _may_be_label(column: Values) -> bool:
    """Return whether a column looks like labels: a few whole numbers, or words, none too often."""
    values, counts = np.unique(column.astype(str), return_counts=True)
    if not 1 < len(values) <= _MOST_CLASSES or counts.max() > 0.9 * len(column):
        return False
    if column.dtype.kind in "OU":
        return True
    numbers = column.astype(float)
    return bool(np.all(numbers == np.floor(numbers)) and numbers.min() >= 0)


def _is_picture(count: int) -> bool:
    """Return whether so many values are a square picture, grey or in three colours."""
    return count > 3 and any(
        rest == 0 and math.isqrt(pixels) ** 2 == pixels
        for pixels, rest in ((count, 0), divmod(count, 3))
    )


def _check_count(count: int, label: int, names: Sequence[str]) -> None:
    if _is_picture(count):
        return
    said = f" and the label '{names[label]}'" if names and label >= 0 else ""
    said = said or (" and a label" if label >= 0 else "")
    if count <= 8:
        raise DataError(
            f"line 1: it has {count:,} values{said}, too few for a picture: a set as a table has a "
            "number a pixel, 0 to 255, and a column named label"
        )
    near = round(math.sqrt(count))
    raise DataError(
        f"line 1: it has {count:,} values{said}, which make no square picture ({near} x {near} "
        f"would be {near * near:,}). Write a table of as many values a line as a picture has "
        "pixels, and a column named label"
    )


def _read_windows(data: bytes, columns: _Columns) -> Any:
    """Yield data frames of some rows each, their columns by number."""
    import pandas as pd

    try:
        reader = pd.read_csv(
            io.BytesIO(data), sep=columns.separator, header=None, names=range(columns.count),
            skiprows=int(columns.has_header), chunksize=_WINDOW, encoding="utf-8-sig",
            index_col=False, low_memory=False, on_bad_lines="error",
            engine="c", keep_default_na=True, skipinitialspace=True,
        )  # fmt: skip
        with reader:
            yield from reader
    except pd.errors.EmptyDataError:
        raise DataError("it holds no picture, only the names of columns") from None
    except (pd.errors.ParserError, UnicodeDecodeError, OverflowError, ValueError) as error:
        found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        if found:
            told = f"line {found[2]}: it has {found[3]} values, the first line {found[1]}"
            raise DataError(f"{told}. Mend or delete that line") from error
        raise DataError(f"it is no table of numbers: {quote(str(error))}") from error


def _check_cells(pixels: Any, line: int, columns: _Columns) -> None:
    """Raise DataError for the first cell that is no number; `line` is that of the first row."""
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
    cell = pixels.iloc[row, place]
    if isinstance(cell, float) and bad[row, place:].all() and place > 0:
        found = columns.pixels[place]
        raise DataError(
            f"line {line + row}: it has {found} values, the first line {columns.count}. Mend or "
            "delete that line"
        )
    shown = "nothing" if isinstance(cell, float) else f"'{quote(str(cell), 40)}'"
    raise DataError(
        f"line {line + row}: {shown} stands where a number should, in column "
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


def _to_labels(found: Values | None) -> Values | None:
    """Return labels as numbers where all are, else as text."""
    if found is None:
        return None
    if all(isinstance(value, int | np.integer) for value in found):
        return found.astype(np.int64)
    if all(isinstance(value, int | float | np.number) for value in found):
        return found.astype(np.float64)
    return np.array([str(value).strip() for value in found])
