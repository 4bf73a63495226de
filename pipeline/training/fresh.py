"""Online variants: drawn anew in each pass of a training, and never twice the same.

Images are uint8 (N, S, S, C); a row is an item of a pool (training/pool.py).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.augmentation.recipes import Op, apply, draw

MANY_PASSES = 1_000_000  # more than any run has


@dataclass(frozen=True)
class Fresh:
    """What makes the online variants among the items: each is drawn anew in every pass."""

    ops: tuple[Op, ...]
    op_of: npt.NDArray[np.int64]  # (N,) which of the ops makes an item; -1: it is an original
    copies: npt.NDArray[np.int64]  # (N,) which of the op's copies it is


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
            draws = draw(op, op.seed, list(ids[chosen]), int(copy))
            drawn[chosen] = apply(op, images[chosen], draws)
    return drawn
