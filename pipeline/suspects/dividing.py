"""Which tiles are judged together: in folds that tear no group.

Whoever mislabelled a page did so on all of it, so a tile's own page must not teach its judge. Rows
are tiles; ids, writers ('' where none is known) and labels are (N,).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.dataset.dealing import deal
from pipeline.dataset.duplicates import merge_groups
from pipeline.subjects.boxes import scan_of

Integers = npt.NDArray[np.integer]
Texts = npt.NDArray[np.object_]

FOLDS = 5
_FEWEST = 3  # groups of a class, so that the judge of one has seen two others
LEVELS = ("writer", "page", "tile")  # what stays whole, the largest groups first


class Folds(NamedTuple):
    """The fold (N,) of each tile, its group (N,), and what stays whole of each class there is."""

    of_tile: Integers
    groups: Texts
    level_of: dict[int, str]  # a class's number: one of LEVELS


def divide(ids: Texts, writers: Texts, labels: Integers, same: npt.NDArray[np.intp]) -> Folds:
    """Divide tiles into folds: of every class writers stay whole, else pages, else single tiles.

    A class that too few of them hold is divided by the next smaller. `same` (N,) numbers pictures:
    tiles that are the same to the pixel share a number, and a fold.
    """
    pages = np.array([scan_of(tile_id) for tile_id in ids], object)
    names = {
        "writer": np.array(
            [f"by {w}" if w else page for w, page in zip(writers, pages, strict=True)]
        ),
        "page": pages,
        "tile": ids,
    }
    levels = LEVELS if writers.any() else LEVELS[1:]
    groups, level_of = np.empty(len(ids), object), {}
    for label in np.unique(labels):
        own = labels == label
        fewest = min(_FEWEST, int(own.sum()))
        level = next(one for one in levels if len(set(names[one][own])) >= fewest)
        level_of[int(label)] = level
        groups[own] = names[level][own]
    whole = merge_groups(groups.tolist(), same)
    texts = labels.astype(str).astype(object)
    return Folds(deal(texts, whole, (1 / FOLDS,) * FOLDS, ("suspects", 0)).part, whole, level_of)
