"""The tiles of a project, with what its tables say of them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipeline.dataset.reading import open_tiles
from pipeline.dataset.schema import name_labels
from pipeline.dataset.tables import COLUMNS, Row, read_table
from pipeline.project import Project
from pipeline.settings.params import Params

FILES = ("tiles.h5", "boxes.csv", "catalogue.csv")  # under processed/


@dataclass(frozen=True)
class Tiles:
    """The tiles of tiles.h5, in its order (N,), with what the tables say of them."""

    digest: str  # of tiles.h5
    names: list[str]  # the classes
    shape: tuple[int, int, int]
    ids: list[str]
    labels: npt.NDArray[np.int16]  # as in tiles.h5
    groups: list[str]
    boxes: list[Row | None]  # of boxes.csv, None where it has none
    scans: dict[str, Row]  # of catalogue.csv, by scan id

    @cached_property
    def words(self) -> list[str]:
        """The label of each (N,): '' unlabelled, LEFT_OUT left out."""
        words: list[str] = name_labels(self.labels, self.names).tolist()
        return words

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each id."""
        return {name: row for row, name in enumerate(self.ids)}


def read_tiles(project: Project, params: Params) -> Tiles:
    """Return the tiles of a project; raises DataError where there are none, or half of them."""
    from pipeline.intake.catalogue import scan_id_of
    from pipeline.intake.scans import read_catalogue  # its decoders take half a second

    path = project.input("tiles.h5")
    with open_tiles(project, params.classes) as tiles:
        ids, labels, groups = tiles.ids.tolist(), tiles.labels, tiles.groups.tolist()
        shape = tiles.tile_shape
    boxes = {row["id"]: row for row in read_table(project.input("boxes.csv"), COLUMNS["boxes"])}
    return Tiles(
        digest=project.digest(path)[:16],
        names=list(params.classes),
        shape=shape,
        ids=ids,
        labels=labels,
        groups=groups,
        boxes=[boxes.get(name) for name in ids],
        scans={scan_id_of(row): row for row in read_catalogue(project)},
    )
