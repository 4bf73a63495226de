"""prep split: balanced.csv -> split.csv, a row for each tile and fold."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.console import warn
from pipeline.dataset.duplicates import find_near_duplicates, merge_groups
from pipeline.dataset.splits import (
    Shortage,
    TooSmallError,
    check_parts,
    find_uneven,
)
from pipeline.dataset.store import open_dataset
from pipeline.dataset.tables import COLUMNS, Row, read_table, write_table
from pipeline.errors import DataError, count_things
from pipeline.intake import images
from pipeline.intake.catalogue import scan_id_of
from pipeline.intake.scans import read_catalogue
from pipeline.parallel import map_in_order
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.settings.shortages import Origin, explain_shortage
from pipeline.subjects.boxes import scan_of
from pipeline.training.division import GIVEN, Column, divide, group_tiles
from pipeline.verdicts.estimates import MINIMUM_GROUPS

WINDOW = 512  # tiles that a process reads at once

Pixels = npt.NDArray[np.uint8]


def split(project: Project, params: Params) -> str:
    """Divide the balanced tiles into training, validation and test set."""
    rows = read_table(project.input("balanced.csv"), COLUMNS["balanced"])
    scans = {scan_id_of(scan): scan for scan in read_catalogue(project)}
    _refuse_strangers(rows, scans, params.classes)
    labels = np.array([row["label"] for row in rows], object)
    single = np.array(group_tiles(params, rows, scans), object)
    groups, tied = _tie_near_duplicates(project, params, rows, single)
    given = np.array([scans[scan_of(row["id"])]["split"] for row in rows], object)
    try:
        drawn = divide(params, labels, single, groups, given)
        folds = drawn.folds
        validates = params.split.val or (given == "val").any()
        for parts in folds:
            needed = ["train", "val", "test"] if validates else ["train", "test"]
            check_parts(labels, parts, params.classes, needed)
    except TooSmallError as error:
        short = _explain_shortage(project, params, error.shortage, rows, scans, single, given)
        raise DataError(short) from error
    write_table(project.renew("split.csv"), COLUMNS["split"], _to_rows(rows, groups, folds))
    for doubt in (
        _doubt_groups(groups, given, folds),
        _doubt_balance(labels, groups, given, folds),
    ):
        if doubt:
            warn(doubt)
    note = f"; {tied:,} tiles that look the same kept on one side" if tied else ""
    if drawn.joined and len(folds) == 1:
        those = "cluster" if drawn.joined == 1 else "clusters"
        note += f" ({drawn.joined:,} {those} that lay on both now train)"
    if drawn.moved:
        note += f"; {drawn.moved:,} moved to make classes even"
    if len(folds) > 1 and "test" in params.split.model_fields_set:
        note += "; split.test is not used: with folds every tile is tested once"
    if len(folds) > 1 and (given == "train").any():
        note += "; split: train of sources is not used: with folds every tile is tested once"
    if lost := int((folds[0] == "").sum()):
        sets = [name for part, name in GIVEN.items() if (given == part).any()]
        note += f"; {lost:,} left out, whose group is in the {' or '.join(sets)} set as given"
    return f"{_describe(folds)} in processed/split.csv, {len(set(groups)):,} groups{note}"


def _explain_shortage(
    project: Project,
    params: Params,
    short: Shortage,
    rows: list[Row],
    scans: dict[str, Row],
    single: Column,
    given: Column,
) -> str:
    """Return why a class can't be in each part, and what helps."""
    with open_dataset(project.input("tiles.h5")) as tiles:
        names = [*tiles.classes, ""]
        found = zip(tiles.ids, tiles.groups, tiles.labels, strict=True)
        before = [
            {"id": tile_id, "group": group, "label": names[number]}
            for tile_id, group, number in found
            if scan_of(tile_id) in scans
        ]
    all_groups = zip(before, group_tiles(params, before, scans), strict=True)
    own = np.array([row["label"] == short.label for row in rows], bool)
    origin = Origin(
        all_groups=len({group for row, group in all_groups if row["label"] == short.label}),
        groups=len(set(single[own & ~np.isin(given, list(GIVEN))])),
        named=any(row["group"] for row in before if row["label"] == short.label),
        only_trained=bool((given[own] == "train").all()),
        test_given=bool((given == "test").any()),
        val_given=bool((given == "val").any()),
    )
    counts = Counter(row["label"] for row in before)
    return explain_shortage(params, short, counts, origin)


def _doubt_groups(groups: Column, given: Column, folds: list[Column]) -> str:
    """Return a sentence when the test set has too few groups for verdicts, else ''."""
    tested = groups[np.any([parts == "test" for parts in folds], axis=0)]
    count = len(set(tested))
    if count >= MINIMUM_GROUPS or len(tested) < 2 * count:  # most are single pictures
        return ""
    drawn = len(folds) == 1 and not (given == "test").any()
    cures = "more pages or writers" + (", a larger split.test, or split.folds" if drawn else "")
    return (
        f"only {count_things(count, 'group')} in the test set; from fewer than "
        f"{MINIMUM_GROUPS} prep compare gives no verdict: {cures}"
    )


def _doubt_balance(labels: Column, groups: Column, given: Column, folds: list[Column]) -> str:
    """Return a sentence when whole groups make classes uneven in the test set, else ''.

    In cross-validation every tile is tested, and a test set as given is as it is wanted.
    """
    if len(folds) > 1 or (given == "test").any() or len(set(groups)) == len(groups):
        return ""
    share, uneven = find_uneven(labels, folds[0] == "test")
    if not uneven:
        return ""
    extremes = dict.fromkeys((uneven[0], uneven[-1]))
    said = " and ".join(f"{part:.0%} of class '{name}'" for name, part in extremes)
    return (
        f"the test set holds {said}, but {share:.0%} of all tiles, because groups stay whole: more "
        "pages or writers of each class make it even"
    )


def _refuse_strangers(rows: list[Row], scans: dict[str, Row], classes: Sequence[str]) -> None:
    """Raise DataError for a tile whose scan is not in the catalogue, or whose label is no class."""
    known = set(classes)
    strange = [row for row in rows if row["label"] not in known]
    if strange:
        raise DataError(
            f"processed/balanced.csv: {strange[0]['id']} has the label '{strange[0]['label']}', "
            "which is not among the classes in params.yaml. Make it again with: prep balance"
        )
    gone = [row["id"] for row in rows if scan_of(row["id"]) not in scans]
    if gone:
        raise DataError(
            f"processed/balanced.csv names {gone[0]}, whose scan is not in catalogue.csv. Bring "
            "all up to date with: dvc repro split"
        )


def _tie_near_duplicates(
    project: Project, params: Params, rows: list[Row], groups: Column
) -> tuple[Column, int]:
    """Return groups in which near-duplicates share one, and how many tiles were tied.

    Photos are tied by their perceptual hashes; of writing, which differs in little from class to
    class, only tiles that are the same to the pixel.
    """
    settings = params.split
    near = params.tile.method == "photo" and settings.near_duplicates is not None
    places = _find_places(project, rows)
    windows = [places[start : start + WINDOW] for start in range(0, len(places), WINDOW)]
    hash_tile = images.perceptual_hash if near else _hash_pixels
    hash_window = partial(_hash_tiles, hash_tile, project.input("tiles.h5"))
    none = np.empty(0, np.uint64)
    hashes = np.concatenate([none, *map_in_order(hash_window, windows)])
    distance = settings.near_duplicates if near else 0
    clusters = find_near_duplicates(hashes, distance or 0)
    sizes = np.bincount(clusters)
    return merge_groups(groups.tolist(), clusters), int(sizes[sizes > 1].sum())


def _hash_pixels(tile: Pixels) -> np.uint64:
    """Return 64 bits of a digest of a tile's pixels: the same only for the same picture."""
    return np.uint64(int.from_bytes(hashlib.sha256(tile.tobytes()).digest()[:8], "little"))


def _find_places(project: Project, rows: list[Row]) -> npt.NDArray[np.intp]:
    """Return where in tiles.h5 the tiles of balanced.csv's rows are."""
    with open_dataset(project.input("tiles.h5")) as tiles:
        place = {tile_id: number for number, tile_id in enumerate(tiles.ids)}
    stale = [row["id"] for row in rows if row["id"] not in place]
    if stale:
        raise DataError(
            f"processed/balanced.csv names {stale[0]}, which is not in tiles.h5. Make it again "
            "with: prep balance"
        )
    return np.array([place[row["id"]] for row in rows], np.intp)


def _hash_tiles(
    hash_tile: Callable[[Pixels], np.uint64], tiles_path: Path, places: npt.NDArray[np.intp]
) -> npt.NDArray[np.uint64]:
    """Return the hashes (n,) of some tiles."""
    with open_dataset(tiles_path) as tiles:
        return np.array([hash_tile(tile) for tile in tiles.read_images(places)], np.uint64)


def _to_rows(rows: list[Row], groups: Column, folds: list[Column]) -> Iterator[dict[str, object]]:
    """Yield the rows of split.csv, fold after fold, without the tiles that are left out."""
    for fold, parts in enumerate(folds):
        for row, part, group in zip(rows, parts, groups, strict=True):
            if part:
                yield {"id": row["id"], "split": part, "fold": fold, "group": group}


def _describe(folds: list[Column]) -> str:
    """Return '1,010 train, 203 val, 300 test', of the first fold when there are several."""
    counts = Counter(folds[0])
    sizes = ", ".join(f"{counts[part]:,} {part}" for part in ("train", "val", "test"))
    return sizes if len(folds) == 1 else f"{len(folds)} folds ({sizes} in the first)"
