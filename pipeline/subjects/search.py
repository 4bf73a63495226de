"""Subjects: what a scan shows, with labels, or the reason why it can't be used.

A scan is uint8 (H, W) or (H, W, 3) RGB, upright; a subject's ink is uint8 (h, w), 0 paper to 255
full ink. Nothing is guessed: a page that does not keep its layout's promise gives no subject.
Where labels are not wanted (`classes` is None), nothing is promised but the way of reading.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError, count_things
from pipeline.forms import finding
from pipeline.forms.reading import FilledBox, read_form
from pipeline.pages.closeups import shows_one
from pipeline.pages.reading import Flow, Glyph, cells_of, cut_cells, cut_whole, read_page
from pipeline.subjects import overlays
from pipeline.subjects.boxes import Box, label_places
from pipeline.subjects.layouts import LayoutName, Origin

Scan = npt.NDArray[np.uint8]

_UNUSED = {"empty": "empty", "unclear": "unclear", "crossed": "crossed out"}  # boxes of a form

_LIES = (
    "its rows seem to run from top to bottom; if the page lies on its side, turn the picture by 90 "
    "degrees: as it is, its labels and glyphs are wrong"
)


@dataclass(frozen=True)
class Subject:
    """One subject: where it lies on the scan, its label ('' unknown), and its ink if writing."""

    box: Box
    label: str
    group: str = ""
    row: int = 0
    column: int = 0
    score: float = 1.0
    pixels: npt.NDArray[np.uint8] | None = None
    found: str = ""  # the label that it had first, if a person gave it another
    drawn: bool = False  # in a box that a person drew, who may have said what it is


@dataclass(frozen=True)
class LeftOut:
    """What was seen on a scan and is no subject: where, why, and its label and place if known."""

    box: Box
    reason: str
    label: str = ""
    row: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Searched:
    """A scan's subjects, or the reason why there are none; and a picture (RGB) of what was seen."""

    subjects: tuple[Subject, ...] = ()
    reason: str = ""
    overlay: Scan | None = None
    note: str = ""  # what was left out of it, or is doubtful
    left_out: tuple[LeftOut, ...] = ()


def search_scan(
    scan: Scan,
    layout: LayoutName,
    classes: Sequence[str] | None,
    label: str = "",
    group: str = "",
    *,
    rows: int = 1,
    columns: int = 1,
    labels_from: Origin | None = None,
) -> Searched:
    """Find the subjects of a scan of any layout that is searched, in reading order.

    classes: those that the layout's labels come from, or None to find subjects without labels (a
    form's own are kept). label: the folder's. rows, columns, labels_from: of a page of cells.
    """
    match layout:
        case "whole":
            return _search_picture(scan, label, group)
        case "form":
            return _search_form(scan, classes)
        case "cells":
            return _search_cells(scan, rows, columns, labels_from, classes, label, group)
        case "rows" | "sequence" | "free" as flow:
            return search_flowing_page(scan, flow, classes, label, group)
    raise ValueError(f"layout {layout!r} has nothing to search for")


def tell_layout(scan: Scan) -> Literal["form", "whole", "free"]:
    """Tell the layout of a scan by what it shows: a form, one glyph close up, or any writing."""
    if finding.shows_form(scan):
        return "form"
    return "whole" if shows_one(scan) else "free"


def search_flowing_page(
    scan: Scan, flow: Flow, classes: Sequence[str] | None, label: str, group: str
) -> Searched:
    """Find the glyphs of a page of layout rows, sequence or free; `label` is its folder's.

    A form, a photo or a page of print gives none, even where pieces of it look like glyphs.
    """
    if finding.shows_form(scan):
        reason = (
            f"this is a form printed by `prep sheet`; expected a page of layout {flow}. Give forms "
            "a folder and a source of their own, with layout: form"
        )
        return Searched(reason=reason, overlay=_draw_markers(scan))
    row_length = len(classes) if flow == "sequence" and classes is not None else None
    page = read_page(scan, flow, row_length)
    if page.doubt:
        reason = f"{page.doubt}; expected a handwritten page of layout {flow}"
        unlabelled = [""] * len(page.glyphs)
        return Searched(reason=reason, overlay=_draw_glyphs(scan, page.glyphs, unlabelled))
    found = _label_glyphs(scan, page.glyphs, flow, classes, label, group)
    if page.lies:
        reason = f"{found.reason}; {_LIES}" if found.reason else ""
        found = replace(found, reason=reason, note=_LIES)
    marks = ((_clip(mark.box, scan.shape), mark.reason) for mark in page.dropped)
    seen = tuple(LeftOut(box, why) for box, why in marks if box[0] < box[2] and box[1] < box[3])
    if found.overlay is not None and seen:
        told = count_reasons(one.reason for one in seen)
        drawn = overlays.outline_left_out(found.overlay, [one.box for one in seen], told)
        found = replace(found, overlay=drawn)
    # Of a page that is refused for its rows no box is used, so none of them is left out.
    return replace(found, left_out=seen) if not found.reason or not page.glyphs else found


def count_reasons(reasons: Iterable[str]) -> str:
    """Count marks that are left out by their reasons, most first, in a sentence; '' for none."""
    counts = Counter(reasons)
    if not counts:
        return ""
    by_count = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    told = ", ".join(f"{count:,} {reason}" for reason, count in by_count)
    return f"{count_things(counts.total(), 'mark')} left out: {told}"


def _search_cells(
    scan: Scan,
    rows: int,
    columns: int,
    labels_from: Origin | None,
    classes: Sequence[str] | None,
    label: str,
    group: str,
) -> Searched:
    """Find the glyphs of a page that is cut into equal cells."""
    glyphs = cut_cells(scan, rows, columns)
    found = _label_glyphs(scan, glyphs, "cells", classes, label, group, labels_from)
    filled = {(glyph.row, glyph.column) for glyph in glyphs}
    cells = cells_of(scan.shape, rows, columns)
    empty = (LeftOut(cells[p], "empty", "", *p) for p in cells if p not in filled)
    return found if found.reason else replace(found, left_out=tuple(empty))


def _search_form(scan: Scan, classes: Sequence[str] | None) -> Searched:
    """Read a filled-in form; its own code says the labels and the writer."""
    try:
        page = read_form(scan)
    except finding.FormError as error:
        return Searched(reason=str(error), overlay=_draw_markers(scan))
    unknown = [name for name in page.form.classes if classes is not None and name not in classes]
    shown = [cell for cell in page.boxes if cell.state != "empty"]
    overlay = overlays.draw_overlay(
        scan,
        [cell.box for cell in shown],
        [cell.label if cell.state == "written" else cell.state for cell in shown],
        [cell.score if cell.state == "written" else 0.0 for cell in shown],
        [f"{cell.row}.{cell.column}" for cell in shown],
    )
    if unknown:
        reason = f"the form has the class '{unknown[0]}', which is not among those in params.yaml"
        return Searched(reason=reason, overlay=overlay)
    subjects = tuple(
        Subject(c.box, c.label, page.group, c.row, c.column, c.score, c.pixels)
        for c in page.boxes
        if c.state == "written"
    )
    left_out = tuple(
        LeftOut(c.box, _say_unused(c), c.label, c.row, c.column)
        for c in page.boxes
        if c.state != "written"
    )
    if not subjects:
        return Searched(reason="no box of the form is filled in", overlay=overlay)
    return Searched(subjects, overlay=overlay, left_out=left_out)


def _say_unused(cell: FilledBox) -> str:
    """Return why a box of a form is not used."""
    return f"{_UNUSED[cell.state]}: {cell.reason}" if cell.reason else _UNUSED[cell.state]


def _search_picture(scan: Scan, label: str, group: str) -> Searched:
    """Return the one glyph that a ready-cut picture shows."""
    height, width = scan.shape[:2]
    glyph = cut_whole(scan)
    if glyph is None:
        return Searched(reason="no writing was found on it")
    whole = (0, 0, width, height)
    subject = Subject(whole, label, group, score=glyph.score, pixels=glyph.pixels)
    return Searched((subject,), note=glyph.note)


def _label_glyphs(
    scan: Scan,
    glyphs: Sequence[Glyph],
    layout: str,
    classes: Sequence[str] | None,
    label: str,
    group: str,
    labels_from: Origin | None = None,
) -> Searched:
    places = [(glyph.row, glyph.column) for glyph in glyphs]
    reason, labels = "", [""] * len(glyphs)
    try:
        if classes is not None:
            labels = label_places(layout, places, classes, label, labels_from)
    except DataError as error:
        reason = str(error)
    overlay = _draw_glyphs(scan, glyphs, labels)
    if reason or not glyphs:
        return Searched(reason=reason or "no writing was found on it", overlay=overlay)
    subjects = tuple(
        Subject(g.box, name, group, g.row, g.column, g.score, g.pixels)
        for g, name in zip(glyphs, labels, strict=True)
    )
    return Searched(
        subjects, overlay=overlay, note=next(filter(None, (g.note for g in glyphs)), "")
    )


def _clip(box: Box, shape: tuple[int, ...]) -> Box:
    """Return the part of a box that lies on a scan (H, W, ...)."""
    height, width = shape[:2]
    return max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)


def _draw_glyphs(scan: Scan, glyphs: Sequence[Glyph], labels: Sequence[str]) -> Scan:
    """Draw the boxes with their labels, and below them row and column as boxes.csv has them."""
    boxes, scores = [glyph.box for glyph in glyphs], [glyph.score for glyph in glyphs]
    places = [f"{glyph.row}.{glyph.column}" for glyph in glyphs]
    return overlays.draw_overlay(scan, boxes, labels, scores, places)


def _draw_markers(scan: Scan) -> Scan:
    """Return the picture with whatever looked like a form's marker."""
    found = finding.find_markers(finding.to_grey(scan))
    boxes = [
        (*corners.min(axis=0).astype(int).tolist(), *corners.max(axis=0).astype(int).tolist())
        for _, corners in found
    ]
    return overlays.draw_overlay(
        scan, boxes, [f"marker {number}" for number, _ in found], [0.0] * len(found)
    )
