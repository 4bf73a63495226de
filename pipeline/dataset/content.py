"""What sets of tiles hold, as digests: equal digests mean equal pixels, labels and names, in order.

A picture's digest is the SHA-256 of its pixels; those of many are uint8 (N, 32).
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Digests = npt.NDArray[np.uint8]  # (N, 32)


def digest_pictures(windows: Iterable[Pixels]) -> Digests:
    """Return the digest of each picture of some windows (n, H, W, C)."""
    digests = b"".join(
        hashlib.sha256(np.ascontiguousarray(picture).data).digest()
        for window in windows
        for picture in window
    )
    return np.frombuffer(digests, np.uint8).reshape(-1, 32)


def digest_set(
    pictures: Digests, labels: npt.NDArray[np.integer], names: npt.NDArray[np.object_]
) -> str:
    """Return the digest of a set (N,) of pictures with their labels and names, in this order."""
    parts = [pictures.tobytes(), labels.astype("<i8").tobytes(), "\0".join(names).encode()]
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()
