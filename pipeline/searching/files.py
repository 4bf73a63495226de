"""A file's scans, searched: what `prep segment` does with each, in any process."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.dataset.tables import Row
from pipeline.errors import DataError
from pipeline.intake import images
from pipeline.intake.scans import Scan, read_scans
from pipeline.searching.kept import KeptSearches, Result
from pipeline.settings.params import Params
from pipeline.subjects.drawn import Drawn, search_drawn
from pipeline.subjects.layouts import LAYOUTS
from pipeline.subjects.search import Searched, Subject, search_scan

Boxes = Mapping[int, Sequence[Drawn]]  # by page, those that a person drew
_KEPT = 250_000  # pixels of a file from which looking up what was found is quicker than searching
_COLOURED = (
    "a picture in colours, and writing is grey: set tile: {method: photo, channels: 3} in "
    "params.yaml (and size:), or channels: 1 for photos in grey"
)


def search_file(
    root: Path,
    params: Params,
    rows: list[Row],
    drawn: Boxes | None = None,
    kept: KeptSearches | None = None,
) -> list[tuple[Row, Searched, bytes]]:
    """Return each scan of a file with what is on it, and a JPEG of that (or nothing).

    drawn: the boxes that take the place of those that would be found. kept: where it is looked up
    what was found before. A photo of one subject need not be opened.
    """
    boxes = drawn or {}
    if is_whole(rows[0]) and params.tile.method == "photo":
        return [(row, _frame_photo(row, boxes.get(int(row["page"]), ())), b"") for row in rows]
    if kept is None or not is_worth_keeping(rows):
        results = _search(root, params, rows, boxes)
    else:
        source = params.source_of(rows[0]["source"]).model_dump(mode="json")
        settings = (source, params.classes, params.tile.method)
        results = kept.find_or_make(
            root,
            rows,
            (settings, sorted(boxes.items())),
            lambda: _search(root, params, rows, boxes),
        )
    return [(row, *result) for row, result in zip(rows, results, strict=True)]


def is_whole(row: Row) -> bool:
    """Return whether a scan is its one subject, with nothing to search for."""
    return LAYOUTS[row["layout"]].is_subject


def is_worth_keeping(rows: Sequence[Row]) -> bool:
    """Return whether what is found on a file is worth keeping: of large pictures, not of arrays."""
    pixels = sum(int(row["width"]) * int(row["height"]) for row in rows)
    return not LAYOUTS[rows[0]["layout"]].is_array and pixels >= _KEPT


def _search(root: Path, params: Params, rows: list[Row], boxes: Boxes) -> list[Result]:
    reading = params.source_of(rows[0]["source"]).reading
    found = {}
    for row, scan in read_scans(root, rows, reading):
        searched = _search_row(row, scan, params, boxes.get(int(row["page"]), ()))
        found[row["page"]] = (replace(searched, overlay=None), _encode_overlay(searched))
    return [found[row["page"]] for row in rows]


def _search_row(
    row: Row, scan: Scan | DataError, params: Params, boxes: Sequence[Drawn]
) -> Searched:
    """Return what is on one scan, searched as its layout says, or in the boxes drawn on it."""
    if isinstance(scan, DataError):
        return Searched(reason=str(scan))
    source = params.source_of(row["source"])
    if LAYOUTS[source.layout].is_array and scan.ndim > 2:
        return Searched(reason=_COLOURED)
    if LAYOUTS[source.layout].is_array:
        return Searched((replace(_whole_subject(row), pixels=scan),))
    search = partial(search_drawn, boxes) if boxes else search_scan
    return search(
        scan,
        source.layout,
        params.classes,
        row["label"],
        row["group"],
        rows=source.rows or 1,
        columns=source.columns or 1,
        labels_from=source.labels,
    )


def _frame_photo(row: Row, boxes: Sequence[Drawn]) -> Searched:
    """Return a photo as its one subject, or each box that was drawn on it."""
    if not boxes:
        return Searched((_whole_subject(row),))
    label, group = row["label"], row["group"]
    return Searched(
        tuple(
            Subject(one.box, one.label or label, one.group or group, found=label, drawn=True)
            for one in boxes
        )
    )


def _whole_subject(row: Row) -> Subject:
    """Return the scan itself as the one subject."""
    return Subject((0, 0, int(row["width"]), int(row["height"])), row["label"], row["group"])


def _encode_overlay(searched: Searched) -> bytes:
    """Return the overlay as JPEG; a page of 12 megapixels stays under 1 MB."""
    overlay = searched.overlay
    return b"" if overlay is None else images.encode_jpeg(overlay, quality=60)
