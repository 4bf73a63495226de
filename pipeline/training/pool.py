"""An experiment's inputs read back: its plan, the folds, and what each fold trains and tests on.

Tiles are uint8 (N, S, S, C), in memory or on the disk (dataset.streams); labels are int16 (N,),
indices into the classes.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest

import numpy as np
import numpy.typing as npt

from pipeline.dataset.content import digest_pictures, digest_set
from pipeline.dataset.documents import Plan
from pipeline.dataset.reading import Fold
from pipeline.dataset.store import open_dataset
from pipeline.dataset.streams import FileRows, ImageSource, count_bytes, open_images
from pipeline.errors import DataError
from pipeline.network.backend import Batch
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.training.fresh import Fresh, draw_fresh
from pipeline.training.plans import PLAN_AGAIN, is_online

WINDOW = 512  # tiles that are read at once


@dataclass(frozen=True)
class Tiles:
    """Tiles with their labels and the ids of the originals that they are or were made from."""

    images: ImageSource
    labels: npt.NDArray[np.int16]
    ids: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Pool:
    """What one fold of an experiment trains on: the originals, then the variants and repeats.

    These are its items. Each shows a tile; an online variant shows its parent.
    """

    fold: int
    classes: list[str]
    tiles: Tiles
    originals: int
    validation: Tiles | None
    repeats: int = 0  # the last items: earlier ones once more, to balance the classes
    weights: npt.NDArray[np.float32] | None = None  # of each class in the loss
    fresh: Fresh | None = None
    shown: npt.NDArray[np.int64] | None = None  # (N,) the tile of each item; None: each one once

    def __len__(self) -> int:
        return len(self.tiles) if self.shown is None else len(self.shown)

    @property
    def variants(self) -> int:
        """How many of the items are variants."""
        return len(self) - self.originals - self.repeats

    @property
    def labels(self) -> npt.NDArray[np.int16]:
        """(N,) the label of each item."""
        return self.tiles.labels if self.shown is None else self.tiles.labels[self.shown]

    def take(self, rows: npt.NDArray[np.int64], passes: npt.NDArray[np.int64], seed: int) -> Batch:
        """Return images, labels and perhaps weights of some items, as in these passes of a run."""
        shown = rows if self.shown is None else self.shown[rows]
        images, labels = self.tiles.images[shown], self.tiles.labels[shown]
        if self.fresh:
            images = draw_fresh(self.fresh, images, self.tiles.ids[shown], rows, passes, seed)
        return (images, labels) if self.weights is None else (images, labels, self.weights[labels])


@contextmanager
def open_set(project: Project, ids: set[str], memory_mb: float) -> Iterator[Tiles]:
    """Yield the tiles with the given ids, in the order of tiles.h5, from the disk if they are many.

    They are many when they take more than `memory_mb`.
    """
    [found] = _find_tiles(project, [ids])
    fits = count_bytes([found.part]) <= memory_mb * 10**6
    with open_images([found.part], in_memory=fits, scratch=project.output()) as images:
        yield Tiles(images, found.labels, found.ids)


@contextmanager
def open_pool(
    project: Project, params: Params, plan: Plan, fold: Fold, memory_mb: float
) -> Iterator[Pool]:
    """Yield what a fold trains on; a variant belongs to it when its parent does.

    If training and validation set together take more than `memory_mb`, both stay on the disk.
    Raises DataError when they are not what was planned.
    """
    sets = [fold.ids["train"], fold.ids["val"]]
    own, held = _find_tiles(project, sets, as_found="labels" in plan)
    variants = _find_variants(project, plan, own.ids)
    if is_online(plan):
        parts, fresh = [own.part], _prepare_online(params, plan, variants, len(own.ids))
    else:
        parts, fresh = [own.part, *(one.part for one in variants)], None
    shown = np.concatenate([np.arange(len(own.ids)), *(one.parents for one in variants)])
    fits = count_bytes([*parts, held.part]) <= memory_mb * 10**6
    with (
        open_images(parts, in_memory=fits, scratch=project.output()) as images,
        open_images([held.part], in_memory=fits, scratch=project.output()) as held_images,
    ):
        labels, ids = (own.labels, own.ids) if fresh else (own.labels[shown], own.ids[shown])
        trained, validation = Tiles(images, labels, ids), Tiles(held_images, held.labels, held.ids)
        _refuse_others(plan, fold, trained, [len(part.rows) for part in parts], validation)
        pool = Pool(
            fold=fold.number,
            classes=plan["classes"],
            tiles=trained,
            originals=len(own.ids),
            validation=validation if len(validation) else None,
            fresh=fresh,
            shown=shown if fresh else None,
        )
        yield _balance_pool(pool, plan["balance"])


@dataclass(frozen=True)
class _Found:
    """Some of the tiles: where they are in tiles.h5, their labels and their ids."""

    part: FileRows
    labels: npt.NDArray[np.int16]
    ids: npt.NDArray[np.object_]


def _find_tiles(
    project: Project, sets: Sequence[set[str]], *, as_found: bool = False
) -> list[_Found]:
    """Return where the tiles of each set of ids are, with their labels; as_found: as they were."""
    path = project.input("tiles.h5")
    with open_dataset(path) as tiles:
        labels = tiles.first_labels if as_found else tiles.labels
        every = list(map(sys.intern, tiles.scan("ids")))  # as the folds have
        found = []
        for ids in sets:
            rows = np.flatnonzero(np.fromiter((name in ids for name in every), bool, len(every)))
            names = np.array([every[row] for row in rows], object)
            found.append(_Found(FileRows(path, rows, tiles.tile_shape), labels[rows], names))
        return found


@dataclass(frozen=True)
class _Variants:
    """Those variants of one file whose parents are trained on."""

    part: FileRows
    parents: npt.NDArray[np.int64]  # (N,) which of the originals each was made from
    parameters: object  # of the op, as they were when the file was made


def _find_variants(project: Project, plan: Plan, ids: npt.NDArray[np.object_]) -> list[_Variants]:
    """Return the variants of the originals with the given ids, a file at a time."""
    row_of = {name: row for row, name in enumerate(ids)}
    found = []
    for file in plan["variants"]:
        path = project.require(project.root / file["file"])
        with open_dataset(path) as variants:
            names = variants.scan("parents")
            parents = np.fromiter((row_of.get(name, -1) for name in names), np.int64)
            rows = np.flatnonzero(parents >= 0)
            part = FileRows(path, rows, variants.tile_shape)
            found.append(_Variants(part, parents[rows], variants.made_by["parameters"]))
    return found


def _refuse_others(
    plan: Plan, fold: Fold, trained: Tiles, sizes: Sequence[int], validation: Tiles
) -> None:
    """Raise DataError when tiles or variants are not those that the plan was drawn for.

    Of what was planned is proved that nothing leaks: what has the same digests needs no proof.
    """
    content = next((one for one in plan["folds"] if one["fold"] == fold.number), None)
    files = ["processed/tiles.h5 or split.csv", *(file["file"] for file in plan["variants"])]
    ends = np.cumsum([0, *sizes]).tolist()
    found = [_digest(trained, start, end) for start, end in pairwise(ends)]
    wanted = [content["train"], *content["variants"]] if content else []
    if content is None or _digest(validation, 0, len(validation)) != content["val"]:
        wanted[:1] = [""]
    for file, digest, planned in zip_longest(files, found, wanted):
        if digest != planned:
            name = plan["experiment"]
            raise DataError(f"{file} has changed since {name} was planned. {PLAN_AGAIN}")


def _digest(tiles: Tiles, start: int, end: int) -> str:
    """Return the digest of some of the tiles, which are read for it."""
    windows = (tiles.images[row : min(row + WINDOW, end)] for row in range(start, end, WINDOW))
    pictures = digest_pictures(windows)
    return digest_set(pictures, tiles.labels[start:end], tiles.ids[start:end])


def _balance_pool(pool: Pool, method: str) -> Pool:
    """Return the pool with classes weighted, or tiles of rare ones repeated: all count alike.

    A class's weight is N / (K x its tiles): over the pool the weights have a mean of 1.
    """
    labels = pool.labels
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
    every = np.concatenate([np.arange(len(pool)), rows])
    fresh = pool.fresh and replace(
        pool.fresh, op_of=pool.fresh.op_of[every], copies=pool.fresh.copies[every]
    )
    shown = every if pool.shown is None else pool.shown[every]
    return replace(pool, shown=shown, repeats=len(rows), fresh=fresh)


def _prepare_online(params: Params, plan: Plan, variants: list[_Variants], originals: int) -> Fresh:
    """Return what to draw for each item; DataError where an op is no longer what was planned."""
    names = list(dict.fromkeys(file["op"] for file in plan["variants"]))
    op_of, copies = [np.full(originals, -1)], [np.zeros(originals, np.int64)]
    for file, found in zip(plan["variants"], variants, strict=True):
        op = params.augment[file["op"]]
        if found.parameters != json.loads(json.dumps(op.describe())):
            raise DataError(
                f"augment.{op.name} has changed since {file['file']} was made. Make it again "
                f"with: prep augment --only {op.name}"
            )
        op_of.append(np.full(len(found.parents), names.index(op.name)))
        copies.append(_count_up(found.parents))
    recipes = tuple(params.augment[name] for name in names)
    return Fresh(recipes, np.concatenate(op_of), np.concatenate(copies))


def _count_up(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return how often each number came before: (N,)."""
    seen: Counter[int] = Counter()
    counts = []
    for number in numbers.tolist():
        counts.append(seen[number])
        seen[number] += 1
    return np.array(counts, np.int64)
