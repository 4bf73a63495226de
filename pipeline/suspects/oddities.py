"""Tiles that contradict another one, belong to no class, or are all but empty.

Descriptions are float32 (N, D) (see `appearance`), labels int (N,); places are rows of the tiles.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]

# Tiles of different labels are 0.46 apart at least in 2,000 of MNIST, 0.58 in the default sample,
# 0.6 in 1,400 photos; a tile and itself brightened, blurred or a little noisy mostly below 0.3.
# (Among all 60,000 of MNIST some 7s and 9s are as near as that.)
_NEAR = 0.35
_AT_ONCE = 250  # tiles that are compared with all others
# Oddness lies above the usual by so many standard deviations, in its logarithm: one in 150 of
# MNIST's digits has that, and so has every scribble, and every patch of noise, put among them.
_ODD = 2.8
_EMPTY = 0.25  # of the usual contrast; MNIST's faintest tile has 0.41 of it, photos 0.35


class Twins(NamedTuple):
    """Two tiles that look the same and are labelled differently; distance 0: to the pixel."""

    one: int
    other: int
    distance: float


def find_contradictions(seen: npt.NDArray[np.float32], labels: Integers) -> list[Twins]:
    """Return the pairs of tiles that look the same under two labels, the most alike first.

    Each is the other's nearest among the tiles with other labels: of a class whose tiles are all
    alike one wrong label makes one pair.
    """
    nearest = np.full(len(seen), -1)
    distance = np.full(len(seen), np.inf)
    for one, other, found in _list_near(seen, labels):
        for mine, its in ((one, other), (other, one)):
            order = np.lexsort((its, found))[::-1]  # the nearest is written last
            closer = order[found[order] < distance[mine[order]]]
            nearest[mine[closer]], distance[mine[closer]] = its[closer], found[closer]
    pairs = [
        Twins(int(one), int(other), float(distance[one]))
        for one, other in enumerate(nearest)
        if one < other and nearest[other] == one
    ]
    return sorted(pairs, key=lambda pair: (pair.distance, pair.one))


def _list_near(
    seen: npt.NDArray[np.float32], labels: Integers
) -> Iterator[tuple[Integers, Integers, Floats]]:
    """Yield the pairs of near tiles with different labels, and their distances; each pair once."""
    squares = (seen * seen).sum(axis=1)
    for start in range(0, len(seen), _AT_ONCE):
        block = slice(start, start + _AT_ONCE)
        apart = squares[block, None] + squares[start:] - 2 * seen[block] @ seen[start:].T
        one, other = np.nonzero(apart < _NEAR**2)
        one, other = one + start, other + start
        kept = (one < other) & (labels[one] != labels[other])
        one, other = one[kept], other[kept]
        yield one, other, np.linalg.norm(seen[one] - seen[other], axis=1)


def find_outliers(oddness: Floats) -> Integers:
    """Return the tiles that are much odder (N,) than usual, the oddest first."""
    logarithms = np.log(np.maximum(oddness, 1e-6))
    middle = np.median(logarithms)
    # The median's own deviation: outliers do not hide themselves by widening it.
    spread = 1.4826 * np.median(np.abs(logarithms - middle))
    odd = np.flatnonzero(logarithms > middle + _ODD * max(float(spread), 0.05))
    ranked: Integers = odd[np.argsort(-oddness[odd], kind="stable")]
    return ranked


def measure_contrast(tiles: npt.NDArray[np.uint8]) -> Floats:
    """Return the standard deviation (N,) of the pixels of each tile (N, S, S, C), grey levels."""
    contrast: Floats = tiles.reshape(len(tiles), -1).std(axis=1)
    return contrast


def find_empty(contrast: Floats) -> Integers:
    """Return the tiles with next to no contrast (N,) against the usual, the emptiest first."""
    empty = np.flatnonzero(contrast < _EMPTY * np.median(contrast))
    ranked: Integers = empty[np.argsort(contrast[empty], kind="stable")]
    return ranked
