"""The schema of the HDF5 files: what their columns are called and hold.

A *dataset file* holds

    images   uint8   (N, S, S, C)   writing: ink bright on 0; photos: RGB
    labels   int16   (N,)           index into the attribute `classes`; -1 = unlabelled, -2 = left
                                    out by a person
    ids      text    (N,)           unique
    groups   text    (N,)           what a split must not tear apart; '' = on its own

where a person changed or took away a label also

    found    int16   (N,)           the label that was found before that; -1 = none

and a file of variants also

    parents  text    (N,)           the id of the tile that each variant was made from
    draws    float64 (N, k)         the exact numbers that made it, named in the attribute `draws`

The file's attributes say the schema version, the class names and what made it. A *glyph file*
holds pictures of any size: `pixels` end to end, `shapes` (N, 2) height and width, `ids` (N,).

Texts are UTF-8 of a fixed length, that of the column's longest, filled up with zero bytes: HDF5
keeps texts of any length in heaps, and looks for ever for the end of one that is damaged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.dataset.tables import LEFT_OUT

UNLABELLED = -1  # in the place of a label
LEFT_OUT_LABEL = -2
SCHEMA_VERSION = 2  # 1 had texts of any length
CHUNK_BYTES = 1 << 18
TEXT_COLUMNS = {"ids", "groups", "parents"}

# Type and number of axes of each column.
DATASET_COLUMNS = {
    "images": ("uint8", 4),
    "labels": ("int16", 1),
    "ids": ("text", 1),
    "groups": ("text", 1),
}
CORRECTED_COLUMNS = {"found": ("int16", 1)}
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
    found: npt.NDArray[np.int16] | None = None
    parents: npt.NDArray[np.object_] | None = None
    draws: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.ids)


def name_labels(labels: npt.NDArray[np.integer], classes: Sequence[str]) -> npt.NDArray[np.object_]:
    """Return labels (N,) as words: the class, '' for one unlabelled, '-' for one left out."""
    words = np.array([*classes, LEFT_OUT, ""], object)  # -2 and -1 count from the end
    names: npt.NDArray[np.object_] = words[labels]
    return names


def number_labels(names: Iterable[str], classes: Sequence[str]) -> npt.NDArray[np.int16]:
    """Return what name_labels was given; KeyError for the name of no class."""
    number = {name: one for one, name in enumerate(classes)}
    number |= {"": UNLABELLED, LEFT_OUT: LEFT_OUT_LABEL}
    return np.array([number[name] for name in names], np.int16)


def rows_per_chunk(tile_shape: tuple[int, ...]) -> int:
    """Return how many tiles lie in one chunk of a file."""
    return max(1, CHUNK_BYTES // max(1, int(np.prod(tile_shape))))


def encode_texts(texts: Iterable[str]) -> npt.NDArray[np.bytes_]:
    """Return texts (N,) as a column or attribute holds them; ValueError for a zero byte in one."""
    encoded = [text.encode() for text in texts]
    if any(b"\0" in text for text in encoded):
        raise ValueError("a text holds a zero byte")
    longest = max(map(len, encoded), default=0)
    return np.array(encoded, h5py.string_dtype("utf-8", max(1, longest)))


def is_fixed_text(dtype: np.dtype) -> bool:
    """Return whether a column or attribute holds texts of a fixed length."""
    kind = h5py.check_string_dtype(dtype)
    return kind is not None and kind.length is not None
