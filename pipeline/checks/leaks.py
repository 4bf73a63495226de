"""Does anything that a model trains on come back in what it is tested on?

Every check returns sentences that name the offenders; no sentence means no leak. There may be
millions of rows: what is kept of each is a few numbers and no text of its own.
"""

from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.dataset.content import digest_pictures
from pipeline.dataset.reading import scan_split
from pipeline.dataset.store import open_dataset
from pipeline.dataset.streams import read_windows
from pipeline.errors import count_things
from pipeline.intake.catalogue import scan_id_of
from pipeline.intake.grouping import find_given, find_writers
from pipeline.intake.scans import read_catalogue
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.subjects.boxes import scan_of

SHOWN = 3  # offenders that a sentence names

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
    leaks += find_parted_groups(project, params)
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
    yield from find_torn(zip(ids, parts, strict=True), "tile")
    yield from find_torn(zip(groups, parts, strict=True), "group")
    unknown = sorted(tile_id for tile_id in ids if tile_id not in digests)
    if unknown:
        yield f"tiles.h5 has no {unknown[0]}: make the split again with: prep split"
    known = {name: part for name, part in zip(ids, parts, strict=True) if name in digests}
    yield from find_same_pictures(digests, known)


def find_parted_groups(project: Project, params: Params) -> Iterator[str]:
    """Yield the groups of tiles.h5 that are on both sides: they have changed since the split."""
    scans = {scan_id_of(row): row for row in read_catalogue(project)}
    with open_dataset(project.input("tiles.h5")) as tiles:
        groups = zip(tiles.scan("ids"), tiles.scan("groups"), strict=True)
        named = [
            {"id": name, "group": group}
            for name, group in groups
            if group and scan_of(name) in scans
        ]
    writers, rule = find_writers(named, scans), params.split.group
    group_of = {tile["id"]: given for tile in named if (given := find_given(rule, tile, writers))}
    if not group_of:
        return
    sides: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for row in scan_split(project.input("split.csv")):
        if row.id in group_of:
            sides[row.fold].add((group_of[row.id], row.part))
    for pairs in sides.values():
        for torn in find_torn(pairs, "group of tiles.h5"):
            yield f"{torn}. Make the split again with: dvc repro split"


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
            path = project.variants_file(op, class_name, params.classes)
            if path.exists():
                with open_dataset(project.require(path)) as variants:
                    parents = variants.scan("parents")
                    yield from find_strangers(parents, trained, project.relative(path))


def _digest_tiles(project: Project) -> dict[str, bytes]:
    """Return a digest of each tile's pixels, by id."""
    with open_dataset(project.input("tiles.h5")) as tiles:
        pictures = digest_pictures(read_windows(tiles, np.arange(len(tiles))))
        return dict(zip(tiles.scan("ids"), map(bytes, pictures), strict=True))


def find_torn(parts: Iterable[tuple[str, str]], what: str) -> Iterator[str]:
    """Yield a sentence for the things that stand in more than one part.

    `parts` are (thing, part) pairs, where a thing is an id, a group or a picture's digest.
    """
    first: dict[str, str] = {}
    found: dict[str, set[str]] = {}  # of the torn ones only: there may be millions of others
    for thing, part in parts:
        if first.setdefault(thing, part) != part:
            found.setdefault(thing, {first[thing]}).add(part)
    torn = sorted(found)
    if torn:
        where = " and ".join(sorted(found[torn[0]]))
        yield f"{count_things(len(torn), what)} on both sides of the split ({where}): {_name(torn)}"


def find_same_pictures(digests: Mapping[str, Hashable], parts: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for tiles with the same pixels in different parts, named by their ids."""
    first: dict[Hashable, str] = {}
    twins: dict[Hashable, list[str]] = {}
    for tile_id in parts:
        one = first.setdefault(digests[tile_id], tile_id)
        if one != tile_id:
            twins.setdefault(digests[tile_id], [one]).append(tile_id)
    for same in twins.values():
        if len({parts[tile_id] for tile_id in same}) > 1:
            where = ", ".join(f"{tile_id} ({parts[tile_id]})" for tile_id in sorted(same))
            yield f"the same picture on both sides of the split: {where}"


def find_strangers(parents: Iterable[str], trained: set[str], file: str) -> Iterator[str]:
    """Yield a sentence for the parents of a file's variants that no run trains on."""
    strangers = sorted({parent for parent in parents if parent not in trained})
    if strangers:
        tiles = count_things(len(strangers), "tile")
        yield f"{file} has variants of {tiles} outside the training set: {_name(strangers)}"


def _name(things: list[str]) -> str:
    more = f" and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
    return ", ".join(things[:SHOWN]) + more
