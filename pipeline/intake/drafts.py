"""What a model read off new pictures, as tables: a row a subject, or a draft for raw/labels.csv."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.dataset.predictions import choose_classes
from pipeline.dataset.tables import Row, write_table
from pipeline.intake.catalogue import name_of, path_of, scan_id_of
from pipeline.subjects.boxes import box_id
from pipeline.subjects.layouts import LAYOUTS, LayoutName
from pipeline.subjects.search import Subject

COLUMNS = (
    "picture", "page", "id", "x0", "y0", "x1", "y1",
    "label", "probability", "second_best", "second_probability",
)  # fmt: skip


@dataclass(frozen=True)
class Predicted:
    """A scan, named as in the catalogue, what was found on it, and the chances of each class."""

    row: Row
    layout: LayoutName
    subjects: tuple[Subject, ...]
    probabilities: npt.NDArray[np.float32]  # (N, K)

    @property
    def is_whole(self) -> bool:
        """Whether the scan is its one subject."""
        return LAYOUTS[self.layout].is_subject

    @property
    def ids(self) -> list[str]:
        """The subjects' ids, as `prep segment` names them."""
        scan = scan_id_of(self.row)
        return [scan if self.is_whole else box_id(scan, one.box) for one in self.subjects]


def write_predictions(path: Path, found: Sequence[Predicted], classes: Sequence[str]) -> None:
    """Write a row for each subject: picture, page (from 0), id, box, and its two best labels."""
    write_table(path, COLUMNS, (row for scan in found for row in _list_rows(scan, classes)))


def _list_rows(scan: Predicted, classes: Sequence[str]) -> Iterator[dict[str, object]]:
    picture = name_of({**scan.row, "page": "0"})
    for name, subject, chances in zip(scan.ids, scan.subjects, scan.probabilities, strict=True):
        best, *others = np.argsort(-chances, kind="stable")
        row = {"picture": picture, "page": scan.row["page"], "id": name}
        second = (classes[others[0]], f"{chances[others[0]]:.6f}") if others else ("", "")
        said = (*subject.box, classes[best], f"{chances[best]:.6f}", *second)
        yield row | dict(zip(COLUMNS[3:], said, strict=True))


def write_draft(
    path: Path, found: Sequence[Predicted], classes: Sequence[str], least: float
) -> list[str]:
    """Write lines for raw/labels.csv; return the names of those whose label is left empty.

    These are less likely than `least`: somebody has to fill them in (an empty label changes
    nothing). A picture that is one subject is named by its file, so that it has a class at once.
    """
    rows, unsure = [], []
    pages = Counter((scan.row["source"], scan.row["member"]) for scan in found)
    for scan in found:
        is_file = scan.is_whole and pages[scan.row["source"], scan.row["member"]] == 1
        source = path_of(scan.row)
        best = choose_classes(scan.probabilities)
        for name, number, chances in zip(scan.ids, best, scan.probabilities, strict=True):
            is_sure = chances[number] >= least
            label = classes[number] if is_sure else ""
            rows.append({"source": source, "id": "" if is_file else name, "label": label})
            if not is_sure:
                unsure.append(source if is_file else f"{source} {name}")
    write_table(path, ("source", "id", "label"), rows)
    return unsure
