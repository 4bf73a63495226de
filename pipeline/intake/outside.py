"""Labelled tiles from outside the project: another project's tiles.h5, or a folder of arrays.

Tiles are uint8 (N, S, S, C); labels int64 (N,) are indices into the classes' names.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.dataset.reading import FIRST_FOLD, Part, read_part
from pipeline.dataset.store import open_dataset
from pipeline.errors import DataError, nearest
from pipeline.intake.arrays.content import Reading
from pipeline.intake.arrays.reading import Labelled, read_arrays
from pipeline.intake.arrays.rows import choose_files
from pipeline.intake.arrays.shaping import tell_sizes
from pipeline.intake.files import find_files_and_notes
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

    Of a tiles.h5 the split.csv beside it says which they are (of several folds, the first); of
    arrays their names do, `test` or `t10k`. Where nothing says so, all tiles serve for both.
    """
    if path.is_dir():
        return _read_array_folder(path, part)
    if not path.is_file():
        raise DataError(f"There is no tiles.h5 and no folder of arrays (IDX, .npz, ...) at {path}")
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


def _read_array_folder(folder: Path, part: Part) -> Outside:
    """Return the labelled pictures of a folder of arrays.

    Classes that are numbers are counted from 0; names come in their alphabet's order.
    """
    place = folder.resolve()
    sets = choose_files(*find_files_and_notes(place.parent, place.name))
    if not sets:
        raise DataError(f"{folder} holds no IDX files, as in train-images-idx3-ubyte.gz")
    found = [one for files in sets for one in read_arrays(place.parent, files, Reading()).parts]
    chosen = [one for one in found if (one.split == "test") == (part == "test")] or found
    images = [_stack(one, folder) for one in chosen]
    names = [label for one in chosen for label in one.labels]
    if len(names) != sum(map(len, images)):
        raise DataError(f"{folder}: every picture needs a label there")
    sizes = [pictures.shape[1:] for pictures in images]
    if len(set(sizes)) > 1:
        raise DataError(f"{folder}: its pictures have different sizes, {tell_sizes(sizes)}")
    labels, classes = _count_labels(names, folder)
    pictures = np.concatenate(images)
    return Outside(pictures[..., None] if pictures.ndim == 3 else pictures, labels, classes)


def _stack(one: Labelled, folder: Path) -> npt.NDArray[np.uint8]:
    """Return a part's pictures as one array; DataError where one can't be read, or sizes differ."""
    if isinstance(one.pictures, np.ndarray):
        return one.pictures
    pictures = list(one.pictures)
    for picture in pictures:
        if isinstance(picture, DataError):
            raise DataError(f"{folder}: {picture}")
    shapes = [picture.shape for picture in pictures if not isinstance(picture, DataError)]
    if len(set(shapes)) > 1:
        raise DataError(f"{folder}: its pictures have different sizes, {tell_sizes(shapes)}")
    return np.stack(pictures)  # type: ignore[arg-type]


def _count_labels(names: list[str], folder: Path) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return labels as indices into their classes, and these."""
    if all(names) and not all(name.lstrip("-").isdecimal() for name in names):
        classes, numbers = np.unique(names, return_inverse=True)
        return numbers.astype(np.int64), [str(name) for name in classes]
    every = [int(name or -1) for name in names]
    if not every or min(every) < 0 or max(every) > MOST_LABEL:
        raise DataError(f"{folder}: labels have to be numbers from 0 to {MOST_LABEL:,}")
    return np.array(every, np.int64), [str(number) for number in range(max(every) + 1)]


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
