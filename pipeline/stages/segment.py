"""prep segment: catalogue.csv -> boxes.csv, glyphs.h5, quarantine.csv, overlays/."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline import images, overlays, pages
from pipeline.atomic import whole_folder
from pipeline.boxes import Box, box_id, label_places
from pipeline.catalogue import name_of, scan_id_of
from pipeline.console import track
from pipeline.errors import DataError
from pipeline.params import Params, Source
from pipeline.project import Project
from pipeline.scans import Scan, read_catalogue, read_overrides, read_scans
from pipeline.store import write_glyphs
from pipeline.tables import COLUMNS, Row, read_table, write_table

ONE_SUBJECT = {"whole", "idx"}  # layouts whose scans are not searched


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


def segment(project: Project, params: Params) -> str:
    """Find the subjects of every scan, cut them out and draw what was found."""
    found: list[tuple[Row, Subject]] = []
    refused: list[Row] = []
    overrides = {row["id"]: row for row in read_overrides(project.root) if row.get("id")}
    with whole_folder(project.output("overlays")) as overlay_folder:
        scans = read_catalogue(project)
        for row, scan in track(read_scans(project.root, scans), "segmenting", len(scans)):
            try:
                subjects = find_subjects(row, scan, params)
            except DataError as error:
                refused.append(row | {"reason": str(error)})
                continue
            subjects = [apply_override(subject, overrides) for subject in subjects]
            found += [(row, subject) for subject in subjects]
            if row["layout"] not in ONE_SUBJECT:
                write_overlay(overlay_folder, row, scan, subjects)
    write_found(project, found)
    write_quarantine(project, refused)
    return (
        f"{len(found):,} boxes on {len(scans) - len(refused):,} scans in processed/boxes.csv, "
        f"{len(refused):,} scans quarantined"
    )


def find_subjects(row: Row, scan: Scan | DataError, params: Params) -> list[Subject]:
    """Return the subjects of one scan; raises DataError with the reason when it is no good."""
    if isinstance(scan, DataError):
        raise scan
    if row["layout"] in ONE_SUBJECT:
        return [whole_subject(row, scan, is_writing=params.tile.method != "photo")]
    source = params.source_of(row["source"])
    glyphs = find_glyphs(scan, source, len(params.classes))
    if not glyphs:
        raise DataError("no writing was found on the page")
    places = [(glyph.row, glyph.column) for glyph in glyphs]
    labels = label_places(source.layout, places, params.classes, row["label"], source.labels)
    scan_id = scan_id_of(row)
    return [
        Subject(
            id=box_id(scan_id, glyph.box),
            box=glyph.box,
            label=label,
            group=row["group"],
            row=glyph.row,
            column=glyph.column,
            score=glyph.score,
            pixels=glyph.pixels,
        )
        for glyph, label in zip(glyphs, labels, strict=True)
    ]


def find_glyphs(scan: Scan, source: Source, class_count: int) -> list[pages.Glyph]:
    """Return the glyphs of a page, searched as its layout says."""
    if source.layout == "cells":
        return pages.cut_cells(scan, source.rows or 1, source.columns or 1)
    row_length = class_count if source.layout == "sequence" else None
    return pages.find_glyphs(scan, source.layout, row_length)


def whole_subject(row: Row, scan: Scan, *, is_writing: bool) -> Subject:
    """Return the scan itself as the one subject; of writing also its ink."""
    height, width = scan.shape[:2]
    whole = Subject(scan_id_of(row), (0, 0, width, height), row["label"], row["group"])
    if not is_writing:
        return whole
    if row["layout"] == "idx":  # ink bright on 0 already
        return replace(whole, pixels=scan)
    glyph = pages.cut_whole(scan)
    if glyph is None:
        raise DataError("the picture is blank")
    return replace(whole, pixels=glyph.pixels, score=glyph.score)


def apply_override(subject: Subject, overrides: dict[str, Row]) -> Subject:
    """Return the subject with the label and group that raw/labels.csv gives its id."""
    override = overrides.get(subject.id)
    if override is None:
        return subject
    label = override.get("label") or subject.label
    return replace(subject, label=label, group=override.get("group") or subject.group)


def write_overlay(folder: Path, row: Row, scan: Scan, subjects: list[Subject]) -> None:
    """Write the page with its numbered boxes, to look at."""
    picture = overlays.draw_overlay(
        scan,
        [subject.box for subject in subjects],
        [subject.label for subject in subjects],
        [subject.score for subject in subjects],
    )
    name = f"{Path(row['member'] or row['source']).stem}-{scan_id_of(row)}.jpg"
    (folder / name).write_bytes(images.encode_jpeg(picture, quality=70))


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
