"""The one door to sets of arrays: a set of files -> its pictures, labels, parts and groups.

What a file holds in several arrays (train and test in a .mat) is counted through, part after part:
that number is a picture's page in the catalogue, and its place when pictures are read back.
"""

import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from pipeline.errors import DataError
from pipeline.intake import images
from pipeline.intake.archives import read_within
from pipeline.intake.arrays.beside import read_column, read_groups_of_labels, read_names
from pipeline.intake.arrays.content import MAX_BYTES, ArrayPart, Picture, Reading, Values
from pipeline.intake.arrays.idx import is_idx, read_idx
from pipeline.intake.arrays.labelling import name_labels
from pipeline.intake.arrays.matlab import read_mat
from pipeline.intake.arrays.numpy_files import read_npy
from pipeline.intake.arrays.parquet import read_parquet
from pipeline.intake.arrays.sets import ArraySet, name_of
from pipeline.intake.arrays.shaping import is_dark_on_bright, swap_sides, to_pictures
from pipeline.intake.arrays.table import read_table
from pipeline.intake.arrays.words import is_idx_name
from pipeline.intake.files import PictureFile
from pipeline.intake.kinds import PictureError, recognise
from pipeline.intake.parts import read_part_of_path

_SAVE_AS = "save it as .npz, .npy, .csv, .parquet, IDX or as a .mat of version 7"
_FOREIGN = {
    rb"\x89HDF|MATLAB 7\.3": f"an HDF5 file (as Matlab's 7.3 are), which is not read: {_SAVE_AS}",
    rb"\x80[\x02-\x05]": f"a pickle, which may run code and is never opened: {_SAVE_AS}",
    rb"ARROW1|FEA1": f"an Arrow file, which is not read: {_SAVE_AS}",
    rb"PK\x03\x04": f"an archive or a spreadsheet, which is not read here: {_SAVE_AS}",
    rb"version https://git-lfs": "a Git LFS pointer, not the set itself: run git lfs pull",
    rb"\xff\xfe|\xfe\xff": "a table in UTF-16: save it as CSV UTF-8",
    rb"\s*<": "a web page, not a set: download it again",
}
_TRANSPOSED = "its pictures lie transposed, as {} has them, and are turned upright"
_SINGLE = "a single number, which is no set of pictures: not used"
_DARK = (
    "its pictures look like dark ink on bright paper, and writing is expected bright on dark: "
    "write invert: true into its source (or invert: false if they are meant so)"
)


@dataclass
class Labelled:
    """The pictures of one part, one after another, and what is known of each."""

    pictures: Iterable[Picture | DataError]
    labels: list[str] = field(default_factory=list)  # empty where nothing says any
    groups: list[str] = field(default_factory=list)
    split: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass
class Arrays:
    """What a set holds; the digest is that of the pictures' file and of how it is to be read."""

    sha256: str
    parts: list[Labelled]


def read_arrays(
    root: Path,
    files: ArraySet,
    reading: Reading,
    classes: Collection[str] = (),
    *,
    max_pixels: int = images.MAX_PIXELS,
) -> Arrays:
    """Return the pictures of a set with their labels, groups and the part that names say.

    Raises DataError, with the file's name, when one of its files cannot be used.
    """
    with _naming(files.images):
        data = files.images.read(root)
        parts = _read_parts(data, name_of(files.images), max_pixels)
    _add_beside(root, files, parts, classes)
    made = []
    if len(parts) == 1 and isinstance(parts[0].images, np.ndarray) and not parts[0].images.ndim:
        return Arrays(_digest(data, reading), [Labelled([], notes=[_SINGLE])])
    for one in parts:
        with _naming(files.images):
            pictures, notes = _make_pictures(one, reading)
        if isinstance(pictures, Iterator):
            pictures = _name_errors(pictures, files.images)
        labelled = Labelled(pictures, split=one.split, notes=notes)
        if one.labels is not None:
            _label(labelled, one, files, classes)
        if one.groups is not None:
            with _naming(files.groups or files.images):
                labelled.groups = name_labels(one.groups, {}, (), "group")[0]
            _check_count(one, labelled.groups, "groups", files.groups or files.images, files.images)
        made.append(labelled)
    return Arrays(_digest(data, reading), made)


def read_pictures(
    data: bytes, name: str, reading: Reading, *, max_pixels: int = images.MAX_PIXELS
) -> Iterator[Picture | DataError]:
    """Yield the pictures in the bytes of a set's file of that name, as read_arrays counts them."""
    for one in _read_parts(data, name, max_pixels):
        yield from _make_pictures(one, reading)[0]


def _name_errors(
    pictures: Iterator[Picture | DataError], file: PictureFile
) -> Iterator[Picture | DataError]:
    """Yield pictures that are made one by one; an error meanwhile begins with their file's name."""
    with _naming(file):
        yield from pictures


@contextmanager
def _naming(file: PictureFile) -> Iterator[None]:
    """Let a DataError begin with the name of the file that it is about."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{name_of(file)}: {error}") from error


def _digest(data: bytes, reading: Reading) -> str:
    """Return a digest that differs where a source says how pictures are read: so do their ids."""
    digest = hashlib.sha256(data)
    if reading != Reading():
        digest.update(f"{reading.transpose} {reading.invert}".encode())
    return digest.hexdigest()


def _read_parts(data: bytes, name: str, max_pixels: int) -> list[ArrayPart]:
    """Return what the bytes of a file hold, which say themselves what they are."""
    transposed = "EMNIST" if _is_emnist(name) else ""
    if is_idx(data):
        parts = [ArrayPart(read_idx(data), transposed=transposed, is_exact=True)]
    else:
        data = _unpack(data)
        if data.startswith(b"\x93NUMPY"):
            parts = [ArrayPart(read_npy(data))]
        elif data.startswith(b"PAR1"):
            parts = [read_parquet(data, max_pixels=max_pixels)]
        elif data.startswith(b"MATLAB 5") or PurePosixPath(name.lower()).suffix == ".mat":
            parts = read_mat(data)
        else:
            _refuse_foreign(data, name)
            parts = [read_table(data)]
            parts[0].transposed = transposed
    for one in parts:
        one.split = one.split or read_part_of_path(name)
    return parts


def _is_emnist(name: str) -> bool:
    """Return whether a file is called like those of EMNIST, whose pictures lie transposed."""
    return PurePosixPath(name.lower()).name.startswith("emnist")


def _unpack(data: bytes) -> bytes:
    """Return what a gzip holds, within the limit; other bytes as they are."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return read_within(stream, MAX_BYTES)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"damaged gzip file: {error}") from error


def _refuse_foreign(data: bytes, name: str) -> None:
    """Raise DataError for what is no table either."""
    for pattern, reason in _FOREIGN.items():
        if re.match(pattern, data[:100]):
            raise DataError(reason)
    if is_idx_name(name):
        read_idx(data)  # says why it is none
    try:
        kind = recognise(data)
    except PictureError:
        if min(data[:4096].translate(None, b"\t\r\n"), default=32) < 32:
            start = ascii(data[:8])[2:-1]
            raise DataError(
                f"no set of arrays that is known (starts with '{start}'): {_SAVE_AS}"
            ) from None
        return
    raise DataError(f"a picture ({kind}), not a set of arrays: such files go with layout whole")


def _add_beside(
    root: Path, files: ArraySet, parts: list[ArrayPart], classes: Collection[str]
) -> None:
    """Give a file's first part the labels and groups, and every part the names, beside it."""
    if files.labels:
        with _naming(files.labels):
            parts[0].labels = _read_column(root, files.labels, "labels", name_of(files.images))
            if parts[0].groups is None:
                parts[0].groups = _read_groups_of_labels(root, files.labels)
    if files.groups:
        with _naming(files.groups):
            parts[0].groups = _read_column(root, files.groups, "groups", name_of(files.images))
    if files.names:
        with _naming(files.names):
            names = _read_names(files.names.read(root), files.names, classes)
        for one in parts:
            one.names = one.names or names


def _read_column(
    root: Path, file: PictureFile, kind: Literal["labels", "groups"], pictures: str
) -> Values:
    """Return the array of a file of labels or groups, of any format, for a file of pictures."""
    data = file.read(root)
    if is_idx(data):
        return read_idx(data)
    data = _unpack(data)
    if data.startswith(b"\x93NUMPY"):
        return read_npy(data)
    if data.startswith(b"MATLAB 5"):
        raise DataError("labels in a Matlab file of their own are not read: save them with X")
    _refuse_foreign(data, name_of(file))
    return read_column(data, kind, pictures)


def _read_groups_of_labels(root: Path, file: PictureFile) -> Values | None:
    """Return the groups that stand in a table of labels; None where none do, or it is an array."""
    data = _unpack(file.read(root))
    is_array = is_idx(data) or data.startswith(b"\x93NUMPY")
    return None if is_array else read_groups_of_labels(data)


def _read_names(
    data: bytes, file: PictureFile, classes: Collection[str]
) -> dict[int, tuple[str, ...]]:
    """Return the names of labels: a list of them, or a mapping as EMNIST's."""
    data = _unpack(data)
    if data.startswith(b"\x93NUMPY"):
        names = read_npy(data)  # or how many there are
        listed = names.reshape(-1) if names.ndim else ()
        return {number: (str(text),) for number, text in enumerate(listed)}
    _refuse_foreign(data, name_of(file))
    is_mapping = re.search("map", name_of(file).rpartition("/")[2], re.IGNORECASE) is not None
    return read_names(data, classes, is_mapping=is_mapping)


def _make_pictures(
    one: ArrayPart, reading: Reading
) -> tuple[Iterable[Picture | DataError], list[str]]:
    """Return a part's pictures upright and bright on dark, and sentences about how."""
    wanted = bool(one.transposed) if reading.transpose is None else reading.transpose
    if not isinstance(one.images, np.ndarray):
        return (_turn(picture, wanted, bool(reading.invert)) for picture in one.images), []
    pictures, notes = to_pictures(one.images, is_exact=one.is_exact, where=one.where)
    if wanted:
        pictures = swap_sides(pictures)
    if wanted and reading.transpose is None:
        notes.append(_TRANSPOSED.format(one.transposed))
    if reading.invert:
        pictures = 255 - pictures
    elif reading.invert is None and is_dark_on_bright(pictures):
        notes.append(_DARK)
    return pictures, notes


def _turn(picture: Picture | DataError, transpose: bool, invert: bool) -> Picture | DataError:
    if isinstance(picture, DataError):
        return picture
    turned = np.swapaxes(picture, 0, 1) if transpose else picture
    return 255 - turned if invert else turned


def _label(labelled: Labelled, one: ArrayPart, files: ArraySet, classes: Collection[str]) -> None:
    """Name a part's labels, which have to be as many as its pictures."""
    assert one.labels is not None
    with _naming(files.labels or files.images):
        labelled.labels, notes = name_labels(one.labels, one.names, classes)
        labelled.notes += notes
    _check_count(one, labelled.labels, "labels", files.labels or files.images, files.images)


def _check_count(
    one: ArrayPart, said: list[str], what: str, file: PictureFile, pictures: PictureFile
) -> None:
    if len(said) != len(one):
        raise DataError(
            f"{name_of(file)} has {len(said):,} {what} for the {len(one):,} pictures of "
            f"{name_of(pictures)}"
        )
