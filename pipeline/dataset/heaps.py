"""The heaps in which an HDF5 file keeps its texts: are they whole?

HDF5 (2.0) looks forever for the end of one in which a block of zeros stands, as a lost sector of a
disk leaves it. The form of a heap is that of the HDF5 File Format Specification 3.0, III.E.
"""

import mmap
import struct
from functools import lru_cache
from pathlib import Path

_SIGNATURE = b"GCOL\1\0\0\0"
_SIZE = struct.Struct("<Q")
_ITEM = struct.Struct("<H6xQ")  # its number, 0 is the free space at the end; its size


@lru_cache(maxsize=64)
def check_heaps(path: Path, size: int, changed: int, pictures: tuple[tuple[int, int], ...]) -> None:
    """Raise ValueError when a heap of an HDF5 file is damaged.

    It is not searched where pictures lie, (from, to) in bytes, in order. `size` and `changed` (a
    time) tell the file from one that was there before.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place = 0
        for start, end in (*pictures, (len(data), len(data))):
            while (place := data.find(_SIGNATURE, place, start)) >= 0:
                place = _find_end(data, place)
            place = end


def _find_end(data: mmap.mmap, heap: int) -> int:
    """Return where a heap ends; ValueError when its items do not fill it."""
    if heap + 16 > len(data):
        raise ValueError("the file breaks off in its texts")
    end = min(heap + _SIZE.unpack_from(data, heap + 8)[0], len(data))
    item = heap + 16
    while item + _ITEM.size <= end:
        number, size = _ITEM.unpack_from(data, item)
        item += _ITEM.size + -(-size // 8) * 8 if number else size
        if item > end or (not number and size < _ITEM.size):
            raise ValueError("its texts are damaged")
    return max(end, heap + 16)
