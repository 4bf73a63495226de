"""Which labels wait for `dvc repro`: what raw/labels.csv says, and tiles.h5 does not know yet."""

from collections.abc import Mapping, Sequence

from pipeline.dataset.tables import Row
from pipeline.intake.catalogue import path_of
from pipeline.intake.labels import Override
from pipeline.intake.names import compose_name
from pipeline.review.shelf import Tiles
from pipeline.subjects.boxes import box_of, scan_of
from pipeline.subjects.drawn import Drawn

Drawings = Mapping[str, Sequence[Drawn]]
_UNNAMED = {"free", "whole"}  # layouts that name no subject but by its folder


def find_waiting(tiles: Tiles, said: Sequence[Override], drawn: Drawings | None) -> dict[str, str]:
    """Return the labels that tiles will have and tiles.h5 does not know yet, by id; '' for none.

    drawn: the boxes in raw/boxes.csv by scan id, None where it can't be read.
    """
    expected = _expect(tiles, said, drawn)
    return {
        name: expected[name]
        for name, label in zip(tiles.ids, tiles.words, strict=True)
        if expected.get(name, label) != label
    }


def _expect(tiles: Tiles, said: Sequence[Override], drawn: Drawings | None) -> dict[str, str]:
    """Return the label that segment will give each tile of which it is clear."""
    places = zip(tiles.ids, tiles.boxes, strict=True)
    firsts = ((name, _first(tiles, row, drawn)) for name, row in places if row)
    expected = {name: first for name, first in firsts if first is not None}
    if not all(one.id for one in said):
        expected |= _expect_on_pages(tiles, said, expected)
    own = {one.id: one.label for one in said if one.id in tiles.row_of and one.label}
    return expected | own


def _first(tiles: Tiles, row: Row, drawn: Drawings | None) -> str | None:
    """Return the label of a box without what labels.csv says of it; None: that in boxes.csv."""
    found, scan = row.get("found", ""), tiles.scans.get(scan_of(row["id"]))
    if found or scan is None or drawn is None or scan["layout"] not in _UNNAMED or scan["label"]:
        return found or None
    # Nothing but a person can have named it: where no line does any more, it has no label.
    own = (one.label for one in drawn.get(scan_of(row["id"]), []) if one.box == box_of(row))
    return next(own, "")


def _expect_on_pages(
    tiles: Tiles, said: Sequence[Override], first: Mapping[str, str]
) -> dict[str, str]:
    """Return the labels that lines about whole sources, rows and places give.

    first: the labels of boxes without them, where boxes.csv has others.
    """
    from pipeline.intake.placed_labels import label_places  # it takes a while, and few need it
    from pipeline.subjects.search import Subject

    whole = {compose_name(one.source): one.label for one in said if one.is_whole and one.label}
    scans, subjects, names = [], [], []
    for name, row in zip(tiles.ids, tiles.boxes, strict=True):
        scan = tiles.scans.get(scan_of(name))
        if row is not None and scan is not None:
            own = whole.get(compose_name(path_of(scan))) or whole.get(compose_name(scan["source"]))
            label = own or first.get(name, row["label"])
            place = int(row["row"] or 0), int(row["col"] or 0)
            subjects.append(Subject(box_of(row), label, row["group"], *place))
            scans.append(scan)
            names.append(name)
    placed, _ = label_places(scans, subjects, said)
    return {name: subject.label for name, subject in zip(names, placed, strict=True)}
