"""TODO pipeline/dataset/schema.py."""

from dataclasses import dataclass

import h5py
import numpy as np
import numpy.typing as npt

SCHEMA_VERSION = 1
CHUNK_BYTES = 1 << 18
TEXT = h5py.string_dtype("utf-8")
TEXT_COLUMNS = {"ids", "groups", "parents"}

# Type and number of axes of each column.
DATASET_COLUMNS = {"images": ("uint8", 4), "labels": ("int16", 1)} | dict.fromkeys(
    ("ids", "groups"), ("text", 1)
)
VARIANT_COLUMNS = {"parents": ("text", 1), "draws": ("float64", 2)}
GLYPH_COLUMNS = {"pixels": ("uint8", 1), "shapes": ("int32", 2), "ids": ("text", 1)}
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


def rows_per_chunk(tile_shape: tuple[int, ...]) -> int:
    """Return how many tiles lie in one chunk of a file."""
    return max(1, CHUNK_BYTES // max(1, int(np.prod(tile_shape))))
