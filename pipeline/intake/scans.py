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
from pipeline.intake.arrays.content import Reading
from pipeline.intake.arrays.reading import read_pictures
from pipeline.intake.catalogue import path_of
from pipeline.intake.files import PictureFile
from pipeline.project import Project
from pipeline.subjects.layouts import LAYOUTS
from pipeline.tiles.cutting import ReducedPicture

Scan = npt.NDArray[np.uint8]
Picture = TypeVar("Picture")
_AS_IT_IS = Reading()


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


def read_scans(
    root: Path, rows: list[Row], reading: Reading = _AS_IT_IS
) -> Iterator[tuple[Row, Scan | DataError]]:
    """Yield each row of one file with its scan, uint8 (H, W) or (H, W, 3).

    `reading`: how a source of arrays wants them read. What can't be read any more comes as the
    DataError that says why.
    """
    if _is_array(rows):
        return _read_pages(root, rows, _read_array(rows, reading))
    return _read_pages(root, rows, partial(images.decode_pages, max_pixels=_count_pixels(rows)))


def read_photos(
    root: Path, rows: list[Row], at_least: int, reading: Reading = _AS_IT_IS
) -> Iterator[tuple[Row, ReducedPicture | DataError]]:
    """Yield what read_scans does, but a JPEG reduced as long as its short side keeps `at_least`."""
    if _is_array(rows):
        return (
            (row, found if isinstance(found, DataError) else ReducedPicture(found, factor=1))
            for row, found in read_scans(root, rows, reading)
        )
    reduce = partial(images.decode_reduced, at_least=at_least, max_pixels=_count_pixels(rows))
    return _read_pages(root, rows, reduce)


def _count_pixels(rows: list[Row]) -> int:
    """Return how many pixels a page of a file may have: as many as were accepted (limits)."""
    accepted = (int(row["width"]) * int(row["height"]) for row in rows)
    return max(images.MAX_PIXELS, *accepted)


def _is_array(rows: list[Row]) -> bool:
    """Return whether the rows of a file are pictures of an array."""
    return LAYOUTS[rows[0]["layout"]].is_array


def _read_array(rows: list[Row], reading: Reading) -> Callable[[bytes], Iterator[Scan | DataError]]:
    """Return what yields the pictures in the bytes of an array's file."""
    name = path_of(rows[0])
    return partial(read_pictures, name=name, reading=reading, max_pixels=_count_pixels(rows))


def _read_pages(
    root: Path, rows: list[Row], decode: Callable[[bytes], Iterable[Picture | DataError]]
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
