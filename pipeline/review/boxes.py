"""Boxes for the page: those of each scan, drawn, moved and taken away; saved in raw/boxes.csv."""

import hashlib
from functools import partial

from starlette.routing import BaseRoute

from pipeline.errors import DataError, count_things, shorten
from pipeline.intake.box_lines import LabelledBox, change_boxes
from pipeline.intake.catalogue import name_of
from pipeline.intake.drawn_boxes import BOXES
from pipeline.review.answering import ClashError, Content, MissingError, give, take
from pipeline.review.desk import Desk
from pipeline.review.journal import Correction, Journal, Note
from pipeline.review.locks import refuse_busy
from pipeline.review.sheets import describe_boxes, find_waiting
from pipeline.subjects.boxes import Box, box_id
from pipeline.subjects.drawn import Drawn

MOST = 5_000  # boxes on a page


def routes(desk: Desk) -> list[BaseRoute]:
    """Return the routes of the pages and their boxes."""
    desk.versions["boxes"] = desk.box_version
    return [
        give("/api/pages", lambda asked: _list_pages(desk)),
        give("/api/boxes/{name}", lambda asked: _show(desk, asked["name"])),
        take("/api/boxes", lambda sent: _save(desk, sent)),
    ]


def _list_pages(desk: Desk) -> Content:
    """Return the scans on which boxes can be drawn, as columns (N,), and which wait."""
    sheets = desk.sheets()
    rows = sheets.scans
    return {
        "ids": list(rows),
        "names": [name_of(row) for row in rows.values()],
        "sizes": [[int(row["width"]), int(row["height"])] for row in rows.values()],
        "layouts": [row["layout"] for row in rows.values()],
        "found": [len(sheets.found.get(name, [])) for name in rows],
        "unused": [len(sheets.left_out.get(name, [])) for name in rows],
        "refused": [sheets.refused.get(name, "") for name in rows],
        "waiting": find_waiting(sheets, desk.drawn()),
    }


def _show(desk: Desk, name: str) -> Content:
    """Return the boxes of a scan."""
    sheets = desk.sheets()
    if name not in sheets.scans:
        raise MissingError("there is no such page")
    drawn = desk.drawn().get(name, [])
    return describe_boxes(sheets, name, drawn, desk.said()) | {"version": _name_version(drawn)}


def _name_version(drawn: list[Drawn]) -> str:
    """Return a few characters for what raw/boxes.csv says of a page."""
    said = sorted((one.box, one.label) for one in drawn)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _save(desk: Desk, sent: Content) -> Content:
    """Write the `boxes` of a page, [x0, y0, x1, y1, label] each, into raw/boxes.csv.

    None: it is read by those that are found on it. `was`: the version of what the page takes the
    file to say. Raises ClashError where it says something else, and changes nothing then.
    """
    name, sheets = str(sent.get("page")), desk.sheets()
    if name not in sheets.scans:
        raise MissingError("there is no such page any more")
    scan = sheets.scans[name]
    size = int(scan["width"]), int(scan["height"])
    wanted = check_boxes(sent.get("boxes"), size, desk.params.classes)
    journal = Journal(desk.project.output())

    def change(note: Note, data: bytes | None) -> bytes | None:
        made, edits, form = change_boxes(data, scan, wanted, desk.project.root)
        if edits:
            told = _tell(sent.get("did"), name_of(scan))
            ids = tuple(box_id(name, box) for box, _ in wanted[:1]) or (name,)
            note(Correction(told, ids, edits=tuple(edits), form=form))
        return made

    with journal.held():
        refuse_busy(desk.project.root)
        if _name_version(desk.drawn().get(name, [])) != sent.get("was"):
            raise ClashError(
                f"{BOXES} was changed outside this page. Nothing was written; look at what it says "
                "now, and do it again if you mean it"
            )
        journal.correct(lambda note: desk.rewrite_boxes(partial(change, note)))
    return _show(desk, name)


_DEEDS = {
    "moved", "resized", "drawn", "deleted", "merged", "split", "labelled", "taken in", "given back",
}  # fmt: skip


def _tell(did: object, page: str) -> str:
    what = did if isinstance(did, str) and did in _DEEDS else "changed"
    return f"boxes {what} on {page}"


def check_boxes(sent: object, size: tuple[int, int], classes: tuple[str, ...]) -> list[LabelledBox]:
    """Return the boxes that were sent for a page of a width and height; None: no boxes.

    Raises DataError for what is no box on it, or no class.
    """
    if sent is None:
        return []
    if not isinstance(sent, list) or not sent:
        raise DataError(
            f"{BOXES} can't say that nothing is on a page: leave the page out in the tiles, or go "
            "back to the boxes that were found"
        )
    if len(sent) > MOST:
        raise DataError(f"{count_things(len(sent), 'box')[:-1]}es are more than a page holds")
    boxes = [_check_box(one, size, classes) for one in sent]
    if len({(x0 + x1) // 2 * 10**6 + (y0 + y1) // 2 for (x0, y0, x1, y1), _ in boxes}) < len(boxes):
        raise DataError("two boxes have the same centre; move one of them, or delete it")
    return boxes


def _check_box(one: object, size: tuple[int, int], classes: tuple[str, ...]) -> LabelledBox:
    if not isinstance(one, list) or len(one) != 5:
        raise DataError("a box is four numbers and a label")
    *sides, label = one
    if not all(type(side) is int for side in sides):
        raise DataError("the sides of a box are whole numbers of pixels")
    if not isinstance(label, str) or label not in ("", *classes):
        raise DataError(f"'{shorten(str(label))}' is not among the classes in params.yaml")
    x0, y0, x1, y1 = box = _as_box(sides)
    if not (0 <= x0 < x1 <= size[0] and 0 <= y0 < y1 <= size[1]):
        raise DataError(
            f"the box {', '.join(map(shorten, map(str, box)))} does not lie on the page, which is "
            f"{size[0]} x {size[1]} pixels"
        )
    return LabelledBox(box, label)


def _as_box(sides: list[int]) -> Box:
    x0, y0, x1, y1 = sides
    return x0, y0, x1, y1
