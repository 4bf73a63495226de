"""prep segment: catalogue.csv -> boxes.csv, glyphs.h5, quarantine.csv, overlays/."""

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline import images, subjects
from pipeline.atomic import whole_folder
from pipeline.boxes import box_id
from pipeline.catalogue import name_of, scan_id_of
from pipeline.console import track
from pipeline.errors import DataError
from pipeline.parallel import map_in_order
from pipeline.params import Params
from pipeline.project import Project
from pipeline.scans import Scan, group_by_file, read_catalogue, read_overrides, read_scans
from pipeline.store import write_glyphs
from pipeline.subjects import Searched, Subject
from pipeline.tables import COLUMNS, Row, read_table, write_table


def segment(project: Project, params: Params, jobs: int | None = None) -> str:
    """Find the subjects of every scan, cut them out and draw what was found."""
    overrides = {row["id"]: row for row in read_overrides(project.root) if row.get("id")}
    scans = read_catalogue(project)
    found: list[tuple[Row, str, Subject]] = []
    refused: list[Row] = []
    with whole_folder(project.output("overlays")) as overlay_folder:
        search = partial(search_file, project.root, params)
        files = group_by_file(scans)
        for searched_file in track(map_in_order(search, files, jobs), "segmenting", len(files)):
            for row, searched, overlay in searched_file:
                if overlay:
                    (overlay_folder / overlay_name(row)).write_bytes(overlay)
                if searched.reason:
                    refused.append(row | {"reason": searched.reason})
                found += [
                    (row, subject_id, override(subject, overrides.get(subject_id)))
                    for subject in searched.subjects
                    for subject_id in [name_subject(row, subject)]
                ]
    write_found(project, found)
    write_quarantine(project, refused)
    return (
        f"{len(found):,} boxes on {len(scans) - len(refused):,} scans in processed/boxes.csv, "
        f"{len(refused):,} scans quarantined"
    )


def search_file(root: Path, params: Params, rows: list[Row]) -> list[tuple[Row, Searched, bytes]]:
    """Return each scan of a file with what is on it, and a JPEG of that (or nothing).

    A photo of one subject need not be opened for that.
    """
    if is_whole(rows[0]) and params.tile.method == "photo":
        return [(row, Searched((whole_subject(row),)), b"") for row in rows]
    searched = [(row, search_scan(row, scan, params)) for row, scan in read_scans(root, rows)]
    return [(row, replace(found, overlay=None), encode_overlay(found)) for row, found in searched]


def search_scan(row: Row, scan: Scan | DataError, params: Params) -> Searched:
    """Return what is on one scan, searched as its layout says."""
    if isinstance(scan, DataError):
        return Searched(reason=str(scan))
    source = params.source_of(row["source"])
    about = (params.classes, row["label"], row["group"])
    match source.layout:
        case "idx":  # ink bright on 0 already
            return Searched((replace(whole_subject(row), pixels=scan),))
        case "whole":
            return subjects.search_picture(scan, row["label"], row["group"])
        case "form":
            return subjects.search_form(scan, params.classes)
        case "cells":
            rows, columns = source.rows or 1, source.columns or 1
            return subjects.search_cells(scan, rows, columns, source.labels, *about)
        case flow:
            return subjects.search_flowing_page(scan, flow, *about)


def is_whole(row: Row) -> bool:
    """Return whether a scan is its one subject, with nothing to search for."""
    return row["layout"] in {"whole", "idx"}


def whole_subject(row: Row) -> Subject:
    """Return the scan itself as the one subject."""
    return Subject((0, 0, int(row["width"]), int(row["height"])), row["label"], row["group"])


def name_subject(row: Row, subject: Subject) -> str:
    """Return the id of a subject: its scan's, and unless it is the whole, its box's centre."""
    return scan_id_of(row) if is_whole(row) else box_id(scan_id_of(row), subject.box)


def override(subject: Subject, said: Row | None) -> Subject:
    """Return the subject with the label and group that raw/labels.csv gives its id."""
    if said is None:
        return subject
    label, group = said.get("label") or subject.label, said.get("group") or subject.group
    return replace(subject, label=label, group=group)


def encode_overlay(searched: Searched) -> bytes:
    """Return the overlay as JPEG; a page of 12 megapixels stays under 1 MB."""
    overlay = searched.overlay
    return b"" if overlay is None else images.encode_jpeg(overlay, quality=60)


def overlay_name(row: Row) -> str:
    """Return a name for a page's overlay that starts like the page's own."""
    return f"{Path(row['member'] or row['source']).stem}-{scan_id_of(row)}.jpg"


def write_found(project: Project, found: list[tuple[Row, str, Subject]]) -> None:
    """Write boxes.csv and glyphs.h5, in the same order."""
    twice = [name for name, count in Counter(name for _, name, _ in found).items() if count > 1]
    if twice:
        raise DataError(f"two boxes have the same centre (id {twice[0]}): please report the page")
    with_ink = ((name, s.pixels) for _, name, s in found if s.pixels is not None)
    write_glyphs(project.output("glyphs.h5"), with_ink)
    rows = [to_row(scan, name, subject) for scan, name, subject in found]
    write_table(project.output("boxes.csv"), COLUMNS["boxes"], rows)


def to_row(scan: Row, name: str, subject: Subject) -> dict[str, object]:
    """Return the row of boxes.csv for a subject found on a scan."""
    return {
        "id": name,
        "source": scan["source"],
        "page": scan["page"],
        **dict(zip(("x0", "y0", "x1", "y1"), subject.box, strict=True)),
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
