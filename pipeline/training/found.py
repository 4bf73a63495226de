"""The training set as it was found, before raw/labels.csv changed labels and left tiles out.

What was left out is in no split. It goes where its group is, and a group by itself where its number
would have dealt it. Only tiles on the training side count, and none that looks like one that is
validated or tested on: what the corrections gained is measured on the corrected test set alone.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.dataset.dealing import number_names
from pipeline.dataset.reading import Fold
from pipeline.dataset.schema import LEFT_OUT_LABEL, name_labels
from pipeline.dataset.store import open_dataset
from pipeline.dataset.tables import Row
from pipeline.intake.catalogue import scan_id_of
from pipeline.intake.grouping import group_tiles, read_lines
from pipeline.intake.scans import read_catalogue
from pipeline.intake.twins import find_twins
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.subjects.boxes import scan_of
from pipeline.training.division import find_given

PARTS = 3  # train, validate, test


def add_left_out(project: Project, params: Params, folds: Sequence[Fold]) -> list[list[str]]:
    """Return for each fold the ids of left-out tiles that it would have trained on."""
    with open_dataset(project.input("tiles.h5")) as tiles:
        ids, groups, labels, found = tiles.ids, tiles.groups, tiles.labels, tiles.found
    left_out = (labels == LEFT_OUT_LABEL) & (found >= 0)
    if not left_out.any():
        return [[] for _ in folds]
    known = set().union(*(part for fold in folds for part in fold.ids.values()))
    places = np.flatnonzero(left_out | np.array([name in known for name in ids], bool))
    words = name_labels(np.where(left_out, found, labels), params.classes)
    rows = [{"id": ids[n], "group": groups[n], "label": words[n]} for n in places.tolist()]
    scans = {scan_id_of(scan): scan for scan in read_catalogue(project)}
    own = np.array(_group_rows(project, params, rows, scans), object)
    given, _ = find_given(params, [scans[scan_of(row["id"])] for row in rows])
    barred = np.isin(given, ("val", "test"))
    twins = find_twins(project.input("tiles.h5"), places, params.twin_distance)
    return [
        _choose_of_fold(params, fold, rows, own, twins, left_out[places] & ~barred)
        for fold in folds
    ]


def _group_rows(
    project: Project, params: Params, rows: Sequence[Row], scans: Mapping[str, Row]
) -> list[str]:
    lines = read_lines(project, rows)
    return group_tiles(params.split.group, rows, scans, lines, max(PARTS, params.split.folds))


def _choose_of_fold(
    params: Params,
    fold: Fold,
    rows: Sequence[Row],
    groups: npt.NDArray[np.object_],
    twins: npt.NDArray[np.intp],
    left_out: npt.NDArray[np.bool_],
) -> list[str]:
    """Return the ids of those left out that are on the training side of a fold."""
    part_of = {name: part for part, names in fold.ids.items() for name in names}
    sides: dict[str, set[str]] = defaultdict(set)
    barred = set[int]()  # clusters in which something is validated or tested on
    for row, group, twin in zip(rows, groups, twins.tolist(), strict=True):
        part = part_of.get(row["id"])
        if part:
            sides[group].add(part)
        if part in ("val", "test"):
            barred.add(twin)
    return [
        row["id"]
        for row, group, twin, out in zip(rows, groups, twins.tolist(), left_out, strict=True)
        if out
        and twin not in barred
        and (sides[group] or {_deal(params, fold.number, group, len(part_of))}) == {"train"}
    ]


def _deal(params: Params, fold: int, group: str, tiles: int) -> str:
    """Return the side of a group that no split has, by its number in [0, 1)."""
    split = params.split
    number = float(number_names("split", split.seed, [group])[0])
    if split.folds > 1:
        return "test" if int(number * split.folds) == fold else "train"
    tested = split.test if split.test < 1 else split.test / tiles
    return "test" if number < tested else "val" if number < tested + split.val else "train"
