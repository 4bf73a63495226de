"""Which training items form which batch.

The items of a training are numbered 0 .. n+m-1: first its n originals, then its m variants.
A training goes over all of them in passes, each pass in a new order, and is cut into batches of
exactly `batch_size` items that run across the border between two passes: every experiment takes
the same number of optimiser steps, however many variants it has (rule 2 of docs/ablation.md).
Item numbers are int64 arrays, (n+m,) for a pass and (batch_size,) for a batch.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Schedule:
    """The batches of one training: a sequence of `steps` arrays of item numbers.

    Batch k depends on the fields alone, not on the batches before it, so that a training can go
    on from any step. Raises ValueError when there is no original, or a number is out of range.
    """

    seed: int
    originals: int
    variants: int
    steps: int
    batch_size: int

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    def __len__(self) -> int:
        """Return the number of batches."""
        return self.steps

    def __getitem__(self, step: int) -> npt.NDArray[np.int64]:
        """Return the item numbers of batch `step`, counted from 0: int64 (batch_size,)."""
        if not 0 <= step < self.steps:
            raise IndexError(f"batch {step} of {self.steps}")
        pool = self.originals + self.variants
        position = step * self.batch_size
        end = position + self.batch_size
        pieces = []
        while position < end:
            number, start = divmod(position, pool)
            piece = self._order(number)[start : start + end - position]
            pieces.append(piece)
            position += len(piece)
        return np.concatenate(pieces)

    def passes(self, step: int) -> npt.NDArray[np.int64]:
        """Return the pass, from 0, that each item of batch `step` belongs to: (batch_size,)."""
        places = step * self.batch_size + np.arange(self.batch_size)
        return places // (self.originals + self.variants)

    def __iter__(self) -> Iterator[npt.NDArray[np.int64]]:
        """Go through the batches in order."""
        return (self[step] for step in range(self.steps))

    def _order(self, number: int) -> npt.NDArray[np.int64]:
        return order_pass(self.seed, number, self.originals, self.variants)


_LEAST = {"seed": 0, "originals": 1, "variants": 0, "steps": 0, "batch_size": 1}


@functools.lru_cache(maxsize=2)  # a batch lies in one pass, or across the border of two
def order_pass(seed: int, number: int, originals: int, variants: int) -> npt.NDArray[np.int64]:
    """Return pass `number` over all items, each once: int64 (originals + variants,), read-only.

    The order of the originals among themselves depends on (seed, number, originals) alone, so
    that seed s of every experiment meets them in the same order (rule 4 of docs/ablation.md).
    """
    # Each kind draws its sorting keys from a stream of its own: no number of variants, and
    # nothing about them, can move the keys of the originals.
    keys = [
        np.random.default_rng([seed, number, kind]).random(count)
        for kind, count in enumerate((originals, variants))
    ]
    order = np.argsort(np.concatenate(keys), kind="stable").astype(np.int64)
    order.flags.writeable = False  # the cache hands out one array to all
    return order
