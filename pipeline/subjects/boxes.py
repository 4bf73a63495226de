"""Boxes and their names: where a subject lies on a scan, and which class its place gives it.

A box is x0, y0, x1, y1 in pixels of the upright scan, x1 and y1 exclusive.
"""

from collections.abc import Mapping, Sequence

from pipeline.errors import DataError
from pipeline.subjects.layouts import Origin, find_origin

Box = tuple[int, int, int, int]


def scan_id(sha256: str, page: int) -> str:
    """Return the id of a whole scan: the first 10 digits of its file's digest, and its page."""
    return f"{sha256[:10]}-{page}"


def box_id(scan: str, box: Box) -> str:
    """Return the id of a box on a scan: the scan's, with the box's centre in pixels."""
    x0, y0, x1, y1 = box
    return f"{scan}-{(x0 + x1) // 2}-{(y0 + y1) // 2}"


def scan_of(box_or_scan_id: str) -> str:
    """Return the id of the scan that a box (or a whole scan) lies on."""
    return "-".join(box_or_scan_id.split("-")[:2])


def label_places(
    layout: str,
    places: Sequence[tuple[int, int]],
    classes: Sequence[str],
    folder_label: str,
    labels_from: Origin | None = None,
) -> list[str]:
    """Return the label of each (row, column) place on a page, '' where the layout gives none.

    Raises DataError when the page has other rows or columns than the layout promises; nothing
    is guessed then.
    """
    origin = find_origin(layout, labels_from)
    if origin not in ("rows", "columns"):
        return [folder_label] * len(places)
    indices = [row if origin == "rows" else column for row, column in places]
    _expect(layout, origin, indices, classes)
    return [classes[index] for index in indices]


def _expect(layout: str, what: str, indices: Sequence[int], classes: Sequence[str]) -> None:
    found = len(set(indices))
    if found != len(classes) or max(indices, default=-1) >= len(classes):
        raise DataError(
            f"layout '{layout}' expects {len(classes)} {what} (one for each class), "
            f"but {found} {what} were found"
        )


def box_of(row: Mapping[str, str]) -> Box:
    """Return the box that a row of boxes.csv names."""
    return int(row["x0"]), int(row["y0"]), int(row["x1"]), int(row["y1"])
