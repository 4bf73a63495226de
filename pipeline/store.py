"""Datasets in HDF5: the only module that knows the schema.

A *dataset file* holds

    images   uint8   (N, S, S, C)   writing: ink bright on 0; photos: RGB
    labels   int16   (N,)           index into the attribute `classes`; -1 = unlabelled
    ids      text    (N,)           unique
    groups   text    (N,)           what a split must not tear apart; '' = on its own

and a file of variants also

    parents  text    (N,)           the id of the tile that each variant was made from
    draws    float64 (N, k)         the exact numbers that made it, named in the attribute `draws`

The file's attributes say the schema version, the class names and what made it. A *glyph file*
holds pictures of any size: `pixels` end to end, `shapes` (N, 2) height and width, `ids` (N,).

Same content gives the same bytes: no times are stored and the rows are appended in order.
"""

import itertools
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.atomic import whole_file
from pipeline.errors import DataError

SCHEMA_VERSION = 1
CHUNK_BYTES = 1 << 18
TEXT = h5py.string_dtype("utf-8")
TEXT_COLUMNS = {"ids", "groups", "parents"}

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Rows:
    """Some rows of a dataset file; the arrays share their first axis."""

    images: Pixels
    labels: npt.NDArray[np.int16]
    ids: npt.NDArray[np.object_]
    groups: npt.NDArray[np.object_]
    parents: npt.NDArray[np.object_] | None = None
    draws: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.ids)


class DatasetFile:
    """A dataset file that is open for reading; columns are read when they are asked for."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._file = file
        self.path = path
        self.classes: list[str] = json.loads(file.attrs["classes"])
        self.made_by: dict[str, object] = json.loads(file.attrs["made_by"])
        self.draw_names: list[str] = json.loads(file.attrs.get("draws", "[]"))
        self.tile_shape: tuple[int, int, int] = file["images"].shape[1:]

    def __len__(self) -> int:
        return len(self._file["ids"])

    @property
    def ids(self) -> npt.NDArray[np.object_]:
        """(N,) ids."""
        return self._file["ids"].asstr()[:]

    @property
    def groups(self) -> npt.NDArray[np.object_]:
        """(N,) groups, '' where none was given."""
        return self._file["groups"].asstr()[:]

    @property
    def labels(self) -> npt.NDArray[np.int16]:
        """(N,) indices into `classes`, -1 = unlabelled."""
        return self._file["labels"][:]

    @property
    def parents(self) -> npt.NDArray[np.object_]:
        """(N,) ids of the parents; only in files of variants."""
        return self._file["parents"].asstr()[:]

    def read(self, rows: npt.NDArray[np.integer] | slice = slice(None)) -> Rows:
        """Return the given rows, in the order asked for."""
        if isinstance(rows, slice):
            rows = np.arange(len(self))[rows]
        increasing, back = np.unique(rows, return_inverse=True)
        columns = {name: self._read_column(name, increasing) for name in self._columns}
        return Rows(**{name: column[back] for name, column in columns.items()})

    @property
    def _columns(self) -> list[str]:
        return [field.name for field in fields(Rows) if field.name in self._file]

    def _read_column(self, name: str, rows: npt.NDArray[np.integer]) -> npt.NDArray[Any]:
        column = self._file[name].asstr() if name in TEXT_COLUMNS else self._file[name]
        if not len(rows):
            return column[:0]
        first, last = int(rows[0]), int(rows[-1]) + 1
        # HDF5 selects single rows slowly, and of a column without numbers not at all: unless
        # they lie far apart, all between are read too.
        if last - first <= 8 * len(rows) or 0 in self._file[name].shape:
            return column[first:last][rows - first]
        return column[rows]


class DatasetWriter:
    """Appends windows of rows to a new dataset file."""

    def __init__(self, file: h5py.File, tile_shape: tuple[int, int, int], draw_count: int | None):
        self._file = file
        self._tile_shape = tile_shape
        self._columns: dict[str, tuple[tuple[int, ...], object]] = {
            "labels": ((), np.int16),
            "ids": ((), TEXT),
            "groups": ((), TEXT),
        }
        if draw_count is not None:
            self._columns |= {"parents": ((), TEXT), "draws": ((draw_count,), np.float64)}

    def append(self, rows: Rows) -> None:
        """Append rows; the first window decides whether the images are compressed."""
        if "images" not in self._file:
            self._create(rows.images)
        for name in ("images", *self._columns):
            _append(self._file[name], getattr(rows, name))

    def close(self) -> None:
        """Complete the file; a file without rows still has every column."""
        if "images" not in self._file:
            self._create(np.empty((0, *self._tile_shape), np.uint8))

    def _create(self, images: Pixels) -> None:
        tile_bytes = max(1, int(np.prod(self._tile_shape)))
        _create_column(
            self._file,
            "images",
            self._tile_shape,
            np.uint8,
            chunk_rows=max(1, CHUNK_BYTES // tile_bytes),
            compress=_worth_compressing(images),
        )
        for name, (shape, dtype) in self._columns.items():
            _create_column(self._file, name, shape, dtype, chunk_rows=1024)


@contextmanager
def create_dataset(
    path: Path,
    *,
    tile_shape: tuple[int, int, int],
    classes: Sequence[str],
    made_by: Mapping[str, object],
    draw_names: Sequence[str] | None = None,
) -> Iterator[DatasetWriter]:
    """Write a dataset file at `path`, whole or not at all; with `draw_names` one of variants."""
    with whole_file(path) as part, h5py.File(part, "w", libver="v110") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["classes"] = json.dumps(list(classes), ensure_ascii=False)
        file.attrs["made_by"] = json.dumps(dict(made_by), sort_keys=True, ensure_ascii=False)
        if draw_names is not None:
            file.attrs["draws"] = json.dumps(list(draw_names))
        writer = DatasetWriter(file, tile_shape, None if draw_names is None else len(draw_names))
        yield writer
        writer.close()


@contextmanager
def open_dataset(path: Path) -> Iterator[DatasetFile]:
    """Open a dataset file for reading.

    Raises DataError when it is no dataset file, is damaged, or has a newer schema.
    """
    with _open(path) as file:
        try:
            dataset = DatasetFile(file, path)
        except (KeyError, ValueError) as error:
            raise _damaged(path, error) from error
        yield dataset


def write_glyphs(path: Path, glyphs: Iterable[tuple[str, Pixels]]) -> int:
    """Write (id, pixels (h, w)) pairs to a glyph file and return how many there were."""
    count = 0
    with whole_file(path) as part, h5py.File(part, "w", libver="v110") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION
        _create_column(file, "pixels", (), np.uint8, chunk_rows=CHUNK_BYTES, compress=True)
        _create_column(file, "shapes", (2,), np.int32, chunk_rows=1024)
        _create_column(file, "ids", (), TEXT, chunk_rows=1024)
        for window in _windows(glyphs, 256):
            ids, pictures = zip(*window, strict=True)
            _append(file["pixels"], np.concatenate([picture.ravel() for picture in pictures]))
            _append(file["shapes"], np.array([picture.shape for picture in pictures], np.int32))
            _append(file["ids"], np.array(ids, object))
            count += len(window)
    return count


def read_glyphs(path: Path) -> Iterator[tuple[str, Pixels]]:
    """Yield the (id, pixels (h, w)) pairs of a glyph file in its order, a window at a time."""
    with _open(path) as file:
        try:
            shapes, ids = file["shapes"][:], file["ids"].asstr()[:]
            ends = np.concatenate([[0], np.cumsum(shapes.prod(axis=1, dtype=np.int64))])
            for first in range(0, len(ids), 256):
                last = min(first + 256, len(ids))
                pixels = file["pixels"][ends[first] : ends[last]]
                for row in range(first, last):
                    start = ends[row] - ends[first]
                    yield ids[row], pixels[start : start + shapes[row].prod()].reshape(shapes[row])
        except (KeyError, ValueError, OSError) as error:
            raise _damaged(path, error) from error


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _damaged(path, error) from error
    with file:
        version = int(file.attrs.get("schema_version", 0))
        if version > SCHEMA_VERSION:
            raise DataError(
                f"{path} was written by a newer prep (schema {version}; this one reads up to "
                f"{SCHEMA_VERSION}). Update prep, or delete the file and run: dvc repro"
            )
        yield file


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is damaged or no file of prep's ({error}). Delete it and run: dvc repro"
    )


def _create_column(
    file: h5py.File,
    name: str,
    shape: tuple[int, ...],
    dtype: object,
    *,
    chunk_rows: int,
    compress: bool = False,
) -> None:
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


def _append(column: h5py.Dataset, values: npt.NDArray[np.generic]) -> None:
    start = len(column)
    column.resize(start + len(values), axis=0)
    column[start:] = values


def _worth_compressing(images: Pixels) -> bool:
    # Writing halves or better under gzip; photos barely shrink and are written ten times slower.
    sample = images[:64].tobytes()
    return len(zlib.compress(sample, 1)) < 0.7 * len(sample)


def _windows(glyphs: Iterable[tuple[str, Pixels]], size: int) -> Iterator[list[tuple[str, Pixels]]]:
    remaining = iter(glyphs)
    while window := list(itertools.islice(remaining, size)):
        yield window
