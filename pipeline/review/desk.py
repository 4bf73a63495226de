"""What lies on the desk: the project, and its tiles as they are now."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipeline.dataset.reading import open_tiles
from pipeline.dataset.tables import COLUMNS, Row, read_table
from pipeline.intake.catalogue import scan_id_of
from pipeline.intake.scans import read_catalogue
from pipeline.project import Project
from pipeline.review.watching import Watched
from pipeline.settings.params import Params


@dataclass(frozen=True)
class Tiles:
    """The tiles of tiles.h5, in its order (N,), with what the tables say of them."""

    digest: str  # of tiles.h5
    names: list[str]  # the classes
    shape: tuple[int, int, int]
    ids: list[str]
    labels: npt.NDArray[np.int16]  # as in tiles.h5
    boxes: list[Row | None]  # of boxes.csv, None where it has none
    scans: dict[str, Row]  # of catalogue.csv, by scan id

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each id."""
        return {name: row for row, name in enumerate(self.ids)}


class Desk:
    """A project that is looked at; its files may change meanwhile."""

    def __init__(self, project: Project, params: Params) -> None:
        """Lay a project on the desk."""
        self.project, self.params = project, params
        names = ("tiles.h5", "boxes.csv", "catalogue.csv")
        self._tiles = Watched([project.output(name) for name in names], self._read_tiles)
        # By which the page hears that something changed: what tells a few characters for its state
        self.versions: dict[str, Callable[[], str]] = {"tiles": lambda: self._tiles.version}

    def tiles(self) -> Tiles:
        """Return the tiles as they are now.

        Raises DataError where there are none, or half of them.
        """
        return self._tiles.read()[1]

    def _read_tiles(self) -> Tiles:
        project = self.project
        path = project.input("tiles.h5")
        with open_tiles(project, self.params.classes) as tiles:
            ids, labels, shape = tiles.ids.tolist(), tiles.labels, tiles.tile_shape
        boxes = {row["id"]: row for row in read_table(project.input("boxes.csv"), COLUMNS["boxes"])}
        return Tiles(
            digest=project.digest(path)[:16],
            names=list(self.params.classes),
            shape=shape,
            ids=ids,
            labels=labels,
            boxes=[boxes.get(name) for name in ids],
            scans={scan_id_of(row): row for row in read_catalogue(project)},
        )
