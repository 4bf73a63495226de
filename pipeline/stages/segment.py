"""prep segment: catalogue.csv -> boxes.csv, glyphs.h5, quarantine.csv, overlays/."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline import images, overlays, pages
from pipeline.atomic import whole_folder
from pipeline.boxes import Box, box_id, label_places
from pipeline.catalogue import name_of, scan_id_of
from pipeline.console import track
from pipeline.errors import DataError
from pipeline.pages import Glyph
from pipeline.parallel import map_in_order
from pipeline.params import Params, Source
from pipeline.project import Project
from pipeline.scans import Scan, group_by_file, read_catalogue, read_overrides, read_scans
from pipeline.store import write_glyphs
from pipeline.tables import COLUMNS, Row, read_table, write_table


@dataclass(frozen=True)
class Subject:
    """What was found on a scan: a row of boxes.csv, with its ink (h, w) if it is writing."""

    id: str
    box: Box
    label: str
    group: str
    row: int = 0
    column: int = 0
    score: float = 1.0
    pixels: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Searched:
    """A scan's subjects, or the reason why it can't be used; and a JPEG of what was seen."""

    subjects: list[Subject]
    reason: str = ""
    overlay: bytes = b""


def segment(project: Project, params: Params, jobs: int | None = None) -> str:
    """Find the subjects of every scan, cut them out and draw what was found."""
    overrides = {row["id"]: row for row in read_overrides(project.root) if row.get("id")}
    scans = read_catalogue(project)
    found: list[tuple[Row, Subject]] = []
    refused: list[Row] = []
    with whole_folder(project.output("overlays")) as overlay_folder:
        search = partial(search_file, project.root, params)
        files = group_by_file(scans)
        for searched_file in track(map_in_order(search, files, jobs), "segmenting", len(files)):
            for row, searched in searched_file:
                if searched.overlay:
                    (overlay_folder / overlay_name(row)).write_bytes(searched.overlay)
                if searched.reason:
                    refused.append(row | {"reason": searched.reason})
                found += [(row, apply_override(s, overrides)) for s in searched.subjects]
    write_found(project, found)
    write_quarantine(project, refused)
    return (
        f"{len(found):,} boxes on {len(scans) - len(refused):,} scans in processed/boxes.csv, "
        f"{len(refused):,} scans quarantined"
    )


def search_file(root: Path, params: Params, rows: list[Row]) -> list[tuple[Row, Searched]]:
    """Return each scan of a file with what is on it.

    A photo of one subject need not be opened for that.
    """
    if is_whole(rows[0]) and params.tile.method == "photo":
        return [(row, Searched([whole_subject(row)])) for row in rows]
    return [(row, search_scan(row, scan, params)) for row, scan in read_scans(root, rows)]


def search_scan(row: Row, scan: Scan | DataError, params: Params) -> Searched:
    """Return what is on one scan."""
    if isinstance(scan, DataError):
        return Searched([], str(scan))
    return read_ink(row, scan) if is_whole(row) else search_page(row, scan, params)


def is_whole(row: Row) -> bool:
    """Return whether a scan is its one subject, with nothing to search for."""
    return row["layout"] in {"whole", "idx"}


def search_page(row: Row, scan: Scan, params: Params) -> Searched:
    """Return the labelled glyphs of a page; nothing is guessed when they don't fit its layout."""
    source = params.source_of(row["source"])
    glyphs = find_glyphs(scan, source, len(params.classes))
    places = [(glyph.row, glyph.column) for glyph in glyphs]
    reason, labels = "", [""] * len(glyphs)
    try:
        labels = label_places(source.layout, places, params.classes, row["label"], source.labels)
    except DataError as error:
        reason = str(error)
    overlay = draw_found(scan, glyphs, labels)
    if reason or not glyphs:
        return Searched([], reason or "no writing was found on it", overlay)
    subjects = [to_subject(row, *pair) for pair in zip(glyphs, labels, strict=True)]
    return Searched(subjects, overlay=overlay)


def find_glyphs(scan: Scan, source: Source, class_count: int) -> list[Glyph]:
    """Return the glyphs of a page, searched as its layout says."""
    match source.layout:
        case "cells":
            return pages.cut_cells(scan, source.rows or 1, source.columns or 1)
        case "sequence":
            return pages.find_glyphs(scan, "sequence", class_count)
        case "rows" | "free":
            return pages.find_glyphs(scan, source.layout)
        case _:
            raise ValueError(f"layout {source.layout} has no pages to search")


def to_subject(row: Row, glyph: Glyph, label: str) -> Subject:
    """Return a glyph as a row of boxes.csv."""
    return Subject(
        id=box_id(scan_id_of(row), glyph.box),
        box=glyph.box,
        label=label,
        group=row["group"],
        row=glyph.row,
        column=glyph.column,
        score=glyph.score,
        pixels=glyph.pixels,
    )


def whole_subject(row: Row) -> Subject:
    """Return the scan itself as the one subject."""
    whole = (0, 0, int(row["width"]), int(row["height"]))
    return Subject(scan_id_of(row), whole, row["label"], row["group"])


def read_ink(row: Row, scan: Scan) -> Searched:
    """Return the scan as the one subject, with its ink."""
    whole = whole_subject(row)
    if row["layout"] == "idx":  # ink bright on 0 already
        return Searched([replace(whole, pixels=scan)])
    glyph = pages.cut_whole(scan)
    if glyph is None:
        return Searched([], "no writing was found on it")
    return Searched([replace(whole, pixels=glyph.pixels, score=glyph.score)])


def apply_override(subject: Subject, overrides: dict[str, Row]) -> Subject:
    """Return the subject with the label and group that raw/labels.csv gives its id."""
    override = overrides.get(subject.id)
    if override is None:
        return subject
    label = override.get("label") or subject.label
    return replace(subject, label=label, group=override.get("group") or subject.group)


def draw_found(scan: Scan, glyphs: list[Glyph], labels: list[str]) -> bytes:
    """Return a JPEG of the page with its boxes."""
    picture = overlays.draw_overlay(
        scan, [glyph.box for glyph in glyphs], labels, [glyph.score for glyph in glyphs]
    )
    return images.encode_jpeg(picture, quality=70)


def overlay_name(row: Row) -> str:
    """Return a name for a page's overlay that starts like the page's own."""
    return f"{Path(row['member'] or row['source']).stem}-{scan_id_of(row)}.jpg"


def write_found(project: Project, found: list[tuple[Row, Subject]]) -> None:
    """Write boxes.csv and glyphs.h5, in the same order."""
    twice = [name for name, count in Counter(s.id for _, s in found).items() if count > 1]
    if twice:
        raise DataError(f"two boxes have the same centre (id {twice[0]}): please report the page")
    with_ink = ((s.id, s.pixels) for _, s in found if s.pixels is not None)
    write_glyphs(project.output("glyphs.h5"), with_ink)
    write_table(project.output("boxes.csv"), COLUMNS["boxes"], map(to_row, found))


def to_row(item: tuple[Row, Subject]) -> dict[str, object]:
    """Return the row of boxes.csv for a subject found on a scan."""
    scan, subject = item
    x0, y0, x1, y1 = subject.box
    return {
        "id": subject.id,
        "source": scan["source"],
        "page": scan["page"],
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        "label": subject.label,
        "group": subject.group,
        "row": subject.row,
        "col": subject.column,
        "score": f"{subject.score:.3f}",
    }


def write_quarantine(project: Project, refused: list[Row]) -> None:
    """Write quarantine.csv: what ingest could not read and what segment could not use."""
    catalogued = read_table(project.input("catalogue.csv"), COLUMNS["catalogue"])
    columns = COLUMNS["quarantine"]
    rows = [row for row in catalogued if row["status"] == "quarantined"] + refused
    chosen = [{name: row[name] for name in columns} for row in sorted(rows, key=name_of)]
    write_table(project.output("quarantine.csv"), columns, chosen)
