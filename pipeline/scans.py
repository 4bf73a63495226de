"""What a person put under raw/: the catalogued scans read back, and raw/labels.csv."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline import images
from pipeline.archives import PictureFile
from pipeline.errors import DataError
from pipeline.idx import read_idx
from pipeline.project import Project
from pipeline.tables import COLUMNS, Row, read_table

Scan = npt.NDArray[np.uint8]


def read_catalogue(project: Project) -> list[Row]:
    """Return the rows of catalogue.csv that are to be used."""
    rows = read_table(project.input("catalogue.csv"), COLUMNS["catalogue"])
    return [row for row in rows if row["status"] == "ok"]


def labels_file(root: Path) -> Path:
    """raw/labels.csv."""
    return root / "raw" / "labels.csv"


def read_overrides(root: Path) -> list[Row]:
    """Return the rows of raw/labels.csv, none when there is no such file."""
    path = labels_file(root)
    return read_table(path, ("source",)) if path.exists() else []


def read_scans(root: Path, rows: Iterable[Row]) -> Iterator[tuple[Row, Scan | DataError]]:
    """Yield each row with its scan, uint8 (H, W) or (H, W, 3), each file read once.

    What can't be read any more comes as the DataError that says why.
    """
    for (source, member), pages in itertools.groupby(
        rows, key=lambda row: (row["source"], row["member"])
    ):
        yield from _read_pages(root, PictureFile(source, member), list(pages))


def _read_pages(
    root: Path, file: PictureFile, rows: list[Row]
) -> Iterator[tuple[Row, Scan | DataError]]:
    try:
        data = file.read(root)
        if rows[0]["layout"] == "idx":
            pictures: Iterable[Scan] = read_idx(data)
        else:
            pictures = images.decode_pages(data)
        wanted = {int(row["page"]): row for row in rows}
        for page, picture in enumerate(pictures):
            if page in wanted:
                yield wanted.pop(page), picture
    except DataError as error:
        yield from ((row, error) for row in wanted.values())
