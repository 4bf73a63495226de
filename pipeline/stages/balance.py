"""prep balance: tiles.h5 -> balanced.csv, the ids that stay."""

from collections import Counter

import numpy as np

from pipeline.console import warn
from pipeline.dataset.reading import open_tiles
from pipeline.dataset.schema import LEFT_OUT_LABEL, UNLABELLED, name_labels
from pipeline.dataset.tables import COLUMNS, write_table
from pipeline.errors import DataError, count_things
from pipeline.intake.catalogue import scan_id_of
from pipeline.intake.scans import read_catalogue
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.subjects.boxes import scan_of
from pipeline.training.division import Column, choose_balanced


def balance(project: Project, params: Params) -> str:
    """Choose which labelled tiles stay; nothing is invented here."""
    with open_tiles(project, params.classes) as tiles:
        ids, groups, numbers = tiles.ids, tiles.groups, tiles.labels
        first = name_labels(tiles.first_labels, params.classes)
    labelled = numbers >= 0
    labels = name_labels(numbers, params.classes)
    unlabelled, left_out = (int((numbers == one).sum()) for one in (UNLABELLED, LEFT_OUT_LABEL))
    _check_counts(Counter(labels[labelled]), unlabelled, left_out, params)
    keep = choose_balanced(params, labels, first, ids)
    _tell_small_classes(Counter(labels[labelled]), params)
    rows = [
        {"id": ids[row], "label": labels[row], "group": groups[row]} for row in np.flatnonzero(keep)
    ]
    write_table(project.renew("balanced.csv"), COLUMNS["balanced"], rows)
    note = _name_smallest(Counter(labels[labelled]), params)
    note += _tell_given(project, ids[labelled & ~keep], ids[labelled])
    note += f"; {unlabelled:,} unlabelled left out" if unlabelled else ""
    note += f"; {left_out:,} left out by raw/labels.csv" if left_out else ""
    return (
        f"{len(rows):,} of {len(ids):,} tiles stay in processed/balanced.csv, "
        f"{_spread(Counter(labels[keep]))} a class{note}"
    )


def _tell_given(project: Project, dropped: Column, every: Column) -> str:
    """Return how many tiles of a test set as given do not stay, which nobody may expect."""
    tested = {scan_id_of(scan) for scan in read_catalogue(project) if scan["split"] == "test"}
    lost, whole = (sum(scan_of(name) in tested for name in names) for names in (dropped, every))
    if not lost:
        return ""
    return (
        f"; {lost:,} of {whole:,} tiles of the test set as given do not (balance.method: none "
        "keeps all)"
    )


def _check_counts(counts: Counter[str], unlabelled: int, left_out: int, params: Params) -> None:
    """Raise DataError when a class has no tile at all."""
    empty = [name for name in params.classes if not counts[name]]
    if empty and unlabelled:
        raise DataError(
            f"class '{empty[0]}' has no tile, but {unlabelled:,} tiles have no label: put their "
            "pictures into folders named after the classes, or list them in raw/labels.csv."
        )
    if empty:
        note = f" (raw/labels.csv leaves out {count_things(left_out, 'tile')})" if left_out else ""
        raise DataError(
            f"class '{empty[0]}' has no tile{note}. Add pictures of it, or take it out of "
            "classes in params.yaml. (processed/catalogue.csv and quarantine.csv say what was not "
            "used.)"
        )


def _tell_small_classes(counts: Counter[str], params: Params) -> None:
    """Say which classes have fewer tiles than every class should keep."""
    to = params.balance.to
    if params.balance.method == "undersample" and to != "smallest":
        small = [f"{name} ({counts[name]})" for name in params.classes if counts[name] < to]
        if small:
            warn(f"balance.to is {to}, but these classes have fewer tiles: {', '.join(small)}")


def _name_smallest(counts: Counter[str], params: Params) -> str:
    """Return which class says how many stay of each, '' where none does."""
    if params.balance.method == "none" or params.balance.to != "smallest":
        return ""
    smallest = min(params.classes, key=lambda name: counts[name])
    return f", as many as '{smallest}' has" if max(counts.values()) > counts[smallest] else ""


def _spread(counts: Counter[str]) -> str:
    low, high = min(counts.values()), max(counts.values())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
