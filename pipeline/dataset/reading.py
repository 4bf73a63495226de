"""The dataset as the road made it, read back: the tiles, who trains on which, and their variants.

split.csv is parsed here and nowhere else on the road (`prep check files` judges its lines one by
one). Its first fold has the number 0.
"""

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from pipeline.dataset.schema import LEFT_OUT_LABEL, Rows
from pipeline.dataset.store import DatasetFile, open_dataset
from pipeline.dataset.tables import COLUMNS, scan_columns
from pipeline.errors import DataError
from pipeline.project import Project

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")
FIRST_FOLD = 0


class Member(NamedTuple):
    """A row of split.csv: which part of a fold a tile belongs to."""

    id: str
    part: Part
    fold: int
    group: str


class Block(NamedTuple):
    """Some rows of split.csv, as columns."""

    ids: Sequence[str]
    parts: Sequence[Part]
    folds: Sequence[int]
    groups: Sequence[str]


@dataclass(frozen=True)
class Fold:
    """The parts of one fold, named only."""

    number: int
    ids: dict[Part, set[str]]


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
        strange = np.flatnonzero((labels < LEFT_OUT_LABEL) | (labels >= len(tiles.classes)))
        if len(strange):
            raise DataError(
                f"processed/tiles.h5: the label of row {strange[0]} is {labels[strange[0]]}, of "
                f"which there is no class. Delete the file and run: dvc repro"
            )
        yield tiles


def scan_split(path: Path) -> Iterator[Member]:
    """Yield the rows of a split.csv; raises DataError for one that is none."""
    for block in scan_blocks(path):
        # One text for all folds and all columns: there may be millions of rows.
        ids, groups = map(sys.intern, block.ids), map(sys.intern, block.groups)
        yield from map(Member._make, zip(ids, block.parts, block.folds, groups, strict=True))


def scan_blocks(path: Path) -> Iterator[Block]:
    """Yield what `scan_split` yields as columns, some thousand rows at a time."""
    part_of = {name: name for name in PARTS}
    for rows in scan_columns(path, COLUMNS["split"]):
        ids, names, folds, groups = (rows[name] for name in COLUMNS["split"])
        if strange := set(names).difference(part_of):
            row = next(row for row, name in enumerate(names) if name in strange)
            raise DataError(
                f"{path}: '{ids[row]}' is in part '{names[row]}' of fold '{folds[row]}', which "
                f"is none of {', '.join(PARTS)} of a number. Make it again in its project with: "
                "prep split"
            )
        yield Block(ids, [part_of[name] for name in names], list(map(int, folds)), groups)  # type: ignore[index]  # they are PARTS


def read_folds(path: Path) -> list[Fold]:
    """Return the folds of a split.csv, by number."""
    folds: dict[int, Fold] = {}
    for row in scan_split(path):
        fold = folds.setdefault(row.fold, Fold(row.fold, {part: set() for part in PARTS}))
        fold.ids[row.part].add(row.id)
    return [folds[number] for number in sorted(folds)]


def read_part(path: Path, part: Part, fold: int | None = None) -> dict[str, str]:
    """Return the ids of one part of a fold, or of any (None), each with its group."""
    return {
        row.id: row.group
        for row in scan_split(path)
        if row.part == part and fold in (None, row.fold)
    }


def read_groups(path: Path) -> dict[str, str]:
    """Return the group of each tile of a split.csv, by id."""
    return {row.id: row.group for row in scan_split(path)}


def read_first_variants(path: Path, parents: Collection[str]) -> Rows:
    """Return the first variant of each of the given originals that a file has, in its order."""
    with open_dataset(path) as variants:
        names, first = np.unique(variants.parents.astype(str), return_index=True)
        rows = [row for name, row in zip(names, first, strict=True) if name in parents]
        return variants.read(np.sort(np.array(rows, int)))
