"""prep segment: catalogue.csv -> boxes.csv, glyphs.h5, left_out.csv, quarantine.csv, overlays/."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from pipeline.atomic import whole_folder
from pipeline.console import track, warn
from pipeline.dataset.store import write_glyphs
from pipeline.dataset.tables import COLUMNS, LEFT_OUT, Row, read_table, write_table
from pipeline.errors import DataError, count_things
from pipeline.intake.catalogue import name_of, overlay_name, scan_id_of
from pipeline.intake.drawn_boxes import (
    BOXES,
    FileName,
    boxes_file,
    place_boxes,
    read_drawn_boxes,
)
from pipeline.intake.labels import LABELS, Override, labels_file, read_overrides
from pipeline.intake.placed_labels import label_places, relabel
from pipeline.intake.scans import group_by_file, read_catalogue
from pipeline.notes import digest_if_there
from pipeline.parallel import map_in_order
from pipeline.project import Project
from pipeline.searching.files import Boxes, is_whole, search_file
from pipeline.searching.kept import KeptSearches, open_kept
from pipeline.settings.params import Params
from pipeline.subjects.boxes import box_id
from pipeline.subjects.layouts import LAYOUTS
from pipeline.subjects.search import LeftOut, Searched, Subject, count_reasons

Named = tuple[Row, str, Subject]  # the scan's row, the subject's id, the subject

NO_OVERLAYS = "Pages are drawn here with their boxes; photos and glyphs that are cut have none.\n"
_ON_PAPER = ("empty", "unclear", "crossed out")  # boxes that are printed, or counted
_SAID = f"left out by {LABELS}"


@dataclass
class _Found:
    """What was found on all scans."""

    named: list[Named] = field(default_factory=list)
    left_out: list[tuple[Row, str, LeftOut]] = field(default_factory=list)  # with their ids
    refused: list[Row] = field(default_factory=list)
    noted: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))


def segment(project: Project, params: Params, jobs: int | None = None) -> str:
    """Find the subjects of every scan, cut them out and draw what was found.

    What is corrected meanwhile counts: once more all that it touches is searched.
    """
    while True:
        said = _digest_corrections(project.root)
        told = _segment(project, params, jobs)
        if _digest_corrections(project.root) == said:
            return told


def _digest_corrections(root: Path) -> list[str]:
    """Return digests of what people say of boxes, '' for no such file."""
    return [digest_if_there(path) for path in (labels_file(root), boxes_file(root))]


def _segment(project: Project, params: Params, jobs: int | None) -> str:
    said = read_overrides(project.root, params.classes)
    drawn, notes = place_boxes(
        read_drawn_boxes(project.root, params.classes),
        read_table(project.input("catalogue.csv"), COLUMNS["catalogue"]),
    )
    for note in notes:
        warn(note)
    scans = read_catalogue(project)
    found = _search_scans(project, params, scans, drawn, jobs)
    _tell(found.noted)
    _tell_undrawn(found, drawn)
    found.named = _apply_box_overrides(_label_places(found.named, said), said)
    _write_found(project, found.named)
    _write_left_out(project, found)
    _write_quarantine(project, found.refused)
    used = [subject for _, _, subject in found.named if subject.label != LEFT_OUT]
    if not used:
        raise DataError(_explain_nothing(scans, found))
    return (
        f"{len(used):,} boxes on {count_things(len(scans) - len(found.refused), 'scan')} in "
        "processed/boxes.csv"
        f"{_count_left_out(found)}, {count_things(len(found.refused), 'scan')} quarantined"
    )


def _explain_nothing(scans: list[Row], found: _Found) -> str:
    """Return why there is no box that can be used."""
    if found.named:
        return f"{LABELS} leaves out each of the {len(found.named):,} boxes"
    if not found.refused:
        return "there is no scan to segment: see processed/catalogue.csv for why"
    return (
        f"none of the {count_things(len(scans), 'scan')} can be used, "
        f"{name_of(found.refused[0])} for one: "
        f"{found.refused[0]['reason']}. processed/quarantine.csv lists all, processed/overlays "
        "shows what was seen."
    )


def _count_left_out(found: _Found) -> str:
    """Return how many boxes were seen and not used, by the reason if it stands on paper."""
    counts = Counter(_kind_of(one.reason) for _, _, one in found.left_out)
    counts[_SAID] = sum(subject.label == LEFT_OUT for _, _, subject in found.named)
    kinds = [(reason, counts.pop(reason, 0)) for reason in (*_ON_PAPER, _SAID)]
    told = "".join(f", {count:,} {reason}" for reason, count in kinds if count)
    if marks := count_reasons(counts.elements()):
        told += f", {marks}"
    return f"{told} (see overlays/ and left_out.csv)" if told else ""


def _kind_of(reason: str) -> str:
    """Return the reason without what it says more, for boxes that stand on paper."""
    kind = reason.split(":")[0]
    return kind if kind in _ON_PAPER else reason


def _search_scans(
    project: Project,
    params: Params,
    scans: list[Row],
    drawn: Mapping[FileName, Boxes],
    jobs: int | None,
) -> _Found:
    """Return what is found on the scans, and draw it."""
    found = _Found()
    kept = open_kept(project.output(".searched"))
    files = group_by_file(scans)
    with whole_folder(project.output("overlays"), synced=False) as overlay_folder:
        searched_files = _search_files(project.root, params, files, drawn, kept, jobs)
        for file in track(searched_files, "segmenting", len(files)):
            for row, searched, overlay in file:
                if overlay:
                    (overlay_folder / overlay_name(row)).write_bytes(overlay)
                _note(found, row, searched)
        if not any(overlay_folder.iterdir()):  # of an empty folder DVC warns again and again
            (overlay_folder / "README.txt").write_text(NO_OVERLAYS, encoding="utf-8")
    kept.forget_others(files)
    return found


def _search_files(
    root: Path,
    params: Params,
    files: list[list[Row]],
    drawn: Mapping[FileName, Boxes],
    kept: KeptSearches,
    jobs: int | None,
) -> Iterator[list[tuple[Row, Searched, bytes]]]:
    """Yield what search_file finds in each file, several at a time.

    But those of arrays here: to send their thousands of pictures takes longer than to read them.
    """
    search = partial(_search_file, root, params, kept)
    work = ((rows, drawn.get((rows[0]["source"], rows[0]["member"]), {})) for rows in files)
    for is_array, some in groupby(work, key=lambda one: LAYOUTS[one[0][0]["layout"]].is_array):
        yield from map_in_order(search, some, 1 if is_array else jobs)


def _search_file(
    root: Path, params: Params, kept: KeptSearches, work: tuple[list[Row], Boxes]
) -> list[tuple[Row, Searched, bytes]]:
    return search_file(root, params, *work, kept)


def _note(found: _Found, row: Row, searched: Searched) -> None:
    """Add what is on a scan to what was found on others."""
    if searched.reason:
        found.refused.append(row | {"reason": searched.reason})
    if searched.note:
        found.noted[searched.note].append(row)
    found.named += _name_subjects(row, searched.subjects)
    scan = scan_id_of(row)
    found.left_out += ((row, box_id(scan, one.box), one) for one in searched.left_out)


def _tell_undrawn(found: _Found, drawn: Mapping[FileName, Boxes]) -> None:
    """Say where raw/boxes.csv has fewer boxes for a page than lie beside them."""
    marks = Counter((row["source"], row["member"], row["page"]) for row, _, _ in found.left_out)
    for row in {scan_id_of(row): row for row, _, _ in found.left_out}.values():
        boxes = len(drawn.get((row["source"], row["member"]), {}).get(int(row["page"]), ()))
        count = marks[row["source"], row["member"], row["page"]]
        if 0 < boxes < count:
            warn(
                f"{BOXES} has {boxes:,} box{'es' if boxes > 1 else ''} for {name_of(row)}, and "
                f"{count:,} more that are seen there are not used: it has to name all boxes of a "
                "page (copy the others from processed/boxes.csv or left_out.csv)"
            )


def _tell(noted: Mapping[str, list[Row]]) -> None:
    """Say what was left out of scans, or is doubtful about them."""
    for note, rows in sorted(noted.items()):
        warn(
            f"{note}: {count_things(len(rows), 'scan')}, such as {name_of(rows[0])}. "
            "Scores below 1 in processed/boxes.csv are doubtful: look at processed/contact"
        )


def _name_subjects(row: Row, found: Iterable[Subject]) -> Iterator[Named]:
    """Yield a scan's subjects with their ids; what raw/labels.csv says of the scan wins.

    The id of a subject is its scan's, and unless it is the whole, its box's centre.
    """
    scan = scan_id_of(row)
    whole = (0, 0, int(row["width"]), int(row["height"]))
    for subject in found:
        name = scan if is_whole(row) and subject.box == whole else box_id(scan, subject.box)
        own = replace(subject, found=row.get("found", "") or subject.found)
        # What was said of the box goes before what was said of the scan.
        yield row, name, own if own.drawn else relabel(own, row["label"] or None, row["group"])


def _label_places(found: list[Named], said: Sequence[Override]) -> list[Named]:
    """Return the subjects with what raw/labels.csv says of their rows."""
    scans, subjects = [row for row, _, _ in found], [subject for _, _, subject in found]
    labelled, notes = label_places(scans, subjects, said)
    for note in notes:
        warn(note)
    return [(row, name, one) for (row, name, _), one in zip(found, labelled, strict=True)]


def _apply_box_overrides(found: list[Named], overrides: Sequence[Override]) -> list[Named]:
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


def _write_found(project: Project, found: list[Named]) -> None:
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


def _write_left_out(project: Project, found: _Found) -> None:
    """Write left_out.csv: what was seen on the scans and is not used, in their order."""
    said = [
        (row, name, LeftOut(one.box, _SAID, one.found, one.row, one.column))
        for row, name, one in found.named
        if one.label == LEFT_OUT
    ]
    every = sorted([*found.left_out, *said], key=lambda one: (name_of(one[0]), one[1]))
    write_table(
        project.output("left_out.csv"),
        COLUMNS["left_out"],
        (
            {
                "id": name,
                "source": scan["source"],
                "member": scan["member"],
                "page": scan["page"],
                **dict(zip(("x0", "y0", "x1", "y1"), one.box, strict=True)),
                "label": one.label,
                "row": one.row,
                "col": one.column,
                "reason": one.reason,
            }
            for scan, name, one in every
        ),
    )


def _write_quarantine(project: Project, refused: list[Row]) -> None:
    """Write quarantine.csv: what ingest could not read and what segment could not use."""
    catalogued = read_table(project.input("catalogue.csv"), COLUMNS["catalogue"])
    columns = COLUMNS["quarantine"]
    rows = [row for row in catalogued if row["status"] == "quarantined"] + refused
    chosen = [{name: row[name] for name in columns} for row in sorted(rows, key=name_of)]
    write_table(project.output("quarantine.csv"), columns, chosen)
