"""prep augment: split.csv, tiles.h5 -> augmented/<op>/<class>.h5.

All that stands in these files is known before the first image is made, and where in them each image
goes. So they are written but for their images, and these are made window by window, by several
processes, which fill them in.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.augmentation import recipes
from pipeline.augmentation.recipes import Op
from pipeline.console import track, warn
from pipeline.dataset.reading import open_tiles, read_part
from pipeline.dataset.store import DatasetFile, open_dataset
from pipeline.dataset.writing import DatasetWriter, Room, create_dataset
from pipeline.errors import DataError, count_things
from pipeline.parallel import map_in_order
from pipeline.project import Project
from pipeline.settings.params import Params, choose

WINDOW = 32  # chunks of images that a process makes at once: 8 MB


@dataclass(frozen=True)
class _Parents:
    """The tiles of one class that some run trains on."""

    class_name: str
    label: int
    rows: npt.NDArray[np.int64]  # of tiles.h5, increasing
    ids: npt.NDArray[np.object_]
    groups: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class _Work:
    """Some parents of one class, what was drawn for their variants, and where these go."""

    rows: npt.NDArray[np.int64]
    draws: npt.NDArray[np.float64]
    room: Room
    start: int


def augment(
    project: Project,
    params: Params,
    only: str | None = None,
    class_name: str | None = None,
    jobs: int | None = None,
) -> str:
    """Write the variants of each op (or `only` one) of each class (or one)."""
    chosen_ops = choose(only, params.augment, "op", "augment")
    classes = choose(class_name, {name: name for name in params.classes}, "class", "classes")
    groups = read_part(project.input("split.csv"), "train")
    with open_tiles(project, params.classes) as tiles:
        parents = _find_parents(tiles, groups, classes)
        for op in chosen_ops:
            if class_name is None:
                _remove_others(project, op.name, params.classes)
            # Classes may lie in any order in tiles.h5: as many as go into a window are read as one.
            together = max(1, WINDOW // op.copies)
            for first in range(0, len(parents), together):
                _write_variants(project, tiles, op, parents[first : first + together], jobs)
    used, files = sum(map(len, parents)), len(chosen_ops) * len(parents)
    count = used * sum(op.copies for op in chosen_ops)
    where = f"{count_things(files, 'file')} under processed/augmented"
    return f"{count:,} variants in {where}, from {used:,} tiles"


def _find_parents(
    tiles: DatasetFile, groups: Mapping[str, str], classes: Sequence[str]
) -> list[_Parents]:
    """Return the tiles of each class that have a group; DataError when one is not there."""
    ids, labels = tiles.ids, tiles.labels
    trained = np.array([tile_id in groups for tile_id in ids], bool)
    if strangers := groups.keys() - set(ids[trained]):
        raise DataError(
            f"processed/split.csv names {min(strangers)}, which is not in tiles.h5. Bring all up "
            "to date with: dvc repro split"
        )
    found = []
    for name in classes:
        label = tiles.classes.index(name)
        rows = np.flatnonzero(trained & (labels == label))
        group = np.array([groups[tile_id] for tile_id in ids[rows]], object)
        found.append(_Parents(name, label, rows, ids[rows], group))
    return found


def _write_variants(
    project: Project, tiles: DatasetFile, op: Op, parents: Sequence[_Parents], jobs: int | None
) -> None:
    """Write one op's variants of some classes."""
    paths = [project.variants_file(op.name, some.class_name, tiles.classes) for some in parents]
    with ExitStack() as stack:
        stack.callback(_remove_if_empty, paths[0].parent)
        files = [stack.enter_context(_create_file(path, tiles, op)) for path in paths]
        rooms = [
            file.reserve(len(some) * op.copies, tiles.compressed)
            for file, some in zip(files, parents, strict=True)
        ]
        wholes = [
            _Work(some.rows, _draw(op, some), room, 0)
            for some, room in zip(parents, rooms, strict=True)
        ]
        windows = list(_divide(wholes, op.copies))
        images = map_in_order(partial(_make_images, op, tiles.path), windows, jobs)
        images = track(images, f"augmenting: {op.name}", len(windows))
        begun = list(islice(images, 1))  # the other processes go on while this one writes the rest
        for file, some, whole in zip(files, parents, wholes, strict=True):
            file.append_columns(_describe(op, some) | {"draws": whole.draws})
        for chunks in chain(begun, images):
            for file, own in zip(files, chunks, strict=True):
                file.append_chunks(own)


def _create_file(path: Path, tiles: DatasetFile, op: Op) -> AbstractContextManager[DatasetWriter]:
    """Return the context in which a file of variants is written."""
    return create_dataset(
        path,
        tile_shape=tiles.tile_shape,
        classes=tiles.classes,
        made_by={"stage": "augment", "op": op.name, "parameters": op.describe(), "seed": op.seed},
        draw_names=op.draw_names,
    )


def _draw(op: Op, parents: _Parents) -> npt.NDArray[np.float64]:
    """Return the numbers (N x copies, k) of all variants; those of one parent stand together."""
    drawn = [recipes.draw(op, op.seed, list(parents.ids), copy) for copy in range(op.copies)]
    return np.stack(drawn, axis=1).reshape(len(parents) * op.copies, len(op.draw_names))


def _describe(op: Op, parents: _Parents) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of all variants but images and draws."""
    names = [f"{name}-{op.name}-{copy}" for name in parents.ids for copy in range(op.copies)]
    return {
        "labels": np.full(len(names), parents.label, np.int16),
        "ids": np.array(names, object),
        "groups": parents.groups.repeat(op.copies),
        "parents": parents.ids.repeat(op.copies),
    }


def _divide(wholes: Sequence[_Work], copies: int) -> Iterator[list[_Work]]:
    """Yield windows: of each class as many parents as make whole chunks of variants."""
    step = wholes[0].room.chunk_rows * max(1, WINDOW // (copies * len(wholes)))
    for start in range(0, max(len(whole.rows) for whole in wholes), step):
        taken, made = slice(start, start + step), slice(start * copies, (start + step) * copies)
        yield [
            _Work(whole.rows[taken], whole.draws[made], whole.room, made.start) for whole in wholes
        ]


def _make_images(op: Op, tiles_path: Path, parts: Sequence[_Work]) -> list[list[bytes]]:
    """Make the variants of a window; return the chunks of each part that are to be appended."""
    rows = np.concatenate([part.rows for part in parts]).repeat(op.copies)
    with open_dataset(tiles_path) as tiles:
        originals = tiles.read_images(rows)
    ends = np.cumsum([len(part.draws) for part in parts])
    return [
        part.room.fill(part.start, recipes.apply(op, images, part.draws))
        for part, images in zip(parts, np.split(originals, ends[:-1]), strict=True)
    ]


def _remove_others(project: Project, op: str, classes: Sequence[str]) -> None:
    """Remove an op's files of what is no class any more, and say so: DVC leaves them there."""
    wanted = {project.variants_file(op, name, classes) for name in classes}
    there = next(iter(wanted)).parent.glob("[!.]*.h5")  # a hidden one is being written
    found = sorted(set(there) - wanted)
    for path in found:
        path.unlink(missing_ok=True)
    if found:
        names = ", ".join(path.stem for path in found)
        warn(f"augment: {op}: variants of {names}, of which there is no class, are removed")


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder, unless there is something in it."""
    with suppress(OSError):
        folder.rmdir()
