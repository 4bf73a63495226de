"""The catalogued scans read back: rows of catalogue.csv, and the pictures that they name."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.dataset.tables import COLUMNS, Row, read_table
from pipeline.errors import DataError, pass_on_machine
from pipeline.intake import images
from pipeline.intake.files import PictureFile
from pipeline.intake.idx import read_idx
from pipeline.project import Project
from pipeline.subjects.layouts import LAYOUTS
from pipeline.tiles.cutting import ReducedPicture

Scan = npt.NDArray[np.uint8]
Picture = TypeVar("Picture")


def read_catalogue(project: Project) -> list[Row]:
    """Return the rows of catalogue.csv that are to be used; DataError where one can't be."""
    path = project.input("catalogue.csv")
    rows = [row for row in read_table(path, COLUMNS["catalogue"]) if row["status"] == "ok"]
    for row in rows:
        if row["layout"] not in LAYOUTS or not (row["width"] and row["height"] and row["sha256"]):
            raise DataError(
                f"{path} is damaged: {row['source']} lacks its size or digest, or has the layout "
                f"'{row['layout']}'. Make it again with: prep ingest"
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
    decode = partial(images.decode_pages, max_pixels=_count_pixels(rows))
    return _read_pages(root, rows, read_idx if _is_idx(rows) else decode)


def read_photos(
    root: Path, rows: list[Row], at_least: int
) -> Iterator[tuple[Row, ReducedPicture | DataError]]:
    """Yield what read_scans does, but a JPEG reduced as long as its short side keeps `at_least`."""
    reduce = partial(images.decode_reduced, at_least=at_least, max_pixels=_count_pixels(rows))
    return _read_pages(root, rows, _read_whole_idx if _is_idx(rows) else reduce)


def _count_pixels(rows: list[Row]) -> int:
    """Return how many pixels a page of a file may have: as many as were accepted (limits)."""
    accepted = (int(row["width"]) * int(row["height"]) for row in rows)
    return max(images.MAX_PIXELS, *accepted)


def _is_idx(rows: list[Row]) -> bool:
    """Return whether the rows of a file are pictures of an idx file."""
    return LAYOUTS[rows[0]["layout"]].is_array


def _read_whole_idx(data: bytes) -> Iterator[ReducedPicture]:
    """Yield the pictures of an idx file, which are never reduced."""
    return (ReducedPicture(picture, factor=1) for picture in read_idx(data))


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
    except (OSError, MemoryError) as error:
        pass_on_machine(error, root / file.source)
        raise
