"""The training set as it was found, before raw/labels.csv changed labels and left tiles out.

What was left out is in no split. It goes where its group is, and a group by itself where its number
would have dealt it. Only tiles on the training side count, and none that looks like one that is
validated or tested on: what the corrections gained is measured on the corrected test set alone.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

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
from pipeline.training.division import choose_balanced, count_parts, find_given


def add_left_out(project: Project, params: Params, folds: Sequence[Fold]) -> list[list[str]]:
    """Return for each fold the ids of left-out tiles that it would have trained on."""
    with open_dataset(project.input("tiles.h5")) as tiles:
        ids, groups, labels, found = tiles.ids, tiles.groups, tiles.labels, tiles.first_labels
    first = name_labels(found, params.classes)
    left_out = (labels == LEFT_OUT_LABEL) & choose_balanced(params, first, first, ids)
    if not left_out.any():
        return [[] for _ in folds]
    known = set().union(*(part for fold in folds for part in fold.ids.values()))
    places = np.flatnonzero(left_out | np.array([name in known for name in ids], bool))
    words = np.where(left_out, first, name_labels(labels, params.classes))
    rows = [{"id": ids[n], "group": groups[n], "label": words[n]} for n in places.tolist()]
    scans = {scan_id_of(scan): scan for scan in read_catalogue(project)}
    given, _ = find_given(params, [scans[scan_of(row["id"])] for row in rows])
    count = count_parts(params, given)
    lines = read_lines(project, rows)
    own = np.array(group_tiles(params.split.group, rows, scans, lines, count), object)
    twins = find_twins(project.input("tiles.h5"), places, params.twin_distance)
    return [
        _choose_of_fold(params, fold, rows, own, twins, left_out[places], given) for fold in folds
    ]


def _choose_of_fold(
    params: Params,
    fold: Fold,
    rows: Sequence[Row],
    groups: npt.NDArray[np.object_],
    twins: npt.NDArray[np.intp],
    left_out: npt.NDArray[np.bool_],
    given: npt.NDArray[np.object_],
) -> list[str]:
    """Return the ids of those left out that are on the training side of a fold.

    given (N,): the part that each one's picture came with, '' for none.
    """
    part_of = {name: part for part, names in fold.ids.items() for name in names}
    sides: dict[str, set[str]] = defaultdict(set)
    barred = set[int]()  # clusters in which something is validated or tested on
    for row, group, twin, came in zip(rows, groups, twins.tolist(), given, strict=True):
        part = part_of.get(row["id"]) or came
        if part:
            sides[group].add(part)
        if part in ("val", "test"):
            barred.add(twin)
    chosen = []
    for place in np.flatnonzero(left_out).tolist():
        group = groups[place]
        drawn = sides[group] or {_deal(params, fold.number, group, len(part_of), set(given))}
        if drawn == {"train"} and twins[place] not in barred:
            chosen.append(rows[place]["id"])
    return chosen


def _deal(params: Params, fold: int, group: str, tiles: int, given: Collection[str]) -> str:
    """Return the side of a group that no split has, by its number in [0, 1).

    given: the parts that are not drawn, for pictures came with them.
    """
    split = params.split
    number = float(number_names("split", split.seed, [group])[0])
    if split.folds > 1:
        return "test" if int(number * split.folds) == fold else "train"
    tested = 0.0 if "test" in given else split.test if split.test < 1 else split.test / tiles
    held = 0.0 if "val" in given else split.val
    return "test" if number < tested else "val" if number < tested + held else "train"
