"""raw/labels.csv: what a person says about pictures and boxes, read as a stranger's file.

Columns: source, and any of id, label, group. Each line that is not clear is a DataError with its
number: nothing is guessed.
"""

import io
import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.dataset.tables import Row, parse_rows
from pipeline.errors import DataError, nearest, shorten
from pipeline.intake.archives import ArchiveLimits
from pipeline.intake.files import PictureFile
from pipeline.intake.names import printable_name

LABELS = "raw/labels.csv"
MOST_BYTES = 64_000_000  # of it: a million lines
OVERRIDES = ("source", "id", "label", "group")  # the columns of raw/labels.csv


def labels_file(root: Path) -> Path:
    """raw/labels.csv."""
    return root / "raw" / "labels.csv"


def read_overrides(root: Path) -> list[Row]:
    """Return the rows of raw/labels.csv, none when there is no such file.

    Raises DataError when it is no plain file, or when any of its lines is not clear.
    """
    path = labels_file(root)
    if not os.path.lexists(path):  # a link that leads nowhere is there
        return []
    numbered = list(parse_rows(io.StringIO(_read_labels(path), newline=""), ("source",), LABELS))
    for name in numbered[0][1] if numbered else ():
        if name not in OVERRIDES:
            known = ", ".join(OVERRIDES)
            raise DataError(
                f"{LABELS}: there is no column '{shorten(name)}'.{nearest(name, OVERRIDES)} "
                f"Known: {known}"
            )
    for line, row in numbered:
        _refuse_odd_text(line, row)
    _refuse_contradictions(numbered)
    return [row for _, row in numbered]


def _read_labels(path: Path) -> str:
    """Return the text of raw/labels.csv, a file of the user's that lies in raw/ itself."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{LABELS} is a link that leads nowhere or in a circle") from error
    if not target.is_relative_to(path.parent.resolve()):
        raise DataError(f"{LABELS} is a link that leads out of raw/: copy the file there")
    if target.is_dir():
        raise DataError(f"{LABELS} is a folder; it has to be a file")
    try:
        data = PictureFile(printable_name(target.name)).read(
            target.parent, limits=ArchiveLimits(file=MOST_BYTES)
        )
    except DataError as error:
        raise DataError(f"{LABELS}: {error}") from error
    return _decode_labels(data)


def _decode_labels(data: bytes) -> str:
    """Return the text that raw/labels.csv holds in UTF-8."""
    if not data.strip(b"\xef\xbb\xbf\r\n\t "):
        raise DataError(
            f"{LABELS} is empty: its first line has to name the columns, {','.join(OVERRIDES)}"
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:2]:
        raise DataError(f"{LABELS} is in UTF-16: save it as CSV UTF-8")
    try:
        return data.decode("utf-8-sig")  # a spreadsheet may have put a byte order mark there
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{LABELS}: line {line} is not in UTF-8: save it as CSV UTF-8") from error


def _refuse_odd_text(line: int, row: Row) -> None:
    """Raise DataError when a field of a row holds what no name does."""
    for column, value in row.items():
        if "\0" in value:
            raise DataError(f"{LABELS}: line {line} holds a zero byte; write it again")
        if "\n" in value or "\r" in value:
            raise DataError(
                f"{LABELS}: the {column} in line {line} goes on in the next line, "
                f"'{shorten(value)}': is a quote (\") opened there and not closed?"
            )


def _refuse_contradictions(numbered: Iterable[tuple[int, Row]]) -> None:
    """Raise DataError when two rows say different things about the same source or box."""
    said: dict[tuple[str, str, str], tuple[int, str]] = {}
    for line, row in numbered:
        what, name = ("box", row["id"]) if row.get("id") else ("source", row["source"])
        for column in ("label", "group"):
            value = row.get(column, "")
            if what == "source" and not value:  # it leaves what another row says
                continue
            first, before = said.setdefault((what, name, column), (line, value))
            if value != before:
                raise DataError(
                    f"{LABELS}: lines {first} and {line} give the {what} '{shorten(name)}' "
                    f"different {column}s, '{shorten(before)}' and '{shorten(value)}'; keep one"
                )
