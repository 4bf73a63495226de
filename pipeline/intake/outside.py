"""Labelled tiles from outside the project: another project's tiles.h5, or a folder of IDX files.

Tiles are uint8 (N, S, S, C); labels int64 (N,) are indices into the classes' names.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.dataset.reading import FIRST_FOLD, Part, read_part
from pipeline.dataset.store import open_dataset
from pipeline.errors import DataError, nearest
from pipeline.intake.files import PictureFile
from pipeline.intake.idx import IdxPair, pair_files
from pipeline.intake.names import compose_name
from pipeline.project import require_made

MOST_LABEL = 32_767  # that a dataset has room for


@dataclass(frozen=True)
class Outside:
    """Tiles with their labels."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    classes: list[str]


def read_outside(path: Path, part: Part) -> Outside:
    """Return the training or the test tiles found at a path.

    Of a tiles.h5 the split.csv beside it says which they are (of several folds, the first); of IDX
    files their names do, `test` or `t10k`. Where nothing says so, all tiles serve for both.
    """
    if path.is_dir():
        return _read_idx_folder(path, part)
    if not path.is_file():
        raise DataError(f"There is no tiles.h5 and no folder of IDX files at {path}")
    with open_dataset(require_made(path)) as tiles:
        chosen = tiles.labels >= 0
        if path.with_name("split.csv").is_file():
            wanted = read_part(require_made(path.with_name("split.csv")), part, FIRST_FOLD)
            chosen &= np.array([tile_id in wanted for tile_id in tiles.ids], bool)
        found = tiles.read(np.flatnonzero(chosen))
        if (found.labels >= len(tiles.classes)).any():
            raise DataError(f"{path}: a label is none of its {len(tiles.classes)} classes")
        classes = [compose_name(name) for name in tiles.classes]
        return Outside(found.images, found.labels.astype(np.int64), classes)


def _read_idx_folder(folder: Path, part: Part) -> Outside:
    """Return the pictures of a folder of IDX files; their classes are the labels' numbers."""
    files = [PictureFile(path.name) for path in sorted(folder.iterdir()) if "idx" in path.name]
    pairs = pair_files(files)
    if not pairs:
        raise DataError(f"{folder} holds no IDX files, as in train-images-idx3-ubyte.gz")
    chosen = [pair for pair in pairs if _is_test(pair) == (part == "test")] or pairs
    images, labels, _ = zip(*(pair.read(folder) for pair in chosen), strict=True)
    every = np.concatenate(labels)
    if not len(every) or every.min() < 0 or every.max() > MOST_LABEL:
        raise DataError(f"{folder}: labels have to be numbers from 0 to {MOST_LABEL:,}")
    sizes = {pictures.shape[1:] for pictures in images}
    if len(sizes) > 1:
        told = " and ".join(f"{height} x {width}" for height, width in sorted(sizes))
        raise DataError(f"{folder}: its pictures have different sizes, {told}")
    classes = [str(number) for number in range(int(every.max()) + 1)]
    return Outside(np.concatenate(images)[..., None], every.astype(np.int64), classes)


def _is_test(pair: IdxPair) -> bool:
    """Return whether the names say that these pictures are a test set."""
    return any(word in pair.images.source.lower() for word in ("test", "t10k"))


def rename_classes(outside: Outside, classes: tuple[str, ...], where: Path) -> Outside:
    """Return the tiles with their labels counted in the given classes."""
    places = {name: number for number, name in enumerate(classes)}
    for name in outside.classes:
        if name not in places:
            raise DataError(
                f"{where} has the class '{name}', which is not in params.yaml."
                f"{nearest(name, classes)}"
            )
    order = np.array([places[name] for name in outside.classes], np.int64)
    return Outside(outside.images, order[outside.labels], list(classes))
