"""Grey values of more than 8 bits become uint8.

16-bit values are scaled by the bits that the file says it uses; where it says nothing, by the
smallest of 8, 10, 12, 14 and 16 bits that holds all of them: cameras and scanners put 12 bits into
files of 16 and say so nowhere, and unscaled these would be all but black. So is a picture of true
16 bits whose brightest pixel is below a quarter of the range; it comes out brighter than it was,
which is told as well. (A file that is to stay dark says its range: sBIT in a PNG, MaxSampleValue
or BitsPerSample in a TIFF.)
"""

import struct

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_LIMITS = (255, 1023, 4095, 16383, 65535)  # of 8, 10, 12, 14 and 16 bits


def find_highest(values: npt.NDArray[np.generic], stated: int = 0) -> int:
    """Return which of 16-bit values is white; `stated` is what the file says, 0 for nothing.

    What is stated counts only where it holds all values.
    """
    brightest = int(values.max(initial=0))
    if stated and brightest <= stated <= 65535:
        return stated
    if not (values.astype(np.int64) % 257).any():  # 8 bits spread over 16; or all black
        return 65535
    return next(limit for limit in _LIMITS if brightest <= limit)


def scale_whole(values: npt.NDArray[np.generic], highest: int) -> Pixels:
    """Return 16-bit values 0..highest as uint8 0..255."""
    levels = np.rint(np.minimum(np.arange(65536) * 255 / highest, 255)).astype(np.uint8)
    return np.asarray(levels[values], np.uint8)


def scale_by_values(values: npt.NDArray[np.generic]) -> Pixels:
    """Return float or 32-bit values as uint8.

    They are scaled from 0..1, 0..255 or 0..65535, the smallest that holds all of them, or from
    their own lowest and highest where none does.
    """
    numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    lowest, highest = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    for top in (1, 255, 65535):
        if lowest >= 0 and highest <= top:
            lowest, highest = 0.0, float(top)
            break
    numbers = np.nan_to_num(numbers, nan=lowest, posinf=highest, neginf=lowest)
    return np.rint((numbers - lowest) * 255 / max(highest - lowest, 1e-30)).astype(np.uint8)


def read_significant_bits(png: bytes) -> int:
    """Return the bits of grey that a PNG says are significant (its chunk sBIT), 0 for none."""
    place = 8
    while place + 9 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        if kind == b"sBIT" and length:
            return png[place + 8]
        if kind == b"IDAT":
            break
        place += 12 + length
    return 0
