"""What a person put under raw/: the catalogued scans read back, and raw/labels.csv."""

import io
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.dataset.tables import COLUMNS, Row, parse_rows, read_table
from pipeline.errors import DataError, nearest, shorten
from pipeline.intake import images
from pipeline.intake.archives import Limits, PictureFile, printable_name
from pipeline.intake.idx import read_idx
from pipeline.project import Project

LABELS = "raw/labels.csv"
MOST_BYTES = 64_000_000  # of it: a million lines
OVERRIDES = ("source", "id", "label", "group")  # the columns of raw/labels.csv

Scan = npt.NDArray[np.uint8]
Picture = TypeVar("Picture")


def read_catalogue(project: Project) -> list[Row]:
    """Return the rows of catalogue.csv that are to be used."""
    rows = read_table(project.input("catalogue.csv"), COLUMNS["catalogue"])
    return [row for row in rows if row["status"] == "ok"]


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
    numbered = list(parse_rows(io.StringIO(read_labels(path), newline=""), ("source",), LABELS))
    for name in numbered[0][1] if numbered else ():
        if name not in OVERRIDES:
            known = ", ".join(OVERRIDES)
            raise DataError(
                f"{LABELS}: there is no column '{shorten(name)}'.{nearest(name, OVERRIDES)} "
                f"Known: {known}"
            )
    for line, row in numbered:
        refuse_odd_text(line, row)
    refuse_contradictions(numbered)
    return [row for _, row in numbered]


def read_labels(path: Path) -> str:
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
            target.parent, limits=Limits(file=MOST_BYTES)
        )
    except DataError as error:
        raise DataError(f"{LABELS}: {error}") from error
    return decode_labels(data)


def decode_labels(data: bytes) -> str:
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


def refuse_odd_text(line: int, row: Row) -> None:
    """Raise DataError when a field of a row holds what no name does."""
    for column, value in row.items():
        if "\0" in value:
            raise DataError(f"{LABELS}: line {line} holds a zero byte; write it again")
        if "\n" in value or "\r" in value:
            raise DataError(
                f"{LABELS}: the {column} in line {line} goes on in the next line, "
                f"'{shorten(value)}': is a quote (\") opened there and not closed?"
            )


def refuse_contradictions(numbered: Iterable[tuple[int, Row]]) -> None:
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


def group_by_file(rows: Iterable[Row]) -> list[list[Row]]:
    """Return the rows of each file, in their order."""
    by_file = itertools.groupby(rows, key=lambda row: (row["source"], row["member"]))
    return [list(pages) for _, pages in by_file]


def read_scans(root: Path, rows: list[Row]) -> Iterator[tuple[Row, Scan | DataError]]:
    """Yield each row of one file with its scan, uint8 (H, W) or (H, W, 3).

    What can't be read any more comes as the DataError that says why.
    """
    decode = partial(images.decode_pages, max_pixels=count_pixels(rows))
    return _read_pages(root, rows, read_idx if is_idx(rows) else decode)


def read_photos(
    root: Path, rows: list[Row], at_least: int
) -> Iterator[tuple[Row, images.ReducedPicture | DataError]]:
    """Yield what read_scans does, but a JPEG reduced as long as its short side keeps `at_least`."""
    reduce = partial(images.decode_reduced, at_least=at_least, max_pixels=count_pixels(rows))
    return _read_pages(root, rows, read_whole_idx if is_idx(rows) else reduce)


def count_pixels(rows: list[Row]) -> int:
    """Return how many pixels a page of a file may have: as many as were accepted (limits)."""
    accepted = (int(row["width"]) * int(row["height"]) for row in rows)
    return max(images.MAX_PIXELS, *accepted)


def is_idx(rows: list[Row]) -> bool:
    """Return whether the rows of a file are pictures of an idx file."""
    return rows[0]["layout"] == "idx"


def read_whole_idx(data: bytes) -> Iterator[images.ReducedPicture]:
    """Yield the pictures of an idx file, which are never reduced."""
    return (images.ReducedPicture(picture, factor=1) for picture in read_idx(data))


def _read_pages(
    root: Path, rows: list[Row], decode: Callable[[bytes], Iterable[Picture]]
) -> Iterator[tuple[Row, Picture | DataError]]:
    file = PictureFile(rows[0]["source"], rows[0]["member"])
    wanted = {int(row["page"]): row for row in rows}
    try:
        for page, picture in enumerate(decode(file.read(root))):
            if page in wanted:
                yield wanted.pop(page), picture
    except DataError as error:
        yield from ((row, error) for row in wanted.values())
