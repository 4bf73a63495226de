"""NumPy's own files: .npy, and the members of an .npz, which is an archive of them."""

import io
import math
from tokenize import TokenError

import numpy as np
from numpy.lib import format as npy

from pipeline.errors import DataError
from pipeline.intake.arrays.content import MAX_BYTES, Values, quote

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
# What NumPy is known to raise on a broken header, which is read as Python writes a dict.
_DAMAGE = (
    ValueError, EOFError, SyntaxError, TypeError, LookupError, TokenError, RecursionError,
)  # fmt: skip
_PICKLED = (
    "it holds Python objects, that is a pickle, which may run code and is never opened. Save it "
    "again as one array of numbers, all pictures of one size: np.save('x.npy', np.stack(list(x)))"
)


def read_npy(data: bytes) -> Values:
    """Return the array of an .npy file; raises DataError when it is damaged, huge or a pickle."""
    stream = io.BytesIO(data)
    try:
        version = npy.read_magic(stream)
        if version not in _HEADERS:
            raise DataError(f"an .npy file of version {version[0]}.{version[1]}, which is not read")
        shape, is_fortran, dtype = _HEADERS[version](stream)
    except _DAMAGE as error:
        raise DataError(f"damaged .npy file: {quote(str(error))}") from error
    if dtype.hasobject:
        raise DataError(_PICKLED)
    if dtype.names or dtype.subdtype or not dtype.itemsize:
        raise DataError(f"its type is {quote(str(dtype))}: save plain numbers")
    if any(type(side) is not int or side < 0 for side in shape):
        raise DataError(f"damaged .npy file: its header says the shape {quote(str(shape))}")
    if max(shape, default=0) > MAX_BYTES or math.prod(shape) * dtype.itemsize > MAX_BYTES:
        raise DataError(f"too large: its header asks for {shape} values")
    size, found = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if size != found:
        raise DataError(
            f"damaged .npy file: it should hold {size:,} bytes of values, not {found:,}"
        )
    values = np.frombuffer(data, dtype, offset=stream.tell())
    return values.reshape(shape, order="F" if is_fortran else "C")
