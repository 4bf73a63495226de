"""The printable form: the one description of its page from which it is both drawn and read.

Lengths are millimetres from the page's top left corner, x to the right and y down. A square or
box is `x0, y0, x1, y1`. Nothing here knows about pixels or PDF.

    marker            marker        code  marker       8 markers: corners and edge middles
      title, writer line                                     (ArUco, dictionary MIP_36h12)
          [ ] [ ] [ ] [ ] [ ] [ ] [ ] [ ]              boxes, a class a row or a class a box
    marker                                marker
          [ ] [ ] [ ] [ ] [ ] [ ] [ ] [ ]
    marker  code      marker              marker       the same QR code twice

A marker's number tells the version of this layout, the paper and the marker's place; the code
(`pipeline.forms.code`) tells the rest. Version 2 has larger codes, for pages that have more to say,
and so a little less room for boxes. Whoever changes a length here adds a version, since forms that
are printed already are read by theirs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Order = Literal["row", "box"]
Square = tuple[float, float, float, float]
PAPERS: dict[str, tuple[float, float]] = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}

# Office printers leave 4 to 6 mm unprinted.
_PAGE_MARGIN = 8.0
_MARKER_SIDE = 10.0
MARKERS = 8
_IDS_A_VERSION = 16  # the eight markers of two papers
CODE_SIDES = {1: 28.0, 2: 34.0}  # by the version of the layout
LINE_WIDTH = 0.35
SMALLEST_BOX = 6.0
_LARGEST_BOX = 40.0
_BOX_GAP = 3.2
LABEL_COLUMN = 8.0
_LABEL_HEIGHT = 3.2
_CODE_GAP = 4.0  # between the codes and the boxes
_GRID_SIDE = 20.0


@dataclass(frozen=True)
class Form:
    """One printed page.

    `order` is `row` (each row holds one class, named beside it) or `box` (the classes follow
    one another, each named above its box). `classes` are those of this page, in order. An
    empty `writer` means a line to fill in. `identity` names the set of pages that one writer
    fills in. `version` is the layout's.
    """

    paper: str
    rows: int
    columns: int
    order: Order
    classes: tuple[str, ...]
    writer: str
    identity: str
    page: int = 1
    pages: int = 1
    version: int = 1


@dataclass(frozen=True)
class FormBox:
    """A box to write in: its place in the grid (from 0), its class, and its square."""

    row: int
    column: int
    label: str
    square: Square


def marker_squares(paper: str) -> npt.NDArray[np.float64]:
    """Return the markers' squares, (8, 4) mm, clockwise from the top left corner."""
    width, height = PAPERS[paper]
    left, top = _PAGE_MARGIN, _PAGE_MARGIN
    right, bottom = width - _PAGE_MARGIN - _MARKER_SIDE, height - _PAGE_MARGIN - _MARKER_SIDE
    middle, centre = (width - _MARKER_SIDE) / 2, (height - _MARKER_SIDE) / 2
    corners = np.array(
        [
            (left, top), (middle, top), (right, top), (right, centre),
            (right, bottom), (middle, bottom), (left, bottom), (left, centre),
        ]
    )  # fmt: skip
    return np.hstack([corners, corners + _MARKER_SIDE])


def square_corners(squares: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the corners of squares (N, 4) as points (N, 4, 2), clockwise from the top left."""
    return np.asarray(squares, np.float64)[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]


def marker_number(paper: str, position: int, version: int = 1) -> int:
    """Return the number that the marker at a position (0..7, clockwise) carries."""
    return _IDS_A_VERSION * version + MARKERS * list(PAPERS).index(paper) + position


def place_of_marker(number: int) -> tuple[int, str, int]:
    """Return the layout's version, the paper and the position that a marker's number tells."""
    version, rest = divmod(number, _IDS_A_VERSION)
    paper, position = divmod(rest, MARKERS)
    return version, list(PAPERS)[paper], position


def code_squares(paper: str, version: int = 1) -> tuple[Square, Square]:
    """Return where the code stands: beside the top right and the bottom left corner marker."""
    side = CODE_SIDES[version]
    width, height = PAPERS[paper]
    beside = _PAGE_MARGIN + _MARKER_SIDE + 4.0
    right, low = width - beside, height - _PAGE_MARGIN
    return (
        (right - side, _PAGE_MARGIN, right, _PAGE_MARGIN + side),
        (beside, low - side, beside + side, low),
    )


def has_label_column(form: Form) -> bool:
    """Tell whether the classes stand beside the rows; long names and single boxes go above."""
    return form.order == "row" and max(map(len, form.classes)) <= 2


def box_gap(form: Form) -> tuple[float, float]:
    """Return the white between two boxes, across and down, in mm."""
    return _BOX_GAP, (_BOX_GAP if has_label_column(form) else _LABEL_HEIGHT + 2.4)


def _grid_area(form: Form) -> Square:
    """Return the part of the page that the boxes may fill, without their labels."""
    width, height = PAPERS[form.paper]
    beside, above = (LABEL_COLUMN, 0.0) if has_label_column(form) else (0.0, _LABEL_HEIGHT)
    top = _PAGE_MARGIN + CODE_SIDES[form.version] + _CODE_GAP
    return _GRID_SIDE + beside, top + above, width - _GRID_SIDE, height - top


def box_side(form: Form) -> float:
    """Return the side of a box in mm: the largest that lets the grid fit its area."""
    x0, y0, x1, y1 = _grid_area(form)
    across, down = box_gap(form)
    wide = (x1 - x0 + across) / form.columns - across
    high = (y1 - y0 + down) / form.rows - down
    return min(wide, high, _LARGEST_BOX)


def box_squares(form: Form) -> npt.NDArray[np.float64]:
    """Return the whole grid's squares, (rows, columns, 4) mm, in the middle of its area."""
    x0, y0, x1, y1 = _grid_area(form)
    side = box_side(form)
    across, down = (gap + side for gap in box_gap(form))
    left = (x0 + x1 - (form.columns - 1) * across - side) / 2
    top = (y0 + y1 - (form.rows - 1) * down - side) / 2
    x, y = np.meshgrid(left + np.arange(form.columns) * across, top + np.arange(form.rows) * down)
    return np.stack([x, y, x + side, y + side], axis=-1)


def form_boxes(form: Form) -> list[FormBox]:
    """Return the boxes that the page shows, in reading order."""
    squares = box_squares(form)
    labels = box_labels(form)
    return [
        FormBox(*divmod(index, form.columns), label, tuple(squares.reshape(-1, 4)[index]))
        for index, label in enumerate(labels)
    ]


def box_labels(form: Form) -> list[str]:
    """Return the class of each box in reading order; boxes left over are not printed.

    A form of one page repeats its classes as often as they fit: whole rows, or whole runs.
    """
    each = form.columns if form.order == "row" else 1
    fit = form.rows * form.columns // (each * len(form.classes)) if form.pages == 1 else 1
    if form.order == "box":
        return list(form.classes) * fit
    return [name for name in form.classes for _ in range(each * fit)]
