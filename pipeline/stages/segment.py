"""prep segment: catalogue.csv -> boxes.csv, glyphs.h5, quarantine.csv, overlays/."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

from pipeline.atomic import whole_folder
from pipeline.console import track, warn
from pipeline.dataset.store import write_glyphs
from pipeline.dataset.tables import COLUMNS, Row, read_table, write_table
from pipeline.errors import DataError, count_things
from pipeline.intake import images
from pipeline.intake.catalogue import name_of, overlay_name, scan_id_of
from pipeline.intake.labels import LABELS, Override, read_overrides
from pipeline.intake.names import LEFT_OUT
from pipeline.intake.placed_labels import label_places, relabel
from pipeline.intake.scans import Scan, group_by_file, read_catalogue, read_scans
from pipeline.parallel import map_in_order
from pipeline.project import Project
from pipeline.settings.params import Params
from pipeline.subjects.boxes import box_id
from pipeline.subjects.layouts import LAYOUTS
from pipeline.subjects.search import Searched, Subject, search_scan

Found = tuple[Row, str, Subject]  # the scan's row, the subject's id, the subject


NO_OVERLAYS = "Pages are drawn here with their boxes; photos and glyphs that are cut have none.\n"
_COLOURED = (
    "a picture in colours, and writing is grey: set tile: {method: photo, channels: 3} in "
    "params.yaml (and size:), or channels: 1 for photos in grey"
)


def segment(project: Project, params: Params, jobs: int | None = None) -> str:
    """Find the subjects of every scan, cut them out and draw what was found."""
    said = read_overrides(project.root, params.classes)
    scans = read_catalogue(project)
    found: list[Found] = []
    refused: list[Row] = []
    noted: dict[str, list[Row]] = defaultdict(list)
    with whole_folder(project.output("overlays"), synced=False) as overlay_folder:
        files = group_by_file(scans)
        searched_files = _search_files(project.root, params, files, jobs)
        for searched_file in track(searched_files, "segmenting", len(files)):
            for row, searched, overlay in searched_file:
                if overlay:
                    (overlay_folder / overlay_name(row)).write_bytes(overlay)
                if searched.reason:
                    refused.append(row | {"reason": searched.reason})
                if searched.note:
                    noted[searched.note].append(row)
                found += _name_subjects(row, searched.subjects)
        if not any(overlay_folder.iterdir()):  # of an empty folder DVC warns again and again
            (overlay_folder / "README.txt").write_text(NO_OVERLAYS, encoding="utf-8")
    _tell(noted)
    found = _apply_box_overrides(_label_places(found, said), said)
    _write_found(project, found)
    _write_quarantine(project, refused)
    used = sum(subject.label != LEFT_OUT for _, _, subject in found)
    if found and not used:
        raise DataError(f"{LABELS} leaves out each of the {len(found):,} boxes")
    if not found:
        raise DataError(
            f"none of the {len(scans):,} scans can be used, {name_of(refused[0])} for one: "
            f"{refused[0]['reason']}. processed/quarantine.csv lists all, processed/overlays "
            "shows what was seen."
            if refused
            else "there is no scan to segment: see processed/catalogue.csv for why"
        )
    left_out = f", {len(found) - used:,} more left out by {LABELS}" if used < len(found) else ""
    return (
        f"{used:,} boxes on {len(scans) - len(refused):,} scans in processed/boxes.csv{left_out}, "
        f"{len(refused):,} scans quarantined"
    )


def _tell(noted: dict[str, list[Row]]) -> None:
    """Say what was left out of scans, or is doubtful about them."""
    for note, rows in sorted(noted.items()):
        warn(
            f"{note}: {count_things(len(rows), 'scan')}, such as {name_of(rows[0])}. "
            "Scores below 1 in processed/boxes.csv are doubtful: look at processed/contact"
        )


def _search_files(
    root: Path, params: Params, files: list[list[Row]], jobs: int | None
) -> Iterator[list[tuple[Row, Searched, bytes]]]:
    """Yield what search_file finds in each file, several at a time.

    But those of arrays here: to send their thousands of pictures takes longer than to read them.
    """
    search = partial(search_file, root, params)
    for is_array, some in groupby(files, key=lambda rows: LAYOUTS[rows[0]["layout"]].is_array):
        yield from map_in_order(search, some, 1 if is_array else jobs)


def search_file(root: Path, params: Params, rows: list[Row]) -> list[tuple[Row, Searched, bytes]]:
    """Return each scan of a file with what is on it, and a JPEG of that (or nothing).

    A photo of one subject need not be opened for that.
    """
    if _is_whole(rows[0]) and params.tile.method == "photo":
        return [(row, Searched((_whole_subject(row),)), b"") for row in rows]
    reading = params.source_of(rows[0]["source"]).reading
    scans = read_scans(root, rows, reading)
    searched = [(row, _search_row(row, scan, params)) for row, scan in scans]
    return [(row, replace(found, overlay=None), _encode_overlay(found)) for row, found in searched]


def _search_row(row: Row, scan: Scan | DataError, params: Params) -> Searched:
    """Return what is on one scan, searched as its layout says."""
    if isinstance(scan, DataError):
        return Searched(reason=str(scan))
    source = params.source_of(row["source"])
    if LAYOUTS[source.layout].is_array and scan.ndim > 2:
        return Searched(reason=_COLOURED)
    if LAYOUTS[source.layout].is_array:
        return Searched((replace(_whole_subject(row), pixels=scan),))
    return search_scan(
        scan,
        source.layout,
        params.classes,
        row["label"],
        row["group"],
        rows=source.rows or 1,
        columns=source.columns or 1,
        labels_from=source.labels,
    )


def _is_whole(row: Row) -> bool:
    """Return whether a scan is its one subject, with nothing to search for."""
    return LAYOUTS[row["layout"]].is_subject


def _whole_subject(row: Row) -> Subject:
    """Return the scan itself as the one subject."""
    return Subject((0, 0, int(row["width"]), int(row["height"])), row["label"], row["group"])


def _name_subjects(row: Row, found: Iterable[Subject]) -> Iterator[Found]:
    """Yield a scan's subjects with their ids; what raw/labels.csv says of the scan wins.

    The id of a subject is its scan's, and unless it is the whole, its box's centre.
    """
    scan = scan_id_of(row)
    for subject in found:
        name = scan if _is_whole(row) else box_id(scan, subject.box)
        own = replace(subject, found=row.get("found", ""))
        yield row, name, relabel(own, row["label"] or None, row["group"])


def _label_places(found: list[Found], said: Sequence[Override]) -> list[Found]:
    """Return the subjects with what raw/labels.csv says of their rows."""
    scans, subjects = [row for row, _, _ in found], [subject for _, _, subject in found]
    labelled, notes = label_places(scans, subjects, said)
    for note in notes:
        warn(note)
    return [(row, name, one) for (row, name, _), one in zip(found, labelled, strict=True)]


def _apply_box_overrides(found: list[Found], overrides: Sequence[Override]) -> list[Found]:
    """Return the subjects as raw/labels.csv wants them; those left out have the label LEFT_OUT."""
    said = {one.id: one for one in overrides if one.id}
    unknown = said.keys() - {name for _, name, _ in found}
    if unknown:
        lines = sorted((said[name].line, name) for name in unknown)
        told = ", ".join(f"{name} (line {line})" for line, name in lines[:3])
        more = f" and {len(lines) - 3:,} more" if len(lines) > 3 else ""
        warn(f"{LABELS}: no box has the id {told}{more}; see processed/boxes.csv")
    return [
        (row, name, relabel(subject, one.label or None, one.group) if one else subject)
        for row, name, subject in found
        for one in [said.get(name)]
    ]


def _encode_overlay(searched: Searched) -> bytes:
    """Return the overlay as JPEG; a page of 12 megapixels stays under 1 MB."""
    overlay = searched.overlay
    return b"" if overlay is None else images.encode_jpeg(overlay, quality=60)


def _write_found(project: Project, found: list[Found]) -> None:
    """Write boxes.csv and glyphs.h5, in the same order."""
    twice = [name for name, count in Counter(name for _, name, _ in found).items() if count > 1]
    if twice:
        raise DataError(f"two boxes have the same centre (id {twice[0]}): please report the page")
    with_ink = ((name, s.pixels) for _, name, s in found if s.pixels is not None)
    write_glyphs(project.output("glyphs.h5"), with_ink)
    rows = [_to_row(scan, name, subject) for scan, name, subject in found]
    write_table(project.renew("boxes.csv"), COLUMNS["boxes"], rows)


def _to_row(scan: Row, name: str, subject: Subject) -> dict[str, object]:
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
        "found": "" if subject.found == subject.label else subject.found,
    }


def _write_quarantine(project: Project, refused: list[Row]) -> None:
    """Write quarantine.csv: what ingest could not read and what segment could not use."""
    catalogued = read_table(project.input("catalogue.csv"), COLUMNS["catalogue"])
    columns = COLUMNS["quarantine"]
    rows = [row for row in catalogued if row["status"] == "quarantined"] + refused
    chosen = [{name: row[name] for name in columns} for row in sorted(rows, key=name_of)]
    write_table(project.output("quarantine.csv"), columns, chosen)
