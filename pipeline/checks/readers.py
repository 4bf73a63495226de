"""The files up to the split, read one by one for `prep check files`: what others are compared with.

Only ids and labels are kept in memory, never pictures.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.checks import contents
from pipeline.checks.contents import find_repeats, judge_lines
from pipeline.checks.faults import Fault
from pipeline.dataset.damage import REBUILD
from pipeline.dataset.schema import LEFT_OUT_LABEL, UNLABELLED
from pipeline.dataset.store import DatasetFile, open_dataset
from pipeline.dataset.tables import COLUMNS, Row, tell_found
from pipeline.errors import DataError, UnusableFileError
from pipeline.project import Project
from pipeline.subjects.boxes import scan_id
from pipeline.verdicts.tables import LONG_COLUMNS

Found = TypeVar("Found")
Folds = dict[int, dict[str, str]]  # of each fold: the part of each id
SHOWN = 3  # ids that a sentence names


@dataclass(frozen=True)
class Scans:
    """The usable scans of catalogue.csv: their width and height; was a split given?"""

    sizes: dict[str, tuple[int, int]]
    given: bool


class Box(NamedTuple):
    """A row of boxes.csv: right and lower side, the label that it has, and was found with."""

    right: int
    lower: int
    label: str
    found: str


@dataclass(frozen=True)
class Columns:
    """What a dataset file says, without its images."""

    ids: list[str]
    labels: npt.NDArray[np.int16]
    found: npt.NDArray[np.int16]
    groups: list[str]
    parents: list[str]
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Data:
    """The files up to the split; None for what is missing or faulty by itself."""

    scans: Scans | None
    boxes: dict[str, Box] | None
    glyphs: list[str] | None
    tiles: Columns | None
    balanced: dict[str, tuple[str, str]] | None  # label, group
    folds: Folds | None


def read_part(
    project: Project,
    faults: list[Fault],
    part: str,
    read: Callable[[Path, list[str]], Found],
) -> Found | None:
    """Return what a file under processed/ says; None if it is missing, or has a fault."""
    path = project.output(*part.split("/"))
    if not path.is_file():
        return None
    said: list[str] = []
    found, remedy = None, ""
    try:
        found = read(path, said)
    except DataError as error:
        said.append(tell_reason(error))
        if isinstance(error, UnusableFileError) and error.remedy == REBUILD:
            remedy = REBUILD
    faults += [Fault(project.relative(path), what, remedy) for what in said]
    return None if said else found


def tell_reason(error: DataError) -> str:
    """Return what is wrong with a file, without its name and the remedy, which are a Fault's."""
    return error.reason if isinstance(error, UnusableFileError) else str(error).rstrip(".")


def read_scans(classes: Sequence[str], path: Path, faults: list[str]) -> Scans:
    """Read catalogue.csv."""
    judge = partial(contents.judge_scan, classes=classes)
    rows = [
        (
            scan_id(row["sha256"], int(row["page"])),
            int(row["width"]),
            int(row["height"]),
            row["split"],
        )
        for row in judge_lines(path, COLUMNS["catalogue"], judge, faults)
        if row["status"] == "ok"
    ]
    faults += [f"the scan {name} stands there twice" for name in find_repeats(r[0] for r in rows)]
    return Scans({name: (w, h) for name, w, h, _ in rows}, any(row[3] for row in rows))


def read_boxes(classes: Sequence[str], path: Path, faults: list[str]) -> dict[str, Box]:
    """Read boxes.csv."""
    judge = partial(contents.judge_box, classes=classes)
    rows = [
        (row["id"], Box(int(row["x1"]), int(row["y1"]), row["label"], tell_found(row, classes)))
        for row in judge_lines(path, COLUMNS["boxes"], judge, faults)
    ]
    return _without_repeats(rows, faults)


def read_balanced(
    classes: Sequence[str], path: Path, faults: list[str]
) -> dict[str, tuple[str, str]]:
    """Read balanced.csv."""
    judge = partial(contents.judge_balanced, classes=classes)
    rows = judge_lines(path, COLUMNS["balanced"], judge, faults)
    return _without_repeats([(row["id"], (row["label"], row["group"])) for row in rows], faults)


def read_split(path: Path, faults: list[str]) -> Folds:
    """Read split.csv."""
    folds: Folds = {}
    for row in judge_lines(path, COLUMNS["split"], contents.judge_split, faults):
        parts = folds.setdefault(int(row["fold"]), {})
        if row["id"] in parts:
            faults.append(f"{row['id']} stands twice in fold {row['fold']}")
        parts[row["id"]] = row["split"]
    if sorted(folds) != list(range(len(folds))):
        faults.append(f"its folds are {', '.join(map(str, sorted(folds)))}")
    return folds


def read_left_out(path: Path, faults: list[str]) -> None:
    """Read left_out.csv."""
    for _ in judge_lines(path, COLUMNS["left_out"], contents.judge_left_out, faults):
        pass


def read_quarantine(path: Path, faults: list[str]) -> None:
    """Read quarantine.csv."""
    for _ in judge_lines(path, COLUMNS["quarantine"], contents.judge_quarantined, faults):
        pass


def read_ablation(experiments: Collection[str], path: Path, faults: list[str]) -> None:
    """Read ablation.csv."""

    def judge(row: Row) -> str:
        known = row["experiment"] in experiments
        return "" if known else f"there is no experiment '{row['experiment']}'"

    for _ in judge_lines(path, LONG_COLUMNS, judge, faults):
        pass


def read_columns(classes: Sequence[str], path: Path, faults: list[str]) -> Columns:
    """Read a dataset file: ids unique, labels in range, draws numbers."""
    with open_dataset(path) as dataset:
        names = [str(name) for name in dataset.ids]
        labels = dataset.labels
        if dataset.classes != list(classes):
            faults.append("its classes are not those of params.yaml, in this order")
        faults += _judge_labels("label", labels, LEFT_OUT_LABEL, dataset, names)
        faults += _judge_labels("found", dataset.found, UNLABELLED, dataset, names)
        faults += [f"the id {name} stands there twice" for name in find_repeats(names)]
        parents = []
        if dataset.draw_names or "op" in dataset.made_by:
            parents = [str(name) for name in dataset.parents]
            draws = dataset.draws
            if draws.shape[1] != len(dataset.draw_names):
                faults.append(f"{draws.shape[1]} draws a variant, {len(dataset.draw_names)} names")
            for row in np.flatnonzero(~np.isfinite(draws).all(axis=1))[:SHOWN]:
                faults.append(f"row {row} ({names[row]}): its draws are not all numbers")
        parameters = dataset.made_by.get("parameters")
        return Columns(
            names,
            labels,
            dataset.found,
            [str(group) for group in dataset.groups],
            parents,
            parameters if isinstance(parameters, dict) else {},
        )


def _judge_labels(
    what: str,
    labels: npt.NDArray[np.int16],
    least: int,
    dataset: DatasetFile,
    names: Sequence[str],
) -> Iterator[str]:
    """Yield the first labels that are no class's number, and less than what stands for none."""
    for row in np.flatnonzero((labels < least) | (labels >= len(dataset.classes)))[:SHOWN]:
        yield f"row {row} ({names[row]}): {what} {labels[row]} is no class's number"


def _without_repeats(rows: list[tuple[str, Found]], faults: list[str]) -> dict[str, Found]:
    faults += [f"the id {name} stands there twice" for name in find_repeats(r[0] for r in rows)]
    return dict(rows)
