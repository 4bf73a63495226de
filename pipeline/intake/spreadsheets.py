"""Tables that a person writes under raw/, as spreadsheets save them, read as a stranger's file.

Fields stand between commas, semicolons or tabs; text is UTF-8 or UTF-16, with or without a mark; a
line ends as on any system. Space around a field does not count, nor do capitals in the columns'
names, nor rows and columns in which nothing stands. All else that is not clear is a DataError with
its line, as an editor counts it: nothing is guessed.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.dataset.tables import Row
from pipeline.errors import DataError, nearest, pass_on_machine, shorten
from pipeline.intake.archives import ArchiveLimits
from pipeline.intake.columns import SEPARATORS
from pipeline.intake.files import PictureFile
from pipeline.intake.names import printable_name

if TYPE_CHECKING:
    from _csv import Reader

MOST_BYTES = 64_000_000  # a million lines
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_LINE_END = re.compile(r"\r\n|\r|\n")

_OWN_LINE = re.compile(r'"?sep=(.)"?[,;\t]*(\r\n|\r|\n)', re.IGNORECASE)  # Excel's

Numbered = tuple[int, Row]  # a row, and the line where it begins
IsHeader = Callable[[list[str]], bool]  # of the fields of a row


@dataclass(frozen=True)
class Writing:
    """How a table is written: its text, and what stands before its first row."""

    encoding: str
    head: str  # marks, and Excel's own line
    separator: str
    body: str

    def encode(self, body: str) -> bytes:
        """Return another text as this one is written."""
        return f"{self.head}{body}".encode(self.encoding)

    def split(self) -> list[str]:
        """Return the text of each row, as it stands there, with the end of its line."""
        lines = list(io.StringIO(self.body, newline=""))
        reader, rows, start = self.read(), list[str](), 0
        for _ in reader:
            rows.append("".join(lines[start : reader.line_num]))
            start = reader.line_num
        return rows

    def parse(self, row: str) -> list[str]:
        """Return the fields of a row, without space around them."""
        return [cell.strip() for cell in next(replace(self, body=row).read(), [])]

    def write(self, cells: Sequence[str]) -> str:
        """Return a row of these fields, without the end of its line."""
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.separator, lineterminator="").writerow(cells)
        return text.getvalue()

    def read(self) -> "Reader":
        """Return a reader of the rows."""
        lines = io.StringIO(self.body, newline="")
        return csv.reader(lines, delimiter=self.separator, skipinitialspace=True, strict=True)


def read_spreadsheet(
    path: Path, name: str, known: Sequence[str], needed: str, several_lines: Collection[str] = ()
) -> list[Numbered]:
    """Return the rows of a table in raw/, with every known column ('' where it has none).

    `needed` is the column without which there is no such table; `name` is what errors call it; a
    field may go on in the next line in the columns `several_lines`.
    Raises DataError when it is no plain file inside raw/, or not clear.
    """
    numbered = read_lines(
        read_file(path, name),
        name,
        lambda fields: needed in [field.casefold() for field in fields],
        known,
        lambda column: column.casefold() in several_lines,
    )
    columns = _find_columns(numbered[0][1], name, known, needed)
    rows = []
    for line, cells in numbered[1:]:
        row = dict.fromkeys(known, "")
        for place, cell in enumerate(cells):
            if cell and not (place < len(columns) and columns[place]):
                raise DataError(
                    f"{name}: line {line} has '{shorten(cell)}' in a column without a name"
                )
            if cell:
                row[columns[place]] = cell
        rows.append((line, row))
    return rows


def read_lines(
    data: bytes,
    name: str,
    is_header: IsHeader,
    known: Sequence[str],
    may_go_on: Callable[[str], bool],
) -> list[tuple[int, list[str]]]:
    """Return the rows in which something stands, names of columns first, and where each begins.

    is_header tells what parts the fields: that by which it holds for the first row. may_go_on:
    whether a column's fields may go on in the next line. Raises DataError, which calls the table
    `name`, when it is not clear.
    """
    writing = read_writing(data, name, is_header, known)
    return _drop_empty(_split_lines(writing, name, may_go_on))


def read_writing(data: bytes, name: str, is_header: IsHeader, known: Sequence[str]) -> Writing:
    """Return how a table is written; raises DataError for what is no text, or empty."""
    encoding, text = _decode(data, name, known)
    marks = len(text) - len(text.lstrip("\ufeff"))  # some programs put a second one there
    said = _OWN_LINE.match(text, marks)
    end = said.end() if said else marks
    separator = said[1] if said else _find_separator(text[marks:], is_header)
    return Writing(encoding, text[:end], separator, text[end:])


def has_header(data: bytes, is_header: IsHeader) -> bool:
    """Return whether the first line in which something stands names such columns."""
    mark, encoding = _find_encoding(data)
    lines = _LINE_END.split(data[len(mark) :].decode(encoding, "replace").lstrip("\ufeff"))
    for line in lines:
        if line.strip(f"{SEPARATORS} ") and not _OWN_LINE.match(f"{line}\n"):
            return any(is_header(_split_fields(line, one)) for one in SEPARATORS)
    return False


def read_file(path: Path, name: str) -> bytes:
    """Return the bytes of a file of the user's that lies in its folder itself.

    Raises DataError, which calls it `name`, for one that does not, and for what is no file.
    """
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            pass_on_machine(error, path)  # but for a circle
        raise DataError(f"{name} is a link that leads nowhere or in a circle") from error
    if not target.is_relative_to(path.parent.resolve()):
        raise DataError(f"{name} is a link that leads out of raw/: copy the file there")
    if target.is_dir():
        raise DataError(f"{name} is a folder; it has to be a file")
    try:
        return PictureFile(printable_name(target.name)).read(
            target.parent, limits=ArchiveLimits(file=MOST_BYTES)
        )
    except DataError as error:
        raise DataError(f"{name}: {error}") from error


def _decode(data: bytes, name: str, known: Sequence[str]) -> tuple[str, str]:
    """Return what a table is in, UTF-8 or UTF-16, and its text, with its marks."""
    encoding = _find_encoding(data)[1]
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        line = len(_LINE_END.findall(before)) + 1
        called = encoding[:6].rstrip("-").upper()
        raise DataError(f"{name}: line {line} is not in {called}: save it as CSV UTF-8") from error
    if not text.strip(f"\ufeff{SEPARATORS}\r\n "):
        raise DataError(
            f"{name} is empty: its first line has to name the columns, {','.join(known)}"
        )
    return encoding, text


def _find_encoding(data: bytes) -> tuple[bytes, str]:
    """Return the mark of a text and what it is in: of UTF-16 every other byte of a name is zero."""
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    if mark:
        return mark, _MARKS[mark]
    if data[1:2] == b"\0":
        return mark, "utf-16-le"
    return mark, "utf-16-be" if data[:1] == b"\0" else "utf-8"


def _split_lines(
    writing: Writing, name: str, may_go_on: Callable[[str], bool]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each row, without space around them, and the line where it begins."""
    reader = writing.read()
    before = len(_LINE_END.findall(writing.head))  # lines
    start = before + 1
    header: list[str] = []
    try:
        for cells in reader:
            if not "".join(cells).isprintable():
                free = [column for column, field in enumerate(header) if may_go_on(field)]
                _refuse_odd_text(name, start, cells, free)
            header = header or ([cell.strip() for cell in cells] if any(cells) else [])
            yield start, [cell.strip() for cell in cells]
            start = before + reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f'{name}: in line {start} a quote (") is opened and not closed where its field ends'
        ) from error


def _split_fields(line: str, separator: str) -> list[str]:
    return [field.strip(' "') for field in line.split(separator)]


def _find_separator(text: str, is_header: IsHeader) -> str:
    """Return what parts the columns' names in the first line that has any; else a comma."""
    first = next(line for line in _LINE_END.split(text) if line.strip(f"{SEPARATORS} "))
    for separator in SEPARATORS:
        if is_header(_split_fields(first, separator)):
            return separator
    return max(SEPARATORS, key=first.count)


def _refuse_odd_text(name: str, line: int, cells: Sequence[str], free: Collection[int]) -> None:
    """Raise DataError when a field holds what no name does; those in free may have more lines."""
    for column, cell in enumerate(cells):
        if "\0" in cell:
            raise DataError(f"{name}: line {line} holds a zero byte; write it again")
        if column not in free and ("\n" in cell or "\r" in cell):
            raise DataError(
                f"{name}: a field in line {line} goes on in the next line, '{shorten(cell)}': is a "
                'quote (") opened there and not closed?'
            )


def _drop_empty(rows: Iterator[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Return the rows in which something stands."""
    return [(line, cells) for line, cells in rows if any(cells)]


def _find_columns(found: Sequence[str], name: str, known: Sequence[str], needed: str) -> list[str]:
    """Return the known name of each column, '' for one without a name."""
    columns = [field.casefold() for field in found]
    twice = [field for field, count in Counter(filter(None, columns)).items() if count > 1]
    if twice:
        raise DataError(f"{name} has two columns with the name '{shorten(twice[0])}'")
    for field in filter(None, columns):
        if field not in known:
            if needed in re.split(f"[{SEPARATORS}]", field):
                raise DataError(f"{name}: each line stands in quotes as a whole; take these away")
            raise DataError(
                f"{name}: there is no column '{shorten(field)}'.{nearest(field, known)} Its first "
                f"line has to name the columns; known are {', '.join(known)}"
            )
    if needed not in columns:
        raise DataError(f"{name} lacks the column {needed}; known are {', '.join(known)}")
    return columns
