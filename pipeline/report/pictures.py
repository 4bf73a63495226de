"""Test pictures in the report: what each looks like, where it comes from, what leaves it out."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.dataset.store import DatasetFile
from pipeline.dataset.tables import Row
from pipeline.intake.catalogue import name_of, path_of, scan_id_of
from pipeline.intake.names import LEFT_OUT
from pipeline.report.figures import Figure, embed, scale_of
from pipeline.subjects.boxes import scan_of

# Files that every browser shows, upright and in their colours.
_SHOWN_BY_BROWSERS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}


class Drawn(Protocol):
    """Pictures that can be drawn by their place, each with its origin, if it has any."""

    def draw(self, pictures: Sequence[int]) -> list[Figure]:
        """Return the pictures as figures."""
        ...

    def file(self, picture: int) -> str:
        """Return the file that a picture is all of, where a browser can show it; else ''."""
        ...


class Pictures:
    """The test tiles by their place among the labels, read from tiles.h5 when asked for.

    `catalogue`: its rows that are used, which say what file each tile came from.
    """

    def __init__(self, tiles: DatasetFile, ids: list[str], catalogue: list[Row]) -> None:
        self._tiles = tiles
        self._ids = ids
        self._scans = {scan_id_of(row): row for row in catalogue}
        places = {tile_id: number for number, tile_id in enumerate(tiles.ids)}
        self._rows = np.array([places[tile_id] for tile_id in ids], int)

    def read(self, pictures: Sequence[int]) -> npt.NDArray[np.uint8]:
        """Return the tiles, uint8 (N, S, S, C)."""
        return self._tiles.read(self._rows[list(pictures)]).images

    def draw(self, pictures: Sequence[int]) -> list[Figure]:
        """Return the tiles as figures, each with its origin."""
        return [
            embed(
                tile,
                "",
                scale=scale_of(tile.shape[0]),
                origin=self.name(picture),
                line=self.line(picture),
            )
            for picture, tile in zip(pictures, self.read(pictures), strict=True)
        ]

    def name(self, picture: int) -> str:
        """Return the file that a tile came from, and unless it is all of it, the box's id."""
        tile_id = self._ids[picture]
        scan = scan_of(tile_id)
        if scan not in self._scans:
            return tile_id
        file = name_of(self._scans[scan])
        return file if tile_id == scan else f"{file}, id {tile_id}"

    def line(self, picture: int) -> str:
        """Return the line of raw/labels.csv (source, id, label) that leaves a tile out."""
        tile_id = self._ids[picture]
        scan = self._scans.get(scan_of(tile_id))
        return _write_line((path_of(scan), tile_id, LEFT_OUT)) if scan else ""

    def file(self, picture: int) -> str:
        """Return the file of which a tile is all, where a browser can show it; else ''."""
        tile_id = self._ids[picture]
        scan = self._scans.get(scan_of(tile_id))
        if scan is None or tile_id != scan_of(tile_id) or name_of(scan) != scan["source"]:
            return ""
        suffix = PurePosixPath(scan["source"]).suffix.lower()
        return scan["source"] if suffix in _SHOWN_BY_BROWSERS else ""


def _write_line(cells: Iterable[str]) -> str:
    """Return a line of a CSV file, without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
