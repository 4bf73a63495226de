"""What tiles look like, in a few hundred numbers learnt from the tiles themselves, without labels.

Tiles are uint8 (N, S, S, C), C = 1 or 3; descriptions float32 (N, D). Small patches of some tiles,
whitened, are the filters; each filter's answers, the positive and the negative ones apart, are
added up over the ninths of the tile, and the principal components of these sums are kept (Coates,
Lee and Ng, An analysis of single-layer networks in unsupervised feature learning, 2011; that
patches taken at random do: Coates and Ng, The importance of encoding, 2011). What a tile's sums
hold besides the components of other tiles is its own: the more of it, the odder the tile.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Tiles = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_LARGEST = 32  # pixels a side: larger tiles are averaged down to it
_PATCH = 7  # pixels a side
_PATCHES = 20_000  # that are looked at; the livelier half of them is learnt from
_FILTERS = 300
_REGIONS = 3  # a side
_COMPONENTS = 300  # that are kept
_FAINT = 165.0  # squared grey levels: added to a patch's variance, so that noise is no stroke
_WHITENING = 0.1  # added to each variance of the patches: noise is not blown up
_THRESHOLD = 0.25  # of a filter's answer: what is below it is none
_AT_ONCE = 8  # tiles whose answers are in memory, and in the processor's cache, together


class Description(NamedTuple):
    """What tiles look like; the components of two typical tiles are about 1.4 apart."""

    seen: Floats  # (N, D)
    oddness: Floats  # (N,) the length of what they have and others don't


@dataclass(frozen=True)
class Appearance:
    """How tiles of one kind are described; `learn_appearance` makes it."""

    patch: int  # pixels a side
    filters: Floats  # (patch * patch * C, F)
    offset: Floats  # (F,) what the mean patch answers
    mean: Floats  # (R,) of the sums
    scale: Floats  # (R,) their standard deviation
    components: Floats  # (R, D)
    halves: tuple[Floats, ...]  # (R, D') of each half of the sample

    def describe(self, tiles: Tiles) -> Description:
        """Return what tiles (N, S, S, C) look like: the nearer, the more alike."""
        sums = _add_up(_reduce(tiles), self.patch, self.filters, self.offset)
        sums = (sums - self.mean) / self.scale
        # A tile of one half shapes that half's components: the other half knows how odd it is.
        own = [_measure_rest(sums, components) for components in self.halves]
        return Description(sums @ self.components, np.max(own, axis=0))


def learn_appearance(sample: Tiles, seed: int = 0) -> Appearance:
    """Learn from some tiles how to describe tiles of their kind: same sample, same description.

    A few thousand are enough. Raises ValueError when they are no tiles, or there are none.
    """
    if sample.dtype != np.uint8 or sample.ndim != 4 or not sample.size:
        raise ValueError(f"the sample must be uint8 (N, S, S, C), got {sample.shape}")
    small = _reduce(sample)
    patch = min(_PATCH, small.shape[1])
    filters, offset = _learn_filters(small, patch, np.random.default_rng(seed))
    sums = _add_up(small, patch, filters, offset)
    mean, scale = sums.mean(axis=0), sums.std(axis=0) + 1e-6
    sums = (sums - mean) / scale
    halves = tuple(_find_components(half, seed) for half in (sums[::2], sums[1::2]) if len(half))
    return Appearance(patch, filters, offset, mean, scale, _find_components(sums, seed), halves)


def _find_components(sums: Floats, seed: int) -> Floats:
    """Return principal components (R, D) of sums (N, R), of a length that makes tiles comparable.

    There are half as many as tiles at most: all of them would describe any of these tiles exactly.
    """
    from sklearn.decomposition import PCA

    length = np.sqrt(sums.shape[1])
    if not sums.any():  # all tiles are the same
        return np.zeros((sums.shape[1], 1), np.float32)
    count = min(_COMPONENTS, -(-len(sums) // 2), sums.shape[1])
    model = PCA(count, svd_solver="randomized", random_state=seed).fit(sums)
    components: Floats = (model.components_.T / length).astype(np.float32)
    return components


def _measure_rest(sums: Floats, components: Floats) -> Floats:
    """Return the length (N,) of what sums hold besides components."""
    known = sums @ components
    rest = (sums * sums).mean(axis=1) - (known * known).sum(axis=1)
    length: Floats = np.sqrt(np.maximum(rest, 0))
    return length


def _reduce(tiles: Tiles) -> Tiles:
    """Return tiles of at most _LARGEST pixels a side."""
    if tiles.shape[1] <= _LARGEST:
        return tiles
    shape = (len(tiles), _LARGEST, _LARGEST, tiles.shape[3])
    small = np.empty(shape, np.uint8)
    for tile, target in zip(tiles, small, strict=True):
        reduced = cv2.resize(tile, (_LARGEST, _LARGEST), interpolation=cv2.INTER_AREA)
        target[...] = reduced.reshape(shape[1:])
    return small


def _learn_filters(tiles: Tiles, patch: int, dice: np.random.Generator) -> tuple[Floats, Floats]:
    """Return filters (patch * patch * C, F) that answer to whitened patches, and their offset."""
    places = tiles.shape[1] - patch + 1
    picked = (
        dice.integers(0, len(tiles), _PATCHES),
        dice.integers(0, places, _PATCHES),
        dice.integers(0, places, _PATCHES),
    )
    found = _cut_patches(tiles, patch)[picked].reshape(_PATCHES, -1).astype(np.float32)
    lively = np.argsort(-found.var(axis=1), kind="stable")[: _PATCHES // 2]
    found = _even(found[lively])
    mean = found.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov((found - mean).T))
    whitening = (axes / np.sqrt(np.maximum(variances, 0) + _WHITENING)) @ axes.T
    white = (found - mean) @ whitening
    chosen = white[dice.permutation(len(white))[:_FILTERS]]
    chosen /= np.linalg.norm(chosen, axis=1, keepdims=True) + 1e-6
    filters = (whitening @ chosen.T).astype(np.float32)
    return filters, mean @ filters


def _cut_patches(tiles: Tiles, patch: int) -> Tiles:
    """Return a view (N, P, P, C, patch, patch) of the tiles' patches."""
    return sliding_window_view(tiles, (patch, patch), axis=(1, 2))


def _even(patches: Floats) -> Floats:
    """Return patches (M, D) with a mean of 0 and a variance of about 1."""
    patches = patches - patches.mean(axis=1, keepdims=True)
    patches /= np.sqrt(np.mean(patches * patches, axis=1, keepdims=True) + _FAINT)
    return patches


def _add_up(tiles: Tiles, patch: int, filters: Floats, offset: Floats) -> Floats:
    """Return each filter's answers, positive and negative ones apart, added up over regions."""
    places, count = tiles.shape[1] - patch + 1, filters.shape[1]
    edges = np.linspace(0, places, min(_REGIONS, places) + 1).astype(int)
    regions = [
        (slice(*down), slice(*across)) for down in pairwise(edges) for across in pairwise(edges)
    ]
    sums = np.empty((len(tiles), 2, len(regions), count), np.float32)
    for start, answers in _answer(tiles, patch, filters, offset):
        rows = slice(start, start + len(answers))
        for number, (down, across) in enumerate(regions):
            part = answers[:, down, across].reshape(len(answers), -1, count)
            least = _THRESHOLD * part.shape[1]
            sums[rows, 0, number] = np.maximum(part, _THRESHOLD).sum(axis=1) - least
            sums[rows, 1, number] = -np.minimum(part, -_THRESHOLD).sum(axis=1) - least
    return sums.reshape(len(tiles), -1)


def _answer(
    tiles: Tiles, patch: int, filters: Floats, offset: Floats
) -> Iterator[tuple[int, Floats]]:
    """Yield what the filters answer at each place, (n, P, P, F), of a few tiles at a time."""
    for start in range(0, len(tiles), _AT_ONCE):
        patches = _cut_patches(tiles[start : start + _AT_ONCE], patch)
        shape = patches.shape[:3]
        answers = _even(patches.reshape(-1, len(filters)).astype(np.float32)) @ filters - offset
        yield start, answers.reshape(*shape, -1)
