"""Subjects in boxes that a person drew: they take the place of those that would be found.

The ink in a box is cut as the page's own reading would cut it: a box that the reading finds just so
gives the same ink, any other one the strokes that lie in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError
from pipeline.forms import finding
from pipeline.forms.reading import ReadForm, cut_box, read_form
from pipeline.pages import rows as page_rows
from pipeline.pages.reading import cells_of, cut_boxes, cut_part
from pipeline.subjects import overlays
from pipeline.subjects.boxes import Box, label_places
from pipeline.subjects.layouts import LayoutName, Origin
from pipeline.subjects.search import LeftOut, Scan, Searched, Subject, search_scan

Ink = npt.NDArray[np.uint8]
Place = tuple[int, int]  # row and column
ELSEWHERE = "not among the boxes in raw/boxes.csv"  # a reason to leave a box out, as is
NO_INK = "no ink in it"


@dataclass(frozen=True)
class Drawn:
    """A box that a person drew on a scan; '' and None for what they did not say."""

    box: Box
    label: str = ""
    group: str = ""
    row: int | None = None
    column: int | None = None


def search_drawn(
    drawn: Sequence[Drawn],
    scan: Scan,
    layout: LayoutName,
    classes: Sequence[str],
    label: str = "",
    group: str = "",
    *,
    rows: int = 1,
    columns: int = 1,
    labels_from: Origin | None = None,
) -> Searched:
    """Return the subjects in boxes (at least one) on a scan of any layout that is searched.

    What the boxes do not say comes from the layout, as search_scan has it; places come from where
    the boxes lie. Boxes without ink, and what else was seen on the scan, are left out.
    """
    found = search_scan(
        scan, layout, classes, label, group, rows=rows, columns=columns, labels_from=labels_from
    )
    form = _read_form(scan) if layout == "form" else None
    inks = _cut(drawn, scan, layout, found, form)
    cells = cells_of(scan.shape, rows, columns) if layout == "cells" else {}
    boxes = [one.box for one in drawn]
    named = _name_form_boxes(form, boxes) if form else [("", None)] * len(boxes)
    places = _place(drawn, cells, [place for _, place in named])
    by_place, note = [name for name, _ in named], ""
    if layout != "form":
        by_place, note = _label_places(drawn, layout, places, classes, label, labels_from)
    group = group or (form.group if form else "")
    labels = [one.label or label or name for one, name in zip(drawn, by_place, strict=True)]
    every = [
        Subject(one.box, own, one.group or group, *place, pixels=ink, found=name, drawn=True)
        for one, own, name, place, ink in zip(drawn, labels, by_place, places, inks, strict=True)
    ]
    subjects = tuple(one for one in every if one.pixels is not None)
    blank = [_leave_out(one, NO_INK) for one in every if one.pixels is None]
    shown = [f"{row}.{column}" for row, column in places]
    overlay = overlays.draw_overlay(
        scan, boxes, labels, [float(one.pixels is not None) for one in every], shown
    )
    if not subjects:
        return Searched(reason="no writing was found in the boxes drawn on it", overlay=overlay)
    others = [_leave_out(one, ELSEWHERE) for one in found.subjects] + list(found.left_out)
    left_out = (*blank, *(one for one in others if not _is_in(one.box, boxes)))
    return Searched(subjects, overlay=overlay, note=note, left_out=left_out)


def _leave_out(subject: Subject, reason: str) -> LeftOut:
    return LeftOut(subject.box, reason, subject.label, subject.row, subject.column)


def _is_in(box: Box, boxes: Sequence[Box]) -> bool:
    """Return whether the middle of a box lies in one of the others."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in boxes)


def _read_form(scan: Scan) -> ReadForm | None:
    try:
        return read_form(scan)
    except finding.FormError:
        return None  # what a person sees there is read as on any page


def _cut(
    drawn: Sequence[Drawn], scan: Scan, layout: str, found: Searched, form: ReadForm | None
) -> list[Ink | None]:
    """Return the ink in each box, None where there is none."""
    known = {subject.box: subject.pixels for subject in found.subjects}
    others = [one.box for one in drawn if one.box not in known]
    if form:
        cut = [cut_box(form, box) for box in others]
    elif layout in ("cells", "whole"):
        parts = [cut_part(scan, box) for box in others]
        cut = [None if part is None else part.pixels for part in parts]
    else:
        cut = cut_boxes(scan, others)
    inks = known | dict(zip(others, cut, strict=True))
    return [inks[one.box] for one in drawn]


def _name_form_boxes(form: ReadForm, boxes: Sequence[Box]) -> list[tuple[str, Place | None]]:
    """Return the label and the place of the printed box that each box lies on, by their middles."""
    middles = np.array([cell.quad.mean(axis=0) for cell in form.boxes])
    reach = np.array([np.ptp(cell.quad, axis=0).max() / 2 for cell in form.boxes])
    named: list[tuple[str, Place | None]] = []
    for x0, y0, x1, y1 in boxes:
        away = np.abs(middles - ((x0 + x1) / 2, (y0 + y1) / 2)).max(axis=1)
        nearest = int(away.argmin())
        cell = form.boxes[nearest]
        is_on = away[nearest] <= reach[nearest]
        named.append((cell.label, (cell.row, cell.column)) if is_on else ("", None))
    return named


def _place(
    drawn: Sequence[Drawn], cells: dict[Place, Box], named: Sequence[Place | None]
) -> list[Place]:
    """Return row and column of each box: as said, as the layout has them, else as they lie."""
    boxes = np.array([one.box for one in drawn], np.int64)
    height = float(np.median(boxes[:, 3] - boxes[:, 1]))
    row = page_rows.find_rows(boxes, height)
    column = page_rows.number_columns(boxes, row)
    places = []
    for number, one in enumerate(drawn):
        own = named[number] or next(
            (p for p, cell in cells.items() if _is_in(one.box, [cell])), None
        )
        own = own or (int(row[number]), int(column[number]))
        places.append(
            (
                own[0] if one.row is None else one.row,
                own[1] if one.column is None else one.column,
            )
        )
    return places


def _label_places(
    drawn: Sequence[Drawn],
    layout: str,
    places: Sequence[Place],
    classes: Sequence[str],
    label: str,
    labels_from: Origin | None,
) -> tuple[list[str], str]:
    """Return the label of each box by its place, and what is to be told."""
    try:
        return label_places(layout, places, classes, label, labels_from), ""
    except DataError as error:
        note = f"{error}, so boxes that raw/boxes.csv gives no label have none"
        missing = not label and not all(one.label for one in drawn)
        return [""] * len(drawn), note if missing else ""
