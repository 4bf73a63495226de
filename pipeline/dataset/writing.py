"""Datasets in HDF5, written: whole or not at all, the same bytes for the same content.

No times are stored and the rows are appended in order. Images that come in order are appended
window by window. Where several processes make them, the file is written but for its images, and
each process fills in some (`Room`).
"""

import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.atomic import whole_file
from pipeline.dataset.schema import (
    SCHEMA_VERSION,
    Pixels,
    Rows,
    encode_texts,
    rows_per_chunk,
)

TEXTS_A_CHUNK = 1 << 14


@dataclass(frozen=True)
class Room:
    """Room for the images of a dataset file, which any process can fill in."""

    path: Path
    offset: int | None  # of the first image, in bytes; None: they are compressed
    chunk_rows: int  # images that are compressed together

    def fill(self, start: int, images: Pixels) -> list[bytes]:
        """Put images (n, S, S, C) into the rows from `start`, the first of a chunk.

        Returns the chunks that the file's writer is still to append: none where images are stored
        as they are.
        """
        if self.offset is None:
            firsts = range(0, len(images), self.chunk_rows)
            return [self._compress(images[first : first + self.chunk_rows]) for first in firsts]
        with self.path.open("r+b") as file:
            file.seek(self.offset + start * images[:1].nbytes)
            file.write(np.ascontiguousarray(images).data)
        return []

    def _compress(self, images: Pixels) -> bytes:
        # In writing it pays to look for runs of one grey level only: that takes half the time and
        # makes a tenth fewer bytes (MNIST), and whatever reads gzip reads it.
        packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
        missing = bytes((self.chunk_rows - len(images)) * images[:1].nbytes)
        return packer.compress(images.tobytes()) + packer.compress(missing) + packer.flush()


class NewFile(io.FileIO):
    """A file for HDF5 to write that seems to take everything, even when the disk is full.

    HDF5 crashes the process when it closes a file that it could not write.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of the data, or keep the reason why that failed."""
        left = memoryview(data)
        try:
            while left and not self._failure:
                left = left[super().write(left) :]
        except OSError as error:
            self._failure = error
        return len(data)

    def check(self) -> None:
        """Raise the OSError that kept something from being written, if there was one."""
        if self._failure:
            raise self._failure


class DatasetWriter:
    """Appends windows of rows to a new dataset file."""

    def __init__(
        self,
        file: h5py.File,
        disk: NewFile,
        tile_shape: tuple[int, int, int],
        draw_count: int | None,
        *,
        corrected: bool = False,
    ) -> None:
        self._file = file
        self._disk = disk
        self._tile_shape = tile_shape
        self._packed = 0  # chunks that have been appended
        # Texts wait for the end, when it is known how long the longest is.
        self._texts: dict[str, list[str]] = {"ids": [], "groups": []}
        self._columns: dict[str, tuple[tuple[int, ...], object]] = {"labels": ((), np.int16)}
        if corrected:
            self._columns["found"] = ((), np.int16)
        if draw_count is not None:
            self._texts["parents"] = []
            self._columns["draws"] = ((draw_count,), np.float64)

    def append(self, rows: Rows) -> None:
        """Append rows; the first window decides whether the images are compressed."""
        if "images" not in self._file:
            self._create(compress=_worth_compressing(rows.images))
        append_to(self._file["images"], rows.images)
        self.append_columns(vars(rows))

    def reserve(self, count: int, compress: bool) -> Room:
        """Make room for the images of a file of `count` rows, and return it."""
        if compress:
            self._create(compress=True)
            self._file["images"].resize(count, axis=0)
        else:
            self._create_columns()
            _create_plain(self._file, "images", (count, *self._tile_shape))
        self._file.flush()
        self._disk.check()
        offset = None if compress else self._file["images"].id.get_offset()
        return Room(Path(self._disk.name), offset, rows_per_chunk(self._tile_shape))

    def append_columns(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Append to all columns but the images."""
        for name in self._columns:
            append_to(self._file[name], columns[name])
        for name, texts in self._texts.items():
            texts += columns[name].tolist()
        self._disk.check()

    def append_chunks(self, chunks: Iterable[bytes]) -> None:
        """Append chunks as Room.fill returns them."""
        for chunk in chunks:
            first = self._packed * rows_per_chunk(self._tile_shape)
            self._file["images"].id.write_direct_chunk((first, 0, 0, 0), chunk)
            self._packed += 1
        self._disk.check()

    def close(self) -> None:
        """Complete the file; a file without rows still has every column."""
        if "images" not in self._file:
            self._create(compress=False)
        for name, texts in self._texts.items():
            create_texts(self._file, name, texts)

    def _create(self, *, compress: bool) -> None:
        chunk_rows = rows_per_chunk(self._tile_shape)
        create_column(
            self._file,
            "images",
            self._tile_shape,
            np.uint8,
            chunk_rows=chunk_rows,
            compress=compress,
        )
        self._create_columns()

    def _create_columns(self) -> None:
        for name, (shape, dtype) in self._columns.items():
            create_column(self._file, name, shape, dtype, chunk_rows=1024)


@contextmanager
def create_dataset(
    path: Path,
    *,
    tile_shape: tuple[int, int, int],
    classes: Sequence[str],
    made_by: Mapping[str, object],
    draw_names: Sequence[str] | None = None,
    corrected: bool = False,
) -> Iterator[DatasetWriter]:
    """Write a dataset file at `path`, whole or not at all; with `draw_names` one of variants.

    corrected: whether a person changed labels, so that rows have those that were found as well.
    """
    with create_file(path) as (file, disk):
        _set_text(file, "classes", json.dumps(list(classes), ensure_ascii=False))
        _set_text(file, "made_by", json.dumps(dict(made_by), sort_keys=True, ensure_ascii=False))
        if draw_names is not None:
            _set_text(file, "draws", json.dumps(list(draw_names)))
        draw_count = None if draw_names is None else len(draw_names)
        writer = DatasetWriter(file, disk, tile_shape, draw_count, corrected=corrected)
        yield writer
        writer.close()


@contextmanager
def create_file(path: Path) -> Iterator[tuple[h5py.File, NewFile]]:
    """Open a new file of the schema; raises OSError where it can't be written."""
    with whole_file(path) as part, NewFile(part) as disk:
        try:
            with h5py.File(disk, "w", libver="v110") as file:
                file.attrs["schema_version"] = SCHEMA_VERSION
                yield file, disk
        finally:
            disk.check()  # before whatever HDF5 made of it


def create_column(
    file: h5py.File,
    name: str,
    shape: tuple[int, ...],
    dtype: object,
    *,
    chunk_rows: int,
    compress: bool = False,
) -> None:
    """Create an empty column of values of this shape, to which any number can be appended."""
    file.create_dataset(
        name,
        shape=(0, *shape),
        # A side of 0 (a flip draws no numbers) has no chunk that fits unless it may grow.
        maxshape=(None, *(side or None for side in shape)),
        chunks=(chunk_rows, *(side or 1 for side in shape)),
        dtype=dtype,
        compression=1 if compress else None,  # gzip level 1
        track_times=False,
    )


def create_texts(file: h5py.File, name: str, texts: Sequence[str]) -> None:
    """Write a whole column of texts (N,)."""
    column = encode_texts(texts)
    chunks = (min(len(texts), TEXTS_A_CHUNK),) if texts else None
    compression = 1 if texts else None  # ids differ in a few digits: a tenth is left of them
    file.create_dataset(
        name, data=column, chunks=chunks, compression=compression, track_times=False
    )


def _set_text(file: h5py.File, attribute: str, text: str) -> None:
    [value] = encode_texts([text])
    file.attrs.create(attribute, value, dtype=encode_texts([text]).dtype)


def _create_plain(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    """Create a column of bytes that lie one after the other in the file, to be written there."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    file.create_dataset(name, shape, np.uint8, dcpl=properties, track_times=False)


def append_to(column: h5py.Dataset, values: npt.NDArray[np.generic]) -> None:
    """Append values to a column."""
    start = len(column)
    column.resize(start + len(values), axis=0)
    column[start:] = values


def _worth_compressing(images: Pixels) -> bool:
    # Writing halves or better under gzip; photos barely shrink and are written ten times slower.
    sample = images[:64].tobytes()
    return len(zlib.compress(sample, 1)) < 0.7 * len(sample)
