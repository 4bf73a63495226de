"""Tiles that look the same: photos by their perceptual hashes, writing to the pixel.

Digits differ in little from class to class, so of writing only the very same picture counts.
"""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.dataset.duplicates import find_near_duplicates
from pipeline.dataset.store import open_dataset
from pipeline.intake import images
from pipeline.parallel import map_in_order

WINDOW = 512  # tiles that a process reads at once

Pixels = npt.NDArray[np.uint8]


def find_twins(
    path: Path, places: npt.NDArray[np.intp], distance: int | None
) -> npt.NDArray[np.intp]:
    """Return the cluster (N,) of each tile of a dataset file: those that look the same share one.

    places (N,): their rows. distance: of the perceptual hashes, in bits of 64; None: to the pixel.
    """
    windows = [places[start : start + WINDOW] for start in range(0, len(places), WINDOW)]
    hash_tile = _hash_pixels if distance is None else images.perceptual_hash
    none = np.empty(0, np.uint64)
    hashes = np.concatenate([none, *map_in_order(partial(_hash_tiles, hash_tile, path), windows)])
    return find_near_duplicates(hashes, distance or 0)


def _hash_pixels(tile: Pixels) -> np.uint64:
    """Return 64 bits of a digest of a tile's pixels: the same only for the same picture."""
    return np.uint64(int.from_bytes(hashlib.sha256(tile.tobytes()).digest()[:8], "little"))


def _hash_tiles(
    hash_tile: Callable[[Pixels], np.uint64], path: Path, places: npt.NDArray[np.intp]
) -> npt.NDArray[np.uint64]:
    """Return the hashes (n,) of some tiles."""
    with open_dataset(path) as tiles:
        return np.array([hash_tile(tile) for tile in tiles.read_images(places)], np.uint64)
