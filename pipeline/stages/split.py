"""prep split: balanced.csv -> split.csv, a row for each tile and fold."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from pipeline.console import warn
from pipeline.dataset.duplicates import merge_groups
from pipeline.dataset.schema import name_labels
from pipeline.dataset.splits import (
    Shortage,
    Split,
    TooSmallError,
    check_parts,
    find_uneven,
)
from pipeline.dataset.store import open_dataset
from pipeline.dataset.tables import COLUMNS, LEFT_OUT, Row, read_table, write_table
from pipeline.errors import DataError, count_things
from pipeline.intake.catalogue import name_of, scan_id_of
from pipeline.intake.grouping import FINER, Rule, group_tiles, read_lines, tell_torn
from pipeline.intake.scans import read_catalogue
from pipeline.intake.twins import find_twins
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.settings.shortages import Origin, explain_shortage
from pipeline.subjects.boxes import scan_of
from pipeline.training.division import (
    GIVEN,
    Column,
    count_parts,
    divide_tiles,
    find_given,
    name_parts,
)
from pipeline.verdicts.estimates import MINIMUM_GROUPS

Pixels = npt.NDArray[np.uint8]


def split(project: Project, params: Params) -> str:
    """Divide the balanced tiles into training, validation and test set."""
    rows = read_table(project.input("balanced.csv"), COLUMNS["balanced"])
    scans = {scan_id_of(scan): scan for scan in read_catalogue(project)}
    _refuse_strangers(rows, scans, params.classes)
    labels = np.array([row["label"] for row in rows], object)
    given = _find_given(params, [scans[scan_of(row["id"])] for row in rows])
    parts = name_parts(params, given)
    lines = read_lines(project, rows)
    count = count_parts(params, given)
    groups_by = partial(group_tiles, scans=scans, lines=lines, parts=count)
    tiles, distance = project.input("tiles.h5"), params.twin_distance
    clusters = find_twins(tiles, _find_places(project, rows), distance)

    def divide(rule: Rule) -> tuple[Column, Column, Split]:
        single = groups_by(rule, rows)
        groups = merge_groups(single, clusters)
        drawn = divide_tiles(params, labels, np.array(single, object), groups, given)
        for fold in drawn.folds:
            check_parts(labels, fold, params.classes, parts)
        return np.array(single, object), groups, drawn

    rule = params.split.group
    try:
        single, groups, drawn = divide(rule)
    except TooSmallError as error:
        before = _read_unbalanced(project, scans)
        origin = _find_origin(error.shortage, rows, before, given, partial(groups_by, rule))
        origin = replace(origin, cure=_find_cure(rule, divide))
        counts = Counter(row["label"] for row in before)
        raise DataError(explain_shortage(params, error.shortage, counts, origin)) from error
    write_table(project.renew("split.csv"), COLUMNS["split"], _to_rows(rows, groups, drawn.folds))
    doubts = (
        tell_torn(rule, rows, scans, single),
        _doubt_groups(groups, given, drawn.folds),
        _doubt_balance(labels, groups, given, drawn.folds),
    )
    for doubt in filter(None, doubts):
        warn(doubt)
    sizes = np.bincount(clusters)
    notes = _tell_drawn(params, drawn, given, int(sizes[sizes > 1].sum()))
    told = f"{_describe(drawn.folds)} in processed/split.csv, {len(set(groups)):,} groups"
    return "; ".join([told, *notes])


def _find_given(params: Params, scans: Sequence[Row]) -> Column:
    """Return the part (N,) that each tile's scan came with; those that do not count are told."""
    given, guessed = find_given(params, scans)
    if guessed:
        warn(
            f"the parts that names, folders or tables say ({name_of(guessed[0])}: "
            f"{guessed[0]['split']}) are not used, for split.folds tests every tile once"
        )
    return given


def _tell_drawn(params: Params, drawn: Split, given: Column, tied: int) -> Iterator[str]:
    """Yield what was done beside dividing."""
    folds = drawn.folds
    if tied:
        those = "cluster" if drawn.joined == 1 else "clusters"
        joined = f" ({drawn.joined:,} {those} that lay on both now train)"
        yield f"{tied:,} tiles that look the same kept on one side" + (
            joined if drawn.joined and len(folds) == 1 else ""
        )
    if drawn.moved:
        yield f"{drawn.moved:,} moved to make classes even"
    if len(folds) > 1 and "test" in params.split.model_fields_set:
        yield "split.test is not used: with folds every tile is tested once"
    if len(folds) > 1 and (given == "train").any():
        yield "split: train of sources is not used: with folds every tile is tested once"
    if lost := int((folds[0] == "").sum()):
        sets = [name for part, name in GIVEN.items() if (given == part).any()]
        yield f"{lost:,} left out, whose group is in the {' or '.join(sets)} set as given"


def _find_cure(rule: Rule, divide: Callable[[Rule], object]) -> Rule | None:
    """Return the first rule of smaller groups by which the tiles can be divided, tried on them."""
    for finer in FINER[rule]:
        try:
            divide(finer)
        except DataError:
            continue
        return finer
    return None


def _read_unbalanced(project: Project, scans: Mapping[str, Row]) -> list[Row]:
    """Return the tiles before any were left out to balance them, as rows of balanced.csv."""
    with open_dataset(project.input("tiles.h5")) as tiles:
        labels = name_labels(tiles.labels, tiles.classes)
        found = zip(tiles.ids, tiles.groups, labels, strict=True)
        return [
            {"id": tile_id, "group": group, "label": label}
            for tile_id, group, label in found
            if scan_of(tile_id) in scans and label != LEFT_OUT
        ]


def _find_origin(
    short: Shortage,
    rows: list[Row],
    before: list[Row],
    given: Column,
    groups_of: Callable[[list[Row]], list[str]],
) -> Origin:
    """Return where the tiles of a class come from that can't be in each part."""
    own = np.array([row["label"] == short.label for row in rows], bool)
    single = np.array(groups_of(rows), object)
    all_groups = zip(before, groups_of(before), strict=True)
    named = {row["group"] for row in before}
    return Origin(
        all_groups=len({group for row, group in all_groups if row["label"] == short.label}),
        groups=len(set(single[own & ~np.isin(given, list(GIVEN))])),
        only_trained=bool((given[own] == "train").all()),
        test_given=bool((given == "test").any()),
        val_given=bool((given == "val").any()),
        writer=named.pop() if len(named) == 1 else "",
    )


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
