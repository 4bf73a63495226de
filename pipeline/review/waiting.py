"""Which labels wait for `dvc repro`: what raw/labels.csv says, and tiles.h5 does not know yet."""

from collections.abc import Sequence

from pipeline.intake.catalogue import path_of
from pipeline.intake.labels import Override
from pipeline.intake.names import compose_name
from pipeline.review.shelf import Tiles
from pipeline.subjects.boxes import box_of, scan_of


def find_waiting(tiles: Tiles, said: Sequence[Override]) -> dict[str, str]:
    """Return the labels that labels.csv gives to tiles and tiles.h5 does not know yet, by id."""
    expected = _expect(tiles, said)
    return {
        name: expected[name]
        for name, label in zip(tiles.ids, tiles.words, strict=True)
        if expected.get(name) and expected[name] != label
    }


def _expect(tiles: Tiles, said: Sequence[Override]) -> dict[str, str]:
    """Return the label of each tile that labels.csv says something of, as segment will have it.

    '' where that is not clear.
    """
    places = zip(tiles.ids, tiles.boxes, strict=True)
    expected = {name: row["found"] for name, row in places if row and row.get("found")}
    if not all(one.id for one in said):
        expected = _expect_on_pages(tiles, said)
    own = {one.id: one.label for one in said if one.id in tiles.row_of and one.label}
    return expected | own


def _expect_on_pages(tiles: Tiles, said: Sequence[Override]) -> dict[str, str]:
    """Return the labels that lines about whole sources, rows and places give."""
    from pipeline.intake.placed_labels import label_places  # it takes a while, and few need it
    from pipeline.subjects.search import Subject

    whole = {compose_name(one.source): one.label for one in said if one.is_whole and one.label}
    scans, subjects, names = [], [], []
    for name, row in zip(tiles.ids, tiles.boxes, strict=True):
        scan = tiles.scans.get(scan_of(name))
        if row is not None and scan is not None:
            own = whole.get(compose_name(path_of(scan))) or whole.get(compose_name(scan["source"]))
            label = own or row.get("found") or row["label"]
            place = int(row["row"] or 0), int(row["col"] or 0)
            subjects.append(Subject(box_of(row), label, row["group"], *place))
            scans.append(scan)
            names.append(name)
    placed, _ = label_places(scans, subjects, said)
    return {name: subject.label for name, subject in zip(names, placed, strict=True)}
