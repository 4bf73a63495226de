"""Images of dataset files for a training: in memory, or read row by row as they are asked for.

Either way they are uint8 (N, S, S, C) and answer to len(), .shape, [slice] and [rows]: an array
that fits into memory, or else `StoredImages`. What comes out is the same.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.dataset.store import DatasetFile, open_dataset
from pipeline.errors import DataError

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.integer]

WINDOW_BYTES = 1 << 22  # of images that are unpacked at once
MOST_OPEN_FILES = 200  # that are held open: systems allow a process 256 or more


@dataclass(frozen=True)
class FileRows:
    """Some images of a dataset file; the rows are increasing."""

    path: Path
    rows: Numbers
    tile_shape: tuple[int, int, int]


@dataclass(frozen=True)
class _Places:
    """Where images begin in a file, in bytes."""

    file: Any  # binary, without a buffer
    offsets: npt.NDArray[np.int64]


class StoredImages:
    """Images on the disk, which are read when they are asked for, by one thread at a time."""

    def __init__(self, tile_shape: tuple[int, int, int], places: Sequence[_Places]) -> None:
        self._files = [place.file for place in places]
        sizes = [len(place.offsets) for place in places]
        self._file_of = np.repeat(np.arange(len(places), dtype=np.int16), sizes)
        self._offsets = np.concatenate([place.offsets for place in places])
        self.shape = (len(self._offsets), *tile_shape)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, rows: slice | Numbers) -> Pixels:
        """Return the images of the rows, in the order asked for."""
        files, offsets = self._file_of[rows], self._offsets[rows]
        images = np.empty((len(offsets), *self.shape[1:]), np.uint8)
        for number in np.lexsort((offsets, files)):  # the disk is read from front to back
            file = self._files[files[number]]
            file.seek(offsets[number])
            if file.readinto(images[number]) < images[number].nbytes:
                name = "a scratch file" if isinstance(file.name, int) else file.name
                raise DataError(f"{name} is shorter than it was. Make it again: dvc repro")
        return images


ImageSource = Pixels | StoredImages


def count_bytes(parts: Sequence[FileRows]) -> int:
    """Return how much memory the images of some files take."""
    return sum(len(part.rows) * int(np.prod(part.tile_shape)) for part in parts)


@contextmanager
def open_images(
    parts: Sequence[FileRows], *, in_memory: bool, scratch: Path
) -> Iterator[ImageSource]:
    """Yield the images of some files, part after part: an array, or read from the disk.

    Files that are not compressed are read where they are; the images of the others are unpacked
    into a file without a name in the folder `scratch`, which is gone with the block.
    """
    shape = parts[0].tile_shape
    if in_memory:
        yield _read_whole(parts, shape)
        return
    with ExitStack() as stack:
        loose = stack.enter_context(TemporaryFile(dir=scratch, buffering=0))
        places: list[_Places] = []
        for part in parts:
            with open_dataset(part.path) as dataset:
                offsets = dataset.locate_images()
                if offsets is None or len(places) >= MOST_OPEN_FILES:
                    places.append(_Places(loose, _unpack(dataset, part.rows, loose)))
                else:
                    file = stack.enter_context(part.path.open("rb", buffering=0))
                    places.append(_Places(file, offsets[part.rows]))
        yield StoredImages(shape, places)


def _read_whole(parts: Sequence[FileRows], shape: tuple[int, int, int]) -> Pixels:
    images = np.empty((sum(len(part.rows) for part in parts), *shape), np.uint8)
    filled = 0
    for part in parts:
        with open_dataset(part.path) as dataset:
            for window in read_windows(dataset, part.rows):
                images[filled : filled + len(window)] = window
                filled += len(window)
    return images


def _unpack(dataset: DatasetFile, rows: Numbers, file: Any) -> npt.NDArray[np.int64]:
    """Append images to a file and return where they begin."""
    start = file.tell()
    for window in read_windows(dataset, rows):
        left = memoryview(window.data).cast("B")
        while left:
            left = left[file.write(left) :]
    begin: int = start
    return begin + np.arange(len(rows)) * int(np.prod(dataset.tile_shape))


def read_windows(dataset: DatasetFile, rows: Numbers) -> Iterator[Pixels]:
    """Yield the images of some rows, increasing, a few megabytes at a time."""
    size = max(1, WINDOW_BYTES // int(np.prod(dataset.tile_shape)))
    for start in range(0, len(rows), size):
        yield dataset.read_images(rows[start : start + size])
