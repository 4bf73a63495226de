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

Images that come in order are appended window by window. Where several processes make them, the
file is written but for its images, and each process fills in some (`Room`).
"""

import io
import itertools
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.atomic import whole_file
from pipeline.dataset.heaps import check_heaps
from pipeline.errors import UnusableFileError

SCHEMA_VERSION = 1
CHUNK_BYTES = 1 << 18
READ_CHUNKS = 8  # that are read at once
TEXTS = 1 << 14  # that are read at once
TEXT = h5py.string_dtype("utf-8")
TEXT_COLUMNS = {"ids", "groups", "parents"}

# Type and number of axes of each column.
DATASET_COLUMNS = {"images": ("uint8", 4), "labels": ("int16", 1)} | dict.fromkeys(
    ("ids", "groups"), ("text", 1)
)
VARIANT_COLUMNS = {"parents": ("text", 1), "draws": ("float64", 2)}
GLYPH_COLUMNS = {"pixels": ("uint8", 1), "shapes": ("int32", 2), "ids": ("text", 1)}

MOST_EXPANSION = 1032  # gzip can't make more bytes out of one

REMEDY = "Delete it and run: dvc repro"

# What h5py was seen to raise for files cut short, with wrong bytes or of another kind.
_UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, RuntimeError, AttributeError, ArithmeticError,
)  # fmt: skip

Pixels = npt.NDArray[np.uint8]
Item = TypeVar("Item")


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
        """(N,) indices into `classes`, -1 = unlabelled."""
        return self._read_whole("labels")

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
        with _telling_damage(self.path):
            return Rows(**{name: self._read_column(name, rows) for name in self._columns})

    def read_images(self, rows: npt.NDArray[np.integer]) -> Pixels:
        """Return the images of the given rows, in the order asked for."""
        with _telling_damage(self.path):
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
        return starts[chunk] + place * tile_bytes

    def scan(self, name: str) -> Iterator[str]:
        """Yield the texts of a column, `ids`, `groups` or `parents`, with few in memory at once."""
        for start in range(0, len(self), TEXTS):
            with _telling_damage(self.path):
                texts = self._file[name].asstr()[start : start + TEXTS]
            yield from texts

    @property
    def _columns(self) -> list[str]:
        return [field.name for field in fields(Rows) if field.name in self._file]

    def _read_whole(self, name: str) -> npt.NDArray[Any]:
        with _telling_damage(self.path):
            column = self._file[name]
            return column.asstr()[:] if name in TEXT_COLUMNS else column[:]

    def _read_column(self, name: str, rows: npt.NDArray[np.integer]) -> npt.NDArray[Any]:
        stored = self._file[name]
        column = stored.asstr() if name in TEXT_COLUMNS else stored
        found = np.empty((len(rows), *stored.shape[1:]), stored.dtype)
        order = np.argsort(rows, kind="stable")
        # HDF5 reads single rows slowly, and a chunk only as a whole: all between is read too, a few
        # chunks at a time.
        block = READ_CHUNKS * (stored.chunks or (rows_per_chunk(self.tile_shape),))[0]
        edges = np.flatnonzero(np.diff(rows[order] // block)) + 1
        for places in np.split(order, edges) if len(rows) else []:
            first, last = rows[places[0]], rows[places[-1]] + 1
            found[places] = column[first:last][rows[places] - first]
        return found


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
    ) -> None:
        self._file = file
        self._disk = disk
        self._tile_shape = tile_shape
        self._packed = 0  # chunks that have been appended
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
            self._create(compress=_worth_compressing(rows.images))
        for name in ("images", *self._columns):
            _append(self._file[name], getattr(rows, name))
        self._disk.check()

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
            _append(self._file[name], columns[name])
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

    def _create(self, *, compress: bool) -> None:
        chunk_rows = rows_per_chunk(self._tile_shape)
        _create_column(
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
            _create_column(self._file, name, shape, dtype, chunk_rows=1024)


def rows_per_chunk(tile_shape: tuple[int, ...]) -> int:
    """Return how many tiles lie in one chunk of a file."""
    return max(1, CHUNK_BYTES // max(1, int(np.prod(tile_shape))))


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
    with _create(path) as (file, disk):
        file.attrs["classes"] = json.dumps(list(classes), ensure_ascii=False)
        file.attrs["made_by"] = json.dumps(dict(made_by), sort_keys=True, ensure_ascii=False)
        if draw_names is not None:
            file.attrs["draws"] = json.dumps(list(draw_names))
        draw_count = None if draw_names is None else len(draw_names)
        writer = DatasetWriter(file, disk, tile_shape, draw_count)
        yield writer
        writer.close()


@contextmanager
def open_dataset(path: Path) -> Iterator[DatasetFile]:
    """Open a dataset file for reading.

    Raises DataError when it is no dataset file, is damaged, or has another schema.
    """
    with _open(path) as file:
        try:
            variants = "draws" in file or "draws" in file.attrs
            _check_columns(file, DATASET_COLUMNS | (VARIANT_COLUMNS if variants else {}))
            dataset = DatasetFile(file, path)
            _check_widths(file, dataset)
        except _UNREADABLE as error:
            raise _damaged(path, error) from error
        yield dataset


def write_glyphs(path: Path, glyphs: Iterable[tuple[str, Pixels]]) -> int:
    """Write (id, pixels (h, w)) pairs to a glyph file and return how many there were."""
    count = 0
    with _create(path) as (file, disk):
        _create_column(file, "pixels", (), np.uint8, chunk_rows=CHUNK_BYTES, compress=True)
        _create_column(file, "shapes", (2,), np.int32, chunk_rows=1024)
        _create_column(file, "ids", (), TEXT, chunk_rows=1024)
        for window in in_windows(glyphs, 256):
            ids, pictures = zip(*window, strict=True)
            _append(file["pixels"], np.concatenate([picture.ravel() for picture in pictures]))
            _append(file["shapes"], np.array([picture.shape for picture in pictures], np.int32))
            _append(file["ids"], np.array(ids, object))
            disk.check()
            count += len(window)
    return count


def read_glyphs(path: Path) -> Iterator[tuple[str, Pixels]]:
    """Yield the (id, pixels (h, w)) pairs of a glyph file in its order, a window at a time."""
    with _open(path) as file:
        try:
            _check_columns(file, GLYPH_COLUMNS)
            shapes, ids = _read_shapes(file), file["ids"].asstr()[:]
            ends = np.concatenate([[0], np.cumsum(shapes.prod(axis=1, dtype=np.int64))])
            for first in range(0, len(ids), 256):
                last = min(first + 256, len(ids))
                pixels = file["pixels"][ends[first] : ends[last]]
                for row in range(first, last):
                    start = ends[row] - ends[first]
                    yield ids[row], pixels[start : start + shapes[row].prod()].reshape(shapes[row])
        except _UNREADABLE as error:
            raise _damaged(path, error) from error


def read_glyph_ids(path: Path) -> list[str]:
    """Return the ids of a glyph file; raises DataError where its shapes and pixels disagree."""
    with _open(path) as file:
        try:
            _check_columns(file, GLYPH_COLUMNS)
            _read_shapes(file)
            return list(file["ids"].asstr()[:])
        except _UNREADABLE as error:
            raise _damaged(path, error) from error


@contextmanager
def _create(path: Path) -> Iterator[tuple[h5py.File, NewFile]]:
    """Open a new file of the schema; raises OSError where it can't be written."""
    with whole_file(path) as part, NewFile(part) as disk:
        try:
            with h5py.File(disk, "w", libver="v110") as file:
                file.attrs["schema_version"] = SCHEMA_VERSION
                yield file, disk
        finally:
            disk.check()  # before whatever HDF5 made of it


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _damaged(path, error) from error
    with file:
        try:
            _check_version(path, int(file.attrs.get("schema_version", 0)))
            _check_parts(file)
            _check_texts(path, file)
        except _UNREADABLE as error:
            raise _damaged(path, error) from error
        yield file


@contextmanager
def _telling_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, LookupError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error


def _check_version(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise UnusableFileError(
            path,
            f"was written by a newer prep (schema {version}; this one reads up to "
            f"{SCHEMA_VERSION})",
            "Update prep, or delete the file and run: dvc repro",
        )
    if version < SCHEMA_VERSION:
        raise UnusableFileError(
            path,
            f"is no file of prep's, or one of an older prep (schema {version}; this one reads "
            f"{SCHEMA_VERSION})",
            REMEDY,
        )


def _check_parts(file: h5py.File) -> None:
    """Raise ValueError when a part lies outside the file, or claims more bytes than it can hold.

    A file from elsewhere could name another file's contents as its own, or fill all memory.
    """
    for name in file:
        link = file.get(name, getlink=True)
        column = file[name] if isinstance(link, h5py.HardLink) else None
        if not isinstance(column, h5py.Dataset) or column.is_virtual or column.external:
            raise ValueError(f"'{name}' is no column that lies in the file")
        if column.nbytes > MOST_EXPANSION * column.id.get_storage_size():
            raise ValueError(f"'{name}' claims {column.nbytes:,} bytes and has no room for them")


def _check_texts(path: Path, file: h5py.File) -> None:
    """Raise ValueError when texts are damaged: HDF5 might never come back from reading them."""
    pictures = [file[name] for name in ("images", "pixels") if name in file]
    spans = sorted(span for column in pictures for span in _list_spans(column))
    state = path.stat()
    check_heaps(path, state.st_size, state.st_mtime_ns, tuple(spans))


def _list_spans(column: h5py.Dataset) -> list[tuple[int, int]]:
    """Return from where to where in the file the values of a column lie, in bytes."""
    spans: list[tuple[int, int]] = []
    if column.chunks is None:
        start = column.id.get_offset()
        return spans if start is None else [(start, start + column.id.get_storage_size())]
    column.id.chunk_iter(
        lambda stored: spans.append((stored.byte_offset, stored.byte_offset + stored.size))
    )
    return spans


def _check_columns(file: h5py.File, columns: Mapping[str, tuple[str, int]]) -> None:
    """Raise ValueError unless the columns have these types and axes, and all as many rows."""
    for name, (wanted, axes) in columns.items():
        column = file[name]
        found = "text" if h5py.check_string_dtype(column.dtype) else str(column.dtype)
        if (found, column.ndim) != (wanted, axes):
            raise ValueError(f"'{name}' is {found} with {column.ndim} axes, not {wanted}")
        if name != "pixels" and len(column) != len(file["ids"]):
            raise ValueError(f"{len(column):,} {name} for {len(file['ids']):,} ids")


def _check_widths(file: h5py.File, dataset: DatasetFile) -> None:
    """Raise ValueError when tiles have no pixels, or a draw has no name or a name no draw."""
    if not all(dataset.tile_shape):
        raise ValueError(f"its tiles have the shape {dataset.tile_shape}")
    drawn = file["draws"].shape[1] if "draws" in file else 0
    if drawn != len(dataset.draw_names):
        raise ValueError(f"{drawn} draws for {len(dataset.draw_names)} names of draws")


def _read_names(file: h5py.File, attribute: str) -> list[str]:
    names = json.loads(file.attrs[attribute])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"its attribute '{attribute}' is no list of names")
    return names


def _read_maker(file: h5py.File) -> dict[str, object]:
    maker = json.loads(file.attrs["made_by"])
    if not isinstance(maker, dict):
        raise ValueError("its attribute 'made_by' is no JSON object")
    return maker


def _read_shapes(file: h5py.File) -> npt.NDArray[np.int64]:
    """Return the (N, 2) heights and widths of a glyph file; ValueError unless its pixels fit."""
    shapes: npt.NDArray[np.int64] = file["shapes"][:].astype(np.int64)
    fitting = shapes.shape[1] == 2 and (shapes >= 1).all()
    if not fitting or shapes.prod(axis=1).sum() != len(file["pixels"]):
        raise ValueError("the shapes of its glyphs do not make up its pixels")
    return shapes


def _damaged(path: Path, error: Exception) -> UnusableFileError:
    return UnusableFileError(path, f"is damaged or no file of prep's ({error})", REMEDY)


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


def _create_plain(file: h5py.File, name: str, shape: tuple[int, ...]) -> None:
    """Create a column of bytes that lie one after the other in the file, to be written there."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    file.create_dataset(name, shape, np.uint8, dcpl=properties, track_times=False)


def _append(column: h5py.Dataset, values: npt.NDArray[np.generic]) -> None:
    start = len(column)
    column.resize(start + len(values), axis=0)
    column[start:] = values


def _worth_compressing(images: Pixels) -> bool:
    # Writing halves or better under gzip; photos barely shrink and are written ten times slower.
    sample = images[:64].tobytes()
    return len(zlib.compress(sample, 1)) < 0.7 * len(sample)


def in_windows(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of up to `size` items."""
    remaining = iter(items)
    while window := list(itertools.islice(remaining, size)):
        yield window
