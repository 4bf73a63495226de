"""Datasets in HDF5, read: a window at a time, and nothing believed before it was checked."""

import itertools
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.dataset.damage import (
    UNREADABLE,
    check_columns,
    check_parts,
    check_version,
    damaged,
    read_shapes,
    read_text,
    telling_damage,
)
from pipeline.dataset.schema import (
    CHUNK_BYTES,
    CORRECTED_COLUMNS,
    DATASET_COLUMNS,
    GLYPH_COLUMNS,
    TEXT_COLUMNS,
    UNLABELLED,
    VARIANT_COLUMNS,
    Pixels,
    Rows,
    rows_per_chunk,
)
from pipeline.dataset.writing import append_to, create_column, create_file, create_texts
from pipeline.errors import NO_LOCKS

READ_CHUNKS = 8  # that are read at once
TEXTS = 1 << 14  # that are read at once
Item = TypeVar("Item")


class DatasetFile:
    """A dataset file that is open for reading; columns are read when they are asked for."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._file = file
        self.path = path
        self.classes = _read_names(file, "classes")
        self.made_by = _read_maker(file)
        self.draw_names = _read_names(file, "draws") if "draws" in file.attrs else []
        self.tile_shape: tuple[int, int, int] = file["images"].shape[1:]
        self.compressed: bool = file["images"].compression is not None

    def __len__(self) -> int:
        return len(self._file["ids"])

    @property
    def ids(self) -> npt.NDArray[np.object_]:
        """(N,) ids."""
        return self._read_whole("ids")

    @property
    def groups(self) -> npt.NDArray[np.object_]:
        """(N,) groups, '' where none was given."""
        return self._read_whole("groups")

    @property
    def labels(self) -> npt.NDArray[np.int16]:
        """(N,) indices into `classes`, -1 = unlabelled, -2 = left out by a person."""
        return self._read_whole("labels")

    @property
    def found(self) -> npt.NDArray[np.int16]:
        """(N,) labels as they were found, before a person changed any; -1 = unlabelled."""
        return self._read_whole("found") if "found" in self._file else self.labels

    @property
    def first_labels(self) -> npt.NDArray[np.int16]:
        """(N,) labels as they were found, and where none was the one that a person gave."""
        found = self.found
        return np.where(found == UNLABELLED, self.labels, found)

    @property
    def draws(self) -> npt.NDArray[np.float64]:
        """(N, k) numbers drawn; only in files of variants."""
        return self._read_whole("draws")

    @property
    def parents(self) -> npt.NDArray[np.object_]:
        """(N,) ids of the parents; only in files of variants."""
        return self._read_whole("parents")

    def read(self, rows: npt.NDArray[np.integer] | slice = slice(None)) -> Rows:
        """Return the given rows, in the order asked for."""
        if isinstance(rows, slice):
            rows = np.arange(len(self))[rows]
        with telling_damage(self.path):
            return Rows(**{name: self._read_column(name, rows) for name in self._columns})

    def read_images(self, rows: npt.NDArray[np.integer]) -> Pixels:
        """Return the images of the given rows, in the order asked for."""
        with telling_damage(self.path):
            return self._read_column("images", rows)

    def locate_images(self) -> npt.NDArray[np.int64] | None:
        """Return where in the file each image begins, in bytes; None when they are compressed."""
        images, rows = self._file["images"], np.arange(len(self))
        tile_bytes = int(np.prod(self.tile_shape))
        if images.chunks is None:
            return (images.id.get_offset() or 0) + rows * tile_bytes
        if images.id.get_create_plist().get_nfilters() or images.chunks[1:] != self.tile_shape:
            return None
        chunk, place = np.divmod(rows, images.chunks[0])
        starts = np.zeros(images.id.get_num_chunks(), np.int64)

        def note(stored: Any) -> None:
            starts[stored.chunk_offset[0] // images.chunks[0]] = stored.byte_offset

        images.id.chunk_iter(note)
        offsets: npt.NDArray[np.int64] = starts[chunk] + place * tile_bytes
        return offsets

    def scan(self, name: str) -> Iterator[str]:
        """Yield the texts of a column, `ids`, `groups` or `parents`, with few in memory at once."""
        for start in range(0, len(self), TEXTS):
            with telling_damage(self.path):
                texts = self._file[name].asstr()[start : start + TEXTS]
            yield from texts

    def read_packed(self, name: str) -> npt.NDArray[np.bytes_]:
        """Return the texts (N,) of a column as they are stored: UTF-8, a fifth of their room."""
        with telling_damage(self.path):
            texts: npt.NDArray[np.bytes_] = self._file[name][:]
            return texts

    @property
    def _columns(self) -> list[str]:
        return [field.name for field in fields(Rows) if field.name in self._file]

    def _read_whole(self, name: str) -> npt.NDArray[Any]:
        with telling_damage(self.path):
            column = self._file[name]
            values: npt.NDArray[Any] = column.asstr()[:] if name in TEXT_COLUMNS else column[:]
            return values

    def _read_column(self, name: str, rows: npt.NDArray[np.integer]) -> npt.NDArray[Any]:
        stored = self._file[name]
        column = stored.asstr() if name in TEXT_COLUMNS else stored
        if len(rows) and (np.diff(rows) == 1).all():  # the usual case, without a copy
            whole: npt.NDArray[Any] = column[rows[0] : rows[-1] + 1]
            return whole
        found = np.empty(
            (len(rows), *stored.shape[1:]), object if column is not stored else stored.dtype
        )
        order = np.argsort(rows, kind="stable")
        # HDF5 reads single rows slowly, and a chunk only as a whole: all between is read too, a few
        # chunks at a time.
        block = READ_CHUNKS * (stored.chunks or (rows_per_chunk(self.tile_shape),))[0]
        edges = np.flatnonzero(np.diff(rows[order] // block)) + 1
        for places in np.split(order, edges) if len(rows) else []:
            first, last = rows[places[0]], rows[places[-1]] + 1
            found[places] = column[first:last][rows[places] - first]
        return found


@contextmanager
def open_dataset(path: Path) -> Iterator[DatasetFile]:
    """Open a dataset file for reading.

    Raises DataError when it is no dataset file, is damaged, or has another schema.
    """
    with _open(path) as file:
        try:
            variants = "draws" in file or "draws" in file.attrs
            more = VARIANT_COLUMNS if variants else {}
            more = more | (CORRECTED_COLUMNS if "found" in file else {})
            check_columns(file, DATASET_COLUMNS | more)
            dataset = DatasetFile(file, path)
            _check_widths(file, dataset)
        except UNREADABLE as error:
            raise damaged(path, error) from error
        yield dataset


def write_glyphs(path: Path, glyphs: Iterable[tuple[str, Pixels]]) -> int:
    """Write (id, pixels (h, w)) pairs to a glyph file and return how many there were."""
    with create_file(path) as (file, disk):
        create_column(file, "pixels", (), np.uint8, chunk_rows=CHUNK_BYTES, compress=True)
        create_column(file, "shapes", (2,), np.int32, chunk_rows=1024)
        names: list[str] = []
        for window in in_windows(glyphs, 256):
            ids, pictures = zip(*window, strict=True)
            append_to(file["pixels"], np.concatenate([picture.ravel() for picture in pictures]))
            append_to(file["shapes"], np.array([picture.shape for picture in pictures], np.int32))
            names += ids
            disk.check()
        create_texts(file, "ids", names)
    return len(names)


def read_glyphs(path: Path) -> Iterator[tuple[str, Pixels]]:
    """Yield the (id, pixels (h, w)) pairs of a glyph file in its order, a window at a time."""
    with _open(path) as file:
        try:
            check_columns(file, GLYPH_COLUMNS)
            shapes, ids = read_shapes(file), file["ids"].asstr()[:]
            ends = np.concatenate([[0], np.cumsum(shapes.prod(axis=1, dtype=np.int64))])
            for first in range(0, len(ids), 256):
                last = min(first + 256, len(ids))
                pixels = file["pixels"][ends[first] : ends[last]]
                for row in range(first, last):
                    start = ends[row] - ends[first]
                    yield ids[row], pixels[start : start + shapes[row].prod()].reshape(shapes[row])
        except UNREADABLE as error:
            raise damaged(path, error) from error


def read_glyph_ids(path: Path) -> list[str]:
    """Return the ids of a glyph file; raises DataError where its shapes and pixels disagree."""
    with _open(path) as file:
        try:
            check_columns(file, GLYPH_COLUMNS)
            read_shapes(file)
            return list(file["ids"].asstr()[:])
        except UNREADABLE as error:
            raise damaged(path, error) from error


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    with _open_file(path) as file:
        try:
            check_version(path, int(file.attrs.get("schema_version", 0)))
            check_parts(file)
        except UNREADABLE as error:
            raise damaged(path, error) from error
        yield file


def _open_file(path: Path) -> h5py.File:
    """Open a file to read it, under a lock where the disk has such."""
    try:
        try:
            return h5py.File(path, "r")
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            return h5py.File(path, "r", locking=False)
    except OSError as error:
        raise damaged(path, error) from error


def _check_widths(file: h5py.File, dataset: DatasetFile) -> None:
    """Raise ValueError when tiles have no pixels, or a draw has no name or a name no draw."""
    if not all(dataset.tile_shape):
        raise ValueError(f"its tiles have the shape {dataset.tile_shape}")
    drawn = file["draws"].shape[1] if "draws" in file else 0
    if drawn != len(dataset.draw_names):
        raise ValueError(f"{drawn} draws for {len(dataset.draw_names)} names of draws")


def _read_names(file: h5py.File, attribute: str) -> list[str]:
    names = json.loads(read_text(file, attribute))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"its attribute '{attribute}' is no list of names")
    return names


def _read_maker(file: h5py.File) -> dict[str, object]:
    maker = json.loads(read_text(file, "made_by"))
    if not isinstance(maker, dict):
        raise ValueError("its attribute 'made_by' is no JSON object")
    return maker


def in_windows(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of up to `size` items."""
    remaining = iter(items)
    while window := list(itertools.islice(remaining, size)):
        yield window
