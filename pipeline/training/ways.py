"""How a picture to be predicted is read: as is wanted, as its source says, or by its look."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from pipeline.dataset.tables import Row
from pipeline.errors import DataError, nearest
from pipeline.intake.catalogue import name_of
from pipeline.settings.params import Params
from pipeline.settings.sections import Source
from pipeline.subjects.layouts import LAYOUTS, PREDICTED, LayoutName
from pipeline.subjects.search import Searched, Subject, search_scan, tell_layout
from pipeline.training.readers import Reader

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Way:
    """How to read a picture: its layout, and of a page of cells how many there are."""

    layout: LayoutName
    rows: int = 1
    columns: int = 1

    @classmethod
    def of(cls, source: Source) -> "Way":
        """Return the way in which a source of the project is read."""
        return cls(source.layout, source.rows or 1, source.columns or 1)


def choose_way(params: Params | None, wanted: str | None) -> Way | None:
    """Return how to read the wanted layout; None where none is wanted."""
    if wanted is None:
        return None
    if wanted not in PREDICTED:
        raise DataError(
            f"--layout: '{wanted}' is no layout that can be predicted.{nearest(wanted, PREDICTED)} "
            f"Known: {', '.join(PREDICTED)}"
        )
    sources = params.sources if params else ()
    source = next((source for source in sources if source.layout == wanted), None)
    if source is None and LAYOUTS[wanted].has_cells:
        raise DataError(
            "--layout cells: there is no params.yaml with a source of that layout, which would say "
            "how many rows and columns a page has"
        )
    return Way.of(source) if source else Way(cast(LayoutName, wanted))


class Ways:
    """How each picture is read: as is wanted, as its source says, or else by its look."""

    def __init__(
        self,
        params: Params | None,
        reader: Reader,
        wanted: Way | None,
        homes: Mapping[str, tuple[str, Source] | None],
    ) -> None:
        self._first = params.sources[0] if params else None
        self._is_photo = reader.tile.method == "photo"
        self._has_words = any(len(name) > 1 for name in reader.classes)
        self._wanted, self._homes = wanted, homes
        self.looks: dict[str, list[str]] = defaultdict(list)  # pictures told by it, by layout

    def choose(self, row: Row, scan: Pixels) -> Way:
        """Return how to read a picture.

        Photos are read as the project's first source: what looks like writing need not be any.
        """
        home = self._homes[row["source"]]
        if self._wanted:
            return self._wanted
        if home and home[1].layout in PREDICTED:
            return Way.of(home[1])
        if self._is_photo:
            first = self._first
            return Way.of(first) if first and first.layout in PREDICTED else Way("whole")
        way = self._look_at(scan)
        self.looks[way.layout].append(name_of(row))
        return way

    def _look_at(self, scan: Pixels) -> Way:
        """Return how to read a picture of writing: a form, one glyph, or a page of many.

        How pages are laid out, and whether a class may be of several glyphs, a project says.
        """
        looks = tell_layout(scan)
        first = self._first
        if first is None or looks == "form":
            return Way(looks)
        is_page = looks == "free" and first.layout in ("rows", "sequence")
        if is_page or LAYOUTS[first.layout].has_cells:
            return Way.of(first)
        return Way("whole" if first.layout == "whole" and self._has_words else looks)


def find_subjects(scan: Pixels, way: Way, reader: Reader) -> Searched:
    """Find the subjects of a scan without their labels; a photo is its one subject."""
    if LAYOUTS[way.layout].is_subject and reader.tile.method == "photo":
        if scan.min() == scan.max():
            return Searched(reason="it is blank, of one colour all over")
        return Searched((Subject((0, 0, scan.shape[1], scan.shape[0]), ""),))
    return search_scan(scan, way.layout, None, rows=way.rows, columns=way.columns)
