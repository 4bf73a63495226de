"""Reading a project's split and variants back to see whether anything leaks across it.

There may be millions of rows: what is kept of each is a few numbers and no text of its own.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.checks import crossings
from pipeline.dataset.content import digest_pictures
from pipeline.dataset.reading import scan_split
from pipeline.dataset.store import open_dataset
from pipeline.dataset.streams import read_windows
from pipeline.project import Project
from pipeline.settings.params import Params

Numbers = dict[str, int]  # texts, each with how many came before it


@dataclass(frozen=True)
class _Members:
    """The rows of split.csv of one fold: the numbers of their ids, groups and parts."""

    ids: "array[int]" = field(default_factory=lambda: array("q"))
    groups: "array[int]" = field(default_factory=lambda: array("q"))
    parts: "array[int]" = field(default_factory=lambda: array("b"))


@dataclass(frozen=True)
class _Texts:
    """What the numbers stand for."""

    ids: Sequence[str]  # of the tiles first, then those that only the split knows
    groups: Sequence[str]
    parts: Sequence[str]


def find_leaks(
    project: Project, params: Params, digests: Mapping[str, bytes] | None = None
) -> list[str]:
    """Return a sentence for each leak of the split: ids, groups, same pictures, variants.

    digests: of each tile's pixels, by id; every tile is read for them unless they are given.
    """
    split = project.input("split.csv")
    digests = digests or _digest_tiles(project)
    folds, texts = _read_members(split, digests)
    leaks = [
        f"fold {number}: {leak}" if len(folds) > 1 else leak
        for number, members in folds.items()
        for leak in _find_leaks_of_fold(members, texts, digests)
    ]
    return [*leaks, *_find_stray_variants(project, params, _name_trained(folds, texts))]


def _read_members(split: Path, known: Iterable[str]) -> tuple[dict[int, _Members], _Texts]:
    """Return the rows of split.csv by fold, and what their numbers stand for."""
    folds: dict[int, _Members] = {}
    ids: Numbers = {tile_id: number for number, tile_id in enumerate(known)}
    groups: Numbers = {}
    parts: Numbers = {}
    for row in scan_split(split):
        members = folds.setdefault(row.fold, _Members())
        members.ids.append(ids.setdefault(row.id, len(ids)))
        members.groups.append(groups.setdefault(row.group, len(groups)))
        members.parts.append(parts.setdefault(row.part, len(parts)))
    return folds, _Texts(list(ids), list(groups), list(parts))


def _find_leaks_of_fold(
    members: _Members, texts: _Texts, digests: Mapping[str, bytes]
) -> Iterator[str]:
    """Yield the leaks of one fold."""
    ids = [texts.ids[number] for number in members.ids]
    groups = [texts.groups[number] for number in members.groups]
    parts = [texts.parts[number] for number in members.parts]
    yield from crossings.find_torn(zip(ids, parts, strict=True), "tile")
    yield from crossings.find_torn(zip(groups, parts, strict=True), "group")
    unknown = sorted(tile_id for tile_id in ids if tile_id not in digests)
    if unknown:
        yield f"tiles.h5 has no {unknown[0]}: make the split again with: prep split"
    known = {name: part for name, part in zip(ids, parts, strict=True) if name in digests}
    yield from crossings.find_same_pictures(digests, known)


def _name_trained(folds: Mapping[int, _Members], texts: _Texts) -> set[str]:
    """Return the ids of the tiles that some fold trains on."""
    return {
        texts.ids[number]
        for members in folds.values()
        for number, part in zip(members.ids, members.parts, strict=True)
        if texts.parts[part] == "train"
    }


def _find_stray_variants(project: Project, params: Params, trained: set[str]) -> Iterator[str]:
    """Yield the files of variants whose parents no fold trains on."""
    for op in params.augment:
        for class_name in params.classes:
            path = project.variants_file(op, class_name)
            if path.exists():
                with open_dataset(path) as variants:
                    parents = variants.scan("parents")
                    yield from crossings.find_strangers(parents, trained, project.relative(path))


def _digest_tiles(project: Project) -> dict[str, bytes]:
    """Return a digest of each tile's pixels, by id."""
    with open_dataset(project.input("tiles.h5")) as tiles:
        pictures = digest_pictures(read_windows(tiles, np.arange(len(tiles))))
        return dict(zip(tiles.scan("ids"), map(bytes, pictures), strict=True))
