"""MNIST's own file format (IDX): bytes -> arrays.

A file is a magic number, its dimensions and its values, everything big-endian, often gzipped
(yann.lecun.com/exdb/mnist, "the IDX file format"). Pictures come as uint8 (N, H, W), as they are
in the file: MNIST's are ink 255 on 0; EMNIST's are stored transposed.
"""

import gzip
import io
import math
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError
from pipeline.intake.arrays.content import MAX_BYTES

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_RANKS = range(1, 9)  # numbers of dimensions that are believed


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


def is_idx(data: bytes) -> bool:
    """Return whether bytes begin as an IDX file does, gzipped or not."""
    if data.startswith(b"\x1f\x8b"):
        try:
            data = zlib.decompressobj(wbits=31).decompress(data[:1024], 4)
        except zlib.error:
            return False
    return len(data) >= 4 and data[:2] == b"\0\0" and data[2] in _TYPES and data[3] in _RANKS


def _read_header(stream: io.BufferedIOBase) -> tuple[np.dtype, tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] not in _RANKS:
        raise DataError(f"not an IDX file (starts with '{ascii(magic)[2:-1]}')")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError("truncated: the IDX file ends in its header")
    return np.dtype(_TYPES[magic[2]]), struct.unpack(f">{magic[3]}I", sizes)


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{side:,}" for side in shape)
