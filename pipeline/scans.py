"""What a person put under raw/: the catalogued scans read back, and raw/labels.csv."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline import images
from pipeline.archives import PictureFile
from pipeline.errors import DataError, nearest
from pipeline.idx import read_idx
from pipeline.project import Project
from pipeline.tables import COLUMNS, Row, read_table

OVERRIDES = ("source", "id", "label", "group")  # the columns of raw/labels.csv

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
    if not path.exists():
        return []
    rows = read_table(path, ("source",))
    for name in rows[0] if rows else ():
        if name not in OVERRIDES:
            known = ", ".join(OVERRIDES)
            raise DataError(
                f"raw/labels.csv: there is no column '{name}'.{nearest(str(name), OVERRIDES)} "
                f"Known: {known}"
            )
    return rows


def group_by_file(rows: Iterable[Row]) -> list[list[Row]]:
    """Return the rows of each file, in their order."""
    by_file = itertools.groupby(rows, key=lambda row: (row["source"], row["member"]))
    return [list(pages) for _, pages in by_file]


def read_scans(root: Path, rows: list[Row]) -> Iterator[tuple[Row, Scan | DataError]]:
    """Yield each row of one file with its scan, uint8 (H, W) or (H, W, 3).

    What can't be read any more comes as the DataError that says why.
    """
    file = PictureFile(rows[0]["source"], rows[0]["member"])
    wanted = {int(row["page"]): row for row in rows}
    try:
        data = file.read(root)
        pictures: Iterable[Scan] = (
            read_idx(data) if rows[0]["layout"] == "idx" else images.decode_pages(data)
        )
        for page, picture in enumerate(pictures):
            if page in wanted:
                yield wanted.pop(page), picture
    except DataError as error:
        yield from ((row, error) for row in wanted.values())
