"""The pages of a project, with the boxes found and drawn on them, and what is not used."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.dataset.tables import COLUMNS, LEFT_OUT, Row, read_table
from pipeline.intake.catalogue import path_of
from pipeline.intake.drawn_boxes import DrawnBox, place_boxes
from pipeline.intake.labels import ANY, Override
from pipeline.intake.names import compose_name
from pipeline.project import Project
from pipeline.review.answering import Content
from pipeline.subjects.boxes import Box, box_id, box_of, scan_of
from pipeline.subjects.drawn import ELSEWHERE, NO_INK, Drawn
from pipeline.subjects.layouts import LAYOUTS

FILES = ("boxes.csv", "catalogue.csv", "left_out.csv", "quarantine.csv")  # under processed/


@dataclass(frozen=True)
class Sheets:
    """The pages and pictures on which boxes can be drawn, by scan id, and what was seen on each."""

    catalogue: list[Row]
    scans: dict[str, Row]  # of it, those that are used
    found: dict[str, list[Row]]  # of boxes.csv
    left_out: dict[str, list[Row]]  # of left_out.csv
    refused: dict[str, str]  # why nothing was read there

    def place(self, drawn: Sequence[DrawnBox]) -> dict[str, list[Drawn]]:
        """Return the boxes in raw/boxes.csv by scan id; raises DataError where one lies nowhere."""
        names = {(r["source"], r["member"], int(r["page"])): name for name, r in self.scans.items()}
        placed, _ = place_boxes(drawn, self.catalogue)
        return {
            names[source, member, page]: boxes
            for (source, member), pages in placed.items()
            for page, boxes in pages.items()
            if (source, member, page) in names
        }


def read_sheets(project: Project) -> Sheets:
    """Return the pages of a project; raises DataError before `prep segment` found boxes."""
    from pipeline.intake.catalogue import scan_id_of
    from pipeline.intake.scans import read_catalogue  # its decoders take half a second

    rows = (row for row in read_catalogue(project) if not LAYOUTS[row["layout"]].is_array)
    scans = {scan_id_of(row): row for row in rows}
    names = {(r["source"], r["member"], r["page"]): name for name, r in scans.items()}
    refused = _read_if_there(project, "quarantine")
    return Sheets(
        catalogue=read_table(project.input("catalogue.csv"), COLUMNS["catalogue"]),
        scans=scans,
        found=_group(read_table(project.input("boxes.csv"), COLUMNS["boxes"])),
        left_out=_group(_read_if_there(project, "left_out")),
        refused={
            names[key]: row["reason"]
            for row in refused
            if (key := (row["source"], row["member"], row["page"])) in names
        },
    )


def _read_if_there(project: Project, name: str) -> list[Row]:
    """Return the rows of a table that an older prep did not write."""
    path = project.output(f"{name}.csv")
    return read_table(path, COLUMNS[name]) if path.exists() else []


def _group(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return rows by the scan that they lie on."""
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[scan_of(row["id"])].append(row)
    return grouped


def describe_boxes(
    sheets: Sheets, name: str, drawn: Sequence[Drawn], said: Sequence[Override]
) -> Content:
    """Return the boxes of a page as they will be, and what was seen there and is not used.

    Of each: its box, id, label, and what is known of it.
    """
    found = {box_of(row): row for row in sheets.found.get(name, [])}
    labels = {one.id: one.label for one in said if one.id and one.label}
    boxes = [(one.box, one.label or _label(found.get(one.box))) for one in drawn]
    if not drawn:
        boxes = [(box, _label(row)) for box, row in found.items()]
    described = [_describe(sheets, name, box, label, found, labels) for box, label in boxes]
    unused = [
        {"box": box_of(row), "reason": row["reason"], "label": row["label"]}
        for row in sheets.left_out.get(name, [])
        if row["id"] not in {one["id"] for one in described}
    ]
    return {
        "boxes": described,
        "unused": unused,
        "drawn": bool(drawn),
        "refused": sheets.refused.get(name, ""),
        "named": _find_named(sheets.scans[name], said),
    }


def _label(row: Row | None) -> str:
    """Return the label of a box, that which it was found with where it is left out."""
    if row is None:
        return ""
    return row.get("found", "") if row["label"] == LEFT_OUT else row["label"]


def _describe(
    sheets: Sheets,
    name: str,
    box: Box,
    label: str,
    found: Mapping[Box, Row],
    labels: Mapping[str, str],
) -> Content:
    row = found.get(box)
    own = row["id"] if row else box_id(name, box)
    return {
        "box": box,
        "id": own,
        "label": label,  # in raw/boxes.csv
        "said": labels.get(own, ""),  # in raw/labels.csv, which goes before
        "score": float(row["score"] or 1) if row else 1,
        "is_found": row is not None,
    }


def _find_named(scan: Row, said: Sequence[Override]) -> int:
    """Return the line of raw/labels.csv that names a page's boxes by their places, 0 for none."""
    name = compose_name(path_of(scan))
    lines = (
        one.line
        for one in said
        if (one.text or one.row != ANY) and compose_name(one.source) == name
    )
    return next(lines, 0)


def find_waiting(sheets: Sheets, drawn: Mapping[str, Sequence[Drawn]]) -> list[str]:
    """Return the pages whose boxes in raw/boxes.csv `prep segment` does not know yet.

    Those too that it read by such boxes, and that have none any more, as far as left_out.csv tells.
    """
    back = [
        name
        for name, rows in sheets.left_out.items()
        if name not in drawn and any(row["reason"] in (ELSEWHERE, NO_INK) for row in rows)
    ]
    return [name for name, boxes in drawn.items() if not _is_known(sheets, name, boxes)] + back


def _is_known(sheets: Sheets, name: str, boxes: Sequence[Drawn]) -> bool:
    empty = {box_of(row) for row in sheets.left_out.get(name, []) if row["reason"] == NO_INK}
    rows = {box_of(row): row for row in sheets.found.get(name, [])}
    return rows.keys() <= {one.box for one in boxes} and all(
        one.box in empty
        or (one.box in rows and one.label in ("", rows[one.box]["label"], _first(rows[one.box])))
        for one in boxes
    )


def _first(row: Row) -> str:
    return row.get("found", "") or row["label"]
