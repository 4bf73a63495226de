"""An experiment's inputs read back: its plan, the folds, and what each fold trains and tests on.

Tiles are uint8 (N, S, S, C); labels are int16 (N,), indices into the classes.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline import __version__, ops
from pipeline.errors import DataError
from pipeline.network import Batch
from pipeline.ops import Op
from pipeline.params import Params, Train, choose
from pipeline.project import Project
from pipeline.store import DatasetFile, open_dataset
from pipeline.tables import COLUMNS, read_table

Plan = dict[str, Any]

MANY_PASSES = 1_000_000  # more than any run has


@dataclass(frozen=True)
class Tiles:
    """Tiles with their labels and ids, in one order."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int16]
    ids: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: npt.NDArray[np.int64]) -> "Tiles":
        """Return some of the tiles."""
        return Tiles(self.images[rows], self.labels[rows], self.ids[rows])


@dataclass(frozen=True)
class Fold:
    """The parts of one fold. The test set is named only; `read_tiles` reads it."""

    number: int
    ids: dict[str, set[str]]  # of train, val and test


@dataclass(frozen=True)
class Fresh:
    """What makes the online variants among the tiles: each is drawn anew in every pass."""

    ops: tuple[Op, ...]
    op_of: npt.NDArray[np.int64]  # (N,) which of the ops makes a tile; -1: it is an original
    copies: npt.NDArray[np.int64]  # (N,) which of the op's copies it is


@dataclass(frozen=True)
class Pool:
    """What one fold of an experiment trains on: the originals, then the variants and repeats.

    Online variants stand there as their parents, image and id.
    """

    fold: int
    classes: list[str]
    tiles: Tiles
    originals: int
    validation: Tiles | None
    repeats: int = 0  # the last tiles: earlier ones once more, to balance the classes
    weights: npt.NDArray[np.float32] | None = None  # of each class in the loss
    fresh: Fresh | None = None

    @property
    def variants(self) -> int:
        """How many of the tiles are variants."""
        return len(self.tiles) - self.originals - self.repeats

    def take(self, rows: npt.NDArray[np.int64], passes: npt.NDArray[np.int64], seed: int) -> Batch:
        """Return images, labels and perhaps weights of some tiles, as in these passes of a run."""
        images, labels = self.tiles.images[rows], self.tiles.labels[rows]
        if self.fresh:
            images = draw_fresh(self.fresh, images, self.tiles.ids[rows], rows, passes, seed)
        return (images, labels) if self.weights is None else (images, labels, self.weights[labels])


def draw_fresh(
    fresh: Fresh,
    images: npt.NDArray[np.uint8],
    ids: npt.NDArray[np.object_],
    rows: npt.NDArray[np.int64],
    passes: npt.NDArray[np.int64],
    seed: int,
) -> npt.NDArray[np.uint8]:
    """Return the images with the parents among them replaced by variants.

    Pass 0 of seed 0 has the stored ones. From there the copies' numbers go on, so that no draw
    comes twice, in no pass of no seed, and a variant depends on nothing else.
    """
    drawn = images.copy()
    for number, op in enumerate(fresh.ops):
        copies = fresh.copies[rows] + (passes + seed * MANY_PASSES) * op.copies
        for copy in np.unique(copies[fresh.op_of[rows] == number]):
            chosen = np.flatnonzero((fresh.op_of[rows] == number) & (copies == copy))
            draws = ops.draw(op, op.seed, list(ids[chosen]), int(copy))
            drawn[chosen] = ops.apply(op, images[chosen], draws)
    return drawn


def choose_experiments(params: Params, wanted: str | None) -> list[str]:
    """Return the one experiment that is wanted, or all; an unknown name is a DataError."""
    names = {name: name for name in params.experiments}
    return choose(wanted, names, "experiment", "experiments")


@contextmanager
def open_tiles(project: Project, params: Params) -> Iterator[DatasetFile]:
    """Open tiles.h5; raises DataError when it was made for other classes than params.yaml's."""
    with open_dataset(project.input("tiles.h5")) as tiles:
        if tiles.classes != list(params.classes):
            raise DataError(
                f"processed/tiles.h5 was made for the classes {', '.join(tiles.classes)}, in this "
                "order. Bring all up to date with: dvc repro"
            )
        yield tiles


def describe_file(project: Project, path: Path) -> dict[str, str]:
    """Return the path and the SHA-256 of a file."""
    return {"file": project.relative(path), "sha256": digest_file(path)}


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_plan(project: Project, params: Params, name: str) -> Plan:
    """Return the plan of an experiment, as `prep plan` wrote it.

    Raises DataError when the plan, or a file that it names, is not what it was.
    """
    path = project.input("experiments", f"{name}.json")
    try:
        plan: Plan = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}). Make it again with: prep plan") from error
    if plan.get("classes") != list(params.classes):
        raise DataError(f"{path} was made for other classes. Make it again with: prep plan")
    for file in (plan["tiles"], plan["split"], *plan["variants"], *filter(None, [plan["model"]])):
        if not is_as_planned(project, file):
            raise DataError(
                f"{file['file']} has changed since {name} was planned. Plan again with: prep plan"
            )
    return plan


def is_as_planned(project: Project, file: Plan) -> bool:
    """Return whether a file that a plan names has the digest that it had then."""
    path = project.root / file["file"]
    return path.is_file() and digest_file(path) == file["sha256"]


def digest_inputs(plan: Plan, settings: Train, fold: int, seed: int) -> str:
    """Return a digest of everything that decides how a run ends, other than the machine."""
    budget = settings.model_dump(exclude={"seeds"})
    return hashlib.sha256(
        json.dumps([__version__, plan, budget, fold, seed], sort_keys=True).encode()
    ).hexdigest()


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


def read_pool(project: Project, params: Params, plan: Plan, fold: Fold) -> Pool:
    """Return what a fold trains on; a variant belongs to it when its parent does."""
    originals = read_tiles(project, plan, fold.ids["train"])
    with open_dataset(project.root / plan["tiles"]["file"]) as tiles:
        classes = tiles.classes
    fresh = None
    if plan["variants_are"] == "online":
        variants, fresh = _prepare_online(project, params, plan, originals)
    else:
        variants = list(_read_variants(project.root, plan, fold))
    pool = Pool(
        fold=fold.number,
        classes=classes,
        tiles=_join([originals, *variants]),
        originals=len(originals),
        validation=read_tiles(project, plan, fold.ids["val"]) if fold.ids["val"] else None,
        fresh=fresh,
    )
    return balance_pool(pool, plan["balance"])


def balance_pool(pool: Pool, method: str) -> Pool:
    """Return the pool with classes weighted, or tiles of rare ones repeated: all count alike.

    A class's weight is N / (K x its tiles): over the pool the weights have a mean of 1.
    """
    labels = pool.tiles.labels
    counts = np.bincount(labels, minlength=len(pool.classes))
    if method == "weights":
        present = np.count_nonzero(counts)
        weights = len(labels) / (present * np.maximum(counts, 1))
        return replace(pool, weights=weights.astype(np.float32))
    if method == "oversample":
        missing = [
            # np.resize goes over a class's tiles as often as it takes, in one shuffled order.
            np.resize(np.random.default_rng([pool.fold, label]).permutation(rows), lacking)
            for label, lacking in enumerate(counts.max() - counts)
            if len(rows := np.flatnonzero(labels == label))
        ]
        return _repeat(pool, np.concatenate(missing).astype(np.int64))
    return pool


def _repeat(pool: Pool, rows: npt.NDArray[np.int64]) -> Pool:
    every = np.concatenate([np.arange(len(pool.tiles)), rows])
    fresh = pool.fresh and replace(
        pool.fresh, op_of=pool.fresh.op_of[every], copies=pool.fresh.copies[every]
    )
    return replace(pool, tiles=pool.tiles.take(every), repeats=len(rows), fresh=fresh)


def _prepare_online(
    project: Project, params: Params, plan: Plan, originals: Tiles
) -> tuple[list[Tiles], Fresh]:
    """Return the parents of the stored variants, in their order, and what to draw of each."""
    row_of = {tile_id: row for row, tile_id in enumerate(originals.ids)}
    names = list(dict.fromkeys(file["op"] for file in plan["variants"]))
    parts, op_of, copies = [], [np.full(len(originals), -1)], [np.zeros(len(originals), np.int64)]
    for file in plan["variants"]:
        op = params.augment[file["op"]]
        with open_dataset(project.root / file["file"]) as variants:
            if variants.made_by["parameters"] != json.loads(json.dumps(op.describe())):
                raise DataError(
                    f"augment.{op.name} has changed since {file['file']} was made. Make it again "
                    f"with: prep augment --only {op.name}"
                )
            parents = [name for name in variants.parents if name in row_of]
        parts.append(originals.take(np.array([row_of[name] for name in parents], np.int64)))
        op_of.append(np.full(len(parents), names.index(op.name)))
        copies.append(_count_up(parents))
    recipes = tuple(params.augment[name] for name in names)
    return parts, Fresh(recipes, np.concatenate(op_of), np.concatenate(copies))


def _count_up(names: list[str]) -> npt.NDArray[np.int64]:
    """Return how often each name came before: (N,)."""
    seen: Counter[str] = Counter()
    counts = []
    for name in names:
        counts.append(seen[name])
        seen[name] += 1
    return np.array(counts, np.int64)


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
