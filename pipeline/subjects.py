"""Subjects: what a scan shows, with labels, or the reason why it can't be used.

A scan is uint8 (H, W) or (H, W, 3) RGB, upright; a subject's ink is uint8 (h, w), 0 paper to 255
full ink. Nothing is guessed: a page that does not keep its layout's promise gives no subject.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline import formpage, formreading, overlays, pages
from pipeline.boxes import Box, label_places
from pipeline.errors import DataError

Scan = npt.NDArray[np.uint8]


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


@dataclass(frozen=True)
class Searched:
    """A scan's subjects, or the reason why there are none; and a picture (RGB) of what was seen."""

    subjects: tuple[Subject, ...] = ()
    reason: str = ""
    overlay: Scan | None = None


def search_flowing_page(
    scan: Scan, flow: pages.Flow, classes: Sequence[str], label: str, group: str
) -> Searched:
    """Find the glyphs of a page of layout rows, sequence or free; `label` is its folder's."""
    row_length = len(classes) if flow == "sequence" else None
    glyphs = pages.find_glyphs(scan, flow, row_length)
    return _label_glyphs(scan, glyphs, flow, classes, label, group)


def search_cells(
    scan: Scan,
    rows: int,
    columns: int,
    labels_from: Literal["rows", "columns", "folder"],
    classes: Sequence[str],
    label: str,
    group: str,
) -> Searched:
    """Find the glyphs of a page that is cut into equal cells."""
    glyphs = pages.cut_cells(scan, rows, columns)
    return _label_glyphs(scan, glyphs, "cells", classes, label, group, labels_from)


def search_form(scan: Scan, classes: Sequence[str]) -> Searched:
    """Read a filled-in form; its own code says the labels and the writer."""
    try:
        page = formreading.read_form(scan)
    except formpage.FormError as error:
        return Searched(reason=str(error), overlay=_draw_markers(scan))
    unknown = [name for name in page.form.classes if name not in classes]
    shown = [cell for cell in page.cells if cell.state != "empty"]
    overlay = overlays.draw_overlay(
        scan,
        [cell.box for cell in shown],
        [cell.label if cell.state == "written" else cell.state for cell in shown],
        [cell.score if cell.state == "written" else 0.0 for cell in shown],
    )
    if unknown:
        reason = f"the form has the class '{unknown[0]}', which is not among those in params.yaml"
        return Searched(reason=reason, overlay=overlay)
    subjects = tuple(
        Subject(c.box, c.label, page.group, c.row, c.column, c.score, c.pixels)
        for c in page.cells
        if c.state == "written"
    )
    return Searched(subjects, "" if subjects else "no box of the form is filled in", overlay)


def search_picture(scan: Scan, label: str, group: str) -> Searched:
    """Return the one glyph that a ready-cut picture shows."""
    height, width = scan.shape[:2]
    glyph = pages.cut_whole(scan)
    if glyph is None:
        return Searched(reason="no writing was found on it")
    whole = (0, 0, width, height)
    return Searched((Subject(whole, label, group, score=glyph.score, pixels=glyph.pixels),))


def _label_glyphs(
    scan: Scan,
    glyphs: Sequence[pages.Glyph],
    layout: str,
    classes: Sequence[str],
    label: str,
    group: str,
    labels_from: str = "rows",
) -> Searched:
    places = [(glyph.row, glyph.column) for glyph in glyphs]
    reason, labels = "", [""] * len(glyphs)
    try:
        labels = label_places(layout, places, classes, label, labels_from)
    except DataError as error:
        reason = str(error)
    overlay = overlays.draw_overlay(
        scan, [glyph.box for glyph in glyphs], labels, [glyph.score for glyph in glyphs]
    )
    if reason or not glyphs:
        return Searched(reason=reason or "no writing was found on it", overlay=overlay)
    subjects = tuple(
        Subject(g.box, name, group, g.row, g.column, g.score, g.pixels)
        for g, name in zip(glyphs, labels, strict=True)
    )
    return Searched(subjects, overlay=overlay)


def _draw_markers(scan: Scan) -> Scan:
    """Return the picture with whatever looked like a form's marker."""
    found = formpage.find_markers(formpage.to_grey(scan))
    boxes = [
        (*corners.min(axis=0).astype(int).tolist(), *corners.max(axis=0).astype(int).tolist())
        for _, corners in found
    ]
    return overlays.draw_overlay(
        scan, boxes, [f"marker {number}" for number, _ in found], [0.0] * len(found)
    )
