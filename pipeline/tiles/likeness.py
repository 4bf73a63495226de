"""Label safety: does an op make tiles of one class look like another class?

Tiles are uint8 (N, S, S, C), C = 1 or 3; labels are int (N,), indices into the classes, none of
them -1. `parents` (M,) of variants are rows of the originals, each at most once: original and
variant are a pair. A *landing* is the class that a tile looks like, -1 for none of them.

Tiles are compared as small blurred pictures, moved by up to two cells either way, by 1 - Pearson's
correlation: a shift, a thicker pen or a brighter lamp is no other look. A tile looks like the class
of its nearest original, if it is as near to it as that class's own tiles are to each other; a
mirrored 3 is like no digit, though an 8 is nearest. Neither its own parent nor the tile itself
counts as a neighbour.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Tiles = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]

_CELLS = 14  # a side of the small picture: half of MNIST's 28 pixels
_BLUR = 0.5  # cells, standard deviation
_REACH = 2  # cells: a shift by a seventh of the side is no other look
_BLOCK = 512  # tiles whose distances are in memory at once

# As near as nine in ten of a class's own tiles are. Without such a limit half of MNIST's mirrored
# 3s look like an 8; with 0.95 twice as many of its 7s, turned by 15 degrees, look like a 9.
_TYPICAL = 0.9
# So alike (correlation 0.9) is near in any class, also in one whose tiles are all but equal.
_ALIKE = 0.1

_MATERIAL = 0.05  # of a class's variants; less is left to the ablation to weigh
_SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class TileSpace:
    """The originals that variants are compared with, and what the originals look like."""

    features: npt.NDArray[np.float32]  # (N, D), each of length 1
    labels: Integers  # (N,)
    limits: Floats  # (K,) how near a tile must be to look like a class
    landings: Integers  # (N,) of each original among the others


@dataclass(frozen=True)
class Resemblance:
    """How many variants of one class look like another, beside how many of their originals do.

    Shares are of the class's variants, 0..1; low and high bound the excess with 95 % confidence.
    """

    label: int
    looks_like: int
    share: float
    original_share: float
    low: float
    high: float
    p: float  # one-sided, Holm-adjusted over the op's pairs of classes
    examples: tuple[int, ...]  # variants that look like it while their parents do not, worst first

    @property
    def excess(self) -> float:
        """The share of variants over the share of their originals."""
        return self.share - self.original_share

    @property
    def warns(self) -> bool:
        """Whether the excess is both material and no matter of chance."""
        return self.excess >= _MATERIAL and self.p < _SIGNIFICANCE


def map_originals(originals: Tiles, labels: Integers, class_count: int) -> TileSpace:
    """Learn from originals how near the tiles of each class lie to each other.

    Raises ValueError when the arrays do not fit each other.
    """
    if originals.dtype != np.uint8 or originals.ndim != 4 or labels.shape != (len(originals),):
        raise ValueError(
            f"originals must be uint8 (N, S, S, C) with labels (N,), got {originals.dtype} "
            f"{originals.shape} with {labels.shape}"
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < class_count:
        raise ValueError(f"labels must be within 0..{class_count - 1}")
    rows = np.arange(len(originals))
    features = standardise(shrink(originals))
    distances = measure_distances(originals, rows, features, labels, class_count)
    own = distances[rows, labels]
    limits = np.array([_find_limit(own[labels == label]) for label in range(class_count)])
    return TileSpace(features, labels, limits, _find_landings(distances, limits))


def find_resemblances(space: TileSpace, variants: Tiles, parents: Integers) -> list[Resemblance]:
    """Return the pairs of classes that an op brings nearer to each other, worst first.

    Each variant is paired with its own parent; the p-value is that of McNemar's exact test,
    one-sided, with Holm's correction over all ordered pairs of the classes that have variants.

    Raises ValueError when parents do not fit, or one comes twice.
    """
    if parents.shape != (len(variants),) or len(np.unique(parents)) < len(parents):
        raise ValueError("parents must be (M,), one for each variant and none of them twice")
    class_count = len(space.limits)
    labels, before = space.labels[parents], space.landings[parents]
    distances = measure_distances(variants, parents, space.features, space.labels, class_count)
    after = _find_landings(distances, space.limits)
    moved = before != after
    gained = _count_pairs(labels[moved], after[moved], class_count)
    lost = _count_pairs(labels[moved], before[moved], class_count)
    share = _count_pairs(labels, after, class_count)
    sizes = np.bincount(labels, minlength=class_count)
    p = _test_pairs(gained, lost, sizes)
    found = []
    for label, other in np.argwhere((gained > lost) & ~np.eye(class_count, dtype=bool)):
        size, won, gone = (int(n) for n in (sizes[label], gained[label, other], lost[label, other]))
        low, high = bound_excess(won, gone, size)
        turned = np.flatnonzero((labels == label) & (after == other) & moved)
        found.append(
            Resemblance(
                label=int(label),
                looks_like=int(other),
                share=float(share[label, other] / size),
                original_share=float((share[label, other] - won + gone) / size),
                low=low,
                high=high,
                p=float(p[label, other]),
                examples=tuple(turned[np.argsort(distances[turned, other])].tolist()),
            )
        )
    return sorted(found, key=lambda one: (-one.excess, one.label, one.looks_like))


def count_needed(class_count: int) -> int:
    """Return how many tiles a class needs for a warning to be possible at all.

    Even if all of n variants turned, p is 2^-n, and Holm multiplies the smallest by the pairs.
    """
    return int(np.ceil(np.log2(max(class_count * (class_count - 1), 1) / _SIGNIFICANCE)))


def shrink(tiles: Tiles) -> npt.NDArray[np.float32]:
    """Return the tiles as small blurred pictures (N, _CELLS, _CELLS, C)."""
    small = np.empty((len(tiles), _CELLS, _CELLS, tiles.shape[3]), np.float32)
    for tile, cells in zip(tiles, small, strict=True):
        resized = cv2.resize(
            tile.astype(np.float32), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA
        )
        cells[...] = cv2.GaussianBlur(resized, (0, 0), _BLUR).reshape(cells.shape)
    return small


def standardise(pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return pictures (N, ...) as vectors (N, D) of mean 0 and length 1.

    The product of two is their correlation. An even picture stays all 0: it is like no other.
    """
    vectors = pictures.reshape(len(pictures), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    even = lengths < 1  # of 255 grey levels: rounding, not content
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=~even))


def measure_distances(
    tiles: Tiles,
    parents: Integers,
    features: npt.NDArray[np.float32],
    labels: Integers,
    class_count: int,
) -> npt.NDArray[np.float32]:
    """Return the distance (M, K) of each tile to the nearest original of each class but its parent.

    0 is the same look, 1 none in common, 2 the negative; infinite where a class has no tile.
    """
    nearest = np.full((len(tiles), class_count), np.inf, np.float32)
    for start in range(0, len(tiles), _BLOCK):
        block = slice(start, start + _BLOCK)
        likeness = _correlate(shrink(tiles[block]), features)
        likeness[np.arange(len(likeness)), parents[block]] = -np.inf
        for label in range(class_count):
            best = likeness[:, labels == label].max(axis=1, initial=-np.inf)
            nearest[block, label] = 1 - best
    return nearest


def _find_landings(distances: Floats, limits: Floats) -> Integers:
    """Return the nearest class of each tile (M,), -1 where it is farther than the class's limit."""
    nearest = distances.argmin(axis=1)
    return np.where(distances.min(axis=1) <= limits[nearest], nearest, -1)


def _count_pairs(labels: Integers, landings: Integers, class_count: int) -> Integers:
    """Return how many tiles of each class (row) land on each class (column)."""
    table = np.zeros((class_count, class_count), np.int64)
    landed = landings >= 0
    np.add.at(table, (labels[landed], landings[landed]), 1)
    return table


def bound_excess(gained: int, lost: int, size: int) -> tuple[float, float]:
    """Return the 95 % interval of (gained - lost) / size, the difference of two paired shares.

    Wald's interval with half a pair added to each of the four cells: Agresti and Min, Simple
    improved confidence intervals for comparing matched proportions, Statistics in Medicine, 2005.
    """
    total = size + 2
    difference = (gained - lost) / total
    error = np.sqrt(gained + lost + 1 - (gained - lost) ** 2 / total) / total
    return float(max(difference - 1.96 * error, -1)), float(min(difference + 1.96 * error, 1))


def _find_limit(own: Floats) -> float:
    """Return how near a class's tiles lie to each other; nothing looks like a class of one."""
    known = own[np.isfinite(own)]
    return max(float(np.quantile(known, _TYPICAL)), _ALIKE) if len(known) else -np.inf


def _correlate(
    pictures: npt.NDArray[np.float32], features: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the best correlation of each picture, however moved, with each feature: (M, N)."""
    best = np.full((len(pictures), len(features)), -np.inf, np.float32)
    for moved in _move(pictures):
        np.maximum(best, standardise(moved) @ features.T, out=best)
    return best


def _move(pictures: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the pictures moved by up to _REACH cells each way; what comes in is the edge."""
    reach = (_REACH, _REACH)
    padded = np.pad(pictures, ((0, 0), reach, reach, (0, 0)), mode="edge")
    for top in range(2 * _REACH + 1):
        for left in range(2 * _REACH + 1):
            yield padded[:, top : top + _CELLS, left : left + _CELLS]


def _test_pairs(gained: Integers, lost: Integers, sizes: Integers) -> Floats:
    """Return McNemar's exact one-sided p (K, K) with Holm's correction; 1 where nothing is asked.

    Without an effect a pair that differs is as likely gained as lost.
    """
    from scipy.stats import binom
    from statsmodels.stats.multitest import multipletests

    asked = (sizes > 0)[:, None] & ~np.eye(len(sizes), dtype=bool)
    p = np.ones(gained.shape)
    if asked.any():
        p[asked] = multipletests(binom.sf(gained - 1, gained + lost, 0.5)[asked], method="holm")[1]
    return p
