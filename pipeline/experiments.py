"""An experiment's inputs read back: its plan, the folds, and what each fold trains and tests on.

Tiles are uint8 (N, S, S, C); labels are int16 (N,), indices into the classes.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError
from pipeline.params import Params, choose
from pipeline.project import Project
from pipeline.store import DatasetFile, open_dataset
from pipeline.tables import COLUMNS, read_table

Plan = dict[str, Any]


@dataclass(frozen=True)
class Tiles:
    """Tiles with their labels and ids, in one order."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int16]
    ids: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Fold:
    """The parts of one fold. The test set is named only; `read_tiles` reads it."""

    number: int
    ids: dict[str, set[str]]  # of train, val and test


@dataclass(frozen=True)
class Pool:
    """What one fold of an experiment trains on: the originals first, then the variants."""

    fold: int
    classes: list[str]
    tiles: Tiles
    originals: int
    validation: Tiles | None

    @property
    def variants(self) -> int:
        """How many of the tiles are variants."""
        return len(self.tiles) - self.originals


def choose_experiments(params: Params, wanted: str | None) -> list[str]:
    """Return the one experiment that is wanted, or all; an unknown name is a DataError."""
    names = {name: name for name in params.experiments}
    return choose(wanted, names, "experiment", "experiments")


def load_plan(project: Project, name: str) -> Plan:
    """Return the plan of an experiment, as `prep plan` wrote it."""
    path = project.input("experiments", f"{name}.json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}). Make it again with: prep plan") from error


def read_folds(project: Project, plan: Plan) -> list[Fold]:
    """Return the folds of the split that the plan names."""
    rows = read_table(project.root / plan["split"]["file"], COLUMNS["split"])
    folds: dict[int, Fold] = {}
    for row in rows:
        number = int(row["fold"])
        fold = folds.setdefault(number, Fold(number, {"train": set(), "val": set(), "test": set()}))
        fold.ids[row["split"]].add(row["id"])
    return [folds[number] for number in sorted(folds)]


def read_tiles(project: Project, plan: Plan, ids: set[str]) -> Tiles:
    """Return the tiles with the given ids, in the order of tiles.h5."""
    with open_dataset(project.root / plan["tiles"]["file"]) as tiles:
        return _take(tiles, tiles.ids, ids)


def read_pool(project: Project, plan: Plan, fold: Fold) -> Pool:
    """Return what a fold trains on; a variant belongs to it when its parent does."""
    originals = read_tiles(project, plan, fold.ids["train"])
    variants = list(_read_variants(project.root, plan, fold))
    with open_dataset(project.root / plan["tiles"]["file"]) as tiles:
        classes = tiles.classes
    return Pool(
        fold=fold.number,
        classes=classes,
        tiles=_join([originals, *variants]),
        originals=len(originals),
        validation=read_tiles(project, plan, fold.ids["val"]) if fold.ids["val"] else None,
    )


def _join(parts: list[Tiles]) -> Tiles:
    return Tiles(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
    )


def _read_variants(root: Path, plan: Plan, fold: Fold) -> Iterator[Tiles]:
    for file in plan["variants"]:
        with open_dataset(root / file["file"]) as variants:
            yield _take(variants, variants.parents, fold.ids["train"])


def _take(dataset: DatasetFile, names: npt.NDArray[np.object_], wanted: set[str]) -> Tiles:
    rows = dataset.read(np.flatnonzero([name in wanted for name in names]))
    return Tiles(rows.images, rows.labels, rows.ids)
