"""TODO pipeline/dataset/reading.py."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from pipeline.dataset.store import DatasetFile, open_dataset
from pipeline.errors import DataError
from pipeline.project import Project


@contextmanager
def open_tiles(project: Project, classes: Sequence[str]) -> Iterator[DatasetFile]:
    """Open tiles.h5; raises DataError when its classes, or a label, are not the given ones."""
    with open_dataset(project.input("tiles.h5")) as tiles:
        if tiles.classes != list(classes):
            raise DataError(
                f"processed/tiles.h5 was made for the classes {', '.join(tiles.classes)}, in this "
                "order. Bring all up to date with: dvc repro"
            )
        labels = tiles.labels
        strange = np.flatnonzero((labels < -1) | (labels >= len(tiles.classes)))
        if len(strange):
            raise DataError(
                f"processed/tiles.h5: the label of row {strange[0]} is {labels[strange[0]]}, of "
                f"which there is no class. Delete the file and run: dvc repro"
            )
        yield tiles
