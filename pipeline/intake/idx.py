"""MNIST's own file format (IDX): bytes -> arrays, and which labels belong to which pictures.

A file is a magic number, its dimensions and its values, everything big-endian, often gzipped
(yann.lecun.com/exdb/mnist, "the IDX file format"). Pictures come as uint8 (N, H, W), as they are
in the file: MNIST's are ink 255 on 0; EMNIST's are stored transposed.
"""

import gzip
import hashlib
import io
import math
import re
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError
from pipeline.intake.files import PictureFile
from pipeline.intake.kinds import explain_table
from pipeline.intake.names import compose_name

MAX_BYTES = 2 * 2**30  # of one unpacked file; EMNIST's largest has half a gigabyte

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_RANKS = range(1, 9)  # numbers of dimensions that are believed
_NAME = re.compile(r"(?P<set>.*)(?P<kind>images|labels)[^/]*", re.IGNORECASE)


@dataclass(frozen=True)
class IdxPair:
    """A file of pictures and the file of their labels."""

    images: PictureFile
    labels: PictureFile

    def read(self, root: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], str]:
        """Return the pictures (N, H, W), their labels (N,) and the picture file's sha256.

        Raises DataError, with the file's name, when one of them cannot be used.
        """
        data, pictures = _read_named(root, self.images)
        labels = _read_named(root, self.labels)[1]
        if pictures.dtype != np.uint8 or pictures.ndim != 3:
            raise DataError(
                f"{_name(self.images)}: pictures must be unsigned bytes in 3 dimensions, "
                f"not {pictures.dtype} in {pictures.ndim}"
            )
        if 0 in pictures.shape[1:]:
            raise DataError(f"{_name(self.images)}: its pictures have no pixels")
        if labels.dtype.kind not in "ui" or labels.ndim != 1:
            raise DataError(
                f"{_name(self.labels)}: labels must be whole numbers in 1 dimension, "
                f"not {labels.dtype} in {labels.ndim}"
            )
        if len(labels) != len(pictures):
            raise DataError(
                f"{_name(self.labels)} has {len(labels):,} labels for the {len(pictures):,} "
                f"pictures of {_name(self.images)}"
            )
        digest = hashlib.sha256(data).hexdigest()
        return pictures, labels.astype(np.int64), digest


def read_idx(data: bytes, *, max_bytes: int = MAX_BYTES) -> npt.NDArray[Any]:
    """Return the array of an IDX file, gzipped or not, in its own shape and type.

    Raises DataError when it is no IDX file, damaged, shorter or longer than its header says, or
    when its header asks for more than max_bytes.
    """
    stream: io.BufferedIOBase = io.BytesIO(data)
    if data.startswith(b"\x1f\x8b"):
        stream = gzip.GzipFile(fileobj=stream)
    try:
        dtype, shape = _read_header(stream)
        size = math.prod(shape) * dtype.itemsize
        if math.prod(max(side, 1) for side in shape) * dtype.itemsize > max_bytes:
            raise DataError(f"too large: its header asks for {_shape(shape)} values")
        values = stream.read(size + 1)  # one more: nothing may follow, and gzip checks its sum
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"damaged gzip file: {error}") from error
    if len(values) != size:
        found = "more follow" if len(values) > size else f"only {len(values):,} follow"
        raise DataError(f"its header asks for {_shape(shape)} values, {size:,} bytes, but {found}")
    native = np.frombuffer(values, dtype).astype(dtype.newbyteorder("="), copy=False)
    return native.reshape(shape)


def pair_files(files: Iterable[PictureFile]) -> list[IdxPair]:
    """Return each file of pictures with the file of its labels, in the files' order.

    They are told by their names: `train-images-idx3-ubyte` goes with `train-labels-idx1-ubyte`,
    whatever stands before and after the word, `.gz` or not. Raises DataError for a file whose
    name has neither word, for one without its partner, and for two files of one name.
    """
    sets: dict[str, dict[str, PictureFile]] = {}
    for file in files:
        found = _NAME.fullmatch(_name(file))
        if not found:
            if table := explain_table(_name(file)):
                raise DataError(table)
            raise DataError(
                f"{_name(file)}: the name of an IDX file says what it holds, as in "
                f"train-images-idx3-ubyte and train-labels-idx1-ubyte"
            )
        kind = found["kind"].lower()
        other = sets.setdefault(compose_name(found["set"]), {}).setdefault(kind, file)
        if other is not file:
            raise DataError(f"{_name(other)} and {_name(file)} are two files of the same {kind}")
    return [_pair(both) for both in sets.values()]


def _pair(both: dict[str, PictureFile]) -> IdxPair:
    for kind, missing in (("images", "labels"), ("labels", "images")):
        if missing not in both:
            there = _name(both[kind])
            expected = there.rpartition(kind)[0] + missing
            raise DataError(f"{there} has no file of {missing} beside it: {expected}... expected")
    return IdxPair(both["images"], both["labels"])


def _read_header(stream: io.BufferedIOBase) -> tuple[np.dtype, tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] not in _RANKS:
        raise DataError(f"not an IDX file (starts with '{ascii(magic)[2:-1]}')")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError("truncated: the IDX file ends in its header")
    return np.dtype(_TYPES[magic[2]]), struct.unpack(f">{magic[3]}I", sizes)


def _read_named(root: Path, file: PictureFile) -> tuple[bytes, npt.NDArray[Any]]:
    try:
        data = file.read(root)
        return data, read_idx(data)
    except DataError as error:
        raise DataError(f"{_name(file)}: {error}") from error


def _name(file: PictureFile) -> str:
    return f"{file.source}/{file.member}" if file.member else file.source


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{side:,}" for side in shape)
