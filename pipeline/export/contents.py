"""What is handed over of a dataset, read a window at a time: its parts, as split.csv says.

A part's tiles come in the order of tiles.h5; after those of the training set come the variants
that are asked for, op by op and class by class. Tiles that `balance` or `split` left out belong to
no part: who trains on them beside these tests would test on groups that he trained on.

Of a tile there is kept in memory what takes a few bytes: its label, id and group.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import numpy.typing as npt

from pipeline.augmentation.recipes import Op
from pipeline.checks.leaks import find_parted_groups
from pipeline.dataset.reading import PARTS, Part, open_tiles, scan_blocks
from pipeline.dataset.store import DatasetFile, open_dataset
from pipeline.dataset.streams import WINDOW_BYTES, FileRows, ImageSource, count_bytes, open_images
from pipeline.errors import DataError
from pipeline.intake.catalogue import name_of, scan_id_of
from pipeline.intake.scans import read_catalogue
from pipeline.project import Project
from pipeline.settings.params import Params, choose
from pipeline.subjects.boxes import scan_of

MEMORY_BYTES = 1 << 26  # of tiles that are unpacked in memory; more are unpacked on the disk
MOST_IN_A_BYTE = 256  # classes
NAMES: dict[Part, str] = {"train": "train", "val": "validation", "test": "test"}

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.integer]
Texts = npt.NDArray[np.object_]
Packed = npt.NDArray[np.bytes_]  # texts in UTF-8: a fifth of what they take as objects


@dataclass(frozen=True)
class Window:
    """Some tiles; the arrays share their first axis."""

    images: Pixels  # (n, S, S, C)
    labels: npt.NDArray[np.int64]  # (n,) indices into the classes
    ids: Texts
    groups: Texts  # what a split must not tear apart; a tile on its own has one of its own
    parents: Texts  # the ids of the tiles that variants were made from; '' of an original
    ops: Texts  # '' of an original
    sources: Texts  # the pictures' files; '' unless they are asked for

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class _Tiles:
    """What is known of every tile of tiles.h5, by its row."""

    images: Callable[[], ImageSource]  # unpacked when they are first asked for
    tile_shape: tuple[int, int, int]
    labels: npt.NDArray[np.int64]
    ids: Packed
    groups: Packed  # '' of a tile that is in no part
    sources: Mapping[str, str]  # by the id of the scan


@dataclass(frozen=True)
class _Piece:
    """Tiles of a part that lie in one file: in tiles.h5, or variants of those there."""

    tiles: _Tiles
    rows: Numbers  # of tiles.h5: the tiles themselves, or the variants' parents
    op: str = ""
    label: int = -1  # of all variants
    file: Path | None = None  # of variants
    places: Numbers = field(default_factory=lambda: np.empty(0, np.int64))  # in that file

    def take(self, start: int, end: int) -> Window:
        tiles, rows = self.tiles, self.rows[start:end]
        own = unpack(tiles.ids[rows])
        none = np.full(len(rows), "", object)
        if self.file is None:
            images, ids, parents = tiles.images()[rows], own, none
        else:
            with open_dataset(self.file) as variants:
                found = variants.read(self.places[start:end])
            images, ids, parents = found.images, found.ids, own
        return Window(
            images=images,
            labels=tiles.labels[rows],
            ids=ids,
            groups=unpack(tiles.groups[rows]),
            parents=parents,
            ops=np.full(len(rows), self.op, object),
            sources=np.array([tiles.sources.get(scan_of(name), "") for name in own], object)
            if tiles.sources
            else none,
        )


@dataclass(frozen=True)
class Content:
    """One part of the dataset: `train`, `validation`, `test`, or the test set `fold-0`, ..."""

    name: str
    pieces: tuple[_Piece, ...]

    def __len__(self) -> int:
        return sum(len(piece.rows) for piece in self.pieces)

    @property
    def word(self) -> str:
        """Its name for those who take no dash in it: `fold_0`."""
        return self.name.replace("-", "_")

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,) indices into the classes."""
        own = [piece.tiles.labels[piece.rows] for piece in self.pieces]
        return np.concatenate([np.empty(0, np.int64), *own])

    @property
    def ids(self) -> Texts:
        """(N,) ids of a part without variants."""
        [piece] = self.pieces
        return unpack(piece.tiles.ids[piece.rows])

    def variants_of(self, labels: Sequence[int]) -> "Content":
        """Return those of its tiles that are variants of these classes."""
        own = [piece for piece in self.pieces if piece.op and piece.label in labels]
        return Content(self.name, tuple(own))

    @property
    def group_count(self) -> int:
        """How many groups its tiles are of."""
        return len(set(chain(*(piece.tiles.groups[piece.rows].tolist() for piece in self.pieces))))

    def cut(self, size: int) -> Iterator["Content"]:
        """Yield it in contents of `size` tiles, the last of fewer."""
        for start in range(0, len(self), size):
            pieces, before, end = [], 0, start + size
            for piece in self.pieces:
                own = slice(max(0, start - before), max(0, end - before))
                pieces.append(replace(piece, rows=piece.rows[own], places=piece.places[own]))
                before += len(piece.rows)
            yield Content(self.name, tuple(pieces))

    def read_images(self, places: Numbers) -> Pixels:
        """Return the images at these places of a part without variants, in the order asked for."""
        [piece] = self.pieces
        return piece.tiles.images()[piece.rows[places]]

    def windows(self, size: int | None = None) -> Iterator[Window]:
        """Yield its tiles, up to `size` at a time (default: a few megabytes of them)."""
        for piece in self.pieces:
            step = size or max(1, WINDOW_BYTES // int(np.prod(piece.tiles.tile_shape)))
            for start in range(0, len(piece.rows), step):
                yield piece.take(start, min(start + step, len(piece.rows)))


@dataclass(frozen=True)
class Contents:
    """The parts of a dataset, while its files are open."""

    classes: tuple[str, ...]
    tile_shape: tuple[int, int, int]
    made_by: Mapping[str, object]  # the settings by which `prep normalise` made the tiles
    every_part: tuple[Content, ...]  # also those that hold no tile
    ops: tuple[str, ...]  # whose variants stand in the training part
    left_out: int  # labelled tiles that are in no part
    has_sources: bool  # whether windows tell the pictures' files
    has_pseudonyms: bool  # whether groups are numbers

    def __len__(self) -> int:
        return sum(map(len, self.every_part))

    @property
    def array_shape(self) -> tuple[int, ...]:
        """The shape of a tile in arrays: (S, S), in colour (S, S, 3)."""
        return self.tile_shape[:2] if self.tile_shape[2] == 1 else self.tile_shape

    @property
    def parts(self) -> tuple[Content, ...]:
        """The parts that hold tiles."""
        return tuple(part for part in self.every_part if len(part))

    @property
    def columns(self) -> dict[str, str]:
        """What is told of each tile besides its label, and the attribute of Window that holds it.

        Parents and ops where there are variants, sources where they are told.
        """
        found = {"id": "ids", "group": "groups"}
        found |= {"parent": "parents", "op": "ops"} if self.ops else {}
        return found | ({"source": "sources"} if self.has_sources else {})

    def tell(self, window: Window) -> Iterator[dict[str, str]]:
        """Yield the columns of each tile of a window."""
        texts = (getattr(window, attribute) for attribute in self.columns.values())
        for told in zip(*texts, strict=True):
            yield dict(zip(self.columns, told, strict=True))

    def find(self, name: str) -> Content:
        """Return the part of this name."""
        return next(part for part in self.every_part if part.name == name)


@contextmanager
def open_contents(
    project: Project,
    params: Params,
    *,
    with_ops: Sequence[str] = (),
    fold: int | None = None,
    pseudonyms: bool = False,
    names: bool = False,
) -> Iterator[Contents]:
    """Yield what the road made: training, validation and test set.

    Of several folds these are the test sets of all, in which every tile stands once, unless one
    `fold` is asked for. with_ops: whose variants the training part holds as well. Groups become
    numbers with `pseudonyms`; pictures are named with `names`. What does not fit into memory is
    unpacked beside tiles.h5. Raises DataError where something is missing or does not fit.
    """
    wanted = dict.fromkeys(with_ops)
    ops = [op for name in wanted for op in choose(name, params.augment, "op", "augment")]
    split = project.input("split.csv")
    with open_tiles(project, params.classes) as file:
        members = _match_split(file, split)
        labels, path, shape = file.labels.astype(np.int64), file.path, file.tile_shape
        told = file.made_by.get("parameters", {})
        made_by = told if isinstance(told, dict) else {}
    if torn := list(find_parted_groups(project, params)):
        raise DataError("\n".join(["nothing is exported, because the split leaks:", *torn]))
    parts = _choose_parts(members, fold, bool(ops))
    left_out = int(((members.groups == b"") & (labels >= 0)).sum())
    whole = FileRows(path, np.arange(len(labels)), shape)
    with ExitStack() as stack:
        tiles = _Tiles(
            images=cache(lambda: stack.enter_context(_open_whole(whole))),
            tile_shape=shape,
            labels=labels,
            ids=members.ids,
            groups=_hide(members.groups, project) if pseudonyms else members.groups,
            sources=_name_scans(project) if names else {},
        )
        pieces = {name: [_Piece(tiles, rows)] for name, rows in parts.items()}
        for op in ops:
            pieces["train"] += _find_variants(project, params, op, pieces["train"][0])
        contents = tuple(Content(name, tuple(some)) for name, some in pieces.items())
        yield Contents(
            classes=params.classes,
            tile_shape=shape,
            made_by=made_by,
            every_part=contents,
            ops=tuple(op.name for op in ops),
            left_out=left_out,
            has_sources=names,
            has_pseudonyms=pseudonyms,
        )


def _open_whole(tiles: FileRows) -> AbstractContextManager[ImageSource]:
    """Return the context in which all tiles are at hand; of others a project may be read only."""
    made = tiles.path.parent
    place = made if os.access(made, os.W_OK) else Path(gettempdir())
    fits = count_bytes([tiles]) <= MEMORY_BYTES
    return open_images([tiles], in_memory=fits, scratch=place)


@dataclass(frozen=True)
class _Members:
    """The tiles of tiles.h5 with what split.csv says of them."""

    ids: Packed  # (N,)
    groups: Packed  # (N,) '' of those that it does not name
    parts: dict[int, npt.NDArray[np.int8]]  # of each fold (N,): which of PARTS, -1 = none


def _match_split(tiles: DatasetFile, split: Path) -> _Members:
    """Return which part of each fold each tile belongs to.

    Raises DataError where split.csv names a tile that is not there, or has no label.
    """
    ids, labels = tiles.read_packed("ids"), tiles.labels
    find, groups = _index(ids), np.zeros(len(ids), "S1")
    parts: dict[int, npt.NDArray[np.int8]] = {}
    for rows in scan_blocks(split):
        places = find(pack(rows.ids))
        strange = np.flatnonzero((places < 0) | (labels[places] < 0))
        if len(strange):
            raise DataError(
                f"processed/split.csv names {rows.ids[strange[0]]}, which is not in tiles.h5, or "
                "has no label there. Bring all up to date with: dvc repro split"
            )
        found = pack(rows.groups)
        groups = groups.astype(np.promote_types(groups.dtype, found.dtype), copy=False)
        groups[places] = found
        codes = np.array([PARTS.index(part) for part in rows.parts], np.int8)
        folds = np.array(rows.folds)
        for fold in np.unique(folds).tolist():
            part_of = parts.setdefault(fold, np.full(len(ids), -1, np.int8))
            part_of[places[folds == fold]] = codes[folds == fold]
    if not parts:
        raise DataError(f"{split} names no tile. Make it again with: prep split")
    return _Members(ids, groups, parts)


def _choose_parts(members: _Members, fold: int | None, has_ops: bool) -> dict[str, Numbers]:
    """Return the rows of each part by its name."""
    folds = sorted(members.parts)
    if fold is not None and fold not in folds:
        known = f"the folds 0 to {folds[-1]}" if len(folds) > 1 else "one fold, 0"
        raise DataError(f"there is no fold {fold}: processed/split.csv has {known}")
    if fold is None and len(folds) > 1:
        if has_ops:
            raise DataError(
                f"the split has {len(folds)} folds, and variants belong to the training set of "
                "one: name it, as in --fold 0"
            )
        test = PARTS.index("test")
        return {f"fold-{one}": np.flatnonzero(members.parts[one] == test) for one in folds}
    part_of = members.parts[folds[0] if fold is None else fold]
    return {NAMES[part]: np.flatnonzero(part_of == code) for code, part in enumerate(PARTS)}


def _find_variants(project: Project, params: Params, op: Op, originals: _Piece) -> Iterator[_Piece]:
    """Yield an op's variants of each class, made of the training tiles and of no others.

    Raises DataError where they were made in another way, or of other tiles.
    """
    again = f"Make it again with: prep augment --only {op.name}"
    tiles = originals.tiles
    for label, class_name in enumerate(params.classes):
        path = project.require(project.variants_file(op.name, class_name, params.classes))
        rows = originals.rows[tiles.labels[originals.rows] == label]
        with open_dataset(path) as variants:
            if variants.made_by.get("parameters") != json.loads(json.dumps(op.describe())):
                file = project.relative(path)
                raise DataError(f"augment.{op.name} has changed since {file} was made. {again}")
            parents = variants.read_packed("parents")
            fits = variants.tile_shape == tiles.tile_shape
        made_of = _index(tiles.ids[rows])(parents)
        places = np.flatnonzero(made_of >= 0)
        if not fits or len(places) != op.copies * len(rows):
            raise DataError(f"{project.relative(path)} was made of other training tiles. {again}")
        yield _Piece(tiles, rows[made_of[places]], op.name, label, path, places)


def _index(ids: Packed) -> Callable[[Packed], Numbers]:
    """Return a function that says where ids (n,) stand, -1 for one that is not there."""
    order = np.argsort(ids)

    def find(wanted: Packed) -> Numbers:
        spots = np.searchsorted(ids, wanted, sorter=order)
        places = np.append(order, -1)[spots]
        found = np.append(ids, b"")[places] == wanted
        return np.where(found, places, -1)

    return find


def _hide(groups: Packed, project: Project) -> Packed:
    """Return groups as numbers, in an order that nobody can guess who has not the project.

    The catalogue holds the digest of each picture's file, which goes with no export.
    """
    key = project.digest(project.input("catalogue.csv")).encode()
    distinct, number = np.unique(groups, return_inverse=True)
    digests = [sha256(key + name).digest() if name else b"" for name in distinct.tolist()]
    place = np.argsort(np.argsort(np.array(digests, object))) + int(b"" not in digests)
    names = np.array([f"group-{one}".encode() if one else b"" for one in place.tolist()])
    return names[number]


def _name_scans(project: Project) -> dict[str, str]:
    """Return what each scan's picture is called, by the scan's id."""
    return {scan_id_of(row): name_of(row) for row in read_catalogue(project)}


def pack(texts: Sequence[str]) -> Packed:
    """Return texts (N,) in UTF-8; none of them holds a zero byte."""
    whole = "\0".join(texts).encode()
    return np.array(whole.split(b"\0") if len(texts) else [], np.bytes_)


def unpack(texts: Packed) -> Texts:
    """Return packed texts (N,) as they are read."""
    return np.array([text.decode() for text in texts.tolist()], object)
