"""Which tiles stay and which part of each fold each is in, as params.yaml says: balance and split.

Values in, values out: the same labels and ids give the same parts, whether a stage asks or somebody
who wants to know what a correction would change.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.dataset.splits import Split, split_folds, split_shares, undersample
from pipeline.dataset.tables import Row
from pipeline.errors import DataError
from pipeline.settings.params import Params

GIVEN = {"test": "test", "val": "validation"}  # sets that sources may give, and their names

DRIFT = 0.05  # of a class, by corrections, until tiles are chosen anew

Column = npt.NDArray[np.object_]


def choose_balanced(
    params: Params, labels: Column, found: Column, ids: Column
) -> npt.NDArray[np.bool_]:
    """Return which of the tiles (N,) stay, by their labels now and as they were found.

    Both are '' where there is none, labels '-' where a tile was left out. The choice is that of the
    tiles as they were found, so that no correction brings another tile in or puts one out, for as
    long as no class has a twentieth less or more for it than a new choice would give it.
    """
    known = np.isin(labels, params.classes)
    if params.balance.method == "none":
        return known
    stays = _undersample(params, found, ids) & known
    anew = _undersample(params, labels, ids)
    for name in params.classes:
        count, wanted = (int((mask & (labels == name)).sum()) for mask in (stays, anew))
        if abs(count - wanted) > DRIFT * wanted:
            return anew
    return stays


def _undersample(params: Params, labels: Column, ids: Column) -> npt.NDArray[np.bool_]:
    """Return which tiles (N,) stay by these labels; those without one do not."""
    to = None if params.balance.to == "smallest" else params.balance.to
    stays = np.isin(labels, params.classes)
    stays[stays] = undersample(labels[stays], ids[stays], to, params.balance.seed)
    return stays


def find_given(params: Params, scans: Sequence[Row]) -> tuple[Column, list[Row]]:
    """Return the part (N,) that each tile's scan came with, '' for none; and whose does not count.

    In cross-validation what only names, folders or tables say does not count: every tile is tested.
    """
    given = np.array([scan["split"] for scan in scans], object)
    if params.split.folds == 1:
        return given, []
    by_hand = {scan["source"]: params.source_of(scan["source"]).split for scan in scans}
    guessed = [scan for scan in scans if scan["split"] and by_hand[scan["source"]] is None]
    kept = [scan["split"] if by_hand[scan["source"]] else "" for scan in scans]
    return np.array(kept, object), guessed


def name_parts(params: Params, given: Column) -> list[str]:
    """Return the parts that each class has to be in."""
    validates = params.split.val or (given == "val").any()
    return ["train", "val", "test"] if validates else ["train", "test"]


def count_parts(params: Params, given: Column) -> int:
    """Return in how many groups each class has to be."""
    return max(len(name_parts(params, given)), params.split.folds)


def divide_tiles(
    params: Params, labels: Column, groups: Column, merged: Column, given: Column
) -> Split:
    """Return the parts of each fold; a given split is kept."""
    settings = params.split
    if settings.folds == 1:
        return split_shares(
            labels,
            groups,
            test=_find_share(settings.test, len(labels)),
            val=settings.val,
            seed=settings.seed,
            merged=merged,
            given_test=given == "test",
            given_val=given == "val",
            given_train=given == "train",
        )
    for part, name in GIVEN.items():
        if (given == part).any():
            raise DataError(
                f"params.yaml: split.folds: a source says split: {part}, so the {name} set is "
                "given; cross-validation needs to choose it. Set folds: 1, or split: none in that "
                "source, which lets all of it be divided."
            )
    return split_folds(
        labels,
        groups,
        folds=settings.folds,
        val=settings.val,
        seed=settings.seed,
        merged=merged,
    )


def _find_share(test: float, tiles: int) -> float:
    """Return the share of the tiles that is tested, which may be given as their number."""
    if test < 1:
        return test
    if test >= tiles:
        raise DataError(
            f"params.yaml: split.test: {test:,} of {tiles:,} tiles leave nothing to train on; give "
            "fewer, or a share, as in 0.2"
        )
    return test / tiles
