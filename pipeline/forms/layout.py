"""The printable form: one description of the page from which it is both drawn and read.

Lengths are millimetres from the page's top left corner, x to the right and y down. A square or
box is `x0, y0, x1, y1`. Nothing here knows about pixels or PDF.

    marker            marker        code  marker       8 markers: corners and edge middles
      title, writer line                                     (ArUco, dictionary MIP_36h12)
          [ ] [ ] [ ] [ ] [ ] [ ] [ ] [ ]              boxes, a class a row or a class a box
    marker                                marker
          [ ] [ ] [ ] [ ] [ ] [ ] [ ] [ ]
    marker  code      marker              marker       the same QR code twice

A marker's number tells the version of this layout, the paper and the marker's place; the code
tells the rest as a few lines of text, closed by a checksum. Both are all that a reader needs.
"""

import base64
import math
import unicodedata
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError

Order = Literal["row", "box"]
Square = tuple[float, float, float, float]

VERSION = 1
PAPERS: dict[str, tuple[float, float]] = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}

# Office printers leave 4 to 6 mm unprinted.
PAGE_MARGIN = 8.0
MARKER_SIDE = 10.0
MARKER_DICTIONARY = cv2.aruco.DICT_ARUCO_MIP_36H12
MARKERS = 8
_IDS_A_VERSION = 16

CODE_SIDE = 28.0
# A module of half a millimetre is still three pixels wide in a photo of 8 megapixels.
LARGEST_CODE = 57

LINE_WIDTH = 0.35
SMALLEST_BOX = 6.0
LARGEST_BOX = 40.0
BOX_GAP = 3.2
LABEL_COLUMN = 8.0
LABEL_HEIGHT = 3.2
_GRID_TOP = 40.0
_GRID_SIDE = 20.0

# "0<US>9" in the code means the ten digits; no name can hold a control character.
_RUN = "\x1f"


@dataclass(frozen=True)
class Form:
    """One printed page.

    `order` is `row` (each row holds one class, named beside it) or `box` (the classes follow
    one another, each named above its box). `classes` are those of this page, in order. An
    empty `writer` means a line to fill in. `identity` names the set of pages that one writer
    fills in.
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


@dataclass(frozen=True)
class FormBox:
    """A box to write in: its place in the grid (from 0), its class, and its square."""

    row: int
    column: int
    label: str
    square: Square


def plan_forms(
    classes: Iterable[str],
    identity: str,
    rows: int = 10,
    columns: int = 8,
    writer: str = "",
    paper: str = "a4",
    order: Order = "row",
) -> tuple[Form, ...]:
    """Return the pages that one writer fills in, with the classes spread evenly over them.

    Raises DataError when names repeat, the boxes come out too small, or one page's names are
    more than its code can carry.
    """
    names = tuple(clean_name(name) for name in classes)
    check_names(names)
    whole = Form(paper.lower(), rows, columns, order, names, clean_name(writer), identity)
    check_geometry(whole)
    places = rows if order == "row" else rows * columns
    for pages in range(math.ceil(len(names) / places), len(names) + 1):
        forms = _share_out(whole, pages)
        if all(code_fits(form) for form in forms):
            return forms
    raise DataError(
        "The names are too long for the code that the page carries: at most about 160 letters "
        f"(50 in Japanese) for the writer and one class together, found writer '{writer}' and "
        f"class '{max(names, key=_utf8_length)}'. Shorten them."
    )


def expand_classes(text: str) -> tuple[str, ...]:
    """Return the class names that a user typed: names and runs such as 0-9, commas between."""
    names: list[str] = []
    for part in text.split(","):
        ends = part.strip().split("-")
        run = len(ends) == 2 and all(len(end) == 1 for end in ends)
        names += map(chr, range(ord(ends[0]), ord(ends[1]) + 1)) if run else [part]
    return tuple(clean_name(name) for name in names)


def check_names(names: tuple[str, ...]) -> None:
    """Raise DataError when there is no class, an empty one or the same one twice."""
    if not names or not all(names):
        raise DataError(f"A form needs classes with a name, found {list(names)}.")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"Each class may be named once, found twice: {', '.join(repeated)}.")


def check_geometry(form: Form) -> None:
    """Raise DataError when the paper is unknown or the boxes would be too small to write in."""
    if form.paper not in PAPERS:
        raise DataError(f"The paper is one of {', '.join(PAPERS)}, found '{form.paper}'.")
    if form.rows < 1 or form.columns < 1:
        raise DataError(f"A form needs rows and columns, found {form.rows} x {form.columns}.")
    side = box_side(form)
    if side < SMALLEST_BOX:
        raise DataError(
            f"{form.rows} rows of {form.columns} columns on {form.paper} leave boxes of "
            f"{side:.1f} mm; at least {SMALLEST_BOX:.0f} mm are needed to write in. "
            "Ask for fewer rows or columns; the classes then take more pages."
        )


def clean_name(name: str) -> str:
    """Return the name in Unicode's composed form (NFC) without outer blanks.

    Raises DataError for control characters, which no page can show.
    """
    cleaned = unicodedata.normalize("NFC", name).strip()
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in cleaned):
        raise DataError(f"A name on a form may hold no control characters, found {name!r}.")
    return cleaned


# --- geometry ---------------------------------------------------------------------------------


def marker_squares(paper: str) -> npt.NDArray[np.float64]:
    """Return the markers' squares, (8, 4) mm, clockwise from the top left corner."""
    width, height = PAPERS[paper]
    left, top = PAGE_MARGIN, PAGE_MARGIN
    right, bottom = width - PAGE_MARGIN - MARKER_SIDE, height - PAGE_MARGIN - MARKER_SIDE
    middle, centre = (width - MARKER_SIDE) / 2, (height - MARKER_SIDE) / 2
    corners = np.array(
        [
            (left, top), (middle, top), (right, top), (right, centre),
            (right, bottom), (middle, bottom), (left, bottom), (left, centre),
        ]
    )  # fmt: skip
    return np.hstack([corners, corners + MARKER_SIDE])


def square_corners(squares: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the corners of squares (N, 4) as points (N, 4, 2), clockwise from the top left."""
    return np.asarray(squares, np.float64)[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]


def marker_number(paper: str, position: int) -> int:
    """Return the number that the marker at a position (0..7, clockwise) carries."""
    return _IDS_A_VERSION * VERSION + MARKERS * list(PAPERS).index(paper) + position


def place_of_marker(number: int) -> tuple[int, str, int]:
    """Return the layout's version, the paper and the position that a marker's number tells."""
    version, rest = divmod(number, _IDS_A_VERSION)
    paper, position = divmod(rest, MARKERS)
    return version, list(PAPERS)[paper], position


def code_squares(paper: str) -> tuple[Square, Square]:
    """Return where the code stands: beside the top right and the bottom left corner marker."""
    width, height = PAPERS[paper]
    beside = PAGE_MARGIN + MARKER_SIDE + 4.0
    right, low = width - beside, height - PAGE_MARGIN
    return (
        (right - CODE_SIDE, PAGE_MARGIN, right, PAGE_MARGIN + CODE_SIDE),
        (beside, low - CODE_SIDE, beside + CODE_SIDE, low),
    )


def has_label_column(form: Form) -> bool:
    """Tell whether the classes stand beside the rows; long names and single boxes go above."""
    return form.order == "row" and max(map(len, form.classes)) <= 2


def box_gap(form: Form) -> tuple[float, float]:
    """Return the white between two boxes, across and down, in mm."""
    return BOX_GAP, (BOX_GAP if has_label_column(form) else LABEL_HEIGHT + 2.4)


def grid_area(form: Form) -> Square:
    """Return the part of the page that the boxes may fill, without their labels."""
    width, height = PAPERS[form.paper]
    beside, above = (LABEL_COLUMN, 0.0) if has_label_column(form) else (0.0, LABEL_HEIGHT)
    return _GRID_SIDE + beside, _GRID_TOP + above, width - _GRID_SIDE, height - _GRID_TOP


def box_side(form: Form) -> float:
    """Return the side of a box in mm: the largest that lets the grid fit its area."""
    x0, y0, x1, y1 = grid_area(form)
    across, down = box_gap(form)
    wide = (x1 - x0 + across) / form.columns - across
    high = (y1 - y0 + down) / form.rows - down
    return min(wide, high, LARGEST_BOX)


def box_squares(form: Form) -> npt.NDArray[np.float64]:
    """Return the whole grid's squares, (rows, columns, 4) mm, in the middle of its area."""
    x0, y0, x1, y1 = grid_area(form)
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


# --- the code ---------------------------------------------------------------------------------


def describe_form(form: Form) -> str:
    """Return the text of the page's code: a header, the writer, the classes and a checksum."""
    header = (
        f"prep{VERSION} {form.paper} {form.rows}x{form.columns} {form.order} "
        f"{form.page}/{form.pages} {form.identity}"
    )
    text = f"{header}\n{form.writer}\n{pack_names(form.classes)}\n"
    return text + checksum(text)


def parse_form(text: str) -> Form:
    """Return the form that a code's text describes.

    Raises ValueError when the checksum or the version is not ours: such a text is never used.
    """
    body, found = text[:-6], text[-6:]
    if checksum(body) != found:
        raise ValueError(f"the code's checksum does not match: {text!r}")
    header, writer, packed, _ = body.split("\n")
    version, paper, grid, order, page, identity = header.split(" ")
    if version != f"prep{VERSION}":
        raise ValueError(f"the code is of layout '{version}', expected 'prep{VERSION}'")
    rows, columns = grid.split("x")
    number, pages = page.split("/")
    return Form(
        paper, int(rows), int(columns), "row" if order == "row" else "box",
        unpack_names(packed), writer, identity, int(number), int(pages),
    )  # fmt: skip


def checksum(text: str) -> str:
    """Return the CRC-32 of the text as six letters."""
    return base64.b64encode(zlib.crc32(text.encode()).to_bytes(4, "big")).decode()[:6]


def pack_names(names: tuple[str, ...]) -> str:
    """Return the names as one line, tab between them, with runs such as 0 to 9 shortened."""
    packed: list[str] = []
    start = 0
    while start < len(names):
        end = _end_of_run(names, start)
        packed += [names[start]] if end == start else [f"{names[start]}{_RUN}{names[end]}"]
        start = end + 1
    # Single characters need no mark between them.
    tight = all(len(name) == 1 for name in names)
    return "".join(packed) if tight else "\t".join([*packed, ""])


def unpack_names(packed: str) -> tuple[str, ...]:
    """Return the names of a line that `pack_names` wrote."""
    spaced = packed.endswith("\t")
    parts = packed[:-1].split("\t") if spaced else _split_tight(packed)
    return tuple(name for part in parts for name in _expand_run(part))


def _split_tight(packed: str) -> list[str]:
    parts: list[str] = []
    while packed:
        length = 3 if packed[1:2] == _RUN else 1
        parts.append(packed[:length])
        packed = packed[length:]
    return parts


def _end_of_run(names: tuple[str, ...], start: int) -> int:
    """Return the index where consecutive characters end, or `start` if there are under four."""
    end = start
    while (
        end + 1 < len(names)
        and len(names[end]) == len(names[end + 1]) == 1
        and ord(names[end + 1]) == ord(names[end]) + 1
    ):
        end += 1
    return end if end - start >= 3 else start


def _expand_run(part: str) -> list[str]:
    if len(part) == 3 and part[1] == _RUN:
        return [chr(point) for point in range(ord(part[0]), ord(part[2]) + 1)]
    return [part]


def code_fits(form: Form) -> bool:
    """Tell whether the page's description fits the largest code that a photo shows well."""
    try:
        draw_code(form)
    except DataError:
        return False
    return True


def draw_code(form: Form) -> npt.NDArray[np.bool_]:
    """Return the page's QR code, (N, N), True where black.

    Error correction is level Q, a quarter of the code, or M where that is too large: level H
    would make the modules so small that blur costs more than correction gains. Raises DataError
    when the description is too long.
    """
    text = describe_form(form)
    for level in (cv2.QRCODE_ENCODER_CORRECT_LEVEL_Q, cv2.QRCODE_ENCODER_CORRECT_LEVEL_M):
        modules = _encode(text, level)
        if modules is not None:
            return modules
    raise DataError(f"The page's names are too long for its code: {text!r}.")


def _encode(text: str, level: int) -> npt.NDArray[np.bool_] | None:
    parameters = cv2.QRCodeEncoder.Params()
    parameters.mode = cv2.QRCODE_ENCODER_MODE_BYTE
    parameters.correction_level = level
    try:
        picture = cv2.QRCodeEncoder.create(parameters).encode(text)
    except cv2.error:  # longer than any QR code holds
        return None
    modules = np.asarray(picture)[2:-2, 2:-2] == 0  # OpenCV adds a border of two modules
    return modules if len(modules) <= LARGEST_CODE else None


def draw_marker(number: int) -> npt.NDArray[np.bool_]:
    """Return a marker's modules, (8, 8), True where black."""
    dictionary = cv2.aruco.getPredefinedDictionary(MARKER_DICTIONARY)
    return np.asarray(cv2.aruco.generateImageMarker(dictionary, number, 8)) == 0


def _share_out(whole: Form, pages: int) -> tuple[Form, ...]:
    """Return the form as so many pages, their numbers of classes differing by one at most."""
    ends = [round(index * len(whole.classes) / pages) for index in range(pages + 1)]
    return tuple(
        replace(whole, classes=whole.classes[start:end], page=index + 1, pages=pages)
        for index, (start, end) in enumerate(pairwise(ends))
    )


def _utf8_length(name: str) -> int:
    return len(name.encode())
